from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leeward.calls import Key, Store
from leeward.json_text import Undecodable, decode, encode
from leeward_azure.tables.documents import (
    COSMOS,
    DEEPEST,
    document_of,
    location_of,
    revision_of,
    stored_of,
)
from leeward_contract_tests.contracts.exact import ODD_KEYS, ODD_PAIRS
from leeward_contract_tests.rows import each_row
from tests.azure.playing import NOW
from tests.items.respelling import respell

ETAG = '"0600b5e2-0000-0000-0000-56686c3f0000"'
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)


def one(value: str) -> Key:
    return Key(("id",), (value,))


def pair(first: str, second: str) -> Key:
    return Key(("customer", "order"), (first, second))


def call_of(item: dict[str, Any], *, expires_at: float | None = None) -> Store:
    return Store("orders", one(item["id"]), item, "write-1", NOW, expires_at)


def answered(document: dict[str, Any]) -> dict[str, Any]:
    """Give a document as Cosmos DB gives it back, in its own spelling of numbers."""
    system = {"_rid": "r", "_self": "s", "_etag": ETAG, "_attachments": "a", "_ts": int(NOW)}
    found = decode(encode(respell(document | system, COSMOS)), deepest=DEEPEST)
    assert isinstance(found, dict)
    return found


def test_a_document_is_readable_by_other_programs() -> None:
    """Its id is the key, and its attributes are the item's."""
    document = document_of(call_of({"id": "42", "total": 9, "paid": True}))
    assert (document["id"], document["total"], document["paid"]) == ("42", 9, True)
    assert document.keys() == {"id", "~id", "total", "paid", "_leeward"}
    assert document["_leeward"]["w"] == "write-1"


KEYS = [*map(one, ODD_KEYS), *(pair(*each) for each in ODD_PAIRS)]


@given(TEXT, TEXT, TEXT, TEXT)
def test_no_two_keys_have_one_place(a: str, b: str, c: str, d: str) -> None:
    """Nor do a key's parts leak into each other."""
    assert (location_of(one(a)) == location_of(one(b))) == (a == b)
    assert (location_of(pair(a, b)) == location_of(pair(c, d))) == ((a, b) == (c, d))


@each_row("key", KEYS)
def test_odd_keys_go_through_path_and_header(key: Key) -> None:
    """The id stands in a path as it is; the partition key is ASCII, and reads as it was."""
    place = location_of(key)
    assert (
        place.id.strip(".-_~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ") == ""
    )
    assert place.id not in ("", ".", "..")
    assert place.header().isascii()
    assert place.header().isprintable()
    assert json.loads(place.header()) == [place.partition]


def test_an_expiry_is_told_to_cosmos_from_the_write_on() -> None:
    """In whole seconds, an hour late, and at least one."""
    assert "ttl" not in document_of(call_of({"id": "1"}))
    assert document_of(call_of({"id": "1"}, expires_at=NOW + 59.5))["ttl"] == 3660
    assert document_of(call_of({"id": "1"}, expires_at=NOW - 5000))["ttl"] == 1


def test_a_document_of_another_program_has_its_id_for_a_key() -> None:
    """Its maker knows nothing of escapes."""
    stored = stored_of(answered({"id": "a~2fb", "total": 1.5}))
    assert (stored.item["id"], stored.foreign, stored.write_id) == ("a/b", True, None)
    assert stored_of(answered({"id": "a b"})).item == {"id": "a b"}
    assert stored_of(answered({"id": "x", "~id": "mine"})).item == {"id": "mine"}


def test_a_document_of_ours_has_no_other_key_than_its_own() -> None:
    """Where the key is another field, `id` is only where Cosmos keeps it."""
    item = {"customer": "c1", "order": "42"}
    call = Store("orders", pair("c1", "42"), item, "write-1", NOW)
    document = answered(document_of(call))
    assert stored_of(document).item == item
    assert stored_of(document | {"total": 5}).item == {**item, "total": 5}


@each_row(
    "document",
    [{"id": 5}, {"_etag": ETAG}, {"id": "x"}, {"id": "x", "_etag": 5}, {"id": "x", "_etag": "*"}],
)
def test_what_lacks_what_every_document_has_is_none(document: dict[str, Any]) -> None:
    """It did not come from Cosmos."""
    with pytest.raises(Undecodable):
        stored_of(document)


@each_row(
    "text",
    ["", "*", '"a", "b"', '"a"\r\nX: 1', "é", "@", f"soon@{ETAG}", "1.0@", '"*"', "a b", "W/*"],
)
def test_what_no_document_has_for_a_revision(text: str) -> None:
    """Least of all one that would match several documents, or any."""
    assert revision_of(text) is None


@given(st.text(max_size=30))
def test_no_text_breaks_the_reading_of_a_revision(text: str) -> None:
    """It is a revision, or none; what goes out as a header is one."""
    revision = revision_of(text)
    assert revision is None or (revision.mark.isascii() and revision.mark.isprintable())
