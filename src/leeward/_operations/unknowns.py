"""A table of calls with unknown outcome: ``unknowns`` of ``leeward.toml``.

It slows no call: one that ends unknown puts a few facts into a short queue, and a thread writes
them to the table. Rows that cannot be written are lost, and the log says so once.
``leeward unknown`` reads the table, and settles.

Payloads are secrets: they are written only with ``unknowns_payload``.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from itertools import islice
from typing import TYPE_CHECKING, Any, Final, TypeVar

from leeward._items.checks import checked_size
from leeward._operations.upkeep import make
from leeward.adapter import Capability
from leeward.calls import Call, Delete, Enqueue, Invoke, Publish, Result, Scan, Store, Stored
from leeward.cloudevents import document_of
from leeward.entropy import new_id
from leeward.envelope import NOT_KEPT
from leeward.errors import (
    CallError,
    ConfigError,
    FunctionError,
    Outcome,
    OutcomeUnknown,
    PayloadTooLarge,
)
from leeward.forking import Forkable, start_thread, watch
from leeward.logs import log_event
from leeward.masking import show_only
from leeward.records import NamedTuple
from leeward.values import Effect, Event, Item, PublishReport

if TYPE_CHECKING:
    from leeward._operations.operations import Operations

C = TypeVar("C", bound=Call)
T = TypeVar("T")

LOGGER = "leeward.unknowns"

KEPT_SECONDS: Final = 31 * 86_400.0
"""How long a table keeps an unknown call: as long as a void keeps a late delivery out."""

MOST_WAITING: Final = 1000  # calls that wait to be written; further ones are lost.

LARGEST_BODY: Final = 64 * 1024
"""Bytes of a payload or an item in the table; a larger one is left out."""

WRITE_SECONDS: Final = 10.0
CLOSE_SECONDS: Final = 2.0
"""Seconds for one write; and for all waiting rows when the client is closed."""

COUNT_SECONDS: Final = 60.0
MOST_COUNTED: Final = 1000  # after how many seconds the table is counted anew, and how far

_MAYBE: Final = frozenset({Outcome.AMBIGUOUS, Outcome.APP_ERROR})
"""Outcomes of an attempt that may have run."""


@show_only("id verb subject targets sent time voids reason error")
class UnknownCall(NamedTuple):
    """A call that ended with unknown outcome.

    Attributes:
        verb: ``invoke``, ``enqueue``, ``publish``, ``store`` or ``delete``.
        key: its idempotency key; the event's id; the values of the item's key.
        targets: where it may have run.
        sent: Unix seconds when it was made; 0 if unknown.
        time: Unix seconds when it ended.
        voids: of its key, that it knew.
        reason: why it is unknown, a stable word, or None.
        error: class of what its caller got.
        facts: the other fields of its call by name, without its content.
        body: its payload in JSON, the event in JSON, or None.
    """

    id: str
    verb: str
    subject: str
    key: tuple[str, ...]
    targets: tuple[str, ...]
    sent: float
    time: float
    voids: int = 0
    reason: str | None = None
    error: str = OutcomeUnknown.__name__
    facts: dict[str, Any] = {}  # noqa: RUF012 - never changed
    body: bytes | None = None
    item: Item | None = None

    @property
    def has_payload(self) -> bool:
        """Whether the payload is in the table."""
        return self.body is not None or self.item is not None


def is_unsettled(call: Call, error: CallError, table: str) -> bool:
    """Return whether an error leaves a call unknown, so that settling makes sense."""
    if isinstance(error, FunctionError):
        by_handler = error.retryable is not None  # another one's failures would fill the table
        is_keyed = isinstance(call, Invoke) and call.effect is Effect.KEYED
        return error.ran == "maybe" and by_handler and is_keyed
    if not isinstance(error, OutcomeUnknown) or not error.attempts or error.reason == NOT_KEPT:
        return False
    if isinstance(call, Store | Delete):
        return call.table != table
    if isinstance(call, Invoke | Enqueue):
        return call.effect is not Effect.READ_ONLY
    return isinstance(call, Publish)


def unknown_calls(
    call: Call, error: CallError, now: float, *, with_payload: bool
) -> Iterator[UnknownCall]:
    """Yield the rows of a call: one, or one for each event of a publish."""
    targets = [attempt.target for attempt in error.attempts if attempt.outcome in _MAYBE]
    common = UnknownCall(
        new_id(now),
        str(call.verb),
        str(call[0]),
        (),
        tuple(dict.fromkeys(targets)),
        now,
        now,
        reason=error.reason,
        error=type(error).__name__,
    )
    facts: dict[str, Any]
    match call:
        case Invoke() | Enqueue():
            facts = {"effect": call.effect.value, "shared_dedup": bool(call.shared_dedup)}
            voids = call.voids if isinstance(call, Invoke) else 0
            body = call.payload if with_payload and len(call.payload) <= LARGEST_BODY else None
            key = (call.idempotency_key,)
            yield common._replace(key=key, sent=call.sent, voids=voids, facts=facts, body=body)
        case Publish():
            for event in call.events:
                document = document_of(event) if with_payload else b""
                body = document if 0 < len(document) <= LARGEST_BODY else None
                facts = {"source": event.source, "type": event.type}
                key = (str(event.id),)
                yield common._replace(id=new_id(now), key=key, facts=facts, body=body)
        case Store():
            facts = {
                "fields": [*call.key.fields],
                "write_id": call.write_id,
                "if_absent": call.if_absent,
                "if_revision": call.if_revision,
                "expires_at": call.expires_at and round(call.expires_at * 1000),
            }
            is_kept = with_payload and checked_size(call.item).bytes <= LARGEST_BODY
            item = call.item if is_kept else None
            yield common._replace(key=call.key.values, sent=call.now, facts=facts, item=item)
        case Delete():
            facts = {
                "fields": [*call.key.fields],
                "write_id": call.write_id,
                "if_revision": call.if_revision,
            }
            yield common._replace(key=call.key.values, sent=call.now, facts=facts)


def item_of(unknown: UnknownCall, field: str) -> Item:
    """Return the item that keeps an unknown call; `field` is the table's key. Times are in ms."""
    item: Item = {
        field: unknown.id,
        "verb": unknown.verb,
        "subject": unknown.subject,
        "key": [*unknown.key],
        "targets": [*unknown.targets],
        "sent": round(unknown.sent * 1000),
        "time": round(unknown.time * 1000),
        "voids": unknown.voids,
        "reason": unknown.reason,
        "error": unknown.error,
        "facts": unknown.facts,
    }
    if unknown.body is not None:
        item["body"] = unknown.body.decode()
    if unknown.item is not None:
        item["item"] = unknown.item
    return item


