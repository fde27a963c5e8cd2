"""How evidence is weighed, when a circuit opens, and how a target comes back."""

from __future__ import annotations

from math import ceil, inf

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from leeward.adapter import NO_NETWORK, Delete, Invoke, Key, Load, Publish, Result, Store
from leeward.errors import Outcome
from leeward.routing.budget import Failovers, spend_failover, spend_hedge
from leeward.routing.by_hand import isolate, restore
from leeward.routing.call import (
    AttemptEnded,
    CallState,
    Core,
    Dispatch,
    Ending,
    PauseEnded,
    begin,
    step,
)
from leeward.routing.choice import SPREAD, ProbeTarget
from leeward.routing.circuit import Circuit, State, Weights
from leeward.routing.evidence import Answered, probe_passed, weigh_failure, weigh_lost_race
from leeward.routing.execution import execute
from leeward.routing.explain import ENDINGS, REASONS, explain
from leeward.routing.latency import Latency, bucket_of
from leeward.routing.policy import DEFAULT
from leeward.routing.probing import HealthChecks, checked, is_due, probed
from leeward.routing.select import Group
from leeward.routing.suggestion import snapshot_of, suggest
from leeward.values import Effect, Event
from tests.routing.health_kit import HARMLESS, UNSAFE, World, attempt, fail, half

OTHER = HARMLESS._replace(function="g")
KEYED = HARMLESS._replace(effect=Effect.KEYED)


def opened(world: World, target: str = "a") -> World:
    """Open the circuit of a target as a whole: it refuses connections."""
    world.answers[target] = Outcome.NOT_SENT
    world.calls(5)
    assert world.state(target) is State.OPEN
    return world


def healed(world: World, target: str = "a") -> World:
    """Let the target work again, and the time of its circuit pass."""
    world.answers.clear()
    world.now = world.circuit(target).until
    return world


# Scores.


def test_five_failures_in_a_row_open_a_circuit() -> None:
    """Refused connections open the whole verb; the calls go to the next target meanwhile."""
    world = World()
    world.answers["a"] = Outcome.NOT_SENT
    answered = world.calls(10)
    assert answered == "b" * 10
    assert world.sent.count("a") == 5, "two at a call until the score is reached, then none"
    assert world.state("a") is State.OPEN
    assert world.told().count("opened") == 1


def test_one_broken_function_does_not_take_its_neighbours_away() -> None:
    """Failures of one function are evidence on it alone, until another one fails, too."""
    world = World()
    world.answers["a"] = Outcome.AMBIGUOUS
    world.calls(6)
    assert world.state("a", "f") is State.OPEN
    assert world.state("a") is State.CLOSED
    world.answers["a"] = Outcome.OK
    assert world.calls(3, OTHER) == "aaa"
    world.answers["a"] = Outcome.AMBIGUOUS
    world.calls(6, OTHER)
    assert world.state("a") is State.OPEN, "now two of them fail"


def test_an_old_failure_of_a_neighbour_is_forgotten() -> None:
    """Two functions that fail hours apart are not a target that fails."""
    world = World()
    fail(world.health, "a", Outcome.AMBIGUOUS, 100.0)
    for number in range(5):
        fail(world.health, "a", Outcome.AMBIGUOUS, 10_000.0 + number, call=OTHER)
    assert world.state("a") is State.CLOSED
    assert world.state("a", "g") is State.OPEN


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
    assert bool(world.health.unclosed) is opens
    assert world.health.evidence("a", 200.0).failures == (20 if opens else 0)
    assert world.health.evidence("a", 200.0).last_outcome is outcome


def test_a_lasting_refusal_opens_at_once_and_for_long() -> None:
    """One UNUSABLE is enough; five minutes."""
    world = World()
    fail(world.health, "a", Outcome.UNUSABLE, 100.0)
    circuit = world.circuit("a", resource="f")
    assert (circuit.state, circuit.reason) == (State.OPEN, "unusable")
    assert circuit.until == 100.0 + DEFAULT.hold_unusable


def test_slow_answers_open_a_circuit_too() -> None:
    """Four times the usual 95th percentile, and at least half a second."""
    world = World()
    world.calls(40)
    world.took["a"] = 1.0
    assert world.calls(12).count("b") > 3
    assert world.circuit("a", resource="f").reason == "slow"
    assert world.state("a") is State.CLOSED, "slowness is the function's"


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
    assert world.state("a", "f") is State.CLOSED
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
    assert not world.health.unclosed
    fail(world.health, "a", Outcome.AMBIGUOUS, world.now + DEFAULT.last_silence)
    assert world.health.unclosed


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
    assert not world.health.unclosed


