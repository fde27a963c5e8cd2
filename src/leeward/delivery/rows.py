"""What waits for its recipient, as values: rows, their leases, and how those end."""

from __future__ import annotations

from typing import NamedTuple

from leeward.masking import mask


class Recipient(NamedTuple):
    """Who gets a row: a subscriber of a bus. Whoever has no buses uses one name for all."""

    bus: str
    subscriber: str


class Message(NamedTuple):
    """What is to be delivered; those of one `lane` one after the other."""

    recipient: Recipient
    lane: str | None
    idempotency_key: str
    document: str

    def __repr__(self) -> str:
        return mask(self, "recipient idempotency_key")


class Delivery(NamedTuple):
    """A row that is leased for one attempt; 1 is the first. Rows leased together share a lease.

    Attributes:
        unheard: its last lease ended without a word: it may be what ended a process.
        counted: whether its row counts this attempt already: one that is leased ahead of a place
            may yet have none.
    """

    id: int
    recipient: Recipient
    idempotency_key: str
    document: str
    attempt: int
    lease: str
    unheard: bool = False
    counted: bool = True

    @property
    def is_tried(self) -> bool:
        """Return whether an earlier attempt may have begun."""
        return self.attempt > 1 or self.unheard

    def __repr__(self) -> str:
        return mask(self, "id recipient idempotency_key attempt")


class Failure(NamedTuple):
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
        return mask(self, "error")


class LeaseEnd(NamedTuple):
    """How a lease has ended.

    Attributes:
        delivery: the row.
        failure: of its attempt; None if that went well.
        begun: False if there was no attempt after all, so that none is counted.
    """

    delivery: Delivery
    failure: Failure | None = None
    begun: bool = True


class DeadDelivery(NamedTuple):
    """A row that is given up; `attempt` is the last one, `died` in Unix seconds, if it is known."""

    id: int
    recipient: Recipient
    document: str
    attempt: int
    failure: Failure
    died: float | None = None

    def __repr__(self) -> str:
        return mask(self, "id recipient attempt failure")


class Taken(NamedTuple):
    """What is to be delivered now, and what was given up instead.

    Attributes:
        deliveries: leased.
        buried: given up.
        ends: of the lease, in Unix seconds.
    """

    deliveries: list[Delivery]
    buried: list[DeadDelivery]
    ends: float = 0.0
