"""Health checks, what processes tell each other, and baselines."""

from __future__ import annotations

from math import ceil, inf
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leeward._routing.attempts import Core
from leeward._routing.circuit import CircuitState, Latency, bucket_of
from leeward._routing.circuits import ProbeSchedule
from leeward._routing.commands import Dispatch
from leeward._routing.execution import execute
from leeward._routing.policy import DEFAULT
from leeward._routing.snapshot import snapshot_of, suggest
from leeward.calls import Result
from leeward.errors import Outcome
from tests.routing.health_kit import (
    HARMLESS,
    OTHER,
    World,
    opened,
)

# Health checks, and what others have seen.


CHECKS = ProbeSchedule(30.0, 3, 2)


def test_failed_health_checks_open_and_good_ones_return() -> None:
    """Three in a row, and two; what says nothing does not count."""
    world = World()
    world.calls(2)
    for _ in range(2):
        world.health.circuits.take_check(
            "a", Outcome.NOT_SENT, world.now, CHECKS, weak=False, seen_at=world.health.seen_at
        )
    world.health.circuits.take_check(
        "a", Outcome.LOCAL, world.now, CHECKS, weak=False, seen_at=world.health.seen_at
    )
    assert world.state("a") is CircuitState.CLOSED
    world.health.circuits.take_check(
        "a", Outcome.AMBIGUOUS, world.now, CHECKS, weak=False, seen_at=world.health.seen_at
    )
    assert world.circuit("a").reason == "health_check"
    world.health.circuits.take_check(
        "a", Outcome.OK, world.now, CHECKS, weak=False, seen_at=world.health.seen_at
    )
    assert world.state("a") is CircuitState.OPEN
    world.health.circuits.take_check(
        "a", Outcome.OK, world.now, CHECKS, weak=True, seen_at=world.health.seen_at
    )
    assert (world.state("a"), world.circuit("a").stage) == (CircuitState.RAMP, -1)
    world.health.circuits.take_check(
        "a", Outcome.OK, world.now, CHECKS, weak=False, seen_at=world.health.seen_at
    )
    assert world.circuit("a").stage == -1, "a ramp goes on by itself"


def test_a_second_target_that_no_call_goes_to_is_found_ill_too() -> None:
    """Else it would count as healthier than the first one; and it stays out until it recovers."""
    world = World()
    world.calls(150)
    for _ in range(3):
        world.health.circuits.take_check(
            "b", Outcome.NOT_SENT, world.now, CHECKS, weak=False, seen_at=world.health.seen_at
        )
    assert world.circuit("b").reason == "health_check"
    assert not world.health.circuits.has_alternative(world.circuit("a"), HARMLESS)
    for _ in range(30):
        world.calls(200)
        world.health.circuits.take_check(
            "b", Outcome.NOT_SENT, world.now, CHECKS, weak=False, seen_at=world.health.seen_at
        )
    assert world.state("b") is CircuitState.OPEN
    for _ in range(2):
        world.health.circuits.take_check(
            "b", Outcome.OK, world.now, CHECKS, weak=False, seen_at=world.health.seen_at
        )
    world.calls(600)
    assert world.health.circuits.has_alternative(world.circuit("a"), HARMLESS)
    assert set(world.sent) == {"a"}


def test_failed_health_checks_are_in_a_row_only_without_calls_between() -> None:
    """What calls have shown since counts more than probes of before."""
    world = World()
    for _ in range(2):
        world.call()
        world.health.circuits.take_check(
            "a", Outcome.NOT_SENT, world.now, CHECKS, weak=False, seen_at=world.health.seen_at
        )
        world.health.circuits.take_check(
            "a", Outcome.NOT_SENT, world.now, CHECKS, weak=False, seen_at=world.health.seen_at
        )
        world.call()
        assert not world.health.circuits.is_check_due("a", world.now, CHECKS)
    assert world.state("a") is CircuitState.CLOSED


def test_a_last_target_is_kept_whatever_probes_say() -> None:
    """There is no healthier one."""
    world = World("a")
    world.calls(2)
    for _ in range(5):
        world.health.circuits.take_check(
            "a", Outcome.NOT_SENT, world.now, CHECKS, weak=False, seen_at=world.health.seen_at
        )
    assert world.state("a") is CircuitState.CLOSED


