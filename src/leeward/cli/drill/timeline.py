"""The record of a drill by the second: what the chart draws."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final, NamedTuple

from leeward.cli.drill.record import Called, Decided, Plan, Record
from leeward.cli.drill.verdict import ANSWERED, CHANGES, UNKNOWN

STATES: Final = ("closed", "ramp", "half_open", "opened")
"""Of a circuit, from the one that lets everything through to the one that lets nothing."""

FAILED: Final = "failed"
LEFT_UNKNOWN: Final = "outcome unknown"
"""What a call counts as that no target has answered."""


class Band(NamedTuple):
    """A time for which the circuits of a target were in one state."""

    target: str
    state: str
    begin: float
    end: float


def per_second(plan: Plan, calls: Iterable[Called], end: float) -> dict[str, list[int]]:
    """Return how many calls ended in each second, by the target that answered, or as what."""
    seconds = int(end) + 1
    counts = {name: [0] * seconds for name in (*plan.order, LEFT_UNKNOWN, FAILED)}
    for each in calls:
        counts[_counted_as(each)][min(int(each.ended), seconds - 1)] += 1
    return counts


def _counted_as(call: Called) -> str:
    if call.target is not None:
        return call.target
    return LEFT_UNKNOWN if call.error in UNKNOWN else FAILED


def latencies(calls: Iterable[Called]) -> Iterator[tuple[int, float, float]]:
    """Return a second, and the median and the longest call that began in it, in seconds."""
    begun: dict[int, list[float]] = defaultdict(list)
    for each in calls:
        if not each.error or each.error in ANSWERED:
            begun[int(each.began)].append(each.ended - each.began)
    for second in sorted(begun):
        took = sorted(begun[second])
        yield second, took[len(took) // 2], took[-1]


def bands(plan: Plan, decisions: Sequence[Decided], end: float) -> Iterator[Band]:
    """Return the states of each target, of those of its circuits the one that lets least through.

    `end` is that of the drill, in seconds.
    """
    for target in plan.order:
        circuits: dict[Any, str] = {}
        state, since = "closed", 0.0
        for at, event in decisions:
            if event.target != target or event.name not in CHANGES:
                continue
            circuits[event.verb, event.resource] = event.name
            now = max(circuits.values(), key=STATES.index)
            if now != state:
                yield Band(target, state, since, at)
                state, since = now, at
        yield Band(target, state, since, end)


def end_of(plan: Plan, record: Record) -> float:
    """Return when the drill was over, in seconds."""
    return max(plan.seconds, max((each.ended for each in record.calls), default=0.0))
