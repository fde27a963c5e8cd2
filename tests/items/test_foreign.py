"""Other programs write too: what they change is noticed, and their items can be read."""

import importlib
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest

from leeward.adapter.items import EMBEDDED, Profile, decode, encode
from leeward_aws.tables.profile import DYNAMODB
from leeward_azure.tables.documents import COSMOS
from leeward_contract_tests.rows import each_row
from leeward_google.tables.documents import FIRESTORE
from tests.items.exactness import assert_exact
from tests.items.respelling import PROFILES, respell
from tests.items.values import native_of, plain_of

by_profile = pytest.mark.parametrize("profile", PROFILES, ids=lambda profile: profile.name)

ITEM = {
    "fraction": 1.5,
    "whole": 2.0,
    "count": 7,
    "price": Decimal("9.90"),
    "blob": b"x",
    "at": datetime(2024, 1, 1, 12, tzinfo=timezone(timedelta(hours=2))),
    "id": "42",
    "deep": {"list": [1, 0.25]},
}

NUMBERS_BY_THEMSELVES: dict[str, Any] = {
    "fraction": Decimal("1.5"),
    "whole": 2,
    "count": 7,
    "price": Decimal("9.9"),
    "id": "42",
    "deep": {"list": [1, Decimal("0.25")]},
}
AS_HELD: dict[str, dict[str, Any]] = {
    DYNAMODB.name: {"blob": b"x", "at": "2024-01-01T12:00:00+02:00"},
    COSMOS.name: {"blob": "eA==", "at": "2024-01-01T12:00:00+02:00"},
    FIRESTORE.name: {"blob": b"x", "at": datetime(2024, 1, 1, 10, tzinfo=UTC)},
    EMBEDDED.name: {"blob": "eA==", "at": "2024-01-01T12:00:00+02:00", "price": "9.90"},
}

Edit = Callable[[dict[str, Any], Profile], Any]


def _add(native: dict[str, Any], profile: Profile) -> None:
    native["new"] = native_of("x", profile)


def _remove(native: dict[str, Any], profile: Profile) -> None:
    del native["count"]


def _rename(native: dict[str, Any], profile: Profile) -> None:
    native["amount"] = native.pop("count")


def _change(native: dict[str, Any], profile: Profile) -> None:
    native["count"] = native_of(8, profile)


def _change_type(native: dict[str, Any], profile: Profile) -> None:
    native["count"] = native_of("7", profile)


def _change_inside(native: dict[str, Any], profile: Profile) -> None:
    native["deep"] = native_of({"list": [2, 1]}, profile)


def _change_tree(native: dict[str, Any], profile: Profile) -> None:
    ours = plain_of(native["_leeward"], profile)
    native["_leeward"] = native_of(
        {**ours, "t": ours["t"].replace("T", "F").replace("t+", "t-")}, profile
    )


EDITS: list[Edit] = [
    *(_add, _remove, _rename, _change, _change_type, _change_inside, _change_tree),
]


@by_profile
@each_row("edit", EDITS)
def test_edit_is_noticed(edit: Edit, profile: Profile) -> None:
    """One change, wherever it is, makes the item foreign; the last write stays known."""
    native = encode(ITEM, profile, write_id="w-1", expires_at=5.5)
    edit(native, profile)
    decoded = decode(respell(native, profile), profile)
    assert decoded.foreign
    assert decoded.write_id == "w-1"
    assert decoded.expires_at == 5.5


@by_profile
def test_foreign_values_come_as_they_are_held(profile: Profile) -> None:
    """Numbers are then int where integral, else Decimal; other values as the provider has them."""
    native = encode(ITEM, profile, write_id="w-1", expires_at=None)
    native["new"] = native_of("x", profile)
    decoded = decode(respell(native, profile), profile)
    held = AS_HELD[profile.name]
    assert_exact(decoded.item, {**NUMBERS_BY_THEMSELVES, **held, "new": "x"})


