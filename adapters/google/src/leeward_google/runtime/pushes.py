"""Messages of Pub/Sub, pushed or through Eventarc, and events of every source.

A message that leeward has published is an event, its attributes in the message's; one that it has
queued is the payload of a function. A push names its subscription and not its topic, so the path of
the push endpoint, or the name of the deployment, says which handler it is for.
"""

from __future__ import annotations

from base64 import b64decode
from binascii import Error
from collections.abc import Sequence
from typing import Any, Final

from leeward.app.kit import (
    Answer,
    Delivery,
    Handler,
    HttpRequest,
    InvalidInput,
    Kind,
    Letter,
    Message,
    ObjectEvent,
    event_key,
    events_in,
    failure_answer,
    headers_of,
)
from leeward.calls import Attribute
from leeward.envelope import DEADLINE
from leeward.json_text import Undecodable, decode
from leeward.records import NamedTuple
from leeward.values import Event
from leeward_google.runtime import objects
from leeward_google.runtime.call import Run

PUBLISHED: Final = "google.cloud.pubsub.topic.v1.messagePublished"
"""The type of the event in which Eventarc wraps a message."""

_METADATA: Final = "x-goog-pubsub-"
"""How the headers begin that an unwrapped message has beside its attributes."""

_TOPICS: Final = ("/topics/", "/buckets/")
"""What stands before the name of a bus in the source of an event."""


_OWN_HEADERS: Final = frozenset(
    """
    accept accept-encoding accept-language authorization connection content-length forwarded
    function-execution-id host transfer-encoding user-agent via x-cloud-trace-context
    x-forwarded-for x-forwarded-host x-forwarded-proto x-serverless-authorization
    x-goog-pubsub-delivery-attempt x-goog-pubsub-message-id x-goog-pubsub-ordering-key
    x-goog-pubsub-publish-time x-goog-pubsub-subscription-name
    """.split()
)
"""Headers that a request has without any attribute of a message."""


class Pushed(NamedTuple):
    """A message.

    Attributes:
        message: its queue is the topic, or the subscription where the topic is not known.
        topic: None where it is not known.
        attempt: how often it was delivered; None where nobody counts.
        attributes: of the message, as they were sent.
        group: its ordering key, or None.
    """

    message: Message
    topic: str | None
    attempt: int | None
    attributes: tuple[Attribute, ...] = ()
    group: str | None = None


def message_in(request: HttpRequest, named: Handler | None) -> Pushed | None:
    """Return the message that a request pushes, wrapped or not; None if it pushes none.

    Args:
        request: whatever has come.
        named: whom it is for, if it says so. A function may be called with anything, so for one
            only that is a push which no payload has by chance.

    Raises:
        InvalidInput: it says that it does, and what is in it makes no sense.
    """
    headers = request.headers
    if f"{_METADATA}message-id" in headers:
        # Read a message whose attributes have become headers.
        # One of the name of a header that every request has is lost: nothing tells them apart.
        subscription = headers.get(f"{_METADATA}subscription-name", "").rpartition("/")[2]
        id = headers[f"{_METADATA}message-id"]
        attempt = headers.get(f"{_METADATA}delivery-attempt", "")
        count = (
            int(attempt) if attempt.isascii() and attempt.isdecimal() and len(attempt) < 6 else 0
        )
        sent = {name: value for name, value in headers.items() if name not in _OWN_HEADERS}
        attributes = tuple(Attribute(name, value) for name, value in sent.items())
        key = headers.get(f"{_METADATA}ordering-key") or None
        return Pushed(
            Message(subscription, id, request.body, sent), None, count or None, attributes, key
        )
    if "ce-type" in headers:
        if headers["ce-type"] != PUBLISHED:
            return None
        return _read_envelope(decode(request.body), _bus(headers.get("ce-source")))
    if not request.body.lstrip().startswith(b"{") or b'"message"' not in request.body:
        return None
    document = decode(request.body)
    if not isinstance(document, dict) or not isinstance(document.get("subscription"), str):
        return None
    if named is not None and named.is_call and (DEADLINE in headers or not _is_push(document)):
        return None
    return _read_envelope(document, None)


