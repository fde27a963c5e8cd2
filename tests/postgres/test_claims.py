"""What a claim costs, however many rows there are that it does not take."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import psycopg

from leeward_postgres.schema import schema_sql
from tests.postgres.claims import OWN_STATES, SCHEMA, Claims, measure_all
from tests.postgres.opening import SECONDS
from tests.postgres.server import Server

ROWS = 4_000
FEW = 2_500
"""Pages: who walked past all rows would read one for each, at least, and one for its lane."""


def test_a_claim_walks_past_no_row_of_another_state(server: Server) -> None:
    """Or of another recipient. `python -m tests.postgres.claims` measures it beside 200,000."""
    read = {name: pages for name, *_, pages in measure_all(server.url, ROWS, 1)}
    assert len(read) == 2 * len(OWN_STATES)
    assert {name: pages for name, pages in read.items() if pages > FEW} == {}


def test_the_indexes_of_version_2_go_beside_writers(server: Server) -> None:
    """A plan by one of them would walk past rows of others; who reads for long keeps them till
    the schema is applied again."""
    old = f"CREATE INDEX deliveries_due ON {SCHEMA}.deliveries (due) WHERE due <> 0"
    names = f"SELECT indexname FROM pg_indexes WHERE schemaname = '{SCHEMA}'"
    outcomes: list[bool] = []
    over = threading.Event()
    with (
        closing(Claims(server.url)) as claims,
        psycopg.connect(server.url, autocommit=True) as admin,
    ):
        admin.execute(old.encode())

        def write() -> None:
            while not over.is_set():
                outcomes.append(claims.claim_one())

        writer = threading.Thread(target=write)
        writer.start()
        try:
            with psycopg.connect(server.url) as reader:
                reader.execute(f"SELECT count(*) FROM {SCHEMA}.deliveries".encode())
                admin.execute(schema_sql(SCHEMA).encode())
                assert ("deliveries_due",) in admin.execute(names.encode()).fetchall()
            admin.execute(schema_sql(SCHEMA).encode())
            until = time.monotonic() + SECONDS
            while len(outcomes) < 5 and time.monotonic() < until:
                time.sleep(0.01)
        finally:
            over.set()
            writer.join()
        assert ("deliveries_due",) not in admin.execute(names.encode()).fetchall()
    assert len(outcomes) >= 5
    assert all(outcomes)


def test_the_schema_waits_for_a_writer_that_has_read(server: Server) -> None:
    """It holds no lock meanwhile for which that writer would have to wait."""
    with (
        closing(Claims(server.url)),  # makes the schema
        psycopg.connect(server.url) as writer,
        psycopg.connect(server.url, autocommit=True) as admin,
        ThreadPoolExecutor(1) as threads,
    ):
        admin.execute(f"CREATE INDEX deliveries_due ON {SCHEMA}.deliveries (due)".encode())
        writer.execute(f"SELECT FROM {SCHEMA}.deliveries FOR UPDATE".encode())
        applied = threads.submit(admin.execute, schema_sql(SCHEMA).encode())
        waits = "SELECT FROM pg_locks WHERE NOT granted AND pid = %s"
        while not writer.execute(waits, [admin.info.backend_pid]).fetchall():
            assert not applied.done()
            time.sleep(0.01)
        writer.execute(f"UPDATE {SCHEMA}.deliveries SET attempts = attempts + 1".encode())
        writer.commit()
        applied.result(SECONDS)
