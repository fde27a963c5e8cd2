"""Results become receipts; what is not OK is raised."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

from leeward.calls import Call, Enqueue, Invoke, Load, Publish, Result, Stored
from leeward.errors import Attempt, CallError, LeewardError, NotFound, Outcome
from leeward.text import did_you_mean
from leeward.values import (
    InvokeResult,
    Json,
    Promise,
    PublishEntry,
    PublishReceipt,
    PublishReport,
    Receipt,
    Record,
    StoreReceipt,
)

if TYPE_CHECKING:
    from datetime import datetime

C = TypeVar("C")  # a kind of call

T = TypeVar("T")

Operation: TypeAlias = tuple[C, float, Callable[[C, Result[Any]], T]]
"""A call, the seconds for it, and what makes a receipt, or an exception, of its result."""

SPOOLED = "spooled"
"""The reason of an OK result of an event that no target has taken, and that is kept."""


def with_hint(
    conclude: Callable[[C, Result[Any]], T], name: str, names: Collection[str]
) -> Callable[[C, Result[Any]], T]:
    """Return `conclude`, which then also names the known name that is nearest to an unknown one.

    It is returned as it is for a known name, and where no names are known.
    """
    if name in names or not names:
        return conclude

    def with_nearest(call: C, result: Result[Any]) -> T:
        try:
            return conclude(call, result)
        except NotFound as error:
            near = did_you_mean(name, names)
            if near and near not in str(error):
                error.args = (f"{error}{near.replace('; d', ' D', 1)}",)
            raise

    return with_nearest


def then(conclude: Callable[[C, Result[Any]], T], read: Callable[[T], T]) -> Callable[[C, Any], T]:
    """Return what concludes a call, and reads what came of it as a type."""
    return lambda call, result: read(conclude(call, result))


def invoke_result(call: Invoke, result: Result[Json]) -> InvokeResult:
    """Return what `invoke` returns, or raise the call's error."""
    target = target_of(call, result)
    return InvokeResult(result.value, target, call.idempotency_key, result.attempts)


def enqueue_receipt(call: Enqueue, result: Result[None]) -> Receipt:
    """Return what `enqueue` returns, or raise the call's error."""
    target = target_of(call, result)
    return Receipt(Promise.ACCEPTED, target, call.idempotency_key, result.attempts)


def write_receipt(call: Call, result: Result[Any]) -> StoreReceipt:
    """Return the receipt of a write of an item or an object, or raise the call's error."""
    target = target_of(call, result)
    revision = result.value if call.verb in ("store", "put_object") else None
    return StoreReceipt(Promise.COMMITTED, target, revision, result.resolved, result.attempts)


def record_of(call: Load, result: Result[Stored | None], now: float) -> Record | None:
    """Return the record of `load_data`; None if it has expired by `now` (Unix seconds)."""
    target = target_of(call, result)
    stored = result.value
    if stored is None:
        return None
    if not (stored.foreign or dict(zip(*call.key, strict=True)).items() <= stored.item.items()):
        raise another_item(call, result)
    return record_from(stored, target, now, result.attempts)


def another_item(call: Call, result: Result[Any]) -> LeewardError:
    """Return the error of a read whose answer has the item of another key.

    A program of others may write another key into a document; but then the item is foreign.
    """
    message = (
        "the answer holds the item of another key; something between here and the table changes "
        "what passes, such as a cache or a proxy"
    )
    refusal = Result[Any](Outcome.UNUSABLE, reason="another_item", message=message)
    return _error_of(call, refusal._replace(target=result.target, attempts=result.attempts))


def record_from(
    stored: Stored, target: str, now: float, attempts: tuple[Attempt, ...] = ()
) -> Record | None:
    """Return an item as callers get it; None if it has expired by `now` (Unix seconds)."""
    if stored.expires_at is not None and stored.expires_at <= now:
        return None
    return Record(
        item=stored.item,
        revision=stored.revision,
        target=target,
        expires_at=None if stored.expires_at is None else _time_of(stored.expires_at),
        foreign=stored.foreign,
        attempts=attempts,
    )


def publish_receipt(call: Publish, result: Result[tuple[Result[None], ...]]) -> PublishReceipt:
    """Return what `publish_event` returns, or raise the event's error."""
    (event,), (entry,) = call.events, _results_of(call, result)
    if entry.outcome is not Outcome.OK:
        raise _event_error(call, entry, result.attempts)
    return PublishReceipt(_promise_of(entry), str(event.id), str(entry.target), result.attempts)


def publish_report(
    chunks: Sequence[tuple[Publish, Result[tuple[Result[None], ...]]]],
) -> PublishReport:
    """Return what `publish_events` returns: one entry for each event, in the order given."""
    entries: list[PublishEntry] = []
    attempts: list[Attempt] = []
    for call, result in chunks:
        attempts += result.attempts
        for event, event_result in zip(call.events, _results_of(call, result), strict=True):
            if event_result.outcome is Outcome.OK:
                entry = PublishEntry(str(event.id), _promise_of(event_result), event_result.target)
            else:
                alone = call._replace(events=(event,))  # others of the request may be published
                error = _event_error(alone, event_result, result.attempts)
                entry = PublishEntry(str(event.id), None, event_result.target, error)
            entries.append(entry)
    return PublishReport(tuple(entries), tuple(attempts))


def _promise_of(result: Result[None]) -> Promise:
    return Promise.SPOOLED if result.reason == SPOOLED else Promise.PUBLISHED


def _results_of(call: Publish, result: Result[tuple[Result[None], ...]]) -> tuple[Result[Any], ...]:
    """Return the result of each event: its own, or that of the whole request."""
    entries = result.value if result.outcome is Outcome.OK else None
    return entries or (result,) * len(call.events)


def _event_error(call: Publish, result: Result[Any], attempts: tuple[Attempt, ...]) -> CallError:
    # An event that was not sent went nowhere, whatever was tried for others.
    error = _error_of(call, result._replace(attempts=attempts if result.target else ()))
    if not isinstance(error, CallError):
        raise error
    return error


def _error_of(call: Call, result: Result[Any]) -> LeewardError:
    """Return the error of a result; calls that go well do without what makes its message."""
    from leeward._operations.errors import error_of

    return error_of(call, result)


def _time_of(seconds: float) -> datetime:
    from datetime import UTC, datetime

    try:
        return datetime.fromtimestamp(seconds, UTC)
    except (OverflowError, ValueError, OSError):  # another program's idea of "never"
        return datetime.max.replace(tzinfo=UTC)


def target_of(call: Call, result: Result[Any]) -> str:
    """Return where a call succeeded; raise the error of one that did not."""
    if result.outcome is not Outcome.OK:
        raise _error_of(call, result)
    if result.target is None:
        raise LeewardError(f"{call.verb} came back from no target; this is an error of leeward")
    return result.target
