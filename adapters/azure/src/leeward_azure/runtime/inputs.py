"""What each trigger hands over, as a delivery; and what the function of it does.

Nothing in an invocation tells how long a function may take, so the app's own settings do. Sources:
``functionTimeout`` in the reference of host.json; "Azure Functions HTTP trigger" for the 230
seconds of the load balancer.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any, Final

from leeward.app.kit import (
    HEALTH_PATH,
    Answer,
    DeadLetters,
    Delivery,
    Handler,
    HandlerFailure,
    Host,
    HttpRequest,
    InvalidInput,
    Kind,
    Letter,
    Message,
    answer_upkeep,
    event_key,
    event_of,
    failure_answer,
    headers_of,
    refusal_answer,
    serve,
    tick_time,
)
from leeward.calls import Attribute
from leeward.text import join_key
from leeward.values import Event
from leeward_azure.runtime import objects
from leeward_azure.settings.services import JSON, SERVICE_BUS


class FunctionFailed(Exception):
    """A handler has failed; the class that is raised has the name of what it raised."""


def make_error(failure: HandlerFailure) -> Exception:
    """Return what to raise: of the name of what was raised, without its text and its causes."""
    name = failure.type if failure.type.isidentifier() else FunctionFailed.__name__
    kind = type(name, (FunctionFailed,), {"__module__": __name__})
    error: Exception = kind(failure.reason or "")
    return error


HTTP_SECONDS: Final = 230.0
SECONDS: Final = 300.0
"""On the plan with the shortest limit, if nothing else is set."""
UNLIMITED: Final = 86_400.0
"""Seconds that stand for no limit."""

_FOLDER: Final = "AzureWebJobsScriptRoot"
_SETTING: Final = "AzureFunctionsJobHost__functionTimeout"
_TIME: Final = re.compile(r"(?:(\d+)\.)?(\d{1,2}):(\d{2}):(\d{2})")


@cache
def limit() -> float:
    """Return the seconds that an invocation may take.

    They are looked for at the first call: the variables of a process that was started in advance
    are replaced when it gets its app.
    """
    folder = Path(os.environ.get(_FOLDER) or Path.cwd())
    return limit_of(os.environ.get(_SETTING), folder / "host.json")


def limit_of(setting: str | None, host_json: Path) -> float:
    """Return the seconds of a limit: the setting's, else that of host.json, else the shortest."""
    text = setting or _read_timeout(host_json)
    if text == "-1":
        return UNLIMITED
    match = _TIME.fullmatch(text or "")
    if match is None:
        return SECONDS
    days, hours, minutes, seconds = (int(part or 0) for part in match.groups())
    return float(((days * 24 + hours) * 60 + minutes) * 60 + seconds)


def _read_timeout(host_json: Path) -> str | None:
    try:
        document: Any = json.loads(host_json.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError):
        return None
    text = document.get("functionTimeout") if isinstance(document, dict) else None
    return text if isinstance(text, str) else None


Made = Callable[..., Any]
"""A function for the worker."""


def http(host: Host, handler: Handler) -> Made:
    """Return the function of an HTTP trigger."""
    from azure.functions import HttpResponse

    def handle(req: Any, context: Any) -> Any:
        headers = headers_of(req.headers.items())
        trace = headers.get("traceparent") or _trace(context)
        if trace is not None:
            headers["traceparent"] = trace
        request = HttpRequest(
            req.method.upper(), f"/{handler.name}", headers, req.get_body(), _principal(headers)
        )
        seconds = min(limit(), HTTP_SECONDS)
        answer = serve(host, handler, request, context.invocation_id, seconds)
        return HttpResponse(answer.body, status_code=answer.status, headers=dict(answer.headers))

    return handle


def _principal(headers: Mapping[str, str]) -> str | None:
    """Return who has sent a request, as the authentication before the app has found out.

    Only where that is switched on does it take these headers from a request that brings them.
    Sources: "Environment variables and app settings" and "Work with user identities", App Service.
    """
    id = headers.get("x-ms-client-principal-id")
    if not id or os.environ.get("WEBSITE_AUTH_ENABLED", "").lower() not in ("true", "1"):
        return None
    return join_key(headers.get("x-ms-client-principal-idp", ""), id)


def health(host: Host) -> Made:
    """Return the function that tells whether this instance can take calls."""
    from azure.functions import HttpResponse

    def handle(req: Any) -> Any:
        answer = answer_upkeep(host, HttpRequest("GET", HEALTH_PATH, {}, b""))
        assert answer is not None
        return HttpResponse(answer.body, status_code=answer.status, headers=dict(answer.headers))

    return handle


def storage_queue(host: Host, handler: Handler, queue: str, dead: DeadLetters) -> Made:
    """Return the function of a Storage queue's trigger. A message has nothing beside its body.

    A backoff cannot be set from here: the host lets a message wait as long as host.json says.
    """

    def handle(message: Any, context: Any) -> None:
        body = message.get_body()
        given = body if handler.is_call else Message(queue, message.id or "", body)
        count = message.dequeue_count or None
        delivery = Delivery(
            given, context.invocation_id, message.id or "", limit(), count, _trace(context)
        )
        _take(host, handler, dead, delivery, Letter(queue, body, (), message.id or "", count))

    return handle


