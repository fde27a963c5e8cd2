import json
import sqlite3
from collections.abc import Callable
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
from tests.items.forging import forged
from tests.local.calls import NOW, key, load, scan, store, value_of


def stored(cloud: Local, at: Key | None = None) -> Stored:
    """Load an item that has to be there."""
    found: Stored | None = value_of(cloud.perform(load(at), 5))
    assert found is not None
    return found


def test_an_expired_item_is_still_loaded(cloud: Local) -> None:
    """The driver tells the expiry; hiding the item is the client's."""
    cloud.perform(store(expires_at=NOW - 1), 5)
    assert stored(cloud).expires_at == NOW - 1


texts = st.text(st.characters(exclude_categories=[]), max_size=4)
tuples = st.lists(texts, min_size=1, max_size=2).map(tuple)


@given(tuples, tuples)
def test_different_keys_have_different_texts(one: tuple[str, ...], other: tuple[str, ...]) -> None:
    """The text of a key is injective, whatever characters it has."""
    assert (key_text(key(*one)) == key_text(key(*other))) == (one == other)


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
