"""Events are checked, completed, measured, and split into requests."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from leeward import items
from leeward.adapter import Limits
from leeward.cloudevents import Written, check, document_of, mint, write
from leeward.entropy import new_id
from leeward.errors import InvalidRequest, PayloadTooLarge
from leeward.operations.limits import OrderLimits
from leeward.operations.traces import in_trace
from leeward.values import Event


def complete(
    events: Sequence[Event], field: str, source: str, limits: OrderLimits, now: float
) -> list[Written]:
    """Check every event and fill in what is None; the first wrong one is refused.

    `field` names the argument: ``event`` for a single one, else ``events``. `now` is Unix seconds.
    """
    if isinstance(events, Event | str | bytes) or not isinstance(events, Sequence):
        raise InvalidRequest(
            f"{field} must be a list of leeward.Event, not {type(events).__name__}; write "
            "[event, ...]",
            field=field,
        )
    several = field == "events"
    return [
        _completed(event, f"{field}[{index}]" if several else field, source, limits, now)
        for index, event in enumerate(events)
    ]


def in_chunks(events: Sequence[Event], limits: Limits) -> list[tuple[Event, ...]]:
    """Split events, in order, by number and bytes of what one request may hold.

    A request holds one ordering key, or none: a bus that keeps order takes no other, and then an
    event that fails holds up its own key alone.
    """
    chunks: list[tuple[Event, ...]] = []
    chunk: list[Event] = []
    room = limits.batch_bytes
    for event in events:
        size = len(document_of(event))
        full = len(chunk) == limits.batch_events or size > room
        if chunk and (full or event.ordering_key != chunk[-1].ordering_key):
            chunks.append(tuple(chunk))
            chunk, room = [], limits.batch_bytes
        chunk.append(event)
        room -= size
    return [*chunks, tuple(chunk)] if chunk else chunks


def _completed(event: Event, field: str, source: str, limits: OrderLimits, now: float) -> Written:
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
    written = write(mint(in_trace(event), id=new_id(now), source=source, now=now))
    _check_size(written, field, limits)
    return written


def _check_size(event: Event, field: str, limits: OrderLimits) -> None:
    size = len(document_of(event))
    if size > limits.smallest.attribute_bytes:  # else no part of it can be larger
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
