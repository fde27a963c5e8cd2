"""How answers are weighed, and when a circuit opens."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leeward._routing.circuit import Circuit, CircuitState
from leeward._routing.commands import Dispatch, TimedAttempt
from leeward._routing.execution import execute
from leeward._routing.policy import DEFAULT, LikelihoodRatios
from leeward.calls import Invoke, Result
from leeward.errors import Outcome
from leeward_contract_tests.rows import each_row
from tests.routing.health_kit import (
    HARMLESS,
    LATENCY,
    OTHER,
    TINY,
    UNSAFE,
    World,
    attempt,
    fail,
    half,
    healed,
    known,
    opened,
)

# Scores.


def numbered(number: int) -> Invoke:
    """Return a call whose payload is like no other's, so that it counts."""
    return HARMLESS._replace(payload=b"%d" % number)


def test_five_failures_in_a_row_open_a_circuit() -> None:
    """Refused connections open the whole verb; the calls go to the next target meanwhile."""
    world = World()
    world.answers["a"] = Outcome.NOT_SENT
    answered = world.calls(10)
    assert answered == "b" * 10
    assert world.sent.count("a") == 5, "two at a call until the score is reached, then none"
    assert world.state("a") is CircuitState.OPEN
    assert world.told().count("opened") == 1


def test_few_failures_that_go_on_open_a_circuit_too() -> None:
    """Every tenth call fails: the first score forgets each, the second one does not."""
    world = World()
    scores = []
    for number in range(400):
        if world.health.circuits.unclosed:
            break
        answered = TimedAttempt(attempt("a"), world.now, world.now + 0.05)
        if number % 10:
            world.health.succeed(answered.command, answered.began, answered.now)
        else:
            fail(world.health, "a", Outcome.AMBIGUOUS, world.now, call=numbered(number))
        scores.append(world.health.add("a", HARMLESS).failed)
        world.now += 0.05
    assert max(scores) < DEFAULT.trip_score
    assert 200 < len(scores) < 400


def test_one_broken_function_does_not_take_its_neighbours_away() -> None:
    """Failures of one function are evidence on it alone, until another one fails, too."""
    world = World()
    world.answers["a"] = Outcome.AMBIGUOUS
    world.calls(6)
    assert world.state("a", "f") is CircuitState.OPEN
    assert world.state("a") is CircuitState.CLOSED
    world.answers["a"] = Outcome.OK
    assert world.calls(3, OTHER) == "aaa"
    world.answers["a"] = Outcome.AMBIGUOUS
    world.calls(6, OTHER)
    assert world.state("a") is CircuitState.OPEN, "now two of them fail"


def test_an_old_failure_of_a_neighbour_is_forgotten() -> None:
    """Two functions that fail hours apart are not a target that fails."""
    world = World()
    fail(world.health, "a", Outcome.AMBIGUOUS, 100.0)
    for number in range(5):
        fail(world.health, "a", Outcome.AMBIGUOUS, 10_000.0 + number, call=OTHER)
    assert world.state("a") is CircuitState.CLOSED
    assert world.state("a", "g") is CircuitState.OPEN


@pytest.mark.parametrize(
    ("outcome", "opens"),
    [
        (Outcome.NOT_SENT, True),
        (Outcome.REJECTED, True),
        (Outcome.AMBIGUOUS, True),
        (Outcome.UNUSABLE, True),
        (Outcome.APP_ERROR, False),
        (Outcome.LOCAL, False),
        (Outcome.CALLER, False),
        (Outcome.AUTH, False),
        (Outcome.NOT_FOUND, False),
        (Outcome.CONFLICT, False),
    ],
)
def test_what_counts_against_a_target(outcome: Outcome, opens: bool) -> None:
    """Only what the table says: twenty of the others change nothing."""
    world = World()
    for number in range(20):
        fail(world.health, "a", outcome, 100.0 + number)
    assert bool(world.health.circuits.unclosed) is opens
    assert world.health.evidence("a", 200.0).failures == (20 if opens else 0)
    assert world.health.evidence("a", 200.0).last_outcome is outcome


