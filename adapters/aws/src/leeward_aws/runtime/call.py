"""One invocation: what has come, as far as its shape tells, and how it fails."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import TYPE_CHECKING, Any, Final

from leeward.app.kit import Answer, Host, headers_of
from leeward.envelope import DEADLINE, IDEMPOTENCY_KEY, Sent, name_of_error, sent_in
from leeward.json_text import encode
from leeward.records import NamedTuple

if TYPE_CHECKING:
    from leeward.app.kit import DeadLetters


_KEY: Final = IDEMPOTENCY_KEY.lower()


class Run(NamedTuple):
    """One invocation.

    Attributes:
        host: with the app.
        context: Lambda's own.
        sent: what a client of leeward sent beside the payload; None if none has.
        dead_letters: where messages go that are given up; None if there is nowhere.
    """

    host: Host
    context: Any
    sent: Sent | None
    dead_letters: DeadLetters | None

    @property
    def id(self) -> str:
        """Return Lambda's id of it."""
        request_id: str = self.context.aws_request_id
        return request_id

    def seconds(self) -> float:
        """Return the seconds until Lambda stops it."""
        milliseconds: int = self.context.get_remaining_time_in_millis()
        return milliseconds / 1000

    def headers(self) -> Mapping[str, str]:
        """Return what was sent beside the payload."""
        return custom_of(self.context)

    def trace(self) -> str | None:
        """Return the caller's trace: runtimes before awslambdaric 4.2 do not show ``w3c``."""
        w3c = getattr(self.context, "w3c", None)
        fields: Mapping[str, str] = w3c() if callable(w3c) else {}
        return fields.get("traceparent") or (self.sent.traceparent if self.sent else None)


class FunctionFailed(Exception):
    """A handler has failed; the class that is raised has the name of what it raised."""


def read_sent(context: Any) -> Sent | None:
    """Return what a client of leeward has sent in the client context; None if it is not its."""
    custom = custom_of(context)
    return sent_in(custom) if _KEY in custom and DEADLINE in custom else None


def custom_of(context: Any) -> dict[str, str]:
    """Return the texts in the ``custom`` part of a client context."""
    client_context = getattr(context, "client_context", None)
    custom = getattr(client_context, "custom", None)
    return headers_of(custom.items()) if isinstance(custom, dict) else {}


def make_exception(answer: Answer, sent: Sent | None = None, *, reveals: bool) -> Exception | None:
    """Return what to raise for a failure; None for a success.

    The runtime sends and logs the class and the text of an exception, with lines of the code that
    has raised it. So it is a new one, of the same name and without what had gone before.

    Args:
        answer: of the handler.
        sent: what a client has sent. One that opens envelopes gets one in the text; another one
            is a workflow, which goes by the name.
        reveals: whether somebody reads the text: it is one that was written for the caller.
    """
    failure = answer.failure
    if failure is None:
        return None
    opens = sent is not None and sent.envelope
    name = failure.type if opens or sent is None else name_of_error(failure.type, failure.reason)
    name = name if name.isidentifier() else FunctionFailed.__name__
    kind = type(name, (FunctionFailed,), {"__module__": __name__})
    text = failure.message if reveals else None
    if reveals and sent is not None and opens:
        text = encode(answer.envelope(sent.mark)).decode()
    error: Exception = kind(text or "")
    return error


def payload_of(event: Any) -> bytes:
    """Return an event as JSON again: the runtime has read it, and not as strictly as leeward.

    What the runtime reads, and JSON does not have, becomes what no reader takes.
    """
    try:
        return encode(event)
    except (ValueError, RecursionError):
        return b"NaN"


SQS: Final = "aws:sqs"
SNS: Final = "aws:sns"
S3: Final = "aws:s3"

OWN_SCHEDULE: Final = "leeward.schedule"
"""The ``source`` in the input that a schedule is given by leeward's own templates:
``{"source": "leeward.schedule", "schedule": NAME, "time": "<aws.scheduler.scheduled-time>"}``."""

_SCHEDULER: Final = "aws.scheduler"
_RULE: Final = ("aws.events", "Scheduled Event")


class Shape(Enum):
    """What an event looks like: its sender may have written anything."""

    REQUEST = "a request, in form 1.0 or 2.0"
    BATCH = "messages of SQS"
    TICK = "a time of a schedule; one of a rule is an event of a bus, too"
    EVENTS = "an event of EventBridge, or records of SNS or S3"
    OTHER = "anything else"


def shape_of(event: Any) -> Shape:
    """Return the first shape that an event has."""
    if not isinstance(event, dict):
        return Shape.OTHER
    context, source = event.get("requestContext"), event.get("source")
    if isinstance(context, dict) and (
        isinstance(context.get("http"), dict) or "httpMethod" in event
    ):
        return Shape.REQUEST
    service = source_of(event)
    if service == SQS:
        return Shape.BATCH
    if (source, event.get("detail-type")) == _RULE or source in (_SCHEDULER, OWN_SCHEDULE):
        return Shape.TICK
    return Shape.EVENTS if is_bus_event(event) or service in (SNS, S3) else Shape.OTHER


def is_bus_event(event: Any) -> bool:
    """Return whether something is an event of EventBridge."""
    return (
        isinstance(event, dict)
        and isinstance(event.get("detail-type"), str)
        and isinstance(event.get("source"), str)
        and "detail" in event
    )


def source_of(event: Any) -> str | None:
    """Return which service the records of an event are of; None if it has no records."""
    records = event.get("Records") if isinstance(event, dict) else None
    if not isinstance(records, list) or not records:
        return None
    if not all(isinstance(record, dict) for record in records):
        return None
    source = records[0].get("eventSource") or records[0].get("EventSource")
    return source if isinstance(source, str) else None
