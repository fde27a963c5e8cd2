"""The answer to a question what became of a call: see ``docs/settle.md``."""

from __future__ import annotations

from typing import Any, Final

from leeward.calls import Result
from leeward.envelope import LONGEST_AGE, fault_in
from leeward.errors import Outcome
from leeward.text import is_printable
from leeward.values.settled import Settled, Verdict

DEADLINE: Final = "deadline"
"""The reason of a handler without time: an older one gets a deadline of 0 with a question."""

_NOT_SUPPORTED: Final = frozenset({"http.405", "http.415", "http.501"})
"""Codes of a function that refuses the question itself."""

OTHER_TARGET: Final = "other_target"
"""The reason if a target says that the call did not run, but another target may have run it."""

LONGEST_TEXT: Final = 1000
REF_DIGITS: Final = 12
"""Characters of a function's words about a record, and of the record's name."""

_REFUSALS: Final = frozenset({Outcome.AUTH, Outcome.NOT_FOUND, Outcome.CALLER})


def read_answer(key: str, result: Result[Any]) -> Settled | None:
    """Return a function's verdict about the calls with a key.

    None if there is no answer yet.
    """
    fault, outcome = result.fault, result.outcome
    if outcome is Outcome.OK:
        settled = _read(key, result.value)
    elif result.code in _NOT_SUPPORTED or (outcome is Outcome.APP_ERROR and _is_foreign(result)):
        settled = Settled(Verdict.UNKNOWN, reason="not_supported")
    elif outcome is Outcome.APP_ERROR and fault is not None and fault.retryable is False:
        settled = Settled(Verdict.UNKNOWN, reason=fault.reason)
    elif outcome in _REFUSALS:
        settled = Settled(Verdict.UNKNOWN, reason=outcome.value)
    else:
        return None
    return settled._replace(target=result.target)


def _is_foreign(result: Result[Any]) -> bool:
    """Return whether a failure shows that a function does not know the question.

    Only leeward's handler says whether it ran. Another function may have taken the question for a
    call, so it is not asked again, unless it names a time.
    """
    fault = result.fault
    if fault is not None and fault.ran is not None:
        return fault.reason == DEADLINE
    return result.reason is None and result.retry_after is None


def _read(key: str, answer: Any) -> Settled:
    """Read a function's verdict about the calls with a key; UNKNOWN for anything else."""
    fields = answer if isinstance(answer, dict) and answer.get("key") == key else {}
    try:
        verdict = Verdict(fields.get("verdict"))
    except ValueError:
        return Settled(Verdict.UNKNOWN, reason="no_answer")
    wait, voids, failure = fields.get("retry_after"), fields.get("voids"), fields.get("failure")
    reason = fields.get("reason")
    return Settled(
        verdict,
        fields.get("result"),
        reason if isinstance(reason, str) else None,
        fields.get("kept", True) is True,
        fault_in(failure) if isinstance(failure, dict) else None,
        float(wait) if isinstance(wait, int | float) and 0 <= wait < LONGEST_AGE else None,
        voids=voids if type(voids) is int else 0,
        record=_record_in(fields.get("record")),
        detail=_text_in(fields.get("detail")),
    )


def _record_in(value: Any) -> str | None:
    """Return the table and the name of a record; None for what a log may not take."""
    text = _text_in(value) or ""
    table, _, ref = text.partition(" ")
    return text if table and len(ref) == REF_DIGITS and ref.isalnum() else None


def _text_in(value: Any) -> str | None:
    is_text = isinstance(value, str) and is_printable(value) and 0 < len(value) <= LONGEST_TEXT
    return value if is_text else None
