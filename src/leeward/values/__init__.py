"""What callers give and get: events, records, receipts and attempts. All are immutable."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, Generic, Literal, TypeAlias

from leeward.errors import Attempt, CallError, Outcome, Ran
from leeward.masking import show_data
from leeward.records import NamedTuple

if TYPE_CHECKING:
    from datetime import datetime

    from typing_extensions import TypeVar

    T = TypeVar("T", default=Any)
    ItemT = TypeVar("ItemT", default=dict[str, Any])
    """The class of items that are read; by default `Item`."""
else:
    from typing import TypeVar

    T, ItemT = TypeVar("T"), TypeVar("ItemT")


NOTHING: Mapping[str, Any] = MappingProxyType({})

MISSING: Final[Any] = object()
"""An argument that was not given, where None is a value."""

Json: TypeAlias = Any
"""None, bool, int, finite float, str, list or dict with string keys, nested."""

Item: TypeAlias = dict[str, Any]
"""An item of a table: string keys, and values of the types that `store_data` lists."""

OBJECT_READS: Final = frozenset({"get_object", "head_object", "list_objects"})
"""Verbs of calls that look at objects, and change nothing."""


class Effect(Enum):
    """What repeating a call would do. It decides whether leeward may send the call again."""

    READ_ONLY = "read_only"
    """No effects at all."""
    IDEMPOTENT = "idempotent"
    """Repeating is harmless, on the same target and on every other."""
    KEYED = "keyed"
    """The receiver deduplicates by the idempotency key."""
    UNSAFE = "unsafe"
    """Repeating may do harm. leeward repeats it only if it is proved that it did not run."""


EffectName: TypeAlias = Literal["read_only", "idempotent", "keyed", "unsafe"]
"""An `Effect` by its value, as callers may give it."""


class Promise(Enum):
    """What a receipt promises. Never more than what was reached."""

    COMMITTED = "committed"
    """The home has stored or deleted the item durably."""
    PUBLISHED = "published"
    """A target's bus has accepted the event."""
    ACCEPTED = "accepted"
    """A target has queued the function call; there will be no answer."""
    SPOOLED = "spooled"
    """No target has taken the event. It is kept durably, and published when one takes it again."""
    VERIFIED = "verified"
    """A backup was restored, and the table, read again, holds exactly its items."""
    RESTORED = "restored"
    """A backup was restored; that the table holds exactly its items is not proved."""


@show_data("target idempotency_key attempts")
class InvokeResult(NamedTuple, Generic[T]):
    """The answer of a function; of one that was called as itself, as it is annotated."""

    value: T
    target: str
    idempotency_key: str
    attempts: tuple[Attempt, ...] = ()


class Receipt(NamedTuple):
    """The receipt of a queued function call: `promise` is ACCEPTED."""

    promise: Promise
    target: str
    idempotency_key: str
    attempts: tuple[Attempt, ...] = ()


class PublishReceipt(NamedTuple):
    """The receipt of an event.

    Attributes:
        promise: PUBLISHED; or SPOOLED, where the bus has ``on_all_down = "spool"``.
        id: of the CloudEvent.
        target: that has taken it; ``spool`` for an event that is kept.
        attempts: all attempts of the call.
    """

    promise: Promise
    id: str
    target: str
    attempts: tuple[Attempt, ...] = ()


class PublishEntry(NamedTuple):
    """The result of one event of a batch: a promise, or an error."""

    id: str
    promise: Promise | None
    target: str | None
    error: CallError | None = None


class PublishReport(NamedTuple):
    """The results of a batch, one for each event, in the order given."""

    entries: tuple[PublishEntry, ...]
    attempts: tuple[Attempt, ...] = ()

    @property
    def failed(self) -> tuple[PublishEntry, ...]:
        """The entries that were not published."""
        return tuple(entry for entry in self.entries if entry.error is not None)

    def raise_if_failed(self) -> None:
        """Raise the error of the first entry that failed, if there is one."""
        for entry in self.entries:
            if entry.error is not None:
                raise entry.error


class StoreReceipt(NamedTuple):
    """The receipt of a write or delete: `promise` is COMMITTED.

    Attributes:
        revision: opaque, for `if_revision`; None after a delete.
        resolved: True if the answer was lost and a read-back proved the success.
    """

    promise: Promise
    target: str
    revision: str | None = None
    resolved: bool = False
    attempts: tuple[Attempt, ...] = ()


@show_data("revision target expires_at maybe_stale foreign attempts")
class Record(NamedTuple, Generic[T]):
    """An item as it was loaded.

    Attributes:
        item: exactly what was stored; or that, read as the class that `load_data`
            or `list_data` was given.
        revision: opaque, for `if_revision`.
        expires_at: the time, in UTC, at which the item expires; None for never.
        maybe_stale: reserved, always False in this version.
        foreign: True if another program has changed the item since leeward stored it. Numbers are
            then int if they are whole, else Decimal, and other types are the provider's own.
    """

    item: T
    revision: str
    target: str
    expires_at: datetime | None = None
    maybe_stale: bool = False
    foreign: bool = False
    attempts: tuple[Attempt, ...] = ()


