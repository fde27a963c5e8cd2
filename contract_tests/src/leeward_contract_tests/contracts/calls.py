"""Calls as the client makes them, for tests that call a driver directly."""

from __future__ import annotations

import json
import time
from hashlib import sha256
from typing import Any, Final

from leeward.calls import (
    Delete,
    Enqueue,
    HeadObject,
    Invoke,
    Key,
    Load,
    Publish,
    PutObject,
    Result,
    Settle,
    StartRun,
    Store,
)
from leeward.cloudevents import mint
from leeward.entropy import new_id
from leeward.errors import Outcome
from leeward.values import Effect, Event, Item, Json
from leeward_contract_tests.fixtures import BUCKET, EVENTS, ITEMS, WORKFLOW, contract_workflow

SECONDS: Final = 10.0
"""The time that a driver has for a call in tests that are not about time."""

BATCH_SECONDS: Final = 60.0
"""Seconds for many events at once, so that a slow machine has time for them."""


def fresh(what: str) -> str:
    """Return a name, key or id that no other test uses."""
    return f"{what}-{new_id(time.time())}"


def invoke(function: str, payload: Json, effect: Effect = Effect.UNSAFE) -> Invoke:
    """Return a call of a function."""
    return Invoke(function, json.dumps(payload).encode(), fresh("call"), effect, marks=True)


def settle(function: str, key: str, payload: Json = None, voids: int = 0) -> Settle:
    """Return the question what became of the calls of a function with a key, 1.5 seconds old."""
    question = {"settle": key, "age": 1.5, "payload": payload}
    return Settle(function, json.dumps(question).encode(), key, marks=True, voids=voids)


def enqueue(function: str, payload: Json) -> Enqueue:
    """Return a queued call of a function."""
    return Enqueue(function, json.dumps(payload).encode(), fresh("call"))


def publish(*events: Event) -> Publish:
    """Return a publish of events, with the attributes that they leave open."""
    now = time.time()
    minted = [
        mint(event, id=fresh("event"), source="leeward-contract", now=now) for event in events
    ]
    return Publish(EVENTS, tuple(minted))


def item_key(value: str) -> Key:
    """Return a key of the table of items."""
    return Key(("id",), (value,))


def store(item: Item, *, write_id: str | None = None, if_absent: bool = False) -> Store:
    """Return a write to the table of items."""
    return Store(
        ITEMS,
        item_key(item["id"]),
        item,
        write_id or fresh("write"),
        time.time(),
        if_absent=if_absent,
    )


def load(key: str) -> Load:
    """Return a read of the table of items."""
    return Load(ITEMS, item_key(key))


def delete(key: str) -> Delete:
    """Return a delete in the table of items."""
    return Delete(ITEMS, item_key(key), time.time())


def put(
    name: str, body: bytes, *, write_id: str | None = None, if_absent: bool = False
) -> PutObject:
    """Return a write of an object."""
    digest = sha256(body).hexdigest()
    return PutObject(BUCKET, name, body, digest, write_id or fresh("write"), if_absent)


def head(name: str) -> HeadObject:
    """Return a look at an object."""
    return HeadObject(BUCKET, name)


def start_run(value: Json) -> StartRun:
    """Return a start of the contract's workflow, which may be repeated."""
    text = json.dumps(value, separators=(",", ":")).encode()
    return StartRun(WORKFLOW, fresh("run"), text, contract_workflow().digest, repeatable=True)


def outcomes_of(result: Result[Any]) -> list[Outcome]:
    """Return the outcome of each attempt, read-backs left out.

    A plain driver makes one attempt, and its result is that; a router lists several.
    """
    return [attempt.outcome for attempt in result.attempts if not attempt.read_back] or [
        result.outcome
    ]
