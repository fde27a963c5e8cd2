"""The kinds of bad day, and how one is laid out over a episode of virtual time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from math import inf
from random import Random
from typing import NamedTuple

from leeward._routing.targets import NO_GROUPS, TargetGroup
from leeward.values import NOTHING
from tests.simulation.faults import FAULTS, Schedule, Window
from tests.simulation.load import COLD_SHARE, WARM_AFTER
from tests.simulation.traffic import EVERYTHING, HEDGED, NESTED, SETTLED, Mix

CALLS_PER_EPISODE = 2_000
"""Calls in one episode. Each episode has a world, a schedule and a seed of its own."""

LATENCIES = {"alpha": 0.05, "beta": 0.08, "gamma": 0.1, "delta": 0.12, "epsilon": 0.14}
"""Median seconds of an answer; the first three are those of the reliability notes, 9."""

ORDER_LENGTHS = (2, 3, 3, 5)
"""Five targets, so that a call may need more attempts than the usual three."""

RATES = (20.0, 50.0, 200.0)
"""Calls a second."""


class Pattern(Enum):
    """How windows follow each other."""

    OUTAGES = "outages"
    FLAPPING = "flapping"
    ALWAYS = "always"
    PHASES = "phases"
    """One fault after the other."""


@dataclass(frozen=True, slots=True)
class Scenario:
    """A kind of bad day.

    Attributes:
        name: as the report shows it.
        faults: each window strikes with these.
        victims: how many targets a window strikes, the first of the order more often than others.
        pattern: when.
        share: of the attempts in a window.
        freeze: share of the waits from which the process wakes late, as a frozen instance does.
        frozen: seconds for which it is frozen at most.
        spare: capacity of each target as a multiple of all calls; 0 for any.
        cold: a target comes back from an outage with little of it.
        probes: what a driver's own probe looks at, and how it fares: "with the data plane" or
            "control plane" (well while the data plane is not).
        quicker: times by which all targets answer sooner.
        functions: how many there are of each kind.
        seconds: that they take beside the latency, in turn.
        cold_start: seconds for which a function begins that a target has not run yet.
        places: attempts that a target is sent at once; 0 for any number.
        patience: seconds after which some callers give up.
        mix: of which kinds the calls are.
        hedging: leeward asks a second target where a call takes long.
    """

    name: str
    faults: tuple[str, ...] = ()
    victims: int = 1
    pattern: Pattern = Pattern.OUTAGES
    share: float = 1.0
    freeze: float = 0.0
    frozen: float = 20.0
    spare: float = 0.0
    cold: bool = False
    probes: str = "with the data plane"
    quicker: float = 1.0
    functions: int = 1
    seconds: tuple[float, ...] = ()
    cold_start: float = 0.0
    places: int = 0
    patience: float = 0.0
    mix: Mix = EVERYTHING
    hedging: bool = False


ALL = 99
SILENCE = ("request lost", "silent work", "zombie")
PAGES = ("platform's page", "relayed page")
REFUSALS = ("auth refused", "not found", "bad request", "in progress", "function error")
"""What ends a call where nothing else is in flight."""
SLOW_REFUSALS = tuple(f"slow, {name}" for name in REFUSALS)
SLOW = (0.5, 1.0, 2.0, 5.0, 10.0)
"""Seconds that a slow function takes."""

THROTTLES = tuple(name for name in FAULTS if name.startswith("throttled"))

SCENARIOS = (
    Scenario("calm"),
    Scenario("refused", ("refused",)),
    Scenario("unreachable", ("unreachable",)),
    Scenario("black hole, request lost", ("request lost",)),
    Scenario("black hole, work done", ("silent work",)),
    Scenario("black hole, late zombies", ("zombie",)),
    Scenario("black hole, quick targets", SILENCE, quicker=10.0),
    Scenario("answers lost", ("answer lost",)),
    Scenario("server errors", ("server error",)),
    Scenario("brownout 30 %", ("server error", "answer lost"), share=0.3),
    *(
        Scenario(f"brownout {percent} %", ("server error",), share=percent / 100)
        for percent in (8, 15, 50)
    ),
    Scenario("slow x4", ("slow x4",)),
    Scenario("slow x40", ("slow x40",)),
    Scenario("own network down", ("no network",), ALL),
    Scenario("token endpoint down", ("no token",)),
    Scenario("certificate expired", ("bad certificate",)),
    Scenario("one function broken", ("one function",)),
    Scenario("one payload poisonous", ("poison",), ALL, Pattern.ALWAYS),
    Scenario("data plane down, control plane up", ("server error",), probes="control plane"),
    Scenario("cascade: the others are small", ("refused",), spare=0.6),
    Scenario("outage, then cold", ("server error",), spare=1.3, cold=True),
    Scenario(
        "no addresses, then throttled (AWS, October 2025)",
        ("no address", "throttled, absent", "server error"),
        pattern=Pattern.PHASES,
        share=0.7,
    ),
    Scenario(
        "global 503, then cold (Google, June 2025)",
        ("server error", "server error", "throttled, absent"),
        pattern=Pattern.PHASES,
        share=0.95,
        spare=1.2,
        cold=True,
    ),
    *(Scenario(name, (name,), share=0.7) for name in THROTTLES),
    Scenario("unusable", ("unusable",)),
    Scenario("auth refused", ("auth refused",)),
    Scenario("not found, bad request", ("not found", "bad request"), share=0.5),
    Scenario("function errors", ("function error", "in progress"), share=0.5),
    Scenario("split batches", ("split batch", "miscounted batch"), ALL, Pattern.ALWAYS, 0.2),
    Scenario("flapping", ("refused", "answer lost"), pattern=Pattern.FLAPPING),
    Scenario("two targets down", ("refused", "answer lost", *SILENCE), victims=2),
    Scenario("all targets refused", ("refused",), ALL),
    Scenario("all targets ill", ("server error", *SILENCE), ALL, share=0.8),
    Scenario("frozen process", (*THROTTLES, "refused"), ALL, share=0.5, freeze=0.2),
    Scenario("frozen for 15 minutes", ("refused",), freeze=0.002, frozen=900.0),
    Scenario("storm", tuple(FAULTS), ALL, Pattern.ALWAYS, 0.6, freeze=0.01),
    Scenario("flapping, quick targets", SILENCE, pattern=Pattern.FLAPPING, quicker=10.0),
    Scenario("slow functions that begin cold", SILENCE, seconds=SLOW, cold_start=3.0),
    Scenario("fifty functions", SILENCE, functions=50, quicker=10.0),
    Scenario("fifty slow functions", ("server error", *SILENCE), functions=50, seconds=SLOW),
    Scenario("few places", ("slow x4", *SILENCE), places=8),
    Scenario("few places, slow functions", SILENCE, seconds=(0.4,), places=16, functions=5),
    Scenario("answers that repeat a proof", PAGES, ALL, Pattern.ALWAYS, 0.5),
    Scenario("callers who give up", SILENCE, seconds=(0.4, 2.0), patience=0.1),
    Scenario(
        "hedges that are refused",
        (*SLOW_REFUSALS, *REFUSALS, "slow x4"),
        ALL,
        Pattern.ALWAYS,
        0.3,
        mix=HEDGED,
        hedging=True,
    ),
    Scenario(
        "hedges, refused and lost",
        (*SLOW_REFUSALS, *SILENCE, "split batch", "slow, split batch"),
        2,
        share=0.5,
        mix=HEDGED,
        hedging=True,
    ),
    Scenario("hedges in a storm", tuple(FAULTS), ALL, share=0.5, mix=HEDGED, hedging=True),
    Scenario("nested calls", ("server error", "refused", "answer lost"), 2, share=0.6, mix=NESTED),
    Scenario(
        "nested calls, hedged", (*SLOW_REFUSALS, *SILENCE), ALL, share=0.3, mix=NESTED, hedging=True
    ),
    Scenario("settled: answers lost", ("answer lost", *SILENCE), mix=SETTLED),
    Scenario("settled: two targets ill", ("server error", *SILENCE), 2, share=0.8, mix=SETTLED),
    Scenario("settled: storm", tuple(FAULTS), ALL, Pattern.ALWAYS, 0.5, freeze=0.01, mix=SETTLED),
)


class Episode(NamedTuple):
    """Which episode to run: together with the seed, all that it depends on."""

    scenario: Scenario
    number: int
    calls: int
    seed: int

    @property
    def key(self) -> str:
        """What all randomness of the episode comes from."""
        return f"{self.seed}/{self.scenario.name}/{self.number}"


class Setting(NamedTuple):
    """One episode of virtual time, laid out.

    Attributes:
        order: the targets in order of preference.
        homes: table to the target that owns it.
        rate: calls a second.
        schedule: what goes wrong when.
        freeze: share of the waits from which the process wakes late.
        frozen: seconds by which it may.
        capacities: target to calls a second that it takes; one that is not in it takes any.
        cold: a target comes back from an outage with little of that.
        control_plane: a driver's own probe goes well whatever befalls the calls.
        groups: functions that not every target of the order may serve.
        mix: of which kinds the calls are.
        cold_share: of its capacity that a target has when an outage ends.
        warm_after: seconds after which it has all of it again.
        stops: times in which the whole process stands still, from when to when.
        pauses: times in which the first target does nothing, and then goes on with what has come.
        quicker: times by which all targets answer sooner.
        functions, seconds, cold_start, places, patience: as of a `Scenario`.
        unmarked: functions that do not mark their answers, as a foreign one does not.
        hedging: as of a `Scenario`.
    """

    order: tuple[str, ...]
    homes: dict[str, str]
    rate: float
    schedule: Schedule
    freeze: float
    frozen: float = 20.0
    capacities: Mapping[str, float] = NOTHING
    cold: bool = False
    control_plane: bool = False
    groups: Mapping[tuple[str, str], TargetGroup] = NO_GROUPS
    mix: Mix = EVERYTHING
    cold_share: float = COLD_SHARE
    warm_after: float = WARM_AFTER
    stops: tuple[tuple[float, float], ...] = ()
    pauses: tuple[tuple[float, float], ...] = ()
    quicker: float = 1.0
    functions: int = 1
    seconds: tuple[float, ...] = ()
    cold_start: float = 0.0
    places: int = 0
    patience: float = 0.0
    unmarked: frozenset[str] = frozenset()
    hedging: bool = False


def setting_of(episode: Episode) -> Setting:
    """Lay out a episode; its key decides everything."""
    scenario, random = episode.scenario, Random(f"{episode.key}/setting")
    order = tuple(LATENCIES)[: random.choice(ORDER_LENGTHS)]
    rate = random.choice(RATES)
    windows = _windows(scenario, order, CALLS_PER_EPISODE / rate, random) if scenario.faults else ()
    homes = {"orders": order[0], "invoices": order[1]}
    capacities = dict.fromkeys(order, scenario.spare * rate) if scenario.spare else NOTHING
    if capacities:
        capacities = {**capacities, order[0]: max(1.5, scenario.spare) * rate}
    groups = {("invoke", "quote"): TargetGroup(order[1:])} if random.random() < 0.5 else NO_GROUPS
    unmarked = frozenset(("charge", "index") if random.random() < 0.5 else ("receipt", "quote"))
    return Setting(
        order,
        homes,
        rate,
        Schedule(tuple(windows)),
        scenario.freeze,
        scenario.frozen,
        capacities,
        scenario.cold,
        scenario.probes == "control plane",
        groups,
        scenario.mix,
        quicker=scenario.quicker,
        functions=scenario.functions,
        seconds=scenario.seconds,
        cold_start=scenario.cold_start,
        places=scenario.places,
        patience=scenario.patience,
        unmarked=unmarked,
        hedging=scenario.hedging,
    )


def _windows(
    scenario: Scenario, order: tuple[str, ...], horizon: float, random: Random
) -> Iterator[Window]:
    if scenario.pattern is Pattern.PHASES:
        victims = _victims(scenario.victims, order, random)
        for number, fault in enumerate(scenario.faults):
            start = horizon * (0.1 + 0.25 * number)
            yield Window(start, start + horizon * 0.25, victims, (fault,), scenario.share)
        return
    for start, end in _times(scenario.pattern, horizon, random):
        victims = _victims(scenario.victims, order, random)
        yield Window(start, end, victims, scenario.faults, scenario.share)


def _times(pattern: Pattern, horizon: float, random: Random) -> Iterator[tuple[float, float]]:
    if pattern is Pattern.ALWAYS:
        yield 0.0, inf
        return
    shortest, longest = (0.02, 0.05) if pattern is Pattern.FLAPPING else (0.15, 0.4)
    start = horizon * random.uniform(0.02, 0.1)
    while start < horizon:
        end = start + horizon * random.uniform(shortest, longest)
        yield start, end
        start = end + horizon * random.uniform(shortest, longest) / 2


def _victims(count: int, order: tuple[str, ...], random: Random) -> tuple[str, ...]:
    if count >= len(order):
        return order
    first = 0 if random.random() < 0.6 else random.randrange(len(order))
    return tuple(order[(first + step) % len(order)] for step in range(count))
