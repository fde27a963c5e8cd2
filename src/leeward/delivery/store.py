"""What waits for its recipient: rows that are leased, finished, tried again, or dead."""

from __future__ import annotations

import json
import os
import sqlite3
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from math import inf, isfinite
from types import MappingProxyType
from typing import Any, Final

from leeward.delivery.policy import Policy
from leeward.delivery.rows import (
    DeadDelivery,
    Delivery,
    Failure,
    LeaseEnd,
    Message,
    Recipient,
    Taken,
)
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


# Every statement lets other threads run, and then waits for its turn, so many rows are few
# statements.
_ADD = "INSERT INTO deliveries (bus, subscriber, lane, idempotency_key, document) VALUES "
_ADDED = "(?, ?, ?, ?, ?)"
ADDED_AT_ONCE = 100
"""Rows of one statement: five values each, of the 999 that every SQLite takes."""

_KNOWN = """NOT dead AND (bus, subscriber) IN (
    SELECT json_extract(value, '$[0]'), json_extract(value, '$[1]') FROM json_each(?))"""

# Texts are read as bytes, and numbers only where they are numbers: a column may hold anything, and
# one text that is not UTF-8 would make the whole query fail. Infinity comes after all numbers, and
# before everything else.
_ROW = """id, CAST(bus AS BLOB), CAST(subscriber AS BLOB), CAST(idempotency_key AS BLOB),
    CAST(document AS BLOB),
    CASE WHEN typeof(attempts) = 'integer' THEN attempts END,
    CASE WHEN typeof(due) IN ('integer', 'real') THEN due END, lease IS NOT NULL"""

# Of each lane only the head may go; it stays the head until it is done or dead. The index gives the
# rows by the time they are due, and of one time by their number, so it is read no farther than
# wanted: new rows (due 0) apart from those that wait for another attempt.
_READY = f"""SELECT {_ROW} FROM deliveries INDEXED BY deliveries_by_due WHERE {_KNOWN} AND %s
        AND (lane IS NULL OR id IN (
            SELECT min(id) FROM deliveries WHERE NOT dead AND lane IS NOT NULL
            GROUP BY bus, subscriber, lane))
    ORDER BY due, id LIMIT ?"""  # noqa: S608 - made of constants
_NEW = _READY % "due <= ?"
_AGAIN = _READY % "due > ? AND (due <= ? OR due > ?) AND lease IS NULL"
_UNHEARD = _READY % "due > ? AND (due <= ? OR due > ?) AND lease IS NOT NULL"

# Only rows that were taken before have a time of their own, so this index finds few.
_NEXT_DUE = f"""SELECT min(due) FROM deliveries INDEXED BY deliveries_by_due
    WHERE {_KNOWN} AND due > ? AND due <= ?"""  # noqa: S608 - made of constants

_WAITING = f"SELECT count(*) FROM deliveries WHERE {_KNOWN}"  # noqa: S608 - made of constants

_TAKE = """UPDATE deliveries SET lease = ?, due = ?, attempts = attempts + ?
    WHERE id IN (SELECT value FROM json_each(?))"""
_COUNT = """UPDATE deliveries SET attempts = ? WHERE id = ? AND lease = ?"""
_BURY = "UPDATE deliveries SET dead = 1, lease = NULL, error = ?, died = ? WHERE id = ?"
_RETURN = "UPDATE deliveries SET lease = NULL, attempts = ?, due = ? WHERE id = ? AND lease = ?"
_DONE = "DELETE FROM deliveries WHERE lease = ? AND id IN (SELECT value FROM json_each(?))"
_RETRY = """UPDATE deliveries SET lease = NULL, attempts = ?, error = ?, due = ?
    WHERE id = ? AND lease = ?"""
_GIVE_UP = """UPDATE deliveries SET lease = NULL, attempts = ?, error = ?, reason = ?, ran = ?,
    died = ?, dead = 1 WHERE id = ? AND lease = ?"""
