"""The functions of the contract, as one deploys them on AWS.

What they share, within and across regions, is in the SQLite file that the variable `MEMORY` names;
`QUEUES` lists the queues in which a rule of EventBridge puts the bus's events.
"""

from __future__ import annotations

import json
import os
import sqlite3
import time
from functools import cache
from typing import Any

import queues  # type: ignore[import-not-found]  # of this folder, once deployed

_SCHEMA = """
    PRAGMA journal_mode = WAL;
    CREATE TABLE IF NOT EXISTS counters (name TEXT PRIMARY KEY, value INTEGER NOT NULL);
    CREATE TABLE IF NOT EXISTS seen (id TEXT NOT NULL, document TEXT NOT NULL);
    CREATE INDEX IF NOT EXISTS seen_by_id ON seen (id);
"""


class ContractFailure(Exception):
    """What `fail` raises."""


def echo(event: Any, _context: object) -> Any:
    """Return the payload."""
    return event


def fail(_event: object, _context: object) -> None:
    """Raise."""
    raise ContractFailure("on purpose")


def slow(event: Any, _context: object) -> str:
    """Take the seconds that the payload names."""
    time.sleep(event["seconds"])
    return "done"


def count(event: Any, _context: object) -> int:
    """Add 1 to the counter that the payload names; return what it is then."""
    with _memory() as memory:
        ((value,),) = memory.execute(
            "INSERT INTO counters VALUES (?, 1) "
            "ON CONFLICT (name) DO UPDATE SET value = value + 1 RETURNING value",
            (event["name"],),
        ).fetchall()
    found: int = value
    return found


def seen(event: Any, _context: object) -> list[Any]:
    """Return the events of an id that the bus has delivered, after a look into its queues."""
    for queue in json.loads(os.environ["QUEUES"]):
        while messages := queues.receive(queue):
            details = [json.loads(each["Body"])["detail"] for each in messages]
            with _memory() as memory:
                memory.executemany(
                    "INSERT INTO seen VALUES (?, ?)",
                    [(each["id"], json.dumps(each)) for each in details],
                )
            queues.delete(queue, messages)
    with _memory() as memory:
        rows = memory.execute(
            "SELECT document FROM seen WHERE id = ? ORDER BY rowid", (event["id"],)
        )
        return [json.loads(document) for (document,) in rows]


def settle(event: Any, context: Any) -> dict[str, Any]:
    """Answer a question about a key: its call ran, and what was asked; a call, how it came."""
    custom = context.client_context.custom
    key, voids = custom["idempotency-key"], int(custom.get("x-leeward-voids", "0"))
    if "x-leeward-settle" not in custom:
        return {"called": key, "voids": voids}
    result = {"age": event.get("age"), "payload": event.get("payload")}
    return {"verdict": "ran", "key": key, "voids": voids, "result": result}


@cache
def _memory() -> sqlite3.Connection:
    memory = sqlite3.connect(os.environ["MEMORY"], timeout=60)
    memory.executescript(_SCHEMA)
    memory.execute("PRAGMA synchronous = OFF")
    return memory
