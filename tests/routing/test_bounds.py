"""What happens exactly at a bound: each time or number, met to the dot.

All numbers are exact in binary, so that nothing depends on rounding.
"""

from __future__ import annotations

import pytest

from leeward._routing.attempts import Core, Ending
from leeward._routing.call import begin, retry, step
from leeward._routing.circuit import Circuit, CircuitState
from leeward._routing.circuits import ProbeSchedule
from leeward._routing.commands import AttemptEnded, Dispatch, Pause, PauseEnded, TimedAttempt
from leeward._routing.policy import LikelihoodRatios
from leeward.envelope import RUNNING
from leeward.errors import Outcome
from tests.routing.health_kit import (
    EXACT,
    HARMLESS,
    OTHER,
    TINY,
    UNSAFE,
    attempt,
    begun,
    fail,
    half,
    healed,
    known,
    opened,
    world_at,
)


@pytest.mark.parametrize(
    ("age", "state"), [(0.5, CircuitState.CLOSED), (0.5 + TINY, CircuitState.OPEN)]
)
def test_a_stall_takes_longer_than_its_time(age: float, state: CircuitState) -> None:
    """At exactly that time it is not one yet."""
    world = world_at()
    known(world)
    for number in range(EXACT.stall_attempts):
        world.health.start("a", HARMLESS, 128.0 + number * TINY)
    world.health.start("a", HARMLESS, 128.0 + age)
    assert world.state("a", "f") is state


@pytest.mark.parametrize(
    ("silence", "state"), [(0.5, CircuitState.OPEN), (0.5 + TINY, CircuitState.CLOSED)]
)
def test_a_process_stood_still_if_nothing_happened_for_longer(
    silence: float, state: CircuitState
) -> None:
    """At exactly that time it may have been the target."""
    world = world_at()
    known(world)
    for number in range(EXACT.stall_attempts):
        world.health.start("a", HARMLESS, 128.0 + number)
    last = 128.0 + EXACT.stall_attempts - 1
    world.health.start("a", HARMLESS, last + silence)
    assert world.state("a", "f") is state
    assert world.circuit("a", resource="f").unanswered == 1


@pytest.mark.parametrize(("late", "counts"), [(0.25, True), (0.25 + TINY, False)])
def test_how_late_an_answer_may_be(late: float, counts: bool) -> None:
    """By the gap, and no more."""
    world = world_at()
    command = attempt("a")
    answered = TimedAttempt(command, 128.0, 128.0 + command.timeout + late)
    world.health.fail(answered, Outcome.REJECTED, None)
    assert (world.circuit("a", resource="f").failed > 0) is counts


@pytest.mark.parametrize(("age", "counts"), [(119.0, True), (120.0, False)])
def test_how_long_a_neighbours_failure_counts(age: float, counts: bool) -> None:
    """Less than a half-life."""
    world = world_at()
    fail(world.health, "a", Outcome.REJECTED, 128.0, call=OTHER)
    fail(world.health, "a", Outcome.REJECTED, 128.0 + age)
    assert (world.circuit("a").failed > 0) is counts


@pytest.mark.parametrize(
    ("count", "silence", "opens"),
    [(20, 2.0, True), (19, 2.0, False), (20, 2.0 - TINY, False)],
)
def test_when_the_last_target_is_gone(count: int, silence: float, opens: bool) -> None:
    """Twenty in a row, and two seconds, to the dot."""
    world = world_at(order="a")
    world.health.succeed(attempt("a"), 128.0, 128.0)
    for number in range(count):
        fail(world.health, "a", Outcome.REJECTED, 128.0 + (silence if number == count - 1 else 0.0))
    assert bool(world.health.circuits.unclosed) is opens


def test_what_is_slow_takes_longer_than_the_bound() -> None:
    """At the bound it is not; above it is."""
    world = world_at()
    circuit = world.health.add("a", HARMLESS)
    circuit.slow_above = 0.5
    world.health.succeed(attempt("a"), 128.0, 128.5)
    assert circuit.failed == 0
    world.health.succeed(attempt("a"), 128.0, 128.5 + TINY)
    assert (circuit.failed > 0, circuit.streak) == (True, 0), "it was answered"
    assert circuit.wide.failed == 0, "slowness is the function's"
    assert circuit.uneasy


def test_a_score_trips_at_its_bound() -> None:
    """Not only beyond it; and either of the two."""
    circuit = Circuit("a", "invoke", "f", None, EXACT)
    circuit.failed = EXACT.trip_score
    assert circuit.should_open(EXACT)
    circuit.failed = EXACT.trip_score - TINY
    assert not circuit.should_open(EXACT)
    circuit.faint = EXACT.faint_score
    assert circuit.should_open(EXACT)
    circuit.faint -= TINY
    assert not circuit.should_open(EXACT)


