"""Exit codes: one for each reaction of a script; and errors as JSON objects."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from leeward.errors import (
    AuthError,
    CallError,
    ConfigError,
    Conflict,
    DedupUnavailable,
    FunctionError,
    InvalidRequest,
    LeewardError,
    NotFound,
    OutcomeUnknown,
    Overloaded,
    SpoolFull,
    TargetUnavailable,
    TargetUnusable,
    Throttled,
    Unsupported,
)
from leeward.values.settled import Settled, Verdict
from leeward.views import Json
from leeward.views.answers import json_of_attempts


@dataclass(frozen=True, slots=True)
class ExitCode:
    """An exit code, its line for ``leeward --help``, and whether the call has run."""

    code: int
    meaning: str
    ran: bool | None


OK: Final = ExitCode(0, "it worked", ran=True)
UNEXPECTED: Final = ExitCode(1, "unexpected error, or a result that cannot be written", ran=None)
WRONG: Final = ExitCode(2, "wrong usage, request or configuration", ran=False)
ABSENT: Final = ExitCode(
    3, "no such function, bus, table, backup or object; load: no such item", ran=False
)
CONFLICT: Final = ExitCode(
    4, "--if-absent or --if-revision did not hold; nothing was changed", ran=False
)
DENIED: Final = ExitCode(5, "the identity or its permissions were refused", ran=False)
RAISED: Final = ExitCode(6, "the function raised, or refused the call", ran=True)
LATER: Final = ExitCode(
    7, "throttled, unreachable or unusable: it did not run, try again", ran=False
)
UNKNOWN: Final = ExitCode(8, "outcome unknown: it may have run", ran=None)
BROKEN: Final = ExitCode(
    9,
    "status, doctor, backup, spool: something is wrong; conformance: a promise was broken",
    ran=None,
)
STILL_RUNS: Final = ExitCode(
    10, "workflow start --wait, settle: it has begun, and continues", ran=None
)
INTERRUPTED: Final = ExitCode(130, "interrupted; a call under way may have run", ran=None)

EXIT_CODES: Final = tuple(code for code in [*vars().values()] if isinstance(code, ExitCode))
"""All exit codes, in order."""

BY_CLASS: dict[type, ExitCode] = {
    ConfigError: WRONG,
    Unsupported: WRONG,
    InvalidRequest: WRONG,
    NotFound: ABSENT,
    Conflict: CONFLICT,
    AuthError: DENIED,
    FunctionError: RAISED,
    Throttled: LATER,
    TargetUnavailable: LATER,
    TargetUnusable: LATER,
    Overloaded: LATER,
    SpoolFull: LATER,
    DedupUnavailable: LATER,
    OutcomeUnknown: UNKNOWN,
    KeyboardInterrupt: INTERRUPTED,
}
"""Exception to exit code; a class that is not here has that of its nearest base.

Commands of other distributions add their own errors."""


def exit_code_of(error: BaseException) -> ExitCode:
    """Return the exit code for `error`."""
    return next((BY_CLASS[kind] for kind in type(error).__mro__ if kind in BY_CLASS), UNEXPECTED)


_BY_VERDICT: Final = {
    Verdict.RAN: OK,
    Verdict.NOT_RUN: LATER,
    Verdict.RUNNING: STILL_RUNS,
    Verdict.UNKNOWN: UNKNOWN,
}


def exit_code_of_verdict(settled: Settled) -> ExitCode:
    """Return the exit code for what became of a call: the one that the call would have had."""
    return RAISED if settled.failure is not None else _BY_VERDICT[settled.verdict]


_RAN: Final = {"no": False, "maybe": None, "yes": True}
"""What leeward's handler says of a call, and whether it has run."""


def json_of_failure(kind: str, message: str, end: ExitCode) -> Json:
    """Return what every failure shows."""
    return {"type": kind, "message": message, "exit_code": end.code, "may_have_run": end.ran}


def json_of_error(error: LeewardError, end: ExitCode) -> Json:
    """Return an error of leeward as a JSON object."""
    data = json_of_failure(type(error).__name__, str(error), end)
    data["target"] = error.target
    if isinstance(error, CallError):
        data |= {
            "outcome": error.outcome.value,
            "code": error.code,
            "reason": error.reason,
            "retry_after": error.retry_after,
        }
    match error:
        case InvalidRequest():
            data["field"] = error.field
        case FunctionError():
            data |= {
                "error_type": error.error_type,
                "error_message": error.error_message,
                "trace": list(error.trace),
                "retryable": error.retryable,
            }
            data["may_have_run"] = _RAN[error.ran or "maybe"]
        case OutcomeUnknown():
            data |= {"idempotency_key": error.idempotency_key, "executed": error.executed}
            data["may_have_run"] = True if error.executed else None
        case _:
            pass
    return data | {"attempts": json_of_attempts(error.attempts)}
