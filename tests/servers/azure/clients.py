"""Microsoft's clients as these tests use them: with one request for each call."""

from __future__ import annotations

import time
from collections.abc import Callable
from importlib import import_module
from typing import Any, Final, NamedTuple, TypeVar

import requests
from requests.adapters import HTTPAdapter

from tests.servers.azure.cosmos_server import KEY
from tests.servers.loopback import PATIENCE

T = TypeVar("T")

HttpResponseError: Final[type[Exception]] = import_module("azure.core.exceptions").HttpResponseError

ONCE: Final[dict[str, Any]] = {"retry_total": 0, "read_timeout": 60, "connection_timeout": 10}
"""What azure-core's clients are told, so that each call is one request."""


class _Session(requests.Session):
    send = requests.Session.send


class _Adapter(HTTPAdapter):
    send = HTTPAdapter.send


def transport_apart() -> Any:
    """Give a transport for a client that works beside tests, in the same process.

    Tests set proxies in the environment, and replace what `requests` sends with. This one looks
    for no proxy, and keeps to what was there when this module was loaded.
    """
    session = _Session()
    session.trust_env = False
    session.mount("http://", _Adapter())
    return import_module("azure.core.pipeline.transport").RequestsTransport(session=session)


class AccessToken(NamedTuple):
    """What azure-core takes for a token: the text, and when it expires, in Unix seconds."""

    token: str
    expires_on: int


class Bearer:
    """A credential of azure-core that gives one token, whatever is asked for."""

    def __init__(self, token: str) -> None:
        self._token = token

    def get_token(self, *_scopes: str, **_options: Any) -> AccessToken:
        """Give the token, as one that expires in a while; the servers know better."""
        return AccessToken(self._token, 4_102_444_800)


def cosmos_client(url: str, credential: Any = KEY, **options: Any) -> Any:
    """Give a client of the Cosmos DB account at `url`; it asks for the account at once.

    Args:
        url: where the account is.
        credential: a key or a credential of azure-core.
        options: more for azure-cosmos.
    """
    return import_module("azure.cosmos").CosmosClient(
        url, credential, connection_policy=_policy(), enable_endpoint_discovery=False, **options
    )


def _policy() -> Any:
    """Give the only settings with which azure-cosmos does not repeat what was throttled."""
    documents: Any = import_module("azure.cosmos.documents")
    options: Any = import_module("azure.cosmos._retry_options")
    policy = documents.ConnectionPolicy()
    policy.RetryOptions = options.RetryOptions(max_retry_attempt_count=0)
    return policy


def queue_client(connection: str, queue: str) -> Any:
    """Give a client of a queue that sends messages in base64, as the Functions host wants them.

    Args:
        connection: the connection string of the account.
        queue: its name.
    """
    library: Any = import_module("azure.storage.queue")
    return library.QueueClient.from_connection_string(
        connection,
        queue,
        message_encode_policy=library.BinaryBase64EncodePolicy(),
        message_decode_policy=library.BinaryBase64DecodePolicy(),
        transport=transport_apart(),
        **ONCE,
    )


def publisher(url: str, credential: Any, **options: Any) -> Any:
    """Give a client of a topic of Event Grid. Give `ONCE` to each `send`: this client drops it.

    Args:
        url: the endpoint of a basic topic, or of a namespace.
        credential: a key, a signature or a token, as azure-core has them.
        options: more for azure-eventgrid, such as `namespace_topic`.
    """
    return import_module("azure.eventgrid").EventGridPublisherClient(url, credential, **options)


def eventually(look: Callable[[], T | None]) -> T:
    """Give what `look` finds, as soon as it finds something.

    Raises:
        TimeoutError: it did not, in as long as nothing takes.
    """
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        found = look()
        if found is not None:
            return found
        time.sleep(0.02)
    raise TimeoutError("it has not come")


def refusal(call: Callable[[], object]) -> int:
    """Give the status of an error; `call` has to raise one."""
    try:
        call()
    except HttpResponseError as error:
        status: int = vars(error)["status_code"]
        return status
    raise AssertionError("nothing was raised")
