from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest

from tests.servers.google import tokens
from tests.servers.google.asking import Said, ask
from tests.servers.google.clients import ONCE, refusal
from tests.servers.google.pubsub import PubSub


@pytest.fixture
def topic(pubsub: PubSub) -> str:
    """Return the name of a topic of its own."""
    return pubsub.add_topic(f"topic-{uuid4().hex}")


def _publish(publisher: Any, topic: str, *messages: dict[str, Any]) -> list[str]:
    found = publisher.publish(topic=topic, messages=list(messages), **ONCE)
    return list(found.message_ids)


def _said(pubsub: PubSub, topic: str, body: object) -> Said:
    token = tokens.mint_access_token(pubsub.clock() + 60)
    return ask(pubsub.address, "POST", f"/v1/{topic}:publish", body, token=token)


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
