from __future__ import annotations

import base64
import json
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leeward import cloudevents, json_text
from leeward._http.messages import Failure, Phase, Response
from leeward.calls import Publish
from leeward.errors import InvalidRequest, Outcome
from leeward.values import Event
from leeward_contract_tests.rows import each_row
from leeward_google.driver import LIMITS
from leeward_google.events.plans import events, message_of
from leeward_google.identity.credentials import ACCESS_TOKEN
from leeward_google.settings.services import Events
from tests.google import oracle
from tests.google.playing import answer, document, headers_of, play, refusal

DOOR = Events("https://pubsub.googleapis.com"), "shop"
MOMENT = datetime(2026, 1, 1, 12, 30, 15, 123_456, tzinfo=timezone(timedelta(hours=2)))
EVENT = Event("order.created", {"id": "42"}, "id-1", "/shop", MOMENT, "orders/42")
CALL = Publish("orders", (EVENT,))
REQUEST = oracle.message_class("google.pubsub_v1.types", "PublishRequest")
RESPONSE = oracle.message_class("google.pubsub_v1.types", "PublishResponse")


def run(call: Publish, *answers: Response | Failure, door: tuple[Events, str] = DOOR) -> Any:
    return play(events(*door)["publish"], call, *answers)


def ids(count: int) -> Response:
    """Answer as Pub/Sub does, by its own class."""
    return answer(oracle.spelled(RESPONSE(message_ids=[str(n + 1) for n in range(count)])))


def received(message: Any) -> Event:
    """Read a message of Pub/Sub's as the protocol binding says."""
    attributes, data = dict(message.attributes), bytes(message.data)
    content_type = attributes.pop("content-type", None)
    if content_type == "application/cloudevents+json":
        assert attributes == {}
        return cloudevents.from_json(json.loads(data))
    read = {name.removeprefix("ce-"): value for name, value in attributes.items()}
    assert all(name.startswith("ce-") for name in attributes)
    if content_type == "application/json":
        read["data"] = json.loads(data)
    elif content_type is not None:
        assert content_type == "application/octet-stream"
        read["data_base64"] = base64.b64encode(data).decode()
    else:
        assert data == b""
    return cloudevents.from_json(read)


# What goes out.

TEXT = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=8).filter(
    lambda text: "\u2028" not in text and "\u2029" not in text
)
LONG = TEXT | st.integers(1000, 1100).map("x".__mul__) | st.just("\u00e9" * 513)
DATA = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"]), max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=8,
)  # fmt: skip
TIMES = st.datetimes(timezones=st.just(UTC)) | st.just(MOMENT)
EVENTS = st.builds(
    Event,
    TEXT,
    DATA | st.binary(max_size=20),
    LONG,
    LONG,
    TIMES,
    st.none() | TEXT,
    st.just("key"),
    st.dictionaries(
        st.from_regex(r"[a-z0-9]{1,20}", fullmatch=True).filter(
            lambda name: name not in cloudevents.RESERVED
        ),
        LONG | st.booleans() | st.integers(-(2**31), 2**31 - 1),
        max_size=3,
    ),
)


@given(st.lists(EVENTS, min_size=1, max_size=3))
def test_what_is_published_is_received(given_events: list[Event]) -> None:
    """Read strictly by Pub/Sub's own class, every event is as it was, and nothing too large."""
    played = run(Publish("orders", tuple(given_events)), ids(len(given_events)))
    messages = oracle.read(played.sent[0]).messages
    assert [received(each) for each in messages] == given_events
    for each in messages:
        assert each.ordering_key == "key"
        assert len(each.attributes) <= 100
        assert all(0 < len(value.encode()) <= 1024 for value in each.attributes.values())
        assert all(len(name.encode()) <= 256 for name in each.attributes)


def test_google_cloud_pubsub_would_send_the_same() -> None:
    """The same method, path and body, but for the way to spell them."""
    (request,) = run(CALL, ids(1)).sent
    theirs = oracle.by_pubsub(
        REQUEST(
            topic="projects/shop/topics/orders",
            messages=[
                {
                    "data": b'{"id":"42"}',
                    "attributes": {
                        "ce-specversion": "1.0",
                        "ce-id": "id-1",
                        "ce-source": "/shop",
                        "ce-type": "order.created",
                        "ce-time": "2026-01-01T10:30:15.123456Z",
                        "ce-subject": "orders/42",
                        "content-type": "application/json",
                    },
                }
            ],
        )
    )
    assert oracle.by_leeward(request) == theirs
    assert request.origin == "https://pubsub.googleapis.com"
    assert headers_of(request) == {
        "content-type": "application/json",
        "authorization": "Bearer token-of-the-tests",
    }


