"""How often a target is taken for ill that is not."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random

from tests.simulation.cells import (
    BEFORE,
    ONE_FUNCTION,
    ORDER,
    PRIMARY,
    Cell,
    Passage,
    run_cell,
    take_through,
)
from tests.simulation.faults import Schedule
from tests.simulation.rows import Row
from tests.simulation.scenarios import Setting
from tests.simulation.traffic import Kind, Mix

STOPPED = (0.2, 2.0)
"""Seconds for which the process stands still, at least and at most."""

EVERY = 5.0
"""Seconds from one standstill to the next."""

PAUSED = (0.05, 0.45)
"""Seconds for which a target does nothing: less than is a stall."""

MOST_ATTEMPTS = 1.02
"""For each call, as in a hard fault."""

QUICKER = 10.0
"""Times by which targets answer sooner than usual here: then 0.1 s without any is silence."""


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
    paused = pausing(400.0, 300.0, seed=0)
    attempts = paused.attempts_per_call(paused.between(BEFORE, 1e9))
    row = _row(
        "false trips while the target pauses every 5 s",
        paused,
        f"for 0.05 to 0.45 s, where answers take 5 ms; {attempts:.3f} attempts a call",
    )
    yield row._replace(met=row.met and attempts <= MOST_ATTEMPTS)


def stopping(rate: float, seconds: float, seed: int) -> Passage:
    """Take the router through a calm time in which its own process stands still now and then."""
    random = Random(f"stops/{seed}")
    stops = tuple((start, start + random.uniform(*STOPPED)) for start in _starts(seconds))
    cell = Cell("stopping", (), rate, lasts=0.0, after=seconds)
    setting = Setting(ORDER, {"t": PRIMARY}, rate, Schedule(()), 0.0, mix=cell.mix, stops=stops)
    return take_through(setting, cell, seed, "leeward")


def pausing(rate: float, seconds: float, seed: int) -> Passage:
    """Take the router through a time in which its first target, a quick one, pauses at times."""
    random = Random(f"pauses/{seed}")
    pauses = tuple((start, start + random.uniform(*PAUSED)) for start in _starts(seconds))
    cell = Cell("pausing", (), rate, lasts=0.0, after=seconds, mix=ONE_FUNCTION)
    setting = Setting(ORDER, {"t": PRIMARY}, rate, Schedule(()), 0.0, mix=cell.mix)
    setting = setting._replace(pauses=pauses, quicker=QUICKER)
    return take_through(setting, cell, seed, "leeward")


SLOW_CASES = (
    ("false trips where a cold function takes 2 s, 20 calls/s", 20.0, 2.0, 0.0),
    ("false trips where a cold function takes 5 s, 10 calls/s", 10.0, 5.0, 0.0),
    ("false trips where half of the callers give up after 0.1 s of 0.4 s", 20.0, 0.4, 0.1),
)
"""What is slow: calls a second, seconds of the function, seconds after which callers give up."""


def slow_functions() -> Iterator[Row]:
    """Measure functions that take long, from the first call on, at three equal targets."""
    for metric, rate, seconds, patience in SLOW_CASES:
        passages = [slow(rate, seconds, patience, seed=seed) for seed in range(4)]
        yield _slow_row(metric, passages)
    hurried = [slow(20.0, 0.4, 0.0, seed=seed, timeout=0.1) for seed in range(4)]
    yield _slow_row(
        "false trips where all deadlines are 0.1 s, and the function takes 0.4 s", hurried
    )


def slow(rate: float, seconds: float, patience: float, seed: int, timeout: float = 20.0) -> Passage:
    """Take the router through a calm minute of functions that take long."""
    mix = Mix({Kind.IDEMPOTENT: 1, Kind.UNSAFE: 1}, {timeout: 1})
    cell = Cell("slow", (), rate, lasts=0.0, after=30.0, baseline=0.0, mix=mix)
    setting = Setting(ORDER, {"t": PRIMARY}, rate, Schedule((), 0.0), 0.0, mix=mix)
    setting = setting._replace(seconds=(seconds,), patience=patience, quicker=QUICKER)
    return take_through(setting, cell, seed, "leeward")


def _slow_row(metric: str, passages: list[Passage]) -> Row:
    calls = sum(len(each.at) for each in passages)
    trips = sum(each.trips for each in passages)
    elsewhere = sum(
        each.count(first) for each in (p.first for p in passages) for first in ORDER[1:]
    )
    told = {"leeward": f"{trips} in {calls:,} calls"}
    remark = f"of any target; {elsewhere / calls:.1%} of the calls are made elsewhere, to compare"
    return Row(metric, "0", not trips, told, remark)


def _starts(seconds: float) -> list[float]:
    return [BEFORE + EVERY * number for number in range(int(seconds / EVERY))]


def _row(metric: str, passage: Passage, remark: str = "") -> Row:
    told = {"leeward": f"{len(passage.opened)} in {len(passage.at):,} calls"}
    return Row(metric, "0", not passage.opened, told, remark)
