from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leeward._http.messages import Failure, Phase, Response
from leeward.calls import Publish
from leeward.errors import InvalidRequest, Outcome
from leeward.values import Event
from leeward_aws.errors import ENTRIES
from leeward_aws.events.plans import events
from leeward_contract_tests.rows import each_row
from tests.aws.playing import SETTINGS, answer, document, header, play, refusal
from tests.aws.serialized import by_botocore, by_leeward

PUBLISH = events(SETTINGS)["publish"]
TIME = datetime(2026, 1, 1, 12, 30, 15, 999_999, tzinfo=UTC)
EVENT = Event("order.created", {"id": "42"}, "event-1", "/shop", TIME)
TWO = Publish("default", (EVENT, EVENT._replace(id="event-2")))
ONE = Publish("default", (EVENT,))
ORDERS = Publish("orders", (EVENT,))
TAKEN = {"EventId": "11710aed-b79e-4468-a20b-bb3c0c3b4860"}
PUBLISHED = answer({"FailedEntryCount": 0, "Entries": [TAKEN]})
THERE = answer({"Name": "orders", "Arn": "arn:aws:events:eu-west-1:123456789012:event-bus/orders"})


def publish(call: Publish, *answers: Response | Failure, **options: Any) -> Any:
    return play(PUBLISH, call, *answers, **options)


# What goes out.

TEXT = st.text(st.characters(exclude_categories=["Cc", "Cs"]), min_size=1, max_size=30)
DATA = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
)
MADE = st.builds(
    Event,
    type=TEXT,
    data=DATA | st.binary(max_size=30),
    id=TEXT,
    source=TEXT,
    time=st.datetimes(timezones=st.just(UTC)),
    subject=st.none() | TEXT,
    ordering_key=st.none() | TEXT,
    extensions=st.dictionaries(st.from_regex(r"x[a-z0-9]{1,8}", fullmatch=True), TEXT, max_size=2),
)
BUSES = st.from_regex(
    r"(arn:aws:events:eu-west-1:[0-9]{12}:event-bus/)?[._A-Za-z0-9-]{1,30}", fullmatch=True
)


@given(BUSES, st.lists(MADE, min_size=1, max_size=10))
def test_publish_sends_what_botocore_would(bus: str, made: list[Event]) -> None:
    """Both requests are the same, and the detail is the whole CloudEvent and nothing else."""
    taken = answer({"FailedEntryCount": 0, "Entries": [TAKEN] * len(made)})
    looked = [] if bus == "default" else [THERE]
    sent = publish(Publish(bus, tuple(made)), *looked, taken).sent
    details = [each["Detail"] for each in document(sent[-1])["Entries"]]
    entries = [
        {
            "Source": event.source,
            "DetailType": event.type,
            "Detail": detail,
            "EventBusName": bus,
            "Time": event.time,
        }
        for event, detail in zip(made, details, strict=True)
    ]
    assert by_leeward("events", sent[-1]) == by_botocore(
        "events", "PutEvents", {"Entries": entries}
    )
    if looked:
        described = by_botocore("events", "DescribeEventBus", {"Name": bus})
        assert by_leeward("events", sent[0]) == described


@pytest.mark.parametrize(
    ("time", "seconds"),
    [
        (TIME, 1_767_270_615.999999),
        (TIME.astimezone(timezone(timedelta(hours=5, minutes=30))), 1_767_270_615.999999),
        (TIME.replace(microsecond=0), 1_767_270_615),
    ],
)
def test_the_time_of_an_entry_is_in_unix_seconds(time: datetime, seconds: float) -> None:
    """Whatever the offset, and without a fraction where there is none."""
    (request,) = publish(Publish("default", (EVENT._replace(time=time),)), PUBLISHED).sent
    found = document(request)["Entries"][0]["Time"]
    assert (found, type(found)) == (seconds, type(seconds))


@pytest.mark.parametrize(
    ("source", "word"), [("aws.shop", "'aws.'"), ("aws.", "'aws.'"), ("s" * 257, "at most 256")]
)
def test_a_source_that_the_bus_refuses_is_not_sent(source: str, word: str) -> None:
    """The field is named, before anything is sent."""
    call = Publish("orders", (EVENT, EVENT._replace(source=source)))
    with pytest.raises(InvalidRequest, match=word) as raised:
        publish(call)
    assert raised.value.field == "events[1].source"


# What comes back.


