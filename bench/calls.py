"""What one call costs in CPU on a client that is warm."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from time import perf_counter, process_time
from typing import NamedTuple, TypeAlias

from bench.figures import Figure, Sample, compare, measure_in_turn

Verb: TypeAlias = Callable[[], object]
"""Makes one call, and reads its answer."""

OUR_CALLS = 400
THEIR_CALLS = 100
"""In one block, so that both sides' blocks are long beside the clock's steps."""

FLOOR = "bare pycurl, no signer"


class Block(NamedTuple):
    """One measurement of one side.

    Attributes:
        verb: what is called.
        times: how often.
        each: how many of what is counted one call is.
    """

    verb: Verb
    times: int
    each: int = 1

    def cpu(self) -> float:
        """Return the seconds of this process's CPU, of all its threads, for one."""
        begun = process_time()
        for _ in range(self.times):
            self.verb()
        return (process_time() - begun) / (self.times * self.each)

    def wall(self) -> float:
        """Return the seconds by the clock on the wall for one."""
        begun = perf_counter()
        for _ in range(self.times):
            self.verb()
        return (perf_counter() - begun) / (self.times * self.each)


class Row(NamedTuple):
    """One verb on all sides.

    Attributes:
        name: of the figure.
        ours: leeward's.
        yardstick: what theirs is called.
        theirs: measures the vendor's.
        floor: bare pycurl's.
        gate: of the ratio.
    """

    name: str
    ours: Verb
    yardstick: str
    theirs: Sample
    floor: Verb
    gate: float


def measure_rows(rows: Sequence[Row], rounds: int) -> list[Figure]:
    """Measure all sides of all `rows` in the same rounds."""
    samples = [Block(row.ours, OUR_CALLS).cpu for row in rows]
    samples += [row.theirs for row in rows]
    samples += [Block(row.floor, OUR_CALLS).cpu for row in rows]
    taken = iter(measure_in_turn(samples, rounds))
    ours, theirs, floors = ([next(taken) for _ in rows] for _ in range(3))
    return [
        compare(
            row.name,
            ours[index],
            theirs[index],
            gate=row.gate,
            yardstick=row.yardstick,
            floor=(FLOOR, floors[index]),
        )
        for index, row in enumerate(rows)
    ]
