"""The input of a handler, the same on every platform."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, Any, TypeAlias

from leeward.masking import show_data, show_only
from leeward.records import NamedTuple
from leeward.text import join_key
from leeward.values import NOTHING, Event, Json

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

    from leeward.app.context import Context
    from leeward.clock import Clock


class Kind(Enum):
    """What a handler is for."""

    CALL = "function"
    EVENT = "event"
    MESSAGE = "message"
    SCHEDULE = "schedule"
    OBJECT = "object"


@show_data("queue id")
class Message(NamedTuple):
    """A message of a queue, for a handler with this annotation.

    Attributes:
        queue: its logical name.
        id: the platform's.
        body: byte for byte.
        attributes: of the message; names in lower case.
    """

    queue: str
    id: str
    body: bytes
    attributes: Mapping[str, str] = NOTHING


class ObjectEvent(NamedTuple):
    """An object that was written. Attributes are None if the store does not report them.

    Attributes:
        bucket: its logical name, as the handler has it.
        key: the name of the object in it.
        version: opaque; each write of a key has another one. Bucket, key and version identify a
            write, even if it is reported several times.
        size: bytes.
        etag: as the store spells it, without quotes.
        sequence: the later of two writes of one key has the greater text. Do not compare it across
            keys.
        time: of the write, in UTC.
        revision: as in leeward's operations on objects. If the object has another revision now, it
            was written again.
    """

    bucket: str
    key: str
    version: str
    size: int | None = None
    etag: str | None = None
    sequence: str | None = None
    time: datetime | None = None
    revision: str | None = None


class ObjectPrefix(NamedTuple):
    """The objects of a bucket whose keys begin with `prefix`."""

    bucket: str
    prefix: str

    def __str__(self) -> str:
        """Write it as users do."""
        return f"{self.bucket}/{self.prefix}" if self.prefix else self.bucket

    def covers(self, bucket: str, key: str) -> bool:
        """Return whether an object is in it."""
        return self.bucket == bucket and key.startswith(self.prefix)

    def meets(self, other: ObjectPrefix) -> bool:
        """Return whether an object could be in both."""
        shorter, longer = sorted((self.prefix, other.prefix), key=len)
        return self.bucket == other.bucket and longer.startswith(shorter)


Input: TypeAlias = "bytes | Event | Message | ObjectEvent | datetime"
"""The payload of a call in JSON; an event, a message or an object; the time of a schedule."""


@show_only("call_id seconds attempt voids settles")
class Delivery(NamedTuple):
    """One run of one handler, as a trigger asks for it.

    Attributes:
        input: of the kind that the handler is for.
        call_id: the platform's id of this run.
        idempotency_key: the same on every attempt.
        seconds: until the platform, or the caller, stops waiting.
        attempt: 1 for the first; None where the platform does not count.
        trace: the W3C ``traceparent`` that came along, or None.
        headers: of the request, or the attributes of the message; names in lower case.
        principal: the caller, as the platform has checked it; None if it has not.
        voids: how many voids of its key the caller knows of.
        settles: it asks what became of the calls with its key; nothing is run.
    """

    input: Input
    call_id: str
    idempotency_key: str
    seconds: float
    attempt: int | None = None
    trace: str | None = None
    headers: Mapping[str, str] = NOTHING
    principal: str | None = None
    voids: int = 0
    settles: bool = False

    def read(self, handler: Any) -> tuple[Json, Any]:
        """Return the input as `Handler.read` does; what only asks has none."""
        return (None, None) if self.settles else handler.read(self.input)


class LogStyle(NamedTuple):
    """What the logs of a platform want besides the common fields.

    Attributes:
        time: the name of the field with the time.
        fields: returns further fields of a record that is logged in a call.
    """

    time: str = "time"
    fields: Callable[[Context], Mapping[str, Any]] = lambda _: NOTHING


class Platform(NamedTuple):
    """Where handlers run.

    Attributes:
        answer_bytes: the largest answer that it passes on; None for no limit.
        flush: it may stop the process between two runs, so telemetry is exported before.
        cloud: what OpenTelemetry calls the provider, where that is another name.
    """

    provider: str
    region: str | None
    clock: Clock
    answer_bytes: int | None = None
    logs: LogStyle = LogStyle()
    flush: bool = False
    cloud: str | None = None


def event_key(event: Event) -> str:
    """Return the idempotency key of an event: the same for each delivery, on every cloud."""
    return join_key(event.source or "", event.id or "")


def object_key(event: ObjectEvent) -> str:
    """Return the idempotency key of a write of an object: the same for each notification."""
    return join_key(f"{event.bucket}/{event.key}", event.version)


def object_document(event: ObjectEvent) -> dict[str, Json]:
    """Return an event as JSON."""
    time = None if event.time is None else event.time.isoformat()
    return {**event._asdict(), "time": time}


def object_event_from(document: Mapping[str, Any]) -> ObjectEvent:
    """Read what `object_document` has returned.

    Raises:
        TypeError: another program has written it.
    """
    return ObjectEvent(**{**document, "time": parse_time(document.get("time"))})


def parse_time(text: object) -> datetime | None:
    """Return the time that a platform names for a run, in UTC; None if it names none."""
    if not isinstance(text, str):
        return None
    from datetime import UTC, datetime

    try:
        time = datetime.fromisoformat(text)
        return time.astimezone(UTC) if time.tzinfo else time.replace(tzinfo=UTC)
    except (ValueError, OverflowError):  # such as midnight of the year 1, further east
        return None
