"""The input of a handler, the same on every platform."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import Enum
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

from leeward.clock import Clock
from leeward.masking import masked
from leeward.values import NOTHING, Event

if TYPE_CHECKING:
    from datetime import datetime

    from leeward.app.context import Context


class Kind(Enum):
    """What a handler is for."""

    CALL = "function"
    EVENT = "event"
    MESSAGE = "message"
    SCHEDULE = "schedule"
    OBJECT = "object"


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

    def __repr__(self) -> str:
        return masked(self, "queue id")


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


Input: TypeAlias = "bytes | Event | Message | ObjectEvent | datetime"
"""Of a call its payload in JSON, of the others what it is about; of a schedule the time."""


class Delivery(NamedTuple):
    """One run of one handler, as its trigger asks for it.

    Attributes:
        input: of the kind that the handler is for.
        call_id: the platform's id of this run.
        idempotency_key: the same on every attempt.
        seconds: until the platform, or the caller, stops waiting.
        attempt: 1 for the first; None where the platform does not count.
        trace: the W3C ``traceparent`` that came along, or None.
        headers: of the request, or the attributes of the message; names in lower case.
        principal: the caller, as the platform has checked it; None if it has not.
    """

    input: Input
    call_id: str
    idempotency_key: str
    seconds: float
    attempt: int | None = None
    trace: str | None = None
    headers: Mapping[str, str] = NOTHING
    principal: str | None = None

    def __repr__(self) -> str:
        return masked(self, "call_id seconds attempt")


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
        provider: such as ``local``.
        region: or None.
        clock: for deadlines.
        answer_bytes: the largest answer that it passes on; None for no limit.
        logs: how its logs are written, where an app wants JSON.
        flush: it may stand still between two runs, so what is to be exported goes out before.
        cloud: what OpenTelemetry calls the provider, where that is another name.
    """

    provider: str
    region: str | None
    clock: Clock
    answer_bytes: int | None = None
    logs: LogStyle = LogStyle()
    flush: bool = False
    cloud: str | None = None
