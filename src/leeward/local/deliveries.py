"""What waits for a subscriber: rows that are leased, finished, tried again, or dead.

A row is delivered at least once. Whoever takes it holds a lease; when that ends without a word,
because the process died or the handler hangs, the row is free again.
"""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from leeward.local.database import Database

MAX_ATTEMPTS = 5
FIRST_RETRY = 0.05
"""Seconds before the second attempt; doubled before each one after it."""
LEASE = 30.0
"""Seconds that an attempt may take before the row is free again."""
PATIENCE = 10.0
"""Seconds to wait for the database; no caller waits on these steps."""

QUEUED_CALL = ""
"""Stands in the place of the bus for a queued call of a function."""


class Address(NamedTuple):
    """Who gets a row: a subscription of a bus, or a function (`QUEUED_CALL`)."""

    bus: str
    subscriber: str


class Posting(NamedTuple):
    """A row to be."""

    address: Address
    lane: str | None
    idempotency_key: str
    document: str


class Delivery(NamedTuple):
    """A row that is leased for one attempt."""

    id: int
    address: Address
    idempotency_key: str
    document: str
    attempt: int
    lease: str


class Dead(NamedTuple):
    """A row that is given up."""

    address: Address
    document: str
    attempts: int
    error: str


_ADD = """INSERT INTO deliveries (bus, subscriber, lane, idempotency_key, document)
    VALUES (?, ?, ?, ?, ?)"""

_KNOWN = """NOT dead AND (bus, subscriber) IN (
    SELECT json_extract(value, '$[0]'), json_extract(value, '$[1]') FROM json_each(?))"""

# Of each lane only the head may go; it stays the head until it is done or dead.
_READY = f"""SELECT id, bus, subscriber, idempotency_key, document, attempts
    FROM deliveries WHERE id IN (
        SELECT id FROM deliveries WHERE {_KNOWN} AND due <= ? AND (lane IS NULL OR id IN (
            SELECT min(id) FROM deliveries WHERE NOT dead AND lane IS NOT NULL
            GROUP BY bus, subscriber, lane))
        ORDER BY id LIMIT ?)
    ORDER BY id"""  # noqa: S608 - made of constants

# Only rows that were taken before have a time of their own, so this index finds few.
_NEXT_DUE = f"""SELECT min(due) FROM deliveries INDEXED BY deliveries_by_due
    WHERE {_KNOWN} AND due > ?"""  # noqa: S608 - made of constants

# A last attempt that ended without a word.
_BURY = f"""UPDATE deliveries INDEXED BY deliveries_by_due
    SET dead = 1, lease = NULL, error = 'LeaseExpired'
    WHERE {_KNOWN} AND due > 0 AND due <= ? AND attempts >= ?"""  # noqa: S608 - made of constants

_WAITING = f"SELECT count(*) FROM deliveries WHERE {_KNOWN}"  # noqa: S608 - made of constants

_TAKE = "UPDATE deliveries SET lease = ?, due = ?, attempts = attempts + 1 WHERE id = ?"
_DONE = "DELETE FROM deliveries WHERE id = ? AND lease = ?"
_FAILED = """UPDATE deliveries SET lease = NULL, error = ?, due = ?, dead = ?
    WHERE id = ? AND lease = ?"""
_DEAD = "SELECT bus, subscriber, document, attempts, error FROM deliveries WHERE dead ORDER BY id"


class Deliveries:
    """The rows of one database. Everything may raise `DatabaseFault`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, postings: Iterable[Posting], timeout: float) -> None:
        """Keep all of `postings`, or none."""
        rows = [
            (*each.address, each.lane, each.idempotency_key, each.document) for each in postings
        ]
        with self._database.write(timeout) as connection:
            connection.executemany(_ADD, rows)

    def take(self, known: Iterable[Address], now: float, limit: int) -> list[Delivery]:
        """Lease up to `limit` rows for `known` addresses that are due at `now`."""
        addresses = json.dumps(list(known))
        with self._database.read(PATIENCE) as connection:
            if not connection.execute(_READY, (addresses, now, 1)).fetchall():
                return []
        with self._database.write(PATIENCE) as connection:
            connection.execute(_BURY, (addresses, now, MAX_ATTEMPTS))
            rows = connection.execute(_READY, (addresses, now, limit)).fetchall()
            return [_take(connection, row, now) for row in rows]

    def finish(self, delivery: Delivery) -> None:
        """Forget a row that was handled, unless its lease has gone to another attempt."""
        with self._database.write(PATIENCE) as connection:
            connection.execute(_DONE, (delivery.id, delivery.lease))

    def fail(self, delivery: Delivery, error: str, now: float) -> None:
        """Let a row wait for its next attempt, or give it up after `MAX_ATTEMPTS`."""
        due = now + FIRST_RETRY * 2 ** (delivery.attempt - 1)
        dead = delivery.attempt >= MAX_ATTEMPTS
        with self._database.write(PATIENCE) as connection:
            connection.execute(_FAILED, (error, due, dead, delivery.id, delivery.lease))

    def next_due(self, known: Iterable[Address], now: float) -> float | None:
        """Return the earliest time after `now` at which a row for `known` is due."""
        with self._database.read(PATIENCE) as connection:
            rows = connection.execute(_NEXT_DUE, (json.dumps(list(known)), now)).fetchall()
        due: float | None = rows[0][0]
        return due

    def waiting(self, known: Iterable[Address]) -> int:
        """Count the rows for `known` that are neither done nor dead."""
        with self._database.read(PATIENCE) as connection:
            rows = connection.execute(_WAITING, (json.dumps(list(known)),)).fetchall()
        return int(rows[0][0])

    def dead(self) -> list[Dead]:
        """Return the rows that are given up, oldest first."""
        with self._database.read(PATIENCE) as connection:
            rows = connection.execute(_DEAD).fetchall()
        return [Dead(Address(row[0], row[1]), *row[2:]) for row in rows]


def _take(connection: sqlite3.Connection, row: Sequence[Any], now: float) -> Delivery:
    lease = os.urandom(16).hex()
    connection.execute(_TAKE, (lease, now + LEASE, row[0]))
    return Delivery(
        id=row[0],
        address=Address(row[1], row[2]),
        idempotency_key=row[3],
        document=row[4],
        attempt=row[5] + 1,
        lease=lease,
    )
