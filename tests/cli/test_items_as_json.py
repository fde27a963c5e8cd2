from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leeward.json_text import decode
from leeward.views import item_json
from leeward.views.item_json import TAGS, tag_value, untag_value
from leeward_contract_tests.rows import each_row


def _is_fraction(number: Decimal) -> bool:
    """Tell whether JSON shows that it is no int."""
    return any(sign in str(number) for sign in ".E")


zones = [UTC, timezone(timedelta(hours=-3, minutes=-30))]
names = st.text(max_size=5) | st.sampled_from(TAGS)
scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.decimals(allow_nan=False, allow_infinity=False).filter(_is_fraction)
    | st.text()
    | st.binary()
    | st.datetimes(timezones=st.sampled_from(zones)).map(lambda moment: moment.replace(fold=0))
)
items = st.dictionaries(
    names,
    st.recursive(
        scalars,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=3),
    ),
    max_size=4,
)


@given(items, st.sampled_from([0, 2]), st.booleans())
def test_what_was_loaded_can_be_stored_again(
    item: dict[str, Any], indent: int, ascii_only: bool
) -> None:
    """An item survives the way out as JSON and back in, digits, bytes and times included."""
    text = item_json.write(tag_value(item), indent=indent, ascii_only=ascii_only)
    assert repr(untag_value(decode(text, exact=True))) == repr(item)


@given(items, st.sampled_from([0, 2]))
def test_what_is_written_is_json_without_surprises(item: dict[str, Any], indent: int) -> None:
    """Any other reader reads it too, and no character of it is an order to a terminal."""
    text = item_json.write(tag_value(item), indent=indent)
    json.loads(text)
    assert all(each.isprintable() or each == "\n" for each in text)


def test_what_json_has_no_type_for_is_tagged() -> None:
    """Bytes are base64, times are ISO 8601, Decimals are numbers with all their digits."""
    moment = datetime(2026, 1, 31, 12, tzinfo=UTC)
    item = {"b": b"hi", "t": moment, "d": Decimal("9.90"), "e": Decimal("1E+3")}
    assert item_json.write(tag_value(item)) == (
        '{"b": {"$bytes": "aGk="}, "t": {"$datetime": "2026-01-31T12:00:00+00:00"}, '
        '"d": 9.90, "e": 1E+3}'
    )


@each_row(
    "value",
    [{"$bytes": "?"}, {"$bytes": 1}, {"$datetime": "soon"}, {"$datetime": None}, {"$map": "x"}],
)
def test_a_wrong_tag_is_refused(value: object) -> None:
    """What a tag holds must be what it says."""
    with pytest.raises(ValueError, match=r"\$"):
        untag_value({"deep": [value]})


def test_indented_json_is_what_everybody_writes() -> None:
    """The layout is that of the standard library."""
    value = {"a": [1, [], {}, {"b": None}], "ü": True}
    assert item_json.write(value, indent=2) == json.dumps(value, indent=2, ensure_ascii=False)
    assert item_json.write(value) == json.dumps(value, ensure_ascii=False)
    assert item_json.write(value, ascii_only=True) == json.dumps(value)
