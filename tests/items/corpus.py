"""Items that break naive stores: legal, within the portable limits, and each nasty in its way."""

import math
import sys
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

ODD_NAMES = [
    *("", " ", "~", "~~", "~id", "~x", "id", "ttl", "_etag", "_ts", "_rid", "_self", "_lsn"),
    *("_attachments", "_leeward", "~_leeward", "_leeward_expires", "__x__", "__", "____"),
    *("__type__", "~__x__", "list", "S", "stringValue", "$type", "a.b", "a/b", "a b", "`a`"),
    *("0", "-1", "\x00", "\n", '"', "\\", "é", "e\u0301", "名前", "\U0001f9ca", "x" * 255),
]
"""Names that some provider, or leeward, could take for something else."""

INTS = [
    *(0, 1, -1, 2**31, 2**53 - 1, 2**53, 2**53 + 1, -(2**53) - 1, 2**63 - 1, 2**63, -(2**63)),
    *(-(2**63) - 1, 10**22, 10**23, 10**37, 10**38 - 1, 10**38, -(10**38), 10**125, 10**309),
    *(10**4300 - 1, 1 - 10**4300),
]

FLOATS = [
    *(0.0, -0.0, 1.0, -1.0, 0.1, 1 / 3, 1e15, 1e16, 1e22, 1e23, 1e37, 1e38, 1e39, 1e100, 1e308),
    *(sys.float_info.max, -sys.float_info.max, sys.float_info.min, 5e-324, -5e-324, 1e-127),
    *(1e-128, 1e-129, 1e-130, 1e-131, math.nextafter(1, 2), math.nextafter(1, 0), math.pi),
    *(float(2**53), float(2**53 + 2), float(2**63), 123456789.12345678),
]

DECIMALS = [
    Decimal(text)
    for text in (
        *("0", "-0", "0.00", "-0.00", "0E-10", "0E+10", "0E-200", "0E+200", "-0E+3", "1", "1.0"),
        *("9.90", "9.9", "-9.90", "1E+2", "100", "1E+22", "1E+23", "1E+37", "1E+38", "1E+125"),
        *("1E+126", "1E-128", "1E-129", "1E-130", "1E-131", "9.99E+125", "1E+999999", "1E-999999"),
        *("0.1", "0.10", "0.1000000000000000055511151231257827", "9007199254740993", "1e-7"),
        *("9007199254740992", "9007199254740992.0", "1.7976931348623157E+308", "5E-324"),
        *("12345678901234567890123456789012345678", "123456789012345678901234567890123456789"),
        *(f"1.{'23456789' * 4}23456E{exponent}" for exponent in (-128, -129, -130)),
        *("1." + "0" * 59, "0." + "123456789" * 6 + "123456", "-3." + "14159" * 12, "3" * 60),
    )
]

MOMENTS = [
    datetime(2024, 2, 29, 12, 30, 15, tzinfo=UTC),
    datetime(2024, 2, 29, 12, 30, 15, 1, tzinfo=UTC),
    datetime(2024, 2, 29, 12, 30, 15, 999999, tzinfo=timezone(timedelta(hours=2))),
    datetime(1969, 12, 31, 23, 59, 59, 999999, tzinfo=timezone(timedelta(hours=-9, minutes=-30))),
    datetime(1900, 1, 1, tzinfo=timezone(timedelta(minutes=53, seconds=28))),
    datetime(2000, 1, 1, tzinfo=timezone(timedelta(microseconds=1))),
    datetime(2000, 1, 1, tzinfo=timezone(timedelta(microseconds=-1))),
    datetime(2000, 1, 1, tzinfo=timezone(timedelta(0), "Zulu")),
    datetime(1, 1, 1, tzinfo=UTC),
    datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=14))),
    datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=-12))),
    datetime(9999, 12, 31, 23, 59, 59, 999999, tzinfo=UTC),
    datetime(9999, 12, 31, 23, 59, 59, 999999, tzinfo=timezone(timedelta(hours=-12))),
    datetime(9999, 12, 31, 23, tzinfo=timezone(timedelta(hours=23, minutes=59, microseconds=7))),
]

BLOBS = [b"", b"\x00", b"\xff", b"text", bytes(range(256)), b"\x00\xff" * 1500]

STRINGS = [
    *("", " ", "\x00", "\x7f", "\u2028", "null", "true", "1.0", "~", "~hex", "é", "e\u0301"),
    *("\U0001f9ca", "\uffff", "2024-02-29T12:30:15Z", "AAEC", '{"S": "x"}', "</script>", "\r\n"),
]

SCALARS: list[Any] = [None, True, False, *INTS, *FLOATS, *DECIMALS, *MOMENTS, *BLOBS, *STRINGS]


def _deep(kinds: str) -> Any:
    value: Any = 0.5
    for kind in kinds:
        value = [value] if kind == "l" else {"n": value}
    return value


def _each(values: list[Any]) -> dict[str, Any]:
    return {f"v{index}": value for index, value in enumerate(values)}


NASTY_ITEMS: list[tuple[str, dict[str, Any]]] = [
    ("nothing", {}),
    ("constants", _each([None, True, False])),
    ("ints", _each(INTS)),
    ("floats", _each(FLOATS)),
    ("decimals", _each(DECIMALS)),
    ("moments", _each(MOMENTS)),
    ("blobs", _each(BLOBS)),
    ("strings", _each(STRINGS)),
    ("lists of one type", {"i": INTS, "f": FLOATS, "d": DECIMALS, "t": MOMENTS, "b": BLOBS}),
    ("a list of everything", {"list": SCALARS}),
    ("equal but not alike", {"all": [1, 1.0, Decimal(1), Decimal("1.0"), True, "1", b"1"]}),
    ("odd names", dict.fromkeys(ODD_NAMES, 1.5)),
    ("odd names inside", {"map": dict.fromkeys(ODD_NAMES, Decimal("9.90"))}),
    ("odd names in a list", {"list": [{name: b"\x01"} for name in ODD_NAMES]}),
    ("empty containers", {"l": [], "m": {}, "ll": [[]], "lm": [{}], "ml": {"": []}, "s": ""}),
    ("lists in lists", {"x": [[[1.0, [2]], []], [[Decimal("9.90")]], 3.0, [[[]]]]}),
    ("a matrix", {"rows": [[float(x * y) for x in range(9)] for y in range(9)]}),
    ("a map like a wrapped list", {"x": [{"list": [1.0]}, [{"list": [[2.0]]}], {"list": 1}]}),
    ("maps like native values", {"x": {"S": "a"}, "y": {"stringValue": "b"}, "z": {"NULL": True}}),
    ("a reserved attribute", {"_leeward": {"w": "forged", "d": "0" * 32, "t": '{"x":"f"}'}}),
    ("uniform records", {"lines": [{"price": Decimal("9.90"), "n": n} for n in range(50)]}),
    ("mostly alike", {"v": [-0.0 if n % 9 == 0 else n / 8 for n in range(200)]}),
    ("deep dicts", {"x": _deep("d" * 19)}),
    ("deep lists", {"x": _deep("l" * 10)}),
    ("deep both", {"x": _deep("ld" * 9)}),
    ("large text", {"text": "é" * 199_000}),
    ("large blob", {"blob": bytes(range(256)) * 1150}),
    ("many floats", {"vector": [math.sin(n) for n in range(10_000)]}),
    ("many names", {f"attribute-{n}": n for n in range(15_000)}),
]
"""(what it is, the item); none needs a key: add one as ``{**item, "id": ...}``."""
