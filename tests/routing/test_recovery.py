"""How a target comes back: holds, probes, the ramp."""

from __future__ import annotations

import pytest

from leeward._routing.call import begin
from leeward._routing.circuit import Circuit, CircuitState
from leeward._routing.commands import Dispatch, ProbeTarget
from leeward._routing.execution import execute
from leeward._routing.policy import DEFAULT
from leeward.calls import Result
from leeward.errors import Outcome
from tests.routing.health_kit import (
    HARMLESS,
    KEYED,
    LATENCY,
    UNSAFE,
    World,
    attempt,
    fail,
    half,
    healed,
    opened,
)


def test_how_long_a_circuit_stays_open() -> None:
    """It doubles with each opening, also after it has closed meanwhile; up to 30 s by a probe."""
    circuit = Circuit("a", "invoke", "", None, DEFAULT)
    assert [circuit.open(DEFAULT, 0.0, half, "x", was_serving=False) for _ in range(5)] == [
        5.0, 10.0, 20.0, 30.0, 30.0,
    ]  # fmt: skip
    circuit.open(DEFAULT, 0.0, half, "x", hold=DEFAULT.hold_all_down)
    short = circuit.open(DEFAULT, 0.0, half, "x", was_serving=False)
    assert short == 5.0, "twice the short hold of a target that nothing replaced is too short"
    circuit.restart(0.0)
    holds = []
    for _ in range(8):
        holds.append(circuit.open(DEFAULT, 0.0, half, "x"))
        circuit.close()
    assert holds == [5.0, 10.0, 20.0, 40.0, 80.0, 160.0, 300.0, 300.0]
    later = circuit.open(DEFAULT, 3 * DEFAULT.hold_half_life, half, "x")
    assert later == 10.0, "of eight openings one is left"
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
    assert world.state("a") is CircuitState.RAMP
    shares = []
    world.took = dict.fromkeys("ab", 0.0001)
    while world.state("a") is CircuitState.RAMP:
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


def test_a_second_target_comes_back_though_no_call_asks_it() -> None:
    """Its ramp takes time alone, and what opened it is worth nothing after ten minutes.

    Else a first target that fails would have no healthier one beside it for good.
    """
    for by_hand in (True, False):
        world = World()
        world.took = dict.fromkeys("ab", 0.005)
        world.calls(150)
        for _ in range(5):
            fail(world.health, "b", Outcome.NOT_SENT, world.now)
        if by_hand:
            world.health.circuits.restore("b", world.now)
        else:
            world.now = world.circuit("b").until + DEFAULT.shared_age - 100.0
            world.calls(500)
            assert world.state("b") is CircuitState.OPEN
            world.calls(600)
        assert world.state("b") is CircuitState.RAMP
        world.calls(900)
        assert (set(world.sent), world.watchful) == ({"a"}, False)
        world.answers["a"], world.took["a"] = Outcome.AMBIGUOUS, 100.0
        assert world.calls(50, every=0.01) == "b" * 50


def test_a_failed_probe_opens_again() -> None:
    """The hold doubles, and the caller is served elsewhere."""
    world = opened(World())
    world.now = world.circuit("a").until
    assert world.call().target == "b"
    circuit = world.circuit("a")
    assert (circuit.state, circuit.reason) == (CircuitState.OPEN, "probe_failed")
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
        world.core.health.circuits.take_probe(probe, Outcome.OK, world.now, fidelity="data_plane")
    assert (world.state("a"), world.circuit("a").stage) == (CircuitState.RAMP, 0)
    without = healed(opened(World()))
    without.calls(1, UNSAFE)
    assert (without.state("a"), without.circuit("a").stage) == (CircuitState.RAMP, -1)
    assert without.circuit("a").share(DEFAULT) == DEFAULT.ramp_after_weak_probes


def probing(world: World) -> ProbeTarget:
    world.health.records["a"].probes = True
    world.call(UNSAFE)
    return next(each for each in world.health.outbox if isinstance(each, ProbeTarget))


