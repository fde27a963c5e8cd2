"""What second attempts may cost, and what follows a failure."""

from __future__ import annotations

from math import inf
from typing import Any

import pytest

from leeward._routing.attempts import CallState, Ending, count_remaining
from leeward._routing.call import begin, spend_failover, step
from leeward._routing.choice import LOST
from leeward._routing.commands import (
    ENDINGS,
    PANIC,
    AttemptEnded,
    Command,
    Dispatch,
    FreePlace,
    Pause,
    PauseEnded,
    ProbeTarget,
    explain,
)
from leeward._routing.policy import DEFAULT
from leeward._routing.targets import Budgets
from leeward.calls import NO_PLACE, AttemptTime, Call
from leeward.errors import Outcome
from tests.routing.health_kit import (
    HARMLESS,
    KEYED,
    LATENCY,
    UNSAFE,
    World,
    begun,
    fail,
    half,
    opened,
    probed_next,
)

# Budgets.


def test_second_tries_have_a_budget() -> None:
    """Five of ten tokens; a success gives a tenth back."""
    world = World("a")
    world.answers["a"] = Outcome.REJECTED
    world.calls(10, UNSAFE)
    assert len(world.sent) == 10 + 5
    record = world.health.records["a"]
    assert record.tokens == DEFAULT.retry_threshold
    world.answers.clear()
    world.calls(20, UNSAFE)
    assert record.tokens == pytest.approx(DEFAULT.retry_threshold + 20 * DEFAULT.retry_refill)
    world.calls(100, UNSAFE)
    assert record.tokens == DEFAULT.retry_tokens


def test_leaving_a_target_that_counts_as_well_has_a_budget() -> None:
    """Ten calls in ten seconds, or 12 % of those that began; without it the call ends."""
    few = Budgets(DEFAULT)
    assert [few.spend_failover(1.0, 20) for _ in range(12)] == [True] * 10 + [False] * 2
    assert len(few.failovers) == 10
    assert few.spend_failover(11.0, 20), "ten seconds later"
    busy = Budgets(DEFAULT)
    busy.mark(4.0, 0)
    assert sum(busy.spend_failover(5.0, 1000) for _ in range(200)) == 120
    world = opened(World())
    assert all(spend_failover(world.health, "a", HARMLESS, world.now) for _ in range(100)), "open"
    world = World()
    assert sum(spend_failover(world.health, "b", HARMLESS, world.now) for _ in range(100)) == 10


def test_a_busy_order_may_leave_a_target_more_often() -> None:
    """Twelve percent of the calls of the last ten seconds, from the first failure on."""
    world = World()
    world.calls(2000, UNSAFE, every=0.0)
    spent = sum(spend_failover(world.health, "a", UNSAFE, world.now) for _ in range(200))
    lately = 10 / (LATENCY + 0.0)
    assert spent == pytest.approx(0.12 * lately, rel=0.2)
    calm = World()
    calm.calls(5, UNSAFE, every=100.0)
    calm.calls(5, UNSAFE, every=0.1)
    assert sum(spend_failover(calm.health, "a", UNSAFE, calm.now) for _ in range(200)) == 10
    assert len(world.health.budgets.marks) <= 32


def test_a_long_rest_takes_nothing_off_that() -> None:
    """Calls that come after it are counted as they come, not spread over the time before them."""
    world = World()
    world.calls(640, UNSAFE, every=0.0)
    world.now += 36_000.0
    world.calls(150, UNSAFE, every=0.0)
    spent = sum(spend_failover(world.health, "a", UNSAFE, world.now) for _ in range(200))
    assert 0.12 * (150 - 65) <= spent <= 0.12 * 150 + 1


def test_a_clock_that_began_long_ago_takes_nothing_off_that() -> None:
    """Monotonic clocks count from when the machine started; only what was seen here counts."""
    world = World()
    world.now = 1_000_000.0
    world.calls(150, UNSAFE, every=0.0)
    spent = sum(spend_failover(world.health, "a", UNSAFE, world.now) for _ in range(200))
    assert spent == pytest.approx(0.12 * 150, abs=1)


