from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest

from tests.servers.answering import Answer, AnsweringServer, Executed
from tests.servers.google import tokens
from tests.servers.google.asking import Said, ask
from tests.servers.google.clients import ONCE, refusal
from tests.servers.google.pubsub import PubSub


@pytest.fixture
def topic(pubsub: PubSub) -> str:
    """Return the name of a topic of its own."""
    return pubsub.add_topic(f"topic-{uuid4().hex}")


@pytest.fixture
def subscription(pubsub: PubSub, topic: str) -> str:
    """Return the name of a subscription to it, which keeps the order of keys."""
    short = topic.rpartition("/")[2]
    return pubsub.subscribe(short, short, enable_message_ordering=True)


def _publish(publisher: Any, topic: str, *messages: dict[str, Any]) -> list[str]:
    found = publisher.publish(topic=topic, messages=list(messages), **ONCE)
    return list(found.message_ids)


def _pull(subscriber: Any, subscription: str, most: int = 10) -> list[Any]:
    pulled = subscriber.pull(subscription=subscription, max_messages=most, **ONCE)
    return list(pulled.received_messages)


def _said(pubsub: PubSub, topic: str, body: object) -> Said:
    token = tokens.mint_access_token(pubsub.clock() + 60)
    return ask(pubsub.address, "POST", f"/v1/{topic}:publish", body, token=token)


def test_a_key_keeps_its_order(
    publisher: Any, subscriber: Any, topic: str, subscription: str
) -> None:
    """Nothing of a key comes while something before it is out."""
    _publish(publisher, topic, *({"data": b"%d" % n, "ordering_key": "k"} for n in range(3)))
    _publish(publisher, topic, {"data": b"other"})
    assert [each.message.data for each in _pull(subscriber, subscription, 1)] == [b"0"]
    assert [each.message.data for each in _pull(subscriber, subscription)] == [b"other"]


@pytest.mark.parametrize(
    "messages",
    [
        [],
        [{"data": b"x"}] * 1001,
        [{}],
        [{"ordering_key": "k"}],
        [{"data": bytes(10_000_001)}],
        [{"data": bytes(5_000_001)}] * 2,
        [{"data": b"x", "attributes": {"k" * 257: "v"}}],
        [{"data": b"x", "attributes": {"k": "v" * 1025}}],
        [{"data": b"x", "attributes": {"k": "\u00fc" * 513}}],
        [{"data": b"x", "attributes": {"": "v"}}],
        [{"data": b"x", "attributes": {"googclient": "v"}}],
        [{"data": b"x", "attributes": {str(n): "v" for n in range(101)}}],
        [{"data": b"x", "ordering_key": "k" * 1025}],
        [{"data": b"x", "ordering_key": "k"}, {"data": b"x"}],
        [{"data": b"x", "message_id": "1"}],
    ],
    ids=lambda messages: None,
)
def test_what_is_beyond_a_limit_is_refused_whole(
    pubsub: PubSub, publisher: Any, topic: str, messages: list[dict[str, Any]]
) -> None:
    """Nothing of the request is accepted."""
    before = len(pubsub.published)
    found = refusal(lambda: _publish(publisher, topic, *messages))
    assert found == (400, "INVALID_ARGUMENT")
    assert len(pubsub.published) == before


@pytest.mark.parametrize(
    "body",
    [
        {"messages": [{"data": "eA==", "orderingkey": "k"}]},
        {"messages": [{"data": "eA=="}], "topic": {}},
        {"messages": [{"data": "%%"}]},
        {"messages": [{"data": "eA==", "attributes": {"k": 1}}]},
        {"messages": {"data": "eA=="}},
        {"events": []},
        [],
        b"{",
        b"\xff",
        b'{"messages": [{"data": "eA==", "data": "eQ=="}]}',
    ],
    ids=str,
)
def test_a_field_that_is_not_there_is_refused(pubsub: PubSub, topic: str, body: object) -> None:
    """The body is read by Google's own class, and anything else in it fails."""
    said = _said(pubsub, topic, body)
    assert (said.status, said.json["error"]["status"]) == (400, "INVALID_ARGUMENT")


class Pushed:
    """A server that messages are pushed to, and what it answers, in turn; 204 in the end."""

    def __init__(self, *statuses: int) -> None:
        self._statuses = list(statuses)
        self.server = AnsweringServer(self._answered)

    def _answered(self, _request: Executed) -> Answer:
        return Answer(self._statuses.pop(0) if self._statuses else 204)


@pytest.fixture
def pushed(request: pytest.FixtureRequest) -> Iterator[Pushed]:
    """Give a server that answers what the test's parameter tells."""
    found = Pushed(*getattr(request, "param", ()))
    with found.server:
        yield found


def _pushing(pubsub: PubSub, topic: str, config: dict[str, Any]) -> str:
    short = topic.rpartition("/")[2]
    return pubsub.subscribe(short, short, push_config=config, enable_message_ordering=True)


@pytest.mark.parametrize("pushed", [(500, 429)], indirect=True)
def test_what_is_not_taken_is_pushed_again(
    pubsub: PubSub, publisher: Any, topic: str, pushed: Pushed
) -> None:
    """It comes until it is taken; what has the same key waits."""
    _pushing(pubsub, topic, {"push_endpoint": pushed.server.url})
    _publish(publisher, topic, *({"data": b"%d" % n, "ordering_key": "k"} for n in range(3)))
    pushed.server.wait_until(lambda: pushed.server.count == 5)
    assert [_data(each) for each in pushed.server.executed] == [
        "MA==",
        "MA==",
        "MA==",
        "MQ==",
        "Mg==",
    ]


def _data(request: Executed) -> str:
    data: str = json.loads(request.body)["message"]["data"]
    return data
