"""Corners of what is known of a target, each by its values: what a small change would break."""

from __future__ import annotations

import asyncio

import pytest

from leeward._routing import FailoverDriver
from leeward._routing.attempts import may_be_early
from leeward._routing.call import begin
from leeward._routing.circuit import Circuit, CircuitState
from leeward._routing.circuits import ProbeSchedule
from leeward._routing.commands import TimedAttempt
from leeward._routing.policy import DEFAULT
from leeward._routing.silence import LATEST, Heartbeat
from leeward._routing.snapshot import snapshot_of
from leeward.calls import Key, Load, Result, Store
from leeward.errors import Outcome
from tests.routing.health_kit import HARMLESS, UNSAFE, World, attempt, fail, half, healed, opened
from tests.scripted import Scripted


def test_a_probe_that_fails_is_not_counted_as_an_opening() -> None:
    """Else the next fault of a target that was away for long would hold it for minutes."""
    world = opened(World())
    circuit = world.circuit("a")
    trips = circuit.trips
    circuit.half_open(world.now)
    world.health.circuits.open(circuit, HARMLESS, world.now, "probe_failed")
    assert circuit.trips <= trips


def test_a_stage_counts_each_failure_once() -> None:
    """As one of its answers, too: its share decides; a good answer may be what lets it pass."""
    world = healed(opened(World()))
    circuit = world.circuit("a")
    circuit.begin_stage(0, world.now)
    for number in range(1, DEFAULT.stage_failures):
        answered = TimedAttempt(attempt("a"), world.now, world.now)
        world.health.fail(answered, Outcome.NOT_SENT, None)
        assert (circuit.answers, circuit.failures) == (number, number)
        assert circuit.state is CircuitState.RAMP
    circuit.begin_stage(0, world.now)
    circuit.answers = DEFAULT.stage_answers
    world.now += DEFAULT.stage_least
    resource = world.health.circuits["a", "invoke", "f"]
    world.health._weigh_success(resource, TimedAttempt(attempt("a"), world.now, world.now))
    assert circuit.stage == 1


def test_half_of_the_time_asleep_is_not_most_of_it() -> None:
    """An attempt that ran out of time counts, if the process ran for half of it or more."""
    for asleep, counts in ((4.9, True), (5.2, False)):
        world = World()
        world.calls(5)
        beats = world.health.heartbeat
        number, at = beats.begin(world.now), world.now
        world.now += asleep + DEFAULT.heartbeat_pace
        beats.beat(number, world.now, 1)
        now = at + 10.0
        steps = int((now - world.now) / DEFAULT.heartbeat_pace)
        for each in range(1, steps + 1):
            beats.beat(number, world.now + each * DEFAULT.heartbeat_pace, each)
        answered = TimedAttempt(attempt("a"), at, now)
        world.health.fail(answered, Outcome.AMBIGUOUS, None)
        assert bool(world.circuit("a", resource="f").failed) is counts


def test_a_heartbeat_knows_what_it_has_seen() -> None:
    """A beat may be a second late when a time begins; then it counts as beating, and no longer."""
    heartbeat = Heartbeat(0.1, 5.0)
    heartbeat.begin(10.0)
    assert heartbeat.is_known(10.0 + LATEST - 0.01)
    assert not heartbeat.is_known(10.0 + LATEST + 0.01)
    assert heartbeat.standstill(9.0, 11.0) == pytest.approx(0.9)
    assert heartbeat.standstill(10.1, 10.6) == pytest.approx(0.5)


def test_calls_are_marked_about_once_a_second() -> None:
    """The budget of failovers is a share of the calls between marks."""
    world = World()
    for now in (5.0, 5.5, 5.99, 6.0, 6.5):
        world.health.calls += 1
        world.health.budgets.mark(now, world.health.calls)
    assert list(world.health.budgets.marks) == [(5.0, 1), (6.0, 4)]


def test_what_others_saw_holds_until_its_time_is_over() -> None:
    """And no longer."""
    for seen_at, counts in ((9.99, True), (10.0, False)):
        world = World()
        world.health.seen_at = seen_at
        world.health.records["a"].prepared, world.health.records["a"].prepared_until = 2.0, 10.0
        assert bool(world.health.add("a", HARMLESS).failed) is counts


def test_nobody_beats_for_an_order_that_is_closed() -> None:
    """Nor is anything hedged unless that is asked for."""
    drivers = [Scripted("a"), Scripted("b")]
    order = FailoverDriver(drivers)
    assert order._shared.core.hedging is False
    heartbeat = order._shared.core.health.heartbeat
    number = heartbeat.begin(1.0)
    asyncio.run(order.close_async())
    assert not heartbeat.beat(number, 1.1, 1)


