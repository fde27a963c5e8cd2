"""What S3 tells of objects: directly, through a queue or a topic, or by way of EventBridge.

S3 writes a key as a form does; EventBridge has it as it is. A sequencer is a number in hex, of any
length. Where a bucket keeps no versions, a write is known by its ETag and its sequencer together.

Sources: "Event message structure" and "EventBridge event message structure" in the user guide of
S3; "Using Lambda with Amazon S3" in Lambda's developer guide.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import unquote_plus

from leeward.app.kit import (
    Answer,
    Delivery,
    Handler,
    InvalidInput,
    ObjectEvent,
    parse_time,
    refusal_answer,
)
from leeward.json_text import Undecodable, decode
from leeward_aws.runtime.call import S3, SNS, Run, is_bus_event, make_exception
from leeward_aws.runtime.notifications import is_test, records_of, unwrap

_BUS_SOURCE: Final = "aws.s3"
_CREATED: Final = "ObjectCreated:"
_CREATED_ON_BUS: Final = "Object Created"

_UNVERSIONED: Final = (None, "", "null")
"""What stands for the version of an object in a bucket that keeps none."""

_DIGITS: Final = 40
"""Of a sequencer, at least; S3's have 18 or so."""

Told = tuple[Handler, Answer] | None
"""A failure, and whose it is."""


def created_in(document: Any) -> list[ObjectEvent] | None:
    """Return the objects that a document tells of; None if S3 has not written it.

    What S3 tells of deletions, and to try a notification out, is about no object.

    Raises:
        InvalidInput: S3 has, and what it says makes no sense.
    """
    if is_test(document):
        return []
    if is_bus_event(document) and document["source"] == _BUS_SOURCE:
        if document["detail-type"] != _CREATED_ON_BUS:
            return []
        try:
            bucket, facts = document["detail"]["bucket"]["name"], document["detail"]["object"]
            version = facts | {"version": facts.get("version-id")}
            return [_object(bucket, facts["key"], version, document.get("time"))]
        except (KeyError, TypeError, AttributeError):
            flaw = InvalidInput("$.detail", "bucket and object, as S3 has them")
        raise flaw
    records = records_of(document, S3)
    if records:
        names = [str(record.get("eventName")).removeprefix("s3:") for record in records]
        return [
            _of_record(record)
            for record, name in zip(records, names, strict=True)
            if name.startswith(_CREATED)
        ]
    notified = records_of(document, SNS)
    inner = unwrap(document) or unwrap(notified[0].get("Sns") if notified else None)
    return None if inner is None else created_by(inner.body)


def created_by(body: bytes) -> list[ObjectEvent] | None:
    """Return the same of the text of a message."""
    try:
        return created_in(decode(body))
    except Undecodable:
        return None


def hand_over(
    run: Run,
    dedicated: Handler | None,
    events: list[ObjectEvent] | None,
    attempt: int | None,
    trace: str | None,
) -> Told:
    """Run the handlers of the objects; return a failure, and whose it is.

    Args:
        run: that brings them.
        dedicated: the one handler that they are for, or None.
        events: the objects; None, for such a handler, is something that S3 has not sent.
        attempt: as of `Delivery`.
        trace: of the message, or of the run.
    """
    if events is None:
        assert dedicated is not None
        return dedicated, refusal_answer(InvalidInput("$", "a notification of S3"))
    delivery = Delivery(b"", run.id, "", run.seconds(), attempt, trace)
    return run.host.hand_over(dedicated, events, delivery)


def handle(run: Run, dedicated: Handler | None, event: Any) -> Exception | None:
    """Run the handlers of what Lambda was called with; return what to raise."""
    try:
        bad = hand_over(run, dedicated, created_in(event), None, run.trace())
    except InvalidInput as error:
        return make_exception(refusal_answer(error), reveals=False)
    return None if bad is None else make_exception(bad[1], reveals=False)


def handle_message(
    run: Run, dedicated: Handler, body: bytes, attempt: int | None, trace: str | None
) -> Answer:
    """Run the handlers of the objects in a message."""
    try:
        bad = hand_over(run, dedicated, created_by(body), attempt, trace)
    except InvalidInput as error:
        return refusal_answer(error)
    return Answer(b"null") if bad is None else bad[1]


def _of_record(record: Mapping[str, Any]) -> ObjectEvent:
    try:
        bucket, facts_ = record["s3"]["bucket"]["name"], record["s3"]["object"]
        facts = facts_ | {"version": facts_.get("versionId"), "etag": facts_.get("eTag")}
        return _object(bucket, unquote_plus(facts_["key"]), facts, record.get("eventTime"))
    except (KeyError, TypeError, AttributeError):
        flaw = InvalidInput("$.Records[0].s3", "bucket and object, as S3 has them")
    raise flaw


def _object(bucket: Any, key: Any, facts: Mapping[str, Any], time: Any) -> ObjectEvent:
    etag, version = facts.get("etag"), facts["version"]
    sequencer, size = facts.get("sequencer"), facts.get("size")
    tag = etag.strip('"') if isinstance(etag, str) and etag else None
    if version in _UNVERSIONED:
        version = f"{tag or ''}.{sequencer or ''}"
    if not isinstance(bucket, str) or not isinstance(key, str) or version == ".":
        raise TypeError
    return ObjectEvent(
        bucket,
        key,
        str(version),
        size if type(size) is int else None,
        tag,
        sequencer.upper().zfill(_DIGITS) if isinstance(sequencer, str) else None,
        parse_time(time),
        tag and f'"{tag}"',
    )
