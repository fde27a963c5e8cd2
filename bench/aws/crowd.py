"""How many calls a second threads get out of one client, where each answer takes 5 ms."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from time import perf_counter

from bench.aws.sides import client
from bench.aws.verbs import WANTED, of_boto3
from bench.bare import bare
from bench.calls import FLOOR, Verb
from bench.cloud import WIDEST, Cloud
from bench.figures import Figure, Unit, compare, measure_in_turn
from bench.verbs import of_leeward

GATE = 5.0

OUR_CALLS = 4096
THEIR_CALLS = 512

THEIR_THREADS = (8, 16, 32, WIDEST)
"""boto3 has its best throughput at different widths on different machines; its best one counts."""


def measure(cloud: Cloud, rounds: int) -> list[Figure]:
    """Measure both sides' `invoke`: leeward on `WIDEST` threads, boto3 on as many as suit it."""
    theirs = of_boto3(cloud, cloud.late)["invoke"]
    floor = [bare(cloud.late, WANTED["invoke"], cloud.ca_file) for _ in range(WIDEST)]
    with client(cloud, cloud.late) as leeward:
        ours = of_leeward(leeward)["invoke"]
        samples = [_rate([ours] * WIDEST, OUR_CALLS), _rate(floor, OUR_CALLS)]
        samples += [_rate([theirs] * threads, THEIR_CALLS) for threads in THEIR_THREADS]
        taken = measure_in_turn(samples, rounds)
    best = [max(rates) for rates in zip(*taken[2:], strict=True)]
    return [
        compare(
            f"{WIDEST} threads, 5 ms",
            taken[0],
            best,
            gate=GATE,
            unit=Unit.RATE,
            floor=(FLOOR, taken[1]),
        )
    ]


def _rate(verbs: Sequence[Verb], calls: int) -> Callable[[], float]:
    """Return a sample that spreads `calls` over as many threads as there are verbs."""
    each = calls // len(verbs)

    def work(verb: Verb) -> None:
        for _ in range(each):
            verb()

    def sample() -> float:
        with ThreadPoolExecutor(len(verbs)) as pool:
            begun = perf_counter()
            for done in [pool.submit(work, verb) for verb in verbs]:
                done.result()
            return each * len(verbs) / (perf_counter() - begun)

    return sample
