"""What Firestore takes for a document: names, values and sizes.

Source: "Usage and limits" and "Storage size calculations" in Firestore's documentation.
"""

from __future__ import annotations

import re
from typing import Any, Final

from tests.servers.google.refused import Refused

DOCUMENT_BYTES: Final = 1_048_576
VALUE_BYTES: Final = 1_048_576 - 89
NAME_BYTES: Final = 1500
PATH_BYTES: Final = 6144
DEPTH: Final = 20

_RESERVED: Final = re.compile(r"__.*__", re.DOTALL)

_BYTES: Final = {
    "null_value": 1,
    "boolean_value": 1,
    "integer_value": 8,
    "double_value": 8,
    "timestamp_value": 8,
    "geo_point_value": 16,
}


def check_name(name: str, prefix: str) -> None:
    """Check the name of a document.

    Args:
        name: in full.
        prefix: the database's, up to and with ``/documents/``.

    Raises:
        Refused: it is none.
    """
    path = name.removeprefix(prefix).split("/")
    if not name.startswith(prefix) or len(path) % 2 or len(name.encode()) > PATH_BYTES:
        raise _invalid(f"Document name {name!r} is not valid.")
    for each in path:
        check_id(each)


def check_id(name: str) -> None:
    """Check the id of a collection or a document; raises Refused."""
    if not name or name in {".", ".."} or "/" in name or _RESERVED.fullmatch(name):
        raise _invalid(f"Resource id {name!r} is invalid because it is reserved.")
    if len(name.encode()) > NAME_BYTES:
        raise _invalid("Resource id is longer than 1500 bytes.")


def check_document(document: Any) -> None:
    """Check a whole document, a bare `Document` of Google's; raises Refused.

    Timestamps lose what is below a microsecond, as Firestore keeps no more.
    """
    for name, value in document.fields.items():
        _check_field(name)
        _check_value(value, 1)
    size = _name_bytes(document.name) + 32
    size += sum(_text_bytes(name) + _bytes(value) for name, value in document.fields.items())
    if size > DOCUMENT_BYTES:
        raise _invalid(
            f"Document cannot be written because its size ({size:,} bytes) exceeds the maximum "
            f"allowed size of {DOCUMENT_BYTES:,} bytes."
        )


def _check_field(name: str) -> None:
    if not name or _RESERVED.fullmatch(name) or len(name.encode()) > NAME_BYTES:
        raise _invalid(f"Property name {name!r} is invalid.")


def _check_value(value: Any, depth: int, *, in_array: bool = False) -> None:
    kind = value.WhichOneof("value_type")
    if kind is None:
        raise _invalid("Cannot convert a value without a type.")
    if kind == "array_value" and in_array:
        raise _invalid("Cannot convert an array value in an array value.")
    if kind in {"array_value", "map_value"}:
        if depth > DEPTH:
            raise _invalid("Property contains an invalid nested entity: it is too deep.")
        _check_members(value, kind, depth)
    elif kind == "timestamp_value":
        value.timestamp_value.nanos -= value.timestamp_value.nanos % 1000
    elif _bytes(value) > VALUE_BYTES:
        raise _invalid("The value of property is longer than 1048487 bytes.")


def _check_members(value: Any, kind: str, depth: int) -> None:
    if kind == "array_value":
        for each in value.array_value.values:
            _check_value(each, depth + 1, in_array=True)
        return
    for name, each in value.map_value.fields.items():
        _check_field(name)
        _check_value(each, depth + 1)


def _bytes(value: Any) -> int:
    kind = value.WhichOneof("value_type")
    if kind in _BYTES:
        return _BYTES[kind]
    if kind == "string_value":
        return _text_bytes(value.string_value)
    if kind == "bytes_value":
        return len(value.bytes_value)
    if kind == "reference_value":
        return _name_bytes(value.reference_value)
    if kind == "array_value":
        return sum(_bytes(each) for each in value.array_value.values)
    fields = value.map_value.fields
    return sum(_text_bytes(name) + _bytes(each) for name, each in fields.items())


def _name_bytes(name: str) -> int:
    path = name.partition("/documents/")[2].split("/")
    return sum(_text_bytes(each) for each in path) + 16


def _text_bytes(text: str) -> int:
    return len(text.encode()) + 1


def _invalid(message: str) -> Refused:
    return Refused("INVALID_ARGUMENT", message)
