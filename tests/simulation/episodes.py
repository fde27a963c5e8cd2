"""A run is many episodes of virtual time, each reproducible alone, spread over processes."""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from hashlib import blake2b
from multiprocessing import get_context
from typing import NamedTuple

from tests.simulation.baselines import BASELINES
from tests.simulation.counters import Counters
from tests.simulation.health_check import HealthCheck
from tests.simulation.invariants import Violation, violations
from tests.simulation.leeward_router import Leeward
from tests.simulation.runner import CallRecord, Simulation
from tests.simulation.scenarios import (
    CALLS_PER_EPISODE,
    SCENARIOS,
    Episode,
    Setting,
    setting_of,
)
from tests.simulation.shrink import shrink
from tests.simulation.violation_report import describe

ROUNDS_PER_BASELINE = 16
"""Of so many rounds through all scenarios, the other routers take part in one."""


class Judgement(NamedTuple):
    """One episode as leeward went through it.

    Attributes:
        counters: its counts.
        trace: a digest of every attempt, result and effect, in order.
        violations: every promise that was broken.
    """

    counters: Counters
    trace: str
    violations: list[Violation]


@dataclass(frozen=True, slots=True)
class Findings:
    """What came out of one episode: a `Judgement` made small enough to cross processes.

    Attributes:
        episode: which one.
        leeward: its counts.
        baselines: name to those of another router, in the same setting, with the same calls; empty
            in most episodes of a long run, which is about leeward.
        trace: leeward's digest.
        broken: how often each invariant was broken.
        reports: some of the violations, described in full.
    """

    episode: Episode
    leeward: Counters
    baselines: Mapping[str, Counters]
    trace: str
    broken: Counter[str]
    reports: tuple[str, ...]


def episodes(calls: int, seed: int) -> Iterator[Episode]:
    """Share `calls` out evenly over the scenarios."""
    size = min(CALLS_PER_EPISODE, -(-calls // len(SCENARIOS)))
    number = 0
    while calls > 0:
        scenario = SCENARIOS[number % len(SCENARIOS)]
        yield Episode(scenario, number // len(SCENARIOS), min(size, calls), seed)
        number, calls = number + 1, calls - size


def run_episode(episode: Episode) -> Findings:
    """Run one episode with leeward, judged call by call; some with the baselines, too."""
    leeward, trace, found = run_leeward(episode)
    broken = Counter(violation.invariant for violation in found)
    one_of_each = {violation.invariant: violation for violation in reversed(found)}.values()
    reports = tuple(describe(violation, episode) for violation in one_of_each)
    if found:
        reports = (*reports, _shortest(episode, found[0].invariant))
    baselines: dict[str, Counters] = {}
    if episode.number % ROUNDS_PER_BASELINE == 0:
        baselines = {name: run_baseline(name, episode) for name in BASELINES}
    return Findings(episode, leeward, baselines, trace, broken, reports)


def _shortest(episode: Episode, invariant: str) -> str:
    """Describe the smallest schedule that still breaks an invariant."""

    def breaks(smaller: Episode, setting: Setting) -> bool:
        found = run_leeward(smaller, setting).violations
        return any(each.invariant == invariant for each in found)

    smallest, setting = shrink(episode, setting_of(episode), breaks)
    found = run_leeward(smallest, setting).violations
    first = next(each for each in found if each.invariant == invariant)
    return "the same, made smaller: " + describe(first, smallest, setting)


def run_episodes(todo: list[Episode], workers: int) -> Iterator[Findings]:
    """Run all of `todo`, in order, with so many processes."""
    if workers == 1:
        yield from map(run_episode, todo)
        return
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        yield from pool.map(run_episode, todo, chunksize=4)


def run_leeward(episode: Episode, setting: Setting | None = None) -> Judgement:
    """Run one episode with leeward's own routing, and judge every call."""
    setting = setting or setting_of(episode)
    counters, digest = Counters(), blake2b(digest_size=8)
    found: list[Violation] = []

    def observe(record: CallRecord) -> None:
        digest.update(_trace_of(record))
        counters.count(record, setting)
        counters.note(record)
        found.extend(violations(record, setting))

    router = Leeward(
        setting.order, setting.homes, episode.key, setting.groups, hedging=setting.hedging
    )
    check = HealthCheck(router.core.health)
    world = Simulation(setting, episode, router, observe, check).run()
    digest.update(repr([(at, told.name, told.target) for at, told in router.told]).encode())
    counters.seen.update(told.name for _, told in router.told)
    check.at_the_end()
    for invariant, why in check.broken:
        found.append(Violation(invariant, why, None))
    counters.late_overwrites = world.late_overwrites
    counters.seen["deduplicated"] = world.deduplicated
    return Judgement(counters, digest.hexdigest(), found)


def run_baseline(name: str, episode: Episode) -> Counters:
    """Run one episode with another router, and count."""
    setting, counters = setting_of(episode), Counters()

    def observe(record: CallRecord) -> None:
        counters.count(record, setting)

    router = BASELINES[name](setting.order, episode.key)
    world = Simulation(setting, episode, router, observe).run()
    counters.late_overwrites = world.late_overwrites
    return counters


def _trace_of(record: CallRecord) -> bytes:
    """Write down all of a call that must be the same in every run with the same seed."""
    words, times = [record.final.outcome.value], array("d", (record.number, record.ended))
    for each in record.attempts:
        words += each.target, each.reported.outcome.value
        times.append(each.ended)
    for side_effect in record.side_effects:
        words += side_effect.target, side_effect.mark
        times.append(side_effect.at)
    return " ".join(words).encode() + times.tobytes()
