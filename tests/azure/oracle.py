"""What Azure's own packages send, to compare with. They have few types, so none leave here."""

from __future__ import annotations

import json
from collections.abc import Callable
from importlib import import_module
from typing import Any, NamedTuple, Self
from unittest import mock
from urllib.parse import parse_qs, urlsplit

from leeward._http.messages import Request
from leeward_azure.identity.credentials import AccountKey, Credential, SasToken
from tests.azure.playing import headers_of

NOT_COMPARED = frozenset(
    """
    accept-encoding cache-control connection content-length prefer traceparent user-agent
    x-ms-activity-id x-ms-client-id x-ms-client-request-id x-ms-consistency-level
    x-ms-cosmos-intended-collection-rid x-ms-cosmos-sdk-supportedcapabilities
    x-ms-documentdb-query-iscontinuationexpected x-ms-session-token
    x-ms-thinclient-proxy-operation-type x-ms-thinclient-proxy-resource-type
    """.split()
)
"""Headers that say who asks, how much comes back, or what was asked for before."""

IF_UNCHANGED: Any = import_module("azure.core").MatchConditions.IfNotModified


class Sent(NamedTuple):
    """What counts of a request: headers by lower-case name, a JSON body as its value."""

    method: str
    path: str
    query: dict[str, list[str]]
    headers: dict[str, str]
    body: Any


def by_leeward(request: Request) -> Sent:
    """Give what counts of a request of ours."""
    return _sent(request.method, request.target, headers_of(request), request.body)


def by_cosmos(key: str, date: str, act: Callable[[Any, Any], Any], *, path: str = "/id") -> Sent:
    """Give the request that azure-cosmos makes for what `act` does.

    Args:
        key: of the account.
        date: as HTTP writes it.
        act: gets a function from database and name to a container client, and the package.
        path: of the containers' partition key.
    """
    cosmos = import_module("azure.cosmos")
    recorder = _Recorder(path)
    with (
        mock.patch("azure.cosmos._base.formatdate", return_value=date),
        cosmos.CosmosClient("https://shop.test", key, transport=recorder) as client,
    ):
        act(lambda base, name: client.get_database_client(base).get_container_client(name), cosmos)
    # It looks at its account too, on a thread of its own, at any time.
    return [sent for sent in list(recorder.sent) if sent.path.startswith("/dbs/")][-1]


def by_eventgrid(
    endpoint: str, events: list[Any], credential: Credential, namespace: str | None
) -> Sent:
    """Give the request by which azure-eventgrid publishes `events`, as dictionaries."""
    eventgrid = import_module("azure.eventgrid")
    recorder = _Recorder("")
    made = "azure.core.pipeline.transport._requests_basic.RequestsTransport"
    with mock.patch(made, return_value=recorder):  # one of the two clients takes no transport
        client = eventgrid.EventGridPublisherClient(
            endpoint, _their(credential), namespace_topic=namespace
        )
        client.send(events)
    return recorder.sent[-1]


def _their(credential: Credential) -> Any:
    credentials = import_module("azure.core.credentials")
    if isinstance(credential, AccountKey):
        return credentials.AzureKeyCredential(credential.key)
    if isinstance(credential, SasToken):
        return credentials.AzureSasCredential(credential.token)
    never = 2**33
    return mock.Mock(
        spec=["get_token"],
        get_token=lambda *_, **__: credentials.AccessToken(credential.token, never),
    )


def merged_session(one: str, other: str) -> str:
    """Give what azure-cosmos makes of two tokens of a range."""
    token = import_module("azure.cosmos._vector_session_token").VectorSessionToken
    return str(token.create(one).merge(token.create(other)).convert_to_string())


def sub_statuses() -> dict[str, int]:
    """Give the sub-statuses that azure-cosmos has names for."""
    found = vars(import_module("azure.cosmos.http_constants").SubStatusCodes)
    return {name: value for name, value in found.items() if isinstance(value, int)}


def _sent(method: str, url: str, headers: dict[str, str], body: bytes | str | None) -> Sent:
    parts = urlsplit(url)
    kept = {name: value for name, value in headers.items() if name not in NOT_COMPARED}
    value = json.loads(body) if body else None
    path = parts.path if parts.path == "/" else parts.path.rstrip("/")
    return Sent(method, path, parse_qs(parts.query), kept, value)


class _Recorder:
    """A transport that notes requests, and answers with whatever the packages want to see."""

    def __init__(self, path: str) -> None:
        self.sent: list[Sent] = []
        self._path = path

    def send(self, request: Any, **_: Any) -> Any:
        headers = {name.lower(): str(value) for name, value in request.headers.items()}
        body = getattr(request, "content", None) or getattr(request, "body", None)
        self.sent.append(_sent(request.method, request.url, headers, body))
        return _answered(request, self._path)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None: ...


def _answered(request: Any, path: str) -> Any:
    here = [{"name": "here", "databaseAccountEndpoint": "https://shop.test"}]
    document = {
        "id": "x",
        "_rid": "Sl8fALN4sw4=",
        "_etag": '"1"',
        "writableLocations": here,
        "readableLocations": here,
        "userConsistencyPolicy": {"defaultConsistencyLevel": "Eventual"},
        "partitionKey": {"paths": [path], "kind": "Hash", "version": 2},
        "Documents": [],
    }
    response = mock.Mock()
    response.request = request
    response.status_code = 204 if request.method == "DELETE" else 200
    response.headers = {"content-type": "application/json"}
    raw = b"" if request.method == "DELETE" else json.dumps(document).encode()
    response.body.return_value = raw
    response.text.return_value = raw.decode()
    response.content_type = "application/json"
    response.reason = "OK"
    return response
