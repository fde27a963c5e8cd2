"""The payment functions as they are deployed, the same file on every cloud.

All clouds keep the keys in one table, whose file the variable `KEYS` names; what the bank has done
is in the file `BANK`. An order with `wait_for` is paid once that file is there, and makes the file
`started` before.
"""

from __future__ import annotations

import os
import sqlite3
from functools import cache
from pathlib import Path
from time import sleep
from typing import Any

from leeward import App, Client, Context
from leeward.app import idempotent
from leeward.local import Local

app = App("shop")


@cache
def keys() -> Client:
    """Return the client of the table with the keys."""
    return Client(Local("local:keys", path=os.environ["KEYS"]))


@app.function(name="pay", effect="keyed")
@idempotent(table="keys", principal=None, lease=60, dedup_scope="group", client=keys)
def pay(order: dict[str, Any], context: Context) -> int:
    """Take the money for an order, once."""
    context.effect()
    if "wait_for" in order:
        Path(order["started"]).touch()
        while not Path(order["wait_for"]).exists():
            sleep(0.01)
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
