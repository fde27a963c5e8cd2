"""An ordering key has one target: it leaves a target that fails, and no other."""

from __future__ import annotations

from random import Random
from typing import Final

import pytest

from leeward._routing.attempts import Core
from leeward._routing.circuit import CircuitState
from leeward._routing.circuits import ORDER_SHARES
from leeward._routing.commands import Dispatch
from leeward._routing.execution import execute
from leeward._routing.policy import DEFAULT
from leeward.calls import NO_PLACE, AttemptTime, Publish, Result
from leeward.errors import Outcome
from leeward.values import Event
from tests.routing.health_kit import LATENCY, World

OK: Final = Result.ok((Result.ok(None),))


def event(key: str | None) -> Publish:
    """Return the publishing of one event."""
    return Publish("bus", (Event("t", id="1", source="s", ordering_key=key),))


class Ordered:
    """A world in which keys are published, one event after the other, and what each has seen.

    Attributes:
        world: the core, the time and the targets.
        last: key to the target of its last event, and when its call ended.
        moves: key to how often its target has changed.
        lost: the keys whose last event was not taken.
        unexplained: what moved although its target had not failed.
    """

    def __init__(self, world: World) -> None:
        self.world = world
        self.last: dict[str, tuple[str, float]] = {}
        self.moves: dict[str, int] = {}
        self.lost: set[str] = set()
        self.unexplained: list[str] = []

    def publish(self, key: str, timeout: float = 5.0) -> str | None:
        """Publish an event of a key; return its target, if it was taken."""
        world, began = self.world, self.world.now
        before, ended_at = self.last.get(key, (None, began))
        excuse = before is None or self._has_failed(before, ended_at)
        excuse = excuse or key in self.lost or began > ended_at + timeout + DEFAULT.order_rest
        result = world.call(event(key), timeout)
        for attempt in result.attempts:
            if attempt.target != before and not excuse:
                self.unexplained.append(f"{key} from {before} to {attempt.target} at {began:.2f}")
            excuse = excuse or attempt.outcome is not Outcome.OK
        if result.outcome is not Outcome.OK or result.target is None:
            self.lost.add(key)
            return None
        self.lost.discard(key)
        self.moves[key] = self.moves.get(key, 0) + (result.target != before)
        self.last[key] = result.target, world.now
        return result.target

    def _has_failed(self, target: str, since: float) -> bool:
        """Return whether calls avoid a target, or have avoided it since then."""
        health = self.world.health
        circuits = health.circuits.of(target, event("k"))
        return health.records[target].isolated or any(
            circuit.silent
            or circuit.state in (CircuitState.OPEN, CircuitState.HALF_OPEN)
            or circuit.opened_at > since
            for circuit in circuits
        )


@pytest.mark.parametrize("fail_back", ["prefer_primary", "sticky", "manual"])
@pytest.mark.parametrize("weights", [{}, {"b": 0.2, "c": 0.1}])
def test_a_key_leaves_a_target_that_fails_and_no_other(
    fail_back: str, weights: dict[str, float]
) -> None:
    """Beside hedges, weights, ramps, probes, silence, an operator, and events that were kept."""
    for seed in range(6):
        random = Random(f"{fail_back}/{len(weights)}/{seed}")
        world = World("abc", fail_back=fail_back, weights=weights)
        world.core = Core(world.health, hedging=True)
        ordered = Ordered(world)
        world.answers = dict.fromkeys("abc", OK)
        kept: list[str] = []
        for step in range(2500):
            if step % 40 == 0:
                target, how = random.choice("abc"), random.random()
                ill = random.choice((Outcome.REJECTED, Outcome.NOT_SENT, Outcome.AMBIGUOUS))
                world.answers[target] = OK if how < 0.6 else Result(ill)
                world.took[target] = 20.0 if how > 0.95 else LATENCY
                if random.random() < 0.1:
                    world.health.circuits.isolate(target)
                elif random.random() < 0.5:
                    world.health.circuits.restore(target, world.now)
            world.now += random.choice((0.01, 0.05, 0.3))
            keys = kept or [f"k{random.randrange(12)}"]
            kept = [key for key in keys if ordered.publish(key) is None][:5]
        assert ordered.unexplained == []
        assert sum(ordered.moves.values()) > 12, "some have moved"


