"""leeward beside azure-eventgrid, azure-cosmos and `requests`."""

from __future__ import annotations

from bench.azure.opening import measure_opening
from bench.azure.sides import client
from bench.azure.verbs import WANTED, of_vendors
from bench.bare import bare
from bench.calls import THEIR_CALLS, Block, Row, measure_rows
from bench.cloud import Cloud, one_core, running
from bench.figures import Figure
from bench.verbs import of_leeward

YARDSTICKS = {
    "invoke": ("requests", 0.28),
    "publish_event": ("azure-eventgrid", 0.18),
    "store_data": ("azure-cosmos", 0.20),
    "load_data": ("azure-cosmos", 0.20),
}
"""Whom each verb is measured beside, and the gate."""


def measure(rounds: int) -> list[Figure]:
    """Measure what opening costs, and every verb, plain and over TLS."""
    with running("azure") as cloud, one_core(cloud.process):
        return [
            measure_opening(cloud, rounds),
            *_verbs(cloud, "plain", rounds),
            *_verbs(cloud, "tls", rounds),
        ]


def _verbs(cloud: Cloud, kind: str, rounds: int) -> list[Figure]:
    url = getattr(cloud, kind)
    with client(cloud, url) as leeward, of_vendors(cloud, url) as theirs:
        rows = []
        for name, ours in of_leeward(leeward).items():
            yardstick, gate = YARDSTICKS[name]
            their = Block(theirs[name], THEIR_CALLS).cpu
            floor = bare(url, WANTED[name], cloud.ca_file)
            rows.append(Row(f"{name}, {kind}", ours, yardstick, their, floor, gate))
        return measure_rows(rows, rounds)
