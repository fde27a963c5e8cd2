"""How a call can end: eleven outcomes, and one exception for each that is not a success.

LeewardError
├── ConfigError              the configuration or the environment is wrong; nothing was sent
├── Unsupported              a target lacks what the call needs; nothing was sent
└── CallError                a call ended otherwise than well
    ├── InvalidRequest       CALLER       the request is wrong; the field is named
    │   └── PayloadTooLarge  CALLER       larger than the smallest target of the order takes
    ├── FunctionError        APP_ERROR    the function ran and raised
    ├── AuthError            AUTH         the identity or its permissions were refused
    ├── NotFound             NOT_FOUND    no such function, bus or table
    ├── Conflict             CONFLICT     a condition of the call did not hold
    ├── Throttled            REJECTED     refused before it ran; `retry_after` if the target said so
    ├── TargetUnavailable    NOT_SENT     no byte of the request left
    │   ├── AllTargetsUnavailable         the same, of several targets one after the other
    │   └── HomeUnavailable               the same, of the one home of a table
    ├── TargetUnusable       UNUSABLE     the target refuses for a lasting reason of its own
    ├── OutcomeUnknown       AMBIGUOUS    the call may have run, and nothing can prove either
    │   └── PoisonSuspected  AMBIGUOUS    this payload ended so on several targets
    ├── Overloaded           LOCAL        refused on this side, before any target was asked
    │   └── SpoolFull        LOCAL        the local journal can take no more
    └── DedupUnavailable     NOT_SENT     the store that makes a keyed call safe cannot be reached

Every one carries `target` and `attempts`; the native error, where there is one, is `__cause__`.
"""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, TypedDict, Unpack

if TYPE_CHECKING:
    from leeward.values import Attempt


class Outcome(Enum):
    """How one attempt ended, decided by one question: is it proved that the call did not run?"""

    __hash__ = object.__hash__  # as good as Enum's own, which is written in Python

    OK = "ok"
    """A complete, decodable answer."""
    LOCAL = "local"
    """Refused on this side: a full bulkhead, an empty budget."""
    NOT_SENT = "not_sent"
    """No byte of the request left: no name, no connection, no TLS, no token endpoint."""
    REJECTED = "rejected"
    """The target documents that it refused before running anything: throttling, no capacity."""
    UNUSABLE = "unusable"
    """The target refuses for a lasting reason of its own: suspended, daily quota used up."""
    AMBIGUOUS = "ambiguous"
    """It may have run. Everything that nothing else explains belongs here."""
    APP_ERROR = "app_error"
    """The function ran and raised."""
    CALLER = "caller"
    """The request is wrong and would be wrong anywhere."""
    AUTH = "auth"
    """The identity or its permissions were refused."""
    NOT_FOUND = "not_found"
    """The addressed function, bus or table is absent. An absent *item* is OK, with None."""
    CONFLICT = "conflict"
    """A precondition did not hold."""


class LeewardError(Exception):
    """The base of everything that leeward raises on purpose.

    Attributes:
        target: name of the target concerned, such as ``aws:us-east-1``; None where there is none.
        attempts: what was tried, in order; empty when nothing was sent.
    """

    def __init__(
        self,
        message: str,
        *,
        target: str | None = None,
        attempts: tuple[Attempt, ...] = (),
    ) -> None:
        super().__init__(message)
        self.target = target
        self.attempts = attempts


class ConfigError(LeewardError):
    """The configuration is wrong: the message names the file, variable or key, and the remedy."""


class Unsupported(LeewardError):
    """A target of the order lacks a capability that the call needs. Nothing was sent."""


class Origin(TypedDict, total=False):
    """Where an error comes from: what every `CallError` takes besides its message."""

    target: str | None
    attempts: tuple[Attempt, ...]
    code: str | None
    reason: str | None
    retry_after: float | None


class CallError(LeewardError):
    """A call ended otherwise than well.

    Attributes:
        outcome: which of the eleven outcomes ended the call.
        code: the provider's own error code, where it gave one.
        reason: a stable word for a special case, such as ``misconfigured``.
        retry_after: seconds that the target asked to wait, where it did.
    """

    outcome: Outcome

    def __init__(self, message: str, **origin: Unpack[Origin]) -> None:
        super().__init__(message, target=origin.get("target"), attempts=origin.get("attempts", ()))
        self.code = origin.get("code")
        self.reason = origin.get("reason")
        self.retry_after = origin.get("retry_after")


class InvalidRequest(CallError):
    """The request is wrong.

    Attributes:
        field: the argument at fault, with the path inside it: ``item['lines'][3].price``.
            None where the provider said so and did not name it.
    """

    outcome = Outcome.CALLER

    def __init__(self, message: str, *, field: str | None = None, **origin: Unpack[Origin]) -> None:
        super().__init__(message, **origin)
        self.field = field


class PayloadTooLarge(InvalidRequest):
    """The payload, event, item or key is larger than the smallest target of the order takes."""


class FunctionError(CallError):
    """The function ran and raised.

    Attributes:
        error_type: class name of the function's own exception, where the platform passes it on.
        trace: lines of the function's own stack trace, where the platform passes them on.
    """

    outcome = Outcome.APP_ERROR

    def __init__(
        self,
        message: str,
        *,
        error_type: str | None = None,
        trace: tuple[str, ...] = (),
        **origin: Unpack[Origin],
    ) -> None:
        super().__init__(message, **origin)
        self.error_type = error_type
        self.trace = trace


class AuthError(CallError):
    """The identity or its permissions were refused. Failover would only hide it."""

    outcome = Outcome.AUTH


class NotFound(CallError):
    """No such function, bus or table. An absent item is not an error: `load_data` gives None."""

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
    """No target could take the call in time, and it is proved that none of those asked ran it."""


class HomeUnavailable(TargetUnavailable):
    """The table's home cannot be reached; no other target can answer for it."""


class TargetUnusable(CallError):
    """The target refuses for a lasting reason of its own; waiting a minute will not help."""

    outcome = Outcome.UNUSABLE


class OutcomeUnknown(CallError):
    """The call may have run, completely or in part, and nothing can prove either.

    Sending an unsafe call again may run it twice: find out what happened first.

    Attributes:
        idempotency_key: the key that every attempt of the call carried; None for events and data.
        executed: True where the target's answer showed that it ran and only the result is lost.
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


class PoisonSuspected(OutcomeUnknown):
    """This payload ended AMBIGUOUS on several targets and is held back for a while."""


class Overloaded(CallError):
    """Refused on this side before any target was asked: too much is already in flight."""

    outcome = Outcome.LOCAL


class SpoolFull(Overloaded):
    """The local journal can take no more. Nothing was accepted, nothing was dropped."""


class DedupUnavailable(CallError):
    """The store that makes a keyed call safe to repeat cannot be reached. Nothing was run."""

    outcome = Outcome.NOT_SENT
