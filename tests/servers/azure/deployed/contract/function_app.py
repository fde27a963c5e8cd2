"""The functions of the contract, as one deploys them on Azure.

What they share, within and across clouds, is in the SQLite file that the variable `MEMORY` names.
A function has one trigger, so each that can be called by HTTP and by a queue stands here twice; the
queue has the function's name.
"""

from __future__ import annotations

import json
import os
import sqlite3
import threading
import time
from base64 import b64encode
from collections.abc import Callable, Mapping
from typing import Any

import azure.functions as func

app = func.FunctionApp()

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


@app.function_name("contract-remember")
@app.event_grid_trigger(arg_name="event")
def remember(event: func.CloudEvent) -> None:
    """Take in what the bus delivers."""
    with _memory() as memory:
        memory.execute("INSERT INTO seen VALUES (?, ?)", (event.id, json.dumps(_document(event))))


def _document(event: func.CloudEvent) -> dict[str, Any]:
    """Give an event in the JSON of CloudEvents; `data_base64` is an extension to the package."""
    attributes = {
        "specversion": event.specversion,
        "id": event.id,
        "source": event.source,
        "type": event.type,
        "time": event.time and event.time.isoformat().replace("+00:00", "Z"),
        "subject": event.subject,
        "datacontenttype": event.datacontenttype,
        "dataschema": event.dataschema,
    }
    data = event.get_json()
    if isinstance(data, bytes):
        data = b64encode(data).decode()
    present = {name: value for name, value in attributes.items() if value is not None}
    extensions: dict[str, Any] = event.extension_attrs
    return present | extensions | ({} if "data_base64" in extensions else {"data": data})


def _memory() -> sqlite3.Connection:
    """Give this thread's connection."""
    if not hasattr(_local, "memory"):
        _local.memory = sqlite3.connect(os.environ["MEMORY"], timeout=60)
        _local.memory.executescript(_SCHEMA)
        _local.memory.execute("PRAGMA synchronous = OFF")
    memory: sqlite3.Connection = _local.memory
    return memory


def _by_http(name: str, function: Callable[..., Any], *, with_headers: bool = False) -> None:
    @app.function_name(name)
    @app.route(name, methods=["POST"])
    def called(req: func.HttpRequest) -> func.HttpResponse:
        body = req.get_body()
        payload = json.loads(body) if body else None
        returned = function(payload, req.headers) if with_headers else function(payload)
        mark = {"x-leeward": req.headers.get("x-leeward-call", "1") + ";handler"}
        return func.HttpResponse(json.dumps(returned), headers=mark, mimetype="application/json")


def _by_queue(name: str, function: Callable[[Any], Any]) -> None:
    @app.function_name(f"{name}-queued")
    @app.queue_trigger(arg_name="message", queue_name=name, connection="AzureWebJobsStorage")
    def called(message: func.QueueMessage) -> None:
        function(message.get_json())


for each in (echo, fail, slow, count, seen):
    _by_http(f"contract-{each.__name__}", each)
_by_http("contract-settle", settle, with_headers=True)
for each in (echo, fail, slow, count):
    _by_queue(f"contract-{each.__name__}", each)