def test_a_lasting_refusal_opens_at_once_and_for_long() -> None:
    """One UNUSABLE is enough; five minutes."""
    world = World()
    fail(world.health, "a", Outcome.UNUSABLE, 100.0)
    circuit = world.circuit("a", resource="f")
    assert (circuit.state, circuit.reason) == (CircuitState.OPEN, "unusable")
    assert circuit.until == 100.0 + DEFAULT.hold_unusable


def test_failures_and_slow_answers_add_up() -> None:
    """Three that fail and two that are slow are as much evidence as five that fail."""
    world = World()
    world.calls(40)
    for number in range(5):
        if number % 2:
            world.health.succeed(attempt("a"), world.now, world.now + 1.0)
        else:
            fail(world.health, "a", Outcome.REJECTED, world.now)
    assert world.state("a", "f") is CircuitState.OPEN


def test_slow_answers_open_a_circuit_too() -> None:
    """Four times the usual 95th percentile, and at least half a second."""
    world = World()
    world.calls(40)
    world.took["a"] = 1.0
    assert world.calls(12).count("b") > 3
    assert world.circuit("a", resource="f").reason == "slow"
    assert world.state("a") is CircuitState.CLOSED, "slowness is the function's"


def test_the_wait_for_a_place_is_no_evidence() -> None:
    """A burst that waits in line here opens nothing, and is not in the baseline; answers are."""
    world = World()
    world.calls(150, every=0.01)
    circuit = world.circuit("a", resource="f")
    before = circuit.latency.middle, circuit.slow_above
    world.took["a"] = 3.0 + LATENCY
    for outcome in (Outcome.OK, Outcome.APP_ERROR):
        world.answers["a"] = Result(outcome, waited=3.0)
        world.calls(130, UNSAFE, every=0.01)
    assert world.state("a", "f") is CircuitState.CLOSED
    assert (circuit.latency.middle, circuit.slow_above) == before
    world.answers.clear()
    world.calls(6, UNSAFE, every=0.01)
    assert world.state("a", "f") is CircuitState.OPEN


@each_row("reason, is_ill", [("unmarked_refusal", False), ("unmarked", True), (None, True)])
def test_a_refusal_that_anybody_may_have_given_is_no_evidence(
    reason: str | None, is_ill: bool
) -> None:
    """As an AUTH or a NOT_FOUND of the platform's is none: a target is not left for it."""
    world = World()
    known(world)
    world.answers["a"] = Result(Outcome.AMBIGUOUS, reason=reason)
    world.calls(30, UNSAFE)
    assert (world.state("a", "f") is CircuitState.OPEN) is is_ill
    assert (world.health.evidence("a", world.now).failures > 0) is is_ill


def test_an_attempt_that_spent_its_time_in_line_proves_nothing() -> None:
    """What is left of it counts, if its target had as long as its answers take.

    An attempt that was not cut off was answered; one that is far too late stood still.
    """
    for waited, counts in ((10.0 - TINY / 2, False), (9.0, True)):
        world = World()
        known(world)
        answered = TimedAttempt(attempt("a"), world.now, world.now + 10.0, waited)
        world.health.fail(answered, Outcome.AMBIGUOUS, None)
        assert (world.circuit("a", resource="f").failed > 0) is counts
    alone = World("a")
    circuit = known(alone)
    for waited, took, left in ((2.9, 1.1, 1), (2.9, 0.9, 0), (1.0, 3.0, 1), (0.0, 4.1, 0)):
        circuit.hear()
        execution = execute(alone.core, HARMLESS, alone.now, 4.0)
        (command,) = next(execution)
        assert isinstance(command, Dispatch)
        lost = Result[None](Outcome.AMBIGUOUS, waited=waited)
        with suppress(StopIteration):
            execution.send((command, alone.now, alone.now + waited + took, lost))
        assert (circuit.left, circuit.left_for >= 1.0) == (left, left == 1)


