"""What one call costs in CPU on a client that is warm, beside boto3."""

from __future__ import annotations

from time import process_time
from typing import NamedTuple

from bench.cloud import Cloud, client, one_core
from bench.figures import Figure, compare, measure_in_turn
from bench.verbs import BATCH, Verb, of_boto3, of_leeward, publish_batch

GATE = 0.15
BATCH_GATE = 0.02

OUR_CALLS = 400
THEIR_CALLS = 100
"""In one block, so that both sides' blocks are long beside the clock's steps."""


class _Block(NamedTuple):
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
        """Give the seconds of this process's CPU, of all its threads, for one."""
        begun = process_time()
        for _ in range(self.times):
            self.verb()
        return (process_time() - begun) / (self.times * self.each)


def measure(cloud: Cloud, rounds: int) -> list[Figure]:
    """Measure every verb, plain and over TLS, and batches."""
    with one_core(cloud):
        return [
            *_verbs(cloud, "plain", rounds),
            *_verbs(cloud, "tls", rounds),
            _batch(cloud, rounds),
        ]


def _verbs(cloud: Cloud, kind: str, rounds: int) -> list[Figure]:
    url = getattr(cloud, kind)
    theirs = of_boto3(cloud, url)
    with client(cloud, url) as leeward:
        ours = of_leeward(leeward)
        blocks = [_Block(ours[name], OUR_CALLS) for name in ours]
        blocks += [_Block(theirs[name], THEIR_CALLS) for name in ours]
        taken = measure_in_turn([block.cpu for block in blocks], rounds)
    half = len(ours)
    return [
        compare(
            f"{name}, {kind}",
            taken[index],
            taken[half + index],
            gate=GATE,
            yardstick="boto3 Table" if name.endswith("_data") else "boto3",
        )
        for index, name in enumerate(ours)
    ]


def _batch(cloud: Cloud, rounds: int) -> Figure:
    with client(cloud, cloud.plain) as leeward:
        together = _Block(publish_batch(leeward), 10, BATCH)
        singly = _Block(of_boto3(cloud, cloud.plain)["publish_event"], THEIR_CALLS)
        ours, theirs = measure_in_turn([together.cpu, singly.cpu], rounds)
    return compare(f"an event of {BATCH} at once", ours, theirs, gate=BATCH_GATE)