def test_what_is_restored_begins_with_a_clean_sheet() -> None:
    """The whole verb at the first stage of its ramp; a single function that was well is left."""
    world = opened(World())
    wide, single = world.circuit("a"), world.health.add("a", HARMLESS)
    single.close()
    world.health.circuits.isolate("a")
    world.health.circuits.restore("a", world.now)
    assert (wide.state, wide.trips) == (CircuitState.RAMP, 0)
    assert single.state is CircuitState.CLOSED


def test_what_was_not_sent_waits_no_more() -> None:
    """The last one of them, too."""
    world = World()
    circuit = world.health.start("a", UNSAFE, world.now)
    assert circuit.unanswered == 1
    answered = TimedAttempt(attempt("a", UNSAFE), world.now, world.now)
    world.health.fail(answered, Outcome.LOCAL, None)
    assert circuit.unanswered == 0


def test_what_is_done_by_hand_and_each_stage_is_told() -> None:
    """An operator sees that the target may come back, and how far it has."""
    world = World()
    world.calls(3)
    world.health.circuits.isolate("a")
    world.told()
    world.health.circuits.restore("a", world.now)
    assert world.told() == ["ramp", "restored"]
    circuit = world.circuit("a")
    circuit.answers, world.now = DEFAULT.stage_answers, world.now + DEFAULT.stage_longest
    world.health.circuits.advance(circuit, world.now)
    assert (circuit.stage, world.told()) == (1, ["ramp"])


def test_a_lost_race_says_nothing_of_a_circuit_that_is_not_closed() -> None:
    """For one that is closed it counts as a failure."""
    world = World()
    world.calls(150, every=0.01)
    circuit = world.circuit("a", resource="f")
    for state, counts in ((CircuitState.CLOSED, True), (CircuitState.OPEN, False)):
        circuit.failed, circuit.state = 0.0, state
        late = TimedAttempt(attempt("a"), world.now - 10.0, world.now)
        world.health.cancel(late, overtaken=True)
        assert (circuit.failed > 0) is counts, state


def test_an_isolated_target_is_not_one_that_is_left() -> None:
    """A circuit that opens beside it opens for a short time, as that of the last one does."""
    world = World()
    world.calls(3)
    world.health.add("b", HARMLESS)
    world.health.circuits.isolate("b")
    circuit = world.circuit("a", resource="f")
    world.health.circuits.open(circuit, HARMLESS, world.now, "failures")
    assert circuit.gone
    assert circuit.until - world.now == pytest.approx(DEFAULT.hold_all_down)


def test_an_item_without_a_time_is_of_long_ago() -> None:
    """And what it says is not taken for news; the latest end of a target's holds is told."""
    world = opened(World())
    world.health.add("a", HARMLESS)
    resource = world.circuit("a", resource="f")
    resource.open(DEFAULT, world.now, half, "failures", hold=1.0)
    world.health.circuits.unclosed[resource] = None
    item = snapshot_of(world.health.circuits, 0.5, world.now)
    longest = max(each.until for each in world.health.circuits.unclosed) - world.now
    assert item["open_until"] == {"a": pytest.approx(0.5 + min(longest, DEFAULT.shared_age))}


def test_a_circuit_that_begins_to_be_probed_begins_with_nothing() -> None:
    """No probe has passed, none is under way, and one is due."""
    circuit = Circuit("a", "invoke", "", None, DEFAULT)
    circuit.half_open(0.25)
    assert (circuit.passed, circuit.due, circuit.leased_until, circuit.weak) == (
        0,
        0.25,
        0.0,
        False,
    )


def test_that_one_takes_everything_is_told() -> None:
    """And begins a new epoch: answers from before do not count in it."""
    world = World("a")
    world.health.add("a", HARMLESS)
    circuit = world.circuit("a")
    circuit.half_open(world.now)
    world.health.circuits.pass_probe(circuit, world.now)
    assert (circuit.state, circuit.share(DEFAULT)) == (CircuitState.RAMP, DEFAULT.ramp[-1])
    assert (circuit.epoch, world.told()) == (1, ["ramp"])


def test_a_child_knows_nothing_of_its_parents_time() -> None:
    """Its heartbeat has not begun, and it waits for nothing."""
    shared = FailoverDriver([Scripted("a"), Scripted("b")])._shared
    health = shared.core.health
    health.start("a", UNSAFE, 1.0)
    health.heartbeat.begin(1.0)
    shared.renew(held=False)
    assert not health.heartbeat.is_known(1.0)
    assert health.add("a", UNSAFE).unanswered == 0


