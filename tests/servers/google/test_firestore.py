from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest

from tests.servers.google import tokens
from tests.servers.google.asking import Said, ask
from tests.servers.google.clients import ONCE, refusal
from tests.servers.google.conftest import PROJECT
from tests.servers.google.firestore import Firestore

ROOT = f"projects/{PROJECT}/databases/(default)/documents"


@pytest.fixture
def collection(documents: Any) -> Any:
    """Give google-cloud-firestore's reference to a collection of its own."""
    return documents.collection(uuid4().hex)


def _name(reference: Any) -> str:
    return f"{ROOT}/{reference.path}"


def _ask(firestore: Firestore, method: str, target: str, body: object = None) -> Said:
    token = tokens.mint_access_token(firestore.clock() + 60)
    return ask(firestore.address, method, f"/v1/{target}", body, token=token)


def _commit(firestore: Firestore, *writes: object) -> Said:
    return _ask(firestore, "POST", f"{ROOT}:commit", {"writes": list(writes)})


def test_a_commit_is_done_whole_or_not_at_all(documents: Any, collection: Any) -> None:
    """If one write is refused, none is done."""
    there, new = collection.document("there"), collection.document("new")
    there.set({"n": 1}, **ONCE)
    batch = documents.batch()
    batch.set(new, {"n": 1})
    batch.delete(there)
    batch.create(new, {"n": 2})
    assert refusal(lambda: batch.commit(**ONCE)) == (409, "ALREADY_EXISTS")
    assert there.get(**ONCE).exists
    assert not new.get(**ONCE).exists


def _nested(depth: int) -> dict[str, Any]:
    value: dict[str, Any] = {"nullValue": None}
    for _ in range(depth):
        value = {"mapValue": {"fields": {"m": value}}}
    return value


def _fields(value: object) -> dict[str, Any]:
    return {"f": value}


@pytest.mark.parametrize(
    "fields",
    [
        {"": {"nullValue": None}},
        {"__f__": {"nullValue": None}},
        {"f" * 1501: {"nullValue": None}},
        _fields({}),
        _fields({"integerValue": str(2**63)}),
        _fields({"arrayValue": {"values": [{"arrayValue": {}}]}}),
        _fields({"mapValue": {"fields": {"__m__": {"nullValue": None}}}}),
        _fields({"stringValue": "x" * 1_048_487}),
        {"f": {"stringValue": "x" * 600_000}, "g": {"bytesValue": "eHh4" * 200_000}},
        _fields(_nested(21)),
        _fields({"stringValue": "\ud800"}),
        _fields({"timestampValue": "10000-01-01T00:00:00Z"}),
        _fields({"nullvalue": None}),
        _fields({"stringValue": "a", "integerValue": "1"}),
    ],
    ids=lambda fields: None,
)
def test_what_no_document_holds_is_refused(
    firestore: Firestore, collection: Any, fields: dict[str, Any]
) -> None:
    """Names, values, depth and size have limits."""
    update = {"name": _name(collection.document("d")), "fields": fields}
    said = _commit(firestore, {"update": update})
    assert (said.status, said.json["error"]["status"]) == (400, "INVALID_ARGUMENT")
    assert not collection.document("d").get(**ONCE).exists


@pytest.mark.parametrize(
    ("method", "target", "body"),
    [
        ("POST", f"{ROOT}:commit", {"writes": [{"update": {"named": "x"}}]}),
        ("POST", f"{ROOT}:commit", {"writes": [{"currentDocument": {"exists": "maybe"}}]}),
        ("POST", f"{ROOT}:batchGet", {"document": []}),
        ("POST", f"{ROOT}:runQuery", {"structuredQuery": {"limits": 1}}),
        ("POST", f"{ROOT}:commit", {"writes": [{"currentDocument": {"updateTime": "noon"}}]}),
    ],
    ids=lambda value: None,
)
def test_a_field_that_is_not_there_is_refused(
    firestore: Firestore, method: str, target: str, body: object
) -> None:
    """Bodies and parameters are read by Google's own classes, and anything else fails."""
    assert _ask(firestore, method, target, body).status == 400
