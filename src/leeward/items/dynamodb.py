"""DynamoDB's attribute values: ``{"S": "text"}``, ``{"N": "1.5"}``, ``{"M": {...}}``.

Source: DynamoDB API reference, data type `AttributeValue`. In JSON, binary is base64.
"""

from __future__ import annotations

from binascii import a2b_base64, b2a_base64
from collections.abc import Callable
from decimal import Decimal
from typing import Any, Final

from leeward.items.numbers import by_value

_LARGEST: Final = 125
"""The exponent of the largest number. An answer with a larger one would be a bomb for int()."""


def write(value: Any) -> dict[str, Any]:
    """Return the attribute value of a plain value."""
    name, spell = _WRITERS[type(value)]
    return {name: spell(value)}


def read(native: dict[str, Any]) -> Any:
    """Return the plain value of an attribute value; a set comes back as a list.

    Raises:
        ValueError: of a type that DynamoDB does not document.
    """
    ((name, value),) = native.items()
    if name not in _READERS:
        raise ValueError(f"an attribute value of the unknown type {name!r}")
    return _READERS[name](value)


def _same(value: Any) -> Any:
    return value


def _write_bytes(value: bytes) -> str:
    return b2a_base64(value, newline=False).decode("ascii")


def _write_list(value: list[Any]) -> list[Any]:
    return [write(inner) for inner in value]


def _write_map(value: dict[str, Any]) -> dict[str, Any]:
    return {name: write(inner) for name, inner in value.items()}


def _read_number(text: str) -> int | Decimal:
    if text.isdecimal() and len(text) <= _LARGEST:
        return int(text)
    number = Decimal(text)
    if not number.is_finite() or number.adjusted() > _LARGEST:
        raise ValueError("a number beyond those that DynamoDB documents")
    return by_value(number)


def _read_list(value: list[Any]) -> list[Any]:
    return [read(inner) for inner in value]


def _read_map(value: dict[str, Any]) -> dict[str, Any]:
    return {name: read(inner) for name, inner in value.items()}


def _read_set(read_element: Callable[[Any], Any]) -> Callable[[list[Any]], list[Any]]:
    # A set comes in any order; sorted, the same set gives the same list and the same digest.
    return lambda elements: sorted(read_element(element) for element in elements)


_WRITERS: Final[dict[type, tuple[str, Callable[[Any], Any]]]] = {
    type(None): ("NULL", lambda _: True),
    bool: ("BOOL", _same),
    str: ("S", _same),
    int: ("N", str),
    Decimal: ("N", str),
    bytes: ("B", _write_bytes),
    list: ("L", _write_list),
    dict: ("M", _write_map),
}

_READERS: Final[dict[str, Callable[[Any], Any]]] = {
    "NULL": lambda _: None,
    "BOOL": _same,
    "S": _same,
    "N": _read_number,
    "B": a2b_base64,
    "L": _read_list,
    "M": _read_map,
    "SS": _read_set(_same),
    "NS": _read_set(_read_number),
    "BS": _read_set(a2b_base64),
}
