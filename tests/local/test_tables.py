import json
import sqlite3
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leeward._items.profile import EMBEDDED
from leeward.calls import Key, Stored
from leeward.errors import Outcome
from leeward.local import Local
from leeward.local.schema import key_text
from leeward.local.tables import PAGE_ITEMS
from tests.items.corpus import NASTY_ITEMS
from tests.items.exactness import assert_exact
from tests.items.forging import forged
from tests.local.calls import NOW, delete, key, load, scan, store, value_of

ITEM = {
    "text": "héllo\x00",
    "float": 2.0,
    "int": 2**70,
    "decimal": Decimal("9.90"),
    "bytes": b"\x00\xff",
    "when": datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC),
    "nested": {"list": [1, [True, None], {}], "empty": []},
}


def stored(cloud: Local, at: Key | None = None) -> Stored:
    """Load an item that has to be there."""
    found: Stored | None = value_of(cloud.perform(load(at), 5))
    assert found is not None
    return found


def test_an_item_comes_back_as_it_was_stored(cloud: Local) -> None:
    """Every portable type survives, with its write id and expiry."""
    call = store(ITEM, expires_at=NOW + 60)
    revision = value_of(cloud.perform(call, 5))
    found = stored(cloud)
    assert found == Stored(call.item, revision, call.write_id, NOW + 60, foreign=False)
    assert isinstance(found.item["float"], float)


def test_every_nasty_item_comes_back_exactly(opened: Callable[..., Local], path: Path) -> None:
    """The file holds whatever the portable limits allow, types and digits included."""
    writer, reader = opened(path=path), opened(path=path)
    for name, item in NASTY_ITEMS:
        value_of(writer.perform(store(at=key(name))._replace(item=item), 5))
    for name, item in NASTY_ITEMS:
        found = stored(reader, key(name))
        assert_exact(found.item, item)
        assert not found.foreign


def test_an_absent_item_is_none(cloud: Local) -> None:
    """Neither an unknown key nor an unknown table is an error."""
    assert value_of(cloud.perform(load(), 5)) is None
    cloud.perform(store(), 5)
    assert value_of(cloud.perform(load(key("2")), 5)) is None
    assert value_of(cloud.perform(load(table="other"), 5)) is None


def test_a_write_replaces_the_whole_item(cloud: Local) -> None:
    """Nothing of the earlier item or its expiry is left, and the revision is another."""
    first = value_of(cloud.perform(store({"a": 1}, expires_at=NOW + 1), 5))
    second = value_of(cloud.perform(store({"b": 2}), 5))
    found = stored(cloud)
    assert (found.item, found.expires_at) == ({"id": "1", "b": 2}, None)
    assert found.revision == second != first


def test_items_are_copies(cloud: Local) -> None:
    """What is stored and loaded shares no object with the caller."""
    call = store({"list": [1]})
    cloud.perform(call, 5)
    call.item["list"].append(2)
    stored(cloud).item["list"].append(3)
    assert stored(cloud).item["list"] == [1]


def test_a_deleted_item_is_gone(cloud: Local) -> None:
    """Deleting works also where nothing is."""
    cloud.perform(store(), 5)
    assert value_of(cloud.perform(delete(), 5)) is None
    assert value_of(cloud.perform(load(), 5)) is None
    assert cloud.perform(delete(), 5).outcome is Outcome.OK


def test_an_expired_item_is_still_loaded(cloud: Local) -> None:
    """The driver tells the expiry; hiding the item is the client's."""
    cloud.perform(store(expires_at=NOW - 1), 5)
    assert stored(cloud).expires_at == NOW - 1


def test_a_scan_gives_every_item_once(cloud: Local) -> None:
    """Pages follow each other by cursor, and the last has none."""
    names = [f"{number:03}" for number in range(PAGE_ITEMS + 5)]
    for name in names:
        cloud.perform(store(at=key(name)), 5)
    cloud.perform(store(table="other", at=key("x")), 5)
    first = value_of(cloud.perform(scan(), 5))
    last = value_of(cloud.perform(scan(first.cursor), 5))
    assert len(first.items) == PAGE_ITEMS
    assert sorted(each.item["id"] for each in first.items + last.items) == names
    assert last.cursor is None


