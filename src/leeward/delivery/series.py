"""Messages that belong to moments: for each moment of a series one is kept, whoever comes first.

Several processes on one file may find that a schedule is due, and one that was killed may find it
again. The last moment of each series is written in the same transaction as its message.

In other series the order is what counts: each message gets a moment behind that of the last one,
whatever has become of the clock.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable
from typing import Final

from leeward.delivery.rows import Message
from leeward.delivery.store import insert
from leeward.sqlite.database import Database

STATEMENT: Final = """CREATE TABLE series (
    name TEXT PRIMARY KEY,       -- of the schedule
    last REAL NOT NULL           -- Unix seconds: the last moment for which a message was kept
) WITHOUT ROWID"""
"""Part of the schema of whatever database the rows are kept in."""

FARTHEST: Final = 3600.0
"""Seconds ahead of the time that a last moment may be: clocks differ."""

_BEGIN: Final = "INSERT OR IGNORE INTO series VALUES (?, ?)"
_ADVANCE: Final = "UPDATE series SET last = ? WHERE name = ? AND (last < ? OR last > ?)"
_FORGET: Final = "UPDATE series SET last = ? WHERE name = ? AND last > ?"
_PUT: Final = "INSERT OR REPLACE INTO series VALUES (?, ?)"
_LAST: Final = "SELECT last FROM series WHERE name = ?"


class Series:
    """The series of one database. Every method may raise `DatabaseFault`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, name: str, moment: float, message: Message, timeout: float, now: float) -> bool:
        """Keep a message, unless one is kept for this moment or a later one; return whether.

        A last moment that is far ahead of `now` was written by a clock that was wrong, and counts
        for nothing.
        """
        with self._database.write(timeout) as connection:
            new = connection.execute(_BEGIN, (name, moment)).rowcount == 1
            later = moment, name, moment, now + FARTHEST
            if not new and not connection.execute(_ADVANCE, later).rowcount:
                return False
            insert(connection, [message])
        return True

    def begin(self, name: str, moment: float, timeout: float) -> float:
        """Return the last moment of a series; one that is new begins with this moment.

        So does one whose last moment was written by a clock that was wrong.
        """
        with self._database.write(timeout) as connection:
            connection.execute(_BEGIN, (name, moment))
            connection.execute(_FORGET, (moment, name, moment + FARTHEST))
            row = connection.execute(_LAST, (name,)).fetchone()
        return float(row[0])


def add_behind(
    connection: sqlite3.Connection,
    name: str,
    moment: int,
    make: Callable[[int], Iterable[Message]],
) -> None:
    """Keep messages for a moment; for one behind the last one of the series if it is not.

    Args:
        connection: in a transaction, whose part this is.
        name: of the series.
        moment: in whatever unit the series has.
        make: returns the messages of the moment that it turns out to be.
    """
    row = connection.execute(_LAST, (name,)).fetchone()
    own = moment if row is None else max(moment, int(row[0]) + 1)
    connection.execute(_PUT, (name, own))
    insert(connection, make(own))
