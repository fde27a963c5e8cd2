"""Charge the orders that come in the queue `charges`."""

from bank import pay

from leeward import App
from leeward.app import idempotent

app = App("shop")


@app.on_message("charges", retries=3)
@idempotent(table="keys", key="order.id", lease=70)
def charge(order: dict) -> None:
    """Charge the card of an order."""
    pay(order)


lambda_handler = app.handler("aws")
