"""What runs that wait cost on one server: ``python -m tests.postgres.waiting --runs 20000``.

Prints the memory of a worker and its statements a second, without a run and beside all of them; and
how long after an event the next step of its run begins in a worker, if another process sends it.
"""

from __future__ import annotations

import argparse
import logging
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from random import Random
from statistics import median, quantiles
from threading import Condition
from typing import NamedTuple

import psycopg

from leeward import Client
from leeward.app import App
from leeward.config import Config
from leeward.worker import Worker
from leeward.workflow import Flow, Ref
from leeward_postgres.driver import open_driver
from tests.postgres.journals import make_schema
from tests.postgres.opening import config_for
from tests.postgres.server import Server


def wait(w: Flow, order: Ref) -> None:
    """Wait for an event, and call a function."""
    w.stop(w.step("ship", w.event("paid", timeout="1d")))


class Figures(NamedTuple):
    """What was measured. Memory in MiB, statements a second, milliseconds."""

    memory_before: float
    memory_after: float
    statements_before: float
    statements_after: float
    wake: list[float]


def measure(url: str, runs: int, events: int, seconds: float) -> Figures:
    """Start runs that wait, and wake some of them; on a database with an empty schema."""
    called: dict[int, float] = {}
    changed = Condition()

    def ship(number: int) -> None:
        with changed:
            called[number] = time.monotonic()
            changed.notify_all()

    app = App("shop")
    app.function(name="ship")(ship)
    app.workflow("patient")(wait)
    config = Config(workflow_target="postgres")
    with (
        Worker(app, [open_driver(config_for(url))]) as worker,
        Client([open_driver(config_for(url))], config=config) as other,
        psycopg.connect(url, autocommit=True) as watcher,
        ThreadPoolExecutor(16) as threads,
    ):
        client = worker.client
        before = _memory(), _statements(watcher, seconds)
        list(threads.map(lambda n: client.start_workflow("patient", n, id=f"r{n}"), range(runs)))
        waits = "SELECT count(*) FROM leeward.runs WHERE NOT held AND due > started + 60"
        while watcher.execute(waits).fetchall() != [(runs,)]:
            time.sleep(0.1)
        after = _memory(), _statements(watcher, seconds)
        wake = []
        for number in Random(1).sample(range(runs), events):
            other.send_event("patient", f"r{number}", "paid", number, id="e")
            sent = time.monotonic()
            with changed:
                assert changed.wait_for(lambda number=number: number in called, 30)  # type: ignore[misc]
            wake.append(1000 * (called[number] - sent))
        return Figures(before[0], after[0], before[1], after[1], wake)


def _memory() -> float:
    """Return the resident memory of this process, in MiB."""
    pages = int(Path("/proc/self/statm").read_text("ascii").split()[1])
    return pages * 4096 / 2**20


def _statements(watcher: psycopg.Connection, seconds: float) -> float:
    """Return how many statements a second commit in the database while nothing happens."""
    query = "SELECT xact_commit + xact_rollback FROM pg_stat_database WHERE datname = %s"
    counts = []
    for _ in range(2):
        time.sleep(seconds)
        watcher.execute("SELECT pg_stat_clear_snapshot()")
        ((count,),) = watcher.execute(query, [watcher.info.dbname]).fetchall()
        counts.append(count)
    return float(counts[1] - counts[0] - 2) / seconds  # but for what the watcher asks


def main() -> int:
    """Measure on a server of its own, and print the figures."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--runs", type=int, default=20_000)
    parser.add_argument("--events", type=int, default=200)
    options = parser.parse_args()
    logging.disable()
    server = Server()
    try:
        make_schema(server)
        figures = measure(server.url, options.runs, options.events, 10.0)
    finally:
        server.stop()
    low, high = quantiles(figures.wake, n=20)[0], quantiles(figures.wake, n=20)[-1]
    sys.stdout.write(
        f"{options.runs} runs wait: {figures.memory_before:.0f} to {figures.memory_after:.0f} MiB, "
        f"{figures.statements_before:.1f} to {figures.statements_after:.1f} statements a second; "
        f"an event wakes its run in {median(figures.wake):.0f} ms ({low:.0f} to {high:.0f} ms)\n"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
