"""What an exception proves of the call that raised it: it did not run, it ran, or nothing.

`leeward.ran` answers for leeward's own exceptions. For those of other libraries it asks the
distribution leeward-integrations, by the entry points ``leeward.evidence``.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from functools import cache
from typing import Any, Final, TypeAlias, cast

from leeward.entrypoints import entry_points
from leeward.errors import (
    CallError,
    FunctionError,
    LeewardError,
    Outcome,
    OutcomeUnknown,
    Ran,
    ValidationError,
)
from leeward.records import NamedTuple

EVIDENCE: Final = "leeward.evidence"
"""The entry points of functions that are a `Finder`."""

PROVED: Final = "leeward_proved"
"""An attribute by which `leeward.testing.prove` says what an exception proves."""


class Evidence(NamedTuple):
    """What an exception proves.

    Attributes:
        ran: whether the call had an effect.
        why: the reason, for people; it holds nothing of the call's payload.
    """

    ran: Ran
    why: str


Finder: TypeAlias = Callable[[BaseException], Evidence | None]

_MAY_HAVE: Final = frozenset({Outcome.AMBIGUOUS, Outcome.APP_ERROR})
"""How attempts end that may have had an effect."""


def ran(error: BaseException) -> Ran:
    """Return whether the call that raised this exception ran: ``no``, ``maybe`` or ``yes``.

    ``no`` and ``yes`` are proved; in doubt it is ``maybe``. It is about the one call that raised,
    not about what your own code did before. Ask where you catch the exception: its traceback shows
    what the client had tried.

    Args:
        error: of leeward, or of a library that leeward-integrations knows; its ``__cause__``
            counts where the library of the exception itself is not known.
    """
    return find_evidence(error).ran


def explain_ran(error: BaseException) -> str:
    """Return the answer of `ran` with its reason, as a sentence for people and logs."""
    found = find_evidence(error)
    return f"{found.ran}: {found.why}"


def find_evidence(error: BaseException, seen: Collection[int] = ()) -> Evidence:
    """Return what an exception proves; `seen` has the ids of the groups that it is in."""
    seen = {*seen}
    while id(error) not in seen:
        seen.add(id(error))
        for find in _finders():
            if (found := find(error)) is not None:
                return found
        if isinstance(error, BaseExceptionGroup):
            return _evidence_of_group([find_evidence(each, seen) for each in error.exceptions])
        if isinstance(error, LeewardError):
            return _evidence_of_own(error)
        if isinstance(error.__cause__, Exception):
            error = error.__cause__
    return Evidence("maybe", _why_unknown(error))


def _evidence_of_group(all_found: list[Evidence]) -> Evidence:
    """Return only what all of a group prove."""
    answers = {found.ran for found in all_found}
    if answers == {"no"}:
        return Evidence("no", "; ".join(dict.fromkeys(found.why for found in all_found)))
    decisive = next(found for found in all_found if found.ran != "no")
    return decisive if answers == {"yes"} else Evidence("maybe", decisive.why)


def _evidence_of_own(error: LeewardError) -> Evidence:
    """Return the same of leeward's own."""
    if isinstance(error, ValidationError):
        return Evidence("yes", "an answer came, and does not fit the type to read it as")
    if not isinstance(error, CallError):
        return Evidence("no", "nothing was sent")
    if isinstance(error, OutcomeUnknown):
        if error.executed:
            return Evidence("yes", "the target's answer shows that it ran; its result is lost")
        return Evidence("maybe", "leeward could not find out; ask `Client.settle`")
    if isinstance(error, FunctionError):
        if error.ran in ("no", "yes"):
            return Evidence(error.ran, "the function says so")
        return Evidence("maybe", "the answer is a failure, and does not prove how far it came")
    if any(attempt.outcome in _MAY_HAVE for attempt in error.attempts):
        return Evidence("maybe", "an earlier attempt of the call may have run")
    return Evidence("no", f"leeward proved it: {error.outcome.value}")


@cache
def _finders() -> list[Finder]:
    return [cast("Any", point.load()) for point in entry_points(EVIDENCE)]


def _why_unknown(error: BaseException) -> str:
    if not _finders():
        return 'of other libraries only `pip install "leeward[integrations]"` knows more'
    return f"nothing is known about exceptions like {type(error).__module__}.{type(error).__name__}"