def test_a_call_without_a_budget_for_leaving_ends_where_it_is() -> None:
    """And says so."""
    policy = DEFAULT._replace(failover_least=0.0, failover_share=0.0)
    world = World(policy=policy)
    world.answers["a"] = Outcome.UNUSABLE
    world.health.records["b"].isolated = False
    result = world.call(UNSAFE)
    assert result.outcome in (Outcome.UNUSABLE, Outcome.OK)
    world = World(policy=policy)
    world.answers["a"] = Outcome.NOT_SENT
    world.health.records["a"].tokens = 0.0
    assert world.call(UNSAFE).outcome is Outcome.NOT_SENT
    assert "failover_budget" not in explain(world.health.history, world.health.calls, 1)
    assert ENDINGS["failover_budget"] in explain(world.health.history, world.health.calls, 1)


def test_no_budget_keeps_calls_at_a_target_that_fails_every_time() -> None:
    """Its circuit stays closed while the other one is on its way back; that one may answer yet."""
    for outcome, every in ((Outcome.NOT_SENT, 0.01), (Outcome.REJECTED, 0.2)):
        world = World()
        world.calls(30)
        world.health.add("b", HARMLESS)
        other = world.circuit("b")
        world.health.circuits.begin_stage(other, 0, world.now)
        world.answers["a"] = outcome
        assert world.calls(60, every=every) == 60 * "b"


def test_a_target_that_fails_five_times_in_a_row_does_not_count_as_well() -> None:
    """One that fails as often, and answers between, does."""
    for failures, counts_as_well in ((4, True), (5, False)):
        world = without_a_budget(World())
        world.health.add("a", HARMLESS).streak = failures
        leaves = spend_failover(world.health, "a", HARMLESS, world.now)
        assert leaves is not counts_as_well


def without_a_budget(world: World) -> World:
    """Let as many calls leave `a` as may, and empty the outbox."""
    while spend_failover(world.health, "a", HARMLESS, world.now):
        pass
    world.told()
    return world


def test_an_early_attempt_that_may_not_leave_stays_and_nothing_else_is_told() -> None:
    """Its call goes on, so its outcome is not told as unknown; where it is isolated it leaves."""
    for by_hand, target in ((False, "a"), (True, "b")):
        world = World()
        world.took = dict.fromkeys("ab", 0.005)
        world.calls(150, every=0.01)
        without_a_budget(world)
        state, (first,) = begin(world.core, HARMLESS, world.now, 10.0)
        assert isinstance(first, Dispatch)
        assert first.early
        if by_hand:
            world.health.circuits.isolate("a")
            world.told()
        world.now += first.timeout
        given_up = AttemptEnded(1, Outcome.AMBIGUOUS, cut_off=True, early=True)
        state, (second,) = step(state, given_up, world.now, half)
        assert (state.ending, second.target) == (None, target)
        assert world.told() == (["failover"] if by_hand else [])


def test_an_early_attempt_without_anywhere_to_go_is_made_once_more() -> None:
    """Where the next target is out, or being probed, and second tries are used up as well."""
    given_up = AttemptEnded(1, Outcome.AMBIGUOUS, cut_off=True, early=True)
    for other_is_out in (False, True):
        world = World()
        world.took = dict.fromkeys("ab", 0.005)
        world.calls(150, every=0.01)
        for _ in range(5):
            fail(world.health, "b", Outcome.NOT_SENT, world.now)
        if not other_is_out:
            world.now = world.circuit("b").until
            moved = begin(world.core, HARMLESS, world.now, 10.0)[0]
            step(moved, given_up, world.now, half)  # to the probe
        world.health.records["a"].tokens = 0.0
        state = begun(world)
        state, (second,) = step(state, given_up, world.now + 0.1, half)
        assert (second.target, second.reason) == ("a", "again")  # type: ignore[union-attr]


