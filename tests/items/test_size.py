"""Sizes are never smaller than what the narrowest providers count."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from hypothesis import given

from leeward._items.checks import checked_size
from leeward.adapter.items import encode
from leeward_aws.tables.profile import DYNAMODB
from leeward_contract_tests.rows import each_row
from leeward_google.tables.documents import FIRESTORE
from tests.items.strategies import ITEMS

WRITE_ID = "w" * 36


def _dynamodb_bytes(native: dict[str, Any]) -> int:
    """Count as the developer guide says: "DynamoDB item sizes and formats"."""
    ((kind, value),) = native.items()
    if kind == "S":
        return len(value.encode())
    if kind == "N":
        return (len(Decimal(value).normalize().as_tuple().digits) + 1) // 2 + 2
    if kind == "B":
        return len(value) // 4 * 3
    if kind == "L":
        return 3 + sum(1 + _dynamodb_bytes(inner) for inner in value)
    if kind == "M":
        return 3 + _dynamodb_item_bytes(value) + len(value)
    return 1


def _dynamodb_item_bytes(native: dict[str, Any]) -> int:
    return sum(len(name.encode()) + _dynamodb_bytes(value) for name, value in native.items())


def _firestore_bytes(native: dict[str, Any]) -> int:
    """Count as "Storage size calculations" says."""
    ((kind, value),) = native.items()
    if kind == "stringValue":
        return len(value.encode()) + 1
    if kind == "bytesValue":
        return len(value) // 4 * 3
    if kind == "arrayValue":
        return sum(map(_firestore_bytes, value["values"]))
    if kind == "mapValue":
        return 32 + _firestore_fields_bytes(value["fields"])
    return 1 if kind in ("nullValue", "booleanValue") else 8


def _firestore_fields_bytes(native: dict[str, Any]) -> int:
    return sum(len(name.encode()) + 1 + _firestore_bytes(value) for name, value in native.items())


def _check_enough(item: dict[str, Any]) -> None:
    size = checked_size(item).bytes
    native = encode(item, DYNAMODB, write_id=WRITE_ID, expires_at=1_700_000_000.123456)
    assert _dynamodb_item_bytes(native) + len("_leeward_expires") + 8 <= size
    # An item of 400 KB by our measure may have 2.6 times that on Firestore, which takes 1 MiB.
    fields = encode(item, FIRESTORE, write_id=WRITE_ID, expires_at=1_700_000_000.123456)
    assert _firestore_fields_bytes(fields) <= 2.6 * size


@given(item=ITEMS)
def test_any_item_measures_enough(item: dict[str, Any]) -> None:
    """Nor is any other."""
    _check_enough(item)


@each_row(
    "item, depth",
    [
        ({}, 1),
        ({"a": 1, "b": "x"}, 1),
        ({"a": []}, 2),
        ({"a": {}}, 2),
        ({"a": [{"b": 1}]}, 3),
        ({"a": {"b": {"c": 1}}, "z": [1]}, 3),
        ({"a": [[]]}, 4),
        ({"a": [[1], [[2]]]}, 6),
    ],
)
def test_depth(item: dict[str, Any], depth: int) -> None:
    """A flat item has depth 1; a list directly in a list counts twice, as Firestore needs it."""
    assert checked_size(item).depth == depth


@each_row(
    "item, size",
    [
        ({}, 216),
        ({"i": 10**38 - 1}, 259),
        ({"i": 10**38}, 270),
        ({"f": 0.1}, 234),
        ({"é": "é"}, 224),
        ({"b": b"1234"}, 229),
        ({"d": Decimal("9.90")}, 239),
        ({"t": datetime(2024, 1, 1, tzinfo=UTC)}, 256),
        ({"l": [None, True, False]}, 258),
        ({"x y": [0.5, {"a": 0.5}]}, 315),
    ],
)
def test_sizes_are_what_they_were(item: dict[str, Any], size: int) -> None:
    """What could be stored yesterday can be today: where the limit is does not move."""
    assert checked_size(item).bytes == size
