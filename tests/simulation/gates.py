"""What the router must reach, measured in cells: one row a gate, with the other routers beside.

The figures come from the reliability notes, 6.5. A gate that falls short is reported short.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from math import ceil
from multiprocessing import get_context
from statistics import mean, median
from typing import NamedTuple

from tests.simulation.baselines import BASELINES
from tests.simulation.cells import (
    BEFORE,
    ONE_FUNCTION,
    ORDER,
    PRIMARY,
    TIMEOUT,
    Cell,
    Passage,
    run_cell,
    schedule_of,
    take_through,
)
from tests.simulation.false_trips import QUICKER, false_trips, slow_functions
from tests.simulation.faults import Schedule, Window
from tests.simulation.herd import herd
from tests.simulation.rows import Row
from tests.simulation.scenarios import Setting
from tests.simulation.traffic import Kind, Mix

ROUTERS = ("leeward", *BASELINES)

HARD = {
    "refused": Cell("refused", ("refused",), 20.0),
    "black hole": Cell("black hole", ("request lost",), 20.0),
    "black hole, work done": Cell("black hole, work done", ("silent work",), 20.0),
    "answers lost": Cell("answers lost", ("answer lost",), 20.0),
    "server errors": Cell("server errors", ("server error",), 20.0),
    "throttled": Cell("throttled", ("throttled, absent",), 20.0),
    "slow x40": Cell("slow x40", ("slow x40",), 20.0),
}
BROWNOUTS = {
    f"brownout {percent} %": Cell(f"brownout {percent} %", ("server error",), 20.0, percent / 100)
    for percent in (8, 15, 30, 50)
}


Passages = dict[str, list[Passage]]
"""Router to its passages through one cell, one for each seed."""


def passages_of(cell: Cell, seeds: int, routers: Sequence[str] = ROUTERS) -> Passages:
    """Take every router through a cell, with so many seeds."""
    return {name: [run_cell(cell, seed, name) for seed in range(seeds)] for name in routers}


def detection() -> Iterator[Row]:
    """Measure how soon calls go elsewhere."""
    limits = {("refused", 200.0): 0.1, ("refused", 20.0): 0.6}
    limits |= {("black hole", 200.0): 1.0, ("black hole", 20.0): 1.0}
    for (fault, rate), most in limits.items():
        cell = HARD[fault]._replace(rate=rate, lasts=30.0, after=5.0)
        found = passages_of(cell, 8)
        seconds = {name: _detected(each) for name, each in found.items()}
        yield Row(
            f"detect: {fault}, {rate:g} calls/s",
            f"<= {most:g} s",
            max(seconds["leeward"]) <= most,
            {name: _spread(each, "s") for name, each in seconds.items()},
        )
    yield _detected_by_quick_ones()
    yield _detected_in_calls(HARD["refused"]._replace(rate=1.0, lasts=60.0, after=5.0), 5, 8)
    for percent, most in ((50, 20), (15, 180), (8, 1500)):
        cell = BROWNOUTS[f"brownout {percent} %"]._replace(lasts=max(30.0, most / 10), after=5.0)
        yield _detected_in_calls(cell._replace(mix=ONE_FUNCTION), most, 40)
    both = BROWNOUTS["brownout 50 %"]._replace(lasts=30.0, after=5.0)
    yield _detected_in_calls(both, None, 20)


def _detected_by_quick_ones() -> Row:
    """Measure a black hole where answers take 5 ms, and what the calls feel of it."""
    cell = HARD["black hole"]._replace(rate=400.0, lasts=10.0, after=5.0, mix=ONE_FUNCTION)
    setting = Setting(ORDER, {"t": PRIMARY}, cell.rate, schedule_of(cell), 0.0, mix=cell.mix)
    setting = setting._replace(quicker=QUICKER)
    left, slowest = {}, {}
    for name in ROUTERS:
        found = [take_through(setting, cell, seed, name) for seed in range(3)]
        left[name] = max(_detected(found))
        slowest[name] = max(
            each.percentile(0.99, each.between(BEFORE, cell.ends)) for each in found
        )
    return Row(
        "detect: black hole, 400 calls/s, answers of 5 ms; p99 of the calls of its 10 s",
        "<= 0.2 s",
        left["leeward"] <= 0.2,
        {name: f"{left[name]:.2f} max s; {1000 * slowest[name]:.0f} ms" for name in ROUTERS},
    )


def _detected_in_calls(cell: Cell, most: int | None, seeds: int) -> Row:
    found = passages_of(cell, seeds)
    calls = {
        name: sorted(each.left_at(BEFORE)[1] for each in passages)
        for name, passages in found.items()
    }
    ours = calls["leeward"][ceil(0.95 * seeds) - 1]
    return Row(
        f"detect: {cell.name}, {cell.rate:g} calls/s"
        + ("" if most is not None else ", over two functions"),
        f"<= {most} calls, p95" if most is not None else "shown only",
        ours <= most if most is not None else None,
        {
            name: f"{median(each):.0f} median, {each[ceil(0.95 * seeds) - 1]} p95"
            for name, each in calls.items()
        },
        "calls until ten in a row go elsewhere",
    )


def _detected(passages: list[Passage]) -> list[float]:
    return [each.left_at(BEFORE)[0] for each in passages]


def _spread(values: list[float], unit: str) -> str:
    return f"{median(values):.2f} median, {max(values):.2f} max {unit}"


class Worst(NamedTuple):
    """The worst that a router did in any of the cells."""

    harmless: float
    unsafe: float
    hard: float
    brownout: float
    back: list[float]
    doubles: int


def availability() -> Iterator[Row]:
    """Measure what callers see while one target fails, and what it costs."""
    worst = {name: _worst(name) for name in ROUTERS}
    ours = worst["leeward"]
    yield Row(
        "unsafe calls that ran twice, all faults of one target",
        "0",
        ours.doubles == 0,
        {name: f"{each.doubles}" for name, each in worst.items()},
    )
    yield Row(
        "availability of harmless calls, worst fault of one target",
        ">= 99.99 %",
        ours.harmless >= 0.9999,
        {name: f"{each.harmless:.3%}" for name, each in worst.items()},
        "in the time of the fault, its onset included; 6,000 calls of each cell",
    )
    yield Row(
        "availability of unsafe calls, worst hard fault",
        "the rest is in flight at the onset, or of the baseline",
        None,
        {name: f"{each.unsafe:.3%}" for name, each in worst.items()},
        "the others buy theirs with doubles",
    )
    yield Row(
        "attempts for each call in a hard fault, worst",
        "<= 1.02",
        ours.hard <= 1.02,
        {name: f"{each.hard:.3f}" for name, each in worst.items()},
        "at 50 calls/s",
    )
    yield Row(
        "attempts for each call in a brownout, worst",
        "<= 1.10",
        ours.brownout <= 1.10,
        {name: f"{each.brownout:.3f}" for name, each in worst.items()},
    )
    yield Row(
        "back on the primary (95 %) after a hard fault",
        "<= 60 s",
        max(ours.back) <= 60,
        {name: _spread(each.back, "s") for name, each in worst.items()},
    )


def _worst(router: str) -> Worst:
    harmless, unsafe, hard, brownout, doubles = 1.0, 1.0, 0.0, 0.0, 0
    back: list[float] = []
    for name, cell in {**HARD, **BROWNOUTS}.items():
        passages = [run_cell(cell._replace(rate=50.0), seed, router) for seed in range(2)]
        calls = [each.between(BEFORE, BEFORE + cell.lasts) for each in passages]
        pairs = list(zip(passages, calls, strict=True))
        harmless = min(harmless, mean(each.well_of(at, unsafe=False) for each, at in pairs))
        per_call = mean(each.attempts_per_call(at) for each, at in pairs)
        doubles += sum(each.doubles for each in passages)
        if name in BROWNOUTS:
            brownout = max(brownout, per_call)
            continue
        unsafe = min(unsafe, mean(each.well_of(at, unsafe=True) for each, at in pairs))
        hard = max(hard, per_call)
        back += [each.back_at(BEFORE + cell.lasts) for each in passages]
    return Worst(harmless, unsafe, hard, brownout, back, doubles)


def few_slow() -> Iterator[Row]:
    """Measure a target that answers late, while too few calls are made for a silence."""
    mix = Mix({Kind.UNSAFE: 1}, {TIMEOUT: 1})
    cell = Cell("slow", ("slow by 2 s",), 4.0, after=0.0, mix=mix)
    found = passages_of(cell, 5)
    left = {name: [each.left_at(BEFORE)[0] for each in found[name]] for name in ROUTERS}
    yield Row(
        "slow by 2 s, 4 unsafe calls/s: left after",
        "<= 10 s",
        max(left["leeward"]) <= 10,
        {name: _spread(each, "s") for name, each in left.items()},
    )


def flapping() -> Iterator[Row]:
    """Measure a target that fails and recovers every 10 s, for 10 minutes."""
    cell = Cell("flapping", ("refused", "answer lost"), 20.0, lasts=10.0, windows=30, after=30.0)
    found = passages_of(cell, 1)
    ours = found["leeward"][0]
    calls = {name: each[0].between(BEFORE, cell.ends) for name, each in found.items()}
    yield Row(
        "flapping every 10 s for 10 min: openings",
        "<= 10",
        len(ours.opened) <= 10,
        {"leeward": f"{len(ours.opened)}"},
        "openings of the primary's circuits that were serving",
    )
    yield Row(
        "flapping: attempts for each call, doubles",
        "<= 1.02, 0",
        ours.attempts_per_call(calls["leeward"]) <= 1.02 and ours.doubles == 0,
        {
            name: f"{each[0].attempts_per_call(calls[name]):.3f}, {each[0].doubles}"
            for name, each in found.items()
        },
    )


def all_down() -> Iterator[Row]:
    """Measure two minutes without any target, and the return."""
    cell = Cell("all down", ("request lost",), 50.0, targets=ORDER, after=60.0)
    found = passages_of(cell, 2)
    live: dict[str, list[float]] = {name: [] for name in ROUTERS}
    again: dict[str, list[float]] = {name: [] for name in ROUTERS}
    for name, passages in found.items():
        for each in passages:
            late = each.between(BEFORE + 20.0, BEFORE + cell.lasts)
            live[name].append(sum(each.attempts[index] for index in late) / 100.0 / len(ORDER))
            healed = BEFORE + cell.lasts
            good = [index for index in each.between(healed, 1e9) if each.well[index]]
            again[name].append(each.at[good[0]] - healed if good else float("inf"))
    yield Row(
        "all down: attempts at each target a second, from the 20th second",
        "<= 1",
        max(live["leeward"]) <= 1.0,
        {name: f"{max(each):.2f}" for name, each in live.items()},
    )
    yield Row(
        "all down: first success after the recovery",
        "<= 3 s",
        max(again["leeward"]) <= 3.0,
        {name: _spread(each, "s") for name, each in again.items()},
    )


def many_functions() -> Iterator[Row]:
    """Measure unsafe calls into a black hole that are of one function, or of fifty."""
    for rate in (20.0, 50.0, 200.0):
        one, fifty = ([lost_calls(rate, count, seed) for seed in range(4)] for count in (1, 50))
        yield Row(
            f"black hole, {rate:g} unsafe calls/s of 50 functions: unknown outcomes",
            "<= 2 x those of one function",
            max(fifty) <= 2 * max(one),
            {"leeward": f"{median(fifty):g} median, {max(fifty)} max"},
            f"of one function {median(one):g} median, {max(one)} max",
        )


def lost_calls(rate: float, functions: int, seed: int) -> int:
    """Return how many unsafe calls of so many functions end as unknown in a black hole."""
    mix = Mix({Kind.UNSAFE: 1}, {TIMEOUT: 1})
    cell = Cell("many functions", ("request lost",), rate, lasts=10.0, after=0.0, mix=mix)
    setting = Setting(ORDER, {"t": PRIMARY}, rate, schedule_of(cell), 0.0, mix=mix)
    setting = setting._replace(quicker=QUICKER, functions=functions)
    passage = take_through(setting, cell, seed, "leeward")
    return sum(passage.unknown[each] for each in passage.between(BEFORE, cell.ends))


def pinned() -> Iterator[Row]:
    """Measure keyed calls that have one target, while other calls do without it."""
    faults = ("refused", "request lost", "server error")
    back = [pinned_back(fault, seed) for fault in faults for seed in range(2)]
    yield Row(
        "pinned keyed calls, beside others: back after their target is",
        "<= 3 s",
        max(back) <= 3.0,
        {"leeward": _spread(back, "s")},
        "the last one that fails",
    )


def pinned_back(fault: str, seed: int) -> float:
    """Return the seconds from the end of a fault until no pinned call fails any more."""
    mix = Mix({Kind.IDEMPOTENT: 4, Kind.KEYED_TARGET: 1}, {TIMEOUT: 1})
    cell = Cell("pinned", (fault,), 50.0, lasts=60.0, after=30.0, baseline=0.0, mix=mix)
    return run_cell(cell, seed).pinned_back_at(cell.ends)


def hedged() -> Iterator[Row]:
    """Measure what a hedge gains where 2 % of the answers take 40 times longer."""
    mix = Mix({Kind.READ_ONLY: 1}, {6.0: 1})
    cell = Cell("slow tail", ("slow x40",), 50.0, 0.02, lasts=400.0, after=0.0, mix=mix)
    plain, hedged = run_cell(cell, 0), run_cell(cell, 0, hedging=True)
    calls = plain.between(BEFORE + 100.0, cell.ends)
    gain = hedged.percentile(0.99, calls) / plain.percentile(0.99, calls)
    extra = hedged.attempts_per_call(calls) / plain.attempts_per_call(calls) - 1
    yield Row(
        "hedging, 2 % of the calls 40 times slower: p99 and extra calls",
        "extra <= 5 %",
        extra <= 0.05,
        {"leeward": f"p99 x {gain:.2f}, +{extra:.1%} calls"},
    )


def overload_of(rate: float, places: int) -> tuple[Cell, Setting]:
    """Return a world in which one target fails at times, one is slow, and one refuses."""
    mix = Mix({Kind.IDEMPOTENT: 1, Kind.UNSAFE: 1}, {5.0: 1})
    cell = Cell("overload", (), rate, lasts=60.0, after=10.0, mix=mix)
    windows = (
        Window(BEFORE, cell.ends, ORDER[:1], ("server error",), 0.3),
        Window(BEFORE, cell.ends, ORDER[1:2], ("slow by 2 s",), 1.0),
        Window(BEFORE, cell.ends, ORDER[2:], ("refused",), 1.0),
    )
    schedule = Schedule(windows, cell.baseline)
    return cell, Setting(ORDER, {"t": PRIMARY}, rate, schedule, 0.0, mix=mix, places=places)


def overload(
    routers: Sequence[str] = ROUTERS, worlds: Sequence[tuple[float, int]] = ((100.0, 64), (20.0, 8))
) -> Iterator[Row]:
    """Measure calls for which no healthy target has a place."""
    for rate, places in worlds:
        cell, setting = overload_of(rate, places)
        well: dict[str, float] = {}
        doubles: dict[str, int] = {}
        for name in routers:
            found = [take_through(setting, cell, seed, name) for seed in range(2)]
            doubles[name] = sum(each.doubles for each in found)
            well[name] = mean(
                each.well_of(each.between(BEFORE, cell.ends), unsafe=False) for each in found
            )
        yield Row(
            f"30 % fail, slow by 2 s, refused; {rate:g} calls/s, {places} places: idempotent calls "
            "that go well, doubles of the others",
            ">= naive, 0",
            well["leeward"] >= well["naive"] and doubles["leeward"] == 0,
            {name: f"{well[name]:.1%}, {doubles[name]}" for name in routers},
        )


PARTS: tuple[Callable[[], Iterator[Row]], ...] = (
    *(availability, detection, false_trips, slow_functions, many_functions, pinned, few_slow),
    *(flapping, all_down, herd, hedged, overload),
)


def measure(workers: int) -> list[Row]:
    """Measure every gate, part by part, on so many processes."""
    if workers == 1:
        return [row for part in PARTS for row in part()]
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        found = list(pool.map(_rows_of, range(len(PARTS))))
    return [row for rows in found for row in rows]


def _rows_of(part: int) -> list[Row]:
    return list(partial(PARTS[part])())