def handle(run: Run, named: Handler | None, pushed: Pushed) -> Answer:
    """Run the handler of a message, or the subscribers of the event in it."""
    message = pushed.message
    bus = message.queue if named is None else pushed.topic
    if run.host.has_bus(bus):
        events = events_in(message.attributes, message.body, escaped=False)
        if events is not None:  # the queue of this name has other messages
            return handle_events(run, named, events, pushed.topic, pushed.attempt)
    handler = named or run.host.queue_handler(message.queue)
    if handler is not None and handler.kind is Kind.OBJECT:
        return _objects_of(run, handler, pushed, objects.created_by(message))
    if handler is None and run.host.object_handlers(objects.bucket_in(message)):
        return _objects_of(run, None, pushed, objects.created_by(message))
    if handler is None or handler.kind is Kind.EVENT:
        return _events_of(run, handler, pushed)
    if (unsent := _recall(run, [handler], pushed)) is not None:
        return unsent
    attributes = message.attributes
    delivery = Delivery(
        message.body if handler.is_call else message,
        run.id,
        attributes.get("idempotency-key") or message.id,
        run.seconds,
        pushed.attempt,
        attributes.get("traceparent") or attributes.get("googclient_traceparent"),
        attributes,
    )
    return _finish(run, handler, pushed, run.host.run(handler, delivery))


def handle_events(
    run: Run,
    named: Handler | None,
    events: list[Event],
    bus: str | None = None,
    attempt: int | None = None,
) -> Answer:
    """Run the subscribers of events, in the time of all; return as `Host.publish`, or a success.

    One that wraps a message is taken for that message.
    """
    clock = run.host.platform.clock
    ends, bad = clock.monotonic() + run.seconds, list[Answer]()
    for event in events:
        left = run._replace(seconds=ends - clock.monotonic())
        bad += filter(None, [_handle_event(left, named, event, bus, attempt)])
    # Behind a final failure, many senders would not send again what may go well later.
    again = (answer for answer in bad if answer.failure is not None and answer.failure.retryable)
    return next(again, bad[0] if bad else Answer(b"null"))


def _handle_event(
    run: Run, named: Handler | None, event: Event, bus: str | None, attempt: int | None
) -> Answer | None:
    """Run the subscribers of an event; return a failure."""
    if event.type == PUBLISHED:
        answer = handle(run, named, _read_envelope(event.data, _bus(event.source)))
        return answer if answer.failure is not None else None
    parent = event.extensions.get("traceparent")
    trace = parent if isinstance(parent, str) else run.request.headers.get("traceparent")
    is_for_objects = named is not None and named.kind is Kind.OBJECT
    created = objects.created_in(event) if is_for_objects else None
    if named is None and (objects_ := run.host.read_objects(objects.created_in, event)):
        is_for_objects, created = True, objects_
    if is_for_objects:
        bad = objects.hand_over(run, named, created, attempt, trace)
        return None if bad is None else bad[1]
    delivery = Delivery(event, run.id, event_key(event), run.seconds, attempt, trace)
    bucket = objects.bucket_of(event)
    return run.host.publish(named, event, delivery, bus or _bus(event.source), bucket)


def handle_plain(run: Run, named: Handler | None) -> Answer | None:
    """Run the one handler of a document that is neither an event nor a message."""
    if named is None:
        return None
    message = Message(named.queue or named.name, run.id, run.request.body, run.request.headers)
    return handle(run, named, Pushed(message, None, None))


