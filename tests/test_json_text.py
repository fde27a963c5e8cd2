"""JSON: written as the standard library does, compactly; read strictly, refused without a trace."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable
from decimal import Decimal
from json import encoder
from math import inf
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leeward import json_text
from leeward._items.json_checks import check_json
from leeward.json_text import (
    DEEPEST,
    MOST_DIGITS,
    MOST_VALUES,
    Undecodable,
    decode,
    encode,
    has_many_zeros,
)
from leeward_contract_tests.rows import each_row

TEXT = st.text('aé"\\/\n\x7f\u2028😀', max_size=4)
ANY_JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=12,
)


@given(ANY_JSON)
def test_it_is_what_the_standard_library_writes(value: Any) -> None:
    """Whatever the value, the bytes are those of `json.dumps`, told to be compact."""
    plain = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    assert json_text.encode(value) == plain.encode()


@pytest.mark.parametrize("value", [float("nan"), [float("inf")], {"a": -float("inf")}])
def test_numbers_that_json_lacks_are_refused(value: Any) -> None:
    """No reader of JSON has to take them, so none is sent."""
    with pytest.raises(ValueError, match="JSON compliant"):
        json_text.encode(value)


def test_an_interpreter_without_the_encoder_in_c_writes_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Then the one in Python does the work."""
    value = {"é": [1, 2.5, None, True, "\u2028"], "": {}}
    in_c = json_text.encode(value)
    monkeypatch.setattr(encoder, "c_make_encoder", None)
    json_text._encoder.cache_clear()
    try:
        assert json_text.encode(value) == in_c
    finally:
        json_text._encoder.cache_clear()


@given(ANY_JSON, st.booleans())
def test_json_comes_back(value: Any, ascii_only: bool) -> None:
    """What any writer of JSON writes is read, in both spellings."""
    assert decode(json.dumps(value, ensure_ascii=ascii_only).encode()) == value


def _said(read: Callable[[], Any]) -> Any:
    try:
        return read()
    except Undecodable as error:
        return str(error)


@given(
    st.dictionaries(st.sampled_from(["list", "other", ""]), ANY_JSON | st.lists(ANY_JSON)),
    st.sampled_from([None, 1, "\t"]),
    st.integers(0, 200),
    st.text('"{}[],: 1', max_size=2),
)
def test_a_list_that_is_read_apart_is_the_same(
    value: dict[str, Any], indent: Any, at: int, damage: str
) -> None:
    """What is made of its elements stands in it; a text that is refused is, for the same reason."""
    text = json.dumps(value, indent=indent)
    damaged = f"{text[:at]}{damage}{text[at:]}".encode()
    apart = _said(lambda: json_text.decode_apart(damaged, "list", lambda each: each, deepest=4))
    assert apart == _said(lambda: decode(damaged, deepest=4))
    made = json_text.decode_apart(text.encode(), "list", lambda each: [each])
    if isinstance(value.get("list"), list):
        value["list"] = [[each] for each in value["list"]]
    assert made == value


PLACE = (
    r"(Expecting (value|'[,:]' delimiter|property name enclosed in double quotes)|Extra data"
    r"|Illegal trailing comma before end of array|Invalid control character at"
    r"|Invalid \\escape(: )?|Unterminated string starting at) at line 1, column \d+"
    r"|not UTF-8: (invalid (start|continuation) byte|unexpected end of data) at byte \d+"
)
"""What the decoders of CPython say, and where: none of it comes from the text."""

REFUSED = [
    *((body, PLACE) for body in (
        b"", b" ", b"{", b"[1,]", b"{}{}", b"'a'", b"<html>", b"nul", b'{"a":1}\x00', b"01",
        b"\xff", b'"\xed\xa0\x80"', b"\xef\xbb\xbf1", b"1\x00", "1".encode("utf-16"),
        "1".encode("utf-32-le"), b'{"c4n4ry" 1}', b'["c4n4ry', b'["c4n4ry\x01"]', b"c4n4ry",
        b'["\\c4n4ry"]', b'{"a": c4n4ry}',
    )),
    (b"NaN", "NaN is not JSON"),
    (b"Infinity", "Infinity is not JSON"),
    (b'{"a":-Infinity}', "-Infinity is not JSON"),
    (b'{"a":1,"a":2}', "an object has a name twice"),
    (b'[{"b":{"a":1,"\\u0061":2}}]', "an object has a name twice"),
    *((b'[{"a"%c:1,"a":2}]' % blank, "an object has a name twice") for blank in b" \t\n\r"),
    (b"[" * 100_000, "nested too deep"),
    (b'{"a":' * 100_000, "nested too deep"),
    (b"9" * (MOST_DIGITS + 1), f"an integer has more than {MOST_DIGITS} digits"),
]  # fmt: skip


