"""Writes of many threads in one transaction: a commit costs more than everything else in it.

The first thread writes its change. Threads that come meanwhile wait, and then one of them writes
the changes of all.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from queue import Empty, SimpleQueue
from threading import Lock
from typing import Any, Generic, TypeVar

from leeward.errors import Outcome, is_from_signal
from leeward.forking import Forkable, watch
from leeward.leases.faults import DatabaseFault, fault_of_wait

C = TypeVar("C")


class Change(Generic[C]):
    """A write that waits for its turn.

    Attributes:
        turn: not empty once the write is over, or its thread must write. A queue, because an
            interrupt can leave an `Event` locked.
    """

    __slots__ = ("error", "is_over", "result", "turn", "what")

    def __init__(self, what: C) -> None:
        self.what = what
        self.turn: SimpleQueue[None] = SimpleQueue()
        self.is_over = False
        self.result: Any = None
        self.error: Exception | None = None


class Batches(Forkable, ABC, Generic[C]):
    """Writes changes, for many threads."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._waiting: list[Change[C]] = []
        self._writer: Change[C] | None = None
        watch(self)

    @abstractmethod
    def write(self, changes: list[Change[C]]) -> None:
        """Write all changes or none, and note the result of each.

        Raises:
            DatabaseFault: it failed; AMBIGUOUS if they may still be on the disk.
        """

    def renew(self, *, held: bool) -> None:
        """Forget the parent's threads, in the child of a fork."""
        del held
        self._lock = Lock()
        self._waiting = []
        self._writer = None

    def make(self, what: C, timeout: float | None = None) -> Any:
        """Make a change; return its result, once it is on the disk."""
        mine = Change(what)
        try:
            with self._lock:
                self._waiting.append(mine)
                self._give_turn(None)
            try:
                mine.turn.get(timeout=timeout)
            except Empty:
                if self._withdraw(mine):
                    raise fault_of_wait() from None
                mine.turn.get()
            if not mine.is_over:
                self._write_waiting(mine)
        except BaseException:
            self._withdraw(mine)
            raise
        if mine.error is not None:
            raise mine.error
        return mine.result

    def _write_waiting(self, mine: Change[C]) -> None:
        """Make all the changes that wait; then let the next thread do the same, if there is one.

        The end is repeated after an interrupt: else others would wait for ever.
        """
        changes: list[Change[C]] = []
        message = "the transaction was interrupted: it may be on the disk"
        fault: Exception | None = DatabaseFault(Outcome.AMBIGUOUS, "interrupted", message)
        interrupt: BaseException | None = None
        try:
            with self._lock:
                changes, self._waiting = self._waiting, changes
            self.write(changes)
            fault = None
        except Exception as error:
            if is_from_signal(error):
                raise
            fault = error  # which the thread of each change raises
        finally:
            while True:
                try:
                    for change in changes:
                        change.error = fault or change.error
                        change.is_over = True
                        change.turn.put(None)
                    with self._lock:
                        self._give_turn(mine)
                    break
                except BaseException as error:  # noqa: BLE001 - raised below
                    interrupt = error
        if interrupt is not None:
            raise interrupt

    def _give_turn(self, before: Change[C] | None) -> None:
        """Pass the turn of `before`, if it has one, to the first that waits. The lock is held.

        Doing so twice does no harm.
        """
        if self._writer is before:
            self._writer = self._waiting[0] if self._waiting else None
        if self._writer is not None:
            self._writer.turn.put(None)

    def _withdraw(self, change: Change[C]) -> bool:
        """Withdraw the change of a thread that stops waiting, unless another writes it now."""
        with self._lock:
            is_waiting = change in self._waiting
            if is_waiting:
                self._waiting.remove(change)
            self._give_turn(change)
            return is_waiting
