"""Details of the evidence, one by one: what a small change of the code would break."""

from __future__ import annotations

import pytest

from leeward._routing.attempts import Core
from leeward._routing.call import begin
from leeward._routing.circuit import CircuitState
from leeward._routing.commands import ProbeTarget, TimedAttempt
from leeward._routing.execution import execute
from leeward._routing.outcomes import rules_of
from leeward._routing.policy import DEFAULT
from leeward._routing.snapshot import snapshot_of, suggest
from leeward.calls import Invoke, Key, Publish, Result, Store
from leeward.errors import Outcome
from leeward.values import Effect, Event
from tests.routing.health_kit import (
    HARMLESS,
    OTHER,
    UNSAFE,
    World,
    attempt,
    fail,
    half,
    healed,
    opened,
)


def begun_timeout(world: World, call: Invoke) -> float:
    (command,) = begin(world.core, call, world.now, 10.0)[1]
    return command.timeout  # type: ignore[union-attr]


def test_a_call_with_one_target_is_not_cut_off() -> None:
    """Giving up earlier helps only where the call may go elsewhere."""
    for order, most in (("a", 9.5), ("ab", 1.0)):
        world = World(order)
        world.calls(2 * DEFAULT.cut_off_answers)
        assert begun_timeout(world, HARMLESS) <= most
        assert (begun_timeout(world, HARMLESS) == 9.5) is (order == "a")
        assert begun_timeout(world, UNSAFE) == 10.0


def test_every_success_is_counted_once_in_the_baseline() -> None:
    """Whether or not there was something to weigh."""
    world = World()
    world.calls(5)
    fail(world.health, "a", Outcome.REJECTED, world.now)
    world.calls(5)
    latency = world.circuit("a", resource="f").latency
    assert (sum(latency.counts), latency.total) == (10, 10)
    assert max(latency.counts) == 10
    fail(world.health, "a", Outcome.REJECTED, world.now)
    world.calls(DEFAULT.baseline_answers - 11)
    assert latency.usual == 0
    fail(world.health, "a", Outcome.REJECTED, world.now)
    world.calls(1)
    assert latency.usual > 0


def test_the_last_one_is_gone_as_soon_as_it_opens() -> None:
    """No call is let through to find out."""
    world = World("a")
    number = 0
    while not world.health.circuits.unclosed:
        number += 1
        fail(world.health, "a", Outcome.REJECTED, world.now + number)
    circuit = world.circuit("a", resource="f")
    assert (number, circuit.gone) == (DEFAULT.last_failures, True)


def test_only_the_same_verb_of_the_same_target_is_a_neighbour() -> None:
    """A function that fails elsewhere is no evidence here."""
    world = World()
    fail(world.health, "b", Outcome.REJECTED, world.now, call=OTHER)
    for _ in range(5):
        fail(world.health, "a", Outcome.REJECTED, world.now)
    assert world.circuit("a").failed == 0


def test_what_others_saw_holds_for_functions_too() -> None:
    """One failure of the function's own is enough."""
    world = World()
    item = {"written_at": 5.0, "open_until": {"a": 9.0}}
    world.call(OTHER)
    suggest(world.health.circuits, [item], 6.0, world.now)
    assert world.circuit("a", resource="g").uneasy
    world.answers["a"] = Outcome.REJECTED
    world.call()
    assert world.state("a", "f") is CircuitState.OPEN


def test_a_forgotten_circuit_is_not_watched_for() -> None:
    """Calls go on as if it had never been."""
    world = World(policy=DEFAULT._replace(most_circuits=4))
    fail(world.health, "a", Outcome.UNUSABLE, world.now)
    assert world.watchful
    world.now += 2 * DEFAULT.hold_unusable  # until then it would be the last to be forgotten
    for number in range(20):
        call = HARMLESS._replace(function=f"f{number}")
        world.health.start("a", call, world.now + number)
    watched = bool(world.health.circuits.unclosed), world.watchful
    assert watched == (False, False)


def test_an_old_probe_that_is_cancelled_frees_no_lease() -> None:
    """Another one is under way by then."""
    world = healed(opened(World()))
    world.call()
    circuit = world.circuit("a")
    circuit.leased_until = world.now + 5.0
    world.health.end_probe(attempt("a", epoch=circuit.epoch - 1, reason="probe"), world.now)
    world.health.end_probe(attempt("a", reason="first"), world.now)
    assert circuit.leased_until == world.now + 5.0
    world.health.end_probe(attempt("a", epoch=circuit.epoch, reason="probe"), world.now)
    assert (circuit.leased_until, circuit.due) == (0.0, world.now + DEFAULT.probe_gap)