def test_an_answer_that_is_much_too_late_proves_nothing() -> None:
    """The process was frozen, not the target."""
    world = World()
    for number in range(10):
        late = 100.0 + 1000.0 * number
        fail(world.health, "a", Outcome.AMBIGUOUS, late)
    before = world.circuit("a", resource="f").failed
    command = attempt("a")
    frozen = Answered(command, 20_000.0, 20_000.0 + command.timeout + 0.3)
    weigh_failure(world.health, frozen, Outcome.AMBIGUOUS, None)
    assert world.circuit("a", resource="f").failed == before


@settings(max_examples=200)
@given(st.lists(st.tuples(st.sampled_from([True, False, None]), st.floats(0, 300)), max_size=60))
def test_a_score_is_never_negative_and_always_bounded(
    evidence: list[tuple[bool | None, float]],
) -> None:
    """It decays with time, and forgets an illness in bounded time."""
    circuit, now = Circuit("a", "invoke", "f", None, DEFAULT), 0.0
    for failed, pause in evidence:
        now += pause
        before = circuit.failed
        circuit.weigh(DEFAULT, Weights.of(DEFAULT), now, failed=failed)
        assert 0 <= circuit.failed <= 2 * DEFAULT.trip_score
        if failed is None:
            assert circuit.failed <= before
        assert circuit.uneasy is bool(circuit.failed or circuit.slow or circuit.streak)


# Open, and the way back.


def test_how_long_a_circuit_stays_open() -> None:
    """It doubles each time; opening often costs more, also after it has closed meanwhile."""
    circuit = Circuit("a", "invoke", "", None, DEFAULT)
    assert [circuit.open(DEFAULT, 0.0, half, "x", penalised=False) for _ in range(4)] == [
        5.0, 10.0, 20.0, 30.0,
    ]  # fmt: skip
    circuit.close()
    holds = []
    for _ in range(6):
        holds.append(circuit.open(DEFAULT, 0.0, half, "x"))
        circuit.close()
    assert holds[:2] == [5.0, 5.0]
    assert holds[2] == pytest.approx(30 * 2**0.5)
    assert holds[5] == DEFAULT.penalty_longest
    calm = circuit.open(DEFAULT, 24 * 3600.0, half, "x")
    assert calm == 5.0, "a day later it is forgotten"
    low = Circuit("a", "invoke", "", None, DEFAULT).open(DEFAULT, 0.0, lambda: 0.0, "x")
    assert low == 5.0 * (1 - DEFAULT.hold_jitter)


def test_a_target_comes_back_by_probes_and_a_ramp() -> None:
    """Three probes, one second apart; then 5, 20 and 50 % of the calls; then all."""
    world = healed(opened(World()))
    first = world.call()
    assert (first.target, first.attempts[0].reason) == ("a", "probe")
    assert world.call().target == "b", "one probe a second"
    for _ in range(2):
        world.now += DEFAULT.probe_gap
        assert world.call().attempts[0].reason == "probe"
    assert world.state("a") is State.RAMP
    shares = []
    world.took = dict.fromkeys("ab", 0.0001)
    while world.state("a") is State.RAMP:
        stage = world.circuit("a").stage
        answered = world.calls(100, every=0.001)
        if world.circuit("a").stage == stage:
            shares.append(answered.count("a"))
        world.now += 1.0
    assert shares[0] in (4, 5, 6)
    assert any(18 <= share <= 22 for share in shares)
    assert any(48 <= share <= 52 for share in shares)
    assert world.calls(5) == "aaaaa"
    names = world.told()
    assert [names.count(each) for each in ("half_open", "ramp", "closed")] == [1, 3, 1]


def test_a_failed_probe_opens_again() -> None:
    """The hold doubles, and the caller is served elsewhere."""
    world = opened(World())
    world.now = world.circuit("a").until
    assert world.call().target == "b"
    circuit = world.circuit("a")
    assert (circuit.state, circuit.reason) == (State.OPEN, "probe_failed")
    assert circuit.until - world.now == pytest.approx(10.0, abs=0.2)


def test_a_ramp_that_fails_opens_again() -> None:
    """Two failures and more than a fifth of a stage's answers."""
    world = healed(opened(World()))
    for _ in range(3):
        world.call()
        world.now += DEFAULT.probe_gap
    world.answers["a"] = Outcome.NOT_SENT
    world.calls(60)
    assert world.circuit("a").reason == "ramp_failed"
    circuit = world.circuit("a")
    circuit.begin_stage(0, 0.0)
    circuit.answers, circuit.failures = 20, 3
    assert not circuit.has_failed_stage(DEFAULT)
    circuit.failures = 5
    assert circuit.has_failed_stage(DEFAULT)


def test_a_stage_without_calls_ends_as_well() -> None:
    """After fifteen seconds, whether or not there were answers."""
    circuit = Circuit("a", "invoke", "", None, DEFAULT)
    circuit.begin_stage(0, 100.0)
    assert not circuit.has_passed_stage(DEFAULT, 114.9)
    assert circuit.has_passed_stage(DEFAULT, 115.0)
    circuit.answers = 3
    assert not circuit.has_passed_stage(DEFAULT, 104.9)
    assert circuit.has_passed_stage(DEFAULT, 105.0)


