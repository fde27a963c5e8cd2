"""JSON: written compactly in UTF-8, and read strictly, for somebody else may have written it.

What JSON leaves open and readers settle differently is refused: NaN and its like, numbers that no
float holds, one name twice in an object, bytes that are not UTF-8. So is what would be a burden to
whoever walks through it: depth without end, and integers of thousands of digits.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache
from math import isfinite
from typing import TYPE_CHECKING, Any, Final

from leeward.values import Json

if TYPE_CHECKING:
    from decimal import Decimal
    from json import JSONDecoder

DEEPEST: Final = 64
"""Lists and objects inside each other; far beyond the portable 20. What goes out keeps to it as
well, so that it can come back. In a JSON that has each value name its type, lists in lists may nest
six times as deep, and Python's recursion limit is 1,000."""

MOST_DIGITS: Final = 4300
"""Of an integer: CPython's own default (`sys.int_info.default_max_str_digits`), which a program
may switch off; beyond it the time that conversion takes grows with the square."""

INT_END: Final = 10**MOST_DIGITS
"""The first integer with more digits."""

MOST_EXPONENT: Final = 999_999
"""Of a Decimal, up and down: that of Python's own context (`decimal.DefaultContext.Emax`). Written
out with all its zeros, as ``f"{number:.2f}"`` does, one of twelve characters may else fill the
memory."""

MOST_VALUES: Final = 2_000_000
"""In one text. A value of three bytes, such as ``{},``, takes a hundred in memory; so a text of
20 MiB would take more than half a gibibyte."""


class Undecodable(ValueError):
    """A text is not the JSON that is taken here. The message repeats nothing of it."""


def has_many_zeros(number: Decimal) -> bool:
    """Return whether a finite number, written out, has zeros beyond `MOST_EXPONENT`."""
    first = number.adjusted()
    if -MOST_EXPONENT <= first <= MOST_EXPONENT:
        return False
    return first < 0 or not number or int(number.as_tuple().exponent) > MOST_EXPONENT


def encode(value: Json) -> bytes:
    """Write a value that has been checked, compactly, in UTF-8."""
    return _encoder()(value).encode()


@cache
def _encoder() -> Callable[[Json], str]:
    """Return one encoder for all: making one costs more than a small document does.

    `JSONEncoder.encode` makes anew, each time, the encoder in C that does the work. So that one is
    kept here, where there is one (CPython), told the same things and not to look for cycles: a
    checked value has none.
    """
    from json import JSONEncoder, encoder

    plain = JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    in_c = getattr(encoder, "c_make_encoder", None)
    if in_c is None:
        return plain.encode
    spell = encoder.encode_basestring
    chunks = in_c(None, plain.default, spell, None, ":", ",", False, False, False)
    return lambda value: "".join(chunks(value, 0))


def decode(body: bytes | str, *, deepest: int = DEEPEST, exact: bool = False) -> Json:
    """Return the value of a JSON text.

    Args:
        body: the text, or its UTF-8.
        deepest: how many lists and objects may stand inside each other.
        exact: a number with a fraction or an exponent becomes a Decimal with every digit of it,
            and not a float.

    Raises:
        Undecodable: it is something else, or goes beyond what is taken.
    """
    flaw = None
    try:
        text = body if isinstance(body, str) else str(body, "utf-8")
        if not exact and text[:1] == "{" and len(text) < MOST_DIGITS:
            plain = _plain_object(text)
            if plain is not None:
                return plain
        if len(text) > MOST_VALUES and _values_in(text) > MOST_VALUES:
            raise Undecodable(f"more than {MOST_VALUES} values")
        value = _value_of(text, _decoder(exact))
    except Undecodable:
        raise
    except (ValueError, RecursionError, ArithmeticError) as error:
        flaw = _flaw(error)
    if flaw:
        # Out here, because the errors above carry the text, and would go along as the context.
        raise Undecodable(flaw)
    if text.count("[") + text.count("{") > deepest and is_deeper(value, deepest):
        raise Undecodable(f"nested more than {deepest} deep")
    return value


def decode_apart(
    body: bytes, name: str, read: Callable[[Json], Any], *, deepest: int = DEEPEST
) -> Json:
    """Return what `decode` does, with one list of an object read element by element.

    A page of items has many times more values in it than what comes of it. Here no more than those
    of one element are there at a time: less to keep, and less for the garbage collector to look
    through again and again.

    Args:
        body: the text.
        name: of the list in the object; anything else under that name stays as it is.
        read: makes what stands in the list of each element.
        deepest: as for `decode`; here also of each element by itself.

    Raises:
        Undecodable: as `decode`.
        Exception: whatever `read` raises.
    """
    try:
        return _read_apart(str(body, "utf-8"), name, read, deepest)
    except (_NotRead, UnicodeDecodeError):
        value = decode(body, deepest=deepest)  # which knows what is wrong
    entries = value.get(name) if isinstance(value, dict) else None
    return {**value, name: [*map(read, entries)]} if isinstance(entries, list) else value


def _values_in(text: str) -> int:
    """Return how many values are in a text, at most: signs that stand in strings do not count."""
    signs = ",[{"
    count = sum(map(text.count, signs))
    if count > MOST_VALUES:
        outside = re.sub(_STRING, "", text)
        count = sum(map(outside.count, signs))
    return count


_STRING: Final = r'"(?:[^"\\]|\\.)*+"'


class _NotRead(Exception):
    """A text cannot be read element by element."""


