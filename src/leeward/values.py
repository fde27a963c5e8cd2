"""What callers give and get: events, records, receipts and attempts. All are immutable."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypeAlias

from leeward.errors import CallError, Outcome
from leeward.masking import masked

if TYPE_CHECKING:
    from datetime import datetime

NOTHING: Mapping[str, Any] = MappingProxyType({})

Json: TypeAlias = Any
"""None, bool, int, finite float, str, list or dict with string keys, nested."""

Item: TypeAlias = dict[str, Any]
"""An item of a table: string keys, and values of the types that `store_data` lists."""


class Effect(Enum):
    """What repeating a call would do; it decides whether an unknown outcome may be sent again."""

    READ_ONLY = "read_only"
    """No effects at all."""
    IDEMPOTENT = "idempotent"
    """Repeating is harmless, here and on every other target."""
    KEYED = "keyed"
    """The receiver deduplicates by the idempotency key."""
    UNSAFE = "unsafe"
    """Anything else. Never sent again unless it is proved that it did not run."""


EffectName: TypeAlias = Literal["read_only", "idempotent", "keyed", "unsafe"]
"""An `Effect` by its value, as callers may give it."""


class Promise(Enum):
    """What a receipt promises. Never more than what was really reached."""

    COMMITTED = "committed"
    """The home has stored or deleted the item durably."""
    PUBLISHED = "published"
    """A target's bus has accepted the event."""
    ACCEPTED = "accepted"
    """A target has queued the invocation; there will be no answer."""
    HANDED_OFF = "handed_off"
    """The home could not be reached; another target keeps the write until it can."""
    SPOOLED = "spooled"
    """Kept in the local journal, on this machine's disk, until a target can be reached."""


class Attempt(NamedTuple):
    """One request that was put to one target. Payloads are never kept.

    Attributes:
        target: the target's name.
        started: seconds from the start of the call to the start of this attempt.
        duration: seconds that it took.
        outcome: how it ended.
        code: the provider's error code, if it gave one.
        request_id: the provider's id of the request, for a support ticket.
        read_back: True for a look-up that asked what became of an earlier attempt.
    """

    target: str
    started: float
    duration: float
    outcome: Outcome
    code: str | None = None
    request_id: str | None = None
    read_back: bool = False


class InvokeResult(NamedTuple):
    """The answer of a function."""

    value: Json
    target: str
    idempotency_key: str
    attempts: tuple[Attempt, ...] = ()

    def __repr__(self) -> str:
        return masked(self, "target idempotency_key attempts")


class Receipt(NamedTuple):
    """A function call was queued: `promise` is ACCEPTED."""

    promise: Promise
    target: str
    idempotency_key: str
    attempts: tuple[Attempt, ...] = ()


class PublishReceipt(NamedTuple):
    """An event was taken: `promise` is PUBLISHED. `id` is the CloudEvent's id."""

    promise: Promise
    id: str
    target: str
    attempts: tuple[Attempt, ...] = ()


class PublishEntry(NamedTuple):
    """What became of one event of a batch: a promise, or an error."""

    id: str
    promise: Promise | None
    target: str | None
    error: CallError | None = None


class PublishReport(NamedTuple):
    """What became of a batch, entry by entry, in the order that it was given."""

    entries: tuple[PublishEntry, ...]
    attempts: tuple[Attempt, ...] = ()

    @property
    def failed(self) -> tuple[PublishEntry, ...]:
        """The entries that were not published."""
        return tuple(entry for entry in self.entries if entry.error is not None)

    def raise_if_failed(self) -> None:
        """Raise the first entry's error, if any entry failed."""
        for entry in self.entries:
            if entry.error is not None:
                raise entry.error


class StoreReceipt(NamedTuple):
    """A write or delete was kept: `promise` is COMMITTED.

    Attributes:
        revision: opaque; hand it to `if_revision`. None after a delete.
        resolved: True where the answer was lost and a read-back proved the success.
    """

    promise: Promise
    target: str
    revision: str | None = None
    resolved: bool = False
    attempts: tuple[Attempt, ...] = ()


class Record(NamedTuple):
    """An item as it was loaded.

    Attributes:
        item: exactly what was stored.
        revision: opaque; hand it to `if_revision`.
        expires_at: aware UTC time at which the item stops being found; None for never.
        maybe_stale: True where the home could not be asked.
        foreign: True where another program has changed the item since leeward stored it: numbers
            then come back as int where integral, else Decimal, and other types as the provider
            holds them.
    """

    item: Item
    revision: str
    target: str
    expires_at: datetime | None = None
    maybe_stale: bool = False
    foreign: bool = False
    attempts: tuple[Attempt, ...] = ()

    def __repr__(self) -> str:
        return masked(self, "revision target expires_at maybe_stale foreign attempts")


class Event(NamedTuple):
    """A CloudEvent 1.0 (https://github.com/cloudevents/spec).

    Give `type` and `data`; what is left None is filled in once, before the first attempt, and
    stays the same through retries and failover: consumers deduplicate by `source` and `id`.

    Attributes:
        type: what happened, such as ``order.created``.
        data: JSON, or bytes.
        id: unique for this `source`; minted if None.
        source: a URI reference; the configured `source` if None.
        time: aware; the time of the call if None.
        subject: what it happened to, within the source.
        ordering_key: events of one key are delivered in order, where the target can.
        extensions: further CloudEvents attributes, ``[a-z0-9]{1,20}`` to str, int or bool.
    """

    type: str
    data: Any = None
    id: str | None = None
    source: str | None = None
    time: datetime | None = None
    subject: str | None = None
    ordering_key: str | None = None
    extensions: Mapping[str, str | int | bool] = NOTHING

    def __repr__(self) -> str:
        return masked(self, "type id source time")


class TargetStatus(NamedTuple):
    """One target of the order, as this process sees it.

    Attributes:
        name: such as ``aws:us-east-1``.
        capabilities: what it declares that it can do.
        settings: what is in force, the environment's share included; never a secret.
        attempts: how many attempts this client has made on it.
        failures: how many of those count against it (not sent, rejected, unusable, ambiguous).
        last_outcome: of the most recent attempt; None before the first.
    """

    name: str
    capabilities: frozenset[str]
    settings: Mapping[str, str]
    attempts: int = 0
    failures: int = 0
    last_outcome: Outcome | None = None
