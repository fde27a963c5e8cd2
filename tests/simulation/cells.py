"""One fault on one target, and how a router goes through it: what the gates are measured on."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass, field
from math import inf
from statistics import quantiles
from typing import NamedTuple

from leeward.errors import Outcome
from tests.simulation.baselines import BASELINES
from tests.simulation.faults import Schedule, Window
from tests.simulation.leeward_router import Leeward
from tests.simulation.runner import CallRecord, Router, Simulation
from tests.simulation.scenarios import Episode, Scenario, Setting
from tests.simulation.traffic import Kind, Mix

ORDER = ("alpha", "beta", "gamma")
PRIMARY = ORDER[0]
TIMEOUT = 6.0
"""Seconds that a call has."""

BEFORE = 30.0
"""Seconds before the fault, in which baselines are learnt."""

FUNCTIONS = Mix({Kind.IDEMPOTENT: 1, Kind.UNSAFE: 1}, {TIMEOUT: 1})


ONE_FUNCTION = Mix({Kind.IDEMPOTENT: 1}, {6.0: 1})
"""Evidence is kept for each function; over several, each has its own share of it."""


class Cell(NamedTuple):
    """A fault and a rate.

    Attributes:
        name: as the report shows it.
        faults: that strike; none for a calm cell.
        rate: calls a second.
        share: of the attempts that are struck.
        lasts: seconds of the fault.
        after: seconds from its end until the end of the cell.
        targets: those that it strikes.
        windows: how often it comes, each time `lasts` seconds after the last.
        baseline: share of attempts that fail without any fault.
    """

    name: str
    faults: tuple[str, ...]
    rate: float
    share: float = 1.0
    lasts: float = 120.0
    after: float = 120.0
    targets: tuple[str, ...] = (PRIMARY,)
    windows: int = 1
    baseline: float = 0.001
    mix: Mix = FUNCTIONS

    @property
    def ends(self) -> float:
        """When the last fault ends, in virtual seconds."""
        return BEFORE + self.lasts * (2 * self.windows - 1)


@dataclass(slots=True)
class Passage:
    """What a router made of a cell, call by call, in the order of their arrival.

    Attributes:
        at: when each call arrived.
        first: the target that was tried first; empty if none was, "probe" if that was a probe.
        attempts: how many, of each call.
        well: whether it ended well.
        unsafe: whether it is of that kind.
        unknown: whether its outcome is.
        took: seconds from its arrival to its end.
        doubles: unsafe calls that ran more than once.
        pinned: whether it may go to its first target alone.
        opened: when a circuit of the primary opened that was serving, where the router tells.
        trips: how often a circuit of any target did.
        peak: greatest load on the primary after the fault, as a multiple of its capacity.
    """

    at: list[float] = field(default_factory=list)
    first: list[str] = field(default_factory=list)
    attempts: list[int] = field(default_factory=list)
    well: list[bool] = field(default_factory=list)
    unsafe: list[bool] = field(default_factory=list)
    unknown: list[bool] = field(default_factory=list)
    took: list[float] = field(default_factory=list)
    pinned: list[bool] = field(default_factory=list)
    doubles: int = 0
    trips: int = 0
    opened: list[float] = field(default_factory=list)
    peak: float = 0.0

    def between(self, start: float, end: float) -> range:
        """Return the numbers of the calls that arrived in a time."""
        return range(bisect_left(self.at, start), bisect_left(self.at, end))

    def share_of(self, values: list[bool], calls: range) -> float:
        """Return the share of `calls` for which `values` is true; 1 without calls."""
        return sum(values[index] for index in calls) / len(calls) if len(calls) else 1.0

    def well_of(self, calls: range, *, unsafe: bool) -> float:
        """Return the share of the unsafe or the harmless calls that ended well."""
        chosen = [index for index in calls if self.unsafe[index] is unsafe]
        return sum(self.well[index] for index in chosen) / len(chosen) if chosen else 1.0

    def attempts_per_call(self, calls: range) -> float:
        """Return the mean number of attempts."""
        return sum(self.attempts[index] for index in calls) / max(1, len(calls))

    def left_at(self, onset: float) -> tuple[float, int]:
        """Return the seconds, and the calls, from `onset` until ten calls in a row go elsewhere."""
        begins = bisect_left(self.at, onset)
        elsewhere = 0
        for index in range(begins, len(self.at)):
            elsewhere = elsewhere + 1 if self.first[index] != PRIMARY else 0
            if elsewhere == 10:
                return self.at[index - 9] - onset, index - 9 - begins
        return float("inf"), len(self.at) - begins

    def back_at(self, healed: float, *, window: int = 40) -> float:
        """Return the seconds from `healed` until 95 % of the next calls ask the primary first."""
        begins = bisect_left(self.at, healed)
        for index in range(begins, len(self.at) - window):
            firsts = self.first[index : index + window]
            if sum(first == PRIMARY for first in firsts) >= 0.95 * window:
                return self.at[index] - healed
        return float("inf")

    def pinned_back_at(self, healed: float) -> float:
        """Return the seconds from `healed` until the last pinned call began that failed."""
        calls = self.between(healed, inf)
        late = [self.at[each] for each in calls if self.pinned[each] and not self.well[each]]
        return max(late, default=healed) - healed

    def percentile(self, share: float, calls: range) -> float:
        """Return the seconds that so large a share of `calls` took at most."""
        took = [self.took[index] for index in calls if self.well[index]]
        return quantiles(took, n=1000)[round(share * 1000) - 1]


def schedule_of(cell: Cell) -> Schedule:
    """Lay the faults of a cell out over its time."""
    windows = [
        Window(start, start + cell.lasts, cell.targets, cell.faults, cell.share)
        for start in (BEFORE + 2 * cell.lasts * number for number in range(cell.windows))
    ]
    return Schedule(tuple(windows) if cell.faults else (), cell.baseline)


def run_cell(cell: Cell, seed: int, router: str = "leeward", *, hedging: bool = False) -> Passage:
    """Take a router through a cell."""
    setting = Setting(ORDER, {"t": PRIMARY}, cell.rate, schedule_of(cell), 0.0, mix=cell.mix)
    return take_through(setting, cell, seed, router, hedging=hedging)


def take_through(
    setting: Setting,
    cell: Cell,
    seed: int,
    name: str,
    *,
    hedging: bool = False,
    router: Router | None = None,
) -> Passage:
    """Take the router of that name, or the one given, through a setting."""
    calls = int(cell.rate * (cell.ends + cell.after))
    episode = Episode(Scenario(cell.name), 0, calls, seed)
    passage = Passage()
    ended: list[CallRecord] = []
    if router is None:
        router = router_of(name, episode.key, hedging=hedging)
    beat = router.beat if setting.stops and isinstance(router, Leeward) else None
    simulation = Simulation(setting, episode, router, ended.append, beat=beat)
    simulation.run()
    for record in sorted(ended, key=lambda each: each.number):
        _note(passage, record)
    if isinstance(router, Leeward):
        opened = [
            (at, each.target, each.reason) for at, each in router.told if each.name == "opened"
        ]
        trips = [(at, target) for at, target, reason in opened if reason != "probe_failed"]
        passage.opened = [at for at, target in trips if target == PRIMARY]
        passage.trips = len(trips)
    passage.peak = simulation.load.peak.get(PRIMARY, 0.0)
    return passage


def router_of(name: str, seed: str, *, hedging: bool = False) -> Router:
    """Return a router by its name."""
    if name != "leeward":
        return BASELINES[name](ORDER, seed)
    return Leeward(ORDER, {"t": PRIMARY}, seed, hedging=hedging)


def _note(passage: Passage, record: CallRecord) -> None:
    passage.at.append(record.at)
    first = record.final.attempts[0] if record.final.attempts else None
    is_probe = first is not None and first.reason == "probe"
    target = record.attempts[0].target if record.attempts else ""
    passage.first.append("probe" if is_probe else target)
    passage.attempts.append(len(record.attempts))
    passage.well.append(record.final.outcome is Outcome.OK)
    is_unsafe = record.kind is Kind.UNSAFE
    passage.unsafe.append(is_unsafe)
    passage.pinned.append(record.kind is Kind.KEYED_TARGET)
    passage.unknown.append(record.final.outcome is Outcome.AMBIGUOUS)
    passage.took.append(record.ended - record.at)
    passage.doubles += is_unsafe and len(record.side_effects) > 1
