"""Google's own clients as these tests use them: on given servers, over REST, asking once."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any, Final, TypeVar

T = TypeVar("T")

ONCE: Final[Mapping[str, Any]] = {"retry": None, "timeout": 60.0}
"""Arguments of every call: without `retry`, a client of Google's asks for a minute and longer."""


def static(token: str) -> Any:
    """Give credentials that are this access token, and can get no other."""
    return import_module("google.oauth2.credentials").Credentials(token)


@contextmanager
def publisher(url: str, credentials: Any, ca_bundle: Path | None = None) -> Iterator[Any]:
    """Give google-cloud-pubsub's client for topics."""
    yield from _open("google.pubsub_v1", "PublisherClient", url, credentials, ca_bundle)


@contextmanager
def subscriber(url: str, credentials: Any, ca_bundle: Path | None = None) -> Iterator[Any]:
    """Give google-cloud-pubsub's client for subscriptions."""
    yield from _open("google.pubsub_v1", "SubscriberClient", url, credentials, ca_bundle)


@contextmanager
def firestore_api(url: str, credentials: Any, ca_bundle: Path | None = None) -> Iterator[Any]:
    """Give google-cloud-firestore's client of the API, with one method for each of its own."""
    yield from _open(
        "google.cloud.firestore_v1.services.firestore",
        "FirestoreClient",
        url,
        credentials,
        ca_bundle,
    )


@contextmanager
def firestore_client(
    url: str,
    credentials: Any,
    project: str,
    database: str = "(default)",
    ca_bundle: Path | None = None,
) -> Iterator[Any]:
    """Give google-cloud-firestore's client of a database.

    It knows gRPC only; so it is given the client of the API for REST.
    """
    with firestore_api(url, credentials, ca_bundle) as api:
        kind = import_module("google.cloud.firestore_v1").Client
        client = kind(project=project, credentials=credentials, database=database)
        client._firestore_api_internal = api
        yield client


def refusal(call: Callable[[], object]) -> tuple[int, str]:
    """Give the HTTP status and the status word of an error; `call` has to raise one."""
    error: Any = import_module("google.api_core.exceptions").GoogleAPICallError
    try:
        call()
    except error as raised:
        response: Any = vars(raised)["_response"]
        document = response.json()
        told = document[0] if isinstance(document, list) else document
        return response.status_code, told["error"]["status"]
    raise AssertionError("nothing was raised")


def _open(
    module: str, name: str, url: str, credentials: Any, ca_bundle: Path | None
) -> Iterator[Any]:
    client = getattr(import_module(module), name)(
        credentials=credentials, transport="rest", client_options={"api_endpoint": url}
    )
    session = client.transport._session
    session.trust_env = False
    session.hooks["response"].append(_read_to_the_end)
    if ca_bundle:
        session.verify = str(ca_bundle)
    with client:
        yield client


def _read_to_the_end(response: Any, **_: object) -> None:
    """Read an answer that streams: its client never closes it, and so it needs no closing."""
    assert response.content is not None
