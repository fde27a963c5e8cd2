"""Buses: who subscribes to what, and publishing to them."""

from __future__ import annotations

import json
from typing import Any, NamedTuple

from leeward.app.context import Function, check_callable
from leeward.app.handlers import Handler
from leeward.calls import Publish, Result
from leeward.cloudevents import from_json, to_json
from leeward.delivery.dispatcher import Accept
from leeward.delivery.rows import DeadDelivery, Message, Recipient
from leeward.errors import ConfigError, InvalidRequest, Outcome
from leeward.json_text import Undecodable, decode
from leeward.local.functions import QUEUED_CALL
from leeward.local.schema import DEEPEST
from leeward.masking import mask
from leeward.text import join_key
from leeward.values import Event


class Subscription(NamedTuple):
    """One subscriber of a bus; `type` None takes every event."""

    bus: str
    type: str | None
    name: str
    function: Function | Handler

    def takes(self, bus: str, event: Event) -> bool:
        """Return whether `event` on `bus` goes to this subscriber."""
        return self.bus == bus and self.type in {None, event.type}


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

    def __repr__(self) -> str:
        return mask(self, "bus event subscription attempts error id reason ran time")


class Bus:
    """Every bus of one target. A bus is there as soon as someone speaks of it."""

    def __init__(self, accept: Accept) -> None:
        """Take what keeps a row and has it delivered."""
        self._accept = accept
        self._subscriptions: dict[Recipient, Subscription] = {}

    @property
    def subscriptions(self) -> tuple[Subscription, ...]:
        """What is subscribed in this process, in the order of subscribing."""
        return tuple(self._subscriptions.values())

    def subscribe(
        self,
        bus: str,
        event_type: str | None,
        function: Function | Handler,
        name: str | None = None,
    ) -> None:
        """Subscribe `function`. Rows that an earlier process left under this name are its too.

        Raises:
            ConfigError: the name is taken on this bus, or `function` cannot be called here.
        """
        if isinstance(function, Handler):
            name = function.name
        else:
            check_callable(function, f"the subscriber of {bus!r}")
            name = name or _qualified_name(function, bus)
        recipient = Recipient(bus, name)
        if recipient in self._subscriptions:
            raise ConfigError(
                f"the bus {bus!r} has a subscription {name!r} already; give this one a name: "
                f'@cloud.subscribe("{bus}", name="...")'
            )
        self._subscriptions[recipient] = Subscription(bus, event_type, name, function)

    def publish(self, call: Publish, timeout: float) -> Result[tuple[Result[None], ...]]:
        """Keep one row for each event and subscriber, all in one transaction.

        Events without a subscriber in this process are dropped, as buses do.
        """
        messages: list[Message] = []
        results: list[Result[None]] = []
        for index, event in enumerate(call.events):
            try:
                document = json.dumps(to_json(event), allow_nan=False)
            except (TypeError, ValueError, RecursionError) as error:
                results.append(_not_json(index, error))
                continue
            results.append(Result.ok(None))
            messages += self._messages_for(call.bus, event, document)
        if messages:
            self._accept(messages, timeout)
        return Result.ok(tuple(results))

    def recipients(self) -> dict[Recipient, Function | Handler]:
        """Return the subscribers as recipients of events."""
        return {Recipient(each.bus, each.name): each.function for each in self.subscriptions}

    def _messages_for(self, bus: str, event: Event, document: str) -> list[Message]:
        key = join_key(event.source or "", event.id or "")
        return [
            Message(Recipient(bus, each.name), event.ordering_key, key, document)
            for each in self.subscriptions
            if each.takes(bus, event)
        ]


def dead_letter(dead: DeadDelivery) -> DeadLetter:
    """Return a row that was given up, as users see it."""
    bus, name = dead.recipient
    is_call = bus == QUEUED_CALL
    event = None if is_call else _readable(dead.document)
    error, message, _, reason, ran = dead.failure
    return DeadLetter(
        None if is_call else bus,
        event,
        name,
        dead.attempt,
        error,
        message,
        dead.id,
        dead.document,
        reason,
        ran,
        dead.died,
    )


def event_in(document: str) -> Event:
    """Return the event that a row holds.

    Raises:
        Undecodable, InvalidRequest: another program has made it unreadable.
    """
    attributes = decode(document, deepest=DEEPEST)
    if not isinstance(attributes, dict):
        raise Undecodable("an event is not a JSON object")
    return from_json(attributes)


def _readable(document: str) -> Event | None:
    try:
        return event_in(document)
    except (Undecodable, InvalidRequest):
        return None


def _qualified_name(function: Function, bus: str) -> str:
    name: Any = getattr(function, "__qualname__", None)
    if not isinstance(name, str):
        raise ConfigError(
            f"the subscriber of {bus!r} is a {type(function).__name__} without a name; give one: "
            f'@cloud.subscribe("{bus}", name="...")'
        )
    return name


def _not_json(index: int, error: Exception) -> Result[None]:
    return Result(
        Outcome.CALLER, message=f"events[{index}].data is neither JSON nor bytes", cause=error
    )
