"""A target that does not answer: calls avoid it at once, and its circuit opens if that lasts."""

from __future__ import annotations

import pytest

from leeward._routing.attempts import Core
from leeward._routing.call import begin, hedge_after
from leeward._routing.circuit import CircuitState, Latency, bucket_of
from leeward._routing.commands import Dispatch, TimedAttempt
from leeward._routing.execution import execute
from leeward._routing.policy import DEFAULT, RoutingPolicy
from leeward.adapter import Invoke, Publish, Result
from leeward.errors import Outcome
from leeward.values import Effect, Event
from tests.routing.health_kit import (
    HARMLESS,
    KEYED,
    OTHER,
    UNSAFE,
    World,
    attempt,
    fail,
    known,
    opened,
)

QUICK = 0.005
"""Seconds that an answer takes here, so that 0.1 s without any is a long time."""

EARLY, STALL = DEFAULT.early_least, DEFAULT.stall_least
TINY = 2.0**-10
SHARED = KEYED._replace(shared_dedup=True)
EVENTS = Publish("f", (Event("t", id="1", source="s"),))


def quick(order: str = "ab", policy: RoutingPolicy = DEFAULT) -> World:
    """Return a world with a baseline of quick answers."""
    world = World(order, policy)
    world.took = dict.fromkeys(order, QUICK)
    world.calls(150, every=0.01)
    circuit = world.circuit(order[0], resource="f")
    assert (circuit.early, circuit.cut_off) == (policy.early_least, policy.cut_off_least)
    world.sent.clear()
    return world


def silent(world: World, calls: int = 5) -> World:
    """Let so many unsafe calls go in at the first target, none of which comes out."""
    for _ in range(calls):
        world.health.start(world.health.targets.order[0], UNSAFE, world.now)
    world.now += EARLY + 0.01
    return world


def first_of(world: World, call: object = HARMLESS) -> Dispatch:
    """Begin a call; return its first attempt."""
    _, (command,) = begin(Core(world.health), call, world.now, 10.0)  # type: ignore[arg-type]
    assert isinstance(command, Dispatch)
    return command


# Attempts that are given up early.


def test_only_what_nobody_notices_twice_is_given_up_early() -> None:
    """Not what a key or an id has to recognise, and not where there is no other target."""
    world = quick()
    early = {
        call: first_of(world, call).early
        for call in (HARMLESS, HARMLESS._replace(effect=Effect.READ_ONLY), UNSAFE, KEYED, SHARED)
    }
    assert list(early.values()) == [True, True, False, False, False]
    assert first_of(world).timeout == EARLY
    assert first_of(world, SHARED).timeout == DEFAULT.cut_off_least
    assert not first_of(quick("a")).early
    world.answers["a"] = Result.ok((Result.ok(None),))
    world.calls(150, EVENTS, every=0.01)
    assert world.circuit("a", "publish", "f").early == EARLY
    assert not first_of(world, EVENTS).early


def test_a_call_that_was_given_up_early_is_made_elsewhere_and_proves_nothing() -> None:
    """Twenty in a row: no failure is counted, no score grows, and each is answered."""
    world = quick()
    world.took["a"], world.answers["a"] = 10.0, Outcome.AMBIGUOUS
    circuit = world.circuit("a", resource="f")
    for number in range(4):
        result = world.call(HARMLESS._replace(payload=b"%d" % number))
        assert [each.target for each in result.attempts] == ["a", "b"]
        assert result.attempts[0].duration == pytest.approx(EARLY)
    failures = world.health.evidence("a", world.now).failures
    assert (circuit.failed, failures, circuit.state) == (0.0, 0, CircuitState.CLOSED)
    assert circuit.unanswered == 4, "that it was silent is not forgotten"


