"""A clock that does not wait."""

from __future__ import annotations

import threading


class FakeClock:
    """A clock that moves only when told to, or by sleeping, which takes no time.

    Args:
        now: the wall clock's start, in Unix seconds.
    """

    def __init__(self, now: float = 1_750_000_000.0) -> None:
        self._now = now
        self._passed = 0.0
        self._lock = threading.Lock()

    def now(self) -> float:
        """Return the wall clock in Unix seconds."""
        with self._lock:
            return self._now + self._passed

    def monotonic(self) -> float:
        """Return the seconds that have passed."""
        with self._lock:
            return self._passed

    def sleep(self, seconds: float) -> None:
        """Advance by `seconds` at once."""
        self.advance(seconds)

    async def sleep_async(self, seconds: float) -> None:
        """Advance by `seconds` at once."""
        self.advance(seconds)

    def advance(self, seconds: float) -> None:
        """Advance by `seconds`."""
        with self._lock:
            self._passed += seconds
