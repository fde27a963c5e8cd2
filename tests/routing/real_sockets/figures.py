"""What a run has shown, as shares of its own healthy seconds."""

from __future__ import annotations

import time
from collections.abc import Sequence
from math import inf
from typing import Final, NamedTuple

from leeward.values import RoutingEvent
from tests.routing.real_sockets.load import RUNNERS, Called, Server, Traffic, targets

FAULTS: Final = ("dark", "refuse", "throttle", "slow")


class Seconds(NamedTuple):
    """How long a run takes: until it counts, until the fault, and with it."""

    warm: float = 2.0
    healthy: float = 3.0
    fault: float = 6.0


class Figures(NamedTuple):
    """Of one fault.

    Attributes:
        rate: healthy answers a second.
        lost: calls that failed.
        first: share of that rate in the first second of the fault.
        third: the same from the third second on.
        attempts: a second, on the faulty target, from the third second on.
        worst: the longest call during the fault, in healthy medians.
        p99: of calls begun in its second second, in healthy medians.
        median: of healthy calls, in seconds.
    """

    rate: float
    lost: int
    first: float
    third: float
    attempts: float
    worst: float
    p99: float
    median: float


class Tail(NamedTuple):
    """Of a target that is slow for 2 % of the calls.

    Attributes:
        median: of the calls, in seconds.
        p99: likewise.
        extra: share of attempts beyond the calls.
        lost: calls that failed.
    """

    median: float
    p99: float
    extra: float
    lost: int


def measure(
    runner: str, fault: str, started: Sequence[Server], seconds: Seconds, traffic: Traffic
) -> Figures:
    """Let the first target have a fault under load."""
    drivers = targets(started)
    moments: list[float] = []

    def play() -> None:
        time.sleep(seconds.warm)
        moments.append(time.monotonic())
        time.sleep(seconds.healthy)
        moments.append(time.monotonic())
        started[0].do(fault)
        time.sleep(seconds.fault)
        moments.append(time.monotonic())

    try:
        calls = RUNNERS[runner](drivers, traffic, play)
    finally:
        started[0].do("heal")
    begin, faulty, end = moments
    healthy = [each for each in calls if begin <= each.ended < faulty]
    # A machine that is busy with other things may have answered nothing in a short time.
    rate = max(1, len(healthy)) / (faulty - begin)
    median = quantile([each.ended - each.began for each in healthy], 0.5) or inf
    meanwhile = [each for each in calls if each.ended >= faulty]
    third = faulty + 2
    begun = sum(third <= each < end for each in drivers[0].begun)
    second = [e.ended - e.began for e in calls if faulty + 1 <= e.began < faulty + 2]
    return Figures(
        rate=rate,
        lost=sum(bool(each.error) for each in calls),
        first=_answered(calls, faulty, faulty + 1) / rate,
        third=_answered(calls, third, end) / (end - third) / rate,
        attempts=begun / (end - third),
        worst=max(each.ended - each.began for each in meanwhile) / median,
        p99=quantile(second, 0.99) / median,
        median=median,
    )


def measure_tail(
    runner: str, started: Sequence[Server], seconds: Seconds, traffic: Traffic
) -> Tail:
    """Let the first target be slow for some of the calls."""
    drivers = targets(started)
    moments: list[float] = []

    def play() -> None:
        time.sleep(seconds.warm)
        moments.append(time.monotonic())
        time.sleep(seconds.fault)
        moments.append(time.monotonic())

    started[0].do("tail")
    try:
        calls = RUNNERS[runner](drivers, traffic, play)
    finally:
        started[0].do("heal")
    begin, end = moments
    within = [each.ended - each.began for each in calls if begin <= each.began < end]
    attempts = sum(begin <= each < end for driver in drivers for each in driver.begun)
    return Tail(
        quantile(within, 0.5),
        quantile(within, 0.99),
        attempts / len(within) - 1,
        sum(bool(each.error) for each in calls),
    )


def measure_reports(
    runner: str, started: Sequence[Server], seconds: float, timeout: float
) -> tuple[int, int, int]:
    """Call functions that take two seconds at three equal targets, from the first call on.

    Return how many circuits opened, how many calls failed, and how many there were.
    """
    told: list[RoutingEvent] = []
    for each in started:
        each.do("answer 2")
    traffic = Traffic(20.0, hedge=False, timeout=timeout, workers=60, listener=told.append)
    try:
        calls = RUNNERS[runner](targets(started), traffic, lambda: time.sleep(seconds))
    finally:
        for each in started:
            each.do("heal")
    opened = sum(each.name == "opened" for each in told)
    return opened, sum(bool(each.error) for each in calls), len(calls)


def measure_many(runner: str, started: Sequence[Server], functions: int) -> int:
    """Return how many unsafe calls of so many functions end as unknown in a black hole."""

    def play() -> None:
        time.sleep(3.0)
        started[0].do("dark")
        time.sleep(4.0)

    traffic = Traffic(
        100.0, hedge=False, functions=functions, effects=("unsafe",), timeout=3.0, workers=60
    )
    try:
        calls = RUNNERS[runner](targets(started), traffic, play)
    finally:
        started[0].do("heal")
    return sum(each.error == "OutcomeUnknown" for each in calls)


def quantile(values: Sequence[float], share: float) -> float:
    """Return a quantile of `values`; 0 of none."""
    return sorted(values)[int(share * (len(values) - 1))] if values else 0.0


def _answered(calls: Sequence[Called], begin: float, end: float) -> int:
    return sum(not each.error and begin <= each.ended < end for each in calls)
