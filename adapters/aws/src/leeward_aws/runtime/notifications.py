"""Events of EventBridge, SNS and S3: each becomes a CloudEvent, or a message.

Events of other programs have no CloudEvent in them; theirs are described by one, as the
specification's adapters for AWS do. Lambda invokes a function asynchronously with all of these, so
a failure is raised: Lambda tries twice more, and then follows the function's own destination.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from hashlib import sha256
from typing import Any

from leeward.app.kit import (
    Answer,
    Delivery,
    Handler,
    InvalidInput,
    Kind,
    Message,
    event_key,
    event_of,
    events_in,
    is_event,
    refusal_answer,
)
from leeward.json_text import Undecodable, decode
from leeward.values import Event
from leeward_aws.runtime.call import S3, Run, is_bus_event, make_exception, payload_of, source_of


def handle(run: Run, dedicated: Handler | None, event: Any) -> Exception | None:
    """Run the handlers of every event; return what to raise."""
    answers: list[Answer] = []
    for record in event["Records"] if not is_bus_event(event) else [event]:
        try:
            answer = _handle_one(run, dedicated, record)
        except InvalidInput as error:
            answer = refusal_answer(error)
        if answer is not None:
            answers.append(answer)
    return make_exception(answers[0], reveals=False) if answers else None


def handle_plain(run: Run, dedicated: Handler, event: Any) -> Exception | None:
    """Run the one handler of what a rule has made of an event."""
    try:
        document = decode(payload_of(event))
        plain = Event(dedicated.type or "aws.plain", document, id=run.id, source="aws")
        answer = publish(run, dedicated, event_in(document) or plain, None)
    except (InvalidInput, Undecodable):
        answer = refusal_answer(InvalidInput("$", "an event"))
    return None if answer is None else make_exception(answer, reveals=False)


def event_in(document: Any) -> Event | None:
    """Return the event that a JSON document is: a CloudEvent, or EventBridge's own form.

    Raises:
        InvalidInput: it is one, and is wrong.
    """
    if is_event(document):
        return event_of(document)
    if not is_bus_event(document):
        return None
    detail = document["detail"]
    if is_event(detail):
        return event_of(detail)
    return Event(
        document["detail-type"],
        detail,
        id=_text(document.get("id")) or _mark(document),  # a rule may leave it out
        source=document["source"],
        time=_time(document.get("time")),
    )


def publish(
    run: Run, mine: Handler | None, event: Event, bus: str | None, attempt: int | None = None
) -> Answer | None:
    """Run the handlers of an event; return the first failure."""
    trace = event.extensions.get("traceparent")
    trace = (trace if isinstance(trace, str) else None) or run.trace()
    delivery = Delivery(event, run.id, event_key(event), run.seconds(), attempt, trace)
    # The bucket of an event of S3, whichever way it came; None for any other event.
    about = event.data.get("bucket") if isinstance(event.data, dict) else None
    is_of_s3 = event.source == "aws.s3" or event.type.startswith("com.amazonaws.s3.")
    place = about.get("name") if is_of_s3 and isinstance(about, dict) else None
    return run.host.publish(mine, event, delivery, bus, place if isinstance(place, str) else None)


def unwrap(notification: Any) -> Message | None:
    """Return the message in a notification of SNS, with its topic as its queue; else None."""
    if not isinstance(notification, dict) or not isinstance(notification.get("Message"), str):
        return None
    topic, id = notification.get("TopicArn"), notification.get("MessageId")
    if not isinstance(topic, str) or not isinstance(id, str):
        return None
    given = notification.get("MessageAttributes")
    attributes = {
        name.lower(): attribute["Value"]
        for name, attribute in (given.items() if isinstance(given, dict) else ())
        if isinstance(attribute, dict) and isinstance(attribute.get("Value"), str)
    }
    name = topic.rpartition(":")[2].removesuffix(".fifo")
    body = notification["Message"].encode(errors="surrogatepass")
    return Message(name, id, body, attributes)


def events_of(body: bytes) -> list[Event]:
    """Return the events in a text, if there are any in one of the forms that are known.

    Raises:
        InvalidInput: it has one, and that is wrong.
    """
    try:
        document = decode(body)
    except Undecodable:
        return []
    if (inner := unwrap(document)) is not None:
        return events_of(inner.body)
    event = event_in(document)
    if event is not None:
        return [event]
    return [_object_event(record) for record in records_of(document, S3)]


def is_test(document: Any) -> bool:
    """Return whether a document is what S3 sends when notifications are set up."""
    return isinstance(document, dict) and document.get("Event") == "s3:TestEvent"


def is_test_of_s3(body: bytes) -> bool:
    """Return the same of the text of a message."""
    try:
        return is_test(decode(body))
    except Undecodable:
        return False


def _handle_one(run: Run, dedicated: Handler | None, record: dict[str, Any]) -> Answer | None:
    if is_bus_event(record):
        event = event_in(record)
        assert event is not None
        return publish(run, dedicated, event, None)
    if record.get("eventSource") == S3:
        return publish(run, dedicated, _object_event(record), _bucket(record))
    message = unwrap(record.get("Sns"))
    if message is None:
        raise InvalidInput("$.Records[0].Sns", "a notification")
    return _deliver(run, dedicated, message)


def _deliver(run: Run, dedicated: Handler | None, message: Message) -> Answer | None:
    """Run the subscribers of the event in a notification, or the handler of its topic."""
    topic, id, body, attributes = message
    handler = dedicated or run.host.queue_handler(topic)
    is_bus = run.host.has_bus(topic)
    is_message = handler is not None and handler.kind is Kind.MESSAGE
    events = [] if is_message and not is_bus else events_in(attributes, body, escaped=False)
    events = events_of(body) if events is None else events
    if is_message and not events:
        assert handler is not None
        answer = run.host.run(handler, message_delivery(run, message, None, message, run.trace()))
        return answer if answer.failure is not None else None
    if not events and is_test_of_s3(body):
        run.host.hand_over(dedicated, [], Delivery(b"", run.id, "", run.seconds()))
        return None
    kind = (dedicated.type if dedicated else None) or "aws.sns"
    plain = Event(kind, body.decode(errors="replace"), id=id, source=topic)
    for event in events or [plain]:
        bad = publish(run, dedicated, event, topic)
        if bad is not None:
            return bad
    return None


def message_delivery(
    run: Run, message: Message, attempt: int | None, given: Message | bytes, trace: str | None
) -> Delivery:
    """Return the delivery of a message; its key is the sender's, else the message's id.

    Args:
        run: that brings it.
        message: the message.
        attempt: as of `Delivery`.
        given: what the handler gets: the message, or its body.
        trace: of the run, for a message without one of its own.
    """
    attributes = message.attributes
    return Delivery(
        given,
        f"{run.id}/{message.id}",
        attributes.get("idempotency-key") or message.id,
        run.seconds(),
        attempt,
        attributes.get("traceparent") or trace,
        attributes,
    )


def _object_event(record: dict[str, Any]) -> Event:
    """Describe what happened to an object, as the specification's adapter for S3 does.

    The key of an object is encoded as in a form.

    Raises:
        InvalidInput: S3 does not write such a record.
    """
    from urllib.parse import unquote_plus

    about = _object_fields(record)
    item = about.get("object") or {}
    key = unquote_plus(str(item.get("key", "")))
    return Event(
        f"com.amazonaws.s3.{record.get('eventName')}",
        {**about, "object": {**item, "key": key}},
        id=_id_of(record, item),
        source=f"{S3}:{record.get('awsRegion')}:{_bucket(record)}",
        time=_time(record.get("eventTime")),
        subject=key or None,
    )


def _id_of(record: Mapping[str, Any], item: Mapping[str, Any]) -> str:
    """Return the id of what a record tells: another one for each object of one request.

    It is short, because with the bucket it makes an idempotency key.
    """
    elements = record.get("responseElements")
    request = elements.get("x-amz-request-id") if isinstance(elements, dict) else None
    about = [item.get(name) for name in ("key", "versionId", "sequencer")]
    if about[1:] == [None, None]:
        about += [record.get("eventTime"), item.get("eTag")]
    return ".".join(filter(None, [_text(request), _mark([record.get("eventName"), *about])]))


def _mark(document: Any) -> str:
    return sha256(payload_of(document)).hexdigest()[:32]


def _bucket(record: dict[str, Any]) -> str:
    name = _text((_object_fields(record).get("bucket") or {}).get("name"))
    if name is None:
        raise InvalidInput("$.Records[0].s3.bucket.name", "the name of a bucket")
    return name


def _object_fields(record: dict[str, Any]) -> dict[str, Any]:
    """Return what a record of S3 has of its object and bucket.

    Raises:
        InvalidInput: it tells nothing that S3 writes.
    """
    about: Any = record.get("s3")
    parts = [about.get(name) or {} for name in ("bucket", "object")] if type(about) is dict else []
    if not parts or not all(type(part) is dict for part in parts):
        raise InvalidInput("$.Records[0].s3", "bucket and object, as S3 has them")
    return dict(about)


def records_of(document: Any, source: str) -> list[dict[str, Any]]:
    """Return the records of a service that a document has; none if it has others."""
    return document["Records"] if source_of(document) == source else []


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None


def _time(text: Any) -> datetime | None:
    try:
        return datetime.fromisoformat(text)
    except (TypeError, ValueError):
        return None
