"""The answer to the question what became of a call: see ``docs/settle.md``."""

from __future__ import annotations

from typing import Any, Final

from leeward.calls import Result
from leeward.envelope import fault_in
from leeward.errors import Outcome
from leeward.values.settled import Settled, Verdict

DEADLINE: Final = "deadline"
"""The reason of a handler that has no time: one that does not know how to settle has none."""

OTHER_TARGET: Final = "other_target"
"""The reason where a target says that nothing has run, and another one may have run it."""

_REFUSALS: Final = frozenset({Outcome.AUTH, Outcome.NOT_FOUND, Outcome.CALLER})


def read_answer(key: str, result: Result[Any]) -> Settled | None:
    """Return what a function says of the calls with a key.

    None where an answer is missing, and there may be one later.
    """
    fault, outcome = result.fault, result.outcome
    if outcome is Outcome.OK:
        settled = _read(key, result.value)
    elif outcome is Outcome.APP_ERROR and fault is not None and fault.reason == DEADLINE:
        settled = Settled(Verdict.UNKNOWN, reason="not_supported")
    elif outcome is Outcome.APP_ERROR and fault is not None and fault.retryable is False:
        settled = Settled(Verdict.UNKNOWN, reason=fault.reason)
    elif outcome in _REFUSALS:
        settled = Settled(Verdict.UNKNOWN, reason=outcome.value)
    else:
        return None
    return settled._replace(target=result.target)


def _read(key: str, answer: Any) -> Settled:
    """Read what a function says of the calls with a key; UNKNOWN for anything else."""
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
        float(wait) if isinstance(wait, int | float) else None,
        voids=voids if type(voids) is int else 0,
    )