def test_an_unsafe_call_is_no_probe() -> None:
    """The driver is asked to look; without a probe of its own, the ramp begins at 1 %."""
    world = healed(opened(World()))
    world.health.records["a"].probes = True
    world.told()
    assert world.call(UNSAFE).target == "b"
    (probe,) = [each for each in world.health.outbox if isinstance(each, ProbeTarget)]
    assert (probe.target, probe.verb, probe.resource) == ("a", "invoke", "")
    assert world.call(UNSAFE).target == "b"
    assert len([e for e in world.health.outbox if isinstance(e, ProbeTarget)]) == 1, "one lease"
    for _ in range(3):
        probed(world.core, probe, Outcome.OK, world.now, fidelity="data_plane")
    assert (world.state("a"), world.circuit("a").stage) == (State.RAMP, 0)
    without = healed(opened(World()))
    without.calls(1, UNSAFE)
    assert (without.state("a"), without.circuit("a").stage) == (State.RAMP, -1)
    assert without.circuit("a").share(DEFAULT) == DEFAULT.ramp_after_weak_probes


def probing(world: World) -> ProbeTarget:
    world.health.records["a"].probes = True
    world.call(UNSAFE)
    return next(each for each in world.health.outbox if isinstance(each, ProbeTarget))


@pytest.mark.parametrize(
    ("outcome", "fidelity", "state", "stage"),
    [
        (Outcome.OK, "data_plane", State.RAMP, 0),
        (Outcome.OK, "control_plane", State.RAMP, -1),
        (Outcome.LOCAL, "data_plane", State.HALF_OPEN, 0),
        (Outcome.NOT_SENT, "data_plane", State.OPEN, 0),
    ],
)
def test_what_a_drivers_own_probe_says(
    outcome: Outcome, fidelity: str, state: State, stage: int
) -> None:
    """A weak probe begins a weak ramp; what is no answer says nothing."""
    world = healed(opened(World()))
    probe = probing(world)
    for _ in range(3):
        probed(world.core, probe, outcome, world.now, fidelity=fidelity)
    assert (world.state("a"), world.circuit("a").stage) == (state, stage)


def test_an_old_probe_says_nothing() -> None:
    """Nor one of a circuit that is not there any more."""
    world = healed(opened(World()))
    probe = probing(world)
    stale = probe._replace(epoch=probe.epoch - 1)
    for each in (stale, probe._replace(target="b"), probe._replace(resource="gone")):
        probed(world.core, each, Outcome.NOT_SENT, world.now, fidelity="data_plane")
    assert world.state("a") is State.HALF_OPEN


def test_a_lost_prober_does_not_wedge_the_circuit() -> None:
    """Its lease ends, and another call may look."""
    world = healed(opened(World()))
    execution = execute(world.core, HARMLESS, world.now, 10.0)
    (command,) = next(execution)
    assert command.target == "a"
    assert world.call().target == "b"
    lease = world.circuit("a").leased_until - world.now
    assert lease == pytest.approx(DEFAULT.probe_time + DEFAULT.lease_margin, abs=0.2)
    world.now += lease
    assert world.call().attempts[0].reason == "probe"


def test_a_cancelled_probe_gives_its_lease_back() -> None:
    """A moment later the next call may look."""
    world = healed(opened(World()))
    execution = execute(world.core, HARMLESS, world.now, 10.0)
    next(execution)
    execution.close()
    assert world.circuit("a").leased_until == 0
    world.now += DEFAULT.probe_gap
    assert world.call().attempts[0].reason == "probe"


def test_stale_answers_move_nothing() -> None:
    """Neither a late success nor a late failure of an earlier epoch."""
    world = healed(opened(World()))
    world.call()
    circuit = world.circuit("a")
    before = circuit.state, circuit.epoch, circuit.passed
    fail(world.health, "a", Outcome.NOT_SENT, world.now, epoch=circuit.epoch - 1, reason="probe")
    old = attempt("a", epoch=circuit.epoch - 1, reason="probe")
    world.health.succeeded(old, world.now - 0.1, world.now)
    assert (circuit.state, circuit.epoch, circuit.passed) == before


def test_a_call_that_may_go_nowhere_else_is_let_through() -> None:
    """A keyed call's only target is ill, not gone: refusing the call would help nobody."""
    world = World()
    world.answers["a"] = Outcome.AMBIGUOUS
    world.calls(6)
    world.answers["a"] = Outcome.OK
    result = world.call(KEYED)
    assert (result.target, result.attempts[0].reason) == ("a", "only_one_able")
    world.answers["a"] = Outcome.AMBIGUOUS
    world.calls(40, KEYED)
    assert world.call(KEYED).reason == "all_down"


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
    assert not world.health.unclosed
    assert world.health.local is not None
    refused = world.call()
    assert (refused.reason, refused.attempts) == ("local_outage", ())
    world.now += DEFAULT.local_probe
    assert world.call().attempts
    world.answers.clear()
    world.now += DEFAULT.local_probe
    assert world.call().target == "a"
    assert not world.health.watchful
    assert world.calls(5) == "aaaaa"
    assert world.told().count("local_outage") == 2


