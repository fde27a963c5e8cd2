"""Charge an order once, however often Lambda is called for it."""

from bank import pay

from leeward import App
from leeward.app import idempotent

app = App("shop")


@app.function(effect="keyed")
@idempotent(table="keys", key="order.id", principal=None, lease=70)
def charge(order: dict) -> dict:
    """Charge the card of an order."""
    return pay(order)


lambda_handler = app.handler("aws")