_FORGET = "DELETE FROM deliveries WHERE bus = ? AND subscriber = ? AND lane = ? AND NOT dead"
_DEAD = f"""SELECT {_ROW}, CAST(error AS BLOB), CAST(reason AS BLOB), CAST(ran AS BLOB),
        CASE WHEN typeof(died) IN ('integer', 'real') THEN died END
    FROM deliveries WHERE dead ORDER BY id"""  # noqa: S608 - made of constants
_REDRIVE = """UPDATE deliveries
    SET dead = 0, attempts = 0, due = 0, error = NULL, reason = NULL, ran = NULL, died = NULL
    WHERE id = ? AND dead"""
_DISCARD = "DELETE FROM deliveries WHERE id = ? AND dead"

_UNSAID: Final[Mapping[Recipient, int]] = MappingProxyType({})
"""No recipient says how many attempts it wants."""


class DeliveryStore:
    """The rows of one database. Every method may raise `DatabaseFault`."""

    def __init__(self, database: Database, policy: Policy) -> None:
        self._database = database
        self.policy = policy

    def add(self, messages: Iterable[Message], timeout: float) -> None:
        """Keep all of `messages`, or none."""
        with self._database.write(timeout) as connection:
            insert(connection, messages)

    def take(
        self,
        known: Iterable[Recipient],
        clock: Callable[[], float],
        limit: int,
        again: int,
        unheard: int = 1,
        *,
        places: int | None = None,
        most: Mapping[Recipient, int] = _UNSAID,
    ) -> Taken:
        """Lease rows for `known` recipients that are due now, or never would be.

        A row that has had its last attempt, or that makes no sense, is given up instead.

        Args:
            known: who can be delivered to here.
            clock: tells the time, in Unix seconds; asked when the database is free, for a lease
                that begins before the wait for it would be short.
            limit: how many at most.
            again: how many of them may have been leased before.
            unheard: how many may be rows whose last lease ended without a word.
            places: how many attempts begin at once; None for all. The others are not counted
                before they begin, save those of unheard rows, which would end processes for ever.
            most: how many attempts at a row a recipient wants made, where it says so.
        """
        taken = Taken([], [])
        names = json.dumps(list(known))
        with self._database.read(PATIENCE) as connection:
            if not self._ready(connection, names, clock(), (1, min(again, 1), unheard)):
                return taken
        lease = os.urandom(16).hex()
        with self._database.write(PATIENCE) as connection:
            now, looks = clock(), True
            while looks:
                before = len(taken.buried)
                free = limit - len(taken.deliveries)
                silent = sum(each.unheard for each in taken.deliveries)
                tried = sum(each.is_tried for each in taken.deliveries) - silent
                # SQLite takes a limit below 0 for no limit.
                room = free, max(0, again - tried), max(0, unheard - silent)
                rows = self._ready(connection, names, now, room)
                at_once = limit if places is None else places - len(taken.deliveries)
                self._take(connection, rows, lease, now, taken, places=at_once, most=most)
                # Behind those that were buried others may be ready.
                looks = len(taken.buried) > before
        return taken._replace(ends=now + self.policy.lease)

    def record(
        self, ended: Iterable[LeaseEnd], now: float, begun: Iterable[Delivery] = ()
    ) -> list[LeaseEnd]:
        """Write down together how leases have ended; return those whose row is given up.

        A row that was handled is forgotten; one whose attempt failed waits for the next, or is
        given up. Attempts that have `begun` are counted. Nothing of that, if the lease has gone to
        another attempt.
        """
        dead: list[LeaseEnd] = []
        done: defaultdict[str, list[int]] = defaultdict(list)
        with self._database.write(PATIENCE) as connection:
            for one in begun:
                connection.execute(_COUNT, (one.attempt, one.id, one.lease))
            for each in ended:
                where = each.delivery.id, each.delivery.lease
                if not each.begun:
                    # That a lease has ended without a word is not forgotten: it may have had one.
                    had = max(each.delivery.attempt - 1, each.delivery.unheard)
                    connection.execute(_RETURN, (had, now if had else 0.0, *where))
                elif each.failure is None:
                    done[each.delivery.lease].append(each.delivery.id)
                elif self._fail(connection, each.delivery, each.failure, now):
                    dead.append(each)
            for lease, ids in done.items():
                connection.execute(_DONE, (lease, json.dumps(ids)))
        return dead

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

    def discard(self, id: int) -> bool:
        """Delete a row that was given up; return whether it was there."""
        with self._database.write(PATIENCE) as connection:
            return connection.execute(_DISCARD, (id,)).rowcount == 1

    def _ready(
        self, connection: sqlite3.Connection, names: str, now: float, room: tuple[int, int, int]
    ) -> list[Sequence[Any]]:
        limit, again, unheard = room
        new = 0.0 if now >= 0 else -inf  # by a clock that tells of times before 1970, none is new
        policy = self.policy
        # What is due later than a right clock could have said is due now.
        leased = names, new, now, now + policy.farthest
        paused = names, new, now, now + policy.longest_retry
        tried = connection.execute(_UNHEARD, (*leased, min(limit, unheard))).fetchall()
        most = min(limit - len(tried), again)
        tried += connection.execute(_AGAIN, (*paused, most)).fetchall()
        return [*tried, *connection.execute(_NEW, (names, new, limit - len(tried))).fetchall()]

    def _fail(
        self, connection: sqlite3.Connection, delivery: Delivery, failure: Failure, now: float
    ) -> bool:
        """Let a row wait for its next attempt, or give it up; return whether it was given up."""
        due = self.policy.due_after_failure(delivery.attempt, now, again=failure.again)
        told, where = (delivery.attempt, _error_text(failure)), (delivery.id, delivery.lease)
        if due is None:
            given_up = *told, failure.reason, failure.ran, now
            return connection.execute(_GIVE_UP, (*given_up, *where)).rowcount == 1
        connection.execute(_RETRY, (*told, due, *where))
        return False

    def _take(
        self,
        connection: sqlite3.Connection,
        rows: Iterable[Sequence[Any]],
        lease: str,
        now: float,
        taken: Taken,
        *,
        places: int,
        most: Mapping[Recipient, int],
    ) -> None:
        """Lease rows that are due, or bury them; count the attempts that begin at once."""
        leased: list[Delivery] = []
        for row in rows:
            try:
                due, is_leased = row[-2:]
                delivery = _delivery(row, lease)
                had, limit = delivery.attempt - 1, most.get(delivery.recipient, 0)
                is_spent = is_leased and self.policy.is_spent(had, due, limit)
                error = LEASE_EXPIRED if is_spent else None
            except ValueError:
                error = UNREADABLE
            if error is None:
                counted = delivery.unheard or len(leased) < places
                leased.append(delivery._replace(counted=counted))
            else:
                connection.execute(_BURY, (error, now, row[0]))
                taken.buried.append(_dead(row, Failure(error), now))
        for counted in (False, True):
            ids = json.dumps([each.id for each in leased if each.counted == counted])
            connection.execute(_TAKE, (lease, now + self.policy.lease, counted, ids))
        taken.deliveries.extend(leased)


