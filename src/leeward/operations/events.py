"""Events are checked, completed, measured, and split into requests."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from leeward import items
from leeward.adapter import Limits
from leeward.cloudevents import Written, check, document_of, mint, write
from leeward.entropy import new_ids
from leeward.errors import InvalidRequest, PayloadTooLarge
from leeward.operations.limits import OrderLimits
from leeward.operations.traces import in_trace
from leeward.values import Event


def complete(
    events: Sequence[Event], source: str, limits: OrderLimits, now: float
) -> list[Written]:
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
) -> Written:
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
