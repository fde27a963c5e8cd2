"""The operations of events as values; events are checked, completed, measured, and split."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from typing import TYPE_CHECKING, Any, Final

from leeward import items
from leeward.adapter import Call, Limits, Publish, Result
from leeward.clock import Clock
from leeward.cloudevents import WrittenEvent, check, document_of, mint, write
from leeward.config import BusConfig, Config
from leeward.entropy import new_id, new_ids
from leeward.errors import InvalidRequest, PayloadTooLarge
from leeward.operations import arguments, results
from leeward.operations.batches import send_in_order
from leeward.operations.limits import OrderLimits
from leeward.operations.traces import in_trace
from leeward.values import Event, PublishReceipt, PublishReport

if TYPE_CHECKING:
    from leeward.operations.operations import Operation


EVENT_TIMEOUT: Final = 10.0
"""Seconds: the deadline of a call that names none."""

_ANY_BUS: Final = BusConfig()
"""What holds for a bus that is not configured."""


class EventOperations:
    """The operations of one client on events.

    Args:
        config: names the source of its events, and configures buses.
        limits: of the order.
        clock: gives the time.
        check: refuses a call that cannot be served.
    """

    def __init__(
        self, config: Config, limits: OrderLimits, clock: Clock, check: Callable[[Call], None]
    ) -> None:
        self._source = config.source
        self._buses = config.buses
        self._limits = limits
        self._clock = clock
        self._check = check

    def publish_event(
        self, bus: str, event: Event, timeout: float | None
    ) -> Operation[Publish, PublishReceipt]:
        """Publish one event."""
        arguments.check_name(bus, "bus")
        now, limits = self._clock.now(), self._limits
        source = self._source
        done = completed(event, "event", limits, id=new_id(now), source=source, now=now)
        call = Publish(bus, (done,))
        seconds = self._seconds(bus, timeout)
        self._check(call)
        if bus in self._buses or not self._buses:
            return call, seconds, results.published
        return call, seconds, results.with_hint(results.published, bus, self._buses)

    def publish_events(
        self, bus: str, events: Sequence[Event], timeout: float | None
    ) -> Generator[tuple[Publish, float], Result[Any], PublishReport]:
        """Publish many events, request by request, until the deadline.

        The one operation of several calls: it yields each with the seconds for it, is sent its
        result, and returns the report.
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
                request = batch.send((yield request, left) if left > 0 else None)
        except StopIteration as end:
            return results.report(end.value)

    def _seconds(self, bus: str, timeout: float | None) -> float:
        if timeout is not None:
            return arguments.check_timeout(timeout)
        configured = self._buses.get(bus) or _ANY_BUS
        return configured.timeout or EVENT_TIMEOUT


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
        completed(event, f"events[{index}]", limits, id=id, source=source, now=now)
        for index, (event, id) in enumerate(zip(events, new_ids(now, len(events)), strict=True))
    ]


def in_chunks(events: Sequence[Event], limits: Limits) -> list[tuple[Event, ...]]:
    """Split events, in order, by number and bytes of what one request may hold.

    A request holds one ordering key, or none: a bus that keeps order takes no other, and then an
    event that fails holds up its own key alone.
    """
    chunks: list[tuple[Event, ...]] = []
    chunk: list[Event] = []
    most, room, key = limits.batch_events, limits.batch_bytes, None
    for event in events:
        size = len(document_of(event))
        if chunk and (len(chunk) == most or size > room or event.ordering_key != key):
            chunks.append(tuple(chunk))
            chunk, room = [], limits.batch_bytes
        chunk.append(event)
        room, key = room - size, event.ordering_key
    return [*chunks, tuple(chunk)] if chunk else chunks


def completed(
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
        items.check_json(event.data, f"{field}.data")
    written = write(mint(in_trace(event), id=id, source=source, now=now))
    size, most = len(document_of(written)), limits.smallest
    if size > most.attribute_bytes or size > most.event_bytes:  # else no part of it can be larger
        _refuse_size(written, size, field, limits)
    return written


def _refuse_size(event: Event, size: int, field: str, limits: OrderLimits) -> None:
    """Raise `PayloadTooLarge` if an attribute, or the whole, is larger than a target takes."""
    if size > limits.smallest.attribute_bytes:
        _check_attributes(event, field, limits)
    if size > limits.smallest.event_bytes:
        raise PayloadTooLarge(
            f"{field} has {size} bytes, and {limits.takes('event_bytes')}; store the data and "
            "publish its key instead",
            field=field,
        )


def _check_attributes(event: Event, field: str, limits: OrderLimits) -> None:
    for attribute in ("id", "source", "type", "subject", "ordering_key"):
        _check_attribute(getattr(event, attribute), f"{field}.{attribute}", limits)
    for attribute, value in event.extensions.items():
        _check_attribute(value, f"{field}.extensions[{attribute!r}]", limits)


def _check_attribute(value: Any, field: str, limits: OrderLimits) -> None:
    size = len(value.encode()) if isinstance(value, str) else 0
    if size > limits.smallest.attribute_bytes:
        raise PayloadTooLarge(
            f"{field} has {size} bytes, and {limits.takes('attribute_bytes')} in an event "
            "attribute; move it into data",
            field=field,
        )