@each_row(
    "event, structured",
    [
        (EVENT, False),
        (EVENT._replace(data=None), False),
        (EVENT._replace(data=b"\x00"), False),
        (EVENT._replace(extensions={"tenant": "a"}), False),
        (EVENT._replace(subject="x" * 1024), False),
        (EVENT._replace(subject="x" * 1025), True),
        (EVENT._replace(subject="\u00e9" * 513), True),
        (EVENT._replace(extensions={"retries": 7}), True),
        (EVENT._replace(extensions={"urgent": True}), True),
        (EVENT._replace(extensions={f"x{n}": "y" for n in range(93)}), False),
        (EVENT._replace(extensions={f"x{n}": "y" for n in range(94)}), True),
    ],
)
def test_what_attributes_cannot_hold_is_structured(event: Event, structured: bool) -> None:
    """The whole event is in the data then, and one attribute says so."""
    message = message_of(event)
    found = message["attributes"].get("content-type")
    assert (found == "application/cloudevents+json") == structured
    assert len(message["attributes"]) <= 100


@each_row("data", [None, b"", "", "AAEC", b"AAEC", [], {}, 0, False])
def test_data_keeps_its_kind(data: Any) -> None:
    """None, bytes and JSON are told apart, also where they are empty."""
    (message,) = oracle.read(run(Publish("orders", (EVENT._replace(data=data),)), ids(1)).sent[0])\
        .messages  # fmt: skip
    found = received(message).data
    assert (found, type(found)) == (data, type(data))


def test_an_event_has_an_ordering_key_only_if_it_was_given_one() -> None:
    """And it stands among the attributes too, so that a receiver knows it."""
    assert "orderingKey" not in message_of(EVENT)
    message = message_of(EVENT._replace(ordering_key="k"))
    assert (message["orderingKey"], message["attributes"]["ce-partitionkey"]) == ("k", "k")


@pytest.mark.parametrize("keys", [("a", "b"), ("a", None), (None, "a")])
def test_two_ordering_keys_are_refused_before_anything_is_sent(keys: tuple[Any, ...]) -> None:
    """Pub/Sub would refuse the request."""
    call = Publish("orders", tuple(EVENT._replace(ordering_key=key) for key in keys))
    with pytest.raises(InvalidRequest, match="each ordering key by themselves") as raised:
        run(call)
    assert raised.value.field == "events[1].ordering_key"


@each_row(
    "bus", ["ab", "1ab", "-ab", "goog", "google-events", "a/b", "../x", "a:b", "a?b", "a b",
            "\u00e4bc", "x" * 256, "a\n"],
)  # fmt: skip
def test_a_bus_that_is_no_topic_is_refused_before_anything_is_sent(bus: str) -> None:
    """The message names the field and the remedy."""
    with pytest.raises(InvalidRequest, match="letters, digits") as raised:
        run(Publish(bus, (EVENT,)))
    assert raised.value.field == "bus"


@each_row("bus", ["abc", "orders", "a-b_c.d~e+f%g", "x" * 255, "go0gle"])
def test_a_topic_stands_in_the_path(bus: str) -> None:
    """As google-cloud-pubsub writes it there."""
    (request,) = run(Publish(bus, (EVENT,)), ids(1)).sent
    topic = f"projects/shop/topics/{bus}"
    theirs = oracle.by_pubsub(REQUEST(topic=topic, messages=[{"data": b"x"}]))
    assert oracle.by_leeward(request).path == theirs.path
    assert request.target == f"/v1/projects/shop/topics/{bus.replace('%', '%25')}:publish"


