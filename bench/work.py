"""What both sides are given to do: one order, its receipt and its events."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

BUS = "orders"
TABLE = "orders"
FUNCTION = "send-receipt"
EVENT_TYPE = "order.created"
SOURCE = "bench"

PAYLOAD = {"order": "o-42", "total": 9.5}
RECEIPT = {"sent": True, "receipt": "r-42"}
DATA = {"id": "o-42", "customer": "c-7"}
ITEM: dict[str, Any] = {
    "id": "o-42",
    "customer": "c-7",
    "total": Decimal("9.90"),
    "paid": True,
    "lines": [{"sku": "a-1", "count": 2}],
}
WRITE_ID = "00000000-0000-7000-8000-000000000000"
"""Of the item that is loaded."""
