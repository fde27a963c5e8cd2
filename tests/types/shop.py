"""A shop as a user writes it: two type checkers find nothing wrong with it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import NamedTuple, NotRequired, TypedDict

from leeward import (
    App,
    AsyncClient,
    CallError,
    Client,
    Context,
    Event,
    ItemPage,
    OutcomeUnknown,
    Record,
    Settled,
    ValidationError,
    Verdict,
)
from leeward.app import Message, ObjectEvent, Problem
from leeward.app.idempotency import Done, NotDone, idempotent
from leeward.workflow import Flow, Ref

app = App("shop")


@dataclass
class Payment:
    """What a customer pays."""

    order: str
    total: Decimal
    card: str | None = None


@dataclass
class Charge:
    """What the bank has taken."""

    id: str
    total: Decimal


class Line(NamedTuple):
    """A line of an order."""

    article: str
    pieces: int


class Ticket(TypedDict):
    """An item of a table."""

    id: str
    text: str
    open: NotRequired[bool]


@dataclass
class Order:
    """An item that is read as a class."""

    id: str
    total: Decimal
    at: datetime
    lines: list[Line]


@app.function(effect="keyed", timeout=30)
def take_payment(payment: Payment, context: Context) -> Charge:
    """Take a payment."""
    context.logger.info("a payment of an order has come")
    if payment.total > 1000:
        raise Problem("too much", status=402, reason="too_much")
    return Charge(f"ch-{payment.order}", payment.total)


@app.function()
def count_lines(lines: list[Line]) -> dict[str, int]:
    """Count articles."""
    return {line.article: line.pieces for line in lines}


@app.function()
async def find_ticket(number: int) -> Ticket:
    """Find a ticket."""
    return {"id": str(number), "text": "lost"}


@app.function(effect="read_only")
def health() -> bool:
    """Say that it lives."""
    return True


@app.on_event("orders", "order.paid")
def remember(event: Event, context: Context) -> None:
    """Remember a paid order."""
    context.client.store_data("paid", {"id": event.id, "at": datetime.now(UTC)})


@app.on_message("letters")
def send(message: Message) -> None:
    """Send a letter."""
    print(message.body)


@app.on_object("inbox", prefix="new/", writes="inbox/done/")
def move(written: ObjectEvent, context: Context) -> None:
    """Move an object."""
    context.client.put_object(written.bucket, f"done/{written.key}", b"")


@app.on_schedule("*/5 * * * *")
def sweep(due: datetime) -> None:
    """Sweep."""
    print(due.isoformat())


def charge_exists(key: str, context: Context, note: str | None) -> Done | NotDone:
    """Ask the bank."""
    del context, note
    return Done({"id": key}) if key else NotDone()


@app.function(effect="keyed", name="refund")
@idempotent(table="keys", principal=None)
def refund(payment: Payment) -> Charge:
    """Give money back."""
    return Charge("re-1", payment.total)


def pay(client: Client) -> Decimal:
    """Call functions as themselves, and by their names."""
    charge = client.invoke(take_payment, Payment("42", Decimal("9.90"), "visa"))
    back = client.invoke(refund, Payment("42", Decimal("9.90")), idempotency_key="r-42")
    total: Decimal = charge.value.total - back.value.total
    counts: dict[str, int] = client.invoke(count_lines, [Line("tea", 2)]).value
    ticket: Ticket = client.invoke(find_ticket, 7, timeout=5, effect="idempotent").value
    is_well: bool = client.invoke(health).value
    by_name = client.invoke("take-payment", {"order": "42", "total": "9.90"})
    print(counts["tea"], ticket["text"], is_well, by_name.value["id"], by_name.target)
    client.enqueue(take_payment, Payment("43", Decimal(1)))
    client.enqueue("take-payment", {"order": "43", "total": "1"})
    return total


def keep(client: Client) -> Order | None:
    """Store and load items of several types."""
    ticket: Ticket = {"id": "7", "text": "lost"}
    fixed: Mapping[str, object] = {"id": "8", "text": "found"}
    client.store_data("tickets", ticket, if_absent=True)
    client.store_data("tickets", fixed, expires_in=timedelta(days=1))
    plain = client.load_data("tickets", "7")
    if plain is not None:
        client.store_data("tickets", {**plain.item, "open": False}, if_revision=plain.revision)
    known: Record[Ticket] | None = client.load_data("tickets", "7", as_=Ticket)
    if known is not None:
        print(known.item["text"].upper(), known.expires_at)
    order = client.load_data("orders", {"id": "1"}, as_=Order)
    return None if order is None else order.item


def list_open(client: Client) -> list[Ticket]:
    """List items of a partition, page by page."""
    page: ItemPage[Ticket] = client.list_data("tickets", "open", begins="7", as_=Ticket)
    found = [record.item for record in page.items]
    while page.cursor is not None:
        page = client.list_data("tickets", "open", begins="7", as_=Ticket, cursor=page.cursor)
        found += [record.item for record in page.items]
    plain = client.list_data("tickets", "closed", limit=5)
    print([record.item["id"] for record in plain.items])
    return found


def settle(client: Client) -> str:
    """Find out what became of a call."""
    try:
        charge = client.invoke(take_payment, Payment("44", Decimal(2)), on_unknown="raise")
    except OutcomeUnknown as unknown:
        settled: Settled = client.settle(unknown)
        return "paid" if settled.verdict is Verdict.RAN else "not paid"
    except ValidationError as flawed:
        return str(flawed.result)
    except CallError as failed:
        return ", ".join(attempt.target for attempt in failed.attempts)
    return charge.value.id


async def serve(client: AsyncClient) -> list[str]:
    """Await the same."""
    charge = await client.invoke(take_payment, Payment("45", Decimal(3)))
    ticket = await client.invoke(find_ticket, 8)
    order = await client.load_data("orders", "1", as_=Order)
    page = await client.list_data("orders", "1", as_=Order)
    print(sum(len(record.item.lines) for record in page.items))
    receipt = await client.publish_event("orders", "order.paid", {"id": charge.value.id})
    await client.enqueue(count_lines, [Line("tea", 2)])
    articles = [] if order is None else [line.article for line in order.item.lines]
    return [*articles, receipt.id, ticket.value["id"]]


@app.workflow("checkout", timeout="1h")
def checkout(flow: Flow, order: Ref) -> None:
    """Take a payment, and give it back if what follows fails."""
    with flow.saga("booking"):
        charge = flow.step(take_payment, order, undo=refund)
        flow.step("ship", {"charge": charge})


def main() -> None:
    """Run everything on a store of its own."""
    with Client("local", app=app) as client:
        print(pay(client), keep(client), settle(client))
