"""A figure: two sides measured in the same rounds, and how the one compares with the other."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from random import Random
from statistics import median

Sample = Callable[[], float]
"""Measures one side once, and gives a number of the figure's unit."""

ROUNDS = 9
"""Odd, so that the median is a round that happened; at least 7 by the project's own rule."""

QUICK_ROUNDS = 3
"""For a first look."""


class Unit(Enum):
    """What is measured."""

    CPU = "s of CPU"
    """Less is better."""
    WALL = "s"
    """By the clock on the wall; less is better."""
    MEMORY = "MiB"
    """Resident memory; less is better."""
    RATE = "calls/s"
    """By the clock on the wall; more is better."""


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
        measured: one of it, in the figure's unit.
    """

    name: str
    measured: Spread


@dataclass(frozen=True, slots=True)
class Floor(Side):
    """What no client can do better than, in the same rounds.

    Attributes:
        ratio: the floor over the yardstick, taken round by round.
    """

    ratio: Spread


@dataclass(frozen=True, slots=True)
class Figure:
    """leeward beside a yardstick.

    Attributes:
        name: what was compared.
        leeward: our side.
        yardstick: the side to compare with.
        ratio: ours over the yardstick's, taken round by round.
        gate: what the ratio should not exceed; of a rate, what it should reach.
        unit: of both sides.
        floor: what neither side can go below, where there is such a thing.
    """

    name: str
    leeward: Side
    yardstick: Side
    ratio: Spread
    gate: float
    unit: Unit = Unit.CPU
    floor: Floor | None = None

    @property
    def met(self) -> bool:
        """Whether the median ratio keeps to the gate."""
        return self._keeps_to_gate(self.ratio)

    @property
    def is_behind(self) -> bool:
        """Whether the other side is ahead, whatever the gate says."""
        ratio = self.ratio.median
        return ratio < 1 if self.unit is Unit.RATE else ratio > 1

    @property
    def within_reach(self) -> bool:
        """Whether the floor keeps to the gate: else nobody does, on this machine."""
        return self.floor is None or self._keeps_to_gate(self.floor.ratio)

    def _keeps_to_gate(self, ratio: Spread) -> bool:
        if self.unit is Unit.RATE:
            return ratio.median >= self.gate
        return ratio.median <= self.gate


def measure_in_turn(samples: Sequence[Sample], rounds: int = ROUNDS) -> list[list[float]]:
    """Measure every side once a round, in another order each time.

    Noise of the machine then falls on all sides alike. A round before the first is not counted:
    it warms caches.

    Returns:
        For each of `samples`, its measurements, round by round.
    """
    for sample in samples:
        sample()
    taken: list[list[float]] = [[] for _ in samples]
    order = list(range(len(samples)))
    shuffle = Random(0).shuffle
    for _ in range(rounds):
        shuffle(order)
        for side in order:
            taken[side].append(samples[side]())
    return taken


def compare(
    name: str,
    ours: Sequence[float],
    theirs: Sequence[float],
    *,
    gate: float,
    unit: Unit = Unit.CPU,
    yardstick: str = "boto3",
    floor: tuple[str, Sequence[float]] | None = None,
) -> Figure:
    """Make the figure of sides that were measured in the same rounds; the floor has its name."""
    return Figure(
        name,
        Side("leeward", Spread.of(ours)),
        Side(yardstick, Spread.of(theirs)),
        ratio_of(ours, theirs),
        gate,
        unit,
        floor and Floor(floor[0], Spread.of(floor[1]), ratio_of(floor[1], theirs)),
    )


def ratio_of(ours: Sequence[float], theirs: Sequence[float]) -> Spread:
    """Divide round by round."""
    return Spread.of([our / their for our, their in zip(ours, theirs, strict=True)])
