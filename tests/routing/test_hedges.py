"""Hedges, as values: when a second target is asked beside the first, and what the loser shows."""

from __future__ import annotations

import pytest

from leeward._routing.attempts import Core
from leeward._routing.call import begin, step
from leeward._routing.commands import PauseEnded, TimedAttempt
from leeward._routing.policy import DEFAULT
from leeward.calls import Key, Load
from tests.routing.health_kit import HARMLESS, OTHER, UNSAFE, World, attempt, half


def hedging(order: str = "ab") -> World:
    """Return a world whose first target has a baseline, and that hedges."""
    world = World(order)
    world.calls(DEFAULT.baseline_answers)
    world.core = Core(world.health, hedging=True)
    return world


def test_a_hedge_waits_for_the_usual_time() -> None:
    """Then the next target that is well is asked, once."""
    world = hedging()
    state, (first, pause) = begin(world.core, HARMLESS, world.now, 10.0)
    assert (first.target, pause.hedge) == ("a", True)  # type: ignore[union-attr]
    assert pause.seconds == pytest.approx(0.05, rel=0.1)  # type: ignore[union-attr]
    state, (second,) = step(state, PauseEnded("a", hedge=True), world.now + 0.05, half)
    assert (second.target, second.reason, state.in_flight) == ("b", "hedge", (1, 2))  # type: ignore[union-attr]
    assert step(state, PauseEnded("a", hedge=True), world.now + 0.1, half) == (state, ())


def test_when_nothing_is_hedged() -> None:
    """Without a baseline, a second target, time, or a budget."""
    world = hedging("a")
    assert len(begin(world.core, HARMLESS, world.now, 10.0)[1]) == 1
    load = Load("t", Key(("id",), ("1",)))
    world.calls(DEFAULT.baseline_answers, load)
    _, commands = begin(world.core, load, world.now, 10.0)
    assert len(commands) == 2, "a load is asked of its home once more"
    for most, is_hedged in ((2, True), (1, False)):
        world.health.policy = DEFAULT._replace(max_attempts=most)
        state, _ = begin(world.core, load, world.now, 10.0)
        _, hedges = step(state, PauseEnded("a", hedge=True), world.now, half)
        assert bool(hedges) is is_hedged, "an attempt has to be left"
    world = hedging()
    assert len(begin(world.core, OTHER, world.now, 10.0)[1]) == 1
    assert len(begin(world.core, UNSAFE, world.now, 10.0)[1]) == 1
    state, _ = begin(world.core, HARMLESS, world.now, 10.0)
    assert step(state, PauseEnded("a", hedge=True), world.now + 9.95, half) == (state, ())
    ended = state._replace(in_flight=())
    assert step(ended, PauseEnded("a", hedge=True), world.now, half) == (ended, ())
    world.health.circuits.isolate("b")
    assert step(state, PauseEnded("a", hedge=True), world.now, half) == (state, ())
    assert len(begin(world.core, HARMLESS, world.now, 10.0)[1]) == 1


def test_hedges_have_a_budget() -> None:
    """One for each twenty calls, and none while second tries are used up."""
    world = hedging()
    health = world.health
    assert (
        sum(health.budgets.spend_hedge(health.calls, health.records["a"].tokens) for _ in range(20))
        == DEFAULT.hedge_burst
    )
    health.calls += 40
    assert [
        health.budgets.spend_hedge(health.calls, health.records["a"].tokens) for _ in range(3)
    ] == [True, True, False]
    health.calls += 1000
    health.records["a"].tokens = DEFAULT.retry_tokens / 2 - 0.1
    assert not health.budgets.spend_hedge(health.calls, health.records["a"].tokens)
    state, _ = begin(world.core, HARMLESS, world.now, 10.0)
    assert step(state, PauseEnded("a", hedge=True), world.now, half) == (state, ())


def test_a_loser_that_took_long_is_evidence() -> None:
    """Its answer is not waited for; that it was slow is known."""
    world = hedging()
    circuit = world.circuit("a", resource="f")
    for _ in range(2):
        world.health.start("a", HARMLESS, world.now)
    world.health.cancel(TimedAttempt(attempt("a"), world.now, world.now + 0.1), overtaken=True)
    assert (circuit.failed, len(circuit.waiting)) == (0.0, 1)
    world.health.cancel(TimedAttempt(attempt("a"), world.now, world.now + 1.0), overtaken=True)
    assert (circuit.failed > 0, circuit.waiting) == (True, [])
    other = TimedAttempt(attempt("a", OTHER), world.now, world.now + 1.0)
    world.health.cancel(other, overtaken=True)
