"""Whether what came out of a driver is an answer at all. What is not proves nothing."""

from __future__ import annotations

from typing import Any

from leeward.adapter import Call, Load, Page, Publish, Result, Scan, Store, Stored
from leeward.errors import LeewardError, Outcome


def result_of(call: Call, answer: object) -> Result[Any]:
    """Return the result of an attempt that returned, or let escape, `answer`.

    What a driver lets escape is unknown, unless leeward itself raised it.
    """
    if isinstance(answer, Result):
        return answer if is_sound(call, answer) else _UNSOUND
    if isinstance(answer, LeewardError):
        return Result(Outcome.CALLER, message=str(answer), cause=answer)
    if isinstance(answer, Exception):
        return Result(Outcome.AMBIGUOUS, code=type(answer).__name__, cause=answer)
    return _UNSOUND


def is_sound(call: Call, result: object) -> bool:
    """Return whether `result` is a `Result` whose value is of the kind that `call` gives."""
    if not isinstance(result, Result) or not isinstance(result.outcome, Outcome):
        return False
    if result.outcome is not Outcome.OK:
        return True
    match call:
        case Load():
            return result.value is None or isinstance(result.value, Stored)
        case Store():
            return isinstance(result.value, str)
        case Scan():
            return isinstance(result.value, Page)
        case Publish():
            return isinstance(result.value, tuple) and all(
                isinstance(entry, Result) and isinstance(entry.outcome, Outcome)
                for entry in result.value
            )
    return True


_UNSOUND: Result[Any] = Result(
    Outcome.AMBIGUOUS,
    code="bad_result",
    message="the adapter's answer is not of the kind that the call gives",
)
