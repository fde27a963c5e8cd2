"""What a handler returns, as JSON; and the answer that every platform's runtime sends."""

from __future__ import annotations

from math import isfinite
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from leeward.envelope import (
    UNBOUND,
    answer_headers,
    sealed,
    sealed_failure,
    sealed_refusal,
    why_refused,
)
from leeward.errors import (
    ConfigError,
    DedupUnavailable,
    InvalidRequest,
    LeewardError,
    OutcomeUnknown,
    Ran,
    Unsupported,
)
from leeward.json_text import decode, encode
from leeward.masking import masked
from leeward.text import class_name

if TYPE_CHECKING:
    from collections.abc import Mapping

    from leeward.calls import FunctionFault
    from leeward.values import Json


DEADLINE: Final = "deadline"
BAD_INPUT: Final = "bad_input"
NOT_JSON: Final = "not_json"
RESPONSE_TOO_LARGE: Final = "response_too_large"

_RETRYABLE: Final = frozenset({408, 409, 425, 429, 500, 502, 503, 504})
"""Statuses after which the same call may end otherwise."""


class Problem(Exception):
    """An answer other than success, for the caller to read.

    Args:
        message: for the caller; it goes over the wire as it is, so put nothing secret into it.
        status: of HTTP, 400 to 599: what is answered where the caller came by HTTP.
        reason: a stable word that a program may act on, such as ``sold_out``.
        retryable: whether the same call may end otherwise later; by default what the status says.
            A delivery is tried again then, else it is given up at once.
        retry_after: seconds that the caller should wait.

    Attributes: as the arguments, and
        ran: whether what the call asks for has taken effect, where the problem itself tells; None
            where it does not.
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
    """The input is not what the handler's annotation says: status 400, and given up at once.

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


_JSON = ("content-type", "application/json")

_SCALARS: Final = frozenset({str, int, bool, float, type(None)})
"""What is in JSON as it is."""


class Answer(NamedTuple):
    """What came of a call, before a platform's runtime gives it a form.

    Attributes:
        body: JSON: the value, or what is told of a failure.
        failure: None for a success.
        dedup: what is said of repeated keys; None says nothing.
    """

    body: bytes
    failure: Failure | None = None
    dedup: str | None = None

    def __repr__(self) -> str:
        return masked(self, "failure dedup")

    @property
    def status(self) -> int:
        """Return the status of HTTP."""
        return 200 if self.failure is None else self.failure.status

    def headers(self, mark: str = UNBOUND) -> tuple[tuple[str, str], ...]:
        """Return the headers of HTTP; the mark is on each answer."""
        found = (_JSON, *answer_headers(self.dedup, mark))
        wait = self.failure.retry_after if self.failure else None
        return found if wait is None else (*found, ("retry-after", str(max(1, round(wait)))))

    def envelope(self, mark: str) -> dict[str, Json]:
        """Return it in an envelope, for a platform that passes on no headers of answers."""
        told = decode(self.body)
        if self.failure is None:
            return sealed(told, self.dedup, mark)
        if self.is_repeat:
            return sealed_refusal(self.dedup, told, self.failure.retry_after, mark)
        return sealed_failure(self.dedup, told, self.failure.retry_after, mark)

    @property
    def is_repeat(self) -> bool:
        """Return whether it refuses a repeat, which is not a failure of the function."""
        return self.failure is not None and why_refused(decode(self.body), self.dedup) is not None


def failed(failure: Failure, dedup: str | None = None) -> Answer:
    """Return the answer of a call that has failed."""
    return Answer(encode(dict(fault_fields(failure))), failure, dedup)


def encoded(value: Any, limit: int | None) -> bytes:
    """Write what a handler has returned.

    Args:
        value: of it.
        limit: as of `written`.

    Raises:
        Problem: as `written` does.
    """
    if value is None:
        return b"null"
    try:
        return written(plain(value), limit)
    except TypeError:
        flawed = plain(value, strict=False)
    except RecursionError:
        flawed = value
    raise not_json(flawed)


def written(value: Any, limit: int | None) -> bytes:
    """Write an answer that is JSON already.

    Args:
        value: the answer.
        limit: bytes that the platform passes on; None for no limit.

    Raises:
        Problem: it is not JSON, or too large; its status is 500, for the work is done.
    """
    try:
        body = encode(value)
    except (TypeError, ValueError, RecursionError):
        body = None
    if body is None:
        raise not_json(value)
    if limit is not None and len(body) > limit:
        raise Problem(
            f"the answer has {len(body)} bytes, at most {limit} are passed on; "
            "return a reference to the data",
            status=500,
            reason=RESPONSE_TOO_LARGE,
            retryable=False,
        )
    return body


def not_json(value: Any) -> Problem:
    """Return the problem of an answer that is not JSON, with the place.

    Names in it are shown where they look like those that code gives: others may be content.
    """
    import re

    from leeward.items.checks import json_flaw

    flaw = json_flaw(value)
    told = "answer is not JSON: return None, bool, int, finite float, str, list or dict"
    if flaw is not None:
        code = re.compile(r"\['[A-Za-z_]\w{0,39}'\]|\[\d+\]")
        steps = [each if code.fullmatch(each) else "[...]" for each in flaw.steps]
        told = f"answer{''.join(steps)} {flaw.fault}"
    return Problem(told, status=500, reason=NOT_JSON, retryable=False)


def plain(value: Any, *, strict: bool = True) -> Json:
    """Return `value` as JSON has it, or as it is, where that is not known.

    Dataclasses, NamedTuples and models become objects; a Decimal, a time, an id and bytes become
    the text that `leeward.app.decoding` reads again.

    Raises:
        TypeError: a key of a mapping is not text; with `strict`, for such is written else.
    """
    if type(value) in _SCALARS:
        return value
    if type(value) is dict:
        made = {}
        for name, inner in value.items():
            if strict and type(name) is not str:
                raise TypeError("a key is not text")
            made[name] = inner if type(inner) in _SCALARS else plain(inner, strict=strict)
        return made
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return {name: plain(getattr(value, name), strict=strict) for name in value._fields}
    if isinstance(value, list | tuple):
        return [plain(each, strict=strict) for each in value]
    if hasattr(value, "__dataclass_fields__"):
        return {
            name: plain(getattr(value, name), strict=strict) for name in value.__dataclass_fields__
        }
    return _scalar(value, strict=strict)


def _scalar(value: Any, *, strict: bool) -> Json:
    from enum import Enum

    from leeward.app.models import dumped

    if isinstance(value, Enum):
        return plain(value.value, strict=strict)
    if isinstance(value, bytes):
        from base64 import b64encode

        return b64encode(value).decode("ascii")
    name = f"{type(value).__module__}.{type(value).__qualname__}"
    if name == "decimal.Decimal":
        return str(value) if value.is_finite() else value
    if name in ("datetime.datetime", "datetime.date"):
        return value.isoformat()
    if name == "uuid.UUID":
        return str(value)
    return dumped(value)
