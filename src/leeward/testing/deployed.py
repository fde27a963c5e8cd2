"""An app as it runs on a cloud, in this process: its runtime, and events in their own form."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, cast

from leeward.app.handlers import Handler
from leeward.app.runtimes import TRIALS, Ran, Trial, runtime_of
from leeward.app.triggers import Delivery, Kind, Message, ObjectEvent
from leeward.cloudevents import mint
from leeward.errors import ConfigError, InvalidRequest
from leeward.json_text import encode
from leeward.values import NOTHING, Event, Json

if TYPE_CHECKING:
    from datetime import datetime

    from leeward.app.app import App

SECONDS = 30.0  # until the platform would stop a run


class Deployed:
    """Runs an app's handlers as `platform` would, without a network.

    Each method makes what the cloud would send, hands it to the runtime of that cloud's adapter,
    and reads the answer as the cloud would. Nothing is delivered again by itself.

    Args:
        app: with the handlers.
        platform: as for `App.handler`.
        options: the same.

    Raises:
        ConfigError: there is no such runtime here, or the app is wrong.
    """

    def __init__(self, app: App, platform: str, **options: Any) -> None:
        app.check()
        self._app = app
        self._trial = cast("Trial", runtime_of(platform, TRIALS)(app, **options))

    def call(
        self,
        function: str,
        payload: Json = None,
        *,
        idempotency_key: str = "",
        seconds: float = SECONDS,
    ) -> Ran:
        """Call a function, as a client of leeward does."""
        handler = self._handler(function, Kind.CALL)
        return self._trial.run(
            handler, Delivery(encode(payload), "call-1", idempotency_key, seconds)
        )

    def event(self, subscriber: str, event: Event) -> Ran:
        """Deliver an event to a subscriber; what it leaves open is filled in.

        Raises:
            InvalidRequest: it is not an `Event`.
        """
        if not isinstance(event, Event):
            raise InvalidRequest(
                f"event must be an Event, not a {type(event).__name__}; write "
                'Event("order.created", {...})',
                field="event",
            )
        handler = self._handler(subscriber, Kind.EVENT)
        whole = mint(event, id="event-1", source="leeward", now=0.0)
        return self._trial.run(handler, Delivery(whole, "call-1", "", SECONDS))

    def message(
        self,
        handler: str,
        body: Json | bytes,
        *,
        attempt: int = 1,
        attributes: Mapping[str, str] = NOTHING,
    ) -> Ran:
        """Deliver a message to a handler of messages; what is not bytes goes as JSON."""
        taker = self._handler(handler, Kind.MESSAGE)
        data = body if isinstance(body, bytes) else encode(body)
        message = Message(taker.queue or handler, "message-1", data, attributes)
        return self._trial.run(taker, Delivery(message, "call-1", "", SECONDS, attempt))

    def object(self, handler: str, key: str, *, size: int = 0, version: str = "1") -> Ran:
        """Run the handler of an object that was written into its bucket.

        Args:
            handler: its name.
            key: of the object.
            size: in bytes.
            version: of digits, which every cloud takes.
        """
        taker = self._handler(handler, Kind.OBJECT)
        event = ObjectEvent(taker.bucket or "", key, version, size, "etag")
        return self._trial.run(taker, Delivery(event, "call-1", "", SECONDS, 1))

    def schedule(self, name: str, time: datetime) -> Ran:
        """Run the handler of a schedule for a time, where the platform passes it on."""
        handler = self._handler(name, Kind.SCHEDULE)
        return self._trial.run(handler, Delivery(time, "call-1", "", SECONDS))

    def _handler(self, name: str, kind: Kind) -> Handler:
        handler = self._app.handlers.get(name)
        if handler is None or handler.kind is not kind:
            names = [one.name for one in self._app.handlers.values() if one.kind is kind]
            raise ConfigError(
                f"the app {self._app.name!r} has no {kind.value} handler {name!r}; "
                f"known: {', '.join(names) or 'none'}"
            )
        return handler
