"""Corners of decisions, each by its values: what a small change of the code would break."""

from __future__ import annotations

import pytest

from leeward._routing import execution
from leeward._routing.attempts import CallState, Core, Decision, Ending, dispatch
from leeward._routing.call import begin, hedge, retry, step
from leeward._routing.choice import choose
from leeward._routing.circuit import CircuitState
from leeward._routing.commands import AttemptEnded, Dispatch, Pause, PauseEnded, ReadBack
from leeward._routing.execution import Batch, Entries
from leeward._routing.outcomes import rules_of
from leeward._routing.policy import DEFAULT
from leeward.calls import Key, Publish, Result, Store
from leeward.envelope import RUNNING
from leeward.errors import Outcome
from leeward.values import Event, RoutingEvent
from tests.routing.health_kit import HARMLESS, KEYED, UNSAFE, World, half, healed, opened


def begun(world: World, tried: tuple[str, ...] = (), **more: object) -> CallState:
    """Return the state of a harmless call whose attempts, at some targets in turn, have ended."""
    state = begin(world.core, HARMLESS, world.now, 10.0)[0]._replace(in_flight=())
    return state._replace(tried=tried or state.tried, **more)  # type: ignore[arg-type]


def ended(attempt: int, outcome: Outcome = Outcome.REJECTED, reason: str = "") -> AttemptEnded:
    """Return the end of an attempt."""
    return AttemptEnded(attempt, outcome, reason=reason or None)


def test_only_a_run_that_goes_on_is_waited_for() -> None:
    """And only where the call may be repeated there; the target that has the key is asked again."""
    world = World("abc")
    running = ended(1, Outcome.AMBIGUOUS, RUNNING)
    state, (pause,) = retry(begun(world, ("b", "a")), running, world.now, half)
    assert (type(pause), pause.target) == (Pause, "b")
    assert pause.seconds == pytest.approx(DEFAULT.wait_least, rel=0.5)  # type: ignore[union-attr]
    other = ended(1, Outcome.AMBIGUOUS, "unknown")
    assert retry(begun(world), other, world.now, half)[0].why == "unknown"
    state = begun(world, rules=rules_of(UNSAFE))
    assert retry(state, running, world.now, half)[0].why == RUNNING


def test_a_call_that_may_not_move_ends_after_a_pause_whoever_is_left() -> None:
    """Its target has turned out to be ill meanwhile."""
    world = World()
    world.calls(1)
    state = begun(world, may_move=False)
    opened(world)
    found, commands = step(state, PauseEnded("a"), world.now, half)
    assert (found.ending, found.why, commands) == (Ending.LAST, "no_other_target", ())


def test_a_target_whose_hold_is_over_may_be_tried() -> None:
    """One that is open until later may not."""
    world = opened(World("ab"), "a")
    state = begun(world)
    assert state.tried == ("b",)
    world.now = world.circuit("a").until + 1
    late = state._replace(deadline=world.now + 10, tried=("b", "b"))
    _, (command,) = retry(late, ended(2), world.now, half)
    assert (command.target, command.reason) == ("a", "probe")  # type: ignore[union-attr]


def test_a_probe_of_the_only_target_has_all_the_time() -> None:
    """There is nobody else who could answer meanwhile."""
    seconds = {}
    for order in ("a", "ab"):
        world = World(order)
        world.calls(30)
        world.answers["a"] = Outcome.NOT_SENT
        world.calls(60)
        healed(world)
        command = begin(world.core, HARMLESS, world.now, 10.0)[1][0]
        assert (command.target, command.reason) == ("a", "probe")  # type: ignore[union-attr]
        seconds[order] = command.timeout  # type: ignore[union-attr]
    assert seconds["a"] == pytest.approx(9.5)
    assert seconds["ab"] <= DEFAULT.probe_time


def test_the_last_attempt_has_what_is_left() -> None:
    """No reserve is kept for an attempt that will not be."""
    world = World("abcd")
    state = begun(world, ("a", "b"), proved=False)
    state = state._replace(tried=("a",) * (DEFAULT.max_attempts - 1), in_flight=())
    _, (command,) = step(state, PauseEnded("a"), world.now, half)
    assert isinstance(command, Dispatch)
    assert command.timeout == 10.0


def test_a_ramp_that_no_probe_precedes_takes_the_call_that_begins_it() -> None:
    """If its turn is in the small share; a driver that can look is asked to, and takes none."""
    for can_look in (False, True):
        world = healed(opened(World()))
        world.health.records["a"].probes = can_look
        state = begin(world.core, UNSAFE, world.now, 10.0)[0]
        choice = choose(state._replace(number=0, tried=()), world.now)
        assert (choice.target, choice.reason) == (
            ("b", "first_is_out") if can_look else ("a", "ramp")
        )


def test_behind_a_target_with_a_weight_the_others_keep_their_order() -> None:
    """Its share of the calls begins there, and goes on as every other."""
    world = World("abc", weights={"b": 1.0})
    world.health.circuits.arranged = True
    state = begun(world, ())._replace(tried=())
    assert choose(state, world.now).target == "b"
    assert choose(state._replace(tried=("b",)), world.now).target == "a"
    assert choose(state._replace(tried=("b", "a")), world.now).target == "c"


