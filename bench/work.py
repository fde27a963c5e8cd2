"""What both sides are given to do: one order, its receipt and its events."""

from __future__ import annotations

from decimal import Decimal

REGION = "us-east-1"
BUS = "orders"
TABLE = "orders"
FUNCTION = "send-receipt"
EVENT_TYPE = "order.created"
SOURCE = "bench"

PAYLOAD = {"order": "o-42", "total": 9.5}
DATA = {"id": "o-42", "customer": "c-7"}
ITEM = {
    "id": "o-42",
    "customer": "c-7",
    "total": Decimal("9.90"),
    "paid": True,
    "lines": [{"sku": "a-1", "count": 2}],
}
