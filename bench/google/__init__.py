"""leeward beside google-cloud-pubsub, google-cloud-firestore and `requests`.

Google's clients speak gRPC, with a server of its own, and leeward speaks REST. Both in clear text,
because that is how Google's clients reach a server that is not Google's.
"""

from __future__ import annotations

from functools import partial

from bench.bare import bare
from bench.calls import OUR_CALLS, THEIR_CALLS, Block, Row, Verb, measure_rows
from bench.cloud import Cloud, one_core, running, serving
from bench.figures import Figure, Unit, compare, measure_in_turn
from bench.google.requests import WANTED
from bench.google.sides import client
from bench.google.vendors import Calling, vendors
from bench.verbs import of_leeward

YARDSTICKS = (
    ("invoke", "requests", 0.28),
    ("publish_event", "pubsub, max_messages=1", 0.25),
    ("publish_event", "pubsub, unbatched", 0.45),
    ("store_data", "firestore", 0.30),
    ("load_data", "firestore", 0.30),
)
"""What each verb is measured beside, and the gate."""

WALL_GATE = 0.02

WAITED_CALLS = 20
"""Each takes 10 ms or more."""


def measure(rounds: int) -> list[Figure]:
    """Measure every verb, and the wall time of an event that is published as by default."""
    with (
        one_core(),
        running("google") as cloud,
        serving("bench.google.rpc") as (_, (port,)),
        vendors(cloud.plain, port) as call,
        client(cloud.plain) as leeward,
    ):
        ours = of_leeward(leeward)
        return [
            *measure_rows(_rows(cloud, ours, call), rounds),
            _waited(ours["publish_event"], call, rounds),
        ]


def _rows(cloud: Cloud, ours: dict[str, Verb], call: Calling) -> list[Row]:
    return [
        Row(
            name,
            ours[name],
            yardstick,
            partial(_cpu, call, f"{name}, {yardstick}"),
            bare(cloud.plain, WANTED[name], cloud.ca_file),
            gate,
        )
        for name, yardstick, gate in YARDSTICKS
    ]


def _cpu(call: Calling, name: str) -> float:
    return call(name, THEIR_CALLS).cpu


def _waited(ours: Verb, call: Calling, rounds: int) -> Figure:
    yardstick = "pubsub, as it comes"
    samples = (
        Block(ours, OUR_CALLS).wall,
        lambda: call(f"publish_event, {yardstick}", WAITED_CALLS).wall,
    )
    taken = measure_in_turn(samples, rounds)
    return compare(
        "publish_event, wall time", *taken, gate=WALL_GATE, unit=Unit.WALL, yardstick=yardstick
    )
