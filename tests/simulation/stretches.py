"""A run is many stretches of virtual time, each reproducible alone, spread over processes."""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from hashlib import blake2b
from multiprocessing import get_context
from typing import NamedTuple

from tests.simulation.invariants import Violation, violations
from tests.simulation.leeward_router import Leeward
from tests.simulation.naive import Naive
from tests.simulation.runner import Simulation, Story
from tests.simulation.scenarios import SCENARIOS, STRETCH, Stretch, setting_of
from tests.simulation.tally import Tally
from tests.simulation.telling import tell

MOST_REPORTED = 3
"""Violations of one stretch that are told in full."""


class Judged(NamedTuple):
    """One stretch as leeward went through it.

    Attributes:
        tally: its counts.
        trace: a digest of every attempt, result and effect, in order.
        violations: every promise that was broken.
    """

    tally: Tally
    trace: str
    violations: list[Violation]


@dataclass(frozen=True, slots=True)
class Findings:
    """What came out of one stretch: a `Judged` made small enough to cross processes.

    Attributes:
        stretch: which one.
        leeward: its counts.
        naive: those of the naive router, in the same setting, with the same calls.
        trace: leeward's digest.
        broken: how often each invariant was broken.
        stories: some of the violations, told in full.
    """

    stretch: Stretch
    leeward: Tally
    naive: Tally
    trace: str
    broken: Counter[str]
    stories: tuple[str, ...]


def stretches(calls: int, seed: int) -> Iterator[Stretch]:
    """Share `calls` out evenly over the scenarios."""
    size = min(STRETCH, -(-calls // len(SCENARIOS)))
    number = 0
    while calls > 0:
        scenario = SCENARIOS[number % len(SCENARIOS)]
        yield Stretch(scenario, number // len(SCENARIOS), min(size, calls), seed)
        number, calls = number + 1, calls - size


def explore(stretch: Stretch) -> Findings:
    """Run one stretch with leeward, judged call by call, and with the naive router."""
    leeward, trace, found = run_leeward(stretch)
    broken = Counter(violation.invariant for violation in found)
    told = tuple(tell(violation, stretch) for violation in found[:MOST_REPORTED])
    return Findings(stretch, leeward, run_naive(stretch), trace, broken, told)


def explore_all(todo: list[Stretch], workers: int) -> Iterator[Findings]:
    """Run all of `todo`, in order, with so many processes."""
    if workers == 1:
        yield from map(explore, todo)
        return
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        yield from pool.map(explore, todo, chunksize=4)


def run_leeward(stretch: Stretch) -> Judged:
    """Run one stretch with leeward's own routing, and judge every call."""
    setting, tally, digest = setting_of(stretch), Tally(), blake2b(digest_size=8)
    found: list[Violation] = []

    def observe(story: Story) -> None:
        digest.update(_print_of(story))
        tally.count(story, setting)
        tally.see(story)
        found.extend(violations(story, setting))

    router = Leeward(setting.order, setting.homes, stretch.key)
    world = Simulation(setting, stretch, router, observe).run()
    tally.overrun, tally.seen["deduplicated"] = world.overrun, world.deduplicated
    return Judged(tally, digest.hexdigest(), found)


def run_naive(stretch: Stretch) -> Tally:
    """Run one stretch with the naive router, and count."""
    setting, tally = setting_of(stretch), Tally()

    def observe(story: Story) -> None:
        tally.count(story, setting)

    world = Simulation(setting, stretch, Naive(setting.order), observe).run()
    tally.overrun = world.overrun
    return tally


def _print_of(story: Story) -> bytes:
    """Write down all of a call that must be the same in every run with the same seed."""
    words, times = [story.final.outcome.value], array("d", (story.number, story.ended))
    for each in story.tries:
        words += each.target, each.told.outcome.value
        times.append(each.ended)
    for deed in story.deeds:
        words += deed.target, deed.mark
        times.append(deed.at)
    return " ".join(words).encode() + times.tobytes()