@pytest.mark.parametrize(("took", "used_up"), [(0.96, True), (0.94, False)])
def test_a_driver_may_round_its_time(took: float, used_up: bool) -> None:
    """What takes nearly all of its time has run out of it."""
    one_second = attempt("a")._replace(timeout=1.0)
    assert TimedAttempt(one_second, 0.0, took).is_used_up is used_up
    assert TimedAttempt(one_second, 0.0, 0.95).is_used_up
    world = quick()
    command = attempt("a")._replace(timeout=EARLY, early=True)
    answered = TimedAttempt(command, world.now, world.now + took * EARLY)
    world.health.fail(answered, Outcome.AMBIGUOUS, None)
    assert (world.health.evidence("a", world.now).failures == 0) is used_up


def test_no_more_than_a_share_of_the_calls_is_given_up_early() -> None:
    """As many at once as a target takes; then one call in twenty; what is answered costs none."""
    world = quick()
    early = [first_of(world).early for _ in range(DEFAULT.max_attempts * 200)]
    burst = early.index(False)
    assert DEFAULT.early_burst <= burst <= DEFAULT.early_burst * (1 + 2 * DEFAULT.early_share)
    rest = early[burst:]
    assert sum(rest) == pytest.approx(DEFAULT.early_share * len(rest), abs=1)
    world.health.budgets.early = 0.0
    command = attempt("a")._replace(early=True)
    world.health.succeed(command, world.now, world.now + QUICK)
    assert world.health.budgets.early == 1.0
    world.health.budgets.early = DEFAULT.early_burst
    world.health.succeed(command, world.now, world.now + QUICK)
    assert world.health.budgets.early == DEFAULT.early_burst


def test_where_no_call_may_leave_the_same_target_is_given_more_time() -> None:
    """Else a call would fail that only took long."""
    world = quick(policy=DEFAULT._replace(failover_least=0.0, failover_share=0.0))
    world.took["a"], world.answers["a"] = 10.0, Outcome.AMBIGUOUS
    first, second, *_ = world.call().attempts
    assert first.target == "a"
    assert first.duration == pytest.approx(EARLY)
    assert (second.target, second.reason) == ("a", "again")
    assert second.duration > DEFAULT.cut_off_least - 0.001


def test_the_first_wave_had_to_connect_and_is_not_in_the_baseline() -> None:
    """Only the first answer is, and then those to what began after it."""
    world = World()
    circuit = world.health.start("a", HARMLESS, 100.0)
    for number in range(3):
        world.health.succeed(attempt("a"), 100.0, 100.2 + number)
    assert circuit.latency.total == 1
    world.health.succeed(attempt("a"), 100.2, 100.3)
    assert circuit.latency.total == 2


def test_the_early_time_needs_a_hundred_answers() -> None:
    """And is four times the slowest in a thousand, if that is longer."""
    latency = Latency()
    latency.counts[5], latency.very_rare = DEFAULT.cut_off_answers, 0.05
    assert latency.early(DEFAULT) == 0.2
    latency.very_rare = 0.001
    assert latency.early(DEFAULT) == EARLY
    latency.counts[5] -= 1
    assert latency.early(DEFAULT) == float("inf")
    assert bucket_of(EARLY) > bucket_of(QUICK)


# Silence.


def test_calls_avoid_a_silent_target_until_it_answers() -> None:
    """Whatever their effect; one that may be repeated waits there, and its answer ends it."""
    world = silent(quick())
    assert world.call(UNSAFE).target == "b"
    assert world.call(SHARED).target == "a", "the one that looks"
    assert not world.health.circuits.silent
    assert world.call(UNSAFE).target == "a"
    assert world.health.circuits["a", "invoke", "f"].state is CircuitState.CLOSED
    assert "opened" not in world.told()


def test_one_that_looks_has_time_and_the_next_one_comes_later() -> None:
    """It is not given up early, for a target that is only slow answers it."""
    world = silent(quick())
    looks = [first_of(world) for _ in range(3)]
    assert [each.target for each in looks] == ["a", "b", "b"]
    assert (looks[0].early, looks[0].timeout) == (False, DEFAULT.cut_off_least)
    world.now += STALL / 2 + 0.01
    assert [first_of(world).target for _ in range(2)] == ["a", "b"]


