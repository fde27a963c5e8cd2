"""The lines of a backup: exact, the same for the same item, and read with distrust."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leeward._items.checks import checked_size
from leeward._operations.upkeep import TableHome
from leeward.adapter import Limits
from leeward_backup.lines import Damaged, Kept, kept_in, line_of
from leeward_backup.restore import MOST_TIMES, misfit, surely_fits
from leeward_contract_tests.rows import each_row
from tests.items.strategies import NAMES, VALUES

ITEMS = st.dictionaries(NAMES | st.sampled_from(["$dec", "$", "$$x", "$b64"]), VALUES, max_size=5)


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


@given(ITEMS)
def test_a_small_line_is_a_small_item(item: dict[str, Any]) -> None:
    """So most items need not be decoded to know that they can be stored."""
    line = line_of(("a",), item, None)
    assert checked_size(item).bytes <= MOST_TIMES * len(line) + 400
    home = TableHome("there", Limits(), keeps_expiry=True)
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
    home = TableHome("there", Limits(), keeps_expiry=False)
    assert word in misfit(Kept((key,), item, expires_at), home)
    assert expires_at or not surely_fits(line_of((key,), item, None), home.limits)
