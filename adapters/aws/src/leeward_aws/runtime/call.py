"""One invocation: what Lambda's context knows of it, and how it fails."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from leeward.app.kit import Answer, Host, encode, headers_of
from leeward.envelope import DEADLINE, IDEMPOTENCY_KEY, Sent, name_of_error, sent_in

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
        found: str = self.context.aws_request_id
        return found

    def seconds(self) -> float:
        """Return the seconds until Lambda stops it."""
        found: int = self.context.get_remaining_time_in_millis()
        return found / 1000

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


def make_exception(answer: Answer, sent: Sent | None = None, *, told: bool) -> Exception | None:
    """Return what to raise for a failure; None for a success.

    The runtime sends and logs the class and the text of an exception, with lines of the code that
    has raised it. So it is a new one, of the same name and without what had gone before.

    Args:
        answer: of the handler.
        sent: what a client has sent. One that opens envelopes gets one in the text; another one
            is a workflow, which goes by the name.
        told: whether somebody reads the text: it is one that was written for the caller.
    """
    failure = answer.failure
    if failure is None:
        return None
    opens = sent is not None and sent.envelope
    name = failure.type if opens or sent is None else name_of_error(failure.type, failure.reason)
    name = name if name.isidentifier() else FunctionFailed.__name__
    kind = type(name, (FunctionFailed,), {"__module__": __name__})
    text = failure.message if told else None
    if told and sent is not None and opens:
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
