"""What a handler answers when it does not answer with a value: problems, and every other error.

An exception's text may repeat what the handler was given, so nobody gets to see it: neither the
caller nor a log of the platform. A `Problem` is the exception whose text is written for the caller.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import isfinite
from typing import TYPE_CHECKING, Final, NamedTuple

from leeward.errors import (
    ConfigError,
    DedupUnavailable,
    InvalidRequest,
    LeewardError,
    OutcomeUnknown,
    Ran,
    Unsupported,
)
from leeward.masking import masked
from leeward.text import class_name

if TYPE_CHECKING:
    from leeward.calls import FunctionFault

DEADLINE: Final = "deadline"
BAD_INPUT: Final = "bad_input"
NOT_JSON: Final = "not_json"
RESPONSE_TOO_LARGE: Final = "response_too_large"

_RETRYABLE: Final = frozenset({408, 409, 425, 429, 500, 502, 503, 504})
"""Statuses after which the same call may end otherwise."""


class Problem(Exception):
    """An answer other than success, for the caller to read.

    Args:
        message: for the caller; it is sent unchanged, so put nothing secret into it.
        status: of the HTTP answer, 400 to 599.
        reason: a stable word that a program may act on, such as ``sold_out``.
        retryable: whether the same call may succeed later; by default the status decides. If so,
            a delivery is tried again; if not, it is given up at once.
        retry_after: seconds that the caller should wait.

    Attributes: as the arguments, and
        ran: whether the call had its effect, if the problem itself says so; else None.
    """

    ran: Ran | None = None

    # Of a subclass whose own `__init__` does not call this one:
    message = ""
    status = 422
    reason: str | None = None
    retryable = False
    retry_after: float | None = None

    def __init__(
        self,
        message: str,
        *,
        status: int = 422,
        reason: str | None = None,
        retryable: bool | None = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message)
        if type(status) is not int or not 400 <= status <= 599:
            raise ConfigError(f"status of a Problem must be 400 to 599, not {status!r}")
        self.message = message
        self.status = status
        self.reason = reason
        self.retryable = status in _RETRYABLE if retryable is None else retryable
        self.retry_after = retry_after


class Flaw(NamedTuple):
    """One place of an input that is not what the handler's annotation says.

    Attributes:
        path: where in the input, such as ``$.items[1].qty``.
        expected: what belongs there, such as ``int``.
        missing: nothing is there.
    """

    path: str
    expected: str
    missing: bool = False

    def __str__(self) -> str:
        """Write it as a sentence."""
        lacks = f"{self.path} is missing; it must be {self.expected}"
        return lacks if self.missing else f"{self.path} must be {self.expected}"


class InvalidInput(Problem):
    """The input does not fit the handler's annotation: status 400, and given up at once.

    Attributes:
        path: where in the input the first flaw is, such as ``$.items[1].qty``.
        expected: what belongs there, such as ``int``.
        flaws: all that were found, up to 20.
    """

    def __init__(
        self,
        path: str,
        expected: str,
        *,
        missing: bool = False,
        others: tuple[Flaw, ...] = (),
    ) -> None:
        flaws = (Flaw(path, expected, missing), *others)
        super().__init__(". ".join(map(str, flaws)), status=400, reason=BAD_INPUT)
        self.path = path
        self.expected = expected
        self.flaws = flaws


class Failure(NamedTuple):
    """How a call has failed, as whoever answers for it needs to know.

    Attributes:
        type: class of what was raised.
        status: of HTTP.
        message: what the caller may read; None for an exception that was not written for it.
        reason: a stable word, or None.
        retryable: the same call may end otherwise later.
        retry_after: seconds to wait before.
        ran: whether it has had an effect.
        cause: what was raised.
    """

    type: str
    status: int
    message: str | None
    reason: str | None
    retryable: bool
    retry_after: float | None
    ran: Ran
    cause: BaseException | None = None

    def __repr__(self) -> str:
        return masked(self, "type status reason retryable retry_after ran")

    @property
    def fault(self) -> FunctionFault:
        """What the caller is told."""
        from leeward.calls import FunctionFault

        told = (self.reason, self.ran, self.retryable)
        return FunctionFault(self.type, self.message, (), *told)


FINAL_ERRORS: Final = (OutcomeUnknown, InvalidRequest, Unsupported, ConfigError)
"""Of leeward's own errors those after which a repetition is wrong, or in vain: after an
`OutcomeUnknown` it may do the same thing twice."""


def failure_of(error: BaseException, final: tuple[type[BaseException], ...], ran: Ran) -> Failure:
    """Judge what a handler has raised.

    Args:
        error: what was raised.
        final: classes of errors after which the handler is not to be called again.
        ran: whether it has had an effect.
    """
    kind = class_name(error)
    if isinstance(error, Problem):
        retryable = error.retryable and not isinstance(error, final)
        return Failure(
            kind,
            error.status,
            _text_told(error.message),
            _text_told(error.reason),
            retryable,
            _seconds(error.retry_after),
            ran,
            error,
        )
    if isinstance(error, LeewardError):
        retryable = not isinstance(error, (*final, *FINAL_ERRORS))
        status = 503 if isinstance(error, DedupUnavailable) else 500
        wait: float | None = getattr(error, "retry_after", None)
        return Failure(kind, status, None, None, retryable, wait, ran, error)
    return Failure(kind, 500, None, None, not isinstance(error, final), None, ran, error)


def _text_told(text: object) -> str | None:
    """Return what a handler has told as UTF-8 has it; None for anything else."""
    return text.encode(errors="replace").decode() if isinstance(text, str) else None


def _seconds(wait: object) -> float | None:
    return wait if isinstance(wait, int | float) and isfinite(wait) else None


def out_of_time() -> Problem:
    """Return the problem of a call for which too little time is left."""
    return Problem("too little time is left", status=503, reason=DEADLINE)


def refused(problem: Problem) -> Failure:
    """Return the failure of a call that was refused before its handler began."""
    return failure_of(problem, (), "no")


def fault_fields(failure: Failure) -> Mapping[str, object]:
    """Return what the caller is told, as JSON: one form on every platform."""
    told: dict[str, object] = {
        "errorType": failure.type,
        "errorMessage": failure.message,
        "reason": failure.reason,
        "retryable": failure.retryable,
        "ran": failure.ran,
    }
    cause = failure.cause
    if isinstance(cause, InvalidInput):
        told |= {"path": cause.path, "expected": cause.expected}
        if len(cause.flaws) > 1:
            told["flaws"] = [{"path": each.path, "expected": each.expected} for each in cause.flaws]
    return {name: value for name, value in told.items() if value is not None}
