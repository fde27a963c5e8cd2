"""Mistakes that a type checker has to find, one in each line that says so."""

from __future__ import annotations

from decimal import Decimal

from leeward import AsyncClient, Client, Record
from tests.types.shop import Charge, Line, Order, Payment, Ticket, count_lines, take_payment


def make_mistakes(client: Client, order: Order) -> None:
    """Make fourteen mistakes."""
    client.invoke(take_payment, {"order": "42"})  # mistake: not a Payment
    client.invoke(take_payment)  # mistake: no payload
    client.invoke(count_lines, [Payment("42", Decimal(1))])  # mistake: lines of another class
    charge: Payment = client.invoke(take_payment, Payment("1", Decimal(1))).value  # mistake
    print(client.invoke(take_payment, Payment("4", Decimal(1))).value.order)  # mistake: a Charge
    client.invoke("take-payment", {"id": "1"}, effect="harmless")  # mistake: no such effect
    client.invoke("take-payment", {"id": "1"}, time_out=3)  # mistake: no such argument
    client.enqueue(take_payment, 42)  # mistake: not a Payment
    client.store_data("orders", order)  # mistake: not an item
    item: Ticket = client.load_data("tickets", "1", as_=Order).item  # mistake: None, or an Order
    record: Record[Charge] | None = client.load_data("o", "1", as_=Order)  # mistake: an Order
    page: list[Charge] = client.list_data("o", "1", as_=Charge)  # mistake: a page
    print(client.list_data("o", "1", as_=Order).items[0].item.amount)  # mistake: an Order
    print(charge, item, record, page, Line("tea", 1))


async def forget_to_wait(client: AsyncClient) -> Charge:
    """Make the last."""
    return client.invoke(take_payment, Payment("1", Decimal(1))).value  # mistake: not awaited
