"""The same order as a workflow: what is done, what is tried again, what is taken back.

Stock and payment are taken beside each other; if either fails, or may have failed, both are given
back. Whatever happens is told to the customer, and what could not be given back to the operators.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from shop import Line, Order, app, change, charge, cloud

from leeward.workflow import ANY, Flow, Ref, Retry


class ValidationFailed(Exception):
    """The order is not one that can be carried out."""


class OutOfStock(Exception):
    """There are not enough pieces."""


class NoCarrier(Exception):
    """Nobody takes the parcel."""


@app.function(effect="read_only", timeout=10)
def check_order(order: Order) -> None:
    """Raise `ValidationFailed` for an order without lines, pieces or a price."""
    if not order.lines or any(line.qty < 1 for line in order.lines) or order.total <= 0:
        raise ValidationFailed


@app.function(effect="keyed", timeout=30)
def reserve_stock(order: Order) -> None:
    """Take the pieces of an order out of the stock; the stock notes for which orders it has."""
    for line in order.lines:
        there = cloud().load_data("pieces", line.sku)
        most = there.item["pieces"] if there else None
        change("stock", line.sku, partial(_with_order, order.id, line, most))


def _with_order(order: str, line: Line, most: int | None, notes: dict[str, int]) -> dict[str, int]:
    others = sum(qty for id, qty in notes.items() if id != order)
    if most is not None and others + line.qty > most:
        raise OutOfStock(line.sku)
    return {**notes, order: line.qty}


@app.function(effect="idempotent", timeout=30)
def release_stock(undo: dict[str, Any]) -> None:
    """Put the pieces of an order back, as far as they were taken."""
    order = undo["payload"]
    for line in order["lines"]:
        change(
            "stock",
            line["sku"],
            lambda notes: {id: qty for id, qty in notes.items() if id != order["id"]},
        )


@app.function(effect="idempotent", timeout=20)
def refund(undo: dict[str, Any]) -> None:
    """Pay the money of an order back, as far as it was charged: nobody may know whether it was."""
    order = undo["payload"]["order"]
    charged = cloud().load_data("charges", order)
    if charged is not None:
        change("refunds", order, lambda _: charged.item["notes"])


@app.function(effect="keyed", timeout=30)
def ship_order(order: Order) -> str:
    """Hand an order to the carrier; its number is that of the order."""
    record = cloud().load_data("carriers", "today")
    if record is not None and not record.item["open"]:
        raise NoCarrier
    change("shipments", order.id, lambda notes: {**notes, order.id: order.customer})
    return f"parcel-{order.id}"


@app.function(effect="idempotent", timeout=10)
def tell_customer(told: dict[str, Any]) -> None:
    """Notify the customer of what became of the order; one notification for each order."""
    order = told["order"]
    text = f"{order['customer']}: order {order['id']} is {told['what']}"
    cloud().store_data("notifications", {"id": order["id"], "text": text})


@app.function(effect="idempotent", timeout=10)
def tell_operators(told: dict[str, Any]) -> None:
    """Report the steps of an order that could not be taken back: somebody has to look."""
    cloud().store_data("alarms", {"id": told["order"]["id"], "steps": told["steps"]})


@app.workflow("order", timeout="24h")
def order_flow(w: Flow, order: Ref) -> None:
    """Check, book, ship and confirm an order. The run has failed when the order has."""
    with w.attempt("check") as check:
        w.step(check_order, order)
    with check.on(ANY):
        w.step(tell_customer, {"order": order, "what": "rejected"}, id="tell-rejected")
        w.fail("OrderRejected")

    with w.attempt("fulfil") as fulfil, w.saga("booking"):
        with w.parallel("both") as both:
            with both.branch("goods"):
                w.step(reserve_stock, order, undo=release_stock)
            with both.branch("money"):
                w.step(
                    charge,
                    {"order": order["id"], "total": order["total"]},
                    undo=refund,
                    retry=Retry(on=("Call.Throttled", "BankBusy"), attempts=6, first=2, cap=30),
                )
        parcel = w.step(ship_order, order)
    with fulfil.on("Flow.CompensationFailed") as error:
        w.step(tell_operators, {"order": order, "steps": error["steps"]})
        w.step(tell_customer, {"order": order, "what": "delayed"}, id="tell-delayed")
        w.fail("OrderStuck")
    with fulfil.on(ANY):
        w.step(tell_customer, {"order": order, "what": "cancelled"}, id="tell-cancelled")
        w.fail("OrderFailed")

    w.step(tell_customer, {"order": order, "what": "on its way"}, id="confirm")
    w.stop({"order": order["id"], "parcel": parcel})


__all__ = ["app", "order_flow"]
