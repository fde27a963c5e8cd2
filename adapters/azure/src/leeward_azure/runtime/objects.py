"""What Blob Storage tells of objects: by Event Grid, directly or through a queue.

In an account with folders a file is told of when it is made, empty, and again when all of it is
there; only the latter is about an object.

Sources: "Azure Blob Storage as Event Grid source", in both schemas; "Storage queues as an event
handler".
"""

from __future__ import annotations

from typing import Final

from leeward.app.kit import (
    Answer,
    Delivery,
    Handler,
    Host,
    InvalidInput,
    ObjectEvent,
    event_of,
    is_event,
    parse_time,
    refusal_answer,
)
from leeward.json_text import Undecodable, decode
from leeward.values import Event

_EVENTS: Final = "Microsoft.Storage."
_CREATED: Final = f"{_EVENTS}BlobCreated"
_EMPTY: Final = frozenset({"CreateFile", "SftpCreate"})
"""Requests that make a file into which others write."""

_MANGLED: Final = "\N{REPLACEMENT CHARACTER}"
"""Stands in a subject for what Event Grid could not write: nobody knows which blob that is."""

_CONTAINERS: Final = "/containers/"
_BLOBS: Final = "/blobs/"


def read_event(body: bytes) -> Event | None:
    """Return the event in a message, of either schema; None if there is none."""
    try:
        document = decode(body)
        if is_event(document):
            return event_of(document)
        return Event(
            document["eventType"],
            document["data"],
            id=str(document["id"]),
            source=document.get("topic"),
            time=parse_time(document.get("eventTime")),
            subject=document["subject"],
        )
    except (Undecodable, InvalidInput, KeyError, TypeError, AttributeError):
        return None


def hand_over(host: Host, handler: Handler, event: Event | None, delivery: Delivery) -> Answer:
    """Run the handler of the object that an event tells of, if any."""
    try:
        events = _created_in(event)
    except InvalidInput as error:
        return refusal_answer(error)
    bad = host.hand_over(handler, events, delivery)
    return Answer(b"null") if bad is None else bad[1]


def _created_in(event: Event | None) -> list[ObjectEvent]:
    """Return the object that an event tells of, if any; other events of the store tell of none.

    Raises:
        InvalidInput: it is not of Blob Storage, or it makes no sense.
    """
    if event is None or not str(event.type).startswith(_EVENTS):
        raise InvalidInput("$", "an event of Blob Storage")
    if event.type != _CREATED:
        return []
    data = event.data if isinstance(event.data, dict) else {}
    if str(data.get("api")) in _EMPTY:
        return []
    _, _, path = str(event.subject).partition(_CONTAINERS)
    container, _, key = path.partition(_BLOBS)
    etag = str(data.get("eTag") or "").strip('"')
    if not container or not key or not etag or _MANGLED in key:
        raise InvalidInput("$", "container, name and ETag of a blob")
    size, sequencer = data.get("contentLength"), data.get("sequencer")
    return [
        ObjectEvent(
            container,
            key,
            etag,
            size if type(size) is int else None,
            etag,
            sequencer if isinstance(sequencer, str) else None,
            event.time,
            etag,
        )
    ]
