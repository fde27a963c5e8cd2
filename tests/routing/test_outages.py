"""All targets down."""

from __future__ import annotations

from leeward._routing.commands import BeginHeartbeat
from leeward._routing.policy import DEFAULT
from leeward.errors import Outcome
from tests.routing.health_kit import (
    World,
    fail,
)

# All down, and us.


def test_all_down_fails_at_once_and_one_probe_looks() -> None:
    """No time-out is waited for; the first target that answers takes everything."""
    world = World()
    world.answers = dict.fromkeys("ab", Outcome.NOT_SENT)
    world.calls(60)
    assert "all_down" in world.told()
    while world.call().attempts:
        world.now += 0.01
    sent = len(world.sent)
    refused = world.call()
    assert (refused.reason, refused.target, len(world.sent)) == ("all_down", None, sent)
    assert refused.retry_after is not None
    world.answers.clear()
    world.now += DEFAULT.hold_all_down * 1.2
    assert world.call().attempts[0].reason == "probe"
    assert world.circuit("a").stage == len(DEFAULT.ramp) - 1
    answered = world.calls(20, every=0.01)
    assert "-" not in answered


# Payloads.


def test_a_heartbeat_begins_while_there_is_something_to_weigh() -> None:
    """As it does on a quiet day: a failure now and then is when waits have to be measured."""
    world = World()
    world.calls(30)
    world.health.heartbeat.begin(world.now)
    world.health.heartbeat.end()
    world.health.outbox.clear()
    for _ in range(20):
        fail(world.health, "a", Outcome.REJECTED, world.now)
        world.calls(30)
    assert any(isinstance(item, BeginHeartbeat) for item in world.health.outbox)
