"""The order shop: one app, deployed as it is on every cloud, and run in this process.

An order comes by HTTP, is checked and queued. Then it is created, paid, taken out of the stock and
told of, each step by a handler of its own: with its own time, its own retries, and its own dead
letters. Every step may run twice, and is written so that nothing happens twice: money moves in an
idempotent function, whose key is the order.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from leeward import App, Client, Conflict, Context, Event
from leeward.app import Problem, idempotent

app = App("shop")

PATIENCE = timedelta(minutes=30)
"""An order that is not paid by then has timed out."""


@dataclass
class Line:
    """Some pieces of one thing."""

    sku: str
    qty: int


@dataclass
class Order:
    """An order, as a customer sends it."""

    id: str
    customer: str
    lines: list[Line]
    total: Decimal


def cloud() -> Client:
    """Return the client of this process: its tables, its bus and its queue."""
    return app.client()


@app.function(effect="keyed", timeout=10)
def place_order(order: Order) -> dict[str, Any]:
    """Check an order, and put it into the queue."""
    if not order.lines or any(line.qty < 1 for line in order.lines):
        raise Problem("an order has at least one line, of at least one piece", reason="empty")
    lines = [{"sku": line.sku, "qty": line.qty} for line in order.lines]
    payload = {"id": order.id, "customer": order.customer, "lines": lines}
    cloud().enqueue("orders", {**payload, "total": str(order.total)}, idempotency_key=order.id)
    return {"accepted": order.id}


@app.on_message("orders", timeout=30, retries=2)
def create_order(order: Order, context: Context) -> None:
    """Store an order, and tell the others."""
    item = {
        "id": order.id,
        "customer": order.customer,
        "lines": [{"sku": line.sku, "qty": line.qty} for line in order.lines],
        "total": order.total,
        "status": "created",
        "created": datetime.now(UTC),
    }
    try:
        cloud().store_data("orders", item, if_absent=True)
    except Conflict:
        context.logger.info("the order was created before")
    change("timers", "open", lambda timers: {**timers, order.id: datetime.now(UTC) + PATIENCE})
    _tell("order.created", order.id)


@app.on_event("orders", "order.created", timeout=60, retries=1)
def take_payment(event: Event, context: Context) -> None:
    """Charge an order, once, however often this runs."""
    order = order_of(event.data["id"])
    payment = {"order": order["id"], "total": str(order["total"])}
    cloud().invoke("charge", payment, effect="keyed", idempotency_key=order["id"])
    _advance(order["id"], "created", "paid")
    _tell("order.paid", order["id"])


@app.on_event("orders", "order.paid", timeout=30, retries=3)
def update_stock(event: Event) -> None:
    """Take the pieces of an order out of the stock; the stock notes for which orders it has."""
    order = order_of(event.data["id"])
    for line in order["lines"]:
        change("stock", line["sku"], lambda taken, n=line["qty"]: {**taken, order["id"]: n})
    _tell("stock.updated", order["id"])


@app.on_event("orders", "stock.updated", timeout=15, retries=2)
def notify(event: Event) -> None:
    """Notify the customer; one notification for each order."""
    order = order_of(event.data["id"])
    text = f"{order['customer']}: order {order['id']} over {order['total']} is on its way"
    cloud().store_data("notifications", {"id": order["id"], "text": text})
    _advance(order["id"], "paid", "done")
    change("timers", "open", lambda timers: {k: v for k, v in timers.items() if k != order["id"]})


@app.on_schedule("*/5 * * * *", timeout=60)
def expire_orders(time: datetime) -> None:
    """Look for orders that have not been paid in time."""
    record = cloud().load_data("timers", "open")
    for order, due in (record.item["notes"] if record else {}).items():
        if due <= time and _advance(order, "created", "timed out"):
            _tell("order.timed-out", order)


@app.function(effect="keyed", timeout=20)
@idempotent(table="keys", key="payment.order", principal=None, lease=30, effects="marked")
def charge(payment: dict[str, str], context: Context) -> dict[str, str]:
    """Charge an order once; a repeat has the first answer. What fails before may be tried again."""
    if payment["total"] == "0":
        raise Problem("nothing to charge", status=422, reason="no_amount")
    # A bank would be called here, after `context.effect()`; its own writes leeward sees by itself.
    change("charges", payment["order"], lambda taken: {**taken, context.call_id: payment["total"]})
    return {"charged": payment["total"]}


@app.function(effect="read_only", timeout=10)
def get_order(query: dict[str, str]) -> dict[str, Any]:
    """Return an order, what was charged for it, and what its customer was told."""
    order = order_of(query["id"])
    charged = cloud().load_data("charges", order["id"])
    amounts = [Decimal(each) for each in charged.item["notes"].values()] if charged else []
    told = cloud().load_data("notifications", order["id"])
    return {
        "id": order["id"],
        "status": order["status"],
        "total": order["total"],
        "charged": sum(amounts) if amounts else None,
        "told": told.item["text"] if told else None,
    }


@app.function(effect="read_only", timeout=10)
def get_stock(query: dict[str, str]) -> dict[str, int]:
    """Return how many pieces of a thing were taken, by order."""
    record = cloud().load_data("stock", query["sku"])
    return dict(record.item["notes"]) if record else {}


def order_of(id: str) -> dict[str, Any]:
    """Return an order as it is kept."""
    record = cloud().load_data("orders", id)
    if record is None:
        raise Problem("there is no such order", status=404, reason="no_order")
    return record.item


def _advance(id: str, before: str, after: str) -> bool:
    """Change the status of an order; return False if it has another one than `before`."""
    record = cloud().load_data("orders", id)
    if record is None or record.item["status"] != before:
        return False
    cloud().store_data("orders", {**record.item, "status": after}, if_revision=record.revision)
    return True


def change(table: str, id: str, change: Any) -> None:
    """Change the notes of an item, whoever else does so at the same time."""
    while True:
        record = cloud().load_data(table, id)
        item = {"id": id, "notes": change(record.item["notes"] if record else {})}
        try:
            if record is None:
                cloud().store_data(table, item, if_absent=True)
            else:
                cloud().store_data(table, item, if_revision=record.revision)
        except Conflict:
            continue
        return


def _tell(what: str, order: str) -> None:
    """Publish an event with an identity of its own, so that a repeat is recognised."""
    cloud().publish_event("orders", what, {"id": order}, id=f"{what}/{order}", subject=order)
