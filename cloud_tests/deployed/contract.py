"""The functions of the contract: one app for every cloud, as a user would write it.

What they remember is in a table of the cloud that runs them, whose key is `what` and `at`.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any, Final
from uuid import uuid4

from leeward import App, Event
from leeward.cloudevents import to_json

MEMORY: Final = "contract-memory"

PART: Final = 300_000
"""Characters of an item: tables take 400,000 bytes, and some buses larger events."""

app = App("contract")


class ContractFailure(Exception):
    """What `fail` raises."""


@app.function(name="contract-echo")
def echo(payload: Any) -> Any:
    """Return the payload."""
    return payload


@app.function(name="contract-fail", queued=True)
def fail(_payload: Any) -> None:
    """Raise."""
    raise ContractFailure("on purpose")


@app.function(name="contract-count", queued=True)
def count(payload: Any) -> int:
    """Add 1 to the counter that the payload names; return what it is then."""
    counter = f"counter {payload['name']}"
    remember_text(counter, "1")
    return len([*remembered_texts(counter)])


@app.on_event("contract-events", name="contract-remember")
def remember(event: Event) -> None:
    """Take in one delivery of the bus."""
    remember_text(f"event {event.id}", json.dumps(to_json(event)))


@app.function(name="contract-seen")
def seen(payload: Any) -> list[Any]:
    """Return the events of an id that were delivered so far, in the order of delivery."""
    return [json.loads(text) for text in remembered_texts(f"event {payload['id']}")]


def remember_text(what: str, text: str) -> None:
    """Store a text, in parts; the last one has none behind it, and makes the text whole."""
    at = f"{time.time_ns():020d} {uuid4().hex}"
    starts = range(0, len(text), PART)
    for start in starts:
        item = {"what": what, "at": f"{at} {start:09d}", "text": text[start : start + PART]}
        app.client().store_data(MEMORY, {**item, "is_last": start == starts[-1]})


def remembered_texts(what: str) -> Iterator[str]:
    """Yield the texts that are whole, the oldest first."""
    parts, cursor, is_over = dict[str, str](), None, False
    while not is_over:
        page = app.client().list_data(MEMORY, what, limit=30, cursor=cursor)
        for record in page.items:
            text = record.item
            at = text["at"].rpartition(" ")[0]
            parts[at] = parts.get(at, "") + text["text"]
            if text["is_last"]:
                yield parts.pop(at)
        cursor, is_over = page.cursor, page.cursor is None
