from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from hypothesis import given

from leeward.calls import Key, Store
from leeward_contract_tests.rows import each_row
from leeward_google.tables.documents import (
    fields_of,
    id_of,
    revision_of,
    stored_of,
)
from tests.google import oracle
from tests.google.answers import UPDATED
from tests.google.playing import NOW
from tests.items.strategies import ITEMS

CALL = Store("orders", Key(("id",), ("42",)), {"id": "42", "n": 1}, "write-1", NOW)


@each_row(
    "values, name",
    [(("42",), "42"), (("a/b",), "a~2fb"), (("..",), "~2e."), (("__x__",), "~5f_x__"),
     (("a", "b"), "a:b"), (("a:b",), "a~3ab")],
)  # fmt: skip
def test_an_id_is_made_of_the_key(values: tuple[str, ...], name: str) -> None:
    """Escaped, so that Firestore takes it and two keys never have the same."""
    assert id_of(Key(("a", "b")[: len(values)], values)) == name


@given(ITEMS)
def test_google_cloud_firestore_reads_what_leeward_wrote(item: Any) -> None:
    """Every field comes out there, with lists in lists in maps of one."""
    found = oracle.values_by_google(fields_of(CALL._replace(item=item)))
    assert len(found) == len(item) + 1
    assert found["_leeward"]["w"] == "write-1"


def test_leeward_reads_what_google_cloud_firestore_wrote() -> None:
    """A stranger's document gives its values, a number as int where it is integral."""
    moment = datetime(2026, 1, 1, 12, 30, 15, 123_456, tzinfo=UTC)
    values: dict[str, Any] = {
        "none": None, "yes": True, "n": 2**63 - 1, "half": 0.5, "one": 1.0, "text": "\u00e9",
        "raw": b"\x00\xff", "when": moment, "list": [1, {"a": []}, b""], "map": {"b": {}},
        "empty": {}, "nothing": [],
    }  # fmt: skip
    native = {"name": "x", "fields": oracle.fields_by_google(values), "updateTime": UPDATED}
    found = stored_of(native)
    assert (found.item, found.foreign, found.write_id) == (values, True, None)
    assert type(found.item["one"]) is int
    assert found.revision == UPDATED


def test_a_stranger_sees_types_that_python_lacks() -> None:
    """A point is a map, a reference its text; a document without fields is an empty item."""
    native = {
        "fields": {"at": {"geoPointValue": {"latitude": 1.5}}, "to": {"referenceValue": "a/b"}},
        "updateTime": UPDATED,
    }
    assert set(stored_of(native).item) == {"at", "to"}
    assert stored_of({"updateTime": UPDATED}).item == {}


def test_a_stranger_who_changes_a_field_is_noticed() -> None:
    """What is left of leeward's own attribute still tells the write id and the expiry."""
    fields = fields_of(CALL._replace(expires_at=NOW)) | {"n": {"integerValue": "2"}}
    found = stored_of({"fields": fields, "updateTime": UPDATED})
    assert (found.item["n"], found.foreign) == (2, True)
    assert (found.write_id, found.expires_at) == ("write-1", NOW)


@each_row(
    "text", ["", "x", "@", "1@", f"x@{UPDATED}", f"@{UPDATED}", f"{UPDATED}@", UPDATED + "\n",
             "2026-01-01T00:00:00+00:00", "2026-01-01T00:00:00.1234567890Z", "write-1"],
)  # fmt: skip
def test_a_strange_revision_is_that_of_no_document(text: str) -> None:
    """Nothing is to be asked for it."""
    assert revision_of(text) is None
