"""What waits for its recipient: rows that are leased, finished, tried again, or dead."""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Iterable, Sequence
from math import isfinite
from typing import Any, NamedTuple

from leeward.delivery.policy import Policy
from leeward.masking import masked
from leeward.sqlite.database import Database

PATIENCE = 10.0
"""Seconds to wait for the database; no caller waits on these steps."""

LONGEST_ERROR = 2000
"""Characters of what is kept of an exception."""

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
        error TEXT,                  -- class of the last exception; after ": ", its text
        dead INTEGER NOT NULL DEFAULT 0,
        reason TEXT,                 -- of a dead one: the failure's own word
        ran TEXT,                    -- no, maybe or yes: whether an attempt has had an effect
        died REAL                    -- Unix seconds: when it was given up
    )""",
    """CREATE INDEX deliveries_by_lane ON deliveries (bus, subscriber, lane, id, due)
        WHERE NOT dead""",
    "CREATE INDEX deliveries_by_due ON deliveries (due) WHERE NOT dead",
)
"""Part of the schema of whatever database the rows are kept in."""

CHANGES = tuple(
    f"ALTER TABLE deliveries ADD COLUMN {each}" for each in ("reason TEXT", "ran TEXT", "died REAL")
)
"""What makes the rows of the first layout those of this one."""

LEASE_EXPIRED = "LeaseExpired"
"""In the place of an exception's class: the last attempt has ended without a word."""
UNREADABLE = "UnreadableRow"
"""The same: another program has written what no row of leeward's holds, or the file is damaged."""


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

    def __repr__(self) -> str:
        return masked(self, "recipient idempotency_key")


class Delivery(NamedTuple):
    """A row that is leased for one attempt; 1 is the first."""

    id: int
    recipient: Recipient
    idempotency_key: str
    document: str
    attempt: int
    lease: str

    def __repr__(self) -> str:
        return masked(self, "id recipient idempotency_key attempt")


class Failure(NamedTuple):
    """Why an attempt failed: the exception's class, and its text, if there is one.

    Attributes:
        again: whether there is another attempt; None where the policy decides.
        reason: the failure's own word, or None.
        ran: ``no``, ``maybe`` or ``yes``: whether an attempt has had an effect.
    """

    error: str
    message: str | None = None
    again: bool | None = None
    reason: str | None = None
    ran: str = "maybe"

    def __repr__(self) -> str:
        return masked(self, "error")


class DeadDelivery(NamedTuple):
    """A row that is given up; `attempt` is the last one, `died` in Unix seconds, if it is known."""

    id: int
    recipient: Recipient
    document: str
    attempt: int
    failure: Failure
    died: float | None = None

    def __repr__(self) -> str:
        return masked(self, "id recipient attempt failure")


class Taken(NamedTuple):
    """What is to be delivered now, and what was given up instead."""

    deliveries: list[Delivery]
    buried: list[DeadDelivery]


_ADD = """INSERT INTO deliveries (bus, subscriber, lane, idempotency_key, document)
    VALUES (?, ?, ?, ?, ?)"""

_KNOWN = """NOT dead AND (bus, subscriber) IN (
    SELECT json_extract(value, '$[0]'), json_extract(value, '$[1]') FROM json_each(?))"""

# Texts are read as bytes, and numbers only where they are numbers: a column may hold anything, and
# one text that is not UTF-8 would make the whole query fail. Infinity comes after all numbers, and
# before everything else.
_ROW = """id, CAST(bus AS BLOB), CAST(subscriber AS BLOB), CAST(idempotency_key AS BLOB),
    CAST(document AS BLOB),
    CASE WHEN typeof(attempts) = 'integer' THEN attempts END,
    CASE WHEN typeof(due) IN ('integer', 'real') THEN due END, lease IS NOT NULL"""

# Of each lane only the head may go; it stays the head until it is done or dead.
_READY = f"""SELECT {_ROW} FROM deliveries WHERE id IN (
        SELECT id FROM deliveries WHERE {_KNOWN} AND (due <= ? OR due > ?)
            AND (lane IS NULL OR id IN (
                SELECT min(id) FROM deliveries WHERE NOT dead AND lane IS NOT NULL
                GROUP BY bus, subscriber, lane))
        ORDER BY id LIMIT ?)
    ORDER BY id"""  # noqa: S608 - made of constants

# Only rows that were taken before have a time of their own, so this index finds few.
_NEXT_DUE = f"""SELECT min(due) FROM deliveries INDEXED BY deliveries_by_due
    WHERE {_KNOWN} AND due > ? AND due <= ?"""  # noqa: S608 - made of constants

_WAITING = f"SELECT count(*) FROM deliveries WHERE {_KNOWN}"  # noqa: S608 - made of constants

_TAKE = "UPDATE deliveries SET lease = ?, due = ?, attempts = ? WHERE id = ?"
_BURY = "UPDATE deliveries SET dead = 1, lease = NULL, error = ?, died = ? WHERE id = ?"
_DONE = "DELETE FROM deliveries WHERE id = ? AND lease = ?"
_RETRY = """UPDATE deliveries SET lease = NULL, error = ?, due = ? WHERE id = ? AND lease = ?"""
_GIVE_UP = """UPDATE deliveries SET lease = NULL, error = ?, reason = ?, ran = ?, died = ?, dead = 1
    WHERE id = ? AND lease = ?"""