BLANKS = st.sampled_from(["", "", " ", "\n"])
SCALARS = st.sampled_from(
    [
        "1",
        "-1.5",
        "1e5",
        "1e400",
        "-1e999",
        '"a"',
        '"a:b"',
        '"{"',
        '"\\":"',
        '":a"',
        '" :"',
        "true",
        "null",
        "NaN",
        "{}",
    ]
)
NAMES = st.sampled_from(["a", "b", "a:", "c", ":", '\\":', "\\u0061"])


def _spelt_object(pairs: list[tuple[str, str, str, str, str]]) -> str:
    return "{" + ",".join(f'"{name}"{a}:{b}{value}{c}' for name, a, b, value, c in pairs) + "}"


def _objects(values: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    pairs = st.tuples(NAMES, BLANKS, BLANKS, values, BLANKS)
    return st.lists(pairs, max_size=4).map(_spelt_object)


SPELT = st.recursive(
    SCALARS,
    lambda values: (
        _objects(values) | st.lists(values, max_size=3).map(lambda each: f"[{','.join(each)}]")
    ),
    max_leaves=8,
)


def _by_pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len(dict(pairs)) != len(pairs) or any(value in (inf, -inf) for _, value in pairs):
        raise ValueError("not taken")
    return dict(pairs)


def _strictly(text: str) -> Any:
    """Read with the standard library, object by object; raise ValueError for what is refused."""
    found = json.loads(text, object_pairs_hook=_by_pairs, parse_constant=float.fromhex)
    json.dumps(found, allow_nan=False)
    return found


@given(SPELT | _objects(SCALARS), BLANKS)
def test_a_name_that_is_there_twice_is_found_however_it_is_spelt(text: str, blank: str) -> None:
    """So is a number that no float holds, in one object or deep inside of many."""
    text += blank
    try:
        expected: Any = _strictly(text)
    except ValueError:
        with pytest.raises(Undecodable):
            decode(text)
        return
    assert decode(text) == expected


@each_row("body, told", REFUSED)
@pytest.mark.parametrize("exact", [True, False])
@pytest.mark.threat("S14")
def test_what_is_not_strict_json_is_refused(body: bytes, told: str, exact: bool) -> None:
    """One error, which says what is wrong and where; nothing of the text is in it or behind it."""
    with pytest.raises(Undecodable) as raised:
        decode(body, exact=exact)
    error = raised.value
    assert (error.__cause__, error.__context__) == (None, None)
    assert re.fullmatch(told, str(error))


@pytest.mark.parametrize("body", [b"1e999", b"-1e999", b"9" * 400 + b".0"], ids=range(3))
def test_what_no_float_holds_is_refused(body: bytes) -> None:
    """It would come back as infinity."""
    with pytest.raises(Undecodable, match="larger than any float"):
        decode(body)


def test_exact_numbers_keep_every_digit() -> None:
    """Fractions and exponents are Decimals, also where no float is; integers are int."""
    numbers = decode("[9.90, 1E+3, 1e999, 0.1234567890123456789, -7]", exact=True)
    assert list(map(repr, numbers)) == [
        "Decimal('9.90')", "Decimal('1E+3')", "Decimal('1E+999')",
        "Decimal('0.1234567890123456789')", "-7",
    ]  # fmt: skip
    assert numbers[0] == Decimal("9.90")
    with pytest.raises(Undecodable, match="out of all range"):
        decode("1e99999999999999999999", exact=True)


def test_a_text_is_read_as_its_bytes_are() -> None:
    """What another layer has decoded need not be encoded again."""
    assert decode('{"é": ["[", "\\ud83d\\ude00"]}') == {"é": ["[", "😀"]}
    with pytest.raises(Undecodable, match="nested more than 2 deep"):
        decode("[[[]]]", deepest=2)


@pytest.mark.parametrize(("opening", "closing"), [(b"[", b"]"), (b'{"a":', b"}")])
@pytest.mark.threat("S14")
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


@pytest.mark.threat("S14")
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


def test_exponents_have_an_end() -> None:
    """Up and down: a number that would fill the memory when it is written out is refused."""
    for text in (
        "1e999999999",
        "-1.5E+1000001",
        "1e-999999999",
        "0e1000000",
        "9" * 60 + "e1000000",
    ):
        with pytest.raises(Undecodable, match="exponent beyond 999999"):
            decode(text, exact=True)
    for text in ("1e999999", "1E-999999", "0e-999999", "1." + "0" * 5000):
        assert decode(text, exact=True) == Decimal(text)
    assert not has_many_zeros(Decimal("1" * 1_000_001))  # each of its digits is there


def test_values_have_an_end() -> None:
    """Each takes more memory than text; signs in a string are no values."""
    for value in (b"{},", b"[],", b"0.1,", b'"ab",', b'"\\"",'):
        with pytest.raises(Undecodable, match="more than 2000000 values"):
            decode(b"[" + value * MOST_VALUES + b"1]")
    text = ",[{" * (MOST_VALUES // 2)
    assert decode(encode([text, text + '"'])) == [text, text + '"']


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
