"""The function of Cloud Run functions without the framework, for tests."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping
from datetime import datetime
from types import SimpleNamespace
from typing import Any

from leeward.app.kit import App, Delivery, Handler, Message, ObjectEvent, Ran
from leeward.cloudevents import document_of
from leeward.envelope import request_headers
from leeward.json_text import decode, encode
from leeward.values import Event
from leeward_google.runtime import handler as web_function


class Trial:
    """The entry point ``google`` of ``leeward.trials``."""

    def __init__(self, app: App, **options: Any) -> None:
        self._serve = web_function.handler(app, **options)

    def run(self, handler: Handler, delivery: Delivery) -> Ran:
        """Run a handler with a request, and read the answer as its sender would."""
        headers, body = _request(delivery)
        request = SimpleNamespace(
            method="POST", path=f"/{handler.name}", headers=headers, get_data=lambda: body
        )
        answer, status, _ = self._serve(request)
        document = decode(answer) if answer else None
        if status < 300:
            return Ran(document)
        fields = document if isinstance(document, dict) else {}
        again = not handler.is_call
        return Ran(None, fields.get("errorType"), fields.get("errorMessage"), again)


def _request(delivery: Delivery) -> tuple[Mapping[str, str], bytes]:
    given = delivery.input
    if isinstance(given, bytes):
        sent = dict(request_headers(delivery.idempotency_key, delivery.seconds))
        return {"Content-Type": "application/json", **sent}, given
    if isinstance(given, Event):
        return {"Content-Type": "application/cloudevents+json"}, document_of(given)
    if isinstance(given, ObjectEvent):
        resource = {
            "bucket": given.bucket,
            "name": given.key,
            "generation": given.version,
            "size": str(given.size),
            "etag": given.etag,
        }
        attributes = {
            "eventType": "OBJECT_FINALIZE",
            "bucketId": given.bucket,
            "objectId": given.key,
            "objectGeneration": given.version,
        }
        given = Message("trial", delivery.call_id, encode(resource), attributes)
    if isinstance(given, datetime):
        return {"X-CloudScheduler": "true", "X-CloudScheduler-ScheduleTime": given.isoformat()}, b""
    document = {
        "message": {
            "data": b64encode(given.body).decode(),
            "attributes": dict(given.attributes),
            "messageId": given.id,
        },
        "subscription": f"projects/trial/subscriptions/{given.queue}",
        "deliveryAttempt": delivery.attempt,
    }
    return {"Content-Type": "application/json"}, encode(document)