def test_what_is_seen_of_a_circuit() -> None:
    """Seconds count down to zero; a ramp has none."""
    world = opened(World())
    until = world.circuit("a").until
    (status,) = world.health.evidence("a", until - 2.0).circuits
    assert status[:3] == ("invoke", "", "open")
    assert status.seconds == pytest.approx(2.0)
    assert world.health.evidence("a", until + 2.0).circuits[0].seconds == 0.0
    world.health.circuits.restore("a", until)
    assert world.health.evidence("a", until).circuits[0].seconds is None
    assert world.health.evidence("b", until).circuits == ()


def test_how_long_to_wait_when_all_are_down() -> None:
    """Until the first of them may be probed."""
    world = World()
    world.answers = dict.fromkeys("ab", Outcome.NOT_SENT)
    world.calls(60)
    for target, seconds in (("a", 7.0), ("b", 3.0)):
        for circuit in (world.circuit(target), world.circuit(target, resource="f")):
            circuit.open(DEFAULT, world.now, half, "x", hold=seconds)
            world.health.circuits.unclosed[circuit] = None
    assert world.call().retry_after == pytest.approx(3.0)
    world.circuit("b", resource="f").until = world.now + 5.0
    assert world.call().retry_after == pytest.approx(5.0)


def test_all_holds_are_cut_when_the_last_one_opens() -> None:
    """Of those that are open; one that is half open keeps its lease."""
    world = opened(World("abc"))
    world.circuit("a").until = world.now + 1000.0
    fail(world.health, "b", Outcome.NOT_SENT, world.now)
    other = world.circuit("b")
    other.half_open(world.now)
    other.until = world.now + 1000.0
    world.health.circuits.unclosed[other] = None
    for number in range(DEFAULT.last_failures + 1):
        fail(world.health, "c", Outcome.NOT_SENT, world.now + number)
    assert world.state("c") is CircuitState.OPEN
    assert world.circuit("a").until < world.now + 100.0
    assert other.until == world.now + 1000.0


IN_ORDER = Event("t", ordering_key="k")


def test_what_the_effects_allow() -> None:
    """The same target, others, the first only, a read-back, an early end, a question, an order."""
    keyed = HARMLESS._replace(effect=Effect.KEYED)
    expected = {
        UNSAFE: (False, False, False, False, False, False, False),
        UNSAFE._replace(settles=True): (False, False, False, False, False, True, False),
        HARMLESS: (True, True, False, False, True, False, False),
        HARMLESS._replace(settles=True): (True, True, False, False, True, False, False),
        keyed: (True, False, True, False, False, False, False),
        keyed._replace(settles=True): (True, False, True, False, False, True, False),
        keyed._replace(shared_dedup=True): (True, True, False, False, False, False, False),
    }
    assert {call: tuple(rules_of(call)) for call in expected} == expected
    store = Store("t", Key(("id",), ("1",)), {}, "w", 0.0)
    assert tuple(rules_of(store)) == (True, False, False, True, False, False, False)
    for events, ordered in (((), False), ((Event("t"),), False), ((IN_ORDER,), True)):
        assert tuple(rules_of(Publish("bus", events))) == (True, True, *[False] * 4, ordered)


def test_holds_are_cut_with_jitter() -> None:
    """By a fifth at most, up and down."""
    for random, factor in ((0.0, 0.8), (1.0, 1.2), (0.5, 1.0)):
        world = World("a")
        world.health.circuits.random = lambda random=random: random  # type: ignore[misc]
        for number in range(DEFAULT.last_failures):
            fail(world.health, "a", Outcome.NOT_SENT, 100.0 + number)
        circuit = world.circuit("a")
        assert circuit.until - circuit.opened_at == pytest.approx(DEFAULT.hold_all_down * factor)


def test_an_eighth_is_forgotten_at_a_time() -> None:
    """Of the circuits of single functions, the ones used longest ago."""
    world = World("a", policy=DEFAULT._replace(most_circuits=17))
    for number in range(17):
        world.health.start("a", HARMLESS._replace(function=f"f{number}"), 100.0 + number)
    kept = [key[2] for key in world.health.circuits if len(key) > 2]
    assert kept == [f"f{number}" for number in range(2, 17)]