@by_profile
def test_document_without_our_attribute_is_foreign(profile: Profile) -> None:
    """An item that another program made has no write id and no expiry, and can be read."""
    native = {"n": native_of(1, profile), "s": native_of("x", profile)}
    decoded = decode(native, profile)
    assert decoded.foreign
    assert (decoded.write_id, decoded.expires_at) == (None, None)
    assert_exact(decoded.item, {"n": 1, "s": "x"})


@by_profile
@each_row("ours", ["text", 1, None, [], {}, {"w": 1, "e": "soon", "t": ["f"], "d": None}])
def test_nonsense_in_our_attribute_is_foreign(profile: Profile, ours: Any) -> None:
    """Whatever stands in the reserved attribute, the item can be read."""
    native = {"n": native_of(1, profile), "_leeward": native_of(ours, profile)}
    decoded = decode(native, profile)
    assert decoded.foreign
    assert (decoded.write_id, decoded.expires_at) == (None, None)
    assert_exact(decoded.item, {"n": 1})


@by_profile
@each_row("names", [["", "~"], ["~x", "~~x"], ["", "~", "~~"]])
def test_no_foreign_name_is_lost(profile: Profile, names: list[str]) -> None:
    """Where another program wrote a name and what looks like its escape, both are kept."""
    native = {"m": native_of(dict.fromkeys(names, 1), profile)}
    assert_exact(decode(native, profile).item, {"m": dict.fromkeys(names, 1)})


def test_foreign_integers_beyond_doubles_keep_their_digits() -> None:
    """What a JSON store prints is what comes back, however large."""
    decoded = decode({"n": [2**53 + 1, 10**400]}, COSMOS)
    assert_exact(decoded.item, {"n": [2**53 + 1, 10**400]})


def test_types_that_only_others_write_on_dynamodb() -> None:
    """Sets come back as sorted lists."""
    native = {"s": {"SS": ["b", "a"]}, "n": {"NS": ["2.50", "1E1"]}, "b": {"BS": ["eQ==", "eA=="]}}
    expected = {"s": ["a", "b"], "n": [Decimal("2.5"), 10], "b": [b"x", b"y"]}
    assert_exact(decode(native, DYNAMODB).item, expected)


def test_types_that_only_others_write_on_firestore() -> None:
    """References come back as text, points as dicts, and doubles without a value as Decimal."""
    native = {
        "ref": {"referenceValue": "projects/p/databases/d/documents/c/1"},
        "point": {"geoPointValue": {"latitude": 1.5}},
        "odd": {"arrayValue": {"values": [{"doubleValue": "-Infinity"}, {"doubleValue": 0.5}]}},
        "nan": {"doubleValue": "NaN"},
        "zero": {"doubleValue": -0.0},
    }
    expected = {
        "ref": "projects/p/databases/d/documents/c/1",
        "point": {"latitude": Decimal("1.5"), "longitude": 0},
        "odd": [Decimal("-Infinity"), Decimal("0.5")],
        "nan": Decimal("NaN"),
        "zero": 0,
    }
    assert_exact(decode(native, FIRESTORE).item, expected)


@pytest.mark.vendors
def test_what_boto3_writes_is_read() -> None:
    """An item that boto3 serialised comes back with its values."""
    serializer = importlib.import_module("boto3.dynamodb.types").TypeSerializer()
    item = {"n": Decimal("1.50"), "i": 3, "l": [None, True, {"m": "x"}], "s": {"b", "a"}}
    native = {name: serializer.serialize(value) for name, value in item.items()}
    expected = {"n": Decimal("1.5"), "i": 3, "l": [None, True, {"m": "x"}], "s": ["a", "b"]}
    assert_exact(decode(native, DYNAMODB).item, expected)


@each_row("text", ["1E+126", "1E+999999999", "-1E+999999999", "NaN", "Infinity"])
def test_a_number_beyond_dynamodb_is_no_number(text: str) -> None:
    """What no DynamoDB sends is refused before it could fill the memory."""
    with pytest.raises(ValueError, match="beyond those that DynamoDB documents"):
        decode({"n": {"N": text}}, DYNAMODB)
