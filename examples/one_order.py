"""The main job: keep an order, tell the world, call a function.

It runs on the embedded target, a whole cloud in this process. With `Client()` instead of
`Client(local)`, the same calls go wherever ``CLOUD_PROVIDER`` says.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from leeward import Client, Event
from leeward.local import Local

local = Local()
heard: list[str] = []


@local.function("send-receipt")
def send_receipt(order: dict[str, Any]) -> dict[str, Any]:
    """Answer a call."""
    return {"sent_to": order["customer"]}


@local.subscribe("orders", "order.created")
def remember(event: Event) -> None:
    """Hear of an event, some time after it was published."""
    heard.append(f"{event.type} {event.subject}")


def main() -> None:
    """Take an order."""
    with Client(local) as cloud:
        stored = cloud.store_data("orders", {"id": "42", "total": Decimal("9.90")})
        print(f"stored:     {stored.promise.value} on {stored.target}")

        told = cloud.publish_event("orders", "order.created", {"id": "42"}, subject="42")
        print(f"published:  {told.promise.value} on {told.target}")
        local.wait_idle()
        print(f"subscriber: {', '.join(heard)}")

        answer = cloud.invoke("send-receipt", {"order": "42", "customer": "ada"})
        print(f"invoked:    {answer.value} from {answer.target}")

        record = cloud.load_data("orders", "42")
        print(f"loaded:     {record.item if record else 'nothing'}")


if __name__ == "__main__":
    main()
