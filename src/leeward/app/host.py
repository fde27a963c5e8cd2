"""An app on one platform: which handler a delivery is for, and its run. The runtimes share it.

A deployment has a name: the variable ``LEEWARD_FUNCTION``, else what its platform calls it. If that
is a handler's name, the deployment is for this handler alone, and nothing that a caller sends makes
it anything else. A deployment of another name is for all handlers: the route of a request, the type
of an event, the name of a queue or of a schedule says which.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Final

from leeward.app.answers import Answer, failed
from leeward.app.app import App
from leeward.app.core import answer, log_failure
from leeward.app.handlers import Handler
from leeward.app.objects import object_key
from leeward.app.problem import InvalidInput, Problem, refused
from leeward.app.triggers import Delivery, Kind, Message, ObjectEvent, Platform
from leeward.app.warm import TooSoon
from leeward.envelope import NO_FUNCTION
from leeward.logs import failure_facts, log_event
from leeward.text import class_name, join_key
from leeward.values import Event

if TYPE_CHECKING:
    from datetime import datetime

FUNCTION: Final = "LEEWARD_FUNCTION"
"""The variable that says which handler a deployment is for."""

LOGGER = "leeward.app"


class Host:
    """Runs the handlers of an app on one platform.

    Attributes:
        app: with the handlers.
        platform: that they run on.
    """

    def __init__(self, app: App, platform: Platform) -> None:
        self.app = app
        self.platform = platform
        self._named = os.environ.get(FUNCTION, "")
        if app.json_logs:
            from leeward.app.json_logs import set_up

            set_up(app.name, platform.logs)

    def own(self, platform_name: str | None) -> Handler | None:
        """Return the one handler that this deployment is for; None if it is for all.

        Args:
            platform_name: what the platform calls it.
        """
        handlers = self.app.handlers
        return handlers.get(self._named) or handlers.get(platform_name or "")

    def routed(self, path: str) -> Handler | None:
        """Return the function that the last part of a path names."""
        handler = self.app.handlers.get(path.rstrip("/").rpartition("/")[2])
        return handler if handler is not None and handler.is_call else None

    def has_bus(self, bus: str | None) -> bool:
        """Return whether a handler subscribes to a bus of this name."""
        return any(each.bus == bus for each in self._handlers(Kind.EVENT))

    def subscribers(self, event: Event, bus: str | None) -> Sequence[Handler]:
        """Return who takes an event.

        A name that no handler has may be a target's own name of a bus, so it keeps nobody out.

        Args:
            event: the event.
            bus: what the platform calls the bus; None where it does not say.
        """
        takers = [each for each in self._handlers(Kind.EVENT) if each.takes(event)]
        return [each for each in takers if each.bus == bus] if self.has_bus(bus) else takers

    def queue_handler(self, queue: str) -> Handler | None:
        """Return who handles the messages of a queue.

        That is its handler, or the function, or the handler of objects, of its name.
        """
        for each in self.app.handlers.values():
            if each.kind is Kind.MESSAGE and each.queue == queue:
                return each
        found = self.app.handlers.get(queue)
        return found if found is not None and found.kind in (Kind.CALL, Kind.OBJECT) else None

    def object_handlers(self, bucket: str | None) -> list[Handler]:
        """Return who takes objects of a bucket, whatever the beginning of their keys.

        The app's only bucket may have another name there; of several, nobody knows which it is. For
        None there are no handlers.
        """
        known = [] if bucket is None else self._handlers(Kind.OBJECT)
        named = [each for each in known if each.bucket == bucket]
        is_only = len({each.bucket for each in known}) == 1 and not self.has_bus(bucket)
        return known if not named and is_only else named

    def wanted(
        self, read: Callable[[Any], list[ObjectEvent] | None], document: Any
    ) -> list[ObjectEvent] | None:
        """Return the objects that a document tells of, if one is in a bucket that a handler takes.

        None for anything else, and where it makes no sense: whoever takes it says so.
        """
        try:
            events = read(document) or []
        except InvalidInput:
            return None
        return events if any(self.object_handlers(each.bucket) for each in events) else None

    def schedule_handler(self, name: str) -> Handler | None:
        """Return the handler of a schedule, by what the platform calls the schedule."""
        known = self._handlers(Kind.SCHEDULE)
        for each in known:
            if each.name == name:
                return each
        return known[0] if len(known) == 1 else None

    def run(self, handler: Handler, delivery: Delivery) -> Answer:
        """Run a handler, and log a failure."""
        result = answer(handler, delivery, self.platform)
        if result.failure is not None:
            log_failure(handler, delivery, result)
        return result

    def publish(
        self,
        own: Handler | None,
        event: Event,
        delivery: Delivery,
        bus: str | None = None,
        bucket: str | None = None,
    ) -> Answer | None:
        """Let all who take an event have it; return the first failure, None if there is none.

        After a failure the others have it all the same: it is delivered again, to all of them, and
        each recognises by its key what it has handled. An event of a type that nobody takes is
        acknowledged; one of a bus of which the app has no handler is not.

        Args:
            own: the one handler that it is for; None if it is for whoever takes it.
            event: the event.
            delivery: how it has come.
            bus: as of `subscribers`.
            bucket: of an event about an object, such as its deletion.
        """
        handlers = [own] if own is not None else self.subscribers(event, bus)
        is_told = self.has_bus(bus)  # by the bus itself: then it is for subscribers alone
        handlers = [
            each
            for each in handlers
            if each.takes(event) and (each.kind is Kind.EVENT or not is_told)
        ]
        if not handlers:
            facts = {"type": event.type, "bus": bus, "call_id": delivery.call_id}
            if own is None and not self._has_handlers_of(bus, bucket):
                log_event(LOGGER, "error", "bus_without_handler", **facts)
                return self.no_function()
            log_event(LOGGER, "warning", "event_without_handler", **facts)
        clock = self.platform.clock
        ends = clock.monotonic() + delivery.seconds
        results = [
            self.run(each, delivery._replace(input=event, seconds=ends - clock.monotonic()))
            for each in handlers
        ]
        bad = [each for each in results if each.failure is not None]
        # One that may be tried again comes first: the others will not hinder it.
        return min(bad, key=_is_final, default=None)

    def _has_handlers_of(self, bus: str | None, bucket: str | None) -> bool:
        """Return whether a handler is for a bus, for any if that is None, or for a bucket."""
        if self.object_handlers(bucket):
            return True
        return bool(self._handlers(Kind.EVENT)) if bus is None else self.has_bus(bus)

    def _handlers(self, kind: Kind) -> list[Handler]:
        return [each for each in self.app.handlers.values() if each.kind is kind]

    def hand_over(
        self, own: Handler | None, events: Sequence[ObjectEvent], delivery: Delivery
    ) -> tuple[Handler, Answer] | None:
        """Run the matching handlers of some objects; return the first failure and its handler.

        After a failure the other handlers still run. A failure that may be tried again comes first,
        so that the rest of the message can still succeed.

        Args:
            own: the one handler that they are for, which knows their bucket by its own name; None
                if each is for whoever takes it.
            events: the objects; none of a deletion, say, or of a store's own test.
            delivery: how they have come.
        """
        if not events:
            log_event(LOGGER, "warning", "no_object_written", call_id=delivery.call_id)
        bad: list[tuple[Handler, Answer]] = []
        clock = self.platform.clock
        ends = clock.monotonic() + delivery.seconds
        for event in events:
            takers = [own] if own is not None else self.object_handlers(event.bucket)
            takers = [each for each in takers if event.key.startswith(each.prefix)]
            if not takers:
                log_event(LOGGER, "warning", "object_without_handler", call_id=delivery.call_id)
            for each in takers:
                named = event._replace(bucket=each.bucket or event.bucket)
                one = delivery._replace(
                    input=named,
                    idempotency_key=object_key(named),
                    seconds=ends - clock.monotonic(),
                )
                answer = self.run(each, one)
                if answer.failure is not None:
                    bad.append((each, answer))
        return min(bad, key=lambda each: _is_final(each[1]), default=None)

    def warm_up_early(self) -> bool:
        """Make what the app shares before it is needed, and return whether it is there.

        What fails is logged, and made again later; not in the next seconds, for anybody may ask how
        an instance is.
        """
        try:
            self.app.warm_up_if_due(self.platform.clock.monotonic)
        except TooSoon:
            return False
        except BaseException as error:  # noqa: BLE001 - told by the first call, which tries again
            facts = failure_facts(error)
            log_event(LOGGER, "warning", "warm_up_failed", error=class_name(error), **facts)
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
        return failed(refused(problem))


def _is_final(answer: Answer) -> bool:
    return answer.failure is not None and not answer.failure.retryable


def tick_time(handler: Handler, told: object, now: float) -> datetime:
    """Return the time for which a schedule runs: the platform's word, else the last it was due.

    Args:
        handler: of the schedule.
        told: by the platform, as text, or None.
        now: Unix seconds. A timer may be early by a moment, so a second is allowed for that.
    """
    from datetime import UTC, datetime

    from leeward.app.schedules import last_time, time_told

    found = time_told(told)
    if found is not None or handler.schedule is None:
        return found or datetime.fromtimestamp(now, UTC)
    return last_time(handler.schedule, datetime.fromtimestamp(now + 1, UTC))


def event_key(event: Event) -> str:
    """Return by what an event is recognised: the same for each delivery, on every cloud."""
    return join_key(event.source or "", event.id or "")
