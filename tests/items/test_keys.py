"""Keys in characters that every provider takes: reversible, and different for different keys."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leeward.adapter.items import escape_key, unescape_key
from leeward_contract_tests.rows import each_row

PARTS = st.lists(st.text() | st.text("a:~._-/%\ud800é", max_size=6), min_size=1, max_size=3).map(
    tuple
)


@each_row(
    "parts, text",
    [
        (("42",), "42"),
        (("Order-1.v2_x",), "Order-1.v2_x"),
        (("c1", "42"), "c1:42"),
        (("a/b",), "a~2fb"),
        (("a:b",), "a~3ab"),
        (("a~b",), "a~7eb"),
        (("a%2Fb",), "a~252Fb"),
        (("é",), "~c3~a9"),
        (("🧊",), "~f0~9f~a7~8a"),
        (("x ",), "x~20"),
        ((".",), "~2e"),
        (("..",), "~2e."),
        (("__x__",), "~5f_x__"),
        (("_x",), "_x"),
        (("",), "~"),
        (("", ""), "~:~"),
        (("a", ""), "a:~"),
    ],
)
def test_spelling(parts: tuple[str, ...], text: str) -> None:
    """The escape is fixed: stored items are found under it for ever."""
    assert escape_key(*parts) == text
    assert unescape_key(text) == parts


@given(parts=PARTS)
def test_reversible(parts: tuple[str, ...]) -> None:
    """Every key that is short enough comes back from its spelling."""
    text = escape_key(*parts)
    assert unescape_key(text) == (parts if "~~" not in text else None)


@given(parts=PARTS)
@pytest.mark.threat("S11")
def test_every_provider_takes_it(parts: tuple[str, ...]) -> None:
    """The spelling has safe characters only, a safe beginning, and at most 512 of them."""
    text = escape_key(*parts)
    assert re.fullmatch(r"[A-Za-z0-9_.~:-]{1,512}", text)
    assert not text.startswith((".", "__"))


@given(one=PARTS, other=PARTS)
@pytest.mark.threat("S11")
def test_injective(one: tuple[str, ...], other: tuple[str, ...]) -> None:
    """Different keys have different spellings."""
    assert (escape_key(*one) == escape_key(*other)) == (one == other)


@each_row("filler", ["a", "é", "/", ":"])
def test_long_keys_are_hashed(filler: str) -> None:
    """Long keys that differ only at the end stay different, and are known to be cut."""
    texts = {escape_key(filler * 600 + end) for end in ("", "x", "y")}
    texts |= {escape_key(filler * 600, end) for end in ("", "x", "y")}
    assert len(texts) == 6
    assert all(len(text) == 512 and unescape_key(text) is None for text in texts)


@each_row(
    "text", ["", ":", "a:", "~4", "a~", "~zz", "~41", "~2F", "é", "a/b", ".x", "__x", "~~", "~ff"]
)
def test_text_that_is_no_spelling(text: str) -> None:
    """What `escape_key` never gives is no key of ours, so no two texts mean one key."""
    assert unescape_key(text) is None
