"""What waits for its recipient: rows that are leased, finished, tried again, or dead."""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from leeward.delivery.policy import Policy
from leeward.sqlite.database import Database

PATIENCE = 10.0
"""Seconds to wait for the database; no caller waits on these steps."""

STATEMENTS = (
    """CREATE TABLE deliveries (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        bus TEXT NOT NULL,           -- empty for a queued call of a function
        subscriber TEXT NOT NULL,    -- name of the subscription or function
        lane TEXT,                   -- the ordering key
        idempotency_key TEXT NOT NULL,
        document TEXT NOT NULL,      -- a CloudEvent, or the payload
        attempts INTEGER NOT NULL DEFAULT 0,
        due REAL NOT NULL DEFAULT 0, -- Unix seconds: not before; while leased, the lease's end
        lease TEXT,                  -- of the attempt under way
        error TEXT,                  -- class name of the last exception
        dead INTEGER NOT NULL DEFAULT 0
    )""",
    """CREATE INDEX deliveries_by_lane ON deliveries (bus, subscriber, lane, id, due)
        WHERE NOT dead""",
    "CREATE INDEX deliveries_by_due ON deliveries (due) WHERE NOT dead",
)
"""Part of the schema of whatever database the rows are kept in."""

LEASE_EXPIRED = "LeaseExpired"
"""In the place of an exception's class: the last attempt has ended without a word."""


class Recipient(NamedTuple):
    """Who gets a row: a subscriber of a bus. Whoever has no buses uses one name for all."""

    bus: str
    subscriber: str


class Message(NamedTuple):
    """What is to be delivered; those of one `lane` one after the other."""

    recipient: Recipient
    lane: str | None
    idempotency_key: str
    document: str


class Delivery(NamedTuple):
    """A row that is leased for one attempt; 1 is the first."""

    id: int
    recipient: Recipient
    idempotency_key: str
    document: str
    attempt: int
    lease: str


class DeadDelivery(NamedTuple):
    """A row that is given up."""

    recipient: Recipient
    document: str
    attempts: int
    error: str


_ADD = """INSERT INTO deliveries (bus, subscriber, lane, idempotency_key, document)
    VALUES (?, ?, ?, ?, ?)"""

_KNOWN = """NOT dead AND (bus, subscriber) IN (
    SELECT json_extract(value, '$[0]'), json_extract(value, '$[1]') FROM json_each(?))"""

# Of each lane only the head may go; it stays the head until it is done or dead.
_READY = f"""SELECT id, bus, subscriber, idempotency_key, document, attempts, due
    FROM deliveries WHERE id IN (
        SELECT id FROM deliveries WHERE {_KNOWN} AND due <= ? AND (lane IS NULL OR id IN (
            SELECT min(id) FROM deliveries WHERE NOT dead AND lane IS NOT NULL
            GROUP BY bus, subscriber, lane))
        ORDER BY id LIMIT ?)
    ORDER BY id"""  # noqa: S608 - made of constants

# Only rows that were taken before have a time of their own, so this index finds few.
_NEXT_DUE = f"""SELECT min(due) FROM deliveries INDEXED BY deliveries_by_due
    WHERE {_KNOWN} AND due > ?"""  # noqa: S608 - made of constants

_WAITING = f"SELECT count(*) FROM deliveries WHERE {_KNOWN}"  # noqa: S608 - made of constants

_TAKE = "UPDATE deliveries SET lease = ?, due = ?, attempts = ? WHERE id = ?"
_BURY = "UPDATE deliveries SET dead = 1, lease = NULL, error = ? WHERE id = ?"
_DONE = "DELETE FROM deliveries WHERE id = ? AND lease = ?"
_RETRY = """UPDATE deliveries SET lease = NULL, error = ?, due = ? WHERE id = ? AND lease = ?"""
_GIVE_UP = "UPDATE deliveries SET lease = NULL, error = ?, dead = 1 WHERE id = ? AND lease = ?"
_DEAD = "SELECT bus, subscriber, document, attempts, error FROM deliveries WHERE dead ORDER BY id"


class DeliveryStore:
    """The rows of one database. Every method may raise `DatabaseFault`."""

    def __init__(self, database: Database, policy: Policy) -> None:
        self._database = database
        self.policy = policy

    def add(self, messages: Iterable[Message], timeout: float) -> None:
        """Keep all of `messages`, or none."""
        rows = [
            (*each.recipient, each.lane, each.idempotency_key, each.document) for each in messages
        ]
        with self._database.write(timeout) as connection:
            connection.executemany(_ADD, rows)

    def take(self, known: Iterable[Recipient], now: float, limit: int) -> list[Delivery]:
        """Lease up to `limit` rows for `known` recipients that are due at `now`."""
        recipients = json.dumps(list(known))
        with self._database.read(PATIENCE) as connection:
            if not connection.execute(_READY, (recipients, now, 1)).fetchall():
                return []
        taken: list[Delivery] = []
        with self._database.write(PATIENCE) as connection:
            while len(taken) < limit:
                # None of the rows is ready any more afterwards, and others may be then.
                rows = connection.execute(_READY, (recipients, now, limit - len(taken))).fetchall()
                if not rows:
                    break
                for row in rows:
                    taken += self._leased(connection, row, now)
        return taken

    def finish(self, delivery: Delivery) -> None:
        """Forget a row that was handled, unless its lease has gone to another attempt."""
        with self._database.write(PATIENCE) as connection:
            connection.execute(_DONE, (delivery.id, delivery.lease))

    def fail(self, delivery: Delivery, error: str, now: float) -> None:
        """Let a row wait for its next attempt, or give it up."""
        due = self.policy.due_after_failure(delivery.attempt, now)
        where = (delivery.id, delivery.lease)
        with self._database.write(PATIENCE) as connection:
            if due is None:
                connection.execute(_GIVE_UP, (error, *where))
            else:
                connection.execute(_RETRY, (error, due, *where))

    def next_due(self, known: Iterable[Recipient], now: float) -> float | None:
        """Return the earliest time after `now` at which a row for `known` is due."""
        with self._database.read(PATIENCE) as connection:
            rows = connection.execute(_NEXT_DUE, (json.dumps(list(known)), now)).fetchall()
        due: float | None = rows[0][0]
        return due

    def waiting(self, known: Iterable[Recipient]) -> int:
        """Count the rows for `known` that are neither done nor dead."""
        with self._database.read(PATIENCE) as connection:
            rows = connection.execute(_WAITING, (json.dumps(list(known)),)).fetchall()
        return int(rows[0][0])

    def dead(self) -> list[DeadDelivery]:
        """Return the rows that are given up, oldest first."""
        with self._database.read(PATIENCE) as connection:
            rows = connection.execute(_DEAD).fetchall()
        return [DeadDelivery(Recipient(row[0], row[1]), *row[2:]) for row in rows]

    def _leased(
        self, connection: sqlite3.Connection, row: Sequence[Any], now: float
    ) -> list[Delivery]:
        """Lease one row that is due, or bury it."""
        id, bus, subscriber, key, document, attempts, due = row
        if self.policy.is_spent(attempts, due):
            connection.execute(_BURY, (LEASE_EXPIRED, id))
            return []
        lease = os.urandom(16).hex()
        connection.execute(_TAKE, (lease, now + self.policy.lease, attempts + 1, id))
        recipient = Recipient(bus, subscriber)
        return [Delivery(id, recipient, key, document, attempts + 1, lease)]