def test_a_target_that_stays_silent_is_left() -> None:
    """After half a second its circuit opens, as it always has."""
    world = silent(quick())
    assert first_of(world, UNSAFE).target == "b"
    assert world.state("a", "f") is CircuitState.CLOSED
    world.now += STALL
    assert first_of(world, UNSAFE).target == "b"
    assert world.circuit("a", resource="f").reason == "stall"
    assert not world.health.circuits.silent


def test_four_calls_may_be_silent() -> None:
    """As few may be slow."""
    world = silent(quick(), calls=DEFAULT.stall_attempts - 1)
    assert first_of(world, UNSAFE).target == "a"


def test_attempts_that_were_given_up_early_show_the_silence() -> None:
    """Then those that come after them may leave without being charged."""
    world = quick()
    began = world.now
    for _ in range(5):
        world.health.start("a", HARMLESS, began)
    command = attempt("a")._replace(timeout=EARLY, early=True)
    late = began + EARLY + 0.001
    world.health.fail(TimedAttempt(command, began, late), Outcome.AMBIGUOUS, None)
    assert list(world.health.circuits.silent) == [world.circuit("a", resource="f")]
    assert world.watchful


def test_the_only_one_left_is_asked_although_it_is_silent() -> None:
    """There is nobody else who could answer."""
    world = silent(quick())
    world.health.circuits.isolate("b")
    assert [first_of(world, UNSAFE).reason for _ in range(2)] == ["first", "only_one_left"]


def test_a_failure_ends_the_silence_as_well() -> None:
    """The target has said something; what it is worth is weighed."""
    world = silent(quick())
    assert first_of(world, UNSAFE).target == "b"
    fail(world.health, "a", Outcome.REJECTED, world.now)
    assert not world.health.circuits.silent
    assert first_of(world, UNSAFE).target == "a"


def test_an_attempt_that_runs_out_of_its_time_ends_no_silence() -> None:
    """It has heard nothing either, and it counts; else others would wait for as long again."""
    world = silent(quick())
    assert first_of(world, UNSAFE).target == "b"
    circuit = world.circuit("a", resource="f")
    command = attempt("a", SHARED)._replace(timeout=DEFAULT.cut_off_least)
    world.now += 0.3
    began = world.now - DEFAULT.cut_off_least
    world.health.fail(TimedAttempt(command, began, world.now), Outcome.AMBIGUOUS, None)
    assert (circuit.silent, circuit.failed > 0) == (True, True)
    assert first_of(world, UNSAFE).target == "b"


def test_a_pause_between_calls_is_no_silence() -> None:
    """Five calls, a minute apart, that were each given up early: half a second in all."""
    world = quick()
    for _ in range(5):
        command = first_of(world)._replace(early=True, timeout=EARLY)
        world.now += EARLY
        given_up = TimedAttempt(command, world.now - EARLY, world.now)
        world.health.fail(given_up, Outcome.AMBIGUOUS, None)
        world.now += 60.0
        world.call(OTHER)
    assert world.told() == []


def test_what_was_not_sent_ends_no_silence() -> None:
    """That this process had no free place for an attempt is no answer of its target."""
    world = silent(quick())
    world.call(UNSAFE)
    circuit = world.circuit("a", resource="f")
    assert (circuit.silent, circuit.unanswered) == (True, 5)
    world.health.start("a", UNSAFE, world.now)
    fail(world.health, "a", Outcome.LOCAL, world.now)
    assert (circuit.silent, circuit.unanswered) == (True, 5)


