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
from leeward.stores import LeasedRow, LeaseEnd, NewRow, Recipient
from leeward_postgres.driver import open_driver
from leeward_postgres.schema import schema_sql
from tests.postgres.opening import config_for
from tests.postgres.server import Server

SCHEMA: Final = "claims"
OWN: Final = Recipient("", "own")
MOST_MS: Final = 15.0
"""Milliseconds of a claim, beside 200,000 rows."""

_NOW: Final = "extract(epoch FROM clock_timestamp())"
_WHOSE: Final = {"own": OWN.subscriber, "another's": "other"}
STATES: Final = {
    "new": "0, 0, NULL, NULL",
    "to be tried again": f"1, {_NOW} - n / 1e6, NULL, NULL",
    "to be tried again later": f"1, {_NOW} + 50 + n / 1e6, NULL, NULL",
    "under way": f"1, {_NOW} + 3000 + n / 1e6, 'x', NULL",
    "unheard": f"1, {_NOW} - n / 1e6, 'x', NULL",
    "spent": f"9, {_NOW} - n / 1e6, 'x', NULL",
    "of one lane": "0, 0, NULL, 'lane'",
    "parked": "0, CASE WHEN n < 4 THEN 0 ELSE 'infinity'::float8 END, NULL, 'lane'",
    "of many lanes": "0, 0, NULL, 'lane ' || n",
    "behind what is under way": f"0, CASE WHEN n %% 4 = 1 THEN {_NOW} + 3000 ELSE 0 END, "
    "CASE WHEN n %% 4 = 1 THEN 'x' END, 'lane ' || (n - 1) / 4",
    "behind what is tried later": f"0, CASE WHEN n %% 4 = 1 THEN {_NOW} + 50 ELSE 0 END, "
    "NULL, 'lane ' || (n - 1) / 4",
}
"""Attempts, due, lease and lane of the rows; `n` is from 1."""

WALKED: Final = {
    f"own, {state}"
    for state in ("of one lane", "behind what is under way", "behind what is tried later")
}
"""A claim walks past rows of its own that wait behind others of their lane, until it parks them."""


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
            f"attempts, due, lease, lane) SELECT false, '', %s, n, '{{}}', {STATES[state]} "
            "FROM generate_series(1, %s) AS n".encode(),
            (_WHOSE[whose], rows),
        )
        self._admin.execute(f"ANALYZE {SCHEMA}.deliveries".encode())
        self._store.add([NewRow(OWN, None, str(at), "{}") for at in range(200)], 10)

    def measure(self, claims: int) -> tuple[float, int]:
        """Return the median of a claim in milliseconds, and the pages that the last one read."""
        taken: list[float] = []
        for _ in range(claims):
            began = time.perf_counter()
            rows = self._claim()
            self._store.next_due([OWN], time.time())
            taken.append(time.perf_counter() - began)
            self._store.finish([LeaseEnd(row, is_begun=False) for row in rows], time.time())
        return 1000 * median(taken), self._pages()

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


def measure_all(url: str, rows: int, claims: int) -> Iterator[tuple[str, float, int]]:
    """Yield each state, with the milliseconds and the pages of a claim beside it."""
    with closing(Claims(url)) as own:
        for whose in _WHOSE:
            for state in STATES:
                own.fill(state, whose, rows)
                yield (f"{whose}, {state}", *own.measure(claims))


def main() -> None:
    """Measure, and fail where a claim takes too long."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=200_000)
    parser.add_argument("--claims", type=int, default=15)
    given = parser.parse_args()
    server = Server()
    late = []
    try:
        for name, milliseconds, pages in measure_all(server.url, given.rows, given.claims):
            print(f"{milliseconds:8.2f} ms {pages:8d} pages  {name}", flush=True)
            late += [name] if milliseconds > MOST_MS and name not in WALKED else []
    finally:
        server.stop()
    if late:
        raise SystemExit(f"more than {MOST_MS:.0f} ms: {'; '.join(late)}")


if __name__ == "__main__":
    main()
