"""Who may take what, when a lease ends, and what becomes of its row. Pure: time is passed in.

A row belongs to one process until the end of a lease. If that process dies or hangs, the row is due
again then. A store has these rules in its own language.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Final, Protocol

from leeward.records import NamedTuple

LONGEST_WAIT: Final = 60.0
"""Seconds, at most, between two attempts if nothing else is given, and before an attempt that has
not begun."""


def is_over(due: float, now: float, farthest: float) -> bool:
    """Return whether a lease, or a pause, is over."""
    return due <= now or due > now + farthest


def may_begin(since: float, now: float, seconds: float) -> bool:
    """Return whether a holder may begin something: not in the last third of its lease."""
    return now - since < seconds * 2 / 3


def needs_renewal(since: float, now: float, seconds: float) -> bool:
    """Return whether to renew leases: in time for two more tries before `may_begin` ends."""
    return now - since > seconds / 3


class LeasedAttempt(Protocol):
    """A row that this process has leased, and whose attempt has not ended."""

    @property
    def ends(self) -> float:
        """The end of the lease, in Unix seconds."""

    @property
    def is_tried(self) -> bool:
        """Whether an earlier attempt may have begun."""

    @property
    def is_unheard(self) -> bool:
        """Whether its last lease ended without a result: it may have killed a process."""


class Room(NamedTuple):
    """What a process may take.

    Attributes:
        tried: how many of them may have been leased before.
        unheard: how many may be rows whose last lease ended without a result.
        places: how many attempts begin at once; None for all. The others are counted when they
            begin, but unheard rows at once: else they could kill processes for ever.
    """

    limit: int
    tried: int
    unheard: int = 1
    places: int | None = None

    def take_off(self, limit: int, tried: int, unheard: int) -> Room:
        """Return what may still be taken after some rows."""
        places = None if self.places is None else self.places - limit
        return Room(
            self.limit - limit, max(0, self.tried - tried), max(0, self.unheard - unheard), places
        )


class NextAttempt(NamedTuple):
    """The count of a row that is not done, and when it is due; None gives it up."""

    attempts: int
    due: float | None


class DeliveryPolicy(NamedTuple):
    """The numbers of deliveries, and what follows from them. Times are Unix seconds.

    Attributes:
        max_attempts: after so many a delivery is given up.
        first_retry: seconds before the second attempt, unless the failure says how long; doubled
            before each further one, up to a minute.
        longest_retry: seconds between two attempts, at most.
        lease: seconds after which a delivery is due again, unless its process renews the lease, up
            to the handler's timeout. Without a timeout an attempt may take as long as a lease.
        concurrency: attempts at one time; one that has outlived its lease does not count.
        farthest: seconds from now to the latest end of a lease. A later end was written by a wrong
            clock, and counts as over: else its row would wait for years. So long, because the
            attempt may be under way if the clock was only set back a little.
        ahead: rows that are leased before there is a place for their attempt, at most.
        worth: seconds of work in the rows leased ahead, by the time that attempts took lately.
        longest_wait: seconds after which a row leased ahead is handed back.
    """

    max_attempts: int = 5
    first_retry: float = 0.05
    longest_retry: float = 900.0  # `LONGEST_RETRY` of `leeward.app.checks`
    lease: float = 30.0
    concurrency: int = 8
    farthest: float = 3600.0
    ahead: int = 512
    worth: float = 0.1
    longest_wait: float = 1.0

    def is_spent(self, attempts: int, due: float, limit: int = 0) -> bool:
        """Return whether a due delivery has had its last attempt, without a result.

        Args:
            attempts: how many were made.
            due: since when it is due: the end of the last lease; 0 if it was reset.
            limit: attempts that its handler wants. If that is less, the policy's count is used: the
                death of a process is not a failure of the handler.
        """
        return attempts >= max(self.max_attempts, limit) and due > 0

    def schedule_retry(
        self, attempt: int, now: float, again: bool | None = None, after: float | None = None
    ) -> NextAttempt:
        """Decide what becomes of a delivery whose `attempt` has failed.

        `again` and `after`, in seconds, override the count of attempts; None leaves it to the
        count.
        """
        if not (attempt < self.max_attempts if again is None else again):
            return NextAttempt(attempt, None)
        usual = min(self.first_retry * 2.0 ** min(attempt - 1, 40), LONGEST_WAIT)
        return NextAttempt(
            attempt, now + min(usual if after is None else after, self.longest_retry)
        )

    def schedule_return(
        self, attempt: int, now: float, *, is_unheard: bool, after: float = 0.0
    ) -> NextAttempt:
        """Decide the same if its `attempt` has not begun: it is due `after` some seconds.

        If an earlier lease ended without a result, that attempt stays counted: it may have begun.
        """
        attempts, pause = max(attempt - 1, is_unheard), min(after, LONGEST_WAIT)
        return NextAttempt(attempts, now + pause if attempts or pause else 0.0)

    def room(self, held: Collection[LeasedAttempt], now: float, seconds: float | None) -> Room:
        """Return what a process may take.

        Rows whose last lease ended without a result come one at a time: a row that kills this
        process costs all rows beside it an attempt. If attempts hang in this process, such rows are
        its own, and kill nothing.
        """
        free = self.count_free_places([lease.ends for lease in held], now)
        tried = [lease.ends for lease in held if lease.is_tried]
        tried_room = max(0, self.count_free_places(tried, now))
        unheard = 0 if any(lease.is_unheard for lease in held) else 1
        if any(lease.ends <= now for lease in held):
            unheard = tried_room
        limit = max(0, free + self.count_rows_ahead(seconds))
        return Room(limit, tried_room, unheard, max(0, free))

    def count_free_places(self, ends: Collection[float], now: float) -> int:
        """Return how many more attempts may begin, given the ends of the leases of others."""
        return self.concurrency - sum(end > now for end in ends)

    def count_rows_ahead(self, seconds: float | None) -> int:
        """Return how many rows to lease ahead of free places.

        A lease takes a transaction, so rows with short attempts are leased by the hundred. Rows
        with long ones are leased one by one, because other processes may have time for them.
        """
        if seconds is None:
            return 0
        return int(min(self.ahead, self.concurrency * self.worth / max(seconds, 1e-9)))
