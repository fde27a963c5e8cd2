"""The functions of the contract, as one deploys them on Google Cloud.

What they share, within and across clouds, is in the SQLite file that the variable `MEMORY` names.
A deployment serves one function, so `main` gets every call by HTTP and finds the function by the
path, and `events` gets every message of Pub/Sub and finds it by the topic.
"""

from __future__ import annotations

import json
import os
import sqlite3
import threading
import time
from base64 import b64decode
from collections.abc import Callable, Mapping
from typing import Any

import functions_framework  # type: ignore[import-not-found]  # of the environment it runs in

_SCHEMA = """
    PRAGMA journal_mode = WAL;
    CREATE TABLE IF NOT EXISTS counters (name TEXT PRIMARY KEY, value INTEGER NOT NULL);
    CREATE TABLE IF NOT EXISTS seen (id TEXT NOT NULL, document TEXT NOT NULL);
    CREATE INDEX IF NOT EXISTS seen_by_id ON seen (id);
"""

_STRUCTURED = "application/cloudevents"

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
    with _memory() as memory:
        ((value,),) = memory.execute(
            "INSERT INTO counters VALUES (?, 1) "
            "ON CONFLICT (name) DO UPDATE SET value = value + 1 RETURNING value",
            (payload["name"],),
        ).fetchall()
    found: int = value
    return found


def seen(payload: Any) -> list[Any]:
    """Return the events of an id that the bus has delivered."""
    with _memory() as memory:
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


_FUNCTIONS: dict[str, Callable[[Any], Any]] = {
    f"contract-{each.__name__}": each for each in (echo, fail, slow, count, seen)
}


@functions_framework.http  # type: ignore[untyped-decorator]
def main(request: Any) -> Any:
    """Answer a call by HTTP."""
    body = request.get_data()
    name, payload = request.path.strip("/"), json.loads(body) if body else None
    is_settle = name == "contract-settle"
    returned = settle(payload, request.headers) if is_settle else _FUNCTIONS[name](payload)
    mark = request.headers.get("x-leeward-call", "1") + ";handler"
    return json.dumps(returned), 200, {"Content-Type": "application/json", "x-leeward": mark}


@functions_framework.cloud_event  # type: ignore[untyped-decorator]
def events(event: Any) -> None:
    """Take a message of Pub/Sub: an event of the bus, or a call."""
    message = event.data["message"]
    topic = event["source"].rpartition("/")[2]
    data = b64decode(message.get("data", ""))
    if topic == "contract-events":
        _remember(_document(message.get("attributes", {}), message.get("data", ""), data))
    else:
        _FUNCTIONS[topic](json.loads(data) if data else None)


def _remember(document: dict[str, Any]) -> None:
    with _memory() as memory:
        memory.execute("INSERT INTO seen VALUES (?, ?)", (document["id"], json.dumps(document)))


def _document(attributes: dict[str, str], encoded: str, data: bytes) -> dict[str, Any]:
    """Give the inner event, in either mode, in the JSON of CloudEvents."""
    kind = attributes.get("content-type", "")
    if kind.startswith(_STRUCTURED):
        structured: dict[str, Any] = json.loads(data)
        return structured
    document: dict[str, Any] = {
        name.removeprefix("ce-"): value
        for name, value in attributes.items()
        if name.startswith("ce-")
    }
    if not kind:
        return document
    document["datacontenttype"] = kind
    if kind.partition(";")[0] == "application/json":
        return document | {"data": json.loads(data)}
    return document | {"data_base64": encoded}


def _memory() -> sqlite3.Connection:
    """Give this thread's connection."""
    if not hasattr(_local, "memory"):
        _local.memory = sqlite3.connect(os.environ["MEMORY"], timeout=60)
        _local.memory.executescript(_SCHEMA)
        _local.memory.execute("PRAGMA synchronous = OFF")
    memory: sqlite3.Connection = _local.memory
    return memory