def test_calls_save_probes() -> None:
    """A target that has just served need not be probed; one that is ill has to be."""
    world = World()
    assert world.health.circuits.is_check_due("a", world.now, CHECKS)
    world.call()
    assert not world.health.circuits.is_check_due("a", world.now, CHECKS)
    assert world.health.circuits.is_check_due("a", world.now + 31.0, CHECKS)
    opened(world)
    assert world.health.circuits.is_check_due("a", world.now, CHECKS)


@pytest.mark.threat("S10")
def test_what_others_saw_is_a_suggestion() -> None:
    """One failure of one's own is then enough, and nothing is refused by itself."""
    sick = opened(World())
    item = snapshot_of(sick.health.circuits, 5000.0, sick.now)
    assert list(item["open_until"]) == ["a"]
    world = World()
    world.calls(1, OTHER)
    world.health.add("b", OTHER)
    suggest(world.health.circuits, [item], 5010.0, world.now)
    assert world.calls(1) == "a"
    world.answers["a"] = Outcome.NOT_SENT
    world.calls(1)
    assert world.state("a") is CircuitState.OPEN


@pytest.mark.threat("S10")
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
    suggest(world.health.circuits, [item], wall, world.now)
    assert all(record.prepared == 0 for record in world.health.records.values())


def test_a_copy_that_is_odd_hides_none_that_is_good() -> None:
    """Each is judged first: one of the future, of another kind, or without a time is left out."""
    good = {"written_at": 4990.0, "open_until": {"a": 5100.0}}
    older = {"written_at": 4980.0, "open_until": {"b": 5100.0}}
    odds: tuple[dict[str, Any], ...] = (
        {"written_at": 5003.0, "open_until": {}},
        {"written_at": 1e300, "open_until": {}},
        {"written_at": float("nan"), "open_until": {}},
        {"written_at": 4999.0, "open_until": "none"},
        {"open_until": {}},
    )
    for odd in odds:
        for items in ([odd, good, older], [older, good, odd]):
            world = World()
            suggest(world.health.circuits, items, 5000.0, world.now)
            prepared = {name for name, each in world.health.records.items() if each.prepared}
            assert prepared == {"a"}, odd


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
    suggest(world.health.circuits, [{"written_at": 5.0, "open_until": {"a": 9.0}}], 6.0, world.now)
    world.now += DEFAULT.shared_age
    world.call(OTHER)
    world.call()
    assert world.circuit("a", resource="f").failed == 0


def test_a_circuit_on_its_way_back_is_not_told_to_others() -> None:
    """It takes calls."""
    world = opened(World())
    world.health.circuits.restore("a", world.now)
    assert snapshot_of(world.health.circuits, 5000.0, world.now)["open_until"] == {}


# Latency.


@given(st.lists(st.floats(1e-7, 2000.0), min_size=1, max_size=300), st.floats(0.01, 1.0))
def test_a_quantile_is_near_the_truth(times: list[float], share: float) -> None:
    """Within one bucket of nine percent, between a microsecond and 1,024 seconds."""
    latency = Latency()
    for seconds in times:
        latency.counts[bucket_of(seconds)] += 1
    exact = sorted(times)[max(0, ceil(share * len(times) - 1e-9) - 1)]
    found = latency.quantile(share)
    assert max(exact, 2.0**-20) <= found * 1.0001 or exact >= 1024
    assert found <= max(exact, 2.0**-20) * 2 ** (1 / 8) * 1.0001


def test_a_known_baseline_grows_slowly_and_fades() -> None:
    """At most double in an hour; halves of old counts are dropped."""
    latency = Latency()
    assert (latency.quantile(0.5), latency.slow_above(DEFAULT), latency.cut_off(DEFAULT)) == (
        0.0, inf, inf,
    )  # fmt: skip
    latency.counts[bucket_of(0.2)] = 1000
    latency.learn(DEFAULT, 0.0)
    before = latency.usual
    assert latency.slow_above(DEFAULT) == 4 * before
    assert latency.stall_after(DEFAULT) == 3 * latency.rare
    assert latency.cut_off(DEFAULT) == 4 * latency.very_rare
    latency.counts[bucket_of(20.0)] = 10_000
    latency.learn(DEFAULT, 3600.0)
    assert latency.usual == pytest.approx(2 * before)
    assert latency.total == sum(latency.counts) < 6000


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
    world.health.circuits.current = {("a", "b", "c"): "c", ("b", "c"): "c", ("a",): "a"}
    world.health.circuits.restore("a", world.now)
    assert world.health.circuits.current == {("b", "c"): "c", ("a",): "a"}
