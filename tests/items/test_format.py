"""The format itself, pinned: native values, short type trees, a digest that anyone can compute."""

import importlib
import json
import re
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leeward.adapter.items import EMBEDDED, Profile, by_value, encode
from leeward_aws.tables.profile import DYNAMODB
from leeward_azure.tables.documents import COSMOS
from leeward_contract_tests.rows import each_row
from leeward_google.tables.documents import FIRESTORE
from tests.items import corpus
from tests.items.respelling import PROFILES, respell
from tests.items.strategies import ITEMS
from tests.items.values import plain_of

by_profile = pytest.mark.parametrize("profile", PROFILES, ids=lambda profile: profile.name)

ITEM = {
    "id": "42",
    "n": 1,
    "f": 1.5,
    "price": Decimal("9.90"),
    "big": 2**70,
    "raw": b"\x00\x01\x02",
    "at": datetime(2024, 1, 1, 12, 0, 0, 5, tzinfo=timezone(timedelta(hours=2))),
    "on": True,
    "none": None,
    "rows": [[1], "x"],
}


def _document(item: dict[str, Any], profile: Profile) -> tuple[dict[str, Any], dict[str, Any]]:
    """Give the native attributes, and the plain content of the reserved one."""
    native = encode(item, profile, write_id="w-1", expires_at=10.5)
    return native, plain_of(native.pop("_leeward"), profile)


def test_dynamodb_document() -> None:
    """DynamoDB gets attribute values: numbers and binary native, moments as text."""
    native, ours = _document(ITEM, DYNAMODB)
    assert native == {
        "id": {"S": "42"},
        "n": {"N": "1"},
        "f": {"N": "1.5"},
        "price": {"N": "9.9"},
        "big": {"N": "1180591620717411303424"},
        "raw": {"B": "AAEC"},
        "at": {"S": "2024-01-01T12:00:00.000005+02:00"},
        "on": {"BOOL": True},
        "none": {"NULL": True},
        "rows": {"L": [{"L": [{"N": "1"}]}, {"S": "x"}]},
    }
    assert json.loads(ours["t"]) == {"f": "f", "price": "d-2", "at": "T"}


def test_cosmos_document() -> None:
    """Cosmos gets JSON; its own `id` is left free, large integers and binary are text."""
    native, ours = _document(ITEM, COSMOS)
    assert native == {
        "~id": "42",
        "n": 1,
        "f": 1.5,
        "price": 9.9,
        "big": "1180591620717411303424",
        "raw": "AAEC",
        "at": "2024-01-01T12:00:00.000005+02:00",
        "on": True,
        "none": None,
        "rows": [[1], "x"],
    }
    tree = {"f": "f", "price": "d-2", "big": "I", "raw": "B", "at": "T"}
    assert json.loads(ours["t"]) == tree


def test_firestore_document() -> None:
    """Firestore gets typed values: moments in UTC, a list in a list inside a map of one."""
    native, ours = _document(ITEM, FIRESTORE)
    inner = {"arrayValue": {"values": [{"integerValue": "1"}]}}
    wrapped = {"mapValue": {"fields": {"list": inner}}}
    assert native == {
        "id": {"stringValue": "42"},
        "n": {"integerValue": "1"},
        "f": {"doubleValue": 1.5},
        "price": {"doubleValue": 9.9},
        "big": {"stringValue": "1180591620717411303424"},
        "raw": {"bytesValue": "AAEC"},
        "at": {"timestampValue": "2024-01-01T10:00:00.000005Z"},
        "on": {"booleanValue": True},
        "none": {"nullValue": None},
        "rows": {"arrayValue": {"values": [wrapped, {"stringValue": "x"}]}},
    }
    tree = {"f": "f", "price": "d-2", "big": "I", "at": "t+02:00", "rows": {"0": "L"}}
    assert json.loads(ours["t"]) == tree


def test_embedded_document() -> None:
    """The embedded store gets JSON: integers of any size, Decimals as text."""
    native, ours = _document(ITEM, EMBEDDED)
    assert native["big"] == 2**70
    assert native["price"] == "9.90"
    assert json.loads(ours["t"]) == {"f": "f", "price": "D", "raw": "B", "at": "T"}