def test_a_silent_target_is_no_place_for_a_hedge() -> None:
    """Nobody would answer that either."""
    world = silent(World("ba"), 0)
    world.took = dict.fromkeys("ab", QUICK)
    world.calls(150, every=0.01)
    world.health.circuits.isolate("b")
    world.calls(150, every=0.01)
    world.health.records["b"].isolated = False
    world.health.circuits.review()
    circuit = world.circuit("b", resource="f")
    state, _ = begin(Core(world.health), HARMLESS, world.now, 10.0)
    assert hedge_after(state, circuit)
    for _ in range(5):
        world.health.start("a", UNSAFE, world.now)
    world.now += EARLY + 0.01
    world.health.start("a", UNSAFE, world.now)
    assert world.health.circuits.silent
    assert not hedge_after(state, circuit)


def test_a_child_process_and_a_full_table_forget_the_silence() -> None:
    """What was in flight is the parent's; and what is not remembered is not avoided."""
    world = silent(quick())
    assert first_of(world, UNSAFE).target == "b"
    world.health.begin_in_child()
    assert not world.health.circuits.silent
    assert first_of(world, UNSAFE).target == "a"
    world = silent(quick())
    assert first_of(world, UNSAFE).target == "b"
    world.health.circuits._forget_the_oldest()
    world.health.circuits._forget_the_oldest()
    assert not world.health.circuits.silent


def test_without_any_event_for_long_a_silence_is_over() -> None:
    """The process may have been frozen; nobody beat to say otherwise."""
    world = silent(quick())
    assert first_of(world, UNSAFE).target == "b"
    world.now += 900.0
    assert first_of(world, UNSAFE).target == "a"
    assert not world.health.circuits.silent


def test_time_in_which_nobody_waits_is_no_silence() -> None:
    """Attempts that were cancelled, or given up early, do not wait until the next call comes."""
    world = quick()
    for _ in range(5):
        execution = execute(world.core, UNSAFE, world.now, 10.0)
        next(execution)
        execution.close()
    world.now += 600.0
    world.call(OTHER)
    assert (world.call(UNSAFE).target, world.told()) == ("a", [])
    for _ in range(5):
        first = first_of(world)
        given_up = TimedAttempt(first, world.now, world.now + first.timeout)
        world.health.fail(given_up, Outcome.AMBIGUOUS, None)
    for _ in range(2):
        world.now += 600.0
        world.call(OTHER)
        assert (world.call(UNSAFE).target, world.told()) == ("b", []), "silent, and not stalled"
    assert world.call().target == "a"
    assert not world.health.circuits.silent


def test_a_call_that_is_made_elsewhere_does_not_wait_here() -> None:
    """What was noted of it before its target was chosen anew is taken back."""
    world = silent(quick())
    world.call(UNSAFE)
    assert (world.sent, world.circuit("a", resource="f").unanswered) == (["b"], 5)


def test_any_answer_gives_the_token_back_of_an_attempt_that_was_not_given_up() -> None:
    """So errors of the function itself, and calls that are cancelled, use none up."""
    world = quick()
    world.answers["a"] = Outcome.APP_ERROR
    world.calls(200, every=0.01)
    for _ in range(200):
        execution = execute(world.core, HARMLESS, world.now, 10.0)
        next(execution)
        execution.close()
        world.health.circuits["a", "invoke", "f"].hear()
    assert world.health.budgets.early == DEFAULT.early_burst