def test_what_opened_in_an_outage_of_our_own_closes_soon() -> None:
    """Each at a time of its own, without a ramp."""
    world = opened(World("abc"))
    ours = Result(Outcome.NOT_SENT, reason=NO_NETWORK)
    for target in "abc":
        lost = Answered(attempt(target), world.now, world.now)
        weigh_failure(world.health, lost, ours.outcome, ours.reason)
    assert world.health.local is not None
    world.answers.clear()
    world.now += DEFAULT.local_probe
    world.call()
    world.now += DEFAULT.local_stagger
    assert world.call().target == "a"
    assert world.state("a") is State.CLOSED


def test_one_target_without_a_route_is_that_targets() -> None:
    """With a success elsewhere in between, it is not the whole network."""
    world = World()
    world.answers["a"] = Result(Outcome.NOT_SENT, reason=NO_NETWORK)
    assert world.calls(10) == "b" * 10
    assert world.health.local is None


# Payloads.


def poisoned(world: World) -> Invoke:
    """Let one payload be unknown on both targets, which serve others well; return it."""
    world.calls(5)
    world.calls(5, HARMLESS._replace(function="h"))
    bad = HARMLESS._replace(payload=b"poison")
    for target in "ab":
        world.health.circuits.get((target, "invoke", "f")) or world.health.add(target, bad)
        world.health.succeeded(attempt(target), world.now - 0.1, world.now)
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
    assert world.health.poison is not None
    assert world.health.poison.quarantined == 0


def test_a_payload_that_went_well_is_harmless() -> None:
    """A constant payload is not refused because two attempts of it were unlucky."""
    world = World()
    bad = poisoned(world)
    assert world.health.poison is not None
    world.health.poison.note_success(bad)
    assert world.health.poison.quarantined == 0
    world.health.review()
    assert world.call(bad).outcome is Outcome.OK


def test_one_payload_does_not_open_a_circuit() -> None:
    """Two failures a minute of it count, as long as others go well."""
    world = World()
    bad = HARMLESS._replace(payload=b"poison")
    for _ in range(30):
        fail(world.health, "a", Outcome.REJECTED, world.now, call=bad)
        world.health.succeeded(attempt("a"), world.now, world.now + 0.1)
        world.now += 0.2
    assert not world.health.unclosed


def test_the_same_payload_from_everybody_does_open_one() -> None:
    """Where nothing else goes well, its failures are like any other."""
    world = World()
    for number in range(5):
        fail(world.health, "a", Outcome.REJECTED, world.now + number)
    assert world.health.unclosed


def test_payloads_are_forgotten() -> None:
    """At most so many are remembered, the oldest go first."""
    world = World(policy=DEFAULT._replace(poison_entries=3))
    for number in range(10):
        call = HARMLESS._replace(payload=b"%d" % number)
        fail(world.health, "a", Outcome.REJECTED, world.now, call=call)
    assert world.health.poison is not None
    assert len(world.health.poison) == 3


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
    assert world.health.poison is not None
    assert len(world.health.poison) == known
    world.health.poison.note_success(call)
    assert not world.health.poison.is_refused(call, world.now)


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
    window = Failovers(DEFAULT, 0, 0.0)
    assert [window.spend(20, 1.0) for _ in range(12)] == [True] * 10 + [False] * 2
    assert window.spent == 10
    assert window.spend(20, 11.0), "ten seconds later"
    busy = Failovers(DEFAULT, 0, 0.0)
    assert sum(busy.spend(1000, 5.0) for _ in range(200)) == 120
    world = opened(World())
    assert all(spend_failover(world.health, "a", HARMLESS, world.now) for _ in range(100)), "open"
    world = World()
    assert sum(spend_failover(world.health, "b", HARMLESS, world.now) for _ in range(100)) == 10


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
    assert "failover_budget" not in explain(world.health, 1)
    assert ENDINGS["failover_budget"] in explain(world.health, 1)


# By hand.


def test_an_isolated_target_gets_nothing() -> None:
    """Until it is restored, and then a share first."""
    world = World()
    world.calls(3)
    isolate(world.health, "a")
    assert world.calls(5) == "b" * 5
    assert world.health.evidence("a", world.now).state == "isolated"
    restore(world.health, "a", world.now)
    answered = world.calls(100, every=0.001)
    assert answered.count("a") in (4, 5, 6)
    assert world.health.evidence("a", world.now).state == "ramp"
    assert world.told()[0] == "isolated"