def test_a_batch_with_an_unknown_event_is_unknown() -> None:
    """Whichever it is, and whatever the others say."""
    call = Publish("bus", tuple(Event("t", id=f"{number}", source="s") for number in range(2)))
    for outcomes in (
        (Outcome.AMBIGUOUS, Outcome.REJECTED),
        (Outcome.REJECTED, Outcome.AMBIGUOUS),
    ):
        batch = Batch(call)
        entries: Entries = tuple(Result(each) for each in outcomes)
        result = Result(Outcome.OK, entries)
        assert batch.record(call, result, "a")[0] is Outcome.AMBIGUOUS
    batch = Batch(call)
    entries = (Result(Outcome.REJECTED),) * 2
    assert batch.record(call, Result(Outcome.OK, entries), "a")[0] is Outcome.REJECTED


def test_an_isolated_target_is_no_other_one() -> None:
    """Until it is restored, nobody goes there, and nothing opens because it is there."""
    world = World("ab")
    world.health.circuits.isolate("b")
    world.answers["a"] = Outcome.UNUSABLE
    assert world.call(HARMLESS).outcome is Outcome.UNUSABLE
    assert (world.sent, world.health.circuits.unclosed) == (["a"], {})
    world.health.circuits.restore("b", world.now)
    assert world.call(HARMLESS).target == "b"
    assert world.state("a", "f") is CircuitState.OPEN


@pytest.mark.parametrize("how", ["ends", "is given up"])
def test_a_call_that_is_over_leaves_no_lease(how: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """One attempt has gone well, or nobody waits; the other was a probe, in flight."""
    world = opened(World())
    late = world.circuit("a").until

    def begin_and_probe(*about: object) -> Decision:
        state, (first,) = begin(*about)  # type: ignore[arg-type]
        choice = choose(state, late)
        state, (second,) = dispatch(state, choice.target, late, "probe", probe=choice.probe)
        return state, (first, second, Pause(1.0, "b", hedge=True))

    monkeypatch.setattr(execution, "begin", begin_and_probe)
    call = execution.execute(world.core, HARMLESS, world.now, 10.0)
    first, probe, pause = next(call)
    assert (first.target, probe.target) == ("b", "a")
    assert world.circuit("a").leased_until > late
    if how == "ends":
        assert call.send((pause, late, late, None)) == ()
        with pytest.raises(StopIteration):
            call.send((first, late, late, Result.ok("")))
    else:
        assert call.send((first, late, late, Result(Outcome.REJECTED))) == ()
        call.close()
    assert world.circuit("a").leased_until == 0.0


def test_what_a_failed_answer_says_of_a_key_is_remembered() -> None:
    """It holds for the calls that follow, as that of a good answer does."""
    world = World()
    world.answers["a"] = Result(Outcome.APP_ERROR, dedup="target")
    world.call(KEYED._replace(shared_dedup=True))
    assert "target" in world.health.keys.values()


def test_events_name_what_the_call_is_about() -> None:
    """The function, and not what it is called with; of a second try, a move and a hedge alike."""
    world = World()
    world.calls(150, every=0.01)
    world.answers["a"] = Outcome.REJECTED
    world.call(HARMLESS._replace(payload=b"2"))
    state = begun(world)
    hedge(state._replace(tried=("a",), in_flight=(1,)), world.now)
    told = [each for each in world.health.outbox if isinstance(each, RoutingEvent)]
    assert {each.name for each in told} == {"retry", "failover", "hedged"}
    assert {(each.verb, each.resource) for each in told} == {("invoke", "f")}


def test_a_call_that_is_given_up_before_its_hedge_leaves_one_attempt() -> None:
    """The pause before the hedge is none."""
    world = World()
    world.calls(150, every=0.01)
    call = execution.execute(Core(world.health, hedging=True), HARMLESS, world.now, 10.0)
    assert [type(each) for each in next(call)] == [Dispatch, Pause]
    call.close()
    assert world.circuit("a", resource="f").waiting == []


def test_why_a_call_ends_that_has_targets_left() -> None:
    """Its effect lets it go nowhere else: that is another reason than targets that are out."""
    world = World()
    state = begin(world.core, UNSAFE, world.now, 10.0)[0]
    state, _ = step(state, ended(1, Outcome.AMBIGUOUS), world.now, half)
    assert (state.ending, state.why) == (Ending.UNKNOWN, "no_other")
    world.health.records["a"].tokens = world.health.records["b"].tokens = 0.0
    both = begun(world, ("a", "b"))
    assert retry(both, ended(2), world.now, half)[0].why == "no_other"
    world.health.circuits.isolate("b")
    assert retry(begun(world), ended(1), world.now, half)[0].why == "no_other_target"


def test_the_read_back_of_the_last_attempt_has_all_that_is_left() -> None:
    """Nothing can follow it."""
    store = Store("t", Key(("id",), ("1",)), {}, "w", 0.0)
    for attempts, seconds in ((1, 10.0), (2, 6.0)):
        world = World(policy=DEFAULT._replace(max_attempts=attempts))
        state = begin(world.core, store, world.now, 10.0)[0]
        state, (look_up,) = step(state, ended(1, Outcome.AMBIGUOUS), world.now, half)
        assert isinstance(look_up, ReadBack)
        assert look_up.timeout == pytest.approx(seconds)