NOWHERE_FREE = AttemptEnded(1, Outcome.LOCAL, reason=NO_PLACE)


def waits(state: CallState, now: float) -> tuple[CallState, Command]:
    """Return what follows an attempt that has found no place."""
    state, (command,) = step(state, NOWHERE_FREE._replace(attempt=len(state.tried)), now, half)
    return state, command


def test_a_call_without_a_free_place_looks_for_one_at_every_target() -> None:
    """In turn, each time for longer, whatever its effect; it costs no attempt and no budget."""
    for call, longest in (
        (HARMLESS, 7.5),
        (UNSAFE, 7.5),
        (UNSAFE._replace(time_limit=9.0), 10.0),
        (KEYED._replace(shared_dedup=True), 7.5),
    ):
        world = World("abc")
        for target in "abc":
            world.health.records[target].tokens = 0.0
        state, (command,) = begin(world.core, call, world.now, 10.0)
        ways: list[Any] = []
        pauses: list[float] = []
        for _ in range(8):
            wait = getattr(command.timeout, "wait", None) if isinstance(command, Dispatch) else None
            ways.append((command.target, wait))
            if isinstance(command, Pause):
                pauses.append(command.seconds)
                assert (command.places, command.number) == (("a", "b", "c"), state.number)
                state, (command,) = step(state, PauseEnded(command.target), world.now, half)
            else:
                state, command = waits(state, world.now)
        assert ways == [
            *(("a", 0.1), ("b", 0.0), ("c", 0.0), ("c", None)),
            *(("c", 0.2), ("a", 0.0), ("b", 0.0), ("b", None)),
        ]
        assert pauses == [pytest.approx(0.075), pytest.approx(longest - 0.075)]
        assert (state.proved, state.unknown, count_remaining(state)) == (True, False, 2)
        assert not world.health.budgets.failovers


def test_it_is_refused_when_the_time_of_an_attempt_is_not_left() -> None:
    """It is told that there was no place; an unsafe function has its time whenever it begins."""
    limited = UNSAFE._replace(time_limit=1.0)
    for call, longest in ((HARMLESS, 7.5), (UNSAFE, 7.5), (limited, 10.0)):
        world = World("ab")
        state, _ = begin(world.core, call, world.now, 10.0)
        _, command = waits(state, world.now + longest - 0.03)
        assert command.target == "b"
        assert command.timeout.wait == 0.0  # type: ignore[union-attr]
        ended, none = step(state, NOWHERE_FREE, world.now + longest, half)
        assert (ended.ending, ended.why, none) == (Ending.LAST, NO_PLACE, ())
    world = World("ab")
    pinned, (first,) = begin(world.core, KEYED, world.now, 10.0)
    assert first.timeout.wait == 7.5  # type: ignore[union-attr]
    assert step(pinned, NOWHERE_FREE, world.now, half)[0].why == NO_PLACE


def test_a_wait_that_is_too_short_for_a_look_is_none() -> None:
    """The call ends: half of a usual wait is for the last look."""
    for left, why in ((0.06, ""), (0.04, NO_PLACE)):
        world = World("ab")
        state, _ = begin(world.core, HARMLESS, world.now, 10.0)
        state, _ = waits(state, world.now)
        assert (
            step(state, NOWHERE_FREE._replace(attempt=2), world.now + 7.5 - left, half)[0].why
            == why
        )


def test_a_place_that_comes_too_late_for_a_call_is_the_next_ones() -> None:
    """It goes to nobody if its target takes no call; the call looks elsewhere."""
    world = World("ab")
    state, _ = begin(world.core, HARMLESS, world.now, 10.0)
    for _ in "ab":
        state, _ = waits(state, world.now)
    woken = PauseEnded("b", woken=True)
    ended, none = step(state, woken, world.now + 7.6, half)
    assert (ended.why, none, world.health.outbox) == (NO_PLACE, (), [FreePlace("b")])
    world.health.outbox.clear()
    world.health.records["b"].isolated = True
    _, (look,) = step(state, woken, world.now + 1.0, half)
    assert (look.target, world.health.outbox) == ("a", [])


