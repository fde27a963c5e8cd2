"""What a claim costs beside many rows that it does not take, in every state that they may have.

python -m tests.postgres.claims --rows 200000
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from contextlib import closing
from statistics import median
from typing import Any, Final

import psycopg

from leeward.leases.rules import Room
from leeward.stores import LeasedRow, LeaseEnd, NewRow
from leeward_postgres.driver import open_driver
from leeward_postgres.schema import schema_sql
from tests.delivery.states import OWN, STATES, WHOSE
from tests.postgres.opening import config_for
from tests.postgres.server import Server

SCHEMA: Final = "claims"
MOST_MS: Final = 15.0
"""Milliseconds of a claim, beside 200,000 rows."""

OWN_STATES: Final = {
    state: columns.format(now="extract(epoch FROM clock_timestamp())").replace("%", "%%")
    for state, columns in {
        **STATES,
        "parked": "0, CASE WHEN n < 4 THEN 0 ELSE 'infinity'::float8 END, NULL, 'lane'",
    }.items()
}


class Claims:
    """Claims beside rows of one state after the other.

    Args:
        url: of a database.
    """

    def __init__(self, url: str) -> None:
        self._admin = psycopg.connect(url, autocommit=True)
        self._admin.execute(
            f"DROP SCHEMA IF EXISTS {SCHEMA} CASCADE; {schema_sql(SCHEMA)}".encode()
        )
        self._driver = open_driver(config_for(url, schema=SCHEMA))
        stores = self._driver.stores()
        assert stores is not None
        self._store = stores.deliveries

    def close(self) -> None:
        """Close every connection."""
        self._driver.close()
        self._admin.close()

    def fill(self, state: str, whose: str, rows: int) -> None:
        """Have so many rows of a state, and some new ones that can be taken, and nothing else."""
        self._admin.execute(f"TRUNCATE {SCHEMA}.deliveries, {SCHEMA}.dead_letters".encode())
        self._admin.execute(
            f"INSERT INTO {SCHEMA}.deliveries (half, bus, subscriber, idempotency_key, document, "
            f"attempts, due, lease, lane) SELECT false, '', %s, n, '{{}}', {OWN_STATES[state]} "
            "FROM generate_series(1, %s) AS n".encode(),
            (WHOSE[whose], rows),
        )
        self._admin.execute(f"ANALYZE {SCHEMA}.deliveries".encode())
        self._store.add([NewRow(OWN, None, str(at), "{}") for at in range(200)], 10)

    def measure(self, claims: int) -> tuple[float, float, int]:
        """Return the median and the longest of claims in milliseconds, and the pages of another."""
        taken: list[float] = []
        for _ in range(claims):
            began = time.perf_counter()
            rows = self._claim()
            self._store.next_due([OWN], time.time())
            taken.append(time.perf_counter() - began)
            self._store.finish([LeaseEnd(row, is_begun=False) for row in rows], time.time())
        return 1000 * median(taken), 1000 * max(taken), self._pages()

    def claim_one(self) -> bool:
        """Add a row, claim what there is, and end it; return whether there was something."""
        self._store.add([NewRow(OWN, None, "k", "{}")], 10)
        rows = self._claim()
        self._store.finish([LeaseEnd(row) for row in rows], time.time())
        return bool(rows)

    def _claim(self) -> list[LeasedRow]:
        return self._store.take([OWN], time.time, Room(8, 8)).rows

    def _pages(self) -> int:
        """Return how many pages a claim reads."""
        sql = (
            f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) SELECT * FROM {SCHEMA}.take_rows("
            f"ARRAY[''], ARRAY['{OWN.subscriber}'], ARRAY[5], 'z', 30, 3600, 60, 8, 8, 1, 8)"
        )
        ((plan,),) = self._admin.execute(sql.encode()).fetchall()
        told: dict[str, Any] = plan[0]["Plan"]
        return int(told["Shared Hit Blocks"] + told["Shared Read Blocks"])


def measure_all(url: str, rows: int, claims: int) -> Iterator[tuple[str, float, float, int]]:
    """Yield each state, with the median and the longest in milliseconds, and pages, of claims."""
    with closing(Claims(url)) as own:
        for whose in WHOSE:
            for state in OWN_STATES:
                own.fill(state, whose, rows)
                yield (f"{whose}, {state}", *own.measure(claims))


def main() -> None:
    """Measure, and fail where a claim takes too long."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=200_000)
    parser.add_argument("--claims", type=int, default=50)
    given = parser.parse_args()
    server = Server()
    late = []
    try:
        for name, milliseconds, longest, pages in measure_all(server.url, given.rows, given.claims):
            print(
                f"{milliseconds:8.2f} ms {longest:8.2f} ms at most {pages:8d} pages  {name}",
                flush=True,
            )
            late += [name] if milliseconds > MOST_MS else []
    finally:
        server.stop()
    if late:
        raise SystemExit(f"more than {MOST_MS:.0f} ms: {'; '.join(late)}")


if __name__ == "__main__":
    main()
