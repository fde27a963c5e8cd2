"""Writes of many threads in one transaction: a commit costs more than everything else in it.

The first thread that comes writes what it has; whoever comes meanwhile waits, and one of them
writes what all of them have.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from threading import Event, Lock
from typing import Any, Generic, TypeVar

from leeward.errors import Outcome
from leeward.forking import Forkable, watch
from leeward.leases.faults import DatabaseFault, fault_of_wait

C = TypeVar("C")


class Change(Generic[C]):
    """A write that waits for its turn.

    Attributes:
        what: is to be written.
        result: of the write, once it was made.
    """

    __slots__ = ("error", "is_over", "result", "turn", "what")

    def __init__(self, what: C) -> None:
        self.what = what
        self.turn = Event()
        self.is_over = False
        self.result: Any = None
        self.error: Exception | None = None


class Batches(Forkable, ABC, Generic[C]):
    """Writes changes, for many threads."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._waiting: list[Change[C]] = []
        self._is_busy = False
        watch(self)

    @abstractmethod
    def write(self, changes: list[Change[C]]) -> None:
        """Write all changes or none, and note the result of each.

        Raises:
            DatabaseFault: it could not be done; AMBIGUOUS if they may still be on the disk.
        """

    def renew(self, *, held: bool) -> None:
        """Wait for no thread of the parent, in the child of a fork: none of them is there."""
        del held
        self._lock = Lock()
        self._waiting = []
        self._is_busy = False

    def make(self, what: C, timeout: float | None = None) -> Any:
        """Make a change; return its result, once it is on the disk.

        Args:
            what: is to be written.
            timeout: seconds to wait for the turn; None for as long as it takes.

        Raises:
            DatabaseFault: it could not be made; AMBIGUOUS if it may still be on the disk.
        """
        mine = Change(what)
        try:
            with self._lock:
                self._waiting.append(mine)
                if not self._is_busy:
                    mine.turn.set()
                    self._is_busy = True
            if not mine.turn.wait(timeout) and self._withdraw(mine):
                raise fault_of_wait()
            mine.turn.wait()
            if not mine.is_over:
                self._write_waiting()
        except BaseException:
            self._withdraw(mine)
            raise
        if mine.error is not None:
            raise mine.error
        return mine.result

    def _write_waiting(self) -> None:
        """Make all the changes that wait; then let the next thread do the same, if there is one."""
        changes: list[Change[C]] = []
        try:
            with self._lock:
                changes, self._waiting = self._waiting, changes
            self.write(changes)
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
            try:
                for change in changes:
                    change.is_over = True
                    change.turn.set()
            finally:
                with self._lock:
                    self._give_turn()

    def _give_turn(self) -> None:
        """Pass the turn to the next thread, if there is one; the lock is held."""
        if self._waiting:
            self._waiting[0].turn.set()
        else:
            self._is_busy = False

    def _withdraw(self, change: Change[C]) -> bool:
        """Withdraw a change whose thread waits no longer, unless another one is writing it."""
        with self._lock:
            if change not in self._waiting:
                return False
            self._waiting.remove(change)
            if change.turn.is_set():
                self._give_turn()
            return True