def test_silence_to_the_dot() -> None:
    """It is longer than the early time, and than that of a stall; so is a look's pause."""
    policy = DEFAULT._replace(early_least=0.125, stall_least=0.5)
    world = quick(policy=policy)
    world.now = 1024.0
    circuit = world.circuit("a", resource="f")
    for _ in range(5):
        world.health.start("a", UNSAFE, world.now)
    world.now = 1024.125
    world.health.silence.look(circuit, UNSAFE, world.now, world.health.seen_at)
    assert list(world.health.circuits.silent) == []
    world.now += TINY
    world.health.silence.look(circuit, UNSAFE, world.now, world.health.seen_at)
    assert list(world.health.circuits.silent) == [circuit]
    assert world.watchful
    assert first_of(world).target == "a", "the first look"
    world.now += policy.stall_least / 4
    circuit.looked_at = world.now - policy.stall_least / 2
    assert first_of(world).target == "b"
    circuit.looked_at -= TINY
    assert first_of(world).target == "a"
    world.health.seen_at = world.now = 1024.5
    world.health.silence.look(circuit, UNSAFE, world.now, world.health.seen_at)
    assert world.state("a", "f") is CircuitState.CLOSED
    world.health.seen_at = world.now = 1024.5 + TINY
    world.health.silence.look(circuit, UNSAFE, world.now, world.health.seen_at)
    assert world.state("a", "f") is CircuitState.OPEN
    assert not world.health.circuits.silent


def test_a_silence_that_is_over_leaves_nothing_behind() -> None:
    """Calls do not choose with care any more."""
    world = silent(quick())
    assert first_of(world, UNSAFE).target == "b"
    world.health.succeed(attempt("a"), world.now, world.now + QUICK)
    assert (world.health.circuits.silent, world.watchful) == ({}, False)
    assert first_of(world, UNSAFE).target == "a"


# Functions that take long, of which nobody knows it yet.


def waits(world: World, count: int = 5, call: Invoke = UNSAFE) -> None:
    """Let so many attempts begin at the first target, and as much time pass as is a stall."""
    for _ in range(count):
        world.health.start(world.health.targets.order[0], call, world.now)
    world.now = world.health.seen_at = world.now + STALL + 0.01


def test_a_function_of_which_nothing_is_known_may_be_slow() -> None:
    """No target is left for it: one call at a time goes elsewhere, to compare."""
    world = World("abc")
    waits(world)
    world.health.silence.look(
        world.circuit("a", resource="f"), UNSAFE, world.now - 0.1, world.health.seen_at
    )
    assert not world.health.circuits.silent, "half a second is not over"
    assert [first_of(world, UNSAFE).target for _ in range(3)] == ["b", "a", "a"]
    circuit = world.circuit("a", resource="f")
    assert (circuit.silent, circuit.doubted) == (True, True)
    for _ in range(20):
        world.now = world.health.seen_at = world.now + STALL
        assert first_of(world, UNSAFE).target == "a", "the other one has not answered yet"
    assert world.told() == []
    world.health.succeed(attempt("a"), 100.0, world.now)
    assert (circuit.silent, circuit.doubted, world.watchful) == (False, False, False)


def test_a_target_that_another_one_is_much_quicker_than_is_left() -> None:
    """Its answer shows that the function is not slow."""
    world = World()
    waits(world)
    assert world.call(UNSAFE).target == "b"
    assert first_of(world, UNSAFE).target == "b"
    assert world.told() == ["opened"]
    assert world.circuit("a", resource="f").reason == "stall"


def test_a_target_is_not_left_for_one_that_is_no_quicker() -> None:
    """It may take three times what nearly all answers take; with none, it is compared again."""
    world = World("abc")
    world.took["b"] = 2.0
    waits(world)
    assert world.call(UNSAFE).target == "b"
    assert [first_of(world, UNSAFE).target for _ in range(2)] == ["a", "a"]
    assert not world.circuit("a", resource="f").silent
    world.now = world.health.seen_at = world.now + 12.0
    assert first_of(world, UNSAFE).target == "b"
    assert world.told() == ["opened"]


def test_what_few_answers_say_is_slower_than_elsewhere_counts() -> None:
    """A target that has been slow before is not ill for being slow again."""
    world = World()
    world.took["a"] = 2.0
    world.calls(3, UNSAFE)
    world.took["b"] = 0.005
    world.health.circuits.isolate("a")
    world.calls(3, UNSAFE)
    world.health.records["a"].isolated = False
    world.health.circuits.review()
    waits(world)
    world.now = world.health.seen_at = world.now + 5.0
    assert first_of(world, UNSAFE).target == "a"


