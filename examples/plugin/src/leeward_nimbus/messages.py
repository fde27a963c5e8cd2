"""What a call asks of Nimbus, and how its value is taken out of a good answer."""

import json
from collections.abc import Mapping
from typing import Any, NamedTuple

from leeward.adapter.items import EMBEDDED, decode, encode, escape_key
from leeward.calls import Call, Delete, Invoke, Key, Load, Publish, Result, Store, Stored
from leeward.cloudevents import to_json
from leeward.errors import Outcome, Unsupported
from leeward_nimbus.outcomes import STATUSES


class Request(NamedTuple):
    """What is asked of Nimbus.

    Attributes:
        method: of HTTP.
        path: its parts, not yet quoted.
        query: what is None is left out.
        body: JSON.
    """

    method: str
    path: list[str]
    query: Mapping[str, Any] = {}
    body: bytes | None = None


def request_of(call: Call) -> Request:
    """Return the one request of a call.

    Raises:
        Unsupported: Nimbus has no such verb.
    """
    match call:
        case Invoke():
            key = {"idempotency_key": call.idempotency_key}
            return Request("POST", ["functions", call.function], key, call.payload)
        case Publish():
            events = [to_json(event) for event in call.events]
            return Request("POST", ["buses", call.bus], body=_json(events))
        case Store():
            return _store(call)
        case Load():
            return Request("GET", _path(call.table, call.key))
        case Delete():
            conditions = {"now": call.now, "if_revision": call.if_revision}
            return Request("DELETE", _path(call.table, call.key), conditions)
        case _:
            raise Unsupported(f"Nimbus has no {call.verb}")


def _store(call: Store) -> Request:
    conditions = {
        "now": call.now,
        "expires": call.expires_at,
        "if_absent": True if call.if_absent else None,
        "if_revision": call.if_revision,
    }
    document = encode(call.item, EMBEDDED, write_id=call.write_id, expires_at=call.expires_at)
    return Request("PUT", _path(call.table, call.key), conditions, _json(document))


def _path(table: str, key: Key) -> list[str]:
    return ["tables", table, escape_key(*key.values)]


def _json(document: Any) -> bytes:
    return json.dumps(document).encode()


def _published(document: Any) -> tuple[Result[None], ...]:
    statuses = document["statuses"]
    return tuple(Result(STATUSES.get(status, Outcome.AMBIGUOUS)) for status in statuses)


def _stored(document: Any) -> Stored | None:
    if document is None:
        return None
    found = decode(document["item"], EMBEDDED)
    revision = document["revision"]
    return Stored(found.item, revision, found.write_id, found.expires_at, found.foreign)


READERS = {
    "invoke": lambda document: document,
    "publish": _published,
    "store": lambda document: document["revision"],
    "load": _stored,
    "delete": lambda document: None,
}
"""For each verb, what takes the value out of the JSON of a good answer."""