def test_isolating_all_is_told() -> None:
    """Calls fail with that reason, and nothing is sent."""
    world = World()
    for target in "ab":
        isolate(world.health, target)
    result = world.call()
    assert (result.reason, result.attempts) == ("isolated", ())


def test_restoring_ends_a_rest() -> None:
    """Whatever time was left."""
    world = opened(World())
    world.answers.clear()
    restore(world.health, "a", world.now)
    assert world.state("a") is State.RAMP
    assert world.circuit("a").penalty == 0
    assert world.calls(100, every=0.001).count("a") in (4, 5, 6)


@pytest.mark.parametrize("fail_back", ["sticky", "manual"])
def test_calls_stay_where_they_went(fail_back: str) -> None:
    """They return when an operator says so; `sticky` also when that target fails."""
    world = opened(World(fail_back=fail_back))
    world.answers.clear()
    world.now += 1000.0
    assert world.calls(20) == "b" * 20
    assert world.call().attempts[0].reason in ("stays", "first_is_out")
    if fail_back == "manual":
        assert world.state("a") is State.OPEN
    restore(world.health, "a", world.now)
    world.now += 100.0
    answered = world.calls(200, every=1.0)
    assert answered.endswith("aaa")


def test_a_sticky_target_that_fails_is_left() -> None:
    """For the first of the order that is well."""
    world = opened(World("ab", fail_back="sticky"))
    world.answers = {"b": Outcome.NOT_SENT}
    world.now += 1000.0
    world.calls(40)
    assert world.calls(5, every=1.0)[-1] == "a"


def test_weights_keep_a_share_elsewhere() -> None:
    """Exactly so many, spread evenly; unsafe calls too."""
    world = World("abc", weights={"b": 0.05, "c": 0.02})
    answered = world.calls(1000, UNSAFE, every=0.001)
    assert [answered.count(each) for each in "abc"] == [930, 50, 20]
    assert SPREAD < 1
    assert World(weights={"b": 0.05}).calls(40, KEYED) == "a" * 40


def test_a_group_has_its_own_targets() -> None:
    """Whatever the order says."""
    world = World("abc", groups={("invoke", "f"): Group(("c", "b"))})
    assert world.calls(3) == "ccc"
    assert world.calls(3, OTHER) == "aaa"
    world.answers["c"] = Outcome.NOT_SENT
    assert world.calls(3) == "bbb"


# What is remembered.


def test_circuits_are_forgotten_the_oldest_first() -> None:
    """There are never more than the policy allows, whatever is called."""
    world = World("a", policy=DEFAULT._replace(most_circuits=16))
    for number in range(100):
        world.call(HARMLESS._replace(function=f"f{number}"))
        world.now += 1.0
    assert len(world.health.circuits) <= 17
    assert ("a", "invoke", "f99") in world.health.circuits
    assert ("a", "invoke") in world.health.circuits


def test_a_child_begins_without_what_only_its_parent_has() -> None:
    """Attempts and probes in flight, and events that the parent tells."""
    world = healed(opened(World()))
    world.health.start("a", HARMLESS, world.now)
    world.circuit("a").leased_until = 1e9
    world.health.begin_in_child()
    assert not world.health.outbox
    assert all(not each.pending for each in world.health.circuits.values())
    assert all(not each.leased_until for each in world.health.circuits.values())


def test_decisions_are_explained() -> None:
    """In words, with every attempt; a call that went well at once is not remembered."""
    world = World()
    world.call()
    assert "went well at once" in explain(world.health, 1)
    assert "No call has the number 7" in explain(world.health, 7)
    assert "No call has the number 0" in explain(world.health, 0)
    world.answers = {"a": Outcome.NOT_SENT, "b": Outcome.AUTH}
    world.call()
    text = explain(world.health, 2)
    assert "Call 2: invoke 'f'." in text
    assert text.count("attempt") >= 3
    assert "at b, because the call was free to go to the next target" in text
    assert "It ended there: auth is a final answer." in text
    assert text.endswith("\n")


def test_every_code_has_words() -> None:
    """Those that the modules use, and no more."""
    import re
    from pathlib import Path

    import leeward.routing

    folder = Path(next(iter(leeward.routing.__path__)))
    source = "".join(path.read_text() for path in folder.glob("*.py") if path.stem != "explain")
    used = set(re.findall(r'"([a-z_]+)"', source))
    assert set(REASONS) <= used
    assert {each for each in ENDINGS if each} <= used


# Health checks, and what others have seen.

CHECKS = HealthChecks(30.0, 3, 2)