@show_data("target attempts")
class ItemPage(NamedTuple, Generic[T]):
    """A page of the items of a partition.

    Attributes:
        items: in order; without `attempts` of their own.
        cursor: for the next page; None on the last one. A page without items may have one.
    """

    items: tuple[Record[T], ...]
    cursor: str | None
    target: str
    attempts: tuple[Attempt, ...] = ()


@show_data("type id source time")
class Event(NamedTuple):
    """A CloudEvent 1.0 (https://github.com/cloudevents/spec).

    `type` and `data` are yours. leeward fills in what is None once, before the first attempt. It
    stays the same in retries and failover: consumers recognise a duplicate by `source` and `id`.

    Attributes:
        type: what happened, such as ``order.created``.
        data: JSON, or bytes.
        id: unique for this `source`; created if None.
        source: a URI reference; the configured `source` if None.
        time: with a time zone; the time of the call if None.
        subject: what it happened to, within the source.
        ordering_key: events of one key are delivered in order, if the target can.
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


class CircuitStatus(NamedTuple):
    """A circuit that is not closed: calls reach the target in part, or not at all.

    Attributes:
        verb: such as ``invoke``.
        resource: the function, bus or table; empty for all of them.
        state: ``open``, ``half_open`` or ``ramp``.
        reason: why it opened.
        seconds: until it is no longer open; None if it is not open.
    """

    verb: str
    resource: str
    state: str
    reason: str
    seconds: float | None = None


class Isolation(NamedTuple):
    """An operator's isolation of a target for every process. Times are Unix seconds.

    Attributes:
        target: its name.
        by: the operator.
        why: in words.
        since: when it was written; the latest one counts.
        until: when it ends by itself; infinite for never.
        over: it ends an isolation: the target is used again.
    """

    target: str
    by: str
    why: str
    since: float
    until: float
    over: bool = False


class RoutingEvent(NamedTuple):
    """Something that the router has decided, for a listener.

    Attributes:
        name: such as ``opened``; the page on logging lists them.
        target: the target; empty for all.
        verb: of the calls.
        resource: the function, bus or table; empty for all of them.
        reason: a code.
        call_id: of the call; 0 if the event is not about one call.
        facts: numbers, by name.
    """

    name: str
    target: str = ""
    verb: str = ""
    resource: str = ""
    reason: str = ""
    call_id: int = 0
    facts: Mapping[str, float] = NOTHING


class ProbeReport(NamedTuple):
    """The result of a probe of a target.

    Attributes:
        target: its name.
        works: whether it answered; None if its adapter has no probe.
        seconds: that it took; None if its adapter has no probe.
        code: what went wrong, if anything did.
    """

    target: str
    works: bool | None
    seconds: float | None
    code: str | None = None


class TargetStatus(NamedTuple):
    """One target of the order, as this client sees it.

    Attributes:
        name: such as ``aws:us-east-1``.
        capabilities: what it declares.
        settings: the settings in force, including the environment's; never a secret.
        attempts: how many attempts this client has made on it.
        failures: how many attempts ended not sent, rejected, unusable or ambiguous.
        last_outcome: the outcome of the last attempt; None before the first.
        state: ``closed`` if calls flow to it, ``isolated`` if an operator has isolated it, else
            the state of the circuit that lets the fewest calls through: ``open``, ``half_open`` or
            ``ramp``.
        circuits: the circuits that are not closed.
        residency: where its data is, as configured; None if nothing is configured.
        in_flight: requests under way; None if the target does not count them.
        waiting: calls that wait for a place; None if the target does not count them.
        isolation: the operator's, if it is isolated everywhere.
    """

    name: str
    capabilities: frozenset[str]
    settings: Mapping[str, str]
    attempts: int = 0
    failures: int = 0
    last_outcome: Outcome | None = None
    state: str = "closed"
    circuits: tuple[CircuitStatus, ...] = ()
    residency: str | None = None
    in_flight: int | None = None
    waiting: int | None = None
    isolation: Isolation | None = None


@show_data("type ran retryable")
class FunctionFault(NamedTuple):
    """The exception of a function, as far as the platform reports it.

    Attributes:
        type: its class.
        message: its text.
        trace: lines of the trace.
        reason: a stable word of the function's, such as ``sold_out``; only leeward's handler sends
            this and the next attributes.
        ran: whether the call has had an effect: ``no``, ``maybe`` or ``yes``.
        retryable: whether the same call may have another result later.
        voids: how often its key was settled as not run, if the function refuses it for that.
        flaw: the first place of the input that is not of its type, and that type; never a value.
    """

    type: str | None = None
    message: str | None = None
    trace: tuple[str, ...] = ()
    reason: str | None = None
    ran: Ran | None = None
    retryable: bool | None = None
    voids: int = 0
    flaw: str | None = None
