"""Firestore's typed values: ``{"stringValue": "text"}``, ``{"integerValue": "1"}``.

Source: Firestore REST reference, `Value`. Integers are strings in JSON, binary is base64, times
are RFC 3339 in UTC, and an empty list or map may come without its member.
"""

from __future__ import annotations

from binascii import a2b_base64, b2a_base64
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Final


def write(value: Any) -> dict[str, Any]:
    """Return the typed value of a plain value."""
    name, spell = _WRITERS[type(value)]
    return {name: spell(value)}


def read(native: dict[str, Any]) -> Any:
    """Return the plain value of a typed value; a reference comes back as its text.

    Raises:
        ValueError: of a type that Firestore does not document.
    """
    ((name, value),) = native.items()
    if name not in _READERS:
        raise ValueError(f"a value of the unknown type {name!r}")
    return _READERS[name](value)


def _same(value: Any) -> Any:
    return value


def _write_time(value: datetime) -> str:
    return value.replace(tzinfo=None).isoformat() + "Z"


def _write_bytes(value: bytes) -> str:
    return b2a_base64(value, newline=False).decode("ascii")


def _write_list(value: list[Any]) -> dict[str, Any]:
    return {"values": [write(inner) for inner in value]}


def _write_map(value: dict[str, Any]) -> dict[str, Any]:
    return {"fields": {name: write(inner) for name, inner in value.items()}}


def _read_time(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


def _read_list(value: dict[str, Any]) -> list[Any]:
    return [read(inner) for inner in value.get("values", ())]


def _read_map(value: dict[str, Any]) -> dict[str, Any]:
    return {name: read(inner) for name, inner in value.get("fields", {}).items()}


def _read_point(value: dict[str, Any]) -> dict[str, float]:
    return {name: float(value.get(name, 0)) for name in ("latitude", "longitude")}


_WRITERS: Final[dict[type, tuple[str, Callable[[Any], Any]]]] = {
    type(None): ("nullValue", _same),
    bool: ("booleanValue", _same),
    int: ("integerValue", str),
    float: ("doubleValue", _same),
    datetime: ("timestampValue", _write_time),
    str: ("stringValue", _same),
    bytes: ("bytesValue", _write_bytes),
    list: ("arrayValue", _write_list),
    dict: ("mapValue", _write_map),
}

_READERS: Final[dict[str, Callable[[Any], Any]]] = {
    "nullValue": lambda _: None,
    "booleanValue": _same,
    "integerValue": int,
    "doubleValue": float,  # NaN and the infinities, which others may store, are strings in JSON
    "timestampValue": _read_time,
    "stringValue": _same,
    "bytesValue": a2b_base64,
    "referenceValue": _same,
    "geoPointValue": _read_point,
    "arrayValue": _read_list,
    "mapValue": _read_map,
}
