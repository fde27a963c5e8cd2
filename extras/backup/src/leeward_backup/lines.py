"""An item as one line of JSON, and back: the same bytes for the same item, whoever keeps it.

``{"k":["42"],"v":{"id":"42","total":{"$dec":"9.90"}},"x":1767225600.0}``: its key, the item as
`load_data` gives it, and, where it expires, when, in Unix seconds. Names are in order and there are
no blanks. What JSON does not have gets a tag:

============================== ======================================
``{"$dec": "9.90"}``           a Decimal
``{"$int": "..."}``            an int that not every reader of JSON holds, from 2^53 on
``{"$b64": "AAE="}``           bytes
``{"$ts": "2026-01-31T..."}``  a time, in ISO 8601 with its offset
``{"$native": {...}}``         a value that only one provider has
============================== ======================================

The last one has three members: ``of`` names the provider's data model, ``raw`` is the value in the
provider's own JSON, and ``as`` is what `load_data` returns of it:
``{"as":["a"],"of":"a model","raw":{"SS":["a"]}}``.

A name that begins with ``$`` gets another one before it. A float always has a point or an exponent,
and an int has none.
"""

from __future__ import annotations

import re
from binascii import Error, a2b_base64, b2a_base64
from collections.abc import Callable
from datetime import datetime
from decimal import Decimal, InvalidOperation
from functools import cache
from typing import Any, Final, NamedTuple

from leeward import json_text
from leeward._items.encoding import NativeValue
from leeward._items.profile import decimal_text
from leeward._items.typetree import from_text
from leeward.values import Item

DECIMAL: Final = "$dec"
INT: Final = "$int"
BYTES: Final = "$b64"
TIME: Final = "$ts"
NATIVE: Final = "$native"
TAGS: Final = (DECIMAL, INT, BYTES, TIME)

NATIVE_BEGIN: Final = f'{{"{NATIVE}":'.encode()
"""How a value begins that only one provider has."""

EXACT_INT: Final = 1 << 53
"""The first int that a reader with doubles for numbers may not hold exactly."""

LONGEST_LINE: Final = 16 * 1024 * 1024
"""Bytes of a line: eight of the largest items that a provider takes. No text of JSON takes more
than six times its own bytes."""

DEEPEST: Final = 3 * json_text.DEEPEST
"""Of a line's JSON: an item, a tag at each of its levels, and what is around it."""

_HALF: Final = re.compile("[\ud800-\udfff]")


class Damaged(ValueError):
    """A line, a segment or a manifest is not what was written. It repeats no value of it."""


class Kept(NamedTuple):
    """An item of a backup.

    Attributes:
        key: the values of its key.
        item: equal to what was stored.
        expires_at: Unix seconds, or None.
    """

    key: tuple[str, ...]
    item: Item
    expires_at: float | None

    def __repr__(self) -> str:
        return "Kept(...)"


def key_text(key: tuple[str, ...]) -> bytes:
    """Return a key as JSON, the same for the same key."""
    return _bytes_of(_encoder()(list(key)))


def line_of(key: tuple[str, ...], item: Item, expires_at: float | None) -> bytes:
    """Return the line of an item, without the end of the line."""
    return line_with(key_text(key), item, expires_at)


def line_with(key: bytes, item: Item, expires_at: float | None) -> bytes:
    """Return the line of an item whose key's text is known."""
    expiry = b"" if expires_at is None else f',"x":{float(expires_at)!r}'.encode()
    return b'{"k":%b,"v":%b%b}' % (key, _bytes_of(_encoder()(_tag(item))), expiry)


def kept_in(line: bytes) -> Kept:
    """Read a line.

    Raises:
        Damaged: it is not one.
    """
    if len(line) > LONGEST_LINE:
        raise Damaged(f"a line has more than {LONGEST_LINE:,} bytes")
    try:
        document: Any = json_text.decode(line, deepest=DEEPEST)
        if not isinstance(document, dict) or not {"k", "v"} <= document.keys() <= {"k", "v", "x"}:
            raise Damaged("a line is not an item with its key")
        key, item, expiry = document["k"], document["v"], document.get("x")
        texts = isinstance(key, list) and all(isinstance(part, str) for part in key)
        if not texts or not isinstance(item, dict) or not isinstance(expiry, float | None):
            raise Damaged("a line is not an item with its key")
        return Kept(tuple(key), _untag(item) if b'"$' in line else item, expiry)
    except json_text.Undecodable as error:
        raise Damaged(f"a line is not JSON: {error}") from None


def _bytes_of(text: str) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError:  # half of a surrogate pair, which another program has written
        return _HALF.sub(lambda half: f"\\u{ord(half[0]):04x}", text).encode()


