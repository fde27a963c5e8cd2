"""What became of a call whose answer was lost.

A write is read, and its id compared. A function is asked, and answers from its record.
"""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, Any, Final

from leeward import calls
from leeward.calls import OBJECT_WRITES, Call, Delete, Invoke, Load, Result, Settle, Store, Stored
from leeward.envelope import settle_question
from leeward.errors import Outcome

if TYPE_CHECKING:
    from leeward.values.settled import Settled


class ReadBackVerdict(Enum):
    """The result of a read-back."""

    OURS = "ours"
    """The write has had its effect."""
    OPEN = "open"
    """There is no trace of it; it may be sent again."""
    LOST = "lost"
    """Another write is there, and ours may have come before it. For a function: it cannot tell what
    became of the call."""
    NOT_RUN = "not_run"
    """The call of a function has not run, and none of its attempts will."""
    RUNNING = "running"
    """It still runs, or its function has not answered yet."""


def question_of(call: Call) -> Call:
    """Return the look-up for the write `call`."""
    write: Any = call  # of a kind whose class only its users load
    if call.verb in OBJECT_WRITES:
        return calls.HeadObject(write.bucket, write.name)
    if call.verb == "start_run":
        return calls.GetRun(write.workflow, write.run)
    assert isinstance(call, Store | Delete), "only writes are read back"
    return Load(call.table, call.key)


def settle_question_of(call: Invoke, age: float, *, only_here: bool) -> Settle:
    """Return the question what became of a call that was made `age` seconds ago.

    It is `only_here` if the call was made only at the target that is asked.
    """
    key = call.idempotency_key
    question = settle_question(key, age, call.payload, alone=only_here)
    return Settle(
        call.function, question, key, call.shared_dedup, call.trace, call.marks, call.voids
    )


def judge_answer(settled: Settled | None) -> ReadBackVerdict:
    """Return the meaning of the answer to that question; None for no answer."""
    return ReadBackVerdict.RUNNING if settled is None else _VERDICTS[settled.verdict.value]


_VERDICTS: Final = {
    "ran": ReadBackVerdict.OURS,
    "not_run": ReadBackVerdict.NOT_RUN,
    "running": ReadBackVerdict.RUNNING,
    "unknown": ReadBackVerdict.LOST,
}


def judge(call: Call, answer: Result[Any]) -> ReadBackVerdict:
    """Return what the look-up proves about the write `call`. A failed look-up proves nothing."""
    if answer.outcome is not Outcome.OK:
        return ReadBackVerdict.OPEN
    if call.verb in OBJECT_WRITES:
        return _judge_object(call, answer.value)
    if call.verb == "start_run":
        start: Any = call
        if answer.value is None:
            return ReadBackVerdict.OPEN
        is_ours = calls.has_input(answer.value, start.input)
        return ReadBackVerdict.OURS if is_ours else ReadBackVerdict.LOST
    if isinstance(call, Store):
        return _judge_store(call, answer.value)
    assert isinstance(call, Delete), "only writes are read back"
    there: Stored | None = answer.value
    if there is None:
        return ReadBackVerdict.OURS
    is_open = call.if_revision is None or call.if_revision == there.revision
    return ReadBackVerdict.OPEN if is_open else ReadBackVerdict.LOST


def _judge_object(call: Any, there: Any) -> ReadBackVerdict:
    """Judge a write of an object by the stored object, or by None."""
    if call.verb == "delete_object":
        return ReadBackVerdict.OURS if there is None else ReadBackVerdict.OPEN
    if there is not None and there.write_id == call.write_id:
        return ReadBackVerdict.OURS
    if call.if_absent:
        return ReadBackVerdict.OPEN if there is None else ReadBackVerdict.LOST
    if call.if_revision is None or (there is not None and there.revision == call.if_revision):
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