def test_without_a_baseline_nothing_is_slow() -> None:
    """A function whose answers have always taken long is not ill."""
    world = World()
    world.took["a"] = 3.0
    assert world.calls(30) == "a" * 30


def test_the_last_target_that_is_left_is_kept() -> None:
    """With no healthier one, calls go on; only near-total failure ends that."""
    world = World("a")
    world.answers["a"] = Outcome.AMBIGUOUS
    world.calls(6, UNSAFE)
    assert world.state("a", "f") is CircuitState.CLOSED
    assert world.sent == ["a"] * 6, "and second tries are not what keeps it down"
    world.calls(18, UNSAFE)
    assert world.circuit("a", resource="f").gone
    result = world.call(UNSAFE)
    assert (result.outcome, result.reason, result.attempts) == (Outcome.NOT_SENT, "all_down", ())
    assert result.retry_after is not None
    assert 0 < result.retry_after <= DEFAULT.hold_all_down * 1.2
    assert result.target == "a"


def test_near_total_failure_takes_time_as_well() -> None:
    """Twenty failures within a moment are not enough for the last one."""
    world = World("a")
    world.calls(1)
    for number in range(40):
        fail(world.health, "a", Outcome.AMBIGUOUS, world.now + number / 1000)
    assert not world.health.circuits.unclosed
    fail(world.health, "a", Outcome.AMBIGUOUS, world.now + DEFAULT.last_silence)
    assert world.health.circuits.unclosed


def test_a_stalled_target_is_left() -> None:
    """Five calls that went in and none that came out: the sixth asks the next target."""
    world = World()
    world.calls(40)
    for number in range(5):
        world.health.start("a", HARMLESS, world.now + 0.1 * number)
    world.now += 0.55
    assert world.call().target == "b"
    assert world.circuit("a", resource="f").reason == "stall"


@pytest.mark.parametrize("started", [1, 4])
def test_few_calls_or_a_short_time_are_no_stall(started: int) -> None:
    """Four calls may be slow; five within a moment as well."""
    world = World()
    for number in range(started):
        world.health.start("a", HARMLESS, world.now + 0.1 * number)
    world.now += 0.6
    assert world.call().target == "a"


def test_a_process_that_stood_still_is_no_stall() -> None:
    """After a long time without any event, the calls in flight prove nothing."""
    world = World()
    for _ in range(6):
        world.health.start("a", HARMLESS, world.now)
    world.now += 900.0
    assert world.call().target == "a"
    assert not world.health.circuits.unclosed


def test_an_answer_that_is_much_too_late_proves_nothing() -> None:
    """The process was frozen, not the target."""
    world = World()
    for number in range(10):
        late = 100.0 + 1000.0 * number
        fail(world.health, "a", Outcome.AMBIGUOUS, late)
    before = world.circuit("a", resource="f").failed
    command = attempt("a")
    frozen = TimedAttempt(command, 20_000.0, 20_000.0 + command.timeout + 0.3)
    world.health.fail(frozen, Outcome.AMBIGUOUS, None)
    assert world.circuit("a", resource="f").failed == before


@given(st.lists(st.tuples(st.booleans(), st.floats(0, 300)), max_size=60))
def test_a_score_is_never_negative_and_always_bounded(
    evidence: list[tuple[bool, float]],
) -> None:
    """It decays with time, and forgets an illness in bounded time."""
    circuit, now = Circuit("a", "invoke", "f", None, DEFAULT), 0.0
    circuit.failed, circuit.faint = 100.0, 100.0
    circuit.weigh(DEFAULT, LikelihoodRatios.of(DEFAULT), now, failed=False)
    assert (circuit.failed, circuit.faint) == (2 * DEFAULT.trip_score, 2 * DEFAULT.faint_score)
    circuit.close()
    circuit.weigh(DEFAULT, LikelihoodRatios.of(DEFAULT), now, failed=False)
    assert (circuit.failed, circuit.faint, circuit.uneasy) == (0.0, 0.0, False)
    for failed, pause in evidence:
        now += pause
        circuit.weigh(DEFAULT, LikelihoodRatios.of(DEFAULT), now, failed=failed)
        assert 0 <= circuit.failed <= 2 * DEFAULT.trip_score
        assert 0 <= circuit.faint <= 2 * DEFAULT.faint_score
        assert circuit.uneasy is any((circuit.failed, circuit.faint, circuit.streak))


