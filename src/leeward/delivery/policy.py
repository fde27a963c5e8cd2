"""When a delivery is due, how long it is leased, when it is given up. Pure: time is passed in.

Whoever makes an attempt holds a lease. When that ends without a word, because the process died or
the handler hangs, the delivery is due again.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple


class Policy(NamedTuple):
    """The numbers, and what follows from them. Times are Unix seconds.

    Attributes:
        max_attempts: after so many a delivery is given up.
        first_retry: seconds before the second attempt; doubled before each one after it.
        longest_retry: seconds between two attempts, at most.
        lease: seconds that an attempt may take before the delivery is due again.
        concurrency: attempts at one time; one that has outlived its lease no longer counts.
        farthest: seconds from now to the latest end of a lease. One that ends later was written by
            a clock that was wrong, and is over: its row would wait for years. So long, because its
            attempt may be under way, if the clock was only set back a little.
        ahead: rows that are leased before there is a place for their attempt, at most.
        worth: seconds of work that those may be, where attempts take as long as they did.
        longest_wait: seconds after which such a row is handed back.
    """

    max_attempts: int = 5
    first_retry: float = 0.05
    longest_retry: float = 60.0
    lease: float = 30.0
    concurrency: int = 8
    farthest: float = 3600.0
    ahead: int = 512
    worth: float = 0.1
    longest_wait: float = 1.0

    def is_spent(self, attempts: int, due: float, most: int = 0) -> bool:
        """Return whether a delivery that is due has had its last attempt, which ended silently.

        Args:
            attempts: how many were made.
            due: since when it is due: the end of the last lease; 0 if somebody has reset it.
            most: how many its handler wants made. Where those are few, the policy's count: a
                process that was ended has not failed in its handler.
        """
        return attempts >= max(self.max_attempts, most) and due > 0

    def due_after_failure(
        self, attempt: int, now: float, *, again: bool | None = None
    ) -> float | None:
        """Return when a delivery whose `attempt` has failed is due again; None gives it up.

        `again` is the word of whoever knows better; None leaves it to the count.
        """
        if not (attempt < self.max_attempts if again is None else again):
            return None
        return now + min(self.first_retry * 2.0 ** min(attempt - 1, 40), self.longest_retry)

    def free_places(self, leases: Iterable[float], now: float) -> int:
        """Return how many attempts may begin beside those whose leases end at `leases`."""
        return self.concurrency - sum(end > now for end in leases)

    def rows_ahead(self, usual: float | None) -> int:
        """Return how many rows to lease beside those that have a place.

        To lease a row takes a transaction, so attempts that are short get their rows by the
        hundred, and long ones one by one, for other processes may have time for them.

        Args:
            usual: seconds that an attempt takes; None where that is not known.
        """
        if usual is None:
            return 0
        return int(min(self.ahead, self.concurrency * self.worth / max(usual, 1e-9)))
