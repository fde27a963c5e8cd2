"""Buses: which handlers subscribe to what, and publishing to them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from typing import TypeAlias

from leeward._delivery.dispatcher import Accept
from leeward.app.handlers import Handler
from leeward.calls import Publish, Result
from leeward.cloudevents import from_json, to_json
from leeward.errors import ConfigError, InvalidRequest, Outcome
from leeward.json_text import DEEPEST, Undecodable, decode
from leeward.masking import show_data
from leeward.records import NamedTuple
from leeward.stores import QUEUED_CALL, DeadRow, NewRow, Recipient, Taker
from leeward.text import join_key
from leeward.values import Event


@show_data("bus event subscription attempts error id reason ran time")
class DeadLetter(NamedTuple):
    """A delivery that was given up.

    Attributes:
        bus: None for a queued call of a function.
        event: None for a queued call, and where another program has made it unreadable.
        subscription: name of the subscription; of the function, for a queued call.
        attempts: how many were made.
        error: class name of the last exception; ``LeaseExpired`` if the last attempt never ended,
            ``UnreadableRow`` for what another program has written, or damaged.
        message: text of the last exception. It may repeat what was delivered, so it is only here:
            neither in a log nor in the `repr` of this.
        id: with which `Local.redrive` finds it.
        document: the event or the payload, as JSON.
        reason: the failure's own word, or None.
        ran: ``no``, ``maybe`` or ``yes``: whether an attempt has had an effect.
        time: Unix seconds at which it was given up; None where that is not known.
    """

    bus: str | None
    event: Event | None
    subscription: str
    attempts: int
    error: str
    message: str | None = None
    id: int = 0
    document: str = ""
    reason: str | None = None
    ran: str = "maybe"
    time: float | None = None


NameOf: TypeAlias = Callable[[Recipient], Recipient]
"""Returns the recipient that a handler is in the store, by its own name."""


class Bus:
    """Every bus of one target. A bus is there as soon as someone speaks of it."""

    def __init__(
        self, accept: Accept, name_of: NameOf, list_takers: Callable[[float], Iterable[Taker]]
    ) -> None:
        """Begin without subscribers; `accept` keeps the rows of events."""
        self._accept, self._name_of, self._list_takers = accept, name_of, list_takers
        self._handlers: dict[Recipient, Handler] = {}

    @property
    def subscriptions(self) -> tuple[Handler, ...]:
        """The handlers of events of this process, in the order of subscribing."""
        return tuple(self._handlers.values())

    def subscribe(self, handler: Handler) -> None:
        """Subscribe a handler; rows that an earlier process left under its name are its too."""
        recipient = Recipient(handler.bus or "", handler.name)
        if recipient in self._handlers:
            raise ConfigError(
                f"the bus {handler.bus!r} has a subscription {handler.name!r} already; give this "
                f'one a name: @cloud.subscribe("{handler.bus}", name="...")'
            )
        self._handlers[recipient] = handler

    def publish(self, call: Publish, timeout: float) -> Result[tuple[Result[None], ...]]:
        """Keep one row for each event and subscriber, all in one transaction.

        Those of other processes count, too, and of other versions of the app. Events without a
        subscriber are dropped, as buses do.
        """
        all_ = [
            Taker(self._name_of(handler), one.type)
            for handler, one in self._handlers.copy().items()
            if handler.bus == call.bus
        ]
        all_ += [taker for taker in self._list_takers(timeout) if taker.recipient.bus == call.bus]
        rows: list[NewRow] = []
        results: list[Result[None]] = []
        for index, event in enumerate(call.events):
            try:
                document = json.dumps(to_json(event), allow_nan=False)
            except (TypeError, ValueError, RecursionError) as error:
                problem = f"events[{index}].data is neither JSON nor bytes"
                results.append(Result(Outcome.CALLER, message=problem, cause=error))
                continue
            results.append(Result.ok(None))
            key = join_key(event.source or "", event.id or "")
            takers = {taker.recipient: None for taker in all_ if taker.type in (None, event.type)}
            rows += [NewRow(recipient, event.ordering_key, key, document) for recipient in takers]
        if rows:
            self._accept(rows, timeout)
        return Result.ok(tuple(results))

    def recipients(self) -> dict[Recipient, Handler]:
        """Return the handlers by the recipients of rows that they stand for."""
        return self._handlers.copy()


def to_dead_letter(dead: DeadRow) -> DeadLetter:
    """Return a row that was given up, as users see it."""
    bus, name = dead.recipient
    is_call = bus == QUEUED_CALL
    document = dead.document or ""
    event = None if is_call else _readable(document)
    failure = dead.failure
    return DeadLetter(
        None if is_call else bus,
        event,
        name,
        dead.attempt,
        failure.error,
        failure.message,
        dead.id,
        document,
        failure.reason,
        failure.ran,
        dead.died,
    )


def read_event(document: str) -> Event:
    """Return the event that a row holds; raise `Undecodable` or `InvalidRequest` for no event."""
    attributes = decode(document, deepest=2 * DEEPEST)
    if not isinstance(attributes, dict):
        raise Undecodable("an event is not a JSON object")
    return from_json(attributes)


def _readable(document: str) -> Event | None:
    try:
        return read_event(document)
    except (Undecodable, InvalidRequest):
        return None
