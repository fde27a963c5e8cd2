from __future__ import annotations

from random import Random

import pytest

from leeward._routing.commands import Dispatch
from leeward.adapter import Delete, Invoke, Key, Load, Publish, Result, Store, Stored
from leeward.errors import Outcome
from leeward.values import Effect, Event
from tests.simulation.baselines import ALL_FAILED, Naive
from tests.simulation.faults import FAULTS, Schedule, Window, fate_of
from tests.simulation.work_units import PROVED
from tests.simulation.world import RAN, SideEffect, World

KEYED = Invoke("f", b"1", "key-1", Effect.KEYED)
UNSAFE = KEYED._replace(effect=Effect.UNSAFE)
STORE = Store("t", Key(("id",), ("1",)), {}, "write-1", now=100.0)
LOAD = Load("t", STORE.key)
DELETE = Delete("t", STORE.key, now=100.0)


@pytest.fixture
def world() -> World:
    """Return two healthy targets."""
    return World({"a": 0.05, "b": 0.08})


def test_the_log_has_what_really_ran(world: World) -> None:
    """Every run of an unsafe call is an effect, with its item_id and time."""
    world.run(7, "a", UNSAFE, 1.0)
    world.run(7, "b", UNSAFE, 2.0)
    assert world.side_effects(7) == [SideEffect("a", 1.0, RAN), SideEffect("b", 2.0, RAN)]


def test_a_key_is_known_where_its_store_is(world: World) -> None:
    """Per target, each target runs it once; with a shared store, one of them does."""
    shared = KEYED._replace(idempotency_key="key-2", shared_dedup=True)
    for target in ("a", "a", "b"):
        world.run(1, target, KEYED, 0.0)
        world.run(2, target, shared, 0.0)
    assert [side_effect.target for side_effect in world.side_effects(1)] == ["a", "b"]
    assert [side_effect.target for side_effect in world.side_effects(2)] == ["a"]


def test_events_are_delivered_one_by_one(world: World) -> None:
    """Each event of a batch is an effect of its own."""
    batch = Publish("bus", (Event("t", id="1.0"), Event("t", id="1.1")))
    assert len(world.run(1, "b", batch, 0.0).value or ()) == 2
    assert [side_effect.mark for side_effect in world.side_effects(1)] == ["1.0", "1.1"]


@pytest.mark.parametrize(
    ("before", "call", "outcome"),
    [
        (None, STORE, Outcome.OK),
        (None, STORE._replace(if_absent=True), Outcome.OK),
        (None, STORE._replace(if_revision="r1"), Outcome.CONFLICT),
        (STORE, STORE._replace(if_absent=True), Outcome.CONFLICT),
        (STORE, STORE._replace(if_revision="r1"), Outcome.OK),
        (STORE, STORE._replace(if_revision="r0"), Outcome.CONFLICT),
        (STORE._replace(expires_at=100.0), STORE._replace(if_absent=True), Outcome.OK),
        (STORE._replace(expires_at=100.1), STORE._replace(if_absent=True), Outcome.CONFLICT),
        (STORE, DELETE._replace(if_revision="r1"), Outcome.OK),
        (STORE, DELETE._replace(if_revision="r0"), Outcome.CONFLICT),
        (None, DELETE._replace(if_revision="r1"), Outcome.CONFLICT),
        (None, DELETE, Outcome.OK),
    ],
)
def test_conditions_are_kept(
    world: World, before: Store | None, call: Store | Delete, outcome: Outcome
) -> None:
    """A condition that does not hold changes nothing; an expired item counts as absent."""
    if before is not None:
        world.run(1, "a", before, 0.0)
    assert world.run(2, "a", call, 0.0).outcome is outcome
    assert bool(world.side_effects(2)) is (outcome is Outcome.OK and (before or call) is not DELETE)


def test_a_load_gives_what_the_last_write_left(world: World) -> None:
    """Only the target that was written to has it, until it is deleted there."""
    revision = world.run(1, "a", STORE, 0.0).value
    assert world.run(2, "a", LOAD, 0.0).value == Stored({}, str(revision), "write-1")
    assert world.run(2, "b", LOAD, 0.0).value is None
    world.run(3, "a", DELETE, 0.0)
    assert world.run(4, "a", LOAD, 0.0).value is None


def test_a_write_that_comes_again_over_another_is_counted(world: World) -> None:
    """That is what no router can prevent of an unconditional write, so it is reported."""
    for number in (1, 1, 2, 1):
        world.run(number, "a", STORE, 0.0)
    assert world.late_overwrites == 1


@pytest.mark.parametrize("fault", FAULTS)
def test_what_is_proved_not_to_run_never_runs(fault: str) -> None:
    """No fault tells the caller that nothing ran and runs it all the same."""
    random = Random(1)
    for call in (UNSAFE, STORE, Publish("bus", ())):
        for _ in range(50):
            fate = fate_of(fault, call, random, latency=0.1, timeout=0.3)
            assert fate.runs_after is None or fate.outcome not in PROVED
            assert fate.answers_after <= 0.3


def test_an_answer_that_comes_too_late_is_ambiguous() -> None:
    """The work goes on although the caller has stopped waiting."""
    fate = fate_of("slow x40", UNSAFE, Random(1), latency=0.1, timeout=0.3)
    assert (fate.outcome, fate.answers_after, fate.runs_after) == (Outcome.AMBIGUOUS, 0.3, 2.0)


def test_a_window_strikes_its_targets_in_its_time() -> None:
    """Outside of its time and on other targets nothing happens."""
    schedule = Schedule((Window(10.0, 20.0, ("a",), ("refused",), 1.0),), baseline=0.0)
    fault = [schedule.fault_at("a", now, Random(1)) for now in (9.9, 10.0, 19.9, 20.0)]
    assert fault == [None, "refused", "refused", None]
    assert schedule.fault_at("b", 15.0, Random(1)) is None


def test_the_naive_router_rotates_on_any_failure_and_stays() -> None:
    """A time-out sends the call elsewhere; the next call begins where the last one worked."""
    router = Naive(("a", "b"))
    execution = router.execute(UNSAFE, 0.0, 10.0)
    (first,) = next(execution)
    assert first == Dispatch(1, "a", UNSAFE, 10.0)
    (second,) = execution.send((first, 0.0, 10.0, Result(Outcome.AMBIGUOUS)))
    assert second == Dispatch(2, "b", UNSAFE, 10.0)
    with pytest.raises(StopIteration) as end:
        execution.send((second, 10.0, 10.1, Result.ok(None)))
    assert end.value.value.outcome is Outcome.OK
    (third,) = next(router.execute(UNSAFE, 11.0, 10.0))
    assert third.target == "b"


def test_the_naive_router_knows_no_unknown() -> None:
    """After every target has failed, the caller is told that it failed."""
    execution = Naive(("a",)).execute(UNSAFE, 0.0, 10.0)
    (command,) = next(execution)
    with pytest.raises(StopIteration) as end:
        execution.send((command, 0.0, 10.0, Result(Outcome.AMBIGUOUS)))
    assert end.value.value is ALL_FAILED
