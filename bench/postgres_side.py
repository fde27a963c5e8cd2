"""One library's queue, run by the interpreter that has it: ``postgres_side.py LIBRARY URL``.

For each line that it reads it queues `JOBS` jobs that do nothing, has all of them done, and prints
how many were done in a second. What it takes to queue them is not counted. Done jobs are deleted.
As ``steps`` it queues nothing, and helps with what is queued until nothing waits.
"""

from __future__ import annotations

import asyncio
import logging
import sys
from collections.abc import Callable
from threading import Event, Lock
from time import perf_counter, sleep
from typing import Any

JOBS = 3000
PAYLOAD = {"id": "42", "lines": [{"sku": "a-1", "count": 2}], "total": "9.50"}
STEP_SECONDS = 0.05
BATCH = 100
"""Rows that are claimed at once by who has no worker."""

Queue = Callable[[], Callable[[], object]]
"""Queues the jobs, and returns what has them done."""


def _rows() -> tuple[Any, list[Any]]:
    """Return the recipient, and rows for it."""
    from leeward.json_text import encode
    from leeward.stores import NewRow, Recipient

    recipient, document = Recipient("", "work"), encode(PAYLOAD).decode()
    return recipient, [NewRow(recipient, None, str(n), document) for n in range(JOBS)]


def _deliveries(url: str) -> Any:
    import psycopg

    from leeward.adapter import TargetConfig
    from leeward_postgres.driver import open_driver
    from leeward_postgres.schema import schema_sql

    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(schema_sql("leeward").encode())
    options = {"url": url, "sslmode": "disable"}
    stores = open_driver(TargetConfig("postgres", "postgres", None, options, {})).stores()
    assert stores is not None
    return stores.deliveries


def worker(url: str) -> Queue:
    """Let a worker of leeward do the jobs, on its threads."""
    from leeward._delivery.dispatcher import Dispatcher, Receiver
    from leeward.clock import SystemClock
    from leeward.json_text import decode

    deliveries = _deliveries(url)
    recipient, rows = _rows()
    lock, is_over, left = Lock(), Event(), 0

    def work(row: Any, deadline: float) -> None:
        nonlocal left
        del deadline
        decode(row.document)
        with lock:
            left -= 1
            if left == 0:
                is_over.set()

    receivers = {recipient: Receiver(work)}

    def queue() -> Callable[[], object]:
        nonlocal left
        deliveries.add(rows, 60.0)
        left = JOBS
        is_over.clear()

        def run() -> None:
            dispatcher = Dispatcher(deliveries, lambda: receivers, SystemClock(), shared=True)
            dispatcher.wake()
            assert is_over.wait(120)
            dispatcher.close()  # the last ones are written down

        return run

    return queue


def steps(url: str) -> Queue:
    """Let a worker of leeward do steps that take `STEP_SECONDS`, until nobody has one left."""
    from leeward._delivery.dispatcher import Dispatcher, Receiver
    from leeward.clock import SystemClock
    from leeward.stores import Recipient

    deliveries = _deliveries(url)
    receivers = {Recipient("", "steps"): Receiver(lambda row, deadline: sleep(STEP_SECONDS))}

    def run() -> None:
        dispatcher = Dispatcher(deliveries, lambda: receivers, SystemClock(), shared=True)
        dispatcher.wake()
        while deliveries.count_waiting(receivers):
            sleep(0.02)
        dispatcher.close()

    return lambda: run


def store(url: str) -> Queue:
    """Take rows and finish them, as a worker does, and do nothing else."""
    from time import time

    from leeward.leases.rules import Room
    from leeward.stores import LeaseEnd

    deliveries = _deliveries(url)
    recipient, rows = _rows()

    def run() -> None:
        left = JOBS
        while left:
            taken = deliveries.take([recipient], time, Room(BATCH, BATCH)).rows
            deliveries.finish([LeaseEnd(row) for row in taken], time())
            left -= len(taken)

    def queue() -> Callable[[], object]:
        deliveries.add(rows, 60.0)
        return run

    return queue


def procrastinate(url: str) -> Queue:
    """Let a worker of procrastinate do the jobs, on its event loop."""
    import psycopg
    from procrastinate import App, PsycopgConnector  # type: ignore[import-not-found]

    logging.disable()
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("CREATE SCHEMA IF NOT EXISTS procrastinate")
    kept = {"conninfo": url, "kwargs": {"options": "-c search_path=procrastinate"}}
    app = App(connector=PsycopgConnector(**kept))

    @app.task(name="work")  # type: ignore[untyped-decorator]
    async def work(order: Any) -> None:
        del order

    loop = asyncio.new_event_loop()
    loop.run_until_complete(app.open_async())
    loop.run_until_complete(app.schema_manager.apply_schema_async())

    def queue() -> Callable[[], object]:
        orders = ({"order": PAYLOAD} for _ in range(JOBS))
        loop.run_until_complete(work.batch_defer_async(*orders))
        return lambda: loop.run_until_complete(
            app.run_worker_async(
                wait=False, concurrency=8, delete_jobs="always", install_signal_handlers=False
            )
        )

    return queue


def pgmq(url: str) -> Queue:
    """Read messages of pgmq in batches, and delete them; it has no worker."""
    import psycopg
    from pgmq import PGMQueue  # type: ignore[import-not-found]
    from pgmq.install import get_embedded_install_sql  # type: ignore[import-not-found]

    logging.disable()
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(get_embedded_install_sql().encode())
    own = PGMQueue(conn_string=url, init_extension=False)
    own.create_queue("work")

    def run() -> None:
        left = JOBS
        while left:
            messages = own.read_batch("work", vt=30, batch_size=BATCH)
            own.delete_batch("work", [each.msg_id for each in messages])
            left -= len(messages)

    def queue() -> Callable[[], object]:
        own.send_batch("work", [PAYLOAD] * JOBS)
        return run

    return queue


def main() -> None:
    """Answer each line with a rate."""
    libraries = (worker, steps, store, procrastinate, pgmq)
    queue = {each.__name__: each for each in libraries}[sys.argv[1]](sys.argv[2])
    for _ in sys.stdin:
        run = queue()
        began = perf_counter()
        run()
        sys.stdout.write(f"{JOBS / (perf_counter() - began)}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
