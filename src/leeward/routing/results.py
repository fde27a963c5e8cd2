"""What came out of a driver, as a result; and what a read-back proves about a lost write.

What is not an answer proves nothing. A write whose answer was lost is looked up, and the write ids
are compared.
"""

from __future__ import annotations

from enum import Enum
from typing import Any, Final

from leeward.adapter import (
    Call,
    Delete,
    Invoke,
    Load,
    Page,
    Publish,
    Result,
    Scan,
    Store,
    Stored,
)
from leeward.calls import OBJECT_VERBS, OBJECT_WRITES, RUN_VERBS
from leeward.errors import LeewardError, Outcome

_VALUES: Final[dict[type[Call], type | tuple[type, ...]]] = {
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
            return answer if _is_of_object(call, value) else _UNSOUND
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


def refusal_of(why: str, able: tuple[str, ...], retry_after: float | None) -> Result[Any]:
    """Return the result of a call for which no target could be asked; nothing was sent.

    Only of a payload that was refused because it has done harm is it not known what it did: by
    earlier calls with it.
    """
    outcome = Outcome.AMBIGUOUS if why == "poison_suspected" else Outcome.NOT_SENT
    target = able[0] if len(able) == 1 else None
    return Result(outcome, code=why, reason=why, retry_after=retry_after, target=target)


def _is_run(verb: str, value: Any) -> bool:
    from leeward.run_calls import FoundRun

    if verb == "abort_run":
        return value is None or value is True
    return isinstance(value, FoundRun) or (verb == "get_run" and value is None)


def _has_entries(value: Any) -> bool:
    for entry in value:
        if not isinstance(entry, Result) or not isinstance(entry.outcome, Outcome):
            return False
    return True


def _is_of_object(call: Call, value: Any) -> bool:
    """Return whether `value` is of the kind that a call of an object gives."""
    import leeward.object_calls as objects

    kinds: dict[type, type | tuple[type, ...]] = {
        objects.PutObject: str,
        objects.GetObject: (objects.Piece, type(None)),
        objects.HeadObject: (objects.FoundObject, type(None)),
        objects.ListObjects: objects.Listing,
    }
    return isinstance(value, kinds.get(type(call), object))


_UNSOUND: Result[Any] = Result(
    Outcome.AMBIGUOUS,
    code="bad_result",
    message="the adapter's answer is not of the kind that the call gives",
)


class ReadBackVerdict(Enum):
    """What a read-back has shown."""

    OURS = "ours"
    """The write has had its effect."""
    OPEN = "open"
    """There is no trace of it; sending it again is as good as it was the first time."""
    LOST = "lost"
    """Another write is there. Whether ours came before it can be neither proved nor excluded."""


def question_of(call: Call) -> Call:
    """Return the look-up that tells what became of the write `call`."""
    if call.verb in OBJECT_WRITES:
        from leeward.object_calls import HeadObject

        return HeadObject(call[0], str(call[1]))
    if call.verb == "start_run":
        from leeward.run_calls import GetRun

        return GetRun(call[0], str(call[1]))
    assert isinstance(call, Store | Delete), "only writes are read back"
    return Load(call.table, call.key)


def judge(call: Call, answer: Result[Any]) -> ReadBackVerdict:
    """Return what the look-up proves about the write `call`. One that failed proves nothing."""
    if answer.outcome is not Outcome.OK:
        return ReadBackVerdict.OPEN
    if call.verb in OBJECT_WRITES:
        return _judge_object(call, answer.value)
    if call.verb == "start_run":
        return _judge_start(call, answer.value)
    if isinstance(call, Store):
        return _judge_store(call, answer.value)
    assert isinstance(call, Delete), "only writes are read back"
    return _judge_delete(call, answer.value)


def _judge_object(call: Any, there: Any) -> ReadBackVerdict:
    """Judge a write of an object by the object that is there, or by None."""
    if call.verb == "delete_object":
        return ReadBackVerdict.OURS if there is None else ReadBackVerdict.OPEN
    if there is not None and there.write_id == call.write_id:
        return ReadBackVerdict.OURS
    if call.if_absent:
        return ReadBackVerdict.OPEN if there is None else ReadBackVerdict.LOST
    if call.if_revision is None or (there is not None and there.revision == call.if_revision):
        return ReadBackVerdict.OPEN
    return ReadBackVerdict.LOST


def _judge_start(call: Any, there: Any) -> ReadBackVerdict:
    from leeward.run_calls import has_input

    if there is None:
        return ReadBackVerdict.OPEN
    return ReadBackVerdict.OURS if has_input(there, call.input) else ReadBackVerdict.LOST


def _judge_delete(call: Delete, there: Stored | None) -> ReadBackVerdict:
    if there is None:
        return ReadBackVerdict.OURS
    if call.if_revision is None or call.if_revision == there.revision:
        return ReadBackVerdict.OPEN
    return ReadBackVerdict.LOST


def _judge_store(call: Store, there: Stored | None) -> ReadBackVerdict:
    """Judge a write of an item; one that has expired is not there for its condition."""
    if there is not None and there.write_id == call.write_id:
        return ReadBackVerdict.OURS
    if there is not None and there.expires_at is not None and there.expires_at <= call.now:
        there = None
    holds = True
    if call.if_absent:
        holds = there is None
    elif call.if_revision is not None:
        holds = there is not None and there.revision == call.if_revision
    return ReadBackVerdict.OPEN if holds else ReadBackVerdict.LOST
