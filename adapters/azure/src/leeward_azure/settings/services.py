"""What is configured of each service, as values, and a function's address by it.

None shows a secret.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from leeward.adapter.http_functions import Address
from leeward.errors import InvalidRequest
from leeward.masking import show_only
from leeward.records import NamedTuple
from leeward.values import NOTHING

TOPIC: Final = "{topic}"
"""Stands for the topic's name in `eventgrid_topic_url`."""

_TOPIC_NAME: Final = r"[A-Za-z0-9][A-Za-z0-9-]{0,62}"
QUEUE_NAME: Final = r"(?=.{3,63}$)[a-z0-9]+(?:-[a-z0-9]+)*"
"""A queue's name ("Naming queues and metadata" of Queue storage)."""

SERVICE_BUS: Final = "servicebus:"
"""Stands before the name of a queue of Service Bus; any other is of Queue storage."""

JSON: Final = "json"
"""The type of an attribute that is a number or a truth value, as JSON has it."""


def is_topic_name(name: str) -> bool:
    """Return whether `name` can be a topic's, and so lead to no other host in a URL.

    Azure takes 3 to 50 letters, digits and hyphens.
    """
    return re.fullmatch(_TOPIC_NAME, name) is not None


def is_queue_name(name: str) -> bool:
    """Return whether `name` can be a queue's."""
    return re.fullmatch(QUEUE_NAME, name) is not None


class Lookup(NamedTuple):
    """What the Resource Manager is asked with.

    Attributes:
        origin: of the Resource Manager.
        scope: what a token for it is for.
        subscription: its id.
        group: the resource group of the function app; empty where no app is looked up.
        app: the name of the function app; the same.
    """

    origin: str
    scope: str
    subscription: str
    group: str = ""
    app: str = ""


@show_only("origin prefix routes scope lookup")
class Functions(NamedTuple):
    """How functions are called.

    Attributes:
        origin: of the function app; None if it is looked up.
        prefix: of all routes, without slashes at its ends.
        routes: function to route; else a function's name is its route.
        key: for all functions, or None.
        keys: function to a key of its own.
        scope: of the app's registration in Entra, if it wants a token.
        lookup: how to find what is not configured, or None.
    """

    origin: str | None
    prefix: str = "api"
    routes: Mapping[str, str] = NOTHING
    key: str | None = None
    keys: Mapping[str, str] = NOTHING
    scope: str | None = None
    lookup: Lookup | None = None


@show_only("origin path account names")
class Queues(NamedTuple):
    """Where function calls are queued.

    Attributes:
        origin: of the queue service.
        path: what stands before a queue's name: empty, or the account of an emulator.
        account: the storage account's name; empty where no key is there to sign with.
        names: function to queue; else a function's name is its queue.
        key: of the account, or None.
        sas: a shared access signature, or None; with neither, Entra is asked.
    """

    origin: str
    path: str = ""
    account: str = ""
    names: Mapping[str, str] = NOTHING
    key: str | None = None
    sas: str | None = None


@show_only("origin path account")
class Blobs(NamedTuple):
    """Where objects are kept; the fields are as of `Queues`."""

    origin: str
    path: str = ""
    account: str = ""
    key: str | None = None
    sas: str | None = None


@show_only("origin")
class Workflows(NamedTuple):
    """Where instances of Durable Functions are.

    Attributes:
        origin: of the function app.
        key: its system key of the Durable extension.
    """

    origin: str
    key: str


class Account(NamedTuple):
    """What a connection string of a storage account leads to; without a name for it, no blobs."""

    queues: Queues
    blobs: Blobs | None


@show_only("topic_url namespace urls")
class Events(NamedTuple):
    """Where events are published.

    Attributes:
        topic_url: of custom topics, with ``{topic}`` where a name goes, such as
            ``https://{topic}.westeurope-1.eventgrid.azure.net/api/events``; or None.
        namespace: the origin of an Event Grid namespace, such as
            ``https://shop.westeurope-1.eventgrid.azure.net``; or None.
        key: an access key for all topics without one of their own, or None.
        sas: a shared access signature, or None; with neither, Entra is asked.
        urls: custom topic to a URL of its own, which goes before the others.
        keys: topic to an access key of its own.
    """

    topic_url: str | None = None
    namespace: str | None = None
    key: str | None = None
    sas: str | None = None
    urls: Mapping[str, str] = NOTHING
    keys: Mapping[str, str] = NOTHING

    @property
    def url(self) -> str | None:
        """Where the topics are that have no URL of their own."""
        return self.namespace if self.topic_url is None else self.topic_url


@show_only("origin key_name")
class ServiceBus(NamedTuple):
    """Where dead letters of Service Bus lie.

    Attributes:
        origin: of the namespace.
        key_name: of the shared access policy; empty without a key.
        key: of it, or None: then Entra is asked.
    """

    origin: str
    key_name: str = ""
    key: str | None = None


class Logs(NamedTuple):
    """Where what functions log is kept.

    Attributes:
        origin: of Log Analytics.
        workspace: the id of the workspace.
    """

    origin: str
    workspace: str


@show_only("origin database")
class Tables(NamedTuple):
    """Where items are kept.

    Attributes:
        origin: of the Cosmos DB account.
        database: its name.
        key: of the account, or None: then Entra is asked.
    """

    origin: str
    database: str
    key: str | None = None


KEPT: Final = 3600.0
"""Seconds that an address which was looked up is good for, about as long as a token is: an app may
get another host name, and the old one then leads nowhere that could refuse a call."""

NAME: Final = r"[A-Za-z][A-Za-z0-9_-]{0,126}"
"""A function's name, as the Functions host takes it."""


def check_name(function: str, configured: Functions) -> None:
    """Refuse a function that has no route and whose name cannot be one.

    Raises:
        InvalidRequest: names the remedy.
    """
    if function not in configured.routes and re.fullmatch(NAME, function) is None:
        raise InvalidRequest(
            "the function's name must begin with a letter and have only letters, digits, - and _; "
            "call it by another, and give that a path in routes",
            field="function",
        )


def find_address(function: str, configured: Functions) -> Address:
    """Return the address of a function as far as the configuration has it."""
    return Address(
        configured.origin or "", path_to(function, configured), key=key_of(function, configured)
    )


def path_to(function: str, configured: Functions) -> str:
    """Return the path of a function by its configured route, or by its name."""
    route = configured.routes.get(function, function)
    return f"/{configured.prefix}/{route}" if configured.prefix else f"/{route}"


def key_of(function: str, configured: Functions) -> str | None:
    """Return the key that is configured for a function; None for none."""
    return configured.keys.get(function, configured.key)