def test_failed_health_checks_open_and_good_ones_return() -> None:
    """Three in a row, and two; what says nothing does not count."""
    world = World()
    world.calls(2)
    for _ in range(2):
        checked(world.health, "a", Outcome.NOT_SENT, world.now, CHECKS, weak=False)
    checked(world.health, "a", Outcome.LOCAL, world.now, CHECKS, weak=False)
    assert world.state("a") is State.CLOSED
    checked(world.health, "a", Outcome.AMBIGUOUS, world.now, CHECKS, weak=False)
    assert world.circuit("a").reason == "health_check"
    checked(world.health, "a", Outcome.OK, world.now, CHECKS, weak=False)
    assert world.state("a") is State.OPEN
    checked(world.health, "a", Outcome.OK, world.now, CHECKS, weak=True)
    assert (world.state("a"), world.circuit("a").stage) == (State.RAMP, -1)
    checked(world.health, "a", Outcome.OK, world.now, CHECKS, weak=False)
    assert world.circuit("a").stage == -1, "a ramp goes on by itself"


def test_a_last_target_is_kept_whatever_probes_say() -> None:
    """There is no healthier one."""
    world = World("a")
    world.calls(2)
    for _ in range(5):
        checked(world.health, "a", Outcome.NOT_SENT, world.now, CHECKS, weak=False)
    assert world.state("a") is State.CLOSED


def test_calls_save_probes() -> None:
    """A target that has just served need not be probed; one that is ill has to be."""
    world = World()
    assert is_due(world.health, "a", world.now, CHECKS)
    world.call()
    assert not is_due(world.health, "a", world.now, CHECKS)
    assert is_due(world.health, "a", world.now + 31.0, CHECKS)
    opened(world)
    assert is_due(world.health, "a", world.now, CHECKS)


def test_what_others_saw_is_a_suggestion() -> None:
    """One failure of one's own is then enough, and nothing is refused by itself."""
    sick = opened(World())
    item = snapshot_of(sick.health, 5000.0, sick.now)
    assert list(item["open_until"]) == ["a"]
    world = World()
    world.calls(1, OTHER)
    world.health.add("b", OTHER)
    suggest(world.health, item, 5010.0, world.now)
    assert world.calls(1) == "a"
    world.answers["a"] = Outcome.NOT_SENT
    world.calls(1)
    assert world.state("a") is State.OPEN


@pytest.mark.parametrize(
    ("item", "wall"),
    [
        ({}, 5000.0),
        ({"written_at": "now", "open_until": {}}, 5000.0),
        ({"written_at": 5000.0, "open_until": ["a"]}, 5000.0),
        ({"written_at": 5000.0, "open_until": {"a": 1}}, 5000.0 + DEFAULT.shared_age + 1),
        ({"written_at": 5001.0, "open_until": {"a": 1}}, 5000.0),
        ({"written_at": 5000.0, "open_until": {"z": 1}}, 5000.0),
    ],
)
def test_what_is_old_or_odd_suggests_nothing(item: dict[str, object], wall: float) -> None:
    """It may be anybody's item, or from the future."""
    world = World()
    suggest(world.health, item, wall, world.now)
    assert all(record.prepared == 0 for record in world.health.records.values())


def test_a_core_is_a_value() -> None:
    """The same events and numbers give the same decisions."""
    one, two = World(), World()
    for world in (one, two):
        world.answers["a"] = Outcome.REJECTED
        world.calls(20)
    assert (one.sent, one.now) == (two.sent, two.now)
    assert isinstance(one.core, Core)


def test_a_suggestion_is_forgotten() -> None:
    """A function that is first called much later begins without it."""
    world = World()
    suggest(world.health, {"written_at": 5.0, "open_until": {"a": 9.0}}, 6.0, world.now)
    world.now += DEFAULT.shared_age
    world.call(OTHER)
    world.call()
    assert world.circuit("a", resource="f").failed == 0


def test_what_opened_for_our_own_outage_is_not_told_to_others() -> None:
    """Nor a circuit that is on its way back."""
    world = opened(World())
    world.circuit("a").reason = "local_outage"
    assert snapshot_of(world.health, 5000.0, world.now)["open_until"] == {}
    restore(world.health, "a", world.now)
    assert snapshot_of(world.health, 5000.0, world.now)["open_until"] == {}


# What follows a failure, in the corners.


def begun(world: World, call: Invoke = HARMLESS, timeout: float = 10.0) -> CallState:
    """Return the state of a call whose first attempt is under way."""
    return begin(world.core, call, world.now, timeout)[0]


def test_a_target_that_turns_out_ill_in_a_pause_is_left() -> None:
    """If the call may move; else it ends there."""
    world = World()
    world.calls(1)
    state, (pause,) = step(begun(world), AttemptEnded(1, Outcome.REJECTED), world.now, half)
    opened(world)
    _, (command,) = step(state, PauseEnded(pause.target), world.now, half)
    assert (command.target, command.reason) == ("b", "moved")  # type: ignore[union-attr]
    state = begun(world, KEYED._replace(function="h"))
    state = state._replace(tried=("a",), may_move=False)
    ended, commands = step(state, PauseEnded("a"), world.now, half)
    assert (ended.ending, ended.why, commands) == (Ending.LAST, "no_other_target", ())


