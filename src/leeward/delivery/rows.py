"""What waits for its recipient, as values: rows, their leases, and how those end."""

from __future__ import annotations

from typing import NamedTuple

from leeward.masking import masked


class Recipient(NamedTuple):
    """Who gets a row: a subscriber of a bus. Whoever has no buses uses one name for all."""

    bus: str
    subscriber: str


class NewRow(NamedTuple):
    """What is to be delivered; rows of one `lane` one after the other."""

    recipient: Recipient
    lane: str | None
    idempotency_key: str
    document: str

    def __repr__(self) -> str:
        return masked(self, "recipient idempotency_key")


class LeasedRow(NamedTuple):
    """A row that is leased for one attempt; 1 is the first. Rows leased together share a lease.

    Attributes:
        is_unheard: its last lease ended without a word: it may be what ended a process.
        is_counted: the store counts this attempt already: one that is leased ahead of a place may
            yet have none.
    """

    id: int
    recipient: Recipient
    idempotency_key: str
    document: str
    attempt: int
    lease: str
    is_unheard: bool = False
    is_counted: bool = True

    @property
    def is_tried(self) -> bool:
        """Return whether an earlier attempt may have begun."""
        return self.attempt > 1 or self.is_unheard

    def __repr__(self) -> str:
        return masked(self, "id recipient idempotency_key attempt")


class AttemptFailure(NamedTuple):
    """Why an attempt failed: the exception's class, and its text, if there is one.

    Attributes:
        again: whether there is another attempt; None where the policy decides.
        reason: the failure's own word, or None.
        ran: ``no``, ``maybe`` or ``yes``: whether an attempt has had an effect.
    """

    error: str
    message: str | None = None
    again: bool | None = None
    reason: str | None = None
    ran: str = "maybe"

    def __repr__(self) -> str:
        return masked(self, "error")


class LeaseEnd(NamedTuple):
    """How a lease has ended.

    Attributes:
        row: that was leased.
        failure: of its attempt; None if that went well.
        is_begun: False if there was no attempt after all, so that none is counted.
    """

    row: LeasedRow
    failure: AttemptFailure | None = None
    is_begun: bool = True


class DeadRow(NamedTuple):
    """A row that is given up; `attempt` is the last one, `died` in Unix seconds, if it is known."""

    id: int
    recipient: Recipient
    document: str
    attempt: int
    failure: AttemptFailure
    died: float | None = None

    def __repr__(self) -> str:
        return masked(self, "id recipient attempt failure")


class TakenRows(NamedTuple):
    """What is to be delivered now, and what was given up instead.

    Attributes:
        rows: leased.
        buried: given up.
        ends: of the lease, in Unix seconds.
    """

    rows: list[LeasedRow]
    buried: list[DeadRow]
    ends: float = 0.0