def test_no_credential_is_fetched_for_an_emulator() -> None:
    """Nobody could give one, and it takes anybody."""
    door = Events("http://127.0.0.1:8085", emulator=True), "shop"
    played = run(CALL, ids(1), door=door)
    assert (played.needed, played.result.outcome) == ([], Outcome.OK)
    assert played.sent[0].origin == "http://127.0.0.1:8085"
    assert headers_of(played.sent[0])["authorization"] == "Bearer owner"
    assert run(CALL, ids(1)).needed == [ACCESS_TOKEN]


@pytest.mark.parametrize("key", [None, "k" * 1024])
@pytest.mark.parametrize("retries", ["1", 1], ids=["binary", "structured"])
def test_as_much_as_is_declared_is_one_request(key: str | None, retries: Any) -> None:
    """The most and the largest events that a request may hold stay below 10 MB."""
    event = EVENT._replace(ordering_key=key, extensions={"retries": retries}, data="")
    empty = len(json_text.encode(cloudevents.to_json(event)))
    most = LIMITS.batch_events
    full = event._replace(data="x" * (LIMITS.batch_bytes // most - empty))
    body = run(Publish("orders", (full,) * most), ids(most)).sent[0].body
    assert len(body) < 10_000_000


# What comes back.


def test_every_event_has_a_result() -> None:
    """One for each, in order."""
    result = run(Publish("orders", (EVENT,) * 3), ids(3)).result
    assert result.outcome is Outcome.OK
    assert [each.outcome for each in result.value] == [Outcome.OK] * 3


@each_row(
    "body",
    [
        b"", b"<html>", b"[]", b"null", b"{", b"{}", b'{"messageIds":null}', b'{"messageIds":[]}',
        b'{"messageIds":["1"]}', b'{"messageIds":["1","2","3"]}', b'{"messageIds":["1",2]}',
        b'{"messageIds":["1",""]}', b'{"messageIds":{"0":"1","1":"2"}}',
    ],
)  # fmt: skip
def test_an_answer_without_an_id_for_each_is_ambiguous(body: bytes) -> None:
    """It was carried out, and what came of it is not known."""
    result = run(Publish("orders", (EVENT,) * 2), answer(body)).result
    assert (result.outcome, result.executed) == (Outcome.AMBIGUOUS, True)
    assert (result.reason, result.value) == ("undecodable", None)


@each_row(
    "response, outcome, reason",
    [
        (refusal("NOT_FOUND", 404), Outcome.NOT_FOUND, None),
        (refusal("PERMISSION_DENIED", 403), Outcome.AUTH, None),
        (refusal("FAILED_PRECONDITION", 400), Outcome.UNUSABLE, "failed_precondition"),
        (refusal("RESOURCE_EXHAUSTED", 429), Outcome.REJECTED, None),
        (refusal("UNAVAILABLE", 503), Outcome.AMBIGUOUS, None),
    ],
)
def test_a_refusal_is_of_the_whole_request(
    response: Response, outcome: Outcome, reason: str | None
) -> None:
    """A topic takes all messages of a request, or none."""
    result = run(CALL, response).result
    assert (result.outcome, result.reason, result.value) == (outcome, reason, None)


def test_a_lost_answer_is_ambiguous() -> None:
    """The plan ends with what the failure proves."""
    gone = Failure(Phase.RECEIVE, sent=True, code="curl.56")
    assert run(CALL, gone).result.outcome is Outcome.AMBIGUOUS


def test_a_fresh_token_is_tried_once() -> None:
    """The one that was refused may have been over."""
    stale = refusal("UNAUTHENTICATED", 401)
    played = run(CALL, stale, ids(1))
    assert played.result.outcome is Outcome.OK
    assert [headers_of(each)["authorization"] for each in played.sent] == [
        "Bearer token-of-the-tests",
        "Bearer fresh-token-of-the-tests",
    ]
    assert run(CALL, stale, stale).result.outcome is Outcome.AUTH


def test_no_data_is_shown() -> None:
    """Neither the request nor a result gives away what was published."""
    event = EVENT._replace(data="secret-of-the-tests", id="id-1")
    played = run(Publish("orders", (event,)), refusal("INVALID_ARGUMENT", 400, "secret-of-the-"))
    assert "secret" not in repr(played.result)
    assert "token" not in repr(played.sent)


def test_document_of_a_request_is_compact_json() -> None:
    """One request, one JSON object with the messages."""
    (request,) = run(CALL, ids(1)).sent
    assert list(document(request)) == ["messages"]
