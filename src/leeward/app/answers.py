"""The answers of handlers: a value as JSON, a problem, or any other failure.

The text of an exception may repeat the handler's input, so neither the caller nor a log of the
platform gets it. The text of a `Problem` is for the caller.
"""

from __future__ import annotations

import re
import sys
from binascii import b2a_base64
from enum import Enum
from typing import Any, Final

from leeward._items.json_checks import load_checks
from leeward.envelope import (
    LONGEST_AGE,
    NOT_KEPT,
    RUNNING,
    UNBOUND,
    WAITING,
    answer_headers,
    refusal_reason,
    seal,
    seal_failure,
    seal_refusal,
)
from leeward.errors import (
    ConfigError,
    DedupUnavailable,
    InvalidRequest,
    LeewardError,
    OutcomeUnknown,
    Ran,
    Unsupported,
    ValidationError,
)
from leeward.json_text import decode, encode
from leeward.masking import show_only
from leeward.records import NamedTuple
from leeward.values import Json

DEADLINE: Final = "deadline"
BAD_INPUT: Final = "bad_input"
NOT_JSON: Final = "not_json"
RESPONSE_TOO_LARGE: Final = "response_too_large"

_RETRYABLE: Final = frozenset({408, 409, 425, 429, 500, 502, 503, 504})
"""Statuses after which the same call may have another result."""

_JSON: Final = ("content-type", "application/json")

_SCALARS: Final = frozenset({str, int, bool, float, type(None)})  # types that JSON has

_PRINTABLE_STEP: Final = r"\['[A-Za-z_]\w{0,39}'\]|\[\d+\]"
"""A step of a path that a message may show: a name as code has it, or an index."""


class Problem(Exception):
    """An answer other than success, for the caller to read.

    Args:
        message: for the caller; it is sent unchanged, so put nothing secret into it.
        status: of the HTTP answer, 400 to 599.
        reason: a stable word that a program may act on, such as ``sold_out``.
        retryable: whether the same call may succeed later; by default the status decides. If so,
            a delivery is tried again; if not, it is given up at once.
        retry_after: seconds that the caller should wait.

    Attributes: as the arguments.
    """

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


class HostRefusal(Problem):
    """A call is refused before its function runs: `leeward.envelope.HOST_REFUSAL`."""


class GuardProblem(Problem):
    """The exception of an idempotent function about its own call.

    In a handler that does not catch it, it is an exception like any other: `failure_of` withholds
    its text.

    Attributes:
        ran: whether that call had its effect; None where it does not say.
    """

    ran: Ran | None = None


class Flaw(NamedTuple):
    """One place of an input that is not what the handler's annotation says.

    Attributes:
        path: where in the input, such as ``$.items[1].qty``.
        expected: what belongs there, such as ``int``.
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
        flaws: all of them, up to 20.
    """

    def __init__(
        self, path: str, expected: str, *, missing: bool = False, others: tuple[Flaw, ...] = ()
    ) -> None:
        flaws = (Flaw(path, expected, missing), *others)
        super().__init__(". ".join(map(str, flaws)), status=400, reason=BAD_INPUT)
        self.path = path
        self.expected = expected
        self.flaws = flaws


@show_only("type status reason retryable retry_after ran is_own")
class HandlerFailure(NamedTuple):
    """How a call has failed.

    Attributes:
        message: for the caller; None for an exception that was not written for it.
        reason: a stable word, or None.
        is_own: the handler's own guard raised it about this call: a word of the protocol.
    """

    type: str
    status: int
    message: str | None
    reason: str | None
    retryable: bool
    retry_after: float | None
    ran: Ran
    cause: BaseException | None = None
    is_own: bool = False

    @property
    def waits(self) -> bool:
        """Return whether the call has not begun: another run, or a person, has to end first."""
        return self.is_own and self.reason in (RUNNING, WAITING)

    @property
    def first_type(self) -> str:
        """Return the class of the first run's exception, if this call was refused for it."""
        return (self.is_own and getattr(self.cause, "error_type", None)) or self.type

    @property
    def is_done(self) -> bool:
        """Return whether an earlier run has completed, and only its result is missing."""
        return self.is_own and self.reason == NOT_KEPT


