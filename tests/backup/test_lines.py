"""The lines of a backup: exact, the same for the same item, and read with distrust."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leeward.adapter import Limits
from leeward.items import checked_size
from leeward.operations.upkeep import Home
from leeward_backup.lines import Damaged, Kept, kept_in, key_text, line_of
from leeward_backup.restore import MOST_TIMES, misfit, surely_fits
from leeward_contract_tests.contracts.exact import exact
from leeward_contract_tests.rows import each_row
from tests.items import corpus
from tests.items.strategies import NAMES, TEXT, VALUES

ITEMS = st.dictionaries(NAMES | st.sampled_from(["$dec", "$", "$$x", "$b64"]), VALUES, max_size=5)
EXPIRIES = st.none() | st.floats(0, 1e11)


@each_row("name, item", corpus.NASTY_ITEMS)
def test_a_line_holds_an_item_exactly(name: str, item: dict[str, Any]) -> None:
    """Every type, name and number that breaks naive stores comes back, in type and digits."""
    kept = kept_in(line_of((name, "é"), item, 1.5))
    assert exact(kept.item) == exact(item)
    assert (kept.key, kept.expires_at) == ((name, "é"), 1.5)


@given(st.lists(TEXT, min_size=1, max_size=2).map(tuple), ITEMS, EXPIRIES)
def test_an_item_has_one_line(
    key: tuple[str, ...], item: dict[str, Any], expires_at: float | None
) -> None:
    """What is read is written as it was, in whatever order its names come; it is one line."""
    line = line_of(key, item, expires_at)
    kept = kept_in(line)
    assert exact(kept.item) == exact(item)
    assert line_of(*kept) == line
    assert line_of(key, dict(reversed(item.items())), expires_at) == line
    assert b"\n" not in line
    assert line.startswith(b'{"k":' + key_text(key) + b',"v":')


def test_the_format_is_this() -> None:
    """Other programs read it: names in order, no blanks, a tag for what JSON does not have."""
    item = {"total": Decimal("9.90"), "n": 2**53, "m": 2**53 - 1, "f": 1.0, "$x": b"\0", "id": "é"}
    assert line_of(("é",), item, 1767225600.0).decode() == (
        '{"k":["é"],"v":{"$$x":{"$b64":"AA=="},"f":1.0,"id":"é","m":9007199254740991,'
        '"n":{"$int":"9007199254740992"},"total":{"$dec":"9.90"}},"x":1767225600.0}'
    )


@each_row(
    "line",
    [
        b"",
        b"null",
        b'{"k":["a"]}',
        b'{"k":"a","v":{}}',
        b'{"k":[1],"v":{}}',
        b'{"k":["a"],"v":[]}',
        b'{"k":["a"],"v":{},"w":1}',
        b'{"k":["a"],"v":{},"x":"soon"}',
        b'{"k":["a"],"v":{"n":{"$dec":"x"}}}',
        b'{"k":["a"],"v":{"n":{"$dec":"1.0 "}}}',
        b'{"k":["a"],"v":{"n":{"$dec":"NaN"}}}',
        b'{"k":["a"],"v":{"n":{"$int":"1.5"}}}',
        b'{"k":["a"],"v":{"n":{"$b64":"A"}}}',
        b'{"k":["a"],"v":{"n":{"$ts":"yesterday"}}}',
        b'{"k":["a"],"v":{"n":{"$ts":5}}}',
        b'{"k":["a"],"v":{"n":{"$geo":"1"}}}',
        b'{"k":["a"],"v":{"$x":1,"y":2}}',
        b'{"k":["a"],"v":{"n":NaN}}',
    ],
)
def test_what_is_not_a_line_is_refused(line: bytes) -> None:
    """A tag of a later version, too: nothing is guessed."""
    with pytest.raises(Damaged):
        kept_in(line)


def test_half_of_a_surrogate_pair_is_kept() -> None:
    """Another program may have written one; UTF-8 does not have it."""
    item = {"id": "a", "text": "\ud800é"}
    assert kept_in(line_of(("a",), item, None)).item == item


@given(ITEMS)
def test_a_small_line_is_a_small_item(item: dict[str, Any]) -> None:
    """So most items need not be decoded to know that they can be stored."""
    line = line_of(("a",), item, None)
    assert checked_size(item).bytes <= MOST_TIMES * len(line) + 400
    home = Home("there", Limits(), keeps_expiry=True)
    if surely_fits(line, home.limits):
        assert misfit(Kept(("a",), item, None), home) == ""


@each_row(
    "key, item, expires_at, word",
    [
        ("k" * 1024, {}, None, "key"),
        ("a", {"x": "y" * 500_000}, None, "bytes"),
        ("a", {"x": [[[[[[[[[[[[[1]]]]]]]]]]]]]}, None, "nested"),
        ("a", {}, 5e9, "expires"),
        ("a", {"x": "\ud800"}, None, "x"),
    ],
)
def test_what_cannot_be_stored_is_found(
    key: str, item: dict[str, Any], expires_at: float | None, word: str
) -> None:
    """Key, size, depth, expiry and values: each is named."""
    home = Home("there", Limits(), keeps_expiry=False)
    assert word in misfit(Kept((key,), item, expires_at), home)
    assert expires_at or not surely_fits(line_of((key,), item, None), home.limits)
