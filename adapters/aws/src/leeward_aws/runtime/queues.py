"""Batches of SQS: messages are handled one by one, those of a group in order; and dead letters.

The answer names the messages that have failed; SQS delivers these again. That it has any effect
needs ``FunctionResponseTypes: [ReportBatchItemFailures]`` on the mapping: without it, Lambda takes
every answer for a success, and the failed messages are gone.
"""

from __future__ import annotations

import os
from binascii import a2b_base64
from collections.abc import Callable, Mapping, Sequence
from itertools import starmap
from typing import Any, Final, TypeAlias

from leeward.adapter import TargetConfig
from leeward.app.kit import (
    Answer,
    DeadLetters,
    Delivery,
    Handler,
    HandlerFailure,
    InvalidInput,
    Kind,
    Letter,
    Message,
    Perform,
    dead_letters_at,
    fails_as_one,
    refusal_answer,
)
from leeward.calls import Attribute
from leeward.envelope import RUNNING
from leeward.records import NamedTuple
from leeward.values import NOTHING, Json
from leeward_aws.runtime import notifications, objects
from leeward_aws.runtime.call import Run

RESERVE: Final = 1.0
"""Seconds of a run that are kept for its answer. A message that there is no time left to settle is
delivered again."""

NOT_BEGUN: Final = HandlerFailure("NotBegun", 503, None, RUNNING, True, None, "no", is_own=True)
"""Of a message for which a run has no time left: it waits for the next one, and nothing counts."""

Record: TypeAlias = dict[str, Any]


class MessageResult(NamedTuple):
    """What came of a message.

    Attributes:
        failure: None if that went well.
        handler: that had it; None where that is not one alone.
        has_run: it has run; not where its failure is known from before, and its letter not sent.
    """

    failure: HandlerFailure | None
    handler: Handler | None
    has_run: bool = True


WELL: Final = MessageResult(None, None)


class Batch(NamedTuple):
    """What the messages of a batch have in common.

    Attributes:
        run: that brings them.
        dedicated: the one handler of the deployment; None if it is for all.
        queue: where they come from.
        handler: of the queue's messages; None if they can only be events.
        is_bus: a bus may lead into the queue, too.
        trace: of the run, for a message without one of its own.
    """

    run: Run
    dedicated: Handler | None
    queue: str
    handler: Handler | None
    is_bus: bool
    trace: str | None


class MessageDelivery:
    """The delivery of a record, as `Delivery` has it; a field is made when it is asked for."""

    voids, settles = 0, False

    def __init__(self, batch: Batch, record: Record, seconds: float) -> None:
        self._batch, self._record, self.seconds = batch, record, seconds

    def read(self, handler: Handler) -> tuple[Json, Any]:
        """Read the body, without a message around it that the handler does not take."""
        return handler.read(self.input if handler.is_raw else body_of(self._record))

    def __getattr__(self, name: str) -> Any:
        """Return a field of the whole delivery."""
        run, _, queue, handler, _, trace = self._batch
        message, attempt = message_of(self._record, queue), _attempt(self._record)
        given = message.body if handler is not None and handler.is_call else message
        return getattr(notifications.message_delivery(run, message, attempt, given, trace), name)


def handle(run: Run, dedicated: Handler | None, records: list[Record]) -> dict[str, Any]:
    """Run the handler of each message; return those that must be delivered again.

    Lambda reads one queue for a batch. Of a queue that keeps no order, messages may have a group,
    too: it is fair to its senders then.
    """
    # A queue by its logical name, which may have the ending of those with an order.
    queue = str(records[0].get("eventSourceARN")).rpartition(":")[2]
    name = queue.removesuffix(".fifo")
    handled = _handle_each if name == queue else _handle_groups
    handler = dedicated or run.host.queue_handler(queue) or run.host.queue_handler(name)
    if handler is not None and handler.kind is Kind.EVENT:
        handler = None
    name = queue if handler is not None and handler.queue == queue else name
    is_bus = dedicated is None and run.host.has_bus(name)
    again = handled(Batch(run, dedicated, name, handler, is_bus, run.trace()), records)
    return {"batchItemFailures": [{"itemIdentifier": record["messageId"]} for record in again]}


def _handle_each(batch: Batch, records: list[Record]) -> list[Record]:
    """Handle messages by themselves; return those that are to be delivered again.

    They are settled when all have been handled: a batch that fails as one shows itself only then.
    """
    had = [*map(_in_time(batch), records)]
    if had.count(WELL) == len(had):
        return []
    together = fails_as_one([result.failure for result in had if result.has_run])
    return [
        record
        for record, result in zip(records, had, strict=True)
        if not _is_done(batch, record, result, together=together and result.has_run)
    ]


def _handle_groups(batch: Batch, records: list[Record]) -> list[Record]:
    """Handle the messages of each group one after the other; return as `_handle_each` does.

    One that fails holds back all later ones of its group: they are not handled, and come again
    behind it. So each is settled at once. What is given up holds nobody back, once it is in the
    dead-letter queue.
    """
    handle_next = _in_time(batch)
    again: list[Record] = []
    held: set[Any] = set()
    for record in records:
        group = (record.get("attributes") or NOTHING).get("MessageGroupId")
        if group not in held:
            if _is_done(batch, record, handle_next(record), together=False):
                continue
            held.add(group)
        again.append(record)
    return again


