"""Not faster than so many items a second."""

from __future__ import annotations

from leeward.clock import Clock
from leeward.errors import InvalidRequest


class RateLimit:
    """A rate that is kept over the whole of a run.

    Args:
        rate: items a second; None for as fast as it goes.
        clock: waits.
    """

    def __init__(self, rate: float | None, clock: Clock) -> None:
        if rate is not None and not 0 < rate < float("inf"):
            raise InvalidRequest("rate must be a positive number of items a second", field="rate")
        self._rate = rate
        self._clock = clock
        self._started = clock.monotonic()
        self._items = 0

    def wait(self, items: int) -> None:
        """Wait until so many more items are due."""
        if self._rate is None:
            return
        self._items += items
        due = self._started + self._items / self._rate
        ahead = due - self._clock.monotonic()
        if ahead > 0:
            self._clock.sleep(ahead)
