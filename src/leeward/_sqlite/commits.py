"""Transactions of many threads in one: an fsync costs more than everything else in it.

The first thread that comes commits what it has; whoever comes meanwhile waits, and one of them
commits what all of them have.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from threading import Event, Lock
from typing import Any, TypeVar

from leeward._sqlite.database import Database
from leeward.errors import Outcome
from leeward.forking import Forkable, watch
from leeward.leases.faults import DatabaseFault

T = TypeVar("T")


class Commits(Forkable):
    """Applies changes to a database, for many threads.

    Args:
        database: of the changes.
        patience: seconds to wait for it.
    """

    def __init__(self, database: Database, patience: float) -> None:
        self._database = database
        self._patience = patience
        self._lock = Lock()
        self._waiting: list[_Change] = []
        self._is_busy = False
        watch(self)

    def renew(self, *, held: bool) -> None:
        """Wait for no thread of the parent, in the child of a fork: none of them is there."""
        del held
        self._lock = Lock()
        self._waiting = []
        self._is_busy = False

    def apply(self, change: Callable[[sqlite3.Connection], T]) -> T:
        """Make a change; what it returns, once it is on the disk.

        Raises:
            DatabaseFault: it could not be made; AMBIGUOUS if it may be on the disk all the same.
        """
        mine = _Change(change)
        with self._lock:
            self._waiting.append(mine)
            waits, self._is_busy = self._is_busy, True
        if waits:
            try:
                mine.turn.wait()
            except BaseException:
                self._withdraw(mine)
                raise
        if not mine.is_over:
            self._commit()
        if mine.error is not None:
            raise mine.error
        result: T = mine.result
        return result

    def _commit(self) -> None:
        """Make all the changes that wait; then let the next thread do the same, if there is one."""
        with self._lock:
            changes, self._waiting = self._waiting, []
        try:
            with self._database.write(self._patience) as connection:
                for change in changes:
                    change.result = change.make(connection)
        except BaseException as error:
            if isinstance(error, Exception):
                fault = error
            else:
                told = "the transaction was interrupted: it may be on the disk"
                fault = DatabaseFault(Outcome.AMBIGUOUS, "interrupted", told)
            for change in changes:
                change.error = fault
            if not isinstance(error, Exception):
                raise
        finally:
            for change in changes:
                change.is_over = True
                change.turn.set()
            with self._lock:
                self._give_turn()

    def _give_turn(self) -> None:
        """Hand the turn to the next thread, if there is one; with the lock held."""
        if self._waiting:
            self._waiting[0].turn.set()
        else:
            self._is_busy = False

    def _withdraw(self, change: _Change) -> None:
        """Withdraw a change whose thread was interrupted, unless another one is committing it."""
        with self._lock:
            if change in self._waiting:
                self._waiting.remove(change)
                if change.turn.is_set():
                    self._give_turn()


class _Change:
    __slots__ = ("error", "is_over", "make", "result", "turn")

    def __init__(self, make: Callable[[sqlite3.Connection], Any]) -> None:
        self.make = make
        self.turn = Event()
        self.is_over = False
        self.result: Any = None
        self.error: Exception | None = None