def test_scores_fade_by_half_in_a_half_life() -> None:
    """Time that runs backwards fades nothing."""
    circuit = Circuit("a", "invoke", "f", None, EXACT)
    circuit.failed = circuit.faint = 8.0
    weights = LikelihoodRatios.of(EXACT)
    assert weights == pytest.approx((2.526, -0.268, 1.609, -0.085), abs=0.001)
    circuit.weigh(EXACT, weights, 120.0, failed=False)
    assert (circuit.failed, circuit.faint) == (4.0 + weights.success, 4.0 + weights.faint_success)
    circuit.weigh(EXACT, weights, 60.0, failed=True)
    assert circuit.streak == 1
    assert circuit.failed == 4.0 + weights.success + weights.failure
    assert circuit.faint == 4.0 + weights.faint_success + weights.faint_failure


def test_a_fifth_of_failures_is_borne_in_a_stage() -> None:
    """More is not; nor is one failure ever enough."""
    circuit = Circuit("a", "invoke", "", None, EXACT)
    circuit.begin_stage(0, 0.0)
    circuit.answers, circuit.failures = 10, 2
    assert not circuit.has_failed_stage(EXACT)
    circuit.answers = 9
    assert circuit.has_failed_stage(EXACT)
    circuit.answers, circuit.failures = 1, 1
    assert not circuit.has_failed_stage(EXACT)


def test_a_lease_ends_to_the_dot() -> None:
    """And so does the gap between probes."""
    world = healed(opened(world_at()))
    circuit = world.circuit("a")
    circuit.half_open(world.now)
    circuit.leased_until = world.now + 1.0
    world.now += 1.0
    assert begun(world).tried == ("a",)
    circuit.leased_until, circuit.due = 0.0, world.now + 1.0
    assert begun(world).tried == ("b",)
    world.now += 1.0
    assert begun(world).tried == ("a",)


def test_tokens_to_the_dot() -> None:
    """A second try needs more than the threshold, a hedge a whole token and half of the retries."""
    health = world_at().health
    record = health.records["a"]
    record.tokens = EXACT.retry_threshold
    assert not health.records["a"].spend_token(health.policy)
    record.tokens = EXACT.retry_threshold + TINY
    assert health.records["a"].spend_token(health.policy)
    assert record.tokens == EXACT.retry_threshold + TINY - 1
    record.tokens, health.budgets.hedges = EXACT.retry_tokens / 2, 1.0
    assert health.budgets.spend_hedge(health.calls, health.records["a"].tokens)
    assert health.budgets.hedges == 0
    health.budgets.hedges, record.tokens = 1.0 - TINY, EXACT.retry_tokens
    assert not health.budgets.spend_hedge(health.calls, health.records["a"].tokens)


@pytest.mark.parametrize(("left", "goes_on"), [(0.125, True), (0.125 - TINY, False)])
def test_the_least_time_is_enough(left: float, goes_on: bool) -> None:
    """After a pause, for a second try, for a hedge and for a move."""
    world = world_at()
    state = begun(world)
    now = state.deadline - left
    failed = state._replace(in_flight=())
    _, commands = step(failed, PauseEnded("a"), now, half)
    assert bool(commands) is goes_on
    ended, commands = retry(failed, AttemptEnded(1, Outcome.UNUSABLE), now, half)
    assert bool(commands) is goes_on
    if not goes_on:
        assert (ended.ending, ended.why) == (Ending.LAST, "no_time")
    _, commands = step(state, PauseEnded("a", hedge=True), now, half)
    assert bool(commands) is goes_on


@pytest.mark.parametrize(("wait", "waits"), [(1.875, True), (1.875 + TINY, False)])
def test_a_wait_that_just_fits(wait: float, waits: bool) -> None:
    """Then what is left is the least time of an attempt."""
    world = world_at(order="a")
    state = begun(world, UNSAFE, 2.0)
    _, commands = step(state, AttemptEnded(1, Outcome.REJECTED, wait), world.now, lambda: 0.0)
    assert bool(commands) is waits
    if waits:
        assert commands == (Pause(wait, "a"),)


def test_a_wait_of_no_time_is_a_wait() -> None:
    """Zero seconds are what the target asked for, and no reason for a pause of our own."""
    state = begun(world_at())
    _, commands = step(state, AttemptEnded(1, Outcome.REJECTED, 0.0), 128.0, half)
    assert commands == (Pause(0.0, "a"),)


