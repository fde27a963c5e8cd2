"""What cannot be kept is refused, with the exact path and what to do about it."""

import math
import uuid
from collections import OrderedDict, defaultdict
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum, IntEnum, StrEnum
from typing import Any

import pytest

from leeward import json_text
from leeward._items.checks import checked_size
from leeward._items.json_checks import check_json
from leeward.errors import InvalidRequest, Outcome
from leeward_contract_tests.rows import each_row


class Colour(Enum):
    RED = "red"


class Level(IntEnum):
    HIGH = 3


class Word(StrEnum):
    YES = "yes"


class Text(str):
    __slots__ = ()


class Real(float):
    __slots__ = ()


class Moment(datetime):
    __slots__ = ()


class Money(Decimal):
    __slots__ = ()


class Raw(bytes):
    __slots__ = ()


NEVER_KEPT: list[tuple[Any, str]] = [
    (math.nan, "None or str(...)"),
    (math.inf, "not finite"),
    (-math.inf, "not finite"),
    ("half a pair \ud83e", "lone surrogate"),
    (10**4300, "hex(...)"),
    (-(10**4300), "4300 digits"),
    ((1, 2), "list(...)"),
    ({1}, "list(...)"),
    (frozenset({1}), "list(...)"),
    (bytearray(b"x"), "bytes(...)"),
    (memoryview(b"x"), "bytes(...)"),
    (date(2024, 1, 1), ".isoformat()"),
    (time(12), ".isoformat()"),
    (timedelta(1), ".total_seconds()"),
    (uuid.UUID(int=0), "turn it into None"),
    (object(), "turn it into None"),
    (1j, "turn it into None"),
    (Colour.RED, ".value"),
    (Level.HIGH, ".value"),
    (Word.YES, ".value"),
    (Text("x"), "str(...)"),
    (Real(1), "float(...)"),
    (OrderedDict(a=1), "dict(...)"),
    (defaultdict(int), "dict(...)"),
    ({1: "x"}, "names are str"),
    ({None: "x"}, "names are str"),
    ({Text("x"): 1}, "str(...)"),
    ({Word.YES: 1}, ".value"),
]
NOT_IN_AN_ITEM: list[tuple[Any, str]] = [
    (Decimal("NaN"), "not finite"),
    (Decimal("sNaN"), "not finite"),
    (Decimal("-Infinity"), "not finite"),
    (Decimal("1E+1000000"), "exponent beyond 999999"),
    (Decimal("1E-1000000"), "exponent beyond 999999"),
    (Decimal("0E+1000000"), "exponent beyond 999999"),
    (datetime(2024, 1, 1), ".replace(tzinfo=...)"),  # noqa: DTZ001  # naive on purpose
    (Moment(2024, 1, 1, tzinfo=UTC), "datetime.fromisoformat(x.isoformat())"),
    (Money(1), "Decimal(...)"),
    (Raw(b"x"), "bytes(...)"),
]
NOT_IN_JSON: list[tuple[Any, str]] = [
    (Decimal("9.90"), "str(...)"),
    (b"x", "base64"),
    (datetime(2024, 1, 1, tzinfo=UTC), ".isoformat()"),
    (date(2024, 1, 1), ".isoformat()"),
]


def _refusal(check: Any, value: Any) -> InvalidRequest:
    with pytest.raises(InvalidRequest) as caught:
        check(value)
    return caught.value


@each_row("value, remedy", NEVER_KEPT + NOT_IN_AN_ITEM)
def test_item_is_refused_with_path_and_remedy(value: Any, remedy: str) -> None:
    """A value that no store keeps exactly is named by its path, and the message helps."""
    refusal = _refusal(checked_size, {"lines": [0, {"price": value}], "last": 1})
    assert refusal.field == "item['lines'][1]['price']"
    assert str(refusal).startswith("item['lines'][1]['price'] ")
    assert remedy in str(refusal)
    assert refusal.outcome is Outcome.CALLER


@each_row("value, remedy", NEVER_KEPT + NOT_IN_JSON)
def test_payload_is_refused_with_path_and_remedy(value: Any, remedy: str) -> None:
    """What JSON has no type for is named by its path, and the message helps."""
    refusal = _refusal(check_json, [{"a": value}])
    assert refusal.field == "payload[0]['a']"
    assert remedy in str(refusal)


def test_a_dataclass_is_refused_with_what_makes_a_dict_of_it() -> None:
    """``dict(...)`` would raise."""

    @dataclass
    class Order:
        id: str

    assert "use dataclasses.asdict(...)" in str(_refusal(checked_size, Order("1")))


def test_name_at_fault_is_in_the_path() -> None:
    """A name with a lone surrogate is shown, escaped, so that it can be found."""
    refusal = _refusal(checked_size, {"a": [{"\ud800": 1}]})
    assert refusal.field == "item['a'][0]['\\ud800']"


def test_cycle_is_refused() -> None:
    """An item that contains itself is refused instead of walked for ever."""
    item: dict[str, Any] = {"a": []}
    item["a"].append(item)
    refusal = _refusal(checked_size, item)
    assert refusal.field is not None
    assert refusal.field.startswith("item['a'][0]['a'][0]")
    assert "contains itself" in str(refusal)
    assert len(str(refusal)) < 400


def test_depth_has_an_end() -> None:
    """As many levels pass as answers are read of, one more does not."""
    item: Any = 1
    for _ in range(json_text.DEEPEST):
        item = {"n": item}
    checked_size(item)
    assert "levels deep" in str(_refusal(checked_size, {"n": item}))


def test_message_never_shows_a_value() -> None:
    """What is stored may be secret; a refusal shows names and types only."""
    for value in ({"s3cret"}, Text("s3cret"), bytearray(b"s3cret"), "s3cret\ud800"):
        assert "s3cret" not in str(_refusal(checked_size, {"a": value}))