@show_only("failure dedup")
class Answer(NamedTuple):
    """The answer to a call, before a platform's runtime gives it a form.

    Attributes:
        body: JSON: the value, or the public part of a failure.
        failure: None for a success.
        dedup: how the answer says that repeated keys are recognised; None if it does not say.
    """

    body: bytes
    failure: HandlerFailure | None = None
    dedup: str | None = None

    @property
    def status(self) -> int:
        """Return the status of HTTP."""
        return 200 if self.failure is None else self.failure.status

    def headers(self, mark: str = UNBOUND) -> tuple[tuple[str, str], ...]:
        """Return the headers of HTTP, with the mark."""
        headers = (_JSON, *answer_headers(self.dedup, mark))
        wait = self.failure.retry_after if self.failure else None
        return headers if wait is None else (*headers, ("retry-after", str(max(1, round(wait)))))

    def envelope(self, mark: str) -> dict[str, Json]:
        """Return it in an envelope, for a platform that passes on no headers of answers."""
        content = decode(self.body)
        if self.failure is None:
            return seal(content, self.dedup, mark)
        put = seal_refusal if self.is_repeat else seal_failure
        return put(self.dedup, content, self.failure.retry_after, mark)

    @property
    def is_repeat(self) -> bool:
        """Return whether it refuses a repeat, which is not a failure of the function."""
        return (
            self.failure is not None and refusal_reason(decode(self.body), self.dedup) is not None
        )


_FINAL_ERRORS: Final = (OutcomeUnknown, InvalidRequest, Unsupported, ConfigError, ValidationError)
"""leeward's own errors after which a repetition is wrong or useless: after an `OutcomeUnknown` it
may do the same thing twice."""


def failure_of(
    error: BaseException, final: tuple[type[BaseException], ...], ran: Ran, *, is_own: bool = False
) -> HandlerFailure:
    """Return the failure for the exception of a handler.

    Args:
        error: the exception.
        final: classes of errors after which the handler must not be called again.
        ran: whether it has had an effect.
        is_own: as of `HandlerFailure`.
    """
    kind = type(error).__name__
    if isinstance(error, Problem):
        retryable = error.retryable and not isinstance(error, final)
        if isinstance(error, GuardProblem) and not is_own:
            return HandlerFailure(kind, 500, None, None, retryable, None, ran, error)
        wait: float | None = error.retry_after
        if not (isinstance(wait, int | float) and 0 <= wait < LONGEST_AGE):
            wait = None
        message, reason = _utf8_text(error.message), _utf8_text(error.reason)
        return HandlerFailure(
            kind, error.status, message, reason, retryable, wait, ran, error, is_own
        )
    if isinstance(error, LeewardError):
        retryable = not isinstance(error, (*final, *_FINAL_ERRORS))
        status = 503 if is_own and isinstance(error, DedupUnavailable) else 500
        wait = getattr(error, "retry_after", None)
        return HandlerFailure(kind, status, None, None, retryable, wait, ran, error, is_own)
    return HandlerFailure(kind, 500, None, None, not isinstance(error, final), None, ran, error)


def _utf8_text(text: object) -> str | None:
    """Return a text as UTF-8 has it; None for anything else."""
    return text.encode(errors="replace").decode() if isinstance(text, str) else None


def out_of_time() -> Problem:
    """Return the problem of a call for which too little time is left."""
    return Problem("too little time is left", status=503, reason=DEADLINE)