def test_each_entry_has_its_result() -> None:
    """The answer tells entries apart by their position alone."""
    failed = {"ErrorCode": "ThrottlingException", "ErrorMessage": "payload 42"}
    result = publish(TWO, answer({"FailedEntryCount": 1, "Entries": [failed, TAKEN]})).result
    assert (result.outcome, result.request_id) == (Outcome.OK, "request-1")
    first, second = result.value
    assert (first.outcome, first.code) == (Outcome.REJECTED, "ThrottlingException")
    assert (first.request_id, first.message) == ("request-1", None)
    assert (second.outcome, second.value) == (Outcome.OK, None)


@each_row("code", [*ENTRIES, "SomethingNew"])
def test_every_code_of_an_entry_comes_out(code: str) -> None:
    """Each has the outcome of its row; an unknown one is AMBIGUOUS."""
    told = answer({"FailedEntryCount": 1, "Entries": [{"ErrorCode": code}]})
    (entry,) = publish(ONE, told).result.value
    meaning = ENTRIES.get(code, (Outcome.AMBIGUOUS, None))
    assert ((entry.outcome, entry.reason), entry.code) == (meaning, code)


@each_row(
    "entry", [{}, None, "x", {"EventId": 5}, {"ErrorCode": ""}, {"ErrorCode": 5, "EventId": "x"}]
)
def test_an_entry_that_says_nothing_is_ambiguous(entry: Any) -> None:
    """It was answered, so it may well have been taken."""
    (found,) = publish(ONE, answer({"Entries": [entry]})).result.value
    assert (found.outcome, found.executed) == (Outcome.AMBIGUOUS, True)


@each_row(
    "body",
    [
        b"", b"<html>", b"[]", b"{", b"NaN", {}, {"Entries": None}, {"Entries": {}},
        {"Entries": []}, {"Entries": [TAKEN, TAKEN]}, {"FailedEntryCount": 1, "Entries": [TAKEN]},
        {"FailedEntryCount": 0, "Entries": [{"ErrorCode": "InternalFailure"}]},
    ],
)  # fmt: skip
def test_an_answer_that_does_not_fit_is_ambiguous(body: Any) -> None:
    """Too few entries, too many, or none that can be read: nobody knows which were taken."""
    result = publish(ONE, answer(body)).result
    assert (result.outcome, result.executed) == (Outcome.AMBIGUOUS, True)
    assert (result.reason, result.value) == ("undecodable", None)


# Is the bus there?


def test_a_bus_is_looked_up_once() -> None:
    """Before the first publication; the next ones go out at once."""
    learnt: dict[str, Any] = {}
    first = publish(ORDERS, THERE, PUBLISHED, learnt=learnt)
    assert [header(each, "X-Amz-Target") for each in first.sent] == [
        "AWSEvents.DescribeEventBus",
        "AWSEvents.PutEvents",
    ]
    assert learnt == {"bus:orders": True}
    assert len(publish(ORDERS, PUBLISHED, learnt=learnt).sent) == 1
    other = ORDERS._replace(bus="invoices")
    assert len(publish(other, THERE, PUBLISHED, learnt=learnt).sent) == 2


def test_a_missing_bus_is_noticed() -> None:
    """Nothing is published into the void, and a bus that is made later is found."""
    learnt: dict[str, Any] = {}
    result, sent, *_ = publish(ORDERS, refusal("ResourceNotFoundException"), learnt=learnt)
    assert (result.outcome, result.code) == (Outcome.NOT_FOUND, "ResourceNotFoundException")
    assert "no such event bus" in result.message
    assert (len(sent), learnt) == (1, {})
    assert publish(ORDERS, THERE, PUBLISHED, learnt=learnt).result.outcome is Outcome.OK


def test_who_may_not_look_publishes_all_the_same() -> None:
    """Without the permission nothing is checked, and nothing is asked again."""
    learnt: dict[str, Any] = {}
    denied = refusal("AccessDeniedException")
    assert publish(ORDERS, denied, PUBLISHED, learnt=learnt).result.outcome is Outcome.OK
    assert publish(ORDERS, PUBLISHED, learnt=learnt).result.outcome is Outcome.OK


@each_row(
    "trouble",
    [
        refusal("ThrottlingException"),
        refusal("InternalException", 500),
        refusal("ValidationException"),
        answer(b"<html>", 502),
        Failure(Phase.CONNECT, sent=False, code="curl.7"),
        Failure(Phase.RECEIVE, sent=True, code="curl.28"),
    ],
)
def test_a_look_up_that_fails_is_no_reason_not_to_publish(trouble: Response | Failure) -> None:
    """And the next publication looks again."""
    learnt: dict[str, Any] = {}
    assert publish(ORDERS, trouble, PUBLISHED, learnt=learnt).result.outcome is Outcome.OK
    assert learnt == {}
