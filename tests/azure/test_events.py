from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leeward import cloudevents
from leeward._http.messages import Failure, Response
from leeward.adapter.plans import Need, View
from leeward.calls import Publish
from leeward.errors import ConfigError, InvalidRequest, Outcome
from leeward.values import Event
from leeward_azure.events.plans import events
from leeward_azure.identity.credentials import (
    Credential,
    SasToken,
    ServiceCredential,
    TopicKey,
)
from leeward_azure.settings.services import Events
from leeward_contract_tests.rows import each_row
from tests.azure import oracle
from tests.azure.playing import FRESH, KEY, LATER, answer, headers_of, play

TEMPLATE = "https://{topic}.westeurope-1.eventgrid.azure.net/api/events"
ORIGIN = "https://shop.westeurope-1.eventgrid.azure.net"
CUSTOM = Events(TEMPLATE)
NAMESPACE = Events(ORIGIN)
DOORS = [CUSTOM, NAMESPACE]
each_door = pytest.mark.parametrize("door", DOORS, ids=["custom", "namespace"])

TIME = datetime(2026, 1, 1, 12, 30, 15, tzinfo=UTC)
EVENT = Event("order.created", {"id": "42"}, "event-1", "/shop", TIME)
TWO = Publish("orders", (EVENT, EVENT._replace(id="event-2")))


def publish(door: Events, *answers: Response | Failure, **options: Any) -> Any:
    return play(events(door)["publish"], options.pop("call", TWO), *answers, **options)


# What goes out.

TEXT = st.text(st.characters(exclude_categories=["Cc", "Cs"]), min_size=1, max_size=30)
DATA = st.recursive(
    st.booleans() | st.integers(-(2**63), 2**63 - 1) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
)
MADE = st.builds(
    Event,
    type=TEXT,
    data=DATA | st.binary(min_size=1, max_size=30),
    id=TEXT,
    source=TEXT,
    time=st.datetimes(timezones=st.just(UTC)).map(lambda time: time.replace(microsecond=0)),
    subject=st.none() | TEXT,
    ordering_key=st.none() | TEXT,
    extensions=st.dictionaries(st.from_regex(r"x[a-z0-9]{1,8}", fullmatch=True), TEXT, max_size=2),
)
TOPICS = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9-]{1,48}[A-Za-z0-9]", fullmatch=True)
CREDENTIALS: st.SearchStrategy[Credential] = st.sampled_from([KEY, SasToken("r=x&s=y"), FRESH])


@given(TOPICS, st.lists(MADE, min_size=1, max_size=5), CREDENTIALS)
def test_custom_topics_get_what_azure_eventgrid_sends(
    topic: str, made: list[Event], credential: Credential
) -> None:
    """Path, version, content type, credential and body are the same."""
    call = Publish(topic, tuple(made))
    (request,) = publish(CUSTOM, answer(), call=call, credential=credential).sent
    url = TEMPLATE.replace("{topic}", topic)
    theirs = oracle.by_eventgrid(url, _documents(made), credential, None)
    ours = oracle.by_leeward(request)
    assert request.origin + ours.path == url
    assert ours._replace(body=None) == theirs._replace(body=None)
    assert ours.body == _documents(made)
    assert [_untimed(each) for each in theirs.body] == [_untimed(each) for each in ours.body]


@given(TOPICS, st.lists(MADE, min_size=1, max_size=5), st.sampled_from([KEY, FRESH]))
def test_namespaces_get_what_azure_eventgrid_sends(
    topic: str, made: list[Event], credential: Credential
) -> None:
    """Path, version, content type, credential and body are the same."""
    call = Publish(topic, tuple(made))
    (request,) = publish(NAMESPACE, answer({}), call=call, credential=credential).sent
    theirs = oracle.by_eventgrid(ORIGIN, _documents(made), credential, topic)
    ours = oracle.by_leeward(request)
    assert theirs.headers.pop("accept") == "application/json"  # which is all that there is
    assert request.origin == ORIGIN
    assert ours._replace(body=None) == theirs._replace(body=None)
    assert [_untimed(each) for each in theirs.body] == [_untimed(each) for each in ours.body]


def _documents(made: list[Event]) -> list[Any]:
    return [cloudevents.to_json(event) for event in made]


def _untimed(told: dict[str, Any]) -> dict[str, Any]:
    """Leave the time out: the packages write it with other digits."""
    return {name: value for name, value in told.items() if name != "time"}


def test_a_namespace_takes_a_signature() -> None:
    """By its documentation; azure-eventgrid does not offer it."""
    (request,) = publish(NAMESPACE, answer(), credential=SasToken("r=x&e=y&s=z")).sent
    assert headers_of(request)["authorization"] == "SharedAccessSignature r=x&e=y&s=z"