def failure_answer(failure: HandlerFailure, dedup: str | None = None) -> Answer:
    """Return the answer of a call that has failed: one form on every platform."""
    fields: dict[str, object] = {
        "errorType": failure.type,
        "errorMessage": failure.message,
        "reason": failure.reason,
        "retryable": failure.retryable,
        "ran": failure.ran,
    }
    cause = failure.cause
    if failure.is_own and (voids := getattr(cause, "voids", 0)):
        fields["voids"] = voids
    if isinstance(cause, InvalidInput):
        fields |= {"path": cause.path, "expected": cause.expected}
        if len(cause.flaws) > 1:
            fields["flaws"] = [
                {"path": flaw.path, "expected": flaw.expected} for flaw in cause.flaws
            ]
    body = encode({name: value for name, value in fields.items() if value is not None})
    return Answer(body, failure, dedup)


def refusal_answer(problem: Problem) -> Answer:
    """Return the answer of a call that was refused before its handler began."""
    return failure_answer(failure_of(problem, (), "no"))


def encode_value(value: Any, limit: int | None) -> bytes:
    """Write the result of a handler, within `limit` bytes if there is one."""
    if value is None:
        return b"null"
    try:
        return encode_answer(json_of(value), limit)
    except TypeError:
        flawed = json_of(value, strict=False)
    except RecursionError:
        flawed = value
    raise not_json_problem(flawed)


def encode_answer(value: Any, limit: int | None) -> bytes:
    """Write an answer that is JSON already, within `limit` bytes if there is one.

    Raises:
        Problem: it is not JSON, or too large; its status is 500, for the work is done.
    """
    try:
        body = encode(value)
    except (TypeError, ValueError, RecursionError):
        body = None
    if body is None:
        raise not_json_problem(value)
    if limit is not None and len(body) > limit:
        raise Problem(
            f"the answer has {len(body)} bytes, at most {limit} are passed on; "
            "return a reference to the data",
            status=500,
            reason=RESPONSE_TOO_LARGE,
            retryable=False,
        )
    return body


def not_json_problem(value: Any) -> Problem:
    """Return the problem of an answer that is not JSON, with the place.

    The path shows only keys that look like names in code: others may be content.
    """
    flaw = load_checks().json_flaw(value)
    message = "answer is not JSON: return None, bool, int, finite float, str, list or dict"
    if flaw is not None:
        steps = [step if re.fullmatch(_PRINTABLE_STEP, step) else "[...]" for step in flaw.steps]
        message = f"answer{''.join(steps)} {flaw.fault}"
    return Problem(message, status=500, reason=NOT_JSON, retryable=False)


def json_of(value: Any, *, strict: bool = True) -> Json:
    """Return `value` as JSON; values of unknown types stay as they are.

    Dataclasses, NamedTuples and models become objects; a Decimal, a time, an id and bytes become
    the text that `leeward.app.decoding` reads again.

    Raises:
        TypeError: a key of a mapping is not text, and `strict` is set.
    """
    if type(value) in _SCALARS:
        return value
    if type(value) is dict:
        document = {}
        for name, inner in value.items():
            if strict and type(name) is not str:
                raise TypeError("a key is not text")
            document[name] = inner if type(inner) in _SCALARS else json_of(inner, strict=strict)
        return document
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return {name: json_of(getattr(value, name), strict=strict) for name in value._fields}
    if isinstance(value, list | tuple):
        return [json_of(element, strict=strict) for element in value]
    fields = getattr(value, "__dataclass_fields__", None)
    if fields is not None:
        return {name: json_of(getattr(value, name), strict=strict) for name in fields}
    return json_of(value.value, strict=strict) if isinstance(value, Enum) else _scalar_json(value)


def _scalar_json(value: Any) -> Json:
    if isinstance(value, bytes):
        return b2a_base64(value, newline=False).decode("ascii")
    match f"{type(value).__module__}.{type(value).__qualname__}":  # spares to load their modules
        case "decimal.Decimal":
            return str(value) if value.is_finite() else value
        case "datetime.datetime" | "datetime.date":
            return value.isoformat()
        case "uuid.UUID":
            return str(value)
    if hasattr(value, "__struct_fields__"):
        return sys.modules["msgspec"].to_builtins(value)
    return value.model_dump(mode="json") if hasattr(value, "model_dump") else value