def forget(connection: sqlite3.Connection, recipient: Recipient, lane: str) -> None:
    """Remove the rows of one lane that are not given up, in the transaction of the connection."""
    connection.execute(_FORGET, (*recipient, lane))


def insert(connection: sqlite3.Connection, messages: Iterable[Message]) -> None:
    """Insert the rows of messages, in the transaction of the connection."""
    rows = [(*each.recipient, each.lane, each.idempotency_key, each.document) for each in messages]
    for at in range(0, len(rows), ADDED_AT_ONCE):
        some = rows[at : at + ADDED_AT_ONCE]
        values = [value for row in some for value in row]
        connection.execute(_ADD + ", ".join([_ADDED] * len(some)), values)


def _delivery(row: Sequence[Any], lease: str) -> Delivery:
    """Read a row that is due, for its next attempt.

    Raises:
        ValueError: a column holds what leeward never writes there.
    """
    id, bus, subscriber, key, document, attempts, due, is_leased = row
    if attempts is None or not 0 <= attempts < 2**31 or due is None or not isfinite(due):
        raise ValueError("attempts or due is not such a number")
    recipient = Recipient(bus.decode(), subscriber.decode())
    return Delivery(
        id, recipient, key.decode(), document.decode(), attempts + 1, lease, bool(is_leased)
    )


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