def test_a_call_that_went_well_ends_a_row_of_failed_checks() -> None:
    """It is no check that went well."""
    world = World()
    world.call()
    record = world.health.records["a"]
    for before, after in ((-2, 0), (0, 0), (2, 2)):
        record.checks = before
        assert not world.health.circuits.is_check_due("a", world.now, ProbeSchedule(30.0, 3, 3))
        assert record.checks == after


def test_a_whole_token_is_enough_to_be_given_up_early() -> None:
    """Each call adds a share of one, and takes one if there is one."""
    world = World()
    state = begin(world.core, HARMLESS, world.now, 10.0)[0]
    circuit = world.circuit("a", resource="f")
    for before, taken, after in ((0.95, True, 0.0), (0.94, False, 0.99)):
        world.health.budgets.early = before
        assert may_be_early(state, circuit) is taken
        assert world.health.budgets.early == pytest.approx(after)


def test_a_read_back_costs_no_token_and_gives_none_back() -> None:
    """It is never given up early."""
    world = World()
    world.health.budgets.early = 3.0
    store = Store("t", Key(("id",), ("1",)), {}, "w", 0.0)
    world.answers["a"] = Result(Outcome.AMBIGUOUS)
    world.call(store)
    assert world.sent
    assert world.health.budgets.early == 3.0


def test_what_its_function_said_is_an_answer_of_a_target_that_is_well() -> None:
    """An error of the function ends a row of failures, and its time is in the baseline."""
    world = World()
    world.call()
    for _ in range(3):
        fail(world.health, "a", Outcome.REJECTED, world.now)
    circuit = world.circuit("a", resource="f")
    assert (circuit.streak, circuit.latency.total) == (3, 1)
    fail(world.health, "a", Outcome.APP_ERROR, world.now + 1.0)
    assert (circuit.streak, circuit.latency.total) == (0, 2)


def test_what_has_no_payload_of_its_own_counts_each_time() -> None:
    """The same item may fail as often as it is loaded."""
    world = World()
    load = Load("t", Key(("id",), ("1",)))
    for _ in range(4):
        fail(world.health, "a", Outcome.REJECTED, world.now, call=load)
        world.health.add("a", load).good_at = world.now + 0.01
    assert world.circuit("a", "load", "t").streak == 4


def test_what_an_operator_does_is_told_at_once() -> None:
    """By the one who does it, and not by the next call."""
    order = FailoverDriver([Scripted("a"), Scripted("b")])
    order.perform(UNSAFE, 10.0)
    told: list[str] = []
    order.listen(lambda event: told.append(event.name))
    order.isolate("a")
    assert told == ["isolated"]
    order.restore("a")
    assert told == ["isolated", "ramp", "restored"]


def test_a_call_that_meets_a_silence_does_not_wait_there() -> None:
    """It is taken off the target that it turns away from, whether that is silent or has stalled."""
    for waited, pending in ((0.11, 5), (10.0, 0)):
        world = World()
        world.took = {"a": 0.005}
        world.calls(150, every=0.01)
        for _ in range(5):
            world.health.start("a", UNSAFE, world.now)
        world.now = world.health.seen_at = world.now + waited
        assert begin(world.core, UNSAFE, world.now, 10.0)[0].tried == ("b",)
        assert world.circuit("a", resource="f").unanswered == pending


def test_a_good_answer_opens_nothing_and_nor_does_one_slow_one() -> None:
    """Not even where the evidence was enough before, and another target is well only now."""
    world = World()
    world.calls(150, every=0.01)
    circuit = world.circuit("a", resource="f")
    for failed, took in ((2 * DEFAULT.trip_score, 0.05), (0.0, 5.0)):
        circuit.failed, circuit.weighed_at, circuit.uneasy = failed, world.now, True
        world.health.succeed(attempt("a"), world.now, world.now + took)
        assert world.state("a", "f") is CircuitState.CLOSED


def test_when_to_come_again_while_all_are_down() -> None:
    """With the first target that may be probed, in a tenth of a second at the earliest."""
    world = World()
    for target, until in (("a", 105.0), ("b", 103.0)):
        circuit = world.health.add(target, HARMLESS)
        circuit.open(DEFAULT, 100.0, half, "failures", hold=until - 100.0)
        world.health.circuits.unclosed[circuit] = None
        circuit.streak = DEFAULT.last_failures
    world.health.circuits.review()
    for now, seconds in ((100.0, 3.0), (102.95, 0.1)):
        state, commands = begin(world.core, HARMLESS, now, 10.0)
        assert (commands, state.why) == ((), "all_down")
        assert state.retry_after == pytest.approx(seconds)
