"""What Cloud Storage tells of objects: by a notification through Pub/Sub, or through Eventarc.

An overwrite is told twice, as the end of one object and the beginning of another; only the latter
is about an object. A generation is a number, larger for each later write of one name.

Sources: "Pub/Sub notifications for Cloud Storage"; the event types of Cloud Storage in Eventarc's
documentation; `objects` in the reference of the JSON API.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from leeward.app.kit import (
    Answer,
    Delivery,
    Handler,
    InvalidInput,
    Message,
    ObjectEvent,
    parse_time,
    refusal_answer,
)
from leeward.json_text import Undecodable, decode
from leeward.values import Event
from leeward_google.runtime.call import Run

_NOTIFIED: Final = "OBJECT_"
"""How the types of notifications begin."""
_FINALIZED: Final = f"{_NOTIFIED}FINALIZE"
_EVENTS: Final = "google.cloud.storage.object.v1."
_CREATED: Final = f"{_EVENTS}finalized"

_DIGITS: Final = 20
"""Of a generation, at most."""


def created_by(message: Message) -> list[ObjectEvent] | None:
    """Return the object that a message tells of, if any; None if it is not a notification.

    Raises:
        InvalidInput: it is one, and what it says makes no sense.
    """
    attributes = message.attributes
    if bucket_in(message) is None:
        return None
    if attributes["eventtype"] != _FINALIZED:
        return []
    fields = {
        "bucket": attributes["bucketid"],
        "name": attributes.get("objectid"),
        "generation": attributes.get("objectgeneration"),
        "timeCreated": attributes.get("eventtime"),
    }
    # Attributes of a message that was pushed unwrapped have been headers, which hold ASCII only.
    return [_object({**fields, **_resource(message.body)})]


def bucket_in(message: Message) -> str | None:
    """Return the bucket of a notification; None if a message is not one."""
    facts = message.attributes
    return facts.get("bucketid") if facts.get("eventtype", "").startswith(_NOTIFIED) else None


def created_in(event: Event) -> list[ObjectEvent] | None:
    """Return the object that an event tells of, if any; None if Cloud Storage has not sent it.

    Raises:
        InvalidInput: it has, and what it says makes no sense.
    """
    if not event.type.startswith(_EVENTS):
        return None
    if event.type != _CREATED:
        return []
    return [_object(event.data if isinstance(event.data, dict) else {})]


def bucket_of(event: Event) -> str | None:
    """Return the bucket of an event of Cloud Storage; None for any other event."""
    bucket = event.data.get("bucket") if isinstance(event.data, dict) else None
    return bucket if event.type.startswith(_EVENTS) and isinstance(bucket, str) else None


def hand_over(
    run: Run,
    dedicated: Handler | None,
    events: list[ObjectEvent] | None,
    attempt: int | None,
    trace: str | None,
) -> tuple[Handler, Answer] | None:
    """Run the matching handlers; return the first failure and its handler.

    Args:
        run: of the deployment, with the objects.
        dedicated: the deployment's only handler, or None.
        events: the objects; None if Cloud Storage did not send the request to this handler.
        attempt: as in `Delivery`.
        trace: as in `Delivery`.
    """
    if events is None:
        assert dedicated is not None
        return dedicated, refusal_answer(InvalidInput("$", "a notification of Cloud Storage"))
    delivery = Delivery(b"", run.id, "", run.seconds, attempt, trace)
    return run.host.hand_over(dedicated, events, delivery)


def _resource(body: bytes) -> Mapping[str, Any]:
    """Return the object's own description, where the notification has it."""
    try:
        document = decode(body) if body else {}
    except Undecodable:
        return {}
    return document if isinstance(document, dict) and "name" in document else {}


def _object(facts: Mapping[str, Any]) -> ObjectEvent:
    bucket, key, generation = facts.get("bucket"), facts.get("name"), str(facts.get("generation"))
    if not isinstance(bucket, str) or not isinstance(key, str) or not generation.isdecimal():
        raise InvalidInput("$", "bucket, name and generation of an object")
    size, etag = str(facts.get("size")), facts.get("etag")
    return ObjectEvent(
        bucket,
        key,
        generation,
        int(size) if size.isdecimal() and len(size) < 20 else None,
        etag if isinstance(etag, str) else None,
        generation.zfill(_DIGITS),
        parse_time(facts.get("timeCreated")),
        generation,
    )
