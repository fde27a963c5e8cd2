"""How many calls a second threads get out of one client, where each answer takes 5 ms."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from time import perf_counter

from bench.cloud import WIDEST, Cloud, client
from bench.figures import Figure, Unit, compare, measure_in_turn
from bench.verbs import Verb, of_boto3, of_leeward

GATE = 6.0

OUR_CALLS = 4096
THEIR_CALLS = 512

THEIR_THREADS = (8, 16, 32, WIDEST)
"""boto3 has its best throughput at different widths on different machines; its best one counts."""


def measure(cloud: Cloud, rounds: int) -> list[Figure]:
    """Measure both sides' `invoke`: leeward on `WIDEST` threads, boto3 on as many as suit it."""
    theirs = of_boto3(cloud, cloud.late)["invoke"]
    with client(cloud, cloud.late) as leeward:
        ours = of_leeward(leeward)["invoke"]
        samples = [_rate(ours, WIDEST, OUR_CALLS)]
        samples += [_rate(theirs, threads, THEIR_CALLS) for threads in THEIR_THREADS]
        taken = measure_in_turn(samples, rounds)
    best = [max(rates) for rates in zip(*taken[1:], strict=True)]
    return [compare(f"{WIDEST} threads, 5 ms", taken[0], best, gate=GATE, unit=Unit.RATE)]


def _rate(verb: Verb, threads: int, calls: int) -> Callable[[], float]:
    """Give a sample that spreads `calls` over `threads`."""

    def work() -> None:
        for _ in range(calls // threads):
            verb()

    def sample() -> float:
        with ThreadPoolExecutor(threads) as pool:
            begun = perf_counter()
            for done in [pool.submit(work) for _ in range(threads)]:
                done.result()
            return calls // threads * threads / (perf_counter() - begun)

    return sample
