"""What is remembered, to the dot: suggestions, and how long answers take."""

from __future__ import annotations

import pytest

from leeward._routing.circuit import LAST, ORIGIN, Latency, bucket_of
from leeward._routing.snapshot import suggest
from tests.routing.health_kit import (
    EXACT,
    HARMLESS,
    TINY,
    attempt,
    world_at,
)


@pytest.mark.parametrize(
    ("age", "believed"),
    [(0.0, True), (-TINY, False), (EXACT.shared_age, True), (EXACT.shared_age + TINY, False)],
)
def test_how_old_a_suggestion_may_be(age: float, believed: bool) -> None:
    """From now on to its age, both included."""
    world = world_at()
    suggest(
        world.health.circuits, [{"written_at": 64.0, "open_until": {"a": 1}}], 64.0 + age, world.now
    )
    record = world.health.records["a"]
    assert (record.prepared > 0) is believed
    assert record.prepared_until == (world.now + EXACT.shared_age if believed else 0.0)


def test_buckets_at_their_bounds() -> None:
    """A microsecond and less, one second, 1,024 and more."""
    assert [bucket_of(each) for each in (0.0, 2.0**-20, 1.0, 2.0, 1024.0, 9999.0)] == [
        0, 0, ORIGIN, ORIGIN + 8, LAST, LAST,
    ]  # fmt: skip
    world = world_at()
    world.health.succeed(attempt("a"), 100.0, 9999.0)
    latency = world.circuit("a", resource="f").latency
    assert (latency.counts[LAST], latency.total) == (1, 1)


def test_when_a_quantile_counts_as_known() -> None:
    """Eight answers beyond it; then it may double in an hour, and half as fast in half of one."""
    latency = Latency()
    latency.counts[bucket_of(0.25)] = 16
    latency.learn(EXACT, 3600.0)
    first = latency.middle
    latency.counts[bucket_of(0.25)], latency.counts[bucket_of(64.0)] = 0, 16
    latency.learn(EXACT, 7200.0)
    assert latency.middle == 2 * first
    latency.learn(EXACT, 9000.0)
    assert latency.middle == pytest.approx(2 * first * 2**0.5)
    few = Latency()
    few.counts[bucket_of(0.25)] = 15
    few.learn(EXACT, 3600.0)
    few.counts[bucket_of(0.25)], few.counts[bucket_of(64.0)] = 0, 15
    few.learn(EXACT, 3600.0)
    assert few.middle > 60


def test_a_baseline_is_halved_at_its_bound() -> None:
    """So old answers fade."""
    circuit = world_at().health.add("a", HARMLESS)
    latency = circuit.latency
    latency.counts[5] = 8192
    circuit.learn(EXACT, 0.0)
    assert (latency.counts[5], latency.total, circuit.unlearnt) == (4096, 4096, 64)
    latency.counts[5] = 8191
    circuit.learn(EXACT, 0.0)
    assert latency.total == 8191


def test_the_cut_off_needs_a_hundred_answers() -> None:
    """And is never below half a second."""
    latency = Latency()
    latency.counts[5], latency.very_rare = EXACT.cut_off_answers, 0.0625
    assert latency.cut_off(EXACT) == EXACT.cut_off_least
    latency.counts[5] -= 1
    assert latency.cut_off(EXACT) == float("inf")
