"""What one call costs in CPU on a client that is warm, beside boto3."""

from __future__ import annotations

from bench.aws.sides import client
from bench.aws.verbs import MOST_ENTRIES, WANTED, WANTED_BATCH, of_boto3
from bench.bare import bare
from bench.calls import FLOOR, OUR_CALLS, THEIR_CALLS, Block, Row, measure_rows
from bench.cloud import Cloud, one_core
from bench.figures import Figure, compare, measure_in_turn
from bench.verbs import BATCH, of_leeward, publish_batch

GATES = {"plain": 0.15, "tls": 0.17}
BATCH_GATE = 0.02


def measure(cloud: Cloud, rounds: int) -> list[Figure]:
    """Measure every verb, plain and over TLS, and batches."""
    with one_core(cloud.process):
        return [
            *_verbs(cloud, "plain", rounds),
            *_verbs(cloud, "tls", rounds),
            _batch(cloud, rounds),
        ]


def _verbs(cloud: Cloud, kind: str, rounds: int) -> list[Figure]:
    url = getattr(cloud, kind)
    theirs = of_boto3(cloud, url)
    with client(cloud, url) as leeward:
        rows = [
            Row(
                f"{name}, {kind}",
                ours,
                "boto3 Table" if name.endswith("_data") else "boto3",
                Block(theirs[name], THEIR_CALLS).cpu,
                bare(url, WANTED[name], cloud.ca_file),
                GATES[kind],
            )
            for name, ours in of_leeward(leeward).items()
        ]
        return measure_rows(rows, rounds)


def _batch(cloud: Cloud, rounds: int) -> Figure:
    with client(cloud, cloud.plain) as leeward:
        together = Block(publish_batch(leeward), 10, BATCH)
        singly = Block(of_boto3(cloud, cloud.plain)["publish_event"], THEIR_CALLS)
        least = bare(cloud.plain, WANTED_BATCH, cloud.ca_file)
        floor = Block(least, OUR_CALLS, MOST_ENTRIES)
        samples = [together.cpu, singly.cpu, floor.cpu]
        ours, theirs, bottom = measure_in_turn(samples, rounds)
    return compare(
        f"an event of {BATCH} at once", ours, theirs, gate=BATCH_GATE, floor=(FLOOR, bottom)
    )
