"""The functions of Azure without a host, for tests: each is given what the worker would give it."""

from __future__ import annotations

from datetime import datetime
from types import SimpleNamespace
from typing import Any

from leeward.app.kit import App, Delivery, Handler, Message, ObjectEvent, Ran
from leeward.cloudevents import to_json
from leeward.envelope import request_headers
from leeward.json_text import decode, encode
from leeward.values import Event
from leeward_azure.runtime import handler as function_app


class Trial:
    """The entry point ``azure`` of ``leeward.trials``."""

    def __init__(self, app: App, **options: Any) -> None:
        function_app_ = function_app.handler(app, **options)
        self._functions = {
            function.get_function_name(): function.get_user_function()
            for function in function_app_.get_functions()
        }

    def run(self, handler: Handler, delivery: Delivery) -> Ran:
        """Run the function of a handler, and read what the host would."""
        context = SimpleNamespace(invocation_id=delivery.call_id)
        function = self._functions[handler.name]
        try:
            answer = function(_input(handler, delivery), context)
        except Exception as error:  # noqa: BLE001 - what the host would report
            return Ran(None, type(error).__name__, None, again=True)
        if not handler.is_call:
            return Ran()
        document = decode(answer.get_body())
        if answer.status_code < 300:
            return Ran(document)
        return Ran(None, document["errorType"], document.get("errorMessage"))


def _input(handler: Handler, delivery: Delivery) -> Any:
    """Return the argument of the trigger: an object with the members of the library's."""
    given = delivery.input
    if isinstance(given, bytes):
        from azure.functions import HttpRequest

        sent = dict(request_headers(delivery.idempotency_key, delivery.seconds))
        return HttpRequest("POST", f"/api/{handler.name}", headers=sent, body=given)
    if isinstance(given, Event):
        return _cloud_event(given)
    if isinstance(given, ObjectEvent):
        event = _make_event(given)
        if not handler.queued:
            return _cloud_event(event)
        body = encode(to_json(event._replace(time=None)))
        given = Message(handler.name, delivery.call_id, body)
    if isinstance(given, datetime):
        return SimpleNamespace(past_due=False, schedule_status={}, schedule={})
    return SimpleNamespace(
        id=given.id,
        message_id=given.id,
        dequeue_count=delivery.attempt,
        delivery_count=delivery.attempt,
        application_properties=dict(given.attributes),
        get_body=lambda: given.body,
    )


def _make_event(event: ObjectEvent) -> Event:
    """Return how Event Grid tells of an object."""
    return Event(
        "Microsoft.Storage.BlobCreated",
        {"api": "PutBlob", "eTag": event.version, "contentLength": event.size},
        id=event.version,
        source="/trial",
        subject=f"/blobServices/default/containers/{event.bucket}/blobs/{event.key}",
    )


def _cloud_event(event: Event) -> Any:
    document = to_json(event)
    extensions: dict[str, Any] = dict(event.extensions)
    if "data_base64" in document:
        extensions["data_base64"] = document["data_base64"]
    if event.ordering_key is not None:
        extensions["partitionkey"] = event.ordering_key
    return SimpleNamespace(
        specversion="1.0",
        id=event.id,
        source=event.source,
        type=event.type,
        time=event.time,
        subject=event.subject,
        datacontenttype=document.get("datacontenttype"),
        extension_attrs=extensions,
        get_json=lambda: document.get("data"),
    )