@each_row(
    "profile, held, beyond",
    [
        (DYNAMODB, 10**38 - 1, 10**38),
        (DYNAMODB, 1 - 10**38, -(10**38)),
        (COSMOS, 2**53, 2**53 + 1),
        (COSMOS, -(2**53), -(2**53) - 1),
        (FIRESTORE, 2**63 - 1, 2**63),
        (FIRESTORE, -(2**63), -(2**63) - 1),
        (DYNAMODB, Decimal("1E-128"), Decimal("1E-129")),
        (DYNAMODB, Decimal("0." + "1" * 38), Decimal("0." + "1" * 39)),
        (COSMOS, Decimal("0.1234567890123456"), Decimal("0.12345678901234567")),
        (COSMOS, Decimal(2**53), Decimal(2**53 + 2)),
        (FIRESTORE, 0.0, -0.0),
    ],
)
def test_where_native_numbers_end(profile: Profile, held: Any, beyond: Any) -> None:
    """A number is native as long as nothing of it is lost; one further, it is text."""
    native, _ = _document({"held": held, "beyond": beyond}, profile)
    assert type(plain_of(native["held"], profile)) is not str
    assert plain_of(native["beyond"], profile) == str(beyond)


@pytest.mark.parametrize("profile", [DYNAMODB, COSMOS, EMBEDDED], ids=lambda p: p.name)
def test_names_are_the_providers_at_the_top_only(profile: Profile) -> None:
    """Inside an item, `id` and its like mean nothing to the provider, and stay readable."""
    inner = {"id": "1", "ttl": 5, "_ts": 6, "_leeward": "x", "__x__": True}
    native, _ = _document({"inner": inner}, profile)
    assert plain_of(native["inner"], profile) == inner


@by_profile
def test_reserved_attribute(profile: Profile) -> None:
    """The reserved attribute is a native map; what does not apply is absent from it."""
    _, ours = _document(ITEM, profile)
    assert list(ours) == ["w", "e", "t", "d"]
    assert ours["w"] == "w-1"
    assert float(ours["e"]) == 10.5
    assert re.fullmatch(r"[0-9a-f]{32}", ours["d"])
    bare = encode({"a": 1}, profile, write_id="w-1", expires_at=None)
    assert list(plain_of(bare["_leeward"], profile)) == ["w", "d"]


@each_row(
    "number, value",
    [(7, 7), (7.0, 7), (1e22, 10**22), (0.5, Decimal("0.5")), (Decimal("2.50"), Decimal("2.5"))],
)
def test_a_number_by_its_value(number: Any, value: Any) -> None:
    """It is an int where it is integral, else a Decimal without zeros at its end."""
    found = by_value(number)
    assert (type(found), str(found)) == (type(value), str(value))
    assert str(by_value(Decimal("-Infinity"))) == "-Infinity"
    assert str(by_value(Decimal("NaN"))) == "NaN"


@given(item=ITEMS)
def test_no_native_name_is_the_providers(item: dict[str, Any]) -> None:
    """No attribute has a name that the provider, or leeward, gives a meaning of its own."""
    for profile in PROFILES:
        native, _ = _document(item, profile)
        assert not [name for name in native if name in profile.system_names]
        assert not [name for name in native if not name or name.startswith("_leeward")]
    native, _ = _document(item, FIRESTORE)
    names = _names_inside({"mapValue": {"fields": native}})
    assert not [name for name in names if not name or re.fullmatch("(?s)__.*__", name)]


def _names_inside(native: Any) -> set[str]:
    ((kind, value),) = native.items()
    if kind == "mapValue":
        fields = value["fields"]
        return set(fields).union(*map(_names_inside, fields.values()))
    if kind == "arrayValue":
        return set().union(*map(_names_inside, value["values"]))
    return set()


@given(item=ITEMS)
def test_firestore_never_gets_a_list_in_a_list(item: dict[str, Any]) -> None:
    """The server refuses a list that stands directly in a list."""
    native, _ = _document(item, FIRESTORE)
    text = json.dumps(native, separators=(",", ":"))
    assert '"values":[{"arrayValue"' not in text
    assert '},{"arrayValue"' not in text


_FLOATS = st.floats(allow_nan=False, allow_infinity=False)
_DECIMALS = st.decimals(allow_nan=False, allow_infinity=False)


@pytest.mark.vendors
@given(number=st.sampled_from(corpus.SCALARS) | st.integers() | _FLOATS | _DECIMALS)
def test_boto3_reads_every_number(number: Any) -> None:
    """A number as DynamoDB prints it is read by boto3 with the same value."""
    native = respell(encode({"n": number}, DYNAMODB, write_id="w", expires_at=None), DYNAMODB)["n"]
    if "N" not in native:
        return
    deserializer = importlib.import_module("boto3.dynamodb.types").TypeDeserializer()
    expected = Decimal(repr(number)) if isinstance(number, float) else Decimal(number)
    assert deserializer.deserialize(native) == expected
