"""An app in this process: where its handlers are registered, and how one gets a delivery."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from leeward.app.app import App
from leeward.app.dead_letters import MessageStep, next_step, ran_in_any_attempt
from leeward.app.handlers import Handler, answer
from leeward.app.triggers import Delivery, Input, Kind, Message, Platform, object_event_from
from leeward.clock import Clock
from leeward.delivery.dispatcher import AttemptFailed
from leeward.delivery.rows import Delivery as Row
from leeward.errors import ConfigError
from leeward.json_text import decode
from leeward.local.bus import Bus, event_in
from leeward.local.functions import Functions
from leeward.local.object_events import ObjectEvents
from leeward.local.schedules import Schedules
from leeward.values import Event


def is_mounted(app: App, mounted: Iterable[App]) -> bool:
    """Return whether an app is one of those that run already.

    Raises:
        ConfigError: another one of its name does, such as that of a module which is run and
            imported.
    """
    known = {each.name: each for each in mounted}
    if known.get(app.name, app) is not app:
        raise ConfigError(
            f"an app {app.name!r} runs here already, as leeward.toml may say; give it once: there, "
            "or to the client"
        )
    return app.name in known


def mount(
    app: App, functions: Functions, bus: Bus, schedules: Schedules, objects: ObjectEvents
) -> None:
    """Register every handler of an app.

    Raises:
        ConfigError: a handler is wrong, or one of its names is taken.
    """
    app.check()
    for handler in app.handlers.values():
        if handler.is_call:
            functions.register(handler.name, handler)
        elif handler.kind is Kind.MESSAGE:
            functions.register(handler.queue or handler.name, handler)
        elif handler.kind is Kind.EVENT:
            bus.subscribe(handler.bus or "", handler.type, handler)
        elif handler.kind is Kind.SCHEDULE:
            schedules.add(handler)
    objects.add(each for each in app.handlers.values() if each.kind is Kind.OBJECT)


def most_attempts(function: object) -> int:
    """Return how many attempts at one row a handler wants made; 0 if it does not say."""
    retries = function.retries if isinstance(function, Handler) else None
    return 0 if retries is None else retries + 1


def deliver(handler: Handler, row: Row, deadline: float, clock: Clock) -> None:
    """Make one attempt to deliver a row.

    Args:
        handler: of the row's recipient.
        row: an event, or a queued call.
        deadline: on the clock's `monotonic`.
        clock: of the target.

    Raises:
        AttemptFailed: the handler has failed; it holds why, and whether to try again.
    """
    given = _input(handler, row)
    trace = given.extensions.get("traceparent") if isinstance(given, Event) else None
    delivery = Delivery(
        given,
        f"{row.id}-{row.attempt}",
        row.idempotency_key,
        deadline - clock.monotonic(),
        row.attempt,
        trace if isinstance(trace, str) else None,
        principal="local",
    )
    failure = answer(handler, delivery, Platform("local", None, clock)).failure
    if failure is not None and failure.cause is not None:
        step = next_step(failure, row.attempt, handler.retries, 0.0).step
        again = None if handler.retries is None else True
        raise AttemptFailed(
            failure.cause,
            again=False if step is MessageStep.DEAD_LETTER else again,
            reason=failure.reason,
            ran=ran_in_any_attempt(failure, None if row.unheard else row.attempt),
        )


def _input(handler: Handler, row: Row) -> Input:
    if handler.kind is Kind.EVENT:
        return event_in(row.document)
    if handler.kind is Kind.SCHEDULE:
        return datetime.fromisoformat(decode(row.document))
    if handler.kind is Kind.OBJECT:
        return object_event_from(decode(row.document))
    body = row.document.encode()
    if handler.kind is Kind.MESSAGE:
        return Message(row.recipient.subscriber, str(row.id), body)
    return body
