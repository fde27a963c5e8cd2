"""Lambda's handler without Lambda, for tests: events as the services send them."""

from __future__ import annotations

from datetime import datetime
from types import SimpleNamespace
from typing import Any

from leeward.app.kit import App, Delivery, Handler, Kind, Message, ObjectEvent, Ran
from leeward.cloudevents import to_json
from leeward.envelope import custom_context, fault_in, open_envelope
from leeward.json_text import decode, encode
from leeward.values import Event
from leeward_aws.runtime import handler as lambda_handler

_ACCOUNT = "arn:aws:sqs:us-east-1:123456789012"


class Trial:
    """The entry point ``aws`` of ``leeward.trials``."""

    def __init__(self, app: App, **options: Any) -> None:
        self._call = lambda_handler.handler(app, **options)

    def run(self, handler: Handler, delivery: Delivery) -> Ran:
        """Run a handler with an event, and read what Lambda would."""
        is_call = handler.is_call
        custom = custom_context(delivery.idempotency_key, delivery.seconds) if is_call else {}
        context = SimpleNamespace(
            aws_request_id=delivery.call_id,
            function_name=handler.name,
            client_context=SimpleNamespace(custom=custom),
            get_remaining_time_in_millis=lambda: int(delivery.seconds * 1000),
        )
        try:
            answer = self._call(_event(handler, delivery), context)
        except Exception as error:  # noqa: BLE001 - what Lambda would report
            text = str(error)
            if text.startswith("{"):  # of a call: what is told is in an envelope
                return _read_answer(decode(text.encode()))
            return Ran(None, type(error).__name__, text or None, again=not is_call)
        if handler.kind is Kind.MESSAGE or (handler.kind is Kind.OBJECT and handler.queued):
            return Ran(again=bool(answer["batchItemFailures"]))
        return _read_answer(answer) if is_call else Ran(answer)


def _read_answer(answer: Any) -> Ran:
    envelope = open_envelope(answer)
    if envelope is None:
        return Ran(answer)
    failure = envelope.refusal or envelope.failure
    if failure is None:
        return Ran(envelope.value)
    fault = fault_in(failure)
    return Ran(None, fault.type, fault.message)


def _event(handler: Handler, delivery: Delivery) -> Any:
    given = delivery.input
    if isinstance(given, ObjectEvent):
        from urllib.parse import quote_plus

        item = {"key": quote_plus(given.key), "size": given.size, "versionId": given.version}
        about = {"bucket": {"name": given.bucket}, "object": {**item, "eTag": given.etag}}
        event = {
            "Records": [{"eventSource": "aws:s3", "eventName": "ObjectCreated:Put", "s3": about}]
        }
        if not handler.queued:
            return event
        given = Message(handler.name, delivery.call_id, encode(event))
    if isinstance(given, bytes):
        return decode(given)
    if isinstance(given, Event):
        detail = to_json(given)
        return {
            "version": "0",
            "id": "trial",
            "detail-type": given.type,
            "source": given.source,
            "detail": detail,
        }
    if isinstance(given, datetime):
        return {"source": "leeward.schedule", "time": given.isoformat()}
    return {"Records": [_record(given, delivery.attempt or 1)]}


def _record(message: Message, attempt: int) -> dict[str, Any]:
    return {
        "messageId": message.id,
        "body": message.body.decode(errors="surrogateescape"),
        "attributes": {"ApproximateReceiveCount": str(attempt)},
        "messageAttributes": {
            name: {"stringValue": value, "dataType": "String"}
            for name, value in message.attributes.items()
        },
        "eventSource": "aws:sqs",
        "eventSourceARN": f"{_ACCOUNT}:{message.queue}",
    }
