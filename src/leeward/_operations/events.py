"""The operations of events as values; events are checked, completed, measured, and split."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from leeward._items.json_checks import check_json
from leeward._operations import arguments, results
from leeward._operations.arguments import OrderLimits
from leeward.adapter import Limits
from leeward.calls import Call, Publish, Result
from leeward.clock import Clock
from leeward.cloudevents import WrittenEvent, check, document_of, mint, write
from leeward.config import BusConfig, Config
from leeward.entropy import new_id, new_ids
from leeward.errors import InvalidRequest, Outcome
from leeward.values import Event, PublishReceipt, PublishReport
from leeward.watching import in_trace

if TYPE_CHECKING:
    from leeward._operations.protocols import UnknownWatcher
    from leeward._operations.results import Operation


EVENT_TIMEOUT: Final = 10.0  # seconds: the deadline of a call that names none
_ANY_BUS: Final = BusConfig()  # what holds for a bus that is not configured

Results: TypeAlias = Result[tuple[Result[None], ...]]
"""The result of one request: one outcome for all its events, or one for each."""

_HELD_BACK: Results = Result(
    Outcome.LOCAL, reason="held_back", message="an earlier event of the same ordering key failed"
)

_TOO_LATE: Results = Result(
    Outcome.LOCAL, reason="deadline", message="the deadline passed before it was sent"
)


class EventOperations:
    """The operations of one client on events; `unknowns` leaves events of unknown outcome."""

    def __init__(
        self,
        config: Config,
        limits: OrderLimits,
        clock: Clock,
        check: Callable[[Call], None],
        unknowns: UnknownWatcher | None = None,
    ) -> None:
        self._source = config.source
        self._buses = config.buses
        self._limits = limits
        self._clock = clock
        self._check = check
        self._unknowns = unknowns
        self._published: Callable[[Publish, Result[Any]], PublishReceipt] = results.publish_receipt
        if unknowns is not None:
            self._published = unknowns.watch(self._published)

    def publish_event(
        self, bus: str, event: Event, timeout: float | None
    ) -> Operation[Publish, PublishReceipt]:
        """Publish one event."""
        arguments.check_name(bus, "bus")
        now, limits = self._clock.now(), self._limits
        source = self._source
        done = complete_event(event, "event", limits, id=new_id(now), source=source, now=now)
        call = Publish(bus, (done,))
        seconds = self._seconds(bus, timeout)
        self._check(call)
        return call, seconds, results.with_hint(self._published, bus, self._buses)

    def publish_events(
        self, bus: str, events: Sequence[Event], timeout: float | None, *, keeps_late: bool = False
    ) -> Generator[tuple[Publish, float], Result[Any], PublishReport]:
        """Publish many events, request by request, until the deadline.

        The one operation of several calls: it yields each with the seconds for it, is sent its
        result, and returns the report. With `keeps_late` it yields those after the deadline, too,
        with no seconds, for whoever keeps them.
        """
        arguments.check_name(bus, "bus")
        done = complete(events, self._source, self._limits, self._clock.now())
        requests = [Publish(bus, chunk) for chunk in in_chunks(done, self._limits.smallest)]
        deadline = self._clock.monotonic() + self._seconds(bus, timeout)
        for request in requests:
            self._check(request)
        batch = send_in_order(requests)
        try:
            request = next(batch)
            while True:
                left = deadline - self._clock.monotonic()
                makes = left > 0 or keeps_late
                request = batch.send((yield request, left) if makes else None)
        except StopIteration as end:
            report = results.publish_report(end.value)
            if self._unknowns is not None:
                self._unknowns.note_events(bus, done, report)
            return report

    def _seconds(self, bus: str, timeout: float | None) -> float:
        if timeout is not None:
            return arguments.check_timeout(timeout)
        configured = self._buses.get(bus) or _ANY_BUS
        return configured.timeout or EVENT_TIMEOUT


def send_in_order(
    chunks: Sequence[Publish],
) -> Generator[Publish, Results | None, list[tuple[Publish, Results]]]:
    """Yield each request that is to be sent, and be sent its result, or None for no time left.

    Returns every chunk with the results of its events, those held back included.
    """
    failed_keys: set[str] = set()
    done: list[tuple[Publish, Results]] = []
    for chunk in chunks:
        key = chunk.events[0].ordering_key  # that of all its events
        if key in failed_keys:
            done.append((chunk, _HELD_BACK))
            continue
        results = (yield chunk) or _TOO_LATE
        done.append((chunk, results))
        entries = results.value if results.outcome is Outcome.OK else None
        if key is not None and (
            entries is None or any(entry.outcome is not Outcome.OK for entry in entries)
        ):
            failed_keys.add(key)
    return done


def complete(
    events: Sequence[Event], source: str, limits: OrderLimits, now: float
) -> list[WrittenEvent]:
    """Check every event and fill in what is None; the first wrong one is refused.

    `now` is Unix seconds.
    """
    if isinstance(events, Event | str | bytes) or not isinstance(events, Sequence):
        raise InvalidRequest(
            f"events must be a list of leeward.Event, not {type(events).__name__}; write "
            "[event, ...]",
            field="events",
        )
    return [
        complete_event(event, f"events[{index}]", limits, id=id, source=source, now=now)
        for index, (event, id) in enumerate(zip(events, new_ids(now, len(events)), strict=True))
    ]


def in_chunks(events: Sequence[Event], limits: Limits) -> list[tuple[Event, ...]]:
    """Split events, in order, by number and bytes of what one request may hold.

    A request holds one ordering key, or none: a bus that keeps order takes no other, and then an
    event that fails holds up its own key alone.
    """
    chunks: list[tuple[Event, ...]] = []
    chunk: list[Event] = []
    count, room, key = limits.batch_events, limits.batch_bytes, None
    for event in events:
        size = len(document_of(event))
        if chunk and (len(chunk) == count or size > room or event.ordering_key != key):
            chunks.append(tuple(chunk))
            chunk, room = [], limits.batch_bytes
        chunk.append(event)
        room, key = room - size, event.ordering_key
    return [*chunks, tuple(chunk)] if chunk else chunks


def complete_event(
    event: Event, field: str, limits: OrderLimits, *, id: str, source: str, now: float
) -> WrittenEvent:
    """Check one event, which the caller gave as `field`, and fill in what is None."""
    if not isinstance(event, Event):
        raise InvalidRequest(
            f"{field} must be a leeward.Event, not {type(event).__name__}", field=field
        )
    if isinstance(event.type, Event):
        raise InvalidRequest(
            f"{field}.type is an Event; publish a whole Event with publish_events(bus, [event])",
            field=f"{field}.type",
        )
    check(event, field)
    if not isinstance(event.data, bytes):
        check_json(event.data, f"{field}.data")
    written = write(mint(in_trace(event), id=id, source=source, now=now))
    size, limit = len(document_of(written)), limits.smallest
    if size > limit.attribute_bytes or size > limit.event_bytes:  # else no part of it can be larger
        _refuse_size(written, size, field, limits)
    return written


def _refuse_size(event: Event, size: int, field: str, limits: OrderLimits) -> None:
    """Raise `PayloadTooLarge` if an attribute, or the whole, is larger than a target takes."""
    if size > limits.smallest.attribute_bytes:
        for attribute in ("id", "source", "type", "subject", "ordering_key"):
            _check_attribute(getattr(event, attribute), f"{field}.{attribute}", limits)
        for attribute, value in event.extensions.items():
            _check_attribute(value, f"{field}.extensions[{attribute!r}]", limits)
    remedy = "; store the data and publish its key instead"
    limits.check(size, "event_bytes", f"{field} has", remedy, field=field)


def _check_attribute(value: Any, field: str, limits: OrderLimits) -> None:
    size = len(value.encode()) if isinstance(value, str) else 0
    remedy = " in an event attribute; move it into data"
    limits.check(size, "attribute_bytes", f"{field} has", remedy, field=field)
