"""Settlements: what keeps a write from taking place once somebody has settled it.

A write looks for a verdict on itself in its own transaction. Whoever settles it looks in one
transaction whether it took place, and keeps the verdict. One of the two comes first. A write that
took place is seen at its item or object, or among those that triggers keep when another one comes:
see `leeward.local.schema.SETTLEMENTS`.
"""

from __future__ import annotations

import sqlite3
from typing import Any, Final

from leeward._sqlite.database import Database
from leeward.calls import Result, SettleWrite
from leeward.clock import Clock
from leeward.entropy import time_of_id
from leeward.errors import Outcome
from leeward.local.schema import key_text
from leeward.values.settled import Settled, Verdict

KEPT_SECONDS: Final = 31 * 86_400.0
"""Of a verdict: longer than any request of a client may take."""

LATE_WRITE: Final = Result[Any](
    Outcome.CONFLICT, message="the write was settled before it came", reason="settled"
)
"""The result of a write that comes after it was settled: it has no effect, now or later."""

KEPT_WRITES: Final = 100_000
"""Ids of writes that took place and can be seen nowhere else: about 5 MB."""

_VERDICT: Final = "SELECT ran FROM settlements WHERE id = ?"
_KEEP_VERDICT: Final = "INSERT INTO settlements VALUES (?, ?, ?)"
_PRUNE: Final = "DELETE FROM settlements WHERE time < ?"
_KEEP: Final = "INSERT INTO writes (id) VALUES (?)"
_TRACE: Final = """SELECT 1 FROM items WHERE name = ? AND key = ? AND revision = ?
    UNION ALL SELECT 1 FROM objects WHERE bucket = ? AND name = ? AND write_id = ?
    UNION ALL SELECT 1 FROM writes WHERE id = ? LIMIT 1"""
_FLOOR: Final = "SELECT id FROM writes WHERE number = 0"
_LAST: Final = "SELECT max(number) FROM writes"
_RAISE_FLOOR: Final = """UPDATE writes SET id = max('0', (
        SELECT max(id) FROM writes
        WHERE number <= ? AND (number = 0 OR id GLOB '????????-????-7*')
    )) WHERE number = 0"""
_PRUNE_WRITES: Final = "DELETE FROM writes WHERE number > 0 AND number <= ?"


class Settlements:
    """Settles writes."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    def settle(self, call: SettleWrite, timeout: float) -> Result[Settled]:
        """Return what became of a write, and keep it from taking place from now on.

        Raises:
            DatabaseFault: the database could not do it.
        """
        write, now = call.write, self._clock.now()
        id: str = write.write_id
        if not id:
            return Result.ok(Settled(Verdict.UNKNOWN, reason="no_write_id"))
        with self._database.write(timeout) as connection:
            verdict = connection.execute(_VERDICT, (id,)).fetchone()
            ran = _has_run(connection, write) if verdict is None else verdict[0]
            if verdict is None:
                connection.execute(_KEEP_VERDICT, (id, ran, now))
                connection.execute(_PRUNE, (now - KEPT_SECONDS,))
        if ran is None:
            return Result.ok(Settled(Verdict.UNKNOWN, reason="expired"))
        if not ran:
            return Result.ok(Settled(Verdict.NOT_RUN, reason="voided"))
        has_revision = write.verb in ("store", "put_object")
        return Result.ok(Settled(Verdict.RAN, id if has_revision else None, reason="write_id"))


def is_settled(connection: sqlite3.Connection, id: str) -> bool:
    """Return whether a write was settled before, inside its own transaction."""
    return connection.execute(_VERDICT, (id,)).fetchone() is not None


def keep_write(connection: sqlite3.Connection, id: str) -> None:
    """Keep the id of a write that leaves nothing where it could be seen: a deletion."""
    if id:
        connection.execute(_KEEP, (id,))
    if is_time_to_prune(id):
        prune_writes(connection)


def is_time_to_prune(id: str) -> bool:
    """Return whether the write of this id is to prune what is kept: one of 4096 is."""
    return id[-3:] == "000"


def prune_writes(connection: sqlite3.Connection) -> None:
    """Prune the ids of writes but for the latest, and keep the greatest id that goes.

    Only ids of leeward's own clients are in order: another program's may be greater than all.
    """
    (last,) = connection.execute(_LAST).fetchone()
    if last > KEPT_WRITES:
        connection.execute(_RAISE_FLOOR, (last - KEPT_WRITES,))
        connection.execute(_PRUNE_WRITES, (last - KEPT_WRITES,))


def _has_run(connection: sqlite3.Connection, write: Any) -> bool | None:
    """Return whether a write took place; None if its id may have been kept, and pruned since."""
    name = key_text(write.key) if write.verb in ("store", "delete") else write.name
    one = (write[0], name, write.write_id)
    if connection.execute(_TRACE, (*one, *one, write.write_id)).fetchone() is not None:
        return True
    floor = connection.execute(_FLOOR).fetchone()
    if floor == ("",):
        return False
    is_younger = floor is not None and floor[0] < write.write_id
    return False if is_younger and time_of_id(write.write_id) is not None else None
