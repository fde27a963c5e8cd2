"""A figure: two sides measured in the same rounds, and how the one compares with the other."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median

Sample = Callable[[], float]
"""Measures one side once, and gives seconds of CPU."""

ROUNDS = 9
"""Odd, so that the median is a round that happened; at least 7 by the project's own rule."""


@dataclass(frozen=True, slots=True)
class Spread:
    """What several rounds measured."""

    median: float
    lowest: float
    highest: float

    @staticmethod
    def of(values: Sequence[float]) -> Spread:
        """Sum up `values`."""
        return Spread(median(values), min(values), max(values))


@dataclass(frozen=True, slots=True)
class Side:
    """One side of a figure.

    Attributes:
        name: what was run.
        seconds: CPU for one of it.
    """

    name: str
    seconds: Spread


@dataclass(frozen=True, slots=True)
class Figure:
    """leeward beside a yardstick.

    Attributes:
        name: what was compared.
        leeward: our side.
        yardstick: the side to compare with.
        ratio: ours over the yardstick's, taken round by round.
        gate: what the ratio should not exceed.
        floor: what neither side can go below, where there is such a thing.
    """

    name: str
    leeward: Side
    yardstick: Side
    ratio: Spread
    gate: float
    floor: Side | None = None

    @property
    def met(self) -> bool:
        """Whether the median ratio keeps to the gate."""
        return self.ratio.median <= self.gate


def measure_in_turn(samples: Sequence[Sample], rounds: int = ROUNDS) -> list[list[float]]:
    """Measure every side once a round, beginning with another one each time.

    Noise of the machine then falls on all sides alike. A round before the first is not counted:
    it warms caches.

    Returns:
        For each of `samples`, its measurements, round by round.
    """
    for sample in samples:
        sample()
    taken: list[list[float]] = [[] for _ in samples]
    for round_ in range(rounds):
        for turn in range(len(samples)):
            side = (round_ + turn) % len(samples)
            taken[side].append(samples[side]())
    return taken


def ratio_of(ours: Sequence[float], theirs: Sequence[float]) -> Spread:
    """Divide round by round."""
    return Spread.of([our / their for our, their in zip(ours, theirs, strict=True)])