class UnknownKeeper(Forkable):
    """Writes unknown calls of one client to its table, on a thread while there are some."""

    def __init__(self, operations: Operations, table: str, *, with_payload: bool) -> None:
        key = operations.table(table).key
        if len(key) > 1:
            raise ConfigError(
                f"unknowns names the table {table!r}, whose key has two fields; name a table with "
                "a key of one"
            )
        self.table, self.field = table, key[0]
        self._operations = operations
        self._with_payload = with_payload
        self._open: int | None = None
        self._counted = -COUNT_SECONDS
        self._begin()
        watch(self)

    def _begin(self) -> None:
        self._lock = threading.Lock()
        self._waiting: deque[UnknownCall] = deque()
        self._thread: threading.Thread | None = None
        self._is_count_due = self._has_failed = self._is_closed = False

    def watch(self, conclude: Callable[[C, Result[Any]], T]) -> Callable[[C, Result[Any]], T]:
        """Return `conclude`, which then also writes a call with unknown outcome to the table."""

        def conclude_and_note(call: C, result: Result[Any]) -> T:
            try:
                return conclude(call, result)
            except CallError as error:
                self.note(call, error)
                raise

        return conclude_and_note

    def note_events(self, bus: str, events: Sequence[Event], report: PublishReport) -> None:
        """Write each event of a report that may have been published."""
        for event, entry in zip(events, report.entries, strict=True):
            if entry.error is not None:
                self.note(Publish(bus, (event,)), entry.error)

    def note(self, call: Call, error: CallError) -> None:
        """Queue the rows of a call with unknown outcome. It never waits or raises.

        The queue holds no call itself: a payload may be large.
        """
        with suppress(Exception):
            if not is_unsettled(call, error, self.table):
                return
            now = self._operations.clock.now()
            for unknown in unknown_calls(call, error, now, with_payload=self._with_payload):
                self._queue(unknown)

    def _queue(self, unknown: UnknownCall) -> None:
        with self._lock:
            is_full = self._is_closed or len(self._waiting) >= MOST_WAITING
            if not is_full:
                self._waiting.append(unknown)
        if is_full:
            self._log_once("full")
        else:
            self._start()

    def open_count(self) -> int | None:
        """Return the last count of calls in the table; None if there was none.

        After a minute a thread counts again, unless the client is closed.
        """
        now = self._operations.clock.monotonic()
        with self._lock:
            is_due = now - self._counted >= COUNT_SECONDS and not self._is_closed
            if is_due:
                self._counted, self._is_count_due = now, True
        if is_due:
            self._start()
        return None if self._is_closed else self._open

    def close(self) -> None:
        """Accept nothing more; wait two seconds at most until the queue is written."""
        thread = self._thread
        if thread is not None:
            thread.join(CLOSE_SECONDS)
        self.end()

    def end(self) -> None:
        """Stop accepting, and finish only the write under way."""
        with self._lock:
            self._is_closed, lost = True, bool(self._waiting)
            self._waiting.clear()
        if lost:
            self._log_once("closed")

    def renew(self, *, held: bool) -> None:
        """Start again in a child: the parent writes the waiting rows."""
        del held
        self._begin()

    def _start(self) -> None:
        """Start the thread, if it does not run."""
        with self._lock:
            if self._thread is not None:
                return
            thread = threading.Thread(target=self._run, name="leeward-unknowns", daemon=True)
            self._thread = thread
        if not start_thread(thread):
            with self._lock:
                self._thread = None
            self._log_once("no_thread")

    def _run(self) -> None:
        while True:
            with self._lock:
                unknown = self._waiting.popleft() if self._waiting else None
                is_count_due, self._is_count_due = self._is_count_due, False
                if unknown is None and not is_count_due:
                    self._thread = None
                    return
            try:
                if unknown is not None:
                    self._write(unknown)
                if is_count_due:
                    rows = islice(scan_rows(self._operations, self.table), MOST_COUNTED)
                    self._open = sum(1 for _ in rows)
            except Exception as error:  # noqa: BLE001 - it is best effort, and the log says so
                self._log_once(type(error).__name__)

    def _write(self, unknown: UnknownCall) -> None:
        operations = self._operations
        try:
            call, seconds, finish = self._store(unknown)
        except PayloadTooLarge:  # nested as deep as an item may be, and now one level deeper
            call, seconds, finish = self._store(unknown._replace(body=None, item=None))
        finish(call, operations.router.perform(call, seconds))
        if self._open is not None:
            self._open += 1

    def _store(self, unknown: UnknownCall) -> Any:
        operations, item = self._operations, item_of(unknown, self.field)
        homes = operations.router.candidates(Scan(self.table))
        expires = all(Capability.EXPIRY in operations.drivers[at].capabilities for at in homes)
        return operations.store_data(
            self.table,
            item,
            if_absent=False,
            if_revision=None,
            expires_in=KEPT_SECONDS if expires else None,
            timeout=WRITE_SECONDS,
        )

    def _log_once(self, why: str) -> None:
        """Log the first failure: the table is likely to fail with every call."""
        with self._lock:
            if self._has_failed:
                return
            self._has_failed = True
        with suppress(Exception):
            log_event(LOGGER, "warning", "unknown_not_kept", table=self.table, why=why)


def scan_rows(operations: Operations, table: str) -> Iterator[Stored]:
    """Yield the items of a table that have not expired; raise `LeewardError` for no table."""
    cursor = None
    while True:
        page = make(operations, Scan(table, cursor), WRITE_SECONDS)
        now = operations.clock.now()
        for stored in page.items:
            if stored.expires_at is None or stored.expires_at > now:
                yield stored
        cursor = page.cursor
        if cursor is None:
            return
