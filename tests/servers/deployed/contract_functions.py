"""The functions of the contract, and their memory, on the Python of whichever cloud runs them.

What they share, within and across clouds, is in the SQLite file that the variable `MEMORY` names.
"""

from __future__ import annotations

import json
import os
import sqlite3
import threading
import time
from collections.abc import Mapping
from typing import Any

_SCHEMA = """
    PRAGMA journal_mode = WAL;
    CREATE TABLE IF NOT EXISTS counters (name TEXT PRIMARY KEY, value INTEGER NOT NULL);
    CREATE TABLE IF NOT EXISTS seen (id TEXT NOT NULL, document TEXT NOT NULL);
    CREATE INDEX IF NOT EXISTS seen_by_id ON seen (id);
"""

_local = threading.local()


class ContractFailure(Exception):
    """What `fail` raises."""


def echo(payload: Any) -> Any:
    """Return the payload."""
    return payload


def fail(_payload: object) -> None:
    """Raise."""
    raise ContractFailure("on purpose")


def slow(payload: Any) -> str:
    """Take the seconds that the payload names."""
    time.sleep(payload["seconds"])
    return "done"


def count(payload: Any) -> int:
    """Add 1 to the counter that the payload names; return what it is then."""
    with open_memory() as memory:
        ((value,),) = memory.execute(
            "INSERT INTO counters VALUES (?, 1) "
            "ON CONFLICT (name) DO UPDATE SET value = value + 1 RETURNING value",
            (payload["name"],),
        ).fetchall()
    found: int = value
    return found


def seen(payload: Any) -> list[Any]:
    """Return the events of an id that the bus has delivered."""
    with open_memory() as memory:
        rows = memory.execute(
            "SELECT document FROM seen WHERE id = ? ORDER BY rowid", (payload["id"],)
        )
        return [json.loads(document) for (document,) in rows]


def settle(payload: Any, headers: Mapping[str, str]) -> dict[str, Any]:
    """Answer a question about a key: its call ran, and what was asked; a call, how it came."""
    key, voids = headers.get("idempotency-key"), int(headers.get("x-leeward-voids", "0"))
    if "x-leeward-settle" not in headers:
        return {"called": key, "voids": voids}
    result = {"age": payload.get("age"), "payload": payload.get("payload")}
    return {"verdict": "ran", "key": key, "voids": voids, "result": result}


def remember(document: dict[str, Any]) -> None:
    """Take in an event that the bus has delivered, in the JSON of CloudEvents."""
    with open_memory() as memory:
        memory.execute("INSERT INTO seen VALUES (?, ?)", (document["id"], json.dumps(document)))


def open_memory() -> sqlite3.Connection:
    """Give this thread's connection."""
    if not hasattr(_local, "memory"):
        _local.memory = sqlite3.connect(os.environ["MEMORY"], timeout=60)
        _local.memory.executescript(_SCHEMA)
        _local.memory.execute("PRAGMA synchronous = OFF")
    memory: sqlite3.Connection = _local.memory
    return memory
