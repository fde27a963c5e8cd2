"""The places for connections, without I/O: who has one, who waits, and what is kept.

A connection is opened by who has got a lease and finds none kept. The line is first come, first
served.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from typing import Generic, TypeVar

C = TypeVar("C")


class Lease(Generic[C]):
    """A place, or a wish for one.

    Args:
        wake: called from any thread once a place that was waited for is there.

    Attributes:
        is_held: the place is there.
        connection: that goes with it; None where none was kept, and one has to be opened.
        is_reusable: the connection can serve another call.
    """

    __slots__ = ("connection", "is_held", "is_reusable", "wake")

    def __init__(self, wake: Callable[[], object]) -> None:
        self.wake = wake
        self.is_held = self.is_reusable = False
        self.connection: C | None = None


class Pool(Generic[C]):
    """Lease places, `size` at most at once.

    Args:
        size: how many.
    """

    def __init__(self, size: int) -> None:
        self.size = size
        self.is_closed = False
        self._lock = threading.Lock()
        self._kept: list[C] = []
        self._waiting: deque[Lease[C]] = deque()
        self._held = 0

    @property
    def counts(self) -> tuple[int, int]:
        """How many places are held, and how many calls wait."""
        return self._held, len(self._waiting)

    def enter(self, lease: Lease[C]) -> bool:
        """Claim a place, or stand in line; return whether it is there at once."""
        with self._lock:
            if self._held < self.size:
                self._hold(lease)
            else:
                self._waiting.append(lease)
        return lease.is_held

    def leave(self, lease: Lease[C]) -> C | None:
        """Return a place to the pool, or leave the line; return a connection that has to close."""
        with self._lock:
            if not lease.is_held:
                if lease in self._waiting:
                    self._waiting.remove(lease)
                return None
            lease.is_held = False
            self._held -= 1
            surplus, lease.connection = lease.connection, None
            if surplus is not None and lease.is_reusable and not self.is_closed:
                self._kept.append(surplus)
                surplus = None
            woken = self._waiting.popleft() if self._waiting else None
            if woken is not None:
                self._hold(woken)
        if woken is not None:
            woken.wake()
        return surplus

    def close(self) -> list[C]:
        """Keep nothing from now on; return the connections that were kept."""
        with self._lock:
            self.is_closed = True
            kept, self._kept = self._kept, []
        return kept

    def _hold(self, lease: Lease[C]) -> None:
        self._held += 1
        lease.is_held = True
        if self._kept:
            lease.connection = self._kept.pop()  # the one used last
