"""Workflows in PostgreSQL beside DBOS, on one server that keeps every commit on its disk.

The CPU is the client's. Processes whose steps sleep show how the server scales.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Final

import psycopg

from bench.figures import Figure, Unit, compare, measure_in_turn
from bench.workflow import CPU_GATE, RATE_GATE, SERVERS, Side
from leeward_postgres.schema import schema_sql
from tests.postgres.server import Server

PROCESSES: Final = (1, 2, 4)
SCALE_GATE: Final = 0.9


def measure(rounds: int) -> list[Figure]:
    """Measure both; nothing beside DBOS where it is not installed."""
    server = Server()
    try:
        with psycopg.connect(server.url, autocommit=True) as connection:
            connection.execute(schema_sql("leeward").encode())
        return [*_beside_dbos(server.url, rounds), *_processes(server.url, rounds)]
    finally:
        server.stop()


def _beside_dbos(url: str, rounds: int) -> Iterator[Figure]:
    if not Path(SERVERS / "dbos/bin/python").exists():
        return
    with ExitStack() as stack:
        sides = [stack.enter_context(Side(each, url)) for each in ("leeward", "dbos")]
        ours, theirs = measure_in_turn([each.run for each in sides], rounds)
        # The first round of each is not counted.
        our_rate, their_rate = (each.rates[1:] for each in sides)
    yield compare(
        "steps of runs of 5 steps", our_rate, their_rate, gate=RATE_GATE, unit=Unit.RATE,
        yardstick="dbos",
    )  # fmt: skip
    yield compare("one of those steps", ours, theirs, gate=CPU_GATE, yardstick="dbos")


def _processes(url: str, rounds: int) -> Iterator[Figure]:
    with ExitStack() as stack:
        sides = [stack.enter_context(Side("sleeper", url)) for _ in range(max(PROCESSES))]
        samples: list[Callable[[], float]] = [
            partial(_rate_of, sides[:count]) for count in PROCESSES
        ]
        one, *others = measure_in_turn(samples, rounds)
    for count, rates in zip(PROCESSES[1:], others, strict=True):
        yield compare(
            f"steps of 50 ms, {count} processes",
            rates,
            [rate * count for rate in one],
            gate=SCALE_GATE,
            unit=Unit.RATE,
            yardstick=f"{count} times one",
        )


def _rate_of(sides: Sequence[Side]) -> float:
    """Let some processes make their runs at one time; return their steps a second together."""
    with ThreadPoolExecutor(len(sides)) as pool:
        list(pool.map(Side.run, sides))
    return sum(side.rates[-1] for side in sides)
