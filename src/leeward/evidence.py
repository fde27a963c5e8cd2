"""What an exception of leeward proves of the call that raised it: no, maybe or yes.

`leeward.ran` asks the distribution leeward-ran, which knows other libraries, causes and groups.
Without it, leeward answers for its own exceptions alone: who may have called again, it cannot see.
"""

from __future__ import annotations

from typing import Final

from leeward.errors import (
    CallError,
    FunctionError,
    LeewardError,
    Outcome,
    OutcomeUnknown,
    Ran,
    ValidationError,
)

_MAY_HAVE: Final = frozenset({Outcome.AMBIGUOUS, Outcome.APP_ERROR})
"""How attempts end that may have had an effect."""


def ran(error: BaseException) -> Ran:
    """Return whether the call that raised this exception ran: ``no``, ``maybe`` or ``yes``.

    ``no`` and ``yes`` are proved; in doubt it is ``maybe``. It is about the one call that raised,
    not about what your own code did before. With leeward-ran installed it knows other libraries'
    exceptions, too, groups, and yours by their ``__cause__``. Ask where you catch the exception.
    """
    return _find(error)[0]


def explain_ran(error: BaseException) -> str:
    """Return the answer of `ran` with its reason, as a sentence for people and logs."""
    answer, why = _find(error)
    return f"{answer}: {why}"


def _find(error: BaseException) -> tuple[Ran, str]:
    try:
        from leeward_ran import find_evidence
    except ModuleNotFoundError:
        if isinstance(error, LeewardError):
            return evidence_of(error)
        return "maybe", "of other exceptions only leeward-ran knows more: `pip install leeward-ran`"
    return find_evidence(error)


def evidence_of(error: LeewardError) -> tuple[Ran, str]:
    """Return what an exception of leeward itself proves, and why."""
    if isinstance(error, ValidationError):
        return "yes", "an answer came, and does not fit the type to read it as"
    if not isinstance(error, CallError):
        return "no", "nothing was sent"
    if isinstance(error, OutcomeUnknown):
        if error.executed:
            return "yes", "the target's answer shows that it ran; its result is lost"
        return "maybe", "leeward could not find out; ask `Client.settle`"
    if isinstance(error, FunctionError):
        if error.ran in ("no", "yes"):
            return error.ran, "the function says so"
        return "maybe", "the answer is a failure, and does not prove how far it came"
    if any(attempt.outcome in _MAY_HAVE for attempt in error.attempts):
        return "maybe", "an earlier attempt of the call may have run"
    return "no", f"leeward proved it: {error.outcome.value}"
