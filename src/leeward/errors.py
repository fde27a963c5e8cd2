"""How a call can end: eleven outcomes, and an exception for each outcome but success.

`docs/outcomes.md` shows the classes as a tree, and what each means. Each has `target` and
`attempts`; the native error, where there is one, is its `__cause__`.
"""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from leeward.records import NamedTuple


class Outcome(Enum):
    """How one attempt ended, decided by one question: is it proved that the call did not run?"""

    __hash__ = object.__hash__  # as good as Enum's own, which is written in Python

    OK = "ok"
    """A complete, decodable answer."""
    LOCAL = "local"
    """Refused on this side, because too many calls are in flight or no time is left."""
    NOT_SENT = "not_sent"
    """No byte of the request left (no address, no connection, no TLS, no token)."""
    REJECTED = "rejected"
    """Refused before anything ran, as the target documents (throttling, no capacity)."""
    UNUSABLE = "unusable"
    """Refused for a reason that lasts (account suspended, daily quota used up)."""
    AMBIGUOUS = "ambiguous"
    """It may have run, and nothing proves whether it did. Also every unclear answer."""
    APP_ERROR = "app_error"
    """The function ran and raised."""
    CALLER = "caller"
    """The request is wrong, and would be wrong on every target."""
    AUTH = "auth"
    """The identity or its permissions were refused."""
    NOT_FOUND = "not_found"
    """The function, bus or table does not exist. A missing *item* is OK, with None."""
    CONFLICT = "conflict"
    """A condition of the call did not hold."""


class Attempt(NamedTuple):
    """One try of a call on one target. It holds no payload.

    Attributes:
        target: the target's name.
        started: seconds from the start of the call to the start of this attempt.
        duration: seconds that it took.
        outcome: how it ended.
        code: the provider's error code, if there is one.
        request_id: the provider's id of the request, for a support ticket.
        read_back: True for a load that checked what an earlier attempt had done.
        reason: the code of why this target was asked, such as ``first``, ``again`` or ``moved``;
            the page on routing lists them.
        call_id: of its call, for `Client.explain`; counted by the client.
    """

    target: str
    started: float
    duration: float
    outcome: Outcome
    code: str | None = None
    request_id: str | None = None
    read_back: bool = False
    reason: str = "first"
    call_id: int = 0


Ran: TypeAlias = Literal["no", "maybe", "yes"]
"""Whether a failed call had an effect, as far as it is proved."""


class LeewardError(Exception):
    """The base of all exceptions that leeward raises on purpose.

    Attributes:
        target: the name of the target, such as ``aws:us-east-1``; None if there is no single one.
        attempts: what was tried, in order; empty if nothing was sent.
    """

    def __init__(
        self, message: str, *, target: str | None = None, attempts: tuple[Attempt, ...] = ()
    ) -> None:
        super().__init__(message)
        self.target = target
        self.attempts = attempts


class ConfigError(LeewardError):
    """The configuration is wrong: the message names the file, variable or key, and the remedy."""


class Unsupported(LeewardError):
    """A target of the order lacks a capability that the call needs. Nothing was sent."""


class ValidationError(LeewardError):
    """An answer or an item arrived, but does not fit the type that it should have.

    The call itself went well: a function has run.

    Attributes:
        result: the undecoded answer: an `InvokeResult`, a `Record` or an `ItemPage`.
    """

    def __init__(
        self,
        message: str,
        *,
        result: Any = None,
        target: str | None = None,
        attempts: tuple[Attempt, ...] = (),
    ) -> None:
        super().__init__(message, target=target, attempts=attempts)
        self.result = result


if TYPE_CHECKING:
    from typing import TypedDict, Unpack

    class Origin(TypedDict, total=False):
        """The arguments of every `CallError` besides its message."""

        target: str | None
        attempts: tuple[Attempt, ...]
        code: str | None
        reason: str | None
        retry_after: float | None


class CallError(LeewardError):
    """A call failed.

    Attributes:
        outcome: which of the eleven outcomes ended the call.
        code: the provider's own error code, if there is one.
        reason: a stable word for a special case, such as ``misconfigured``.
        retry_after: seconds that the target asked to wait, if it did.
        call: what was called, for `Client.settle`; its representation shows no payload. None where
            the error is of no call of a client.
    """

    outcome: Outcome
    call: Any = None

    def __init__(self, message: str, **origin: Unpack[Origin]) -> None:
        super().__init__(message, target=origin.get("target"), attempts=origin.get("attempts", ()))
        self.code = origin.get("code")
        self.reason = origin.get("reason")
        self.retry_after = origin.get("retry_after")


