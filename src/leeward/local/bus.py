"""Buses: who subscribes to what, and publishing to them."""

from __future__ import annotations

import json
from typing import Any, NamedTuple

from leeward.adapter import Publish, Result
from leeward.cloudevents import from_json, to_json
from leeward.errors import ConfigError, InvalidRequest, Outcome
from leeward.local.deliveries import QUEUED_CALL, Address, Dead, Posting
from leeward.local.dispatch import Accept, Handler
from leeward.local.functions import Function, check_callable, run
from leeward.values import Event


class Subscription(NamedTuple):
    """One subscriber of a bus; `type` None takes every event."""

    bus: str
    type: str | None
    name: str
    function: Function

    def takes(self, bus: str, event: Event) -> bool:
        """Tell whether `event` on `bus` goes to this subscriber."""
        return self.bus == bus and self.type in {None, event.type}


class DeadLetter(NamedTuple):
    """A delivery that was given up.

    Attributes:
        bus: None for a queued call of a function.
        event: None for a queued call, and where another program has made it unreadable.
        subscription: name of the subscription; of the function, for a queued call.
        attempts: how many were made.
        error: class name of the last exception; ``LeaseExpired`` if the last attempt never ended.
    """

    bus: str | None
    event: Event | None
    subscription: str
    attempts: int
    error: str


class Bus:
    """Every bus of one target. A bus is there as soon as someone speaks of it."""

    def __init__(self, accept: Accept) -> None:
        """Take what keeps a row and has it delivered."""
        self._accept = accept
        self._subscriptions: dict[Address, Subscription] = {}

    @property
    def subscriptions(self) -> tuple[Subscription, ...]:
        """What is subscribed in this process, in the order of subscribing."""
        return tuple(self._subscriptions.values())

    def subscribe(
        self, bus: str, event_type: str | None, function: Function, name: str | None = None
    ) -> None:
        """Subscribe `function`. Rows that an earlier process left under this name are its too.

        Raises:
            ConfigError: the name is taken on this bus, or `function` cannot be called here.
        """
        check_callable(function, f"the subscriber of {bus!r}")
        name = name or _qualified_name(function, bus)
        address = Address(bus, name)
        if address in self._subscriptions:
            raise ConfigError(
                f"the bus {bus!r} has a subscription {name!r} already; give this one a name: "
                f'@cloud.subscribe("{bus}", name="...")'
            )
        self._subscriptions[address] = Subscription(bus, event_type, name, function)

    def publish(self, call: Publish, timeout: float) -> Result[tuple[Result[None], ...]]:
        """Keep one row for each event and subscriber, all in one transaction.

        Events without a subscriber in this process are dropped, as buses do.
        """
        postings: list[Posting] = []
        results: list[Result[None]] = []
        for index, event in enumerate(call.events):
            try:
                document = json.dumps(to_json(event), allow_nan=False)
            except (TypeError, ValueError, RecursionError) as error:
                results.append(_not_json(index, error))
                continue
            results.append(Result.ok(None))
            postings += self._postings(call.bus, event, document)
        if postings:
            self._accept(postings, timeout)
        return Result.ok(tuple(results))

    def handlers(self) -> dict[Address, Handler]:
        """Return what handles the rows of each subscription."""
        return {
            Address(each.bus, each.name): _handler(each.function) for each in self.subscriptions
        }

    def _postings(self, bus: str, event: Event, document: str) -> list[Posting]:
        key = f"{event.source}#{event.id}"
        return [
            Posting(Address(bus, each.name), event.ordering_key, key, document)
            for each in self.subscriptions
            if each.takes(bus, event)
        ]


def dead_letter(dead: Dead) -> DeadLetter:
    """Show a row that was given up."""
    bus, name = dead.address
    if bus == QUEUED_CALL:
        return DeadLetter(None, None, name, dead.attempts, dead.error)
    return DeadLetter(bus, _readable(dead.document), name, dead.attempts, dead.error)


def _readable(document: str) -> Event | None:
    try:
        return _event(document)
    except (ValueError, InvalidRequest):
        return None


def _event(document: str) -> Event:
    attributes = json.loads(document)
    if not isinstance(attributes, dict):
        raise ValueError("no JSON object")
    return from_json(attributes)


def _handler(function: Function) -> Handler:
    return lambda document, context: run(function, _event(document), context)


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