def test_no_attempt_starts_that_would_only_be_cut_off() -> None:
    """A target whose median answer takes longer than what is left is not asked."""
    world = World()
    world.answers["a"] = Outcome.UNUSABLE
    world.took["b"] = 2.0
    world.calls(25, UNSAFE)
    world.answers["a"] = Outcome.OK
    isolate(world.health, "b")
    restore(world.health, "b", world.now)
    for target in "ab":
        for each in world.health.circuits.values():
            if each.target == target:
                each.close()
    world.health.unclosed.clear()
    world.answers["a"] = Outcome.UNUSABLE
    result = world.call(UNSAFE, timeout=1.0)
    assert result.outcome is Outcome.UNUSABLE
    assert ENDINGS["no_time"] in explain(world.health, result.attempts[0].call_id)


def test_a_move_needs_somewhere_to_go() -> None:
    """All others rest: the call ends with that reason."""
    world = World("abc")
    world.answers = {"b": Outcome.NOT_SENT, "c": Outcome.NOT_SENT}
    for target in "bc":
        fail(world.health, target, Outcome.UNUSABLE, world.now)
    world.answers["a"] = Outcome.UNUSABLE
    result = world.call(UNSAFE)
    assert [each.target for each in result.attempts] == ["a"]
    assert ENDINGS["no_other_target"] in explain(world.health, result.attempts[0].call_id)
    leased = opened(World())
    leased.now = leased.circuit("a").until
    leased.call()
    state = begun(leased)._replace(tried=("b",))
    leased.circuit("a").half_open(leased.now)
    leased.circuit("a").leased_until = leased.now + 9.0
    ended, _ = step(state, AttemptEnded(1, Outcome.UNUSABLE), leased.now, half)
    assert ended.why == "no_other_target"


# Hedges, as values.


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
    world = hedging()
    assert len(begin(world.core, OTHER, world.now, 10.0)[1]) == 1
    assert len(begin(world.core, UNSAFE, world.now, 10.0)[1]) == 1
    state, _ = begin(world.core, HARMLESS, world.now, 10.0)
    assert step(state, PauseEnded("a", hedge=True), world.now + 9.95, half) == (state, ())
    ended = state._replace(in_flight=())
    assert step(ended, PauseEnded("a", hedge=True), world.now, half) == (ended, ())
    isolate(world.health, "b")
    assert step(state, PauseEnded("a", hedge=True), world.now, half) == (state, ())
    assert len(begin(world.core, HARMLESS, world.now, 10.0)[1]) == 1


def test_hedges_have_a_budget() -> None:
    """One for each twenty calls, and none while second tries are used up."""
    world = hedging()
    health = world.health
    assert sum(spend_hedge(health, "a") for _ in range(20)) == DEFAULT.hedge_burst
    health.calls += 40
    assert [spend_hedge(health, "a") for _ in range(3)] == [True, True, False]
    health.calls += 1000
    health.records["a"].tokens = DEFAULT.retry_tokens / 2 - 0.1
    assert not spend_hedge(health, "a")
    state, _ = begin(world.core, HARMLESS, world.now, 10.0)
    assert step(state, PauseEnded("a", hedge=True), world.now, half) == (state, ())


def test_a_loser_that_took_long_is_evidence() -> None:
    """Its answer is not waited for; that it was slow is known."""
    world = hedging()
    circuit = world.circuit("a", resource="f")
    circuit.pending = 2
    weigh_lost_race(world.health, "a", HARMLESS, world.now, world.now + 0.1)
    assert (circuit.slow, circuit.pending) == (0.0, 1)
    weigh_lost_race(world.health, "a", HARMLESS, world.now, world.now + 1.0)
    assert (circuit.slow > 0, circuit.pending) == (True, 0)
    weigh_lost_race(world.health, "a", OTHER, world.now, world.now + 1.0)


# Corners of the evidence.


def test_a_probe_of_the_verb_looks_at_the_function_too() -> None:
    """One call serves both, unless the function is refused for a lasting reason."""
    world = opened(World())
    fail(world.health, "a", Outcome.AMBIGUOUS, world.now)
    circuit = world.circuit("a", resource="f")
    circuit.open(DEFAULT, world.now, half, "failures")
    world.health.unclosed[circuit] = None
    healed(world)
    circuit.until = world.now + 100.0
    assert world.call().attempts[0].reason == "probe"
    assert circuit.state is State.HALF_OPEN
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
    assert (circuit.state, circuit.gone) == (State.OPEN, False)
    for number in range(DEFAULT.last_failures):
        fail(world.health, "a", Outcome.REJECTED, world.now + number)
    assert circuit.gone
    world.health.succeeded(attempt("a"), world.now, world.now + 0.1)
    assert (circuit.streak, circuit.gone) == (0, False)


def test_the_last_one_is_kept_through_a_lasting_refusal_and_a_stall() -> None:
    """There is no other target."""
    world = World("a")
    fail(world.health, "a", Outcome.UNUSABLE, world.now)
    for number in range(6):
        world.health.start("a", HARMLESS, world.now + 0.2 * number)
    assert not world.health.unclosed


