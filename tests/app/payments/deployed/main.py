"""The payment function as it is deployed: on AWS by `on_aws`, on Google Cloud by `main`.

Both clouds keep the keys in one table, whose file the variable `KEYS` names; what the bank has done
is in the file `BANK`. leeward is found by `PYTHONPATH`.
"""

from __future__ import annotations

import json
import os
import sqlite3
import sys
from functools import cache
from typing import Any

sys.path[:0] = os.environ["PYTHONPATH"].split(os.pathsep)

from leeward import App, Client, Context  # noqa: E402
from leeward.app import idempotent  # noqa: E402
from leeward.app.answers import Answer  # noqa: E402
from leeward.app.core import answer  # noqa: E402
from leeward.app.triggers import Delivery, Platform  # noqa: E402
from leeward.clock import SystemClock  # noqa: E402
from leeward.envelope import sent_with  # noqa: E402
from leeward.local import Local  # noqa: E402

app = App("shop")


@cache
def keys() -> Client:
    """Return the client of the table with the keys."""
    return Client(Local("local:keys", path=os.environ["KEYS"]))


@app.function(name="pay", effect="keyed")
@idempotent(table="keys", lease=60, dedup_scope="group", name="pay", client=keys)
def pay(order: dict[str, Any], context: Context) -> int:
    """Take the money for an order, once."""
    context.effect()
    return charge(order["id"])


@app.function(name="pay-unsafe")
def pay_unsafe(order: dict[str, Any]) -> int:
    """Take the money for an order, each time."""
    return charge(order["id"])


def charge(order: str) -> int:
    """Move money; return how often that was done for an order."""
    bank = sqlite3.connect(os.environ["BANK"], timeout=60)
    with bank:
        bank.execute("INSERT INTO charges VALUES (?)", (order,))
        (count,) = bank.execute("SELECT count(*) FROM charges WHERE id = ?", (order,)).fetchone()
    bank.close()
    found: int = count
    return found


def on_aws(event: Any, context: Any) -> Any:
    """Answer an invocation of Lambda."""
    custom = context.client_context.custom if context.client_context else {}
    found = _answered(
        context.function_name,
        json.dumps(event).encode(),
        custom,
        context.aws_request_id,
        context.get_remaining_time_in_millis() / 1000,
    )
    if found.failure is not None:
        raise RuntimeError(found.failure.type) from None
    return json.loads(found.body)


def main(request: Any) -> Any:
    """Answer a request to Cloud Run."""
    name, headers = request.path.strip("/"), dict(request.headers)
    found = _answered(name, request.get_data(), headers, "request", 60.0)
    return found.body, found.status, dict(found.headers())


def _answered(name: str, body: bytes, headers: Any, call_id: str, seconds: float) -> Answer:
    key = sent_with(headers).idempotency_key or ""
    delivery = Delivery(body, call_id, key, seconds)
    return answer(app.handlers[name], delivery, Platform("test", None, SystemClock()))
