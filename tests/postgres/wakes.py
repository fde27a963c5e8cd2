"""How soon a worker has what another process sends, and how much it asks while nothing comes.

python -m tests.postgres.wakes --queues 100
"""

from __future__ import annotations

import argparse
import multiprocessing
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from queue import SimpleQueue
from statistics import median
from typing import Any

import psycopg

from leeward import App
from leeward.calls import Enqueue
from leeward.entropy import new_id
from leeward.worker import Worker
from leeward.workflow import Flow, Ref
from leeward_postgres.driver import open_driver
from leeward_postgres.schema import schema_sql
from tests.postgres.opening import SECONDS, config_for
from tests.postgres.server import Server

SCHEMA = "wakes"


def app_of(queues: int, heard: Callable[[float], None]) -> App:
    """Return an app with so many queues, each of which has a handler."""
    app = App("wakes")

    @app.function(effect="idempotent")
    def wrap(order: Any) -> None:
        """Wrap it."""

    @app.workflow("pack")
    def pack(w: Flow, order: Ref) -> None:
        """Pack an order, which nobody asks for."""
        w.step(wrap, order)

    for number in range(queues):

        @app.on_message(f"queue-{number}", name=f"q{number}")
        def hear(message: Any) -> None:
            heard(time.monotonic() - float(message["sent"]))

    return app


@contextmanager
def working(url: str, queues: int, heard: Callable[[float], None]) -> Iterator[Worker]:
    """Have a worker with attempts of its own for each queue, which has seen that nothing is due."""
    with psycopg.connect(url, autocommit=True) as admin:
        admin.execute(f"DROP SCHEMA IF EXISTS {SCHEMA} CASCADE; {schema_sql(SCHEMA)}".encode())
    own = {f"queue-{number}": 1 for number in range(queues)}
    driver = open_driver(config_for(url, schema=SCHEMA))
    with Worker(app_of(queues, heard), [driver], queues=own) as worker:
        time.sleep(2.0)
        yield worker


def count_statements(url: str, queues: int, seconds: float) -> float:
    """Return how many statements a second the server gets of an idle worker."""
    with psycopg.connect(url, autocommit=True) as admin, working(url, queues, lambda _: None):
        time.sleep(14)  # the server counts what a session did up to 10 s later
        counts = []
        for _ in range(2):
            admin.execute("SELECT pg_stat_clear_snapshot()")
            sql = "SELECT xact_commit + xact_rollback FROM pg_stat_database WHERE datname = %s"
            ((count,),) = admin.execute(sql, (admin.info.dbname,)).fetchall()
            counts.append(count)
            time.sleep(seconds if len(counts) == 1 else 0.0)
    return float(counts[1] - counts[0]) / seconds


def send(url: str, times: int) -> None:
    """Send a message every now and then; in a process of its own."""
    with closing(open_driver(config_for(url, schema=SCHEMA))) as driver:
        for _ in range(times):
            time.sleep(0.25)
            body = f'{{"sent": {time.monotonic()}}}'.encode()
            driver.perform(Enqueue("queue-0", body, new_id(time.time())), SECONDS)


def measure_wakes(url: str, times: int) -> list[float]:
    """Return the seconds from before a message is sent, in another process, to its handler."""
    heard: SimpleQueue[float] = SimpleQueue()
    with working(url, 2, heard.put):
        sender = multiprocessing.get_context("spawn").Process(target=send, args=(url, times))
        sender.start()
        waits = [heard.get(timeout=6 * SECONDS) for _ in range(times)]
        sender.join()
    return waits


def main() -> None:
    """Measure, and show the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--queues", type=int, default=100)
    parser.add_argument("--messages", type=int, default=41)
    given = parser.parse_args()
    server = Server()
    try:
        for queues in (1, given.queues):
            each = count_statements(server.url, queues, 20.0)
            print(f"{queues} queues: {each:.2f} statements/s while nothing comes")
        waits = sorted(measure_wakes(server.url, given.messages))
        print(f"wake-up {1000 * median(waits):.1f} ms median, {1000 * waits[-1]:.1f} ms most")
    finally:
        server.stop()


if __name__ == "__main__":
    main()
