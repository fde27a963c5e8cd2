"""Transactions of many threads in one: an fsync costs more than everything else in it."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from threading import TIMEOUT_MAX
from time import monotonic
from typing import Final, TypeAlias, TypeVar

from leeward._sqlite.database import Database
from leeward.errors import Outcome, is_from_signal
from leeward.leases.batches import Batches, Change
from leeward.leases.faults import DatabaseFault
from leeward.records import NamedTuple

T = TypeVar("T")
Write: TypeAlias = Callable[[sqlite3.Connection], object]


class Commits(Batches[Write]):
    """Applies changes to a database, for many threads."""

    def __init__(self, database: Database, patience: float) -> None:
        super().__init__()
        self._database = database
        self._patience = patience

    def apply(self, change: Callable[[sqlite3.Connection], T]) -> T:
        """Make a change; return its result, once it is on the disk, or raise `DatabaseFault`."""
        result: T = self.make(change)
        return result

    def write(self, changes: list[Change[Write]]) -> None:
        """Make all changes in one transaction."""
        with self._database.write(self._patience) as connection:
            for change in changes:
                change.result = change.what(connection)


class _TimedWrite(NamedTuple):
    """A change, and until when on the monotonic clock its caller waits."""

    make: Write
    until: float


_UNDONE: Final = object()  # stands for the results of a transaction that has written nothing


class SharedWrites(Batches[_TimedWrite]):
    """Makes changes, each within its caller's time; those of threads that wait go together.

    One that fails takes no other with it: what they shared is rolled back, and each thread makes
    its own. Where the end of a shared transaction fails, all of it may be on the disk.
    """

    def __init__(self, database: Database) -> None:
        super().__init__()
        self._database = database

    def apply(self, change: Callable[[sqlite3.Connection], T], timeout: float) -> T:
        """Make a change; return its result, once it is on the disk. It may be made twice.

        It raises what `Database.write` does.
        """
        until = monotonic() + timeout
        result: T = self.make(_TimedWrite(change, until), max(0.0, min(timeout, TIMEOUT_MAX)))
        if result is not _UNDONE:
            return result
        with self._database.write(until - monotonic()) as connection:
            return change(connection)

    def write(self, changes: list[Change[_TimedWrite]]) -> None:
        """Make all changes in one transaction, in the time of who has the least."""
        until = min(change.what.until for change in changes)
        try:
            with self._database.write(until - monotonic()) as connection:
                for change in changes:
                    change.result = change.what.make(connection)
        except Exception as error:
            is_open = isinstance(error, DatabaseFault) and error.outcome is Outcome.AMBIGUOUS
            if is_open or len(changes) == 1 or is_from_signal(error):
                raise
            for change in changes:
                change.result = _UNDONE
