"""What Azure's services take for a credential, as values. None shows its secret."""

from __future__ import annotations

from typing import Literal, TypeAlias

from leeward.masking import show_only
from leeward.records import NamedTuple


class ServiceCredential(NamedTuple):
    """Ask for what a service takes: its configured key or signature, else a token.

    Attributes:
        service: Cosmos DB, Event Grid, Queue or Blob storage, Service Bus, the Resource Manager, or
            Log Analytics.
    """

    service: Literal["cosmos", "eventgrid", "queue", "blob", "management", "servicebus", "logs"]
    kind: str = "service credential"


class TopicKey(NamedTuple):
    """Ask for the key that is configured for one topic of Event Grid."""

    topic: str
    kind: str = "topic key"


@show_only()
class AccountKey(NamedTuple):
    """A shared key: of a Cosmos account, where it signs; of an Event Grid topic, where it goes out.

    Attributes:
        key: base64, as the portal shows it.
    """

    key: str


@show_only()
class SasToken(NamedTuple):
    """A token that was made from a shared key, for some resource and some time.

    Attributes:
        token: as it was made: a shared access signature of Event Grid, a resource token of Cosmos.
    """

    token: str


@show_only()
class Bearer(NamedTuple):
    """An access token of Entra ID."""

    token: str


Credential: TypeAlias = AccountKey | SasToken | Bearer