def test_a_topic_with_a_url_of_its_own() -> None:
    """It goes before the template, which the other topics keep, and may have any name."""
    door = CUSTOM._replace(urls={"Our orders": "https://orders.example/own"})
    call = TWO._replace(bus="Our orders")
    (request,) = publish(door, answer(), call=call).sent
    assert request.origin == "https://orders.example"
    assert request.target == "/own?api-version=2018-01-01"
    assert headers_of(request)["aeg-sas-key"] == KEY.key
    (request,) = publish(door, answer()).sent
    assert request.origin == "https://orders.westeurope-1.eventgrid.azure.net"


def test_a_topic_without_a_url_is_not_sent() -> None:
    """Where only single topics have one, the message says where to give another."""
    door = Events(urls={"orders": "https://orders.example"})
    with pytest.raises(InvalidRequest, match="eventgrid_topic_urls") as raised:
        publish(door, call=TWO._replace(bus="bills"))
    assert raised.value.field == "bus"


@each_door
def test_the_scope_names_a_topic_with_a_key_of_its_own(door: Events) -> None:
    """All others share one, so that they share a token."""
    door = door._replace(keys={"orders": KEY.key})
    for bus, what in ("orders", TopicKey("orders")), ("bills", ServiceCredential("eventgrid")):
        plan = events(door)["publish"](TWO._replace(bus=bus), View(0.0, 1.0, {}))
        assert next(plan) == Need(what)
        plan.close()


@each_row(
    "bus", ["", "a.b", "evil.test/x?", "a/b", "ü", "a" * 64, "-a", "a b", "a@b", "{topic}", "a\n"]
)
@each_door
def test_a_name_that_no_topic_has_is_not_sent(door: Events, bus: str) -> None:
    """It might lead to another host, and the credential with it."""
    with pytest.raises(InvalidRequest, match="letters, digits and hyphens") as raised:
        publish(door, call=Publish(bus, (EVENT,)))
    assert raised.value.field == "bus"


@each_row(
    "url",
    ["", "shop.test", "ftp://shop.test", "https://shop.test/api/events", "https://shop.test?x=1",
     "https://{topic}.test/x?code=1", "https://{topic} .test"],
)  # fmt: skip
def test_a_url_of_neither_kind_is_refused(url: str) -> None:
    """When the plans are made, so before any call."""
    with pytest.raises(ConfigError, match="{topic}"):
        events(Events(url))


# What comes back.


@each_door
@each_row("body", [b"<html>", b"[]", b"{", b"NaN", b'"ok"'])
def test_a_page_of_somebody_else_is_ambiguous(door: Events, body: bytes) -> None:
    """It says nothing about the events."""
    result = publish(door, answer(body)).result
    assert (result.outcome, result.executed) == (Outcome.AMBIGUOUS, True)
    assert (result.reason, result.value) == ("undecodable", None)


@each_door
@each_row("status", [201, 202, 204])
def test_another_success_is_ambiguous(door: Events, status: int) -> None:
    """Event Grid ends a publication with 200."""
    result = publish(door, answer(status=status)).result
    assert (result.outcome, result.reason) == (Outcome.AMBIGUOUS, "unexpected_status")


@each_door
@each_row(
    "status, outcome",
    [
        (400, Outcome.CALLER),
        (403, Outcome.AUTH),
        (404, Outcome.NOT_FOUND),
        (408, Outcome.AMBIGUOUS),
        (413, Outcome.CALLER),
        (429, Outcome.REJECTED),
        (500, Outcome.AMBIGUOUS),
        (503, Outcome.AMBIGUOUS),
        (504, Outcome.AMBIGUOUS),
    ],
)
def test_a_batch_is_refused_whole(door: Events, status: int, outcome: Outcome) -> None:
    """With the code that the body names, and without its words."""
    told = answer({"error": {"code": "SomeCode", "message": "event-1"}}, status)
    result = publish(door, told).result
    assert (result.outcome, result.code) == (outcome, "SomeCode")
    assert (result.value, result.message, result.request_id) == (None, None, "request-1")


@each_door
@each_row(
    "headers, seconds",
    [({"retry_after": "7"}, 7.0), ({"retry_after": LATER}, 3600.0), ({"retry_after": "x"}, None),
     ({"retry_after": "-1"}, None), ({"retry_after": "999999"}, None), ({}, None)],
)  # fmt: skip
def test_the_wait_that_is_asked_for_comes_out(
    door: Events, headers: dict[str, str], seconds: float | None
) -> None:
    """In seconds or as a date; nonsense is none."""
    assert publish(door, answer(status=429, **headers)).result.retry_after == seconds