def _read_apart(text: str, name: str, read: Callable[[Json], Any], deepest: int) -> dict[str, Any]:
    values: dict[str, Any] = {}
    sign, at = _sign_at(text, 0)
    if sign != "{":
        raise _NotRead
    while sign != "}":
        key, at = _value_at(text, at, deepest)
        colon, at = _sign_at(text, at)
        if type(key) is not str or key in values or colon != ":":
            raise _NotRead
        if key == name and text[at : at + 1] == "[":
            values[key], at = _list_at(text, at, read, deepest - 2)
        else:
            values[key], at = _value_at(text, at, deepest - 1)
        sign, at = _sign_at(text, at)
        if sign not in ",}":
            raise _NotRead
    if at != len(text):
        raise _NotRead
    return values


def _list_at(
    text: str, at: int, read: Callable[[Json], Any], deepest: int
) -> tuple[list[Any], int]:
    values: list[Any] = []
    sign, at = _sign_at(text, at)
    if text[at : at + 1] == "]":
        sign, at = _sign_at(text, at)
    while sign != "]":
        value, at = _value_at(text, at, deepest)
        values.append(read(value))
        sign, at = _sign_at(text, at)
        if sign not in ",]":
            raise _NotRead
    return values, at


def _sign_at(text: str, at: int) -> tuple[str, int]:
    """Return the sign that stands here, and where what comes behind it begins."""
    match = _sign().match(text, at)
    if match is None:
        raise _NotRead
    return match[1], match.end()


@cache
def _sign() -> re.Pattern[str]:
    return re.compile(r"[ \t\n\r]*([][{}:,])[ \t\n\r]*")


def _value_at(text: str, at: int, deepest: int) -> tuple[Any, int]:
    try:
        value, end = _decoder(False).raw_decode(text, at)
    except (ValueError, RecursionError, ArithmeticError):
        raise _NotRead from None
    if text.count("[", at, end) + text.count("{", at, end) > deepest and is_deeper(value, deepest):
        raise _NotRead
    return value, end


def _plain_object(text: str) -> dict[str, Any] | None:
    """Return the value of an object without others in it; None where that needs a closer look.

    Nearly every payload is one. Then nothing of Python need run for each object and integer: an
    object with fewer names than the text has colons may have one twice, and no integer is longer
    than the text.
    """
    if text.count("{") != 1 or "[" in text:
        return None
    value, end = _plain_decoder().raw_decode(text)
    values: dict[str, Any] = value
    return values if end == len(text) and len(values) == text.count(":") else None


@cache
def _plain_decoder() -> JSONDecoder:
    from json import JSONDecoder

    return JSONDecoder(parse_constant=_constant, parse_float=_float)


def _value_of(text: str, decoder: JSONDecoder) -> Json:
    """Return the value, without a search for white space around it where there is none."""
    if not text[:1].isspace():
        value, end = decoder.raw_decode(text)
        if end == len(text):
            return value
    return decoder.decode(text)


def _flaw(error: Exception) -> str:
    """Describe what the decoder met, in its own words and with the place."""
    from json import JSONDecodeError

    if isinstance(error, JSONDecodeError):
        return f"{error.msg} at line {error.lineno}, column {error.colno}"
    if isinstance(error, UnicodeDecodeError):
        return f"not UTF-8: {error.reason} at byte {error.start}"
    if isinstance(error, RecursionError):
        return "nested too deep"
    return "a number is out of all range"


@cache
def _decoder(exact: bool) -> JSONDecoder:
    from json import JSONDecoder

    return JSONDecoder(
        object_pairs_hook=_object,
        parse_constant=_constant,
        parse_float=_decimal if exact else _float,
        parse_int=_int,
    )


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    values = dict(pairs)
    if len(values) != len(pairs):
        raise Undecodable("an object has a name twice")
    return values


def _constant(name: str) -> Any:
    raise Undecodable(f"{name} is not JSON")


def _float(text: str) -> float:
    number = float(text)
    if not isfinite(number):
        raise Undecodable("a number is larger than any float")
    return number


def _decimal(text: str) -> Decimal:
    from decimal import Decimal

    number = Decimal(text)
    if has_many_zeros(number):
        raise Undecodable(f"a number has an exponent beyond {MOST_EXPONENT}")
    return number


def _int(text: str) -> int:
    if len(text) - text.startswith("-") > MOST_DIGITS:
        raise Undecodable(f"an integer has more than {MOST_DIGITS} digits")
    return int(text)


def is_deeper(value: Json, limit: int) -> bool:
    """Return whether more than so many lists and objects stand inside each other.

    It looks level by level, so that no depth is too much for the looking.
    """
    level: list[Any] = [[value]]
    for _ in range(limit + 1):
        level = [
            inner
            for value in level
            for inner in (value.values() if type(value) is dict else value)
            if type(inner) in (dict, list)
        ]
        if not level:
            return False
    return True


def is_same_json(one: bytes | str, other: bytes | str) -> bool:
    """Return whether two texts are the same JSON, however it is written."""
    if one == other:
        return True
    try:
        return _is_same_value(decode(one), decode(other))
    except Undecodable:
        return False


def _is_same_value(one: Json, other: Json) -> bool:
    """Compare JSON: 1 and 1.0 are one number, and True is another value."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(
            _is_same_value(one[name], other[name]) for name in one
        )
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(_is_same_value, one, other))
    return isinstance(one, bool) == isinstance(other, bool) and bool(one == other)