def test_a_target_alone_is_in_doubt_and_asked_all_the_same() -> None:
    """There is nothing to compare it with."""
    world = World("a")
    waits(world)
    assert [first_of(world, UNSAFE).target for _ in range(2)] == ["a", "a"]
    known(world)
    assert first_of(world, UNSAFE).target == "a", "nor to leave it for"
    assert world.told() == []


def test_callers_in_a_hurry_blame_no_target() -> None:
    """Their calls end, or are given up, sooner than a healthy function answers."""
    for answers in (0, 150):
        world = World()
        world.took = dict.fromkeys("ab", 0.4)
        world.calls(answers, every=0.01)
        world.answers["a"] = Outcome.AMBIGUOUS
        for number in range(30):
            call = UNSAFE._replace(payload=b"%d" % number)
            assert world.call(call, timeout=0.1).target == "a"
            execution = execute(world.core, call, world.now, 10.0)
            next(execution)
            world.now = world.health.seen_at = world.now + 0.1
            execution.close()
        circuit = world.circuit("a", resource="f")
        assert (circuit.failed, circuit.unanswered) == (0.0, 0)
        assert "opened" not in world.told()


def test_callers_with_time_for_an_answer_are_heard() -> None:
    """Five of them in a row who have had none show a silence, however soon they gave up."""
    world = World()
    world.took = dict.fromkeys("ab", 0.05)
    world.calls(50, every=0.01)
    for _ in range(5):
        execution = execute(world.core, UNSAFE, world.now, 10.0)
        next(execution)
        world.now = world.health.seen_at = world.now + 0.1
        execution.close()
    circuit = world.circuit("a", resource="f")
    assert circuit.left == 5
    assert circuit.left_for == pytest.approx(0.1)
    assert first_of(world, UNSAFE).target == "b"
    assert circuit.silent
    world.health.succeed(attempt("a"), world.now, world.now + 0.05)
    assert (circuit.left, circuit.silent) == (0, False)


def test_a_time_out_counts_where_nobody_knows_after_a_long_time() -> None:
    """Ten seconds are longer than most functions take."""
    for seconds, counts in ((9.9, False), (10.0, True)):
        world = World()
        late = TimedAttempt(attempt("a")._replace(timeout=seconds), world.now, world.now + seconds)
        world.health.fail(late, Outcome.AMBIGUOUS, None)
        assert (world.circuit("a", resource="f").failed > 0) is counts


@pytest.mark.parametrize(("own", "other", "seconds"), [(0.05, 2.0, 6.0), (0.05, 0.05, 1.0)])
def test_a_probe_has_the_time_of_the_slowest_target(
    own: float, other: float, seconds: float
) -> None:
    """Four times what is usual there; else it would fail, and run once more each time."""
    world = World()
    known(world).latency.usual = own
    known(world, "b").latency.usual = other
    opened(world)
    world.now = world.circuit("a").until
    first = first_of(world)
    assert (first.reason, first.timeout) == ("probe", seconds)


def test_a_probe_of_what_nobody_knows_has_the_time_of_any_attempt() -> None:
    """Where one is cut short by its caller, another one is made a moment later."""
    world = opened(World())
    world.now = world.circuit("a").until
    first = first_of(world)
    assert (first.reason, first.timeout) == ("probe", 6.0)
    known(world).latency.usual = 2.0
    circuit = world.circuit("a")
    circuit.leased_until = 0.0
    _, (probe,) = begin(world.core, HARMLESS, world.now, 1.0)
    assert isinstance(probe, Dispatch)
    assert probe.reason == "probe"
    hurried = TimedAttempt(probe, world.now, world.now + probe.timeout)
    world.health.fail(hurried, Outcome.AMBIGUOUS, None)
    assert (circuit.state, circuit.leased_until) == (CircuitState.HALF_OPEN, 0.0)


