"""All targets down, a network of one's own, and payloads that harm."""

from __future__ import annotations

import pytest

from leeward._routing.circuit import CircuitState
from leeward._routing.commands import BeginHeartbeat, TimedAttempt
from leeward._routing.policy import DEFAULT
from leeward.adapter import NO_NETWORK, Delete, Invoke, Key, Load, Publish, Result, Store
from leeward.errors import Outcome
from leeward.values import Event
from tests.routing.health_kit import (
    HARMLESS,
    OTHER,
    World,
    attempt,
    fail,
    opened,
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


def test_no_network_is_not_held_against_the_targets() -> None:
    """All at once, for a cause on this side: one call a second looks, and then all is as it was."""
    world = World()
    world.calls(3)
    ours = Result(Outcome.NOT_SENT, reason=NO_NETWORK)
    world.answers = {"a": ours, "b": ours}
    world.call()
    assert not world.health.circuits.unclosed
    assert world.health.network.outage is not None
    refused = world.call()
    assert (refused.reason, refused.attempts) == ("local_outage", ())
    world.now += DEFAULT.local_probe
    assert world.call().attempts
    world.answers.clear()
    world.now += DEFAULT.local_probe
    assert world.call().target == "a"
    assert not world.watchful
    assert world.calls(5) == "aaaaa"
    assert world.told().count("local_outage") == 2


def test_a_call_that_looks_for_a_network_asks_every_target() -> None:
    """The first one may be ill for a reason of its own when the network is there again."""
    world = World()
    world.calls(5)
    world.answers = dict.fromkeys("ab", Result(Outcome.NOT_SENT, reason=NO_NETWORK))
    world.calls(3)
    assert world.health.network.outage is not None
    world.answers = {"a": Outcome.REJECTED}
    world.now += DEFAULT.local_probe
    assert world.calls(1) == "b"
    assert world.health.network.outage is None


def test_what_opened_in_an_outage_of_our_own_closes_soon() -> None:
    """Each at a time of its own, without a ramp."""
    world = opened(World("abc"))
    ours = Result(Outcome.NOT_SENT, reason=NO_NETWORK)
    for target in "abc":
        lost = TimedAttempt(attempt(target), world.now, world.now)
        world.health.fail(lost, ours.outcome, ours.reason)
    assert world.health.network.outage is not None
    world.answers.clear()
    world.now += DEFAULT.local_probe
    world.call()
    world.now += DEFAULT.local_stagger
    assert world.call().target == "a"
    assert world.state("a") is CircuitState.CLOSED


def test_one_target_without_a_route_is_that_targets() -> None:
    """With a success elsewhere in between, it is not the whole network."""
    world = World()
    world.answers["a"] = Result(Outcome.NOT_SENT, reason=NO_NETWORK)
    assert world.calls(50, every=0.01) == "b" * 50
    assert world.health.network.outage is None
    assert world.state("a") is CircuitState.OPEN


def test_a_network_that_comes_and_goes_opens_no_circuit() -> None:
    """Only the first failure of each target is taken for its own when something has gone well."""
    world = World()
    for _ in range(10):
        world.answers = dict.fromkeys("ab", Result(Outcome.NOT_SENT, reason=NO_NETWORK))
        world.calls(10, every=0.01)
        world.answers.clear()
        world.now += DEFAULT.local_probe
        world.calls(30, every=0.01)
    assert not world.health.circuits.unclosed


# Payloads.


def poisoned(world: World) -> Invoke:
    """Let one payload be unknown on both targets, which serve others well; return it."""
    world.calls(5)
    world.calls(5, HARMLESS._replace(function="h"))
    bad = HARMLESS._replace(payload=b"poison")
    for target in "ab":
        world.health.circuits.get((target, "invoke", "f")) or world.health.add(target, bad)
        world.health.succeed(attempt(target), world.now - 0.1, world.now)
        fail(world.health, target, Outcome.AMBIGUOUS, world.now, call=bad)
    return bad


def test_a_payload_that_harmed_two_targets_is_refused() -> None:
    """For ten minutes, without a request; other payloads are not concerned."""
    world = World()
    bad = poisoned(world)
    assert "poison_suspected" in world.told()
    refused = world.call(bad)
    assert (refused.outcome, refused.reason) == (Outcome.AMBIGUOUS, "poison_suspected")
    assert refused.attempts == ()
    assert world.call().outcome is Outcome.OK
    world.now += DEFAULT.poison_hold
    assert world.call(bad).outcome is Outcome.OK
    assert world.health.poison.quarantined == 0


def test_a_payload_that_went_well_is_harmless() -> None:
    """A constant payload is not refused because two attempts of it were unlucky."""
    world = World()
    bad = poisoned(world)
    world.health.poison.note_success(bad, world.now)
    assert world.health.poison.quarantined == 0
    world.health.circuits.review()
    assert world.call(bad).outcome is Outcome.OK


def test_what_went_well_after_a_failure_is_no_work_any_more() -> None:
    """It is remembered as harmless for as long as its failure counts; then it begins anew."""
    world = World()
    world.calls(3)
    fail(world.health, "a", Outcome.REJECTED, world.now)
    poison = world.health.poison
    assert poison is not None
    assert (world.careful, poison.doubtful) == (True, 1)
    world.call()
    world.call()
    assert (world.careful, poison.doubtful, len(poison)) == (False, 0, 1)
    counted = []
    for _ in range(2):
        counted.append([_counts_again(world) for _ in range(4)])
        world.now += DEFAULT.poison_window + 1
    assert counted == [[True] * 4, [True, True, False, False]]


def _counts_again(world: World) -> bool:
    circuit = world.health.circuits["a", "invoke", "f"]
    circuit.failed, circuit.good_at = 0.0, world.now + 0.05
    fail(world.health, "a", Outcome.REJECTED, world.now)
    return circuit.failed > 0


def test_a_short_illness_of_all_targets_refuses_no_payload() -> None:
    """One that every call carries would be refused for ten minutes after half a second."""
    world = World()
    world.calls(50)
    world.health.add("b", HARMLESS).good_at = world.now
    world.answers.update(a=Outcome.AMBIGUOUS, b=Outcome.AMBIGUOUS)
    assert world.call().outcome is Outcome.AMBIGUOUS
    world.answers.clear()
    world.now += 1.0
    assert world.call().outcome is Outcome.OK


def test_one_payload_does_not_open_a_circuit() -> None:
    """Two failures a minute of it count, as long as others go well."""
    world = World()
    bad = HARMLESS._replace(payload=b"poison")
    for _ in range(30):
        fail(world.health, "a", Outcome.REJECTED, world.now, call=bad)
        world.health.succeed(attempt("a"), world.now, world.now + 0.1)
        world.now += 0.2
    assert not world.health.circuits.unclosed


def test_the_same_payload_from_everybody_does_open_one() -> None:
    """Where nothing else goes well, its failures are like any other."""
    world = World()
    for number in range(5):
        fail(world.health, "a", Outcome.REJECTED, world.now + number)
    assert world.health.circuits.unclosed


def test_payloads_are_forgotten() -> None:
    """At most so many are remembered, the oldest go first."""
    world = World(policy=DEFAULT._replace(poison_entries=3))
    for number in range(10):
        call = HARMLESS._replace(payload=b"%d" % number)
        fail(world.health, "a", Outcome.REJECTED, world.now, call=call)
    assert len(world.health.poison) == 3


def test_a_failure_of_long_ago_is_no_work_any_more() -> None:
    """Successes are looked at as long as payloads are suspected, and no longer; so are choices."""
    world = World()
    bad = poisoned(world)
    assert (world.careful, world.watchful) == (True, True)
    world.now += DEFAULT.poison_window + 1
    world.call(OTHER)
    assert world.health.poison, "still refused"
    world.now += DEFAULT.poison_hold
    world.call(OTHER)
    assert not world.health.poison
    assert (world.careful, world.watchful) == (False, False)
    assert world.call(bad).outcome is Outcome.OK


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


@pytest.mark.parametrize(
    ("call", "known"),
    [
        (Publish("b", (Event("t", {"x": 1}, id="1", source="s"),)), True),
        (Publish("b", (Event("t", id="1", source="s"), Event("t", id="2", source="s"))), False),
        (Store("t", Key(("id",), ("1",)), {}, "w", 0.0), False),
        (Load("t", Key(("id",), ("1",))), False),
        (Delete("t", Key(("id",), ("1",)), 0.0), False),
    ],
)
def test_which_payloads_can_be_known(call: Publish | Store | Load | Delete, known: bool) -> None:
    """Those that may go to several targets, one at a time."""
    world = World()
    fail(world.health, "a", Outcome.REJECTED, world.now, call=call)
    assert len(world.health.poison) == known
    world.health.poison.note_success(call, world.now)
    assert not world.health.poison.is_refused(call, world.now)