def test_a_weak_ramp_begins_a_new_epoch() -> None:
    """What was sent before is not evidence on it."""
    world = healed(opened(World()))
    before = world.health.circuits.epoch
    world.call(UNSAFE)
    circuit = world.circuit("a")
    assert (circuit.stage, circuit.epoch) == (-1, world.health.circuits.epoch)
    assert circuit.epoch == before + 2, "half open, and its ramp"
    assert world.told()[-2:] == ["half_open", "ramp"]


def test_a_target_that_is_asked_to_look_takes_no_call() -> None:
    """Not even where it would be the only one of the order that is not tried."""
    world = healed(opened(World()))
    world.health.records["a"].probes = True
    assert world.calls(10, UNSAFE, every=0.01) == "b" * 10


def test_a_failed_probe_of_a_driver_tells_its_hold() -> None:
    """As every opening does."""
    world = healed(opened(World()))
    world.health.records["a"].probes = True
    world.call(UNSAFE)
    (probe,) = [each for each in world.health.outbox if isinstance(each, ProbeTarget)]
    world.health.outbox.clear()
    world.core.health.circuits.take_probe(probe, Outcome.NOT_SENT, world.now, fidelity="data_plane")
    (told,) = world.health.outbox
    assert (told.name, told.reason, told.facts) == ("opened", "probe_failed", {"seconds": 10.0})


def test_how_long_others_are_told_to_be_careful() -> None:
    """As long as the circuit is open, but not for ever."""
    world = opened(World())
    circuit = world.circuit("a")
    for hold, told in ((50.0, 50.0), (5000.0, DEFAULT.shared_age)):
        circuit.until = world.now + hold
        item = snapshot_of(world.health.circuits, 1000.0, world.now)
        assert item == {"written_at": 1000.0, "open_until": {"a": 1000.0 + told}}


def test_a_suggestion_is_one_failure_short_of_a_trip() -> None:
    """And leaves circuits alone that are not closed, or of another target."""
    world = opened(World("abc"))
    world.calls(2, OTHER)
    world.health.add("b", OTHER)
    item = {"written_at": 5.0, "open_until": {"a": 9.0}}
    before = world.circuit("a").failed
    suggest(world.health.circuits, [item], 6.0, world.now)
    prepared = DEFAULT.trip_score - world.health.circuits.ratios.failure
    assert world.health.records["a"].prepared == prepared
    assert world.circuit("a").failed == before
    assert world.circuit("b").failed == 0
    assert world.health.add("a", HARMLESS._replace(function="new")).failed == prepared


def test_a_success_notes_when_it_was() -> None:
    """Of the function and of the verb; and nothing is pending then."""
    world = World()
    fail(world.health, "a", Outcome.REJECTED, 100.0)
    world.health.start("a", HARMLESS, 101.0)
    world.health.succeed(attempt("a"), 101.0, 102.0)
    circuit = world.circuit("a", resource="f")
    assert (circuit.unanswered, circuit.good_at, circuit.wide.good_at) == (0, 102.0, 102.0)
    assert world.health.seen_at == 102.0


def test_a_loser_that_kept_to_its_bound_is_not_slow() -> None:
    """Above it is."""
    world = World()
    circuit = world.health.add("a", HARMLESS)
    circuit.slow_above = 0.5
    world.health.cancel(TimedAttempt(attempt("a"), 100.0, 100.5), overtaken=True)
    assert circuit.failed == 0
    world.health.cancel(TimedAttempt(attempt("a"), 100.0, 100.75), overtaken=True)
    assert circuit.failed > 0


def test_a_second_attempt_overtaken_is_measured_from_its_own_start() -> None:
    """The first one's slowness is not the second one's."""
    world = World()
    world.calls(DEFAULT.baseline_answers)
    world.core = Core(world.health, hedging=True)
    execution = execute(world.core, HARMLESS, world.now, 10.0)
    first, pause = next(execution)
    (second,) = execution.send((pause, world.now, world.now + 0.1, None))
    world.health.add("b", HARMLESS).slow_above = 0.5
    with pytest.raises(StopIteration) as end:
        execution.send((first, world.now, world.now + 0.55, Result.ok(None)))
    assert second.target == "b"
    assert [each.duration for each in end.value.value.attempts] == [pytest.approx(0.55)]
    assert world.circuit("b", resource="f").failed == 0