def test_an_open_circuit_takes_calls_that_may_be_repeated_while_no_other_target_has_a_place() -> (
    None
):
    """As long as some go well there; each further try is charged."""
    world = World("ab")
    for target in "ab":
        circuit = world.health.add(target, HARMLESS)
        circuit.open(DEFAULT, world.now, half, "failures")
        world.health.circuits.unclosed[circuit] = None
    world.health.circuits.review()
    state, (first,) = begin(world.core, HARMLESS, world.now, 10.0)
    assert (first.target, getattr(first, "reason", "")) == ("a", PANIC)
    for attempt, target in ((1, "a"), (2, "a")):
        state, (command,) = step(state, AttemptEnded(attempt, Outcome.AMBIGUOUS), world.now, half)
        assert (command.target, getattr(command, "reason", "")) == (target, PANIC)
        assert len(world.health.budgets.failovers) == attempt
    assert (
        step(state, AttemptEnded(3, Outcome.AMBIGUOUS), world.now, half)[0].why == "attempts_used"
    )
    assert not begin(world.core, UNSAFE, world.now, 10.0)[1], "only what may be repeated"
    for target in "ab":
        world.circuit(target, resource="f").streak = LOST
    assert not begin(world.core, HARMLESS, world.now, 10.0)[1], "nothing goes well there"


def test_a_wait_ends_before_its_call_so_that_the_others_are_looked_at() -> None:
    """What is left for it goes without the last moment, half of a usual wait."""
    world = World("ab")
    state, _ = begin(world.core, HARMLESS, world.now, 10.0)
    for _ in "ab":
        state, command = waits(state, world.now)
    assert isinstance(command, Pause)
    _, (again,) = step(state, PauseEnded(command.target), world.now + 7.5 - 0.08, half)
    assert again.timeout.wait == pytest.approx(0.08 - 0.05)  # type: ignore[union-attr]


def test_the_time_of_an_attempt_begins_with_its_place() -> None:
    """It waits so long that a whole attempt is left; an unsafe function outlasts its call."""
    limited = UNSAFE._replace(time_limit=8.0)
    rows: list[tuple[Call, str, float, float, float]] = [
        (HARMLESS, "ab", 6.0, 0.1, 10.0),
        (UNSAFE, "ab", 10.0, 0.1, 10.0),
        (limited, "ab", 10.0, 0.1, inf),
        (limited._replace(time_limit=9.5), "a", 10.5, 10.0, inf),
        (HARMLESS, "a", 9.5, 7.5, 10.0),
    ]
    for call, order, *times in rows:
        _, (first,) = begin(World(order).core, call, 100.0, 10.0)
        assert isinstance(first, Dispatch)
        given = first.timeout
        assert isinstance(given, AttemptTime)
        assert [given, given.wait, given.total] == times


def test_while_the_next_target_is_probed_the_same_one_is_asked_again() -> None:
    """A call that may not be the probe is not lost for that, though its target was slow."""
    world = World()
    world.calls(5)
    probed_next(world)
    shared, slow = (
        KEYED._replace(shared_dedup=("a", "b")),
        AttemptEnded(1, Outcome.AMBIGUOUS, None, True),
    )
    states = [begun(world, shared) for _ in range(2)]
    _, (probe,) = step(states[0], slow, world.now, half)
    assert (probe.target, probe.reason) == ("b", "probe")  # type: ignore[union-attr]
    state, (pause,) = step(states[1], slow, world.now, half)
    assert isinstance(pause, Pause)
    _, (second,) = step(state, PauseEnded("a"), world.now, half)
    assert (second.target, second.reason) == ("a", "again")  # type: ignore[union-attr]


