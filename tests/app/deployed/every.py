"""An app with a handler of every kind, each of which tells what it was given."""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from leeward import App, Context, Event
from leeward.app import Message, ObjectEvent, Problem

app = App("every")
_seen: list[Any] = []


@dataclass
class Order:
    """What `order` takes."""

    id: str
    qty: int = 1


@app.warm
def opened() -> int:
    """Open something once for a process."""
    return os.getpid()


def note(what: object, context: Context) -> None:
    """Note what a handler was given, for `seen`."""
    _seen.append(
        [
            context.function,
            what,
            context.idempotency_key,
            context.attempt,
            context.provider,
            context.trace,
        ]
    )


@app.function()
def seen() -> list[Any]:
    """Return what the handlers were given since the last look."""
    found = list(_seen)
    _seen.clear()
    return found


@app.function()
def echo(payload: Any, context: Context) -> Any:
    """Return the payload."""
    note(None, context)
    return payload


@app.function()
def order(order: Order, context: Context) -> dict[str, Any]:
    """Return what was read."""
    note(order.id, context)
    return {"order": order, "left": context.remaining() > 0, "opened": opened() == os.getpid()}


@app.function()
async def later(payload: Any) -> Any:
    """Return the payload, from a coroutine."""
    return payload


@app.function(final=[LookupError])
def fail(how: dict[str, Any]) -> Any:
    """Raise, or return what is not an answer."""
    if how.get("problem"):
        raise Problem("sold out", reason="sold_out", status=409, retry_after=3, retryable=False)
    if how.get("large"):
        return "\u00e9" * how["large"]
    if how.get("exit"):
        raise SystemExit(how["canary"])
    raise ValueError(how["canary"])


@app.on_event("orders", "order.created")
def created(event: Event, context: Context) -> None:
    """Take in one type of events."""
    note([event.type, event.data, event.subject], context)
    if event.subject == "fail":
        raise ValueError("canary-8e03")


@app.on_event("objects")
def stored(event: Event, context: Context) -> None:
    """Take in every event of a bus that has no type of ours."""
    if event.type != "order.created":
        note([event.type, event.source, event.subject], context)


@app.on_message("parcels")
def send(parcel: dict[str, Any], context: Context) -> None:
    """Handle a message."""
    note(parcel, context)
    if parcel.get("fail"):
        raise ValueError("canary-8e03")


@app.on_message("raw", name="raw")
def take_raw(message: Message, context: Context) -> None:
    """Handle a message as it is."""
    note([message.queue, message.body.decode(), dict(message.attributes)], context)


@app.on_object("inbox", prefix="in/", writes="inbox/out/", retries=2, final=[LookupError])
def arrive(arrived: ObjectEvent, context: Context) -> None:
    """Take in an object."""
    note([*arrived[:6], arrived.revision], context)
    if "fail" in arrived.key:
        raise ValueError("canary-8e03")
    if "poison" in arrived.key:
        raise LookupError("canary-8e03")


@app.on_object("direct", queued=False)
def arrive_directly(arrived: ObjectEvent, context: Context) -> None:
    """Take in an object of which the cloud tells without a queue."""
    note([arrived.bucket, arrived.key, arrived.version], context)


@app.on_schedule("*/5 * * * *")
def sweep(time: datetime, context: Context) -> None:
    """Run at times."""
    note(time.isoformat(), context)
