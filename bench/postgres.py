"""Queues and writes in PostgreSQL: one server, one durability, and its own queues beside leeward's.

The server keeps every commit on its disk. Workers that are counted run in processes of their own.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from functools import partial
from pathlib import Path
from time import perf_counter, process_time, time
from typing import Final

import psycopg

from bench.figures import Figure, Sample, Unit, compare, measure_in_turn
from bench.processes import waiting_process
from leeward.adapter import Driver, TargetConfig
from leeward.calls import Key, Store
from leeward.entropy import new_id
from leeward.errors import Outcome
from leeward.stores import NewRow, Recipient
from leeward_postgres.driver import open_driver
from leeward_postgres.schema import schema_sql
from tests.postgres.server import Server

PYTHON: Final = Path(__file__).parents[1] / ".servers/queues/bin/python"
OURS: Final = ("worker", "store", "steps")
SIDES: Final = ("worker", "store", "procrastinate", "pgmq")
PUTS: Final = 300
STEPS: Final = 320
"""For each worker."""
WORKERS: Final = (1, 2, 4)

_HERE: Final = Path(__file__)


def measure(rounds: int) -> list[Figure]:
    """Measure all sides; without the others' environment, only what needs none of them."""
    server = Server()
    try:
        return [
            *_puts(server.url, rounds),
            *_queues(server.url, rounds),
            *_steps(server.url, rounds),
        ]
    finally:
        server.stop()


def _queues(url: str, rounds: int) -> Iterator[Figure]:
    if not PYTHON.exists():
        return
    with ExitStack() as stack:
        rates = measure_in_turn([stack.enter_context(_side(each, url)) for each in SIDES], rounds)
    worker, store, procrastinate, pgmq = rates
    for name, ours, theirs, yardstick, gate in (
        ("jobs done by a worker", worker, procrastinate, "procrastinate", 1.5),
        ("the same", worker, pgmq, "pgmq", 1.0),
        ("taken and done by 100, no worker", store, pgmq, "pgmq", 1.0),
    ):
        yield compare(name, ours, theirs, gate=gate, unit=Unit.RATE, yardstick=yardstick)


@contextmanager
def _side(name: str, url: str) -> Iterator[Sample]:
    python = sys.executable if name in OURS else PYTHON
    command = [python, _HERE.with_name("postgres_side.py"), name, url]
    with waiting_process(command, {"PATH": os.environ["PATH"]}) as sample:
        yield sample


def _puts(url: str, rounds: int) -> Iterator[Figure]:
    bare = "INSERT INTO bare VALUES (%s, %s::jsonb) ON CONFLICT DO NOTHING"
    with (
        closing(open_driver(_config(url))) as driver,
        psycopg.connect(url, autocommit=True) as other,
    ):
        other.execute(schema_sql("leeward").encode())
        other.execute("CREATE TABLE bare (id text PRIMARY KEY, item jsonb)")

        def put(clock: Callable[[], float]) -> float:
            began = clock()
            for _ in range(PUTS):
                now = time()
                id = new_id(now)
                key, item = Key(("id",), (id,)), {"id": id, "total": 12}
                call = Store("orders", key, item, id, now, if_absent=True)
                assert driver.perform(call, 10.0).outcome is Outcome.OK
            return (clock() - began) / PUTS

        def insert(clock: Callable[[], float]) -> float:
            began = clock()
            for _ in range(PUTS):
                id = new_id(time())
                other.execute(bare, (id, f'{{"id": "{id}", "total": 12}}'))
            return (clock() - began) / PUTS

        for name, clock, unit in (
            ("a conditional put", perf_counter, Unit.WALL),
            ("the same", process_time, Unit.CPU),
        ):
            samples = [partial(put, clock), partial(insert, clock)]
            ours, theirs = measure_in_turn(samples, rounds)
            yield compare(name, ours, theirs, gate=1.3, unit=unit, yardstick="psycopg")


def _steps(url: str, rounds: int) -> Iterator[Figure]:
    with ExitStack() as stack:
        workers = [stack.enter_context(_side("steps", url)) for _ in range(max(WORKERS))]
        driver = stack.enter_context(closing(open_driver(_config(url))))
        samples = [partial(_steps_per_second, driver, workers[:count]) for count in WORKERS]
        one, *others = measure_in_turn(samples, rounds)
    for count, rates in zip(WORKERS[1:], others, strict=True):
        yield compare(
            f"steps of 50 ms over {count} workers",
            rates,
            [rate * count for rate in one],
            gate=0.9,
            unit=Unit.RATE,
            yardstick=f"{count} times one",
        )


def _steps_per_second(driver: Driver, workers: Sequence[Sample]) -> float:
    """Return how many steps a second some workers do together."""
    stores = driver.stores()
    assert stores is not None
    count = STEPS * len(workers)
    recipient = Recipient("", "steps")
    stores.deliveries.add([NewRow(recipient, None, str(n), "{}") for n in range(count)], 60.0)
    began = perf_counter()
    with ThreadPoolExecutor(len(workers)) as pool:
        list(pool.map(lambda work: work(), workers))
    return count / (perf_counter() - began)


def _config(url: str) -> TargetConfig:
    return TargetConfig("postgres", "postgres", None, {"url": url, "sslmode": "disable"}, {})
