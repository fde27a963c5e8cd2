"""A process that stands still itself takes no target for ill, and still notices one that is."""

from __future__ import annotations

import pytest

from tests.simulation.cells import BEFORE, ORDER, PRIMARY, Cell, schedule_of, take_through
from tests.simulation.false_trips import MOST_ATTEMPTS, pausing, stopping
from tests.simulation.scenarios import Setting


@pytest.mark.parametrize("rate", [5.0, 50.0])
def test_no_target_is_blamed_for_a_standstill_of_the_process(rate: float) -> None:
    """Of 24 standstills, of 0.2 to 2 seconds each, none opens a circuit."""
    passage = stopping(rate, 120.0, seed=1)
    assert passage.opened == []
    assert sum(passage.well) > 0.99 * len(passage.well)


@pytest.mark.parametrize("fault", ["request lost", "refused", "slow x40"])
def test_an_outage_is_noticed_however_often_the_process_stands_still(fault: str) -> None:
    """It does so for a third of the time, and calls go elsewhere after three seconds at most."""
    stops = tuple((0.9 * number, 0.9 * number + 0.3) for number in range(200))
    cell = Cell("stopping", (fault,), 50.0, lasts=30.0, after=0.0)
    setting = Setting(
        ORDER, {"t": PRIMARY}, 50.0, schedule_of(cell), 0.0, mix=cell.mix, stops=stops
    )
    passage = take_through(setting, cell, 1, "leeward")
    assert passage.opened[0] - BEFORE < 3.0


def test_a_target_that_pauses_for_a_moment_is_not_left() -> None:
    """Calls go elsewhere meanwhile, and at once to it again."""
    passage = pausing(400.0, 30.0, seed=1)
    calls = passage.between(BEFORE, 1e9)
    assert passage.opened == []
    assert passage.share_of(passage.well, calls) == 1.0
    assert passage.attempts_per_call(calls) < MOST_ATTEMPTS
    elsewhere = sum(passage.first[index] != PRIMARY for index in calls)
    assert 0 < elsewhere < 0.05 * len(calls)
