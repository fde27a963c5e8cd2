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

NAME: Final = "{name}"
"""Stands for the function's name in `function_url`."""

TOPIC: Final = r"(?!goog)[A-Za-z][A-Za-z0-9._~+%-]{2,254}"
"""A topic's name ("Naming a topic" in Pub/Sub's documentation)."""

_TOPIC: Final = TOPIC


def is_topic_name(name: str) -> bool:
    """Return whether `name` can be a topic's, and so lead nowhere else in a path."""
    return re.fullmatch(_TOPIC, name) is not None


class Functions(NamedTuple):
    """How functions are called.

    Attributes:
        url: of any function, with `NAME` where its name goes; or None.
        urls: function to the URL of its own.
        region: where a function with neither is looked up; or None.
        audience: what ID tokens are for; None for the URL.
        authenticate: False for functions that everybody may call.
    """

    url: str | None = None
    urls: Mapping[str, str] = NOTHING
    region: str | None = None
    audience: str | None = None
    authenticate: bool = True


class Topics(NamedTuple):
    """Function calls are queued in Pub/Sub.

    Attributes:
        origin: of Pub/Sub.
        emulator: whether an emulator is asked, which takes no credential.
        names: function to topic; else a function's name is its topic.
    """

    origin: str
    emulator: bool = False
    names: Mapping[str, str] = NOTHING


class Tasks(NamedTuple):
    """Function calls are queued in Cloud Tasks.

    Attributes:
        origin: of Cloud Tasks.
        queue: its whole name, ``projects/p/locations/l/queues/q``.
        account: the e-mail address of the service account that calls the function; None for a
            function that everybody may call.
    """

    origin: str
    queue: str
    account: str | None = None


class Events(NamedTuple):
    """Where events are published.

    Attributes:
        origin: of Pub/Sub.
        emulator: whether an emulator is asked, which takes no credential.
    """

    origin: str
    emulator: bool = False


class Tables(NamedTuple):
    """Where items are kept.

    Attributes:
        origin: of Firestore.
        database: its id.
        emulator: whether an emulator is asked, which takes no credential.
    """

    origin: str
    database: str = "(default)"
    emulator: bool = False


class Objects(NamedTuple):
    """Where objects are kept.

    Attributes:
        origin: of Cloud Storage.
        emulator: whether an emulator is asked, which takes no credential.
    """

    origin: str
    emulator: bool = False


class Workflows(NamedTuple):
    """Where executions of workflows are.

    Attributes:
        origin: of the Workflow Executions API.
        region: of the workflows.
        project: its id; None to ask for it where the credentials come from.
    """

    origin: str
    region: str
    project: str | None = None


@show_only("metadata file external impersonate quota_project iam")
class Identity(NamedTuple):
    """Who asks, as far as the settings say.

    Attributes:
        access_token: one for Google's APIs that somebody else has fetched.
        id_token: one for functions; the same.
        metadata: whether the metadata server was asked for by name.
        file: path of a credentials file; None for none.
        external: whether a file may name servers and programs that are not Google's.
        impersonate: the e-mail address of a service account to act as, or None.
        quota_project: the project that requests are charged to, or None.
        iam: origin of IAM credentials, where somebody acts as a service account.
    """

    access_token: str | None = None
    id_token: str | None = None
    metadata: bool = False
    file: str | None = None
    external: bool = False
    impersonate: str | None = None
    quota_project: str | None = None
    iam: str = "https://iamcredentials.googleapis.com"


KEPT: Final = 3600.0
"""Seconds that an address which was looked up is good for, as long as a token is."""

_NAME: Final = r"[A-Za-z](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9])?"
"""A function's name, of either generation."""


class FunctionUrl(NamedTuple):
    """Ask where a function is called, without the token that a `FunctionAddress` comes with."""

    function: str
    kind: str = "function url"


def check_name(function: str, configured: Functions) -> None:
    """Refuse a function that has no URL and whose name cannot be one.

    Raises:
        InvalidRequest: names the remedy.
    """
    if function not in configured.urls and re.fullmatch(_NAME, function) is None:
        raise InvalidRequest(
            "the function's name must begin with a letter and have at most 63 letters, digits, - "
            "and _; call it by another, and give that a URL in functions",
            field="function",
        )


def find_address(function: str, configured: Functions) -> Address | None:
    """Return the address that the configuration has for a function; None where it has none."""
    url = configured.urls.get(function)
    if url is None and configured.url is not None:
        url = configured.url.replace(NAME, function)
    return None if url is None else parse_address(url)


def parse_address(url: str) -> Address:
    """Return a checked URL as an address."""
    scheme, _, rest = url.partition("://")
    host, _, path = rest.partition("/")
    return Address(f"{scheme.lower()}://{host.lower()}", f"/{path}")


def audience_of(address: Address, configured: Functions) -> str:
    """Return what an ID token for a function is for.

    A Cloud Run service is known by its host. Under ``cloudfunctions.net``, where the host is that
    of a project, a function is known by the first part of its path ("Authenticate for invocation"
    in the documentation of Cloud Run functions).
    """
    if configured.audience is not None:
        return configured.audience
    if address.origin.endswith(".cloudfunctions.net"):
        return f"{address.origin}/{address.target.split('/')[1]}"
    return address.origin