# A target as a whole.


def many(world: World, count: int) -> list[Invoke]:
    """Return calls of so many functions that the first target has answered before."""
    functions = [UNSAFE._replace(function=f"f{number}") for number in range(count)]
    for call in functions:
        world.calls(3, call, every=0.01)
    return functions


def test_a_target_that_answers_none_of_many_functions_is_silent() -> None:
    """Each of them is called too seldom to show it alone."""
    world = World()
    world.took = dict.fromkeys("ab", QUICK)
    functions = many(world, 8)
    for call in functions[:5]:
        assert first_of(world, call).target == "a"
        world.now += 0.03
    assert first_of(world, functions[5]).target == "b"
    assert list(world.health.circuits.silent) == [world.circuit("a")]
    world.health.succeed(attempt("a", functions[0]), world.now, world.now + QUICK)
    assert not world.health.circuits.silent
    assert first_of(world, functions[5]).target == "a"


def test_a_target_that_stays_silent_for_all_is_left_as_a_whole() -> None:
    """Its circuit opens, for every function."""
    world = World()
    world.took = dict.fromkeys("ab", QUICK)
    functions = many(world, 8)
    for call in functions[:5]:
        first_of(world, call)
    world.now = world.health.seen_at = world.now + STALL + 0.01
    assert first_of(world, functions[6]).target == "b"
    assert (world.state("a"), world.circuit("a").reason) == (CircuitState.OPEN, "stall")


@pytest.mark.parametrize(("functions", "attempts"), [(1, 8), (4, 4)])
def test_one_function_or_few_attempts_show_nothing_of_a_target(
    functions: int, attempts: int
) -> None:
    """The function may hang; and four calls may be slow."""
    world = World()
    world.took = dict.fromkeys("ab", QUICK)
    calls = many(world, functions)
    for number in range(attempts):
        world.health.start("a", calls[number % functions], world.now)
    world.now = world.health.seen_at = world.now + 2 * STALL
    first_of(world, OTHER)
    assert not world.circuit("a").silent
    assert world.state("a") is CircuitState.CLOSED


def test_a_target_of_which_nothing_is_known_is_compared_as_a_whole() -> None:
    """Two functions that another one answers at once show that it is silent, and not slow."""
    world = World()
    functions = [UNSAFE._replace(function=f"f{number}") for number in range(6)]
    for call in functions:
        world.health.start("a", call, world.now)
    world.now = world.health.seen_at = world.now + STALL + 0.01
    assert first_of(world, OTHER).target == "a", "nothing of it waits there"
    assert world.circuit("a").doubted
    assert [world.call(call).target for call in functions[:2]] == ["b", "b"]
    assert first_of(world, functions[2]).target == "b"
    assert world.circuit("a").reason == "stall"


def test_slow_functions_are_no_silent_target() -> None:
    """Each waits for no longer than it takes."""
    world = World()
    world.took = dict.fromkeys("ab", 2.0)
    functions = many(world, 6)
    for call in functions:
        world.health.start("a", call, world.now)
    world.now = world.health.seen_at = world.now + 3.0
    assert first_of(world, functions[0]).target == "a"
    assert not world.health.circuits.silent


def test_a_target_alone_is_not_left_as_a_whole_and_a_frozen_process_blames_none() -> None:
    """There is no other one; and nobody has looked meanwhile."""
    for order, frozen in (("a", False), ("ab", True)):
        world = World(order)
        world.took = dict.fromkeys("ab", QUICK)
        functions = many(world, 6)
        for call in functions:
            world.health.start("a", call, world.now)
        world.now += 900.0
        world.health.seen_at = world.now - (900.0 if frozen else 0.0)
        assert first_of(world, functions[0]).target == "a"
        assert world.state("a") is CircuitState.CLOSED
