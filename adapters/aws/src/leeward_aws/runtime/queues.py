"""Batches of SQS: each message by itself, and those of a group one after the other.

The answer names the messages that have failed; SQS delivers these again. That it has any effect
needs ``FunctionResponseTypes: [ReportBatchItemFailures]`` on the mapping: without it, Lambda takes
every answer for a success, and the failed messages are gone.
"""

from __future__ import annotations

from typing import Any, Final

from leeward.app.kit import (
    Answer,
    Handler,
    InvalidInput,
    Kind,
    Message,
    failed,
    refused,
)
from leeward_aws.runtime import notifications
from leeward_aws.runtime.call import Run

_SQS: Final = "aws:sqs"


def is_batch(event: Any) -> bool:
    """Return whether an event is a batch of messages."""
    records = event.get("Records") if isinstance(event, dict) else None
    return (
        isinstance(records, list)
        and bool(records)
        and all(isinstance(each, dict) and each.get("eventSource") == _SQS for each in records)
    )


def handle(run: Run, own: Handler | None, records: list[dict[str, Any]]) -> dict[str, Any]:
    """Hand every message to its handler; return those that have failed.

    In a queue that keeps an order, a message that fails holds back all later ones of its group:
    they are not handled, and come again behind it.
    """
    failures: list[str] = []
    held: set[str] = set()
    for record in records:
        group = _group(record)
        if group is not None and group in held:
            failures.append(record["messageId"])
            continue
        if _handle_one(run, own, record).failure is not None:
            failures.append(record["messageId"])
            if group is not None:
                held.add(group)
    return {"batchItemFailures": [{"itemIdentifier": each} for each in failures]}


def _handle_one(run: Run, own: Handler | None, record: dict[str, Any]) -> Answer:
    message = message_of(record)
    handler = own or run.host.queue_handler(message.queue)
    if handler is None or handler.kind is Kind.EVENT:
        return _as_events(run, own, record, message)
    delivery = notifications.message_delivery(run, message, _attempt(record))
    if handler.kind is Kind.CALL:
        delivery = delivery._replace(input=message.body)
    return run.host.run(handler, delivery)


def _as_events(run: Run, own: Handler | None, record: dict[str, Any], message: Message) -> Answer:
    """Hand the events in a message to their subscribers: a bus may lead into a queue."""
    try:
        events = notifications.events_of(message.body)
    except InvalidInput as error:
        return failed(refused(error))
    if not events and notifications.is_test(message.body):
        return Answer(b"null")
    if not events:
        return run.host.no_handler(message)
    for event in events:
        answer = notifications.publish(run, own, event, None, _attempt(record))
        if answer is not None:
            return answer
    return Answer(b"null")


def message_of(record: dict[str, Any]) -> Message:
    """Return a record as a message; attributes that are bytes are left out."""
    attributes = {
        name.lower(): each["stringValue"]
        for name, each in (record.get("messageAttributes") or {}).items()
        if isinstance(each, dict) and isinstance(each.get("stringValue"), str)
    }
    queue = str(record.get("eventSourceARN")).rpartition(":")[2].removesuffix(".fifo")
    body = str(record.get("body") or "").encode(errors="surrogatepass")
    return Message(queue, str(record["messageId"]), body, attributes)


def _group(record: dict[str, Any]) -> str | None:
    """Return the group in which a message keeps its order; None if its queue keeps none.

    Such queues may have groups, too, to be fair to their senders.
    """
    if not str(record.get("eventSourceARN")).endswith(".fifo"):
        return None
    group: str | None = (record.get("attributes") or {}).get("MessageGroupId")
    return group


def _attempt(record: dict[str, Any]) -> int | None:
    count = str((record.get("attributes") or {}).get("ApproximateReceiveCount", ""))
    return int(count) if count.isascii() and count.isdecimal() and len(count) < 10 else None
