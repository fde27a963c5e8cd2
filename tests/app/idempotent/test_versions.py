"""Two versions of a function, one after the other or beside each other, over one table."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from leeward import App, Client, Event
from leeward.app import Message, idempotent
from leeward.app.handlers import answer
from leeward.app.triggers import Delivery, Platform
from leeward.local import Local
from leeward.testing import FakeClock
from leeward_contract_tests.rows import each_row


@dataclass
class Order:
    """What the first version takes."""

    id: str
    total: int


@dataclass
class LaterOrder:
    """The same with one more attribute, and a number of another type."""

    id: str
    total: float
    note: str = "none"


def plain(order: Any) -> str:
    """Take JSON."""
    return str(order and order["id"])


def typed(order: Order) -> str:
    """Take the first version's order."""
    return order.id


def later(purchase: LaterOrder) -> str:
    """Take the second version's, under another name."""
    return purchase.id


def by_event(event: Event) -> str:
    """Take a whole event."""
    return str(event.data["id"])


def by_message(message: Message) -> str:
    """Take a whole message."""
    return message.queue


PAYLOAD = b'{"id": "42", "total": 1}'
OTHER = b'{"id": "42", "total": 2}'
KINDS: dict[str, tuple[Callable[[App], Any], Any, Any, tuple[Any, ...]]] = {
    "a call": (
        lambda app: app.function(name="pay"), PAYLOAD, OTHER, (plain, typed, later),
    ),
    "an event": (
        lambda app: app.on_event("orders", name="pay"),
        Event("paid", {"id": "42", "total": 1}, "i", "s"),
        Event("paid", {"id": "42", "total": 2}, "i", "s"),
        (by_event, typed, later),
    ),
    "a message": (
        lambda app: app.on_message("orders", name="pay"),
        Message("orders", "1", PAYLOAD), Message("orders", "1", OTHER),
        (by_message, plain, typed, later),
    ),
}  # fmt: skip


@each_row("register, payload, other, versions", KINDS)
def test_a_payload_is_the_same_whatever_its_handler_reads_it_into(
    register: Callable[[App], Any], payload: Any, other: Any, versions: tuple[Any, ...]
) -> None:
    """An optional attribute, a float for an int, another parameter: it is a repeat."""
    clock = FakeClock()
    platform = Platform("local", None, clock)
    with Client(Local("local:keys", clock=clock), clock=clock) as client:

        def deliver(version: Any, given: Any, secret: Any = None, key: str = "k") -> Any:
            app = App("shop")
            guard = idempotent(table="keys", principal=None, name="pay", client=client, clock=clock)
            register(app)(guard(version))
            return answer(app.handlers["pay"], Delivery(given, "1", key, 20.0), platform).failure

        for first in versions:
            for second in versions:
                key = f"{first.__name__}-{second.__name__}"
                assert deliver(first, payload, key=key) is None
                assert deliver(second, payload, key=key) is None, key
                failure = deliver(second, other, key=key)
                assert failure is not None
                assert failure.type == "KeyReused", key