def _objects_of(
    run: Run, handler: Handler | None, pushed: Pushed, created: list[ObjectEvent] | None
) -> Answer:
    """Run the handlers of the objects in a message."""
    takers = run.host.object_handlers(created[0].bucket) if created else []
    if (unsent := _recall(run, [handler] if handler else takers, pushed)) is not None:
        return unsent
    trace = pushed.message.attributes.get("traceparent")
    bad = objects.hand_over(run, handler, created, pushed.attempt, trace)
    return Answer(b"null") if bad is None else _finish(run, bad[0], pushed, bad[1])


def _recall(run: Run, handlers: Sequence[Handler], pushed: Pushed) -> Answer | None:
    """Finish with a message that was given up, and whose letter could not be sent."""
    id, body = pushed.message.id, pushed.message.body
    unsent = run.dead_letters.find_unsent(handlers, id, body, pushed.attempt)
    return _finish(run, unsent[0], pushed, failure_answer(unsent[1])) if unsent else None


def _finish(run: Run, handler: Handler, pushed: Pushed, answer: Answer) -> Answer:
    """Finish with a message that a handler has had; return how its push is answered."""
    message = pushed.message
    letter = Letter(
        message.queue, message.body, pushed.attributes, message.id, pushed.attempt, pushed.group
    )
    is_done = run.dead_letters.finish(handler, letter, answer.failure, run.seconds)
    return Answer(b"null") if is_done else answer


def _events_of(run: Run, handler: Handler | None, pushed: Pushed) -> Answer:
    """Run the subscribers of the events in a message."""
    message = pushed.message
    events = events_in(message.attributes, message.body, escaped=False)
    if events is not None:
        return handle_events(run, handler, events, pushed.topic, pushed.attempt)
    if handler is None:
        return run.host.no_handler(message)
    try:
        data: Any = decode(message.body) if message.body else None
    except Undecodable:
        data = message.body
    source = f"//pubsub.googleapis.com/{message.queue}"
    event = Event(handler.type or PUBLISHED, data, id=message.id, source=source)
    delivery = Delivery(event, run.id, event_key(event), run.seconds, pushed.attempt)
    return run.host.publish(handler, event, delivery) or Answer(b"null")


def _is_push(document: dict[str, Any]) -> bool:
    message, parts = document.get("message"), str(document["subscription"]).split("/")
    id = message.get("messageId") if isinstance(message, dict) else None
    return isinstance(id, str) and parts[::2] == ["projects", "subscriptions"] and len(parts) == 4


def _read_envelope(document: Any, topic: str | None) -> Pushed:
    """Read a message in an envelope, as a push and as Eventarc have it.

    Raises:
        InvalidInput: it is not one.
    """
    message = document.get("message") if isinstance(document, dict) else None
    if not isinstance(message, dict):
        raise InvalidInput("$.message", "object")
    attributes = message.get("attributes") or {}
    id = message.get("messageId") or message.get("message_id")
    if not isinstance(attributes, dict) or not isinstance(id, str):
        raise InvalidInput("$.message", "a message with id and attributes")
    texts = [(name, value) for name, value in attributes.items() if isinstance(value, str)]
    subscription = str(document.get("subscription")).rpartition("/")[2]
    body = _data(message.get("data"))
    return Pushed(
        Message(topic or subscription, id, body, headers_of(texts)),
        topic,
        _attempt(document.get("deliveryAttempt")),
        tuple(Attribute(name, value) for name, value in texts),
        message.get("orderingKey") or message.get("ordering_key") or None,
    )


def _data(text: Any) -> bytes:
    try:
        return b64decode(text or "", validate=True)
    except (Error, TypeError, ValueError):
        flaw = InvalidInput("$.message.data", "base64")
    raise flaw


def _attempt(count: Any) -> int | None:
    """Return how often a message was delivered; 0, or nothing, says that nobody counts."""
    return count if type(count) is int and count > 0 else None


def _bus(source: str | None) -> str | None:
    """Return the topic or bucket in the source of an event; None for another source."""
    for part in _TOPICS:
        if source and source.startswith("//") and part in source:
            return source.rpartition(part)[2]
    return None
