"""What came out of a driver, as a result. What is not an answer proves nothing."""

from __future__ import annotations

from typing import Any

from leeward.calls import (
    OBJECT_VERBS,
    RUN_VERBS,
    Call,
    Invoke,
    Load,
    Page,
    Publish,
    Result,
    Scan,
    Store,
    Stored,
)
from leeward.errors import LeewardError, Outcome

_VALUES: dict[type[Call], type | tuple[type, ...]] = {
    Invoke: object,
    Store: str,
    Load: (Stored, type(None)),
    Scan: Page,
    Publish: tuple,
}
"""What the value of an OK result is, by call; for the others it is anything."""


def result_of(call: Call, answer: object) -> Result[Any]:
    """Return the result of an attempt at `call` whose driver returned or raised `answer`.

    An exception leaves the outcome unknown, unless leeward itself raised it.
    """
    if isinstance(answer, Result) and isinstance(answer.outcome, Outcome):
        if answer.outcome is not Outcome.OK:
            return answer
        value = answer.value
        kind = _VALUES.get(type(call))
        if kind is None and call.verb in OBJECT_VERBS:
            from leeward.routing.object_results import is_sound

            return answer if is_sound(call, value) else _UNSOUND
        if kind is None and call.verb in RUN_VERBS:
            return answer if _is_run(call.verb, value) else _UNSOUND
        if kind is not None and not isinstance(value, kind):
            return _UNSOUND
        return answer if type(call) is not Publish or _has_entries(value) else _UNSOUND
    if isinstance(answer, LeewardError):
        return Result(Outcome.CALLER, message=str(answer), cause=answer)
    if isinstance(answer, Exception):
        return Result(Outcome.AMBIGUOUS, code=type(answer).__name__, cause=answer)
    return _UNSOUND


def refusal(why: str, able: tuple[str, ...], retry_after: float | None) -> Result[Any]:
    """Return the result of a call for which no target could be asked; nothing was sent.

    Only of a payload that was refused because it has done harm is it not known what it did: by
    earlier calls with it.
    """
    outcome = Outcome.AMBIGUOUS if why == "poison_suspected" else Outcome.NOT_SENT
    target = able[0] if len(able) == 1 else None
    return Result(outcome, code=why, reason=why, retry_after=retry_after, target=target)


def _is_run(verb: str, value: Any) -> bool:
    from leeward.calls import FoundRun

    if verb == "abort_run":
        return value is None or value is True
    return isinstance(value, FoundRun) or (verb == "get_run" and value is None)


def _has_entries(value: Any) -> bool:
    for entry in value:
        if not isinstance(entry, Result) or not isinstance(entry.outcome, Outcome):
            return False
    return True


_UNSOUND: Result[Any] = Result(
    Outcome.AMBIGUOUS,
    code="bad_result",
    message="the adapter's answer is not of the kind that the call gives",
)
