"""What Google's own packages read and write, to compare with. Few of their types leave here.

A request of ours is read by the class of messages that the service is made of: members that it
does not know are refused. Answers are written by those classes.
"""

from __future__ import annotations

import json
from contextlib import suppress
from functools import cache
from importlib import import_module
from typing import Any, NamedTuple
from unittest import mock
from urllib.parse import unquote

from leeward._http.messages import Request

READ: dict[str, tuple[str, str]] = {
    "documents:commit": ("google.cloud.firestore_v1.types", "CommitRequest"),
    "documents:batchGet": ("google.cloud.firestore_v1.types", "BatchGetDocumentsRequest"),
    "documents:runQuery": ("google.cloud.firestore_v1.types", "RunQueryRequest"),
    "documents:runAggregationQuery": (
        "google.cloud.firestore_v1.types",
        "RunAggregationQueryRequest",
    ),
    ":publish": ("google.pubsub_v1.types", "PublishRequest"),
}
"""By how a path ends, the class that reads the body."""


class Sent(NamedTuple):
    """What counts of a request: the body as a message, in JSON of one spelling."""

    method: str
    path: str
    body: Any


def message_class(module: str, name: str) -> Any:
    """Give a class of messages."""
    return getattr(import_module(module), name)


def message(kind: Any, body: Any) -> Any:
    """Read JSON strictly, as a message of the class `kind`."""
    made = kind()
    import_module("google.protobuf.json_format").ParseDict(body, kind.pb(made))
    return made


def spelled(made: Any) -> Any:
    """Write a message as Google's REST services do."""
    return import_module("google.protobuf.json_format").MessageToDict(type(made).pb(made))


def read(request: Request) -> Any:
    """Read the body of a request of ours as the service does."""
    (kind,) = (kind for end, kind in READ.items() if request.target.endswith(end))
    return message(message_class(*kind), json.loads(request.body))


def by_leeward(request: Request) -> Sent:
    """Give what counts of a request of ours."""
    return Sent(request.method, unquote(request.target), spelled(read(request)))


def by_firestore(method: str, asked: Any) -> Sent:
    """Give what google-cloud-firestore sends over REST to have `method` do what is `asked`."""
    return _by_transport("google.cloud.firestore_v1.services.firestore", "Firestore", method, asked)


def by_pubsub(asked: Any) -> Sent:
    """Give what google-cloud-pubsub sends over REST to publish what is `asked`."""
    return _by_transport("google.pubsub_v1.services.publisher", "Publisher", "publish", asked)


@cache
def _transport(module: str, name: str) -> Any:
    anonymous = import_module("google.auth.credentials").AnonymousCredentials()
    home = import_module(f"{module}.transports.rest")
    return getattr(home, f"{name}RestTransport")(credentials=anonymous)


def _by_transport(module: str, name: str, method: str, asked: Any) -> Sent:
    transport, seen = _transport(module, name), []

    def post(url: str, *, data: str, **_: Any) -> Any:
        seen.append((unquote(url.partition("googleapis.com")[2]), json.loads(data)))
        raise ConnectionError

    session = mock.patch.object(transport, "_session", mock.Mock(post=post))
    with session, suppress(ConnectionError):
        getattr(transport, method)(asked)
    ((path, body),) = seen
    kind = type(asked)
    return Sent("POST", path, spelled(message(kind, body)))


def codes() -> set[str]:
    """Give the status words that Google defines."""
    return set(import_module("google.rpc.code_pb2").Code.keys())


def reasons() -> set[str]:
    """Give the reasons that Google's infrastructure gives."""
    return set(import_module("google.api.error_reason_pb2").ErrorReason.keys())


def error_body(code: int, word: str, text: str, *details: Any) -> Any:
    """Give the body of an error: details are a name in `google.rpc.error_details`, and members."""
    kinds = import_module("google.rpc.error_details_pb2")
    pack = import_module("google.protobuf.any_pb2").Any
    form = import_module("google.protobuf.json_format")
    packed = []
    for name, members in details:
        each = pack()
        each.Pack(form.ParseDict(members, getattr(kinds, name)()))
        packed.append(form.MessageToDict(each))
    return {"error": {"code": code, "message": text, "status": word, "details": packed}}


def fields_by_google(values: dict[str, Any]) -> dict[str, Any]:
    """Give the fields of a document as google-cloud-firestore writes them."""
    helpers = import_module("google.cloud.firestore_v1._helpers")
    kind = message_class("google.cloud.firestore_v1.types", "Document")
    found: dict[str, Any] = spelled(kind(fields=helpers.encode_dict(values))).get("fields", {})
    return found


def values_by_google(fields: dict[str, Any]) -> dict[str, Any]:
    """Give the values of a document as google-cloud-firestore reads them."""
    helpers = import_module("google.cloud.firestore_v1._helpers")
    kind = message_class("google.cloud.firestore_v1.types", "Document")
    made = message(kind, {"fields": fields})
    found: dict[str, Any] = helpers.decode_dict(made.fields, mock.Mock())
    return found