# Corners of the evidence.


def test_a_probe_of_the_verb_looks_at_the_function_too() -> None:
    """One call serves both, unless the function is refused for a lasting reason."""
    world = opened(World())
    fail(world.health, "a", Outcome.AMBIGUOUS, world.now)
    circuit = world.circuit("a", resource="f")
    circuit.open(DEFAULT, world.now, half, "failures")
    world.health.circuits.unclosed[circuit] = None
    healed(world)
    circuit.until = world.now + 100.0
    assert world.call().attempts[0].reason == "probe"
    assert circuit.state is CircuitState.HALF_OPEN
    circuit.open(DEFAULT, world.now, half, "unusable")
    circuit.until = world.now + 100.0
    world.now += DEFAULT.probe_gap
    assert world.call().target == "b"


def test_a_stale_failure_of_a_closed_circuit_counts_for_nothing() -> None:
    """It belongs to an illness that is over."""
    world = World()
    world.calls(1)
    circuit = world.circuit("a", resource="f")
    circuit.epoch = 5
    fail(world.health, "a", Outcome.AMBIGUOUS, world.now, epoch=4)
    assert circuit.failed == 0


def test_a_failure_while_open_shows_whether_all_is_gone() -> None:
    """Calls that may go nowhere else are refused once nothing goes well at all."""
    world = World()
    for _ in range(5):
        fail(world.health, "a", Outcome.REJECTED, world.now)
    circuit = world.circuit("a", resource="f")
    assert (circuit.state, circuit.gone) == (CircuitState.OPEN, False)
    for number in range(DEFAULT.last_failures):
        fail(world.health, "a", Outcome.REJECTED, world.now + number)
    assert circuit.gone
    world.health.succeed(attempt("a"), world.now, world.now + 0.1)
    assert (circuit.streak, circuit.gone) == (0, False)


def test_the_last_one_is_kept_through_a_lasting_refusal_and_a_stall() -> None:
    """There is no other target."""
    world = World("a")
    fail(world.health, "a", Outcome.UNUSABLE, world.now)
    for number in range(6):
        world.health.start("a", HARMLESS, world.now + 0.2 * number)
    assert not world.health.circuits.unclosed


def test_an_answer_in_half_open_that_is_no_probes_moves_nothing() -> None:
    """A read-back may come at any time."""
    world = healed(opened(World()))
    world.call()
    circuit = world.circuit("a")
    before = circuit.state, circuit.passed, circuit.leased_until
    fail(world.health, "a", Outcome.NOT_SENT, world.now)
    world.health.succeed(attempt("a"), world.now, world.now)
    assert (circuit.state, circuit.passed, circuit.leased_until) == before


def test_an_isolated_target_is_no_alternative() -> None:
    """The one that is left counts as the last."""
    world = World()
    world.health.circuits.isolate("b")
    for number in range(30):
        fail(world.health, "a", Outcome.REJECTED, world.now + number)
    assert world.circuit("a", resource="f").gone
    world.health.circuits.pass_probe(world.circuit("a", resource="f"), world.now)
    assert world.circuit("a", resource="f").stage == len(DEFAULT.ramp) - 1


def test_slow_answers_in_a_ramp_count_as_failures() -> None:
    """A target that is back, and slow, is not back."""
    world = World()
    world.calls(40)
    circuit = world.circuit("a", resource="f")
    circuit.begin_stage(0, world.now)
    world.health.circuits.unclosed[circuit] = None
    world.health.circuits.review()
    world.health.succeed(attempt("a"), world.now, world.now + 3.0)
    assert (circuit.answers, circuit.failures) == (1, 1)