def test_a_full_last_page_has_no_cursor(cloud: Local) -> None:
    """No empty page follows when the items end with the page."""
    for number in range(PAGE_ITEMS):
        cloud.perform(store(at=key(str(number))), 5)
    assert value_of(cloud.perform(scan(), 5)).cursor is None


def test_an_empty_table_has_one_empty_page(cloud: Local) -> None:
    """A scan of nothing is OK."""
    page = value_of(cloud.perform(scan(), 5))
    assert (page.items, page.cursor) == ((), None)


texts = st.text(st.characters(exclude_categories=[]), max_size=4)
tuples = st.lists(texts, min_size=1, max_size=2).map(tuple)


@given(tuples, tuples)
def test_different_keys_have_different_texts(one: tuple[str, ...], other: tuple[str, ...]) -> None:
    """The text of a key is injective, whatever characters it has."""
    assert (key_text(key(*one)) == key_text(key(*other))) == (one == other)


def test_composite_keys_do_not_meet(cloud: Local) -> None:
    """The border between the two fields counts."""
    cloud.perform(store({"n": 1}, at=key("a", "bc")), 5)
    cloud.perform(store({"n": 2}, at=key("ab", "c")), 5)
    assert stored(cloud, key("a", "bc")).item["n"] == 1
    assert stored(cloud, key("ab", "c")).item["n"] == 2


def edit(path: Path, change: str, *values: str) -> None:
    """Change the documents as another program would."""
    connection = sqlite3.connect(path)
    with connection:
        connection.execute(f"UPDATE items SET document = {change}", values)
    connection.close()


def test_sql_reads_an_item(opened: Callable[..., Local], path: Path) -> None:
    """Another program reads the document with json_extract."""
    opened(path=path).perform(store({"customer": {"name": "Zoë"}}), 5)
    connection = sqlite3.connect(path)
    rows = connection.execute("SELECT json_extract(document, '$.customer.name') FROM items")
    assert rows.fetchall() == [("Zoë",)]
    connection.close()


def test_a_change_by_another_program_is_noticed(opened: Callable[..., Local], path: Path) -> None:
    """The item is foreign then, and has the changed value."""
    cloud = opened(path=path)
    cloud.perform(store({"n": 1.5}), 5)
    edit(path, "json_set(document, '$.n', 7)")
    found = stored(cloud)
    assert (found.foreign, found.item["n"]) == (True, 7)


FORGED = json.dumps(forged({"n": 1}, '{"n":"d-999999999"}', EMBEDDED))


@pytest.mark.parametrize("text", ["{", "[1]", "7", FORGED], ids=range(4))
def test_an_unreadable_document_is_reported(
    opened: Callable[..., Local], path: Path, text: str
) -> None:
    """What another program has broken is UNUSABLE, and names the table."""
    cloud = opened(path=path)
    cloud.perform(store(), 5)
    edit(path, "?", text)
    for result in (cloud.perform(load(), 5), cloud.perform(scan(), 5)):
        assert (result.outcome, result.reason) == (Outcome.UNUSABLE, "undecodable")
        assert "'t'" in str(result.message)
        assert isinstance(result.cause, ValueError)


def test_the_row_holds_the_canonical_key(opened: Callable[..., Local], path: Path) -> None:
    """The key stands in its column as a JSON list."""
    opened(path=path).perform(store(at=key("a", "b")), 5)
    connection = sqlite3.connect(path)
    rows: list[Any] = connection.execute("SELECT name, key FROM items").fetchall()
    assert [(name, json.loads(text)) for name, text in rows] == [("t", ["a", "b"])]
    connection.close()