@pytest.mark.parametrize(
    ("outcome", "fidelity", "state", "stage"),
    [
        (Outcome.OK, "data_plane", CircuitState.RAMP, 0),
        (Outcome.OK, "control_plane", CircuitState.RAMP, -1),
        (Outcome.LOCAL, "data_plane", CircuitState.HALF_OPEN, 0),
        (Outcome.NOT_SENT, "data_plane", CircuitState.OPEN, 0),
    ],
)
def test_what_a_drivers_own_probe_says(
    outcome: Outcome, fidelity: str, state: CircuitState, stage: int
) -> None:
    """A weak probe begins a weak ramp; what is no answer says nothing."""
    world = healed(opened(World()))
    probe = probing(world)
    for _ in range(3):
        world.core.health.circuits.take_probe(probe, outcome, world.now, fidelity=fidelity)
    assert (world.state("a"), world.circuit("a").stage) == (state, stage)


def test_an_old_probe_says_nothing() -> None:
    """Nor one of a circuit that is not there any more."""
    world = healed(opened(World()))
    probe = probing(world)
    stale = probe._replace(epoch=probe.epoch - 1)
    for each in (stale, probe._replace(target="b"), probe._replace(resource="gone")):
        world.core.health.circuits.take_probe(
            each, Outcome.NOT_SENT, world.now, fidelity="data_plane"
        )
    assert world.state("a") is CircuitState.HALF_OPEN


def test_a_lost_prober_does_not_wedge_the_circuit() -> None:
    """Its lease ends, and another call may look."""
    world = World()
    world.calls(DEFAULT.baseline_answers)
    healed(opened(world))
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
    world.health.succeed(old, world.now - 0.1, world.now)
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


def gone(world: World) -> World:
    """Let a target go wrong for so long that pinned calls are refused, too; others do without."""
    world.answers["a"] = Outcome.AMBIGUOUS
    world.calls(6)
    world.calls(60, KEYED)
    for circuit in world.health.circuits.unclosed:
        circuit.until = world.now + 1000.0
    world.now += DEFAULT.hold_all_down
    return world


def test_a_call_tries_its_only_target_now_and_then_while_that_is_gone() -> None:
    """One each second and a half; when that goes well, all of them are let through."""
    world = gone(World("abc"))
    for _ in range(3):
        assert [world.call(KEYED).outcome for _ in range(2)] == [
            Outcome.AMBIGUOUS,
            Outcome.NOT_SENT,
        ]
        world.now += DEFAULT.hold_all_down - 0.01 - LATENCY
        assert world.call(KEYED).reason == "all_down"
        world.now += 0.02
    world.answers.clear()
    world.now += DEFAULT.hold_all_down
    assert {world.call(KEYED).attempts[0].reason for _ in range(5)} == {"only_one_able"}
    assert world.call().target == "b", "that others do without it has not changed"


def test_a_call_that_is_narrowed_tries_its_targets_now_and_then() -> None:
    """As long as others are served elsewhere; where nobody is, probes alone look."""
    world = gone(World("abc"))
    world.answers["b"] = Outcome.AMBIGUOUS
    world.calls(8)
    for target in "ab":  # nothing at all goes well there
        world.circuit(target, resource="f").streak = DEFAULT.last_failures
    only = begin(world.core, HARMLESS, world.now, 10.0, ("b", "a"))[0]
    assert (only.tried, begin(world.core, HARMLESS, world.now, 10.0, ("b", "a"))[0].tried) == (
        ("b",),
        ("a",),
    )
    assert begin(world.core, HARMLESS, world.now, 10.0, ("b", "a"))[0].why == "all_down"
    for circuit in (world.circuit("b", resource="f"), world.circuit("b")):
        circuit.good_at, circuit.gone = world.now + 1.0, False
    assert begin(world.core, HARMLESS, world.now, 10.0, ("b", "a"))[0].tried == ("b",)


def test_a_probe_whose_lease_was_over_says_nothing() -> None:
    """A frozen process hears of it late: another probe is under way, and keeps its lease."""
    world = healed(opened(World()))
    first = execute(world.core, HARMLESS, world.now, 10.0)
    (late,) = next(first)
    world.now = world.circuit("a").leased_until
    second = execute(world.core, HARMLESS, world.now, 10.0)
    (probe,) = next(second)
    assert isinstance(probe, Dispatch)
    assert (late.target, probe.target, probe.reason) == ("a", "a", "probe")
    circuit = world.circuit("a")
    before = circuit.state, circuit.leased_until, circuit.passed
    with pytest.raises(StopIteration):
        first.send((late, world.now - 5.0, world.now, Result(Outcome.OK)))
    assert (circuit.state, circuit.leased_until, circuit.passed) == before
    with pytest.raises(StopIteration):
        second.send((probe, world.now, world.now + 0.1, Result(Outcome.OK)))
    assert circuit.passed == 1
