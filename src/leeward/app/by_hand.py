"""A handler that is run by hand: an input as JSON, and one run, in this process.

It is what ``leeward trigger`` does. No queue, bus or store is asked, so nothing is tried again.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from leeward.app.answers import Answer
from leeward.app.app import App
from leeward.app.events import is_event
from leeward.app.handlers import Handler, answer
from leeward.app.triggers import Delivery, Input, Kind, Message, ObjectEvent, Platform, parse_time
from leeward.cloudevents import from_json, mint
from leeward.entropy import new_id
from leeward.errors import InvalidRequest
from leeward.json_text import Undecodable, decode
from leeward.text import did_you_mean
from leeward.values import Event, Json

SECONDS: Final = 60.0
"""What a run may take if its handler has no ``timeout``; `Client.invoke` waits as long."""

SOURCE: Final = "leeward/by-hand"  # the source of an event that names none


def find_handler(app: App, name: str) -> Handler:
    """Return the handler of a name.

    Raises:
        InvalidRequest: the app has none; the nearest name is in the message.
    """
    handler = app.handlers.get(name)
    if handler is None:
        names = f"; known: {', '.join(app.handlers) or 'none'}"
        raise InvalidRequest(
            f"the app {app.name!r} has no handler {name!r}"
            f"{did_you_mean(name, app.handlers) or names}",
            field="handler",
        )
    return handler


def run_by_hand(
    app: App, name: str, document: bytes, platform: Platform, *, idempotency_key: str = ""
) -> Answer:
    """Run a handler once with what `input_from` reads; its answer holds what it has raised."""
    handler = find_handler(app, name)
    now = platform.clock.now()
    call_id = new_id(now)
    delivery = Delivery(
        input_from(handler, document, now),
        call_id,
        idempotency_key or call_id,
        SECONDS if handler.timeout is None else handler.timeout,
        attempt=None if handler.is_call else 1,
        principal="local",
    )
    return answer(handler, delivery, platform)


def input_from(handler: Handler, document: bytes, now: float) -> Input:
    """Return the input of a handler, read from JSON.

    Args:
        handler: that it is for.
        document: JSON. For a function its payload, for a handler of messages the body. For a
            subscriber an event as CloudEvents has it, or only the event's data. For a schedule the
            time, or nothing for now. For a handler of objects at least ``{"key": NAME}``.
        now: Unix seconds.

    Raises:
        InvalidRequest: it is something else; the message says what it should be.
    """
    if handler.kind is Kind.CALL:
        _read(document or b"null", handler)
        return document
    if handler.kind is Kind.MESSAGE:
        return Message(handler.queue or handler.name, new_id(now), document)
    given = _read(document or b"null", handler)
    if handler.kind is Kind.EVENT:
        return _event(handler, given, now)
    if handler.kind is Kind.SCHEDULE:
        time = datetime.fromtimestamp(now, UTC) if given is None else parse_time(given)
        if time is None:
            raise _wrong(handler, 'must be a time such as "2026-01-31T06:00:00Z", or nothing')
        return time
    return _object(handler, given, now)


def _read(document: bytes, handler: Handler) -> Any:
    try:
        return decode(document)
    except Undecodable as error:
        raise _wrong(handler, f"is not JSON: {error}") from None


def _event(handler: Handler, given: Any, now: float) -> Event:
    if is_event(given):
        event = from_json(given)
        if not handler.takes(event):
            raise _wrong(handler, f"has another type than {handler.type!r}, which it takes")
        return event
    data: Json = given
    event = Event(handler.type or f"{handler.bus}.by-hand", data)
    return mint(event, id=new_id(now), source=SOURCE, now=now)


def _object(handler: Handler, given: Any, now: float) -> ObjectEvent:
    named: Mapping[str, Any] = {"key": given} if isinstance(given, str) else given
    if not isinstance(named, dict) or not isinstance(named.get("key"), str):
        raise _wrong(handler, f'must name an object: {{"key": "{handler.prefix}NAME"}}')
    unknown = sorted(named.keys() - {*ObjectEvent._fields})
    if unknown:
        fields = ", ".join(ObjectEvent._fields)
        near = did_you_mean(unknown[0], ObjectEvent._fields) or f"; known: {fields}"
        raise _wrong(handler, f"has an unknown field {unknown[0]!r}{near}")
    fields_of_event = {"bucket": handler.bucket, "version": new_id(now), **named}
    return ObjectEvent(**{**fields_of_event, "time": parse_time(named.get("time"))})


def _wrong(handler: Handler, why: str) -> InvalidRequest:
    kind = handler.kind.value
    return InvalidRequest(f"the input of the {kind} handler {handler.name!r} {why}", field="input")