def service_bus(host: Host, handler: Handler, queue: str, dead: DeadLetters) -> Made:
    """Return the function of a Service Bus queue's trigger.

    A message that is not given up is abandoned, and comes again at once.
    """

    def handle(message: Any, context: Any) -> None:
        properties = headers_of((message.application_properties or {}).items())
        id, body = message.message_id or "", message.get_body()
        delivery = Delivery(
            body if handler.is_call else Message(queue, id, body, properties),
            context.invocation_id,
            properties.get("idempotency-key") or id,
            limit(),
            message.delivery_count or None,
            properties.get("traceparent") or properties.get("diagnostic-id") or _trace(context),
            properties,
        )
        attributes = tuple(_attributes(message.application_properties))
        letter = Letter(
            f"{SERVICE_BUS}{queue}",
            body,
            attributes,
            id,
            message.delivery_count or None,
            getattr(message, "session_id", None),
        )
        _take(host, handler, dead, delivery, letter)

    return handle


def _take(
    host: Host, handler: Handler, dead: DeadLetters, delivery: Delivery, letter: Letter
) -> None:
    """Run the handler of a message, or of the objects that it tells of; raise for a failure."""
    unsent = dead.find_unsent([handler], letter.id, letter.body, letter.attempt)
    if unsent:
        answer = failure_answer(unsent[1])
    elif handler.kind is Kind.OBJECT:
        answer = objects.hand_over(host, handler, objects.read_event(letter.body), delivery)
    else:
        answer = host.run(handler, delivery)
    if not dead.finish(handler, letter, answer.failure, limit()):
        _finish(answer)


def _attributes(properties: Mapping[Any, Any] | None) -> Iterator[Attribute]:
    """Yield the properties of a message as they are put into a queue again.

    Those of other types cannot be, and no queue takes them as they stand here.
    """
    for name, value in (properties or {}).items():
        if isinstance(value, str):
            yield Attribute(str(name), value)
        elif isinstance(value, bool | int | float):
            yield Attribute(str(name), str(value).lower(), JSON)
        else:
            yield Attribute(str(name), b"")


def event_grid(host: Host, handler: Handler) -> Made:
    """Return the function of an Event Grid trigger; it gets events of either schema.

    Which one it is depends on the event, and not on what a parameter is annotated with.
    """

    def handle(event: Any, context: Any) -> None:
        try:
            cloud_event = _event(event)
        except InvalidInput as error:
            answer: Answer | None = refusal_answer(error)
        else:
            trace = cloud_event.extensions.get("traceparent")
            delivery = Delivery(
                cloud_event,
                context.invocation_id,
                event_key(cloud_event),
                limit(),
                None,
                trace if isinstance(trace, str) else _trace(context),
            )
            if handler.kind is Kind.OBJECT:
                _finish(objects.hand_over(host, handler, cloud_event, delivery))
                return
            answer = host.publish(handler, cloud_event, delivery)
        if answer is not None:
            _finish(answer)

    return handle


def timer(host: Host, handler: Handler) -> Made:
    """Return the function of a timer. The host does not name the time for which it calls."""

    def handle(timer: Any, context: Any) -> None:
        moment = tick_time(handler, None, host.platform.clock.now())
        key = f"{handler.name}#{moment.isoformat()}"
        retries = getattr(getattr(context, "retry_context", None), "retry_count", None)
        attempt = retries + 1 if isinstance(retries, int) else None
        delivery = Delivery(moment, context.invocation_id, key, limit(), attempt, _trace(context))
        _finish(host.run(handler, delivery))

    return handle


def _finish(answer: Answer) -> None:
    """Raise for a failure, so that the host delivers again, and then gives up as it is set to."""
    if answer.failure is not None:
        raise make_error(answer.failure) from None


def _event(event: Any) -> Event:
    """Return an event of the library's as one of leeward's.

    Raises:
        InvalidInput: an attribute makes no sense.
    """
    if not hasattr(event, "specversion"):
        return Event(
            event.event_type,
            event.get_json(),
            id=event.id,
            source=event.topic,
            time=event.event_time,
            subject=event.subject,
        )
    extensions: Mapping[str, Any] = event.extension_attrs or {}
    document: dict[str, Any] = {
        "specversion": event.specversion,
        "id": event.id,
        "source": event.source,
        "type": event.type,
        "subject": event.subject,
        "datacontenttype": event.datacontenttype,
        **extensions,
    }
    if "data_base64" not in document:
        document["data"] = event.get_json()
    named = {name: value for name, value in document.items() if value is not None}
    return event_of(named)._replace(time=event.time)


def _trace(context: Any) -> str | None:
    """Return the trace of an invocation: in a function of the pool, only the context knows it."""
    trace = getattr(getattr(context, "trace_context", None), "trace_parent", None)
    return trace if isinstance(trace, str) and trace else None
