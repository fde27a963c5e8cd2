"""An order as a workflow: checked, booked as a whole or not at all, and told about.

``python examples/order_flow.py`` runs three orders in memory, and shows what became of each.
"""

from __future__ import annotations

from typing import Any

from leeward import Client
from leeward.local import Local
from leeward.workflow import ANY, Flow, Ref, Retry, workflow


class ValidationFailed(Exception):
    """The order is not one that can be shipped."""


class NoCarrier(Exception):
    """Nobody takes the parcel."""


def validate_order(order: dict[str, Any]) -> None:
    """Refuse what cannot be shipped."""
    if not order.get("lines"):
        raise ValidationFailed("no lines")


def update_inventory(order: dict[str, Any]) -> dict[str, Any]:
    """Reserve the goods."""
    return {"reserved": order["lines"]}


def restore_inventory(done: dict[str, Any]) -> None:
    """Take back what was reserved under the key of the step, if anything was."""


def process_payment(order: dict[str, Any]) -> dict[str, Any]:
    """Take the money, once for each key."""
    return {"paid": order["total"]}


def refund_payment(done: dict[str, Any]) -> None:
    """Refund what was paid under the key of the step, if anything was."""


def ship_order(booked: dict[str, Any]) -> dict[str, Any]:
    """Hand the parcel over."""
    if booked["order"].get("to") == "the moon":
        raise NoCarrier("too far")
    return {"parcel": "P-1"}


def notify_customer(told: dict[str, Any]) -> None:
    """Write a letter."""
    print(f"   to the customer: {told['why']}")


FUNCTIONS = (
    *(validate_order, update_inventory, restore_inventory),
    *(process_payment, refund_payment, ship_order, notify_customer),
)


@workflow("order", timeout="24h")
def order_flow(w: Flow, order: Ref) -> None:
    """Describe the flow; it runs once, when this module is imported."""
    with w.attempt("check") as check:
        w.step(validate_order, order, effect="read_only", timeout="30s")
    with check.on("ValidationFailed"):
        told = {"order": order, "why": "your order is not complete"}
        w.step(notify_customer, told, id="tell-invalid", effect="idempotent")
        w.stop("rejected")

    with w.attempt("fulfil") as fulfil, w.saga("booking"):
        w.step(update_inventory, order, undo=restore_inventory, timeout="30s")
        payment = w.step(
            process_payment,
            order,
            undo=refund_payment,
            effect="keyed",
            timeout="60s",
            retry=Retry(on=("Call.Throttled", "Call.NotSent", "GatewayBusy"), attempts=6, first=2),
        )
        w.step(ship_order, {"order": order, "payment": payment}, timeout="30s")
    with fulfil.on(ANY) as error:
        told = {"order": order, "why": "we are sorry", "error": error["name"]}
        w.step(notify_customer, told, id="tell-failed", effect="idempotent")
        w.fail("OrderFailed")

    told = {"order": order, "why": "it is on its way"}
    w.step(notify_customer, told, id="tell-shipped", effect="idempotent")
    w.stop({"payment": payment})


def main() -> None:
    """Run three orders."""
    local = Local()
    for function in FUNCTIONS:
        local.function(function.__name__.replace("_", "-"))(function)
    orders = {
        "order-1": {"lines": ["a book"], "total": "9.90"},
        "order-2": {"lines": [], "total": "0.00"},
        "order-3": {"lines": ["a book"], "total": "9.90", "to": "the moon"},
    }
    with Client(local, workflows=[order_flow]) as cloud:
        for id, order in orders.items():
            print(id)
            cloud.start_workflow("order", order, id=id)
            cloud.wait_for_run("order", id)
            run = cloud.get_run("order", id)
            assert run is not None
            for event in run.events:
                print(f"   {event.path:24} {event.error or 'ok'}")
            print(f"   {run.state.value}: {run.error or run.result}")


if __name__ == "__main__":
    main()
