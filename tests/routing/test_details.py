"""Details of the evidence, one by one: what a small change of the code would break."""

from __future__ import annotations

import pytest

from leeward.adapter import NO_NETWORK, Invoke
from leeward.errors import Outcome
from leeward.routing.by_hand import restore
from leeward.routing.call import (
    begin,
)
from leeward.routing.circuit import Circuit, State
from leeward.routing.evidence import Answered, weigh_failure
from leeward.routing.policy import DEFAULT
from leeward.routing.suggestion import suggest
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
    for order, most in (("a", 6.0), ("ab", 1.0)):
        world = World(order)
        world.calls(2 * DEFAULT.cut_off_answers)
        assert begun_timeout(world, HARMLESS) <= most
        assert (begun_timeout(world, HARMLESS) == 6.0) is (order == "a")
        assert begun_timeout(world, UNSAFE) == 10.0


def test_a_penalty_at_its_bound_counts() -> None:
    """From the bound on, not beyond it."""
    circuit = Circuit("a", "invoke", "", None, DEFAULT)
    circuit.penalty = DEFAULT.penalty_free - 1
    assert circuit.open(DEFAULT, 0.0, half, "x") == DEFAULT.hold_longest


def test_a_success_ends_the_suspicion_of_an_outage_of_our_own() -> None:
    """Before it has become one."""
    world = World()
    lost = Answered(attempt("a"), world.now, world.now)
    weigh_failure(world.health, lost, Outcome.NOT_SENT, NO_NETWORK)
    assert world.health.unreached == {"a": world.now}
    world.call()
    assert world.health.unreached == {}
    assert not world.health.careful


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
    while not world.health.unclosed:
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
    suggest(world.health, item, 6.0, world.now)
    assert world.circuit("a", resource="g").uneasy
    world.answers["a"] = Outcome.REJECTED
    world.call()
    assert world.state("a", "f") is State.OPEN


def test_a_forgotten_circuit_is_not_watched_for() -> None:
    """Calls go on as if it had never been."""
    world = World(policy=DEFAULT._replace(most_circuits=4))
    fail(world.health, "a", Outcome.UNUSABLE, world.now)
    assert world.health.watchful
    for number in range(20):
        call = HARMLESS._replace(function=f"f{number}")
        world.health.start("a", call, world.now + number)
    watched = bool(world.health.unclosed), world.health.watchful
    assert watched == (False, False)


def test_an_old_probe_that_is_cancelled_frees_no_lease() -> None:
    """Another one is under way by then."""
    world = healed(opened(World()))
    world.call()
    circuit = world.circuit("a")
    circuit.leased_until = world.now + 5.0
    world.health.give_up(attempt("a", epoch=circuit.epoch - 1, reason="probe"), world.now)
    world.health.give_up(attempt("a", reason="first"), world.now)
    assert circuit.leased_until == world.now + 5.0
    world.health.give_up(attempt("a", epoch=circuit.epoch, reason="probe"), world.now)
    assert (circuit.leased_until, circuit.due) == (0.0, world.now + DEFAULT.probe_gap)


def test_what_is_seen_of_a_circuit() -> None:
    """Seconds count down to zero; a ramp has none."""
    world = opened(World())
    until = world.circuit("a").until
    (status,) = world.health.evidence("a", until - 2.0).circuits
    assert status[:3] == ("invoke", "", "open")
    assert status.seconds == pytest.approx(2.0)
    assert world.health.evidence("a", until + 2.0).circuits[0].seconds == 0.0
    restore(world.health, "a", until)
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
            world.health.unclosed[circuit] = None
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
    world.health.unclosed[other] = None
    for number in range(DEFAULT.last_failures + 1):
        fail(world.health, "c", Outcome.NOT_SENT, world.now + number)
    assert world.state("c") is State.OPEN
    assert world.circuit("a").until < world.now + 100.0
    assert other.until == world.now + 1000.0
