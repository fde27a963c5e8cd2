"""Buses and queues: what is published and queued, as rows of `deliveries`.

A queue is there once a worker has looked for its messages, and a bus as soon as somebody speaks of
it. Whoever subscribes at the moment of publishing gets a row.
"""

from __future__ import annotations

import re
from typing import Any, Final

from leeward.calls import Enqueue, Publish, Result
from leeward.cloudevents import document_of
from leeward.errors import Outcome
from leeward.text import join_key
from leeward_postgres.items import text_of
from leeward_postgres.statements import Plan, Statement, milliseconds

_ENQUEUE: Final = "SELECT @.enqueue_row(%s, %s, %s, %s, %s::integer)"
_PUBLISH: Final = f"SELECT @.publish_rows(%s, {', '.join(['%s::text[]'] * 5)}, %s::integer)"

_OF_VERSION_7: Final = re.compile(
    "[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}(-[0-9a-f]{4}){1}-[0-9a-f]{12}"
)


def write_id_of(id: str, place: str) -> str | None:
    """Return the id of the write that keeps something under `id` at a bus or queue.

    What comes again under it is kept once. None for an id that leeward has not minted: it says not
    when it may be forgotten, and may be used again on purpose.
    """
    return f"{id} {text_of(place)}" if _OF_VERSION_7.fullmatch(id) else None


def enqueue(call: Enqueue, timeout: float) -> Plan:
    """Keep a call; it is made by a worker, at least once."""
    try:
        document = call.payload.decode()
    except UnicodeDecodeError as error:
        return Result(Outcome.CALLER, message="the payload is not UTF-8", cause=error)
    name, key = text_of(call.function), text_of(call.idempotency_key)
    id = write_id_of(call.idempotency_key, call.function)
    values = name, id, key, document, milliseconds(timeout)
    ((is_kept,),) = yield Statement(_ENQUEUE, values)
    if not is_kept:
        problem = f"no worker has looked for messages of {call.function!r} yet; start one first"
        return Result(Outcome.NOT_FOUND, message=problem)
    return Result.ok(None)


def publish(call: Publish, timeout: float) -> Plan:
    """Keep a row for each event and subscriber; without one, events are dropped."""
    results: list[Result[None]] = []
    columns: list[tuple[Any, ...]] = []
    for index, event in enumerate(call.events):
        try:
            document = document_of(event).decode()
        except (TypeError, ValueError, RecursionError) as error:
            problem = f"events[{index}].data is neither JSON nor bytes"
            results.append(Result(Outcome.CALLER, message=problem, cause=error))
            continue
        results.append(Result.ok(None))
        id = event.id or ""
        names = event.type, event.ordering_key, join_key(event.source or "", id)
        columns.append((write_id_of(id, call.bus), *map(text_of, names), document))
    if columns:
        lists = map(list, zip(*columns, strict=True))
        values = text_of(call.bus), *lists, milliseconds(timeout)
        yield Statement(_PUBLISH, values)
    return Result.ok(tuple(results))
