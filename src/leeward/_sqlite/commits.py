"""Transactions of many threads in one: an fsync costs more than everything else in it."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from typing import TypeAlias, TypeVar

from leeward._sqlite.database import Database
from leeward.leases.batches import Batches, Change

T = TypeVar("T")
Write: TypeAlias = Callable[[sqlite3.Connection], object]


class Commits(Batches[Write]):
    """Applies changes to a database, for many threads.

    Args:
        database: of the changes.
        patience: seconds to wait for it.
    """

    def __init__(self, database: Database, patience: float) -> None:
        super().__init__()
        self._database = database
        self._patience = patience

    def apply(self, change: Callable[[sqlite3.Connection], T]) -> T:
        """Make a change; what it returns, once it is on the disk.

        Raises:
            DatabaseFault: it could not be made; AMBIGUOUS if it may be on the disk all the same.
        """
        result: T = self.make(change)
        return result

    def write(self, changes: list[Change[Write]]) -> None:
        """Make all changes in one transaction."""
        with self._database.write(self._patience) as connection:
            for change in changes:
                change.result = change.what(connection)
