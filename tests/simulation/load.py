"""How much a provider can take: beyond its capacity it collapses, and it comes back cold."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from random import Random

from leeward.errors import Outcome
from tests.simulation.faults import Fate, Window

COLD_SHARE = 0.3
"""Of its capacity that a provider has when an outage ends."""

WARM_AFTER = 30.0
"""Seconds after which it has all of it again."""


class Load:
    """What reaches each target, compared with what it can take.

    Args:
        capacities: target to calls a second; a target that is not in it takes anything.
        windows: the outages, after which a target is cold.
        cold: whether it is.
        cold_share: of its capacity that it has then.
        warm_after: seconds after which it has all of it again.

    Attributes:
        peak: the greatest pressure on each target since the last outage ended.
    """

    def __init__(
        self,
        capacities: Mapping[str, float],
        windows: Sequence[Window],
        *,
        cold: bool,
        cold_share: float = COLD_SHARE,
        warm_after: float = WARM_AFTER,
    ) -> None:
        self._cold_share, self._warm_after = cold_share, warm_after
        self._over = max((window.end for window in windows), default=0.0)
        self._capacities = capacities
        self._ends = [(window.end, window.targets) for window in windows] if cold else []
        self._arrived: dict[str, deque[float]] = {target: deque() for target in capacities}
        self.peak: dict[str, float] = dict.fromkeys(capacities, 0.0)

    def pressure(self, target: str, now: float) -> float:
        """Note a request; return the load of the last second as a multiple of the capacity."""
        arrived = self._arrived.get(target)
        if arrived is None:
            return 0.0
        arrived.append(now)
        while arrived[0] <= now - 1.0:
            arrived.popleft()
        pressure = len(arrived) / self._capacity(target, now)
        if now >= self._over:
            self.peak[target] = max(self.peak[target], pressure)
        return pressure

    def _capacity(self, target: str, now: float) -> float:
        full = self._capacities[target]
        ended = max((end for end, who in self._ends if target in who and end <= now), default=None)
        if ended is None:
            return full
        cold, warmed = self._cold_share, min(1.0, (now - ended) / self._warm_after)
        return full * (cold + (1 - cold) * warmed)


def strained(fate: Fate, pressure: float, random: Random) -> Fate:
    """Return what becomes of an attempt at a target under so much pressure.

    Goodput falls the further the load is above the capacity: that is the collapse.
    """
    if pressure <= 1.0:
        return fate
    if random.random() < 1 / pressure**2:
        slower = fate.answers_after * pressure
        runs = fate.runs_after
        return fate._replace(runs_after=runs and runs * pressure, answers_after=slower)
    if random.random() < 0.5:
        return Fate(None, fate.answers_after, Outcome.REJECTED)
    ran = fate.runs_after if random.random() < 0.5 else None
    return Fate(ran, fate.answers_after * pressure, Outcome.AMBIGUOUS)
