"""Batches of SQS: each message by itself, and those of a group one after the other.

The answer names the messages that have failed; SQS delivers these again. That it has any effect
needs ``FunctionResponseTypes: [ReportBatchItemFailures]`` on the mapping: without it, Lambda takes
every answer for a success, and the failed messages are gone.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from leeward.app.kit import (
    Answer,
    Failure,
    Handler,
    InvalidInput,
    Kind,
    Message,
    failed,
    fails_as_one,
    refused,
)
from leeward.values import NOTHING
from leeward_aws.runtime import notifications, objects
from leeward_aws.runtime.call import Run
from leeward_aws.runtime.dead import letter_of

_SQS: Final = "aws:sqs"

RESERVE: Final = 1.0
"""Seconds of a run that are kept for its answer. A message that there is no time left to settle is
delivered again."""


def is_batch(event: Any) -> bool:
    """Return whether an event is a batch of messages."""
    return notifications.source_of(event) == _SQS


class Source(NamedTuple):
    """A queue that messages of a batch come from.

    Attributes:
        name: of the queue.
        is_ordered: the messages of a group keep their order.
        handler: of its messages; None if they can only be events.
    """

    name: str
    is_ordered: bool
    handler: Handler | None


def handle(run: Run, own: Handler | None, records: list[dict[str, Any]]) -> dict[str, Any]:
    """Hand every message to its handler; return those that are to be delivered again.

    In a queue that keeps an order, a message that fails holds back all later ones of its group:
    they are not handled, and come again behind it. (Other queues have groups, too, to be fair to
    their senders.) What is given up holds nobody back, once it is in the dead-letter queue.

    Messages are settled when all have been handled, for a batch that fails as one shows itself only
    then; in a queue that keeps an order each at once, because the next one depends on it.
    """
    failures: list[str] = []
    held: set[str] = set()
    had: list[_Had] = []
    single = 0
    trace = run.trace()
    sources: dict[str, Source] = {}
    for record in records:
        arn = record.get("eventSourceARN")
        source = sources.get(arn) if isinstance(arn, str) else None
        if source is None:
            source = sources[str(arn)] = _source(run, own, str(arn))
        attributes = record.get("attributes") or NOTHING
        group = attributes.get("MessageGroupId") if source.is_ordered else None
        if group is not None and group in held:
            failures.append(record["messageId"])
            continue
        answer, handler = _handle_one(run, own, source, record, trace)
        single += group is None
        if answer.failure is None:
            continue
        one = _Had(source, record, answer.failure, handler)
        if group is None:
            had.append(one)
        elif not _is_done(run, one, together=False):
            failures.append(record["messageId"])
            held.add(group)
    well = [None] * (single - len(had))
    together = bool(had) and fails_as_one([*well, *(each.failure for each in had)])
    failures += [
        each.record["messageId"] for each in had if not _is_done(run, each, together=together)
    ]
    return {"batchItemFailures": [{"itemIdentifier": each} for each in failures]}


class _Had(NamedTuple):
    """A record that a handler has failed with; None where that is not one alone."""

    source: Source
    record: dict[str, Any]
    failure: Failure
    handler: Handler | None


def _is_done(run: Run, had: _Had, *, together: bool) -> bool:
    """Finish with a message that has failed; return whether Lambda may delete it."""
    source, record, failure, handler = had
    if handler is None:
        return False
    letter = letter_of(record, source.name, _attempt(record))
    seconds = run.seconds() - RESERVE
    return run.dead_letters.finish(handler, letter, failure, seconds, together=together)


def _source(run: Run, own: Handler | None, arn: str) -> Source:
    """Return a queue by its logical name, which may have the ending of those with an order."""
    queue = arn.rpartition(":")[2]
    name = queue.removesuffix(".fifo")
    handler = own or run.host.queue_handler(queue) or run.host.queue_handler(name)
    if handler is not None and handler.kind is Kind.EVENT:
        handler = None
    is_named_so = handler is not None and handler.queue == queue
    return Source(queue if is_named_so else name, name != queue, handler)


def _handle_one(
    run: Run, own: Handler | None, source: Source, record: dict[str, Any], trace: str | None
) -> tuple[Answer, Handler | None]:
    """Return what came of a message, and of which handler, where that is known."""
    message, attempt = message_of(record, source.name), _attempt(record)
    handler = source.handler
    if own is None and handler is None and (created := objects.wanted_in(run, message.body)):
        bad = objects.hand_over(run, None, created, attempt, trace)
        return (Answer(b"null"), None) if bad is None else (bad[1], bad[0])
    if handler is None:
        return _as_events(run, own, record, message), None
    if handler.kind is Kind.OBJECT:
        return objects.handle_message(run, handler, message.body, attempt, trace), handler
    given = message.body if handler.is_call else message
    delivery = notifications.message_delivery(run, message, attempt, given, trace)
    return run.host.run(handler, delivery), handler


def _as_events(run: Run, own: Handler | None, record: dict[str, Any], message: Message) -> Answer:
    """Hand the events in a message to their subscribers: a bus may lead into a queue."""
    try:
        events = notifications.events_of(message.body)
    except InvalidInput as error:
        return failed(refused(error))
    if not events and objects.created_by(message.body) == []:
        return Answer(b"null")
    if not events:
        return run.host.no_handler(message)
    for event in events:
        answer = notifications.publish(run, own, event, None, _attempt(record))
        if answer is not None:
            return answer
    return Answer(b"null")


def message_of(record: dict[str, Any], queue: str) -> Message:
    """Return a record as a message; attributes that are bytes are left out."""
    told = record.get("messageAttributes")
    attributes: Mapping[str, str] = NOTHING
    if told:
        attributes = {
            name.lower(): text
            for name, each in told.items()
            if isinstance(text := each.get("stringValue"), str)
        }
    body = record.get("body") or ""
    return Message(queue, record["messageId"], body.encode(errors="surrogatepass"), attributes)


def _attempt(record: dict[str, Any]) -> int | None:
    count = (record.get("attributes") or NOTHING).get("ApproximateReceiveCount")
    return int(count) if isinstance(count, str) and count.isdecimal() and len(count) < 10 else None
