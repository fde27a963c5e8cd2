"""How often a target is taken for ill that is not."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random

from tests.simulation.cells import BEFORE, ORDER, PRIMARY, Cell, Passage, run_cell, take_through
from tests.simulation.faults import Schedule
from tests.simulation.rows import Row
from tests.simulation.scenarios import Setting

STOPPED = (0.2, 2.0)
"""Seconds for which the process stands still, at least and at most."""

STOPPED_EVERY = 5.0


def false_trips() -> Iterator[Row]:
    """Measure calm times, of the targets and of the process."""
    cell = Cell("calm", (), 20.0, lasts=0.0, after=20_000.0, baseline=0.01)
    calm = run_cell(cell, 0)
    yield _row("false trips at 1 % of failures", calm)
    stopped = stopping(200.0, 600.0, seed=0)
    yield _row(
        "false trips while the process itself stands still every 5 s",
        stopped,
        "for 0.2 to 2 s; what an answer that is there then counts as is left to chance",
    )


def stopping(rate: float, seconds: float, seed: int) -> Passage:
    """Take the router through a calm time in which its own process stands still now and then."""
    random = Random(f"stops/{seed}")
    starts = [BEFORE + STOPPED_EVERY * number for number in range(int(seconds / STOPPED_EVERY))]
    stops = tuple((start, start + random.uniform(*STOPPED)) for start in starts)
    cell = Cell("stopping", (), rate, lasts=0.0, after=seconds)
    setting = Setting(ORDER, {"t": PRIMARY}, rate, Schedule(()), 0.0, mix=cell.mix, stops=stops)
    return take_through(setting, cell, seed, "leeward")


def _row(metric: str, passage: Passage, remark: str = "") -> Row:
    told = {"leeward": f"{len(passage.opened)} in {len(passage.at):,} calls"}
    return Row(metric, "0", not passage.opened, told, remark)