class InvalidRequest(CallError):
    """The request is wrong.

    Attributes:
        field: the argument at fault, with the path inside it: ``item['lines'][3].price``.
            None if the provider refused the call and named no argument.
    """

    outcome = Outcome.CALLER

    def __init__(self, message: str, *, field: str | None = None, **origin: Unpack[Origin]) -> None:
        super().__init__(message, **origin)
        self.field = field


class PayloadTooLarge(InvalidRequest):
    """The payload, event, item or key is too large for the smallest target of the order."""


class _Said(NamedTuple):
    """A text that tools which write down the attributes of an exception do not get to see."""

    text: str | None

    def __repr__(self) -> str:
        return "<text>"


class FunctionError(CallError):
    """The function answered that it failed, or that it refuses the call.

    Attributes:
        error_type: class name of the function's own exception, if the platform passes it on.
        trace: lines of the function's own stack trace, if the platform passes them on.
        ran: whether the call had an effect, ``no``, ``maybe`` or ``yes``, as leeward's handler
            says; ``maybe`` if the answer has no mark of it.
        retryable: whether the same call may succeed later, as leeward's handler says; None if
            another handler answered.
    """

    outcome = Outcome.APP_ERROR

    def __init__(
        self,
        message: str,
        *,
        error_type: str | None = None,
        error_message: str | None = None,
        trace: tuple[str, ...] = (),
        ran: Ran | None = None,
        retryable: bool | None = None,
        **origin: Unpack[Origin],
    ) -> None:
        super().__init__(message, **origin)
        self.error_type = error_type
        self._said = _Said(error_message)
        self.trace = trace
        self.ran = ran
        self.retryable = retryable

    @property
    def error_message(self) -> str | None:
        """The text of the function's own exception, if the platform passes it on.

        A function may put its input into the text. So it is only here, and never in ``str()`` or
        ``repr()``.
        """
        return self._said.text


class AuthError(CallError):
    """The identity or its permissions were refused. No other target is tried."""

    outcome = Outcome.AUTH


class NotFound(CallError):
    """The function, bus or table does not exist. For a missing item `load_data` returns None."""

    outcome = Outcome.NOT_FOUND


class Conflict(CallError):
    """A condition of the call (`if_absent`, `if_revision`) did not hold. Nothing was changed."""

    outcome = Outcome.CONFLICT


class Throttled(CallError):
    """The target refused before running anything. Calling again later is safe."""

    outcome = Outcome.REJECTED


class TargetUnavailable(CallError):
    """No byte of the request left. Calling again is safe."""

    outcome = Outcome.NOT_SENT


class AllTargetsUnavailable(TargetUnavailable):
    """No target could take the call in time, and it is proved that none of them ran it.

    Without attempts: all targets are down, so none was tried; `retry_after` says when to call
    again.
    """


class HomeUnavailable(TargetUnavailable):
    """The home of the table cannot be reached; no other target has its data."""


class TargetUnusable(CallError):
    """The target refuses for a reason that lasts: waiting a minute does not help."""

    outcome = Outcome.UNUSABLE


class OutcomeUnknown(CallError):
    """The call may have run, in full or in part; nothing proves whether it did.

    Calling again may run it twice: find out first what happened.

    Attributes:
        idempotency_key: the key that every attempt of the call carried; None for events and data.
        executed: True if the target's answer shows that it ran and only the result is lost.
    """

    outcome = Outcome.AMBIGUOUS

    def __init__(
        self,
        message: str,
        *,
        idempotency_key: str | None = None,
        executed: bool | None = None,
        **origin: Unpack[Origin],
    ) -> None:
        super().__init__(message, **origin)
        self.idempotency_key = idempotency_key
        self.executed = executed


class Overloaded(CallError):
    """Refused on this side before anything was sent: too many calls in flight, or no time left."""

    outcome = Outcome.LOCAL


class SpoolFull(CallError):
    """No target took the event, and the spool has no room for it; it is proved that none has it.

    The spool keeps its events. If a target may have taken the event, `OutcomeUnknown` is raised.
    """

    outcome = Outcome.LOCAL


class DedupUnavailable(CallError):
    """The table with the idempotency keys cannot be reached, so the function did not run.

    `leeward.app.idempotent` raises it in your function; the caller gets a `FunctionError`.
    """

    outcome = Outcome.NOT_SENT


def is_from_signal(error: BaseException) -> bool:
    """Return whether the handler of a signal has raised an exception.

    The frame of a handler that is installed is in its trace; no code of leeward's calls one.
    """
    import signal

    handlers = map(signal.getsignal, signal.valid_signals())
    codes = [getattr(getattr(hook, "__func__", hook), "__code__", None) for hook in handlers]
    trace = error.__traceback__
    while trace is not None and trace.tb_frame.f_code not in codes:
        trace = trace.tb_next
    return trace is not None
