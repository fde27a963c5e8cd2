from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from leeward import cloudevents, json_text
from leeward._http.messages import Failure, Response
from leeward.calls import Publish
from leeward.errors import InvalidRequest, Outcome
from leeward.values import Event
from leeward_contract_tests.rows import each_row
from leeward_google.driver import LIMITS
from leeward_google.events.plans import events, message_of
from leeward_google.settings.services import Events
from tests.google import oracle
from tests.google.playing import answer, headers_of, play, refusal

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


# What goes out.


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


def test_no_data_is_shown() -> None:
    """Neither the request nor a result gives away what was published."""
    event = EVENT._replace(data="secret-of-the-tests", id="id-1")
    played = run(Publish("orders", (event,)), refusal("INVALID_ARGUMENT", 400, "secret-of-the-"))
    assert "secret" not in repr(played.result)
    assert "token" not in repr(played.sent)
