"""Firestore: store many items by one request, each under its own condition.

Source: the REST reference of Firestore, `documents.batchWrite`; `google.rpc.Code`.
"""

from __future__ import annotations

from functools import partial
from typing import Any, Final

from leeward.adapter.classification import AMBIGUOUS
from leeward.adapter.exchange import UNDECODABLE, ambiguous, exchange, object_of
from leeward.adapter.plans import Plan, Planner, View
from leeward.adapter.tables import revision_after
from leeward.calls import Result, Store, StoreMany
from leeward.errors import Unsupported
from leeward.json_text import Undecodable
from leeward_google.errors import STATUSES
from leeward_google.tables.documents import fields_of, update_time_of
from leeward_google.tables.plans import FirestoreEndpoint, name_of

_CODES: Final = tuple(
    """
    OK CANCELLED UNKNOWN INVALID_ARGUMENT DEADLINE_EXCEEDED NOT_FOUND ALREADY_EXISTS
    PERMISSION_DENIED RESOURCE_EXHAUSTED FAILED_PRECONDITION ABORTED OUT_OF_RANGE UNIMPLEMENTED
    INTERNAL UNAVAILABLE DATA_LOSS UNAUTHENTICATED
    """.split()
)
"""Status words, by the number under which a batch tells them."""


def batches(endpoint: FirestoreEndpoint) -> dict[str, Planner]:
    """Return the planner of ``store_many``."""
    return {"store_many": partial(store_many, endpoint)}


def store_many(endpoint: FirestoreEndpoint, call: StoreMany, view: View) -> Plan:
    """Store items where none is, or replace what is there; the value of each is its new revision.

    An expired item in the way is a conflict here. Storing that one by itself tells it from others.

    Raises:
        Unsupported: one of them is to replace a revision; before anything is sent.
    """
    if any(each.if_revision is not None for each in call.calls):
        raise Unsupported("a batch of Firestore's looks at no revision")
    writes = [_write(endpoint, each) for each in call.calls]
    request = endpoint.request("batchWrite", {"writes": writes})
    response, refusal = yield from exchange(endpoint.service, request, view)
    if refusal is not None:
        return refusal
    try:
        document = object_of(response)
        told = zip(call.calls, document["writeResults"], document["status"], strict=True)
        return Result.ok([_result(*each) for each in told])
    except (Undecodable, KeyError, TypeError, ValueError, AttributeError) as error:
        return ambiguous(response, UNDECODABLE, error)


def _write(endpoint: FirestoreEndpoint, call: Store) -> dict[str, Any]:
    name = name_of(endpoint, call.table, call.key)
    write: dict[str, Any] = {"update": {"name": name, "fields": fields_of(call)}}
    return write | {"currentDocument": {"exists": False}} if call.if_absent else write


def _result(call: Store, written: dict[str, Any], status: dict[str, Any]) -> Result[Any]:
    code = status.get("code", 0)
    if code == 0:
        return Result.ok(revision_after(call, update_time_of(written)))
    word = _CODES[code] if type(code) is int and 0 < code < len(_CODES) else ""
    meaning = STATUSES.get(word, AMBIGUOUS)
    return Result(meaning.outcome, code=word or None, reason=meaning.reason)
