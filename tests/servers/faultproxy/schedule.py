"""Which fault comes next."""

from __future__ import annotations

import threading
from collections import deque
from typing import Generic, TypeVar

T = TypeVar("T")


class Schedule(Generic[T]):
    """A queue of faults, each good for some turns or for every turn. Safe for threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._queue: deque[tuple[T, int | None]] = deque()

    def add(self, fault: T, times: int | None) -> None:
        """Queue `fault` for `times` turns, or for every turn until `clear`, if None."""
        if times is not None and times < 1:
            raise ValueError(f"times={times}; give 1 or more, or None for every turn")
        with self._lock:
            self._queue.append((fault, times))

    def take(self) -> T | None:
        """Use up one turn; give its fault, or None if nothing is queued."""
        with self._lock:
            if not self._queue:
                return None
            fault, times = self._queue[0]
            if times == 1:
                self._queue.popleft()
            elif times is not None:
                self._queue[0] = (fault, times - 1)
            return fault

    def clear(self) -> None:
        """Forget everything that is queued."""
        with self._lock:
            self._queue.clear()
