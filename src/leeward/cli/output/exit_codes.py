"""Exit codes: one for each reaction of a script."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from leeward.errors import (
    AuthError,
    ConfigError,
    Conflict,
    DedupUnavailable,
    FunctionError,
    InvalidRequest,
    NotFound,
    OutcomeUnknown,
    Overloaded,
    TargetUnavailable,
    TargetUnusable,
    Throttled,
    Unsupported,
)


@dataclass(frozen=True, slots=True)
class ExitCode:
    """One exit code.

    Attributes:
        code: what the process exits with.
        meaning: one line for ``leeward --help``.
        ran: whether the call has run; None if that is not known.
        again: whether calling again is safe, in words.
    """

    code: int
    meaning: str
    ran: bool | None
    again: str


_FIND_OUT: Final = "find out first whether it ran"

OK: Final = ExitCode(0, "it worked", ran=True, again="")
UNEXPECTED: Final = ExitCode(
    1,
    "unexpected error, or a result that cannot be written",
    ran=None,
    again=_FIND_OUT,
)
WRONG: Final = ExitCode(
    2, "wrong usage, request or configuration", ran=False, again="yes, once it is corrected"
)
ABSENT: Final = ExitCode(
    3, "no such function, bus or table; load: no such item", ran=False, again="yes"
)
CONFLICT: Final = ExitCode(
    4,
    "--if-absent or --if-revision did not hold; nothing was changed",
    ran=False,
    again="yes, after a look at the item",
)
DENIED: Final = ExitCode(
    5, "the identity or its permissions were refused", ran=False, again="yes, once it is allowed"
)
RAISED: Final = ExitCode(
    6, "the function ran and raised", ran=True, again="only if it may run once more"
)
LATER: Final = ExitCode(
    7, "throttled, unreachable or unusable: it did not run, try again", ran=False, again="yes"
)
UNKNOWN: Final = ExitCode(8, "outcome unknown: it may have run", ran=None, again=_FIND_OUT)
INTERRUPTED: Final = ExitCode(
    130, "interrupted; a call under way may have run", ran=None, again=_FIND_OUT
)

EXIT_CODES: Final = (
    OK,
    UNEXPECTED,
    WRONG,
    ABSENT,
    CONFLICT,
    DENIED,
    RAISED,
    LATER,
    UNKNOWN,
    INTERRUPTED,
)
"""All exit codes, in order."""

BY_CLASS: Final[dict[type, ExitCode]] = {
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
    DedupUnavailable: LATER,
    OutcomeUnknown: UNKNOWN,
    KeyboardInterrupt: INTERRUPTED,
}
"""Exception to exit code; a class that is not here has that of its nearest base."""


def exit_code_of(error: BaseException) -> ExitCode:
    """Return the exit code for `error`."""
    return next((BY_CLASS[kind] for kind in type(error).__mro__ if kind in BY_CLASS), UNEXPECTED)