@cache
def _encoder() -> Callable[[Any], str]:
    """Return one encoder for all lines; see `leeward.json_text`."""
    from json import JSONEncoder, encoder

    plain = JSONEncoder(ensure_ascii=False, allow_nan=False, sort_keys=True, separators=(",", ":"))
    make = getattr(encoder, "c_make_encoder", None)
    if make is None:
        return plain.encode
    spell = encoder.encode_basestring
    chunks = make(None, plain.default, spell, None, ":", ",", True, False, False)
    return lambda value: "".join(chunks(value, 0))


def _tag(value: Any) -> Any:
    """Return a value in the form that a line has of it.

    Raises:
        TypeError: no item holds such a value.
        ValueError: it is a number that is not finite.
    """
    return value if type(value) in _PLAIN else _FORMS.get(type(value), _refuse)(value)


def _tag_dict(value: dict[str, Any]) -> dict[str, Any]:
    # Most values stand for themselves: a call for each would cost more than all the rest.
    return {
        f"${name}" if name[:1] == "$" else name: value_
        if type(value_) in _PLAIN
        else _FORMS.get(type(value_), _refuse)(value_)
        for name, value_ in value.items()
    }


def _tag_list(value: list[Any]) -> list[Any]:
    return [
        part if type(part) in _PLAIN else _FORMS.get(type(part), _refuse)(part) for part in value
    ]


def _tag_int(value: int) -> int | dict[str, str]:
    return value if -EXACT_INT < value < EXACT_INT else {INT: str(value)}


def _tag_decimal(value: Decimal) -> dict[str, str]:
    if not value.is_finite():
        raise ValueError("a number that is not finite is not a value of an item")
    return {DECIMAL: decimal_text(value)}


def _tag_bytes(value: bytes) -> dict[str, str]:
    return {BYTES: b2a_base64(value, newline=False).decode("ascii")}


def _tag_time(value: datetime) -> dict[str, str]:
    return {TIME: value.isoformat()}


def _tag_native(value: NativeValue) -> dict[str, Any]:
    return {NATIVE: {"of": value.model, "raw": value.raw, "as": _tag(value.plain)}}


def _refuse(value: Any) -> Any:
    raise TypeError(f"a {type(value).__name__} is not a value of an item")


_PLAIN: Final = frozenset({str, bool, float, type(None)})
"""Types that JSON has as they are."""

_FORMS: Final[dict[type, Callable[[Any], Any]]] = {
    dict: _tag_dict,
    list: _tag_list,
    int: _tag_int,
    Decimal: _tag_decimal,
    bytes: _tag_bytes,
    datetime: _tag_time,
    NativeValue: _tag_native,
}
"""What makes the form of a value of every other type."""


def _untag(value: Any) -> Any:
    if isinstance(value, list):
        return [_untag(part) for part in value]
    if not isinstance(value, dict):
        return value
    name = next(iter(value)) if len(value) == 1 else ""
    if name == NATIVE:
        held = value[NATIVE]
        if (
            type(held) is not dict
            or held.keys() != {"of", "raw", "as"}
            or type(held["of"]) is not str
        ):
            raise Damaged("a line has a value of a provider that does not name it")
        return NativeValue(held["of"], held["raw"], _untag(held["as"]))
    if name in TAGS:
        return _value_of_tag(name, value[name])
    return {_unescape(part): _untag(inner) for part, inner in value.items()}


def _unescape(name: str) -> str:
    if name[:1] != "$":
        return name
    if name[:2] != "$$":
        raise Damaged("a line has a tag that this version does not know")
    return name[1:]


def _value_of_tag(tag: str, held: Any) -> Any:
    value: Any = None
    try:
        if isinstance(held, str):
            value = _READERS[tag](held)
    except (ValueError, Error, InvalidOperation):
        value = None
    if value is None or _tag_text(value) != held:
        raise Damaged("a line has a tag with another value than it names")
    return value


def _tag_text(value: Any) -> str:
    if type(value) is int:
        return str(value)
    (text,) = _tag(value).values()
    return str(text)


def _int_in(text: str) -> int | None:
    if len(text.removeprefix("-")) > json_text.MOST_DIGITS:
        return None
    return int(text)


def _decimal_in(text: str) -> Decimal | None:
    value = Decimal(text)
    return value if value.is_finite() and not json_text.has_many_zeros(value) else None


def _bytes_in(text: str) -> bytes:
    return a2b_base64(text, strict_mode=True)


_READERS: Final[dict[str, Callable[[str], Any]]] = {
    DECIMAL: _decimal_in,
    INT: _int_in,
    BYTES: _bytes_in,
    TIME: from_text,
}