def _in_time(batch: Batch) -> Callable[[Record], MessageResult]:
    """Return what handles a message that fits into the run, if it takes as long as any yet."""
    last, longest = 0.0, 0.0
    remaining: Callable[[], int] = batch.run.context.get_remaining_time_in_millis

    def handle_next(record: Record) -> MessageResult:
        nonlocal last, longest
        is_first, left = not last, remaining() / 1000
        last, longest = left, max(longest, last - left)
        if is_first or left - RESERVE >= longest:
            return _handle_one(batch, record, left)
        return MessageResult(NOT_BEGUN, batch.handler, has_run=False)

    return handle_next


def _is_done(batch: Batch, record: Record, had: MessageResult, *, together: bool) -> bool:
    """Finish with a message; return whether Lambda may delete it: all is well, or given up."""
    failure, handler, _ = had
    if failure is None or failure.is_done:
        return True
    letters, seconds = batch.run.dead_letters, batch.run.seconds() - RESERVE
    if handler is None or letters is None:
        return False
    letter = letter_of(record, batch.queue, _attempt(record))
    return letters.finish(handler, letter, failure, seconds, together=together)


def _handle_one(batch: Batch, record: Record, seconds: float) -> MessageResult:
    run, _, queue, handler, is_bus, trace = batch
    if handler is None or (is_bus and _is_taken(run, queue, body_of(record))):
        return _handle_content(batch, record)  # the bus leads into the queue of this name
    if run.dead_letters is not None and (unsent := _recall(run, [handler], record)) is not None:
        return unsent
    if handler.bucket is not None:
        answer = objects.handle_message(run, handler, body_of(record), _attempt(record), trace)
    else:
        delivery: Any = MessageDelivery(batch, record, seconds)
        answer = run.host.run(handler, delivery)
    return WELL if answer.failure is None else MessageResult(answer.failure, handler)


def _recall(run: Run, handlers: Sequence[Handler], record: Record) -> MessageResult | None:
    """Return how a message was given up whose letter could not be sent."""
    letters, id, attempt = run.dead_letters, record["messageId"], _attempt(record)
    unsent = letters and letters.find_unsent(handlers, id, body_of(record), attempt)
    return MessageResult(unsent[1], unsent[0], has_run=False) if unsent else None


def _handle_content(batch: Batch, record: Record) -> MessageResult:
    """Run the handlers of the objects or the events in a message."""
    run, dedicated, queue, _, _, trace = batch
    attempt, message = _attempt(record), message_of(record, queue)
    if dedicated is None and (created := run.host.read_objects(objects.created_by, message.body)):
        handlers = run.host.object_handlers(created[0].bucket)
        if (unsent := _recall(run, handlers, record)) is not None:
            return unsent
        bad = objects.hand_over(run, None, created, attempt, trace)
        return WELL if bad is None else MessageResult(bad[1].failure, bad[0])
    return MessageResult(_handle_events(run, dedicated, record, message).failure, None)


def _handle_events(run: Run, dedicated: Handler | None, record: Record, message: Message) -> Answer:
    """Run the subscribers of the events in a message: a bus may send into a queue."""
    try:
        events = notifications.events_of(message.body)
    except InvalidInput as error:
        return refusal_answer(error)
    if not events and notifications.is_test_of_s3(message.body):
        run.host.hand_over(dedicated, [], Delivery(b"", run.id, "", run.seconds()))
        return Answer(b"null")
    if not events:
        return run.host.no_handler(message)
    bus = message.queue if run.host.has_bus(message.queue) else None
    for event in events:
        answer = notifications.publish(run, dedicated, event, bus, _attempt(record))
        if answer is not None:
            return answer
    return Answer(b"null")


def _is_taken(run: Run, bus: str, body: bytes) -> bool:
    """Return whether subscribers of a bus take what is in a message."""
    try:
        events = notifications.events_of(body)
    except InvalidInput:
        return False
    return any(run.host.subscribers(event, bus) for event in events)


def message_of(record: Record, queue: str) -> Message:
    """Return a record as a message; attributes that are bytes are left out."""
    attributes = {
        name.lower(): text
        for name, attribute in (record.get("messageAttributes") or NOTHING).items()
        if isinstance(text := attribute.get("stringValue"), str)
    }
    return Message(queue, record["messageId"], body_of(record), attributes)


def body_of(record: Record) -> bytes:
    """Return the body of a record."""
    return str(record.get("body") or "").encode(errors="surrogatepass")


def _attempt(record: Record) -> int | None:
    count = (record.get("attributes") or NOTHING).get("ApproximateReceiveCount")
    return int(count) if isinstance(count, str) and count.isdecimal() and len(count) < 10 else None


def letter_of(record: dict[str, Any], queue: str, attempt: int | None) -> Letter:
    """Return a record as a letter: the body as it came, with all of its attributes."""
    attributes = tuple(starmap(_attribute, (record.get("messageAttributes") or {}).items()))
    group = (record.get("attributes") or NOTHING).get("MessageGroupId")
    arn, receipt = str(record.get("eventSourceARN")), record.get("receiptHandle") or ""
    named = queue, body_of(record), attributes, record["messageId"], attempt
    return Letter(*named, group, arn.rpartition(":")[2], receipt)


def _attribute(name: str, document: dict[str, Any]) -> Attribute:
    binary = document.get("binaryValue")
    value = a2b_base64(binary) if isinstance(binary, str) else document.get("stringValue") or ""
    return Attribute(name, value, document.get("dataType") or "")


def open_dead_letters(queues: Mapping[str, str] | None) -> DeadLetters:
    """Return the dead-letter queues of an app; the target is opened when one is first needed."""

    def target() -> Perform:
        from leeward_aws.driver import open_driver

        return open_driver(TargetConfig("aws", "aws", None, {}, os.environ)).perform

    return dead_letters_at(queues, target, staged=True)