def test_a_call_that_may_be_no_probe_ends_where_the_next_target_looks_by_itself() -> None:
    """An unsafe one whose target refused it: nothing is sent, and the driver is asked to look."""
    world = World()
    world.calls(5)
    probed_next(world)
    world.health.records["b"].probes = True
    world.health.records["a"].tokens = 0.0
    state, commands = step(begun(world, UNSAFE), AttemptEnded(1, Outcome.REJECTED), world.now, half)
    assert (state.why, commands) == ("no_other_target", ())
    assert [each.target for each in world.health.outbox if isinstance(each, ProbeTarget)] == ["b"]


def test_a_probe_that_a_call_may_not_make_is_left_to_the_next() -> None:
    """For want of a budget or of time: no lease is kept for it."""
    world = World()
    world.calls(30)
    probed_next(world)
    without_a_budget(world)
    state, (pause,) = step(begun(world), AttemptEnded(1, Outcome.REJECTED), world.now, half)
    assert isinstance(pause, Pause)
    state, _ = step(state, PauseEnded("a"), world.now, half)
    state, commands = step(state, AttemptEnded(2, Outcome.REJECTED), world.now, half)
    assert (state.why, commands) == ("failover_budget", ())
    assert world.circuit("b").leased_until == 0.0


# What follows a failure, in the corners.


def test_a_target_that_turns_out_ill_in_a_pause_is_left() -> None:
    """If the call may move; else it ends there."""
    world = World()
    world.calls(1)
    state, (pause,) = step(begun(world), AttemptEnded(1, Outcome.REJECTED), world.now, half)
    opened(world)
    _, (command,) = step(state, PauseEnded(pause.target), world.now, half)
    assert (command.target, command.reason) == ("b", "moved")  # type: ignore[union-attr]
    state = begun(world, KEYED._replace(function="h"))
    state = state._replace(tried=("a",), in_flight=(), may_move=False)
    ended, commands = step(state, PauseEnded("a"), world.now, half)
    assert (ended.ending, ended.why, commands) == (Ending.LAST, "no_other_target", ())


def test_no_attempt_starts_that_would_only_be_cut_off() -> None:
    """A target whose median answer takes longer than what is left is not asked."""
    world = World()
    world.answers["a"] = Outcome.UNUSABLE
    world.took["b"] = 2.0
    world.calls(25, UNSAFE)
    world.answers["a"] = Outcome.OK
    world.health.circuits.isolate("b")
    world.health.circuits.restore("b", world.now)
    for target in "ab":
        for each in world.health.circuits.values():
            if each.target == target:
                each.close()
    world.health.circuits.unclosed.clear()
    world.answers["a"] = Outcome.UNUSABLE
    result = world.call(UNSAFE, timeout=1.0)
    assert result.outcome is Outcome.UNUSABLE
    assert ENDINGS["no_time"] in explain(
        world.health.history, world.health.calls, result.attempts[0].call_id
    )


def test_a_move_needs_somewhere_to_go() -> None:
    """All others rest: the call ends with that reason."""
    world = World("abc")
    world.answers = {"b": Outcome.NOT_SENT, "c": Outcome.NOT_SENT}
    for target in "bc":
        fail(world.health, target, Outcome.UNUSABLE, world.now)
    world.answers["a"] = Outcome.UNUSABLE
    result = world.call(UNSAFE)
    assert [each.target for each in result.attempts] == ["a"]
    assert ENDINGS["no_other_target"] in explain(
        world.health.history, world.health.calls, result.attempts[0].call_id
    )
    leased = opened(World())
    leased.now = leased.circuit("a").until
    leased.call()
    state = begun(leased)._replace(tried=("b",))
    leased.circuit("a").half_open(leased.now)
    leased.circuit("a").leased_until = leased.now + 9.0
    ended, _ = step(state, AttemptEnded(1, Outcome.UNUSABLE), leased.now, half)
    assert ended.why == "no_other_target"