def test_a_slow_event_is_not_overtaken_by_those_behind_it() -> None:
    """No hedge asks another target, so a target gets the events of a key as they were published."""
    world = World()
    world.answers = dict.fromkeys("ab", OK)
    world.core = Core(world.health, hedging=True)
    world.calls(DEFAULT.baseline_answers, event("k"))
    (first,) = next(execute(world.core, event("k"), world.now, 10.0))
    assert isinstance(first, Dispatch)
    assert len(next(execute(world.core, event(None), world.now, 10.0))) == 2, "as others have"


def test_a_key_does_not_move_because_its_target_is_full() -> None:
    """It waits in that line alone, for as long as any call."""
    world = World()
    call = execute(world.core, event("k"), world.now, 10.0)
    (command,) = next(call)
    assert isinstance(command, Dispatch)
    assert isinstance(command.timeout, AttemptTime)
    assert not command.timeout.elsewhere
    assert command.timeout.wait == pytest.approx(7.5)
    with pytest.raises(StopIteration) as end:
        call.send((command, world.now, world.now, Result(Outcome.LOCAL, reason=NO_PLACE)))
    assert end.value.value.reason == NO_PLACE


def test_a_key_that_has_moved_stays_until_it_has_rested() -> None:
    """Its target of old is well again long before; keys that were never there stay with it."""
    world = World()
    world.answers = {"a": Result(Outcome.NOT_SENT), "b": OK}
    ordered = Ordered(world)
    assert [ordered.publish("k") for _ in range(9)] == ["b"] * 9
    world.answers["a"] = OK
    for _ in range(400):
        world.now += 0.5
        assert ordered.publish("k") == "b"
        world.call(event(None))
    assert not world.health.circuits.unclosed
    assert world.call(event("other")).target == "a"
    world.now += 5.0 + DEFAULT.order_rest + 0.1
    assert ordered.publish("k") == "a"
    assert world.health.circuits.places == {}


def test_a_key_goes_through_a_ramp_once() -> None:
    """In each stage the same keys are there, and more; a key is no probe."""
    world = World()
    world.answers = dict.fromkeys("ab", OK)
    world.took = dict.fromkeys("ab", 0.0)
    world.call(event("k"))
    world.health.circuits.restore("a", world.now)
    circuit = world.circuit("a", "publish")
    stages: list[set[str]] = []
    for stage in range(3):
        world.health.circuits.places.clear()
        world.health.circuits.begin_stage(circuit, stage, world.now)
        at_a = {key for key in map(str, range(300)) if world.call(event(key)).target == "a"}
        world.health.circuits.begin_stage(circuit, stage, world.now)
        assert all(world.call(event(key)).target == "a" for key in at_a)
        stages.append(at_a)
    assert stages[0] < stages[1] < stages[2]
    world.health.circuits.places.clear()
    world.health.circuits.half_open(circuit, world.now)
    assert world.call(event("new")).target == "b"


def test_a_key_is_no_look_at_a_silent_target() -> None:
    """Others wait there, one or two: its events would be on two targets."""
    world = World()
    world.answers = dict.fromkeys("ab", OK)
    world.calls(DEFAULT.baseline_answers, event(None))
    circuit = world.circuit("a", "publish", "bus")
    for doubted, targets in ((False, "bb"), (True, "aa")):
        world.health.circuits.places.clear()
        world.health.circuits.fall_silent(circuit, doubted=doubted)
        calls = [execute(world.core, event("k"), world.now, 10.0) for _ in targets]
        found = [next(call)[0].target for call in calls]
        assert "".join(found) == targets


def test_what_is_kept_of_keys_is_bounded() -> None:
    """Many keys share what is kept."""
    world = World()
    world.answers = {"a": Result(Outcome.REJECTED), "b": OK}
    for number in range(3 * ORDER_SHARES):
        world.call(event(f"key-{number}"))
    assert ORDER_SHARES / 2 < len(world.health.circuits.places) <= ORDER_SHARES