def test_an_answer_in_half_open_that_is_no_probes_moves_nothing() -> None:
    """A read-back may come at any time."""
    world = healed(opened(World()))
    world.call()
    circuit = world.circuit("a")
    before = circuit.state, circuit.passed, circuit.leased_until
    fail(world.health, "a", Outcome.NOT_SENT, world.now)
    world.health.succeeded(attempt("a"), world.now, world.now)
    assert (circuit.state, circuit.passed, circuit.leased_until) == before


def test_an_isolated_target_is_no_alternative() -> None:
    """The one that is left counts as the last."""
    world = World()
    isolate(world.health, "b")
    for number in range(30):
        fail(world.health, "a", Outcome.REJECTED, world.now + number)
    assert world.circuit("a", resource="f").gone
    probe_passed(world.health, world.circuit("a", resource="f"), world.now)
    assert world.circuit("a", resource="f").stage == len(DEFAULT.ramp) - 1


def test_slow_answers_in_a_ramp_count_as_failures() -> None:
    """A target that is back, and slow, is not back."""
    world = World()
    world.calls(40)
    circuit = world.circuit("a", resource="f")
    circuit.begin_stage(0, world.now)
    world.health.unclosed[circuit] = None
    world.health.review()
    world.health.succeeded(attempt("a"), world.now, world.now + 3.0)
    assert (circuit.answers, circuit.failures) == (1, 1)


# Latency.


@settings(max_examples=100)
@given(st.lists(st.floats(1e-7, 2000.0), min_size=1, max_size=300), st.floats(0.01, 1.0))
def test_a_quantile_is_near_the_truth(times: list[float], share: float) -> None:
    """Within one bucket of nine percent, between a microsecond and 1,024 seconds."""
    latency = Latency(DEFAULT)
    for seconds in times:
        latency.counts[bucket_of(seconds)] += 1
    exact = sorted(times)[max(0, ceil(share * len(times) - 1e-9) - 1)]
    found = latency.quantile(share)
    assert max(exact, 2.0**-20) <= found * 1.0001 or exact >= 1024
    assert found <= max(exact, 2.0**-20) * 2 ** (1 / 8) * 1.0001


def test_a_known_baseline_grows_slowly_and_fades() -> None:
    """At most double in an hour; halves of old counts are dropped."""
    latency = Latency(DEFAULT)
    assert (latency.quantile(0.5), latency.slow_above(DEFAULT), latency.cut_off(DEFAULT)) == (
        0.0, inf, inf,
    )  # fmt: skip
    latency.counts[bucket_of(0.2)] = latency.total = 1000
    latency.learn(DEFAULT, 0.0)
    before = latency.usual
    assert latency.slow_above(DEFAULT) == 4 * before
    assert latency.stall_after(DEFAULT) == 3 * latency.rare
    assert latency.cut_off(DEFAULT) == 4 * latency.very_rare
    latency.counts[bucket_of(20.0)] = latency.total = 10_000
    latency.learn(DEFAULT, 3600.0)
    assert latency.usual == pytest.approx(2 * before)
    assert latency.total == sum(latency.counts) < 6000
    assert latency.due == latency.total + 64


def test_a_call_that_is_cancelled_in_the_middle_is_not_evidence() -> None:
    """Its second attempt was under way."""
    world = World()
    execution = execute(world.core, HARMLESS, world.now, 10.0)
    (first,) = next(execution)
    (pause,) = execution.send((first, world.now, world.now, Result(Outcome.NOT_SENT)))
    (second,) = execution.send((pause, world.now, world.now + 0.1, None))
    assert isinstance(second, Dispatch)
    failures = world.health.evidence("a", world.now).failures
    execution.close()
    assert world.health.evidence("a", world.now).failures == failures


def test_restoring_one_target_moves_no_group_that_it_is_not_in() -> None:
    """Nor one that stays with it already."""
    world = World("abc", fail_back="sticky")
    world.health.current = {("a", "b", "c"): "c", ("b", "c"): "c", ("a",): "a"}
    restore(world.health, "a", world.now)
    assert world.health.current == {("b", "c"): "c", ("a",): "a"}


def test_what_opened_long_before_an_outage_of_our_own_stays_open() -> None:
    """It had reasons of its own."""
    world = opened(World("abc"))
    circuit = world.circuit("a")
    circuit.open(DEFAULT, world.now, half, "failures", hold=600.0)
    world.now += 60.0
    for target in "abc":
        lost = Answered(attempt(target), world.now, world.now)
        weigh_failure(world.health, lost, Outcome.NOT_SENT, NO_NETWORK)
    world.answers.clear()
    world.now += DEFAULT.local_probe
    world.call()
    assert (circuit.reason, circuit.state) == ("failures", State.OPEN)
