"""What "exactly what was stored" means, and items and keys that are not easily kept so."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any, Final

from leeward.values import Item


def exact(value: Any) -> Any:
    """Spell a value so that two of one spelling are equal in type, sign, digits and offset."""
    if isinstance(value, dict):
        return {name: exact(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [exact(inner) for inner in value]
    text = value.isoformat() if isinstance(value, datetime) else repr(value)
    return f"{type(value).__name__} {text}"


NUMBER_TEXTS = (
    "0 -0 0.00 0E+3 1 1.0 9.90 -9.90 1E+2 100 1E+30 1E-30 1E-100 9007199254740993 0.1 0.10 "
    "12345678901234567890123456789012345678 1.2345678901234567890123456789012345678901234567"
).split()

MOMENTS = [
    datetime(2024, 2, 29, 12, 30, 15, tzinfo=UTC),
    datetime(2024, 2, 29, 12, 30, 15, 1, tzinfo=UTC),
    datetime(2024, 2, 29, 12, 30, 15, 999_999, tzinfo=timezone(timedelta(hours=5, minutes=30))),
    datetime(1969, 12, 31, 23, 59, 59, 999_999, tzinfo=timezone(timedelta(hours=-9, minutes=-30))),
    datetime(1, 1, 1, tzinfo=UTC),
    datetime(9999, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC),
]

TEXTS = [
    *("", " ", " around ", "\x00", "\t\r\n", "\x7f", "\u2028", '"\\/', "\u00e9", "e\u0301"),
    *("\U0001f9ca", "\uffff", "null", "true", "1.0", "2024-02-29T12:30:15Z", "AAEC", "~x", "$x"),
]

NAMES = (
    "ttl _etag _ts _rid _self _leeward ~ ~x ~ttl __x__ __ $type a.b a/b 0 -1 S M list NULL "
    "stringValue mapValue \u00e9 e\u0301 \u540d\u524d \U0001f9ca"
).split()
"""Names of attributes that some provider, or leeward, gives a meaning of its own."""

NASTY_ITEMS: Final[dict[str, Item]] = {
    "only its key": {},
    "one of each type at the top": {
        "decimal": Decimal("9.90"),
        "whole decimal": Decimal(3),
        "integer": 3,
        "whole float": 3.0,
        "float": 0.1,
        "bytes": b"\x00text",
        "moment": MOMENTS[2],
        "text": "9.90",
    },
    "constants": {"none": None, "true": True, "false": False},
    "equal but not alike": {"all": [1, 1.0, Decimal(1), Decimal("1.0"), True, "1", b"1", [1]]},
    "integers": {
        "all": [0, -1, 2**31, 2**53 + 1, -(2**53) - 1, 2**63 - 1, 2**63, -(2**64), 10**60]
    },
    "floats": {"all": [0.0, -0.0, 1.0, 0.1, 1 / 3, 1e16, 1e22, 1e308, 5e-324, -1e-7, math.pi]},
    "decimals": {"all": [Decimal(text) for text in NUMBER_TEXTS]},
    "moments": {"all": MOMENTS},
    "bytes": {"all": [b"", b"\x00", b"text", bytes(range(256))]},
    "texts": {"all": TEXTS},
    "long text": {"text": "\u00e9" * 100_000},
    "odd names": dict.fromkeys([*NAMES, "", " ", "\n", '"'], 1.5),
    "odd names inside": {"map": {name: {name: Decimal("9.90")} for name in NAMES}},
    "empty inside": {"list": [], "map": {}, "lists": [[]], "maps": [{}], "name": {"": []}},
    "lists in lists": {"all": [[[1.0, [2]], []], [[Decimal("9.90")]], 3.0, [[[]]]]},
    "records": {"lines": [{"price": Decimal("9.90"), "n": n, "half": n / 2} for n in range(50)]},
    "like native values": {"a": {"S": "x"}, "b": {"NULL": True}, "c": {"stringValue": "x"}},
    "a forged mark": {"_leeward": {"w": "forged", "t": '{"x":"f"}', "d": "0" * 32}, "x": 1},
}
"""Items without a key that break naive stores, by what they are; all within the default limits."""

ODD_KEYS: Final = [
    *("a", "A", "a/b", "a%2Fb", "a\\b", "a b", " a", "a ", "..", ".", "__x__", "~", "~2f", "a:b"),
    *("a?b", "a#b", "a+b", "a&b=c", "\u00fc", "u\u0308", "\u540d\u524d", "\U0001f9ca", "'", '"'),
    *("0", "00", "None", "null", "x" * 500, "x" * 499 + "y"),
]
"""Values of a key field that are easily mixed up."""

ODD_PAIRS: Final = [
    *(("a", "b"), ("b", "a"), ("a", "b/c"), ("a/b", "c"), ("a:b", "c"), ("a", "b:c"), ("a|b", "c")),
    *(("ab", "c"), ("a", "bc"), ("a ", "b"), ("a", " b"), ("..", "."), ("\u00fc", "\u00fc")),
]
"""Values of a key of two fields that are easily mixed up."""
