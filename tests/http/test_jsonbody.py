"""JSON from the wire is taken strictly, and what is refused leaves no trace of itself."""

from __future__ import annotations

import json
import sys
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leeward.items import check_json
from leeward.json_text import DEEPEST, MOST_DIGITS, Undecodable, decode, encode

VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
)  # fmt: skip


@given(VALUES, st.booleans())
def test_json_comes_back(value: Any, ascii_only: bool) -> None:
    """What any writer of JSON writes is read, in both spellings."""
    assert decode(json.dumps(value, ensure_ascii=ascii_only).encode()) == value


@pytest.mark.parametrize(
    "body",
    [
        b"", b" ", b"{", b"[1,]", b"{}{}", b"'a'", b"<html>", b"nul", b'{"a":1}\x00', b"01",
        b"NaN", b"Infinity", b'{"a":-Infinity}', b"1e999", b"-1e999", b"9" * 400 + b".0",
        b'{"a":1,"a":1}', b'[{"b":{"a":1,"\\u0061":2}}]', b"\xff", b'"\xed\xa0\x80"',
        b"\xef\xbb\xbf1", b"1\x00", "1".encode("utf-16"), "1".encode("utf-32-le"),
        b"[" * 100_000, b'{"a":' * 100_000, b"9" * (MOST_DIGITS + 1),
    ],
    ids=range(27),
)  # fmt: skip
def test_what_is_not_strict_json_is_refused(body: bytes) -> None:
    """One error, whatever is wrong, with nothing of the body in it or behind it."""
    with pytest.raises(Undecodable) as raised:
        decode(body)
    error = raised.value
    assert (error.__cause__, error.__context__) == (None, None)
    assert str(error).startswith(("the body is not", "the JSON", "an object of the JSON"))


@pytest.mark.parametrize(("opening", "closing"), [(b"[", b"]"), (b'{"a":', b"}")])
def test_depth_has_an_end(opening: bytes, closing: bytes) -> None:
    """Exactly as many levels are taken as are allowed, whatever else stands beside them."""
    for deepest in (2, DEEPEST):
        inner = opening * (deepest - 2) + b"[[],[],1]" + closing * (deepest - 2)
        decode(inner, deepest=deepest)
        with pytest.raises(Undecodable, match="deep"):
            decode(opening + inner + closing, deepest=deepest)


def test_width_is_not_depth() -> None:
    """Many lists side by side are no deeper than one, and brackets in a text are none."""
    assert decode(b"[" + b",".join([b"[{}]"] * 500) + b"]") == [[{}]] * 500
    assert decode(b'"' + b"[" * 500 + b'"') == "[" * 500


def test_huge_integers_are_refused_where_the_interpreter_takes_them() -> None:
    """A program that switched the interpreter's own limit off is as safe."""
    before = sys.get_int_max_str_digits()
    sys.set_int_max_str_digits(0)
    try:
        with pytest.raises(Undecodable, match="digits"):
            decode(b"[" + b"9" * 100_000 + b"]")
    finally:
        sys.set_int_max_str_digits(before)
    assert decode(b"9" * 400) == int("9" * 400)


def test_the_largest_integers_that_are_sent_are_read() -> None:
    """Of either sign, which is no digit."""
    numbers = [10**MOST_DIGITS - 1, 1 - 10**MOST_DIGITS]
    check_json(numbers)
    assert decode(encode(numbers)) == numbers


@given(st.binary(max_size=60))
def test_no_body_breaks_the_reading(body: bytes) -> None:
    """Whatever comes back, there is a value or `Undecodable`."""
    try:
        decode(body)
    except Undecodable:
        return
