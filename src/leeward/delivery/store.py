"""What a store of deliveries does; `leeward.delivery.sqlite_store` is one.

Each method is one transaction, and what it has returned is kept durably. A store takes rows by the
rules of `leeward.leases.rules`; whoever takes at the same time takes others.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Protocol

from leeward.delivery.rows import DeadRow, LeasedRow, LeaseEnd, NewRow, Recipient, TakenRows
from leeward.leases.rules import DeliveryPolicy, Room


class DeliveryStore(Protocol):
    """Rows that wait for their recipients. Every method may raise `DatabaseFault`."""

    policy: DeliveryPolicy

    def add(self, rows: Iterable[NewRow], timeout: float) -> None:
        """Keep all of `rows`, or none."""

    def take(
        self,
        known: Iterable[Recipient],
        clock: Callable[[], float],
        room: Room,
        most: Mapping[Recipient, int] | None = None,
    ) -> TakenRows:
        """Lease rows for `known` recipients that are due now, or never would be.

        Of each lane only the head may go; it stays the head until it is done or dead. A row that
        has had its last attempt, or that makes no sense, is given up instead.

        Args:
            known: who can be delivered to here.
            clock: tells the time, in Unix seconds; asked when the store is free, for a lease that
                begins before the wait for it would be short.
            room: what the caller may take.
            most: how many attempts at a row a recipient wants made, where it says so.
        """

    def finish(
        self, ends: Iterable[LeaseEnd], now: float, begun: Iterable[LeasedRow] = ()
    ) -> list[LeaseEnd]:
        """Write down together how leases have ended; return those whose row is given up.

        A row that was handled is forgotten; one whose attempt failed waits for the next, or is
        given up; one that had no attempt is due again. Attempts that have `begun` are counted.
        Nothing of that, if the lease has gone to another attempt.
        """

    def next_due(self, known: Iterable[Recipient], now: float) -> float | None:
        """Return the earliest time after `now` at which a row for `known` is due."""

    def waiting(self, known: Iterable[Recipient]) -> int:
        """Count the rows for `known` that are neither done nor dead."""


class LetterStore(Protocol):
    """Rows that were given up. Every method may raise `DatabaseFault`."""

    def dead(self) -> list[DeadRow]:
        """Return them, oldest first."""

    def redrive(self, id: int) -> bool:
        """Let one be due again, as if it were new; return whether it was there."""

    def discard(self, id: int) -> bool:
        """Delete one; return whether it was there."""


class Series(Protocol):
    """Rows that belong to moments. Every method may raise `DatabaseFault`.

    For each moment of a series one is kept, whoever comes first: several processes may find that a
    schedule is due, and one that was killed may find it again. The last moment of each series is
    written in the same transaction as its row.
    """

    def add(self, name: str, moment: float, row: NewRow, timeout: float, now: float) -> bool:
        """Keep a row, unless one is kept for this moment or a later one; return whether.

        A last moment that is far ahead of `now` was written by a clock that was wrong, and counts
        for nothing.
        """

    def begin(self, name: str, moment: float, timeout: float) -> float:
        """Return the last moment of a series; one that is new begins with this moment.

        So does one whose last moment was written by a clock that was wrong.
        """
