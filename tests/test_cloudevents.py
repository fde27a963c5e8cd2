"""CloudEvents: minting, checking, and the JSON form there and back."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leeward.app.events import events_in
from leeward.cloudevents import check, document_of, from_json, mint, to_json, write
from leeward.errors import InvalidRequest
from leeward.values import Event
from leeward_contract_tests.rows import each_row

DAY = timedelta(hours=24) - timedelta(microseconds=1)
YEARS = (datetime.fromisoformat("0001-01-02"), datetime.fromisoformat("9999-12-31"))
"""So that every offset leaves the moment a year from 1 to 9999 in UTC."""

words = st.text(st.characters(exclude_categories=["Cs", "Cc", "Zl", "Zp"]), min_size=1, max_size=20)
json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | words,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(words, inner, max_size=3),
    max_leaves=8,
)
extensions = st.dictionaries(
    st.from_regex(r"x[a-z0-9]{1,10}", fullmatch=True),
    words | st.booleans() | st.integers(-(2**31), 2**31 - 1),
    max_size=3,
)
zones = st.integers(-14 * 60, 14 * 60).map(lambda m: timezone(timedelta(minutes=m)))
events = st.builds(
    Event,
    type=words,
    data=json_values | st.binary(max_size=50),
    id=words,
    source=words,
    time=st.none() | st.datetimes(*YEARS, timezones=zones),
    subject=st.none() | words,
    ordering_key=st.none() | words,
    extensions=extensions,
)


@given(events)
def test_an_event_survives_its_json_form(event: Event) -> None:
    """Whatever is allowed comes back the same."""
    check(event)
    assert from_json(json.loads(json.dumps(to_json(event)))) == event


@given(st.datetimes(*YEARS), st.timedeltas(-DAY, DAY))
def test_every_time_is_written_in_utc(moment: datetime, offset: timedelta) -> None:
    """Readers drop offsets, or misread some; the moment stays."""
    event = Event("t", None, "e-1", "s", moment.replace(tzinfo=timezone(offset)))
    check(event)
    text = to_json(event)["time"]
    assert re.fullmatch(r"[0-9-]{10}T[0-9:]{8}(\.[0-9]{6})?Z", text)
    assert datetime.fromisoformat(text) == event.time


def test_the_structured_form() -> None:
    """The members are those of the specification; absent attributes are absent."""
    event = Event("order.created", {"id": "42"}, "e-1", "shop", datetime(2026, 1, 2, tzinfo=UTC))
    assert to_json(event) == {
        "specversion": "1.0",
        "id": "e-1",
        "source": "shop",
        "type": "order.created",
        "time": "2026-01-02T00:00:00Z",
        "datacontenttype": "application/json",
        "data": {"id": "42"},
    }
    assert to_json(Event("t", b"\x00\xff", "1", "s"))["data_base64"] == "AP8="


def test_minting_fills_only_what_is_open() -> None:
    """Given attributes stay; the rest is minted once."""
    minted = mint(Event("t", source="mine"), id="e-1", source="shop", now=0.0)
    assert minted == Event("t", None, "e-1", "mine", datetime.fromtimestamp(0, UTC))
    assert mint(minted, id="e-2", source="other", now=9.0) == minted


@each_row(
    "document, field",
    [
        ({}, "specversion"),
        ({"specversion": "0.3", "id": "1", "source": "s", "type": "t"}, "specversion"),
        ({"specversion": "1.0", "source": "s", "type": "t"}, "id"),
        ({"specversion": "1.0", "id": "1", "source": "", "type": "t"}, "source"),
        ({"specversion": "1.0", "id": "1", "source": "s", "type": 3}, "type"),
        ({"specversion": "1.0", "id": "1", "source": "s", "type": "t", "time": "now"}, "time"),
        (
            {"specversion": "1.0", "id": "1", "source": "s", "type": "t", "data_base64": "?"},
            "data_base64",
        ),
    ],
)
def test_what_is_no_cloudevent_is_refused(document: dict[str, object], field: str) -> None:
    """The attribute at fault is named."""
    with pytest.raises(InvalidRequest) as caught:
        from_json(document)
    assert caught.value.field == field


def test_a_written_event_keeps_its_json_to_itself() -> None:
    """It is the event, with the same JSON for every attempt, and no repr shows that."""
    event = Event("t", {"secret": "hunter2"}, "1", "s")
    written = write(event)
    assert written == event
    assert document_of(written) is document_of(written)
    assert json.loads(document_of(written)) == to_json(event)
    assert "hunter2" not in repr(written)


def test_a_changed_copy_of_a_written_event_is_written_anew() -> None:
    """A driver around a driver may change an event; what it was before is not sent."""
    changed = write(Event("t", {"n": 1}, "1", "s"))._replace(data={"n": 2})
    assert json.loads(document_of(changed))["data"] == {"n": 2}


@each_row(
    "kind, data",
    {
        "bytes": ({"content-type": "application/octet-stream"}, b""),
        "JSON": ({"content-type": "application/json"}, None),
        "nothing": ({}, None),
    },
)
def test_no_bytes_are_data_where_a_type_says_so(kind: dict[str, str], data: bytes | None) -> None:
    """In the binary form an empty body is bytes if it is said to be, and else no data."""
    named = {"specversion": "1.0", "id": "1", "source": "s", "type": "t"}
    headers = kind | {f"ce-{name}": value for name, value in named.items()}
    assert [event.data for event in events_in(headers, b"") or ()] == [data]