def test_pauses_double() -> None:
    """From the base, up to the cap."""
    world = world_at()
    state = begun(world, timeout=60.0)
    longest = []
    for tried in (1, 2, 6):
        more = state._replace(tried=("b",) * (tried - 1) + ("a",), able=("a", "b"), proved=False)
        policy = EXACT._replace(max_attempts=99)
        world.health.policy = policy
        _, commands = retry(more, AttemptEnded(tried, Outcome.AMBIGUOUS), world.now, lambda: 0.999)
        (pause,) = commands
        assert isinstance(pause, Pause)
        longest.append(pause.seconds / 0.999)
    assert longest == pytest.approx([0.1, 0.2, 2.0])


def test_a_call_that_was_cut_off_moves_at_once() -> None:
    """A target that has just taken all of its time is not asked again, if another one may be."""
    state = begun(world_at())
    _, commands = step(state, AttemptEnded(1, Outcome.AMBIGUOUS, None, cut_off=True), 129.0, half)
    assert isinstance(commands[0], Dispatch)
    assert commands[0].target == "b"
    alone = begun(world_at(order="a"))
    _, commands = step(alone, AttemptEnded(1, Outcome.AMBIGUOUS, None, cut_off=True), 129.0, half)
    assert isinstance(commands[0], Pause)


def test_an_early_time_is_less_than_the_usual_one() -> None:
    """Else it would be no other, and use up a token."""
    for early, is_early in ((4.0 - TINY, True), (4.0, False)):
        world = world_at()
        world.health.add("a", HARMLESS).early = early
        policy = EXACT._replace(reserve=0.5)
        world.health.policy = policy
        _, (first,) = begin(world.core, HARMLESS, world.now, 8.0)
        assert isinstance(first, Dispatch)
        assert (first.early, first.timeout) == (is_early, early)


def test_what_began_before_the_first_answer_is_not_in_the_baseline() -> None:
    """To the dot: it had to connect."""
    world = world_at()
    circuit = world.health.add("a", HARMLESS)
    for began, total in ((128.0, 1), (128.0, 1), (129.0 - TINY, 1), (129.0, 2)):
        circuit.uneasy = True
        world.health.succeed(attempt("a"), began, 129.0)
        assert (circuit.since, circuit.latency.total) == (129.0, total)


def test_a_run_with_the_same_key_is_waited_for_if_time_just_allows_it() -> None:
    """That is a wait, a question, and an answer; the last wait is what is left for one."""
    for left, waits in ((0.75, 0.5), (0.75 - TINY, 0.5 - TINY), (0.25 + TINY, TINY), (0.25, 0.0)):
        world = world_at()
        world.health.policy = EXACT._replace(wait_least=0.5, least_attempt=0.125)
        running = AttemptEnded(1, Outcome.AMBIGUOUS, reason=RUNNING)
        state, commands = step(begun(world), running, world.now + 8.0 - left, lambda: 0.0)
        assert commands == ((Pause(waits, "a"),) if waits else ())
        assert (state.ending is None) is bool(waits)


def test_health_checks_to_the_dot() -> None:
    """As many as are configured, and an interval."""
    checks = ProbeSchedule(32.0, 2, 2)
    world = world_at()
    world.health.succeed(attempt("a"), 128.0, 128.0)
    assert not world.health.circuits.is_check_due("a", 160.0 - TINY, checks)
    assert world.health.circuits.is_check_due("a", 160.0, checks)
    for number in range(4):
        world.health.circuits.take_check(
            "a", Outcome.REJECTED, 200.0, checks, weak=False, seen_at=world.health.seen_at
        )
        assert (world.state("a") is CircuitState.OPEN) is (number >= 1)
    assert world.health.records["a"].checks == -4
    world.health.circuits.take_check(
        "a", Outcome.OK, 200.0, checks, weak=False, seen_at=world.health.seen_at
    )
    assert (world.health.records["a"].checks, world.state("a")) == (1, CircuitState.OPEN)


def test_a_closed_circuit_is_not_remembered_as_one_that_is_not() -> None:
    """When its ramp is over."""
    world = opened(world_at())
    circuit = world.circuit("a")
    circuit.begin_stage(len(EXACT.ramp) - 1, world.now)
    world.answers.clear()
    world.now += EXACT.stage_longest
    world.call()
    assert (circuit.state, world.health.circuits.unclosed, world.watchful) == (
        CircuitState.CLOSED,
        {},
        False,
    )


def test_a_core_hedges_only_if_it_is_told_to() -> None:
    """It is off by default."""
    health = world_at().health
    assert not Core(health).hedging
