from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from importlib import import_module
from typing import Any
from uuid import uuid4

import pytest

from tests.servers.google import tokens
from tests.servers.google.asking import Said, ask
from tests.servers.google.clients import ONCE, refusal
from tests.servers.google.conftest import PROJECT
from tests.servers.google.firestore import Firestore

ROOT = f"projects/{PROJECT}/databases/(default)/documents"

VALUES: dict[str, Any] = {
    "none": None,
    "bool": False,
    "int": 2**63 - 1,
    "negative": -(2**63),
    "float": 1.0,
    "huge": float("inf"),
    "text": "\x00\u00fc\U0001f9ca",
    "empty text": "",
    "bytes": b"\x00\xff",
    "time": datetime(2024, 2, 29, 12, 30, 15, 123456, UTC),
    "list": [None, {"deep": [1]}, ""],
    "empty list": [],
    "map": {"a.b": 1, "`": {"c": "\\"}},
    "empty map": {},
}


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


def test_a_document_comes_back_as_it_was_stored(collection: Any) -> None:
    """Google's client reads every kind of value that it has written."""
    reference = collection.document("a:b ~")
    reference.set(VALUES, **ONCE)
    found = reference.get(**ONCE)
    assert found.to_dict() == VALUES
    assert [type(found.get(name)) for name in ("float", "int", "bool")] == [float, int, bool]
    assert found.create_time == found.update_time


def test_what_is_to_be_new_may_not_be_there(collection: Any) -> None:
    """The second creation is refused, and changes nothing."""
    reference = collection.document("d")
    reference.create({"n": 1}, **ONCE)
    assert refusal(lambda: reference.create({"n": 2}, **ONCE)) == (409, "ALREADY_EXISTS")
    assert reference.get(**ONCE).to_dict() == {"n": 1}


def test_what_is_to_be_there_may_not_be_new(collection: Any) -> None:
    """An update of nothing, and a deletion of nothing that is to be there, are refused."""
    reference = collection.document("d")
    option = import_module("google.cloud.firestore_v1._helpers").ExistsOption(exists=True)
    assert refusal(lambda: reference.update({"n": 1}, **ONCE)) == (404, "NOT_FOUND")
    assert refusal(lambda: reference.delete(option, **ONCE)) == (404, "NOT_FOUND")
    reference.delete(**ONCE)


def test_an_update_time_lets_one_of_two_through(documents: Any, collection: Any) -> None:
    """A write that names a time which is not that of the document is refused."""
    reference = collection.document("d")
    first = reference.set({"n": 1}, **ONCE).update_time
    option = documents.write_option(last_update_time=first)
    second = reference.update({"n": 2}, option=option, **ONCE).update_time
    assert second > first
    for call in (
        lambda: reference.update({"n": 3}, option=option, **ONCE),
        lambda: reference.delete(option, **ONCE),
    ):
        assert refusal(call) == (400, "FAILED_PRECONDITION")
    assert reference.get(**ONCE).to_dict() == {"n": 2}
    reference.delete(documents.write_option(last_update_time=second), **ONCE)
    assert not reference.get(**ONCE).exists


def test_of_many_creations_one_succeeds(collection: Any) -> None:
    """Whoever comes later is told so."""

    def create(n: int) -> bool:
        try:
            collection.document("d").create({"n": n}, **ONCE)
        except import_module("google.api_core.exceptions").Conflict:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(create, range(40))) == 1


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


def test_a_collection_is_read_in_the_order_of_names(documents: Any, collection: Any) -> None:
    """By bytes, a page at a time, each after the last, as it is now, and nothing from below."""
    ids = ["a", "B", "\u00fc", "a:b", "\U0001f9ca", "Z"]
    for each in ids:
        collection.document(each).set({"id": each, "more": 1}, **ONCE)
    collection.document("a").collection("below").document("x").set({}, **ONCE)
    ordered = sorted(ids, key=str.encode)
    assert [each.id for each in collection.stream(**ONCE)] == ordered
    query = collection.order_by("__name__").limit(2)
    found, last = [], None
    while page := list((query.start_after(last) if last else query).stream(**ONCE)):
        found += [each.id for each in page]
        last = page[-1]
    assert found == ordered
    collection.document("a").delete(**ONCE)
    collection.document("b").set({}, **ONCE)
    again = sorted({*ids, "b"} - {"a"}, key=str.encode)
    assert [each.id for each in collection.stream(**ONCE)] == again


def test_a_field_of_bytes_keeps_an_order(firestore: Firestore) -> None:
    """Its index has the documents with the field alone; both ends of a part are cursors."""
    for name, value in {"x": "Yg==", "y": "YQ==", "z": "Yw=="}.items():
        fields = {"a": {"bytesValue": value}, "b": {"integerValue": "1"}}
        _write(firestore, {"update": {"name": f"{ROOT}/c/{name}", "fields": fields}})
    _write(firestore, {"update": {"name": f"{ROOT}/c/w", "fields": {"b": {"integerValue": "1"}}}})
    moment = _ask(firestore, "POST", f"{ROOT}:runQuery", {"structuredQuery": _of("c")})
    for direction, start, before, found in (
        ("ASCENDING", "YQ==", True, ["y", "x", "z"]),
        ("ASCENDING", "YQ==", False, ["x", "z"]),
        ("DESCENDING", "Yw==", True, ["z", "x", "y"]),
        ("DESCENDING", "Yg==", False, ["y"]),
    ):
        query = _of("c") | {
            "orderBy": [{"field": {"fieldPath": "a"}, "direction": direction}],
            "startAt": {"values": [{"bytesValue": start}], "before": before},
            "select": {"fields": [{"fieldPath": "`b`"}]},
        }
        said = _ask(firestore, "POST", f"{ROOT}:runQuery", {"structuredQuery": query})
        documents = [each["document"] for each in said.json]
        assert [each["name"].rpartition("/")[2] for each in documents] == found
        assert {tuple(each["fields"]) for each in documents} == {("b",)}
    counted = {"structuredQuery": query, "aggregations": [{"alias": "n", "count": {}}]}
    then = {"readTime": moment.json[0]["readTime"]}
    _write(firestore, {"delete": f"{ROOT}/c/y"})
    for more, number in (({}, "0"), (then, "1")):
        body = {"structuredAggregationQuery": counted} | more
        said = _ask(firestore, "POST", f"{ROOT}:runAggregationQuery", body)
        (answer,) = said.json
        assert answer["result"]["aggregateFields"]["n"]["integerValue"] == number


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


def _of(collection: str) -> dict[str, Any]:
    return {"from": [{"collectionId": collection}]}


def _write(firestore: Firestore, write: dict[str, Any]) -> None:
    assert _ask(firestore, "POST", f"{ROOT}:commit", {"writes": [write]}).status == 200
