"""Firestore's data model: typed values, ``{"stringValue": "text"}``, ``{"integerValue": "1"}``.

Source: Firestore REST reference, `Value`. Integers are strings in JSON, binary is base64, times
are RFC 3339 in UTC, and an empty list or map may come without its member.
"""

from __future__ import annotations

import re
from binascii import a2b_base64, b2a_base64
from datetime import UTC, datetime
from typing import Any, Final

from leeward.adapter.items import DoubleModel, Profile, TypedJson
from leeward.calls import UnreadableItem


def _write_time(value: datetime) -> str:
    return value.replace(tzinfo=None).isoformat() + "Z"


def _write_bytes(value: bytes) -> str:
    return b2a_base64(value, newline=False).decode("ascii")


def _write_list(values: list[Any]) -> dict[str, Any]:
    return {"values": values}


def _write_map(fields: dict[str, Any]) -> dict[str, Any]:
    return {"fields": fields}


def _read_none(_: Any) -> None:
    return None


def _read_integer(value: Any) -> int:
    if type(value) is int or (type(value) is str and len(value) <= _LONGEST_INTEGER):
        return int(value)
    raise UnreadableItem("an integer of the document has more than 64 bits")


def _read_double(value: Any) -> float:
    return float(value)  # NaN and the infinities, which others may store, are strings in JSON


def _read_time(text: Any) -> datetime:
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise UnreadableItem("a time of the document has no offset")
    return moment.astimezone(UTC)


def _read_list(value: Any) -> Any:
    return _member(value, "values", list)


def _read_map(value: Any) -> Any:
    return _member(value, "fields", dict)


def _read_point(value: Any) -> dict[str, float]:
    if type(value) is not dict:
        raise UnreadableItem("a point of the document is not an object")
    return {name: float(value.get(name, 0)) for name in ("latitude", "longitude")}


def _keep_time(raw: Any, _: Any) -> Any:
    """Keep a time with more digits than a datetime has."""
    digits = re.search(r"\.([0-9]+)", raw)
    return raw if digits is not None and digits[1][_MICROSECONDS:].strip("0") else None


def _keep_point(_: Any, plain: dict[str, float]) -> dict[str, float]:
    return plain


def _keep_reference(raw: Any, _: Any) -> Any:
    return raw


def _member(value: Any, name: str, kind: type) -> Any:
    found = value.get(name, kind()) if type(value) is dict else None
    if type(found) is not kind:
        raise UnreadableItem(f"the {name} of an array or map of the document are something else")
    return found


_LONGEST_INTEGER: Final = len(str(-(2**63)))

_MICROSECONDS: Final = 6
"""Digits of a second."""

FIRESTORE: Final = Profile(
    name="Firestore",
    numbers=DoubleModel(integers=range(-(2**63), 2**63), decimals=True),
    typed_json=TypedJson(
        write={
            type(None): ("nullValue", None),
            bool: ("booleanValue", None),
            int: ("integerValue", str),
            float: ("doubleValue", None),
            datetime: ("timestampValue", _write_time),
            str: ("stringValue", None),
            bytes: ("bytesValue", _write_bytes),
            list: ("arrayValue", _write_list),
            dict: ("mapValue", _write_map),
        },
        same={"booleanValue": bool, "stringValue": str, "referenceValue": str},
        read={
            "nullValue": _read_none,
            "integerValue": _read_integer,
            "doubleValue": _read_double,
            "timestampValue": _read_time,
            "bytesValue": a2b_base64,
            "geoPointValue": _read_point,
            "arrayValue": _read_list,
            "mapValue": _read_map,
        },
        kept={
            "geoPointValue": _keep_point,
            "referenceValue": _keep_reference,
            "timestampValue": _keep_time,
        },
    ),
    binary=True,
    timestamps=True,
    nested_lists=False,
    dunder_names_reserved=True,
    expiry="timestamp",
)
