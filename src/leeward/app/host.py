"""An app on one platform: which handler a delivery is for, and its run. The runtimes share it.

A deployment has a name: the variable ``LEEWARD_FUNCTION``, else what its platform calls it. If that
is a handler's name, the deployment is for this handler alone, and nothing that a caller sends
changes that. A deployment of another name is for all handlers: the route of a request, the type of
an event, the name of a queue or of a schedule selects one.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final

from leeward.app.answers import Answer, InvalidInput, Problem, refusal_answer
from leeward.app.app import App
from leeward.app.handlers import Handler, answer, log_failure
from leeward.app.triggers import Delivery, Kind, Message, ObjectEvent, Platform, object_key
from leeward.app.warming import TooSoon
from leeward.envelope import NO_FUNCTION, UNBOUND, answer_headers, sent_in
from leeward.logs import failure_facts, log_event
from leeward.masking import show_only
from leeward.records import NamedTuple
from leeward.values import Event

FUNCTION: Final = "LEEWARD_FUNCTION"  # the variable that says which handler a deployment is for

WARM_PATH: Final = "/_leeward/warm"
"""A request for it keeps an instance warm; no handler is run."""

HEALTH_PATH: Final = "/health"
"""A request for it returns whether an instance can take calls; no handler is run."""

HEALTH: Final = "leeward-health"
"""The name of a deployment that answers health checks alone: anybody may call it."""

LOGGER = "leeward.app"


class Host:
    """Runs the handlers of an app on one platform."""

    def __init__(self, app: App, platform: Platform) -> None:
        self.app = app
        self.platform = platform
        self.named = os.environ.get(FUNCTION, "")
        if app.json_logs:
            app.write_json_logs(platform.logs)

    def dedicated_handler(self, platform_name: str | None) -> Handler | None:
        """Return the one handler that this deployment is for; None if it is for all.

        Args:
            platform_name: what the platform calls it.
        """
        handlers = self.app.handlers
        return handlers.get(self.named) or handlers.get(platform_name or "")

    def function_at(self, path: str) -> Handler | None:
        """Return the function that the last part of a path names."""
        handler = self.app.handlers.get(path.rstrip("/").rpartition("/")[2])
        return handler if handler is not None and handler.is_call else None

    def _handlers(self, kind: Kind) -> list[Handler]:
        return [handler for handler in self.app.handlers.values() if handler.kind is kind]

    def has_bus(self, bus: str | None) -> bool:
        """Return whether a handler subscribes to a bus of this name."""
        return any(handler.bus == bus for handler in self._handlers(Kind.EVENT))

    def subscribers(self, event: Event, bus: str | None) -> Sequence[Handler]:
        """Return who takes an event.

        A name that no handler has may be a target's own name of a bus, so it keeps nobody out.

        Args:
            event: the event.
            bus: what the platform calls the bus; None where it does not say.
        """
        takers = [handler for handler in self._handlers(Kind.EVENT) if handler.takes(event)]
        return [taker for taker in takers if taker.bus == bus] if self.has_bus(bus) else takers

    def queue_handler(self, queue: str) -> Handler | None:
        """Return who handles the messages of a queue.

        That is its handler, or the function, or the handler of objects, of its name.
        """
        for handler in self._handlers(Kind.MESSAGE):
            if handler.queue == queue:
                return handler
        named = self.app.handlers.get(queue)
        return named if named is not None and named.kind in (Kind.CALL, Kind.OBJECT) else None

    def object_handlers(self, bucket: str | None) -> list[Handler]:
        """Return who takes objects of a bucket, whatever the beginning of their keys.

        The app's only bucket may have another name there; of several, nobody knows which it is. For
        None there are no handlers.
        """
        handlers = [] if bucket is None else self._handlers(Kind.OBJECT)
        named = [handler for handler in handlers if handler.bucket == bucket]
        is_only = len({handler.bucket for handler in handlers}) == 1 and not self.has_bus(bucket)
        return handlers if not named and is_only else named

    def read_objects(
        self, read: Callable[[Any], list[ObjectEvent] | None], document: Any
    ) -> list[ObjectEvent] | None:
        """Return the objects in a document, if one is in a bucket that a handler takes.

        None for anything else, and where the document is wrong: whoever takes it reports that.
        """
        try:
            events = read(document) or []
        except InvalidInput:
            return None
        return events if any(self.object_handlers(event.bucket) for event in events) else None

    def schedule_handler(self, name: str) -> Handler | None:
        """Return the handler of a schedule, by what the platform calls the schedule."""
        handlers = self._handlers(Kind.SCHEDULE)
        for handler in handlers:
            if handler.name == name:
                return handler
        return handlers[0] if len(handlers) == 1 else None

    def run(self, handler: Handler, delivery: Delivery) -> Answer:
        """Run a handler, and log a failure."""
        result = answer(handler, delivery, self.platform)
        if result.failure is not None:
            log_failure(handler, delivery, result.failure)
        return result

    def publish(
        self,
        dedicated: Handler | None,
        event: Event,
        delivery: Delivery,
        bus: str | None = None,
        bucket: str | None = None,
    ) -> Answer | None:
        """Run all handlers that take an event; return the first failure, None if there is none.

        A failure does not keep the others from it: it is delivered again, to all of them, and each
        recognises by its key what it has handled. An event of a type that nobody takes is
        acknowledged; one of a bus of which the app has no handler is not.

        Args:
            dedicated: the one handler that it is for; None if it is for whoever takes it.
            event: the event.
            delivery: how it has come.
            bus: as of `subscribers`.
            bucket: of an event about an object, such as its deletion.
        """
        handlers = [dedicated] if dedicated is not None else self.subscribers(event, bus)
        is_on_bus = self.has_bus(bus)  # then it is for subscribers alone
        handlers = [
            handler
            for handler in handlers
            if handler.takes(event) and (handler.kind is Kind.EVENT or not is_on_bus)
        ]
        if not handlers:
            facts = {"type": event.type, "bus": bus, "call_id": delivery.call_id}
            is_known = bool(self._handlers(Kind.EVENT)) if bus is None else is_on_bus
            if dedicated is None and not is_known and not self.object_handlers(bucket):
                log_event(LOGGER, "error", "bus_without_handler", **facts)
                return self.no_function()
            log_event(LOGGER, "warning", "event_without_handler", **facts)
        clock = self.platform.clock
        ends = clock.monotonic() + delivery.seconds
        answers = [
            self.run(handler, delivery._replace(input=event, seconds=ends - clock.monotonic()))
            for handler in handlers
        ]
        # A failure that may be tried again comes first: the others will not hinder it.
        return min((bad for bad in answers if bad.failure), key=_is_final, default=None)

    def hand_over(
        self, dedicated: Handler | None, events: Sequence[ObjectEvent], delivery: Delivery
    ) -> tuple[Handler, Answer] | None:
        """Run the matching handlers of some objects; return the first failure and its handler.

        After a failure the other handlers still run. A failure that may be tried again comes first,
        so that the rest of the message can still succeed.

        Args:
            dedicated: the one handler that they are for, which knows their bucket by its own name;
                None if each object is for whoever takes it.
            events: the objects; none of a deletion, say, or of a store's own test.
            delivery: how they have come.
        """
        if not events:
            log_event(LOGGER, "warning", "no_object_written", call_id=delivery.call_id)
        bad: list[tuple[Handler, Answer]] = []
        clock = self.platform.clock
        ends = clock.monotonic() + delivery.seconds
        for event in events:
            takers = [dedicated] if dedicated is not None else self.object_handlers(event.bucket)
            takers = [handler for handler in takers if event.key.startswith(handler.prefix)]
            if not takers:
                log_event(LOGGER, "warning", "object_without_handler", call_id=delivery.call_id)
            for handler in takers:
                named = event._replace(bucket=handler.bucket or event.bucket)
                one = delivery._replace(
                    input=named, idempotency_key=object_key(named), seconds=ends - clock.monotonic()
                )
                answer = self.run(handler, one)
                if answer.failure is not None:
                    bad.append((handler, answer))
        return min(bad, key=lambda failed: _is_final(failed[1]), default=None)

    def warm_up_early(self) -> bool:
        """Make what the app shares before it is needed, and return whether it is there.

        A failure is logged, and it is tried again later; not in the next seconds, for anybody may
        ask for the health of an instance.
        """
        try:
            self.app.warm_up_if_due(self.platform.clock.monotonic)
        except TooSoon:
            return False
        except BaseException as error:  # noqa: BLE001 - reported by the first call, which tries again
            facts = failure_facts(error)
            log_event(LOGGER, "warning", "warm_up_failed", error=type(error).__name__, **facts)
            return False
        return True

    def no_handler(self, message: Message) -> Answer:
        """Return the answer to a message that no handler is for; it must not be acknowledged."""
        queue, call_id = message.queue, message.id
        log_event(LOGGER, "error", "message_without_handler", queue=queue, id=call_id)
        return self.no_function()

    def no_function(self) -> Answer:
        """Return the answer to a call of a function that is not in the app."""
        problem = Problem("there is no such function here", status=404, reason=NO_FUNCTION)
        return refusal_answer(problem)


def _is_final(answer: Answer) -> bool:
    return answer.failure is not None and not answer.failure.retryable


@show_only("method path")
class HttpRequest(NamedTuple):
    """A request, on whatever platform it comes.

    Attributes:
        headers: names in lower case, one value for each.
        principal: who has sent it, as the platform has checked; None where it has not.
    """

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes
    principal: str | None = None


@show_only("status")
class HttpAnswer(NamedTuple):
    """An answer, for the platform to send."""

    status: int
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""


def headers_of(pairs: Iterable[tuple[Any, Any]]) -> dict[str, str]:
    """Return the texts among headers, or attributes, by name in lower case.

    Of several with one name, all values.
    """
    headers: dict[str, str] = {}
    for name, value in pairs:
        if isinstance(name, str) and isinstance(value, str):
            key = name.lower()
            headers[key] = f"{headers[key]}, {value}" if key in headers else value
    return headers


def http_answer(answer: Answer, mark: str = UNBOUND) -> HttpAnswer:
    """Return an answer in the form of HTTP, with the mark that its request asks for."""
    return HttpAnswer(answer.status, answer.headers(mark), answer.body)


def answer_upkeep(host: Host, request: HttpRequest) -> HttpAnswer | None:
    """Answer a request that keeps the instance warm, or asks for its health.

    Return None for any other request, unless the deployment is named `HEALTH`. It is healthy if
    what the app shares can be made.
    """
    path = request.path.rstrip("/")
    if request.method != "GET" or not path.endswith((WARM_PATH, HEALTH_PATH)):
        return http_answer(host.no_function()) if host.named == HEALTH else None
    is_up = host.warm_up_early()
    if is_up and path.endswith(WARM_PATH):
        return HttpAnswer(204, answer_headers())
    headers = (
        *answer_headers(),
        ("content-type", "application/json"),
        ("cache-control", "no-store"),
    )
    if is_up:
        return HttpAnswer(200, headers, b'{"status":"ok"}')
    return HttpAnswer(503, headers, b'{"status":"failing"}')


def serve(
    host: Host,
    handler: Handler | None,
    request: HttpRequest,
    call_id: str,
    seconds: float,
    *,
    waited: float = 0.0,
) -> HttpAnswer:
    """Answer a call of a function.

    Args:
        host: with the app.
        handler: the function; None if the request names no function.
        request: with the payload as its body, in JSON.
        call_id: the platform's id of this run.
        seconds: until the platform stops waiting; the caller may wait less, never more.
        waited: seconds of the caller's that have passed since the request came.
    """
    sent = sent_in(request.headers)
    if handler is None or not handler.is_call:
        return http_answer(host.no_function(), sent.mark)
    if request.method != "POST":
        problem = Problem("functions are called with POST", status=405, reason="method")
        refusal = http_answer(refusal_answer(problem), sent.mark)
        body = b"" if request.method == "HEAD" else refusal.body
        return refusal._replace(headers=(*refusal.headers, ("allow", "POST")), body=body)
    delivery = Delivery(
        request.body,
        call_id,
        sent.idempotency_key or "",
        seconds if sent.seconds is None else min(seconds, sent.seconds - waited),
        None,
        sent.traceparent,
        request.headers,
        request.principal,
        sent.voids,
        sent.settles,
    )
    refused = handler.refuse(sent.demand) if sent.demand else None
    if refused is not None:
        return http_answer(refused, sent.mark)
    return http_answer(host.run(handler, delivery), sent.mark)