_DEAD = f"""SELECT {_ROW}, CAST(error AS BLOB), CAST(reason AS BLOB), CAST(ran AS BLOB),
        CASE WHEN typeof(died) IN ('integer', 'real') THEN died END
    FROM deliveries WHERE dead ORDER BY id"""  # noqa: S608 - made of constants
_REDRIVE = """UPDATE deliveries
    SET dead = 0, attempts = 0, due = 0, error = NULL, reason = NULL, ran = NULL, died = NULL
    WHERE id = ? AND dead"""


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

    def take(self, known: Iterable[Recipient], now: float, limit: int) -> Taken:
        """Lease up to `limit` rows for `known` recipients that are due at `now`, or never would be.

        A row that has had its last attempt, or that makes no sense, is given up instead.
        """
        taken = Taken([], [])
        due = json.dumps(list(known)), now, now + self.policy.farthest
        with self._database.read(PATIENCE) as connection:
            if not connection.execute(_READY, (*due, 1)).fetchall():
                return taken
        with self._database.write(PATIENCE) as connection:
            looks = True
            while looks:
                before = len(taken.buried)
                free = limit - len(taken.deliveries)
                for row in connection.execute(_READY, (*due, free)).fetchall():
                    self._take(connection, row, now, taken)
                # Behind those that were buried others may be ready.
                looks = len(taken.buried) > before
        return taken

    def finish(self, delivery: Delivery) -> None:
        """Forget a row that was handled, unless its lease has gone to another attempt."""
        with self._database.write(PATIENCE) as connection:
            connection.execute(_DONE, (delivery.id, delivery.lease))

    def fail(self, delivery: Delivery, failure: Failure, now: float) -> bool:
        """Let a row wait for its next attempt, or give it up; return whether it was given up.

        Neither, if its lease has gone to another attempt.
        """
        due = self.policy.due_after_failure(delivery.attempt, now, again=failure.again)
        told, where = _error_text(failure), (delivery.id, delivery.lease)
        with self._database.write(PATIENCE) as connection:
            if due is None:
                given_up = told, failure.reason, failure.ran, now
                return connection.execute(_GIVE_UP, (*given_up, *where)).rowcount == 1
            connection.execute(_RETRY, (told, due, *where))
        return False

    def next_due(self, known: Iterable[Recipient], now: float) -> float | None:
        """Return the earliest time after `now` at which a row for `known` is due."""
        with self._database.read(PATIENCE) as connection:
            last = now + self.policy.farthest
            rows = connection.execute(_NEXT_DUE, (json.dumps(list(known)), now, last)).fetchall()
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
        return [_dead(row, _failure(*row[-4:-1]), row[-1]) for row in rows]

    def redrive(self, id: int) -> bool:
        """Let a row that was given up be due again, as if it were new; return whether it was."""
        with self._database.write(PATIENCE) as connection:
            return connection.execute(_REDRIVE, (id,)).rowcount == 1

    def _take(
        self, connection: sqlite3.Connection, row: Sequence[Any], now: float, taken: Taken
    ) -> None:
        """Lease one row that is due, or bury it."""
        try:
            delivery = _delivery(row)
            due, is_leased = row[-2:]
            is_spent = is_leased and self.policy.is_spent(delivery.attempt - 1, due)
            error = LEASE_EXPIRED if is_spent else None
        except ValueError:
            error = UNREADABLE
        if error is None:
            lease = delivery.lease, now + self.policy.lease, delivery.attempt
            connection.execute(_TAKE, (*lease, delivery.id))
            taken.deliveries.append(delivery)
        else:
            connection.execute(_BURY, (error, now, row[0]))
            taken.buried.append(_dead(row, Failure(error), now))


def _delivery(row: Sequence[Any]) -> Delivery:
    """Read a row that is due, for its next attempt.

    Raises:
        ValueError: a column holds what leeward never writes there.
    """
    id, bus, subscriber, key, document, attempts, due, _ = row
    if attempts is None or not 0 <= attempts < 2**31 or due is None or not isfinite(due):
        raise ValueError("attempts or due is not such a number")
    recipient = Recipient(bus.decode(), subscriber.decode())
    lease = os.urandom(16).hex()
    return Delivery(id, recipient, key.decode(), document.decode(), attempts + 1, lease)


def _dead(row: Sequence[Any], failure: Failure, died: float | None) -> DeadDelivery:
    id, bus, subscriber, _, document, attempts = row[:6]
    recipient = Recipient(_readable(bus), _readable(subscriber))
    return DeadDelivery(id, recipient, _readable(document), attempts or 0, failure, died)


def _error_text(failure: Failure) -> str:
    """Write a failure as the last line of a traceback; what UTF-8 cannot hold becomes ``?``."""
    text = f"{failure.error}: {failure.message}" if failure.message else failure.error
    return text[:LONGEST_ERROR].encode(errors="replace").decode()


def _failure(text: bytes | None, reason: bytes | None, ran: bytes | None) -> Failure:
    """Read what `_error_text` wrote, or another program; what that says of effects counts not."""
    error, _, message = _readable(text or b"").partition(": ")
    known = ran.decode() if ran in (b"no", b"yes") else "maybe"
    return Failure(error, message or None, None, _readable(reason) if reason else None, known)


def _readable(text: bytes) -> str:
    return text.decode(errors="replace")
