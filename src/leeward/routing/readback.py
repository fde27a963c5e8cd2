"""What became of a write whose answer was lost: read it back and compare write ids."""

from __future__ import annotations

from enum import Enum
from typing import Any

from leeward.calls import OBJECT_WRITES, Call, Delete, Load, Result, Store, Stored
from leeward.errors import Outcome


class Verdict(Enum):
    """What a read-back has found out."""

    OURS = "ours"
    """The write has had its effect."""
    OPEN = "open"
    """There is no trace of it; sending it again is as good as it was the first time."""
    LOST = "lost"
    """Another write is there. Whether ours came before it can be neither proved nor excluded."""


def question(call: Call) -> Call:
    """Return the look-up that tells what became of the write `call`."""
    if call.verb in OBJECT_WRITES:
        from leeward.routing.object_readback import question_of_object

        return question_of_object(call)
    if call.verb == "start_run":
        from leeward.calls import GetRun

        return GetRun(call[0], str(call[1]))
    assert isinstance(call, Store | Delete), "only writes are read back"
    return Load(call.table, call.key)


def judge(call: Call, found: Result[Any]) -> Verdict:
    """Return what the look-up proves about the write `call`. One that failed proves nothing."""
    if found.outcome is not Outcome.OK:
        return Verdict.OPEN
    if call.verb in OBJECT_WRITES:
        from leeward.routing.object_readback import judge_object

        return judge_object(call, found.value)
    if call.verb == "start_run":
        return _judge_start(call, found.value)
    if isinstance(call, Store):
        return _judge_store(call, found.value)
    assert isinstance(call, Delete), "only writes are read back"
    return _judge_delete(call, found.value)


def _judge_start(call: Call, found: Any) -> Verdict:
    from leeward.calls import StartRun
    from leeward.calls.runs import has_input

    assert isinstance(call, StartRun)
    if found is None:
        return Verdict.OPEN
    return Verdict.OURS if has_input(found, call.input) else Verdict.LOST


def _judge_delete(call: Delete, found: Stored | None) -> Verdict:
    if found is None:
        return Verdict.OURS
    if call.if_revision is None or call.if_revision == found.revision:
        return Verdict.OPEN
    return Verdict.LOST


def _judge_store(call: Store, found: Stored | None) -> Verdict:
    if found is not None and found.write_id == call.write_id:
        return Verdict.OURS
    return Verdict.OPEN if _condition_still_holds(call, found) else Verdict.LOST


def _condition_still_holds(call: Store, found: Stored | None) -> bool:
    expired = found is not None and found.expires_at is not None and found.expires_at <= call.now
    there = None if expired else found
    if call.if_absent:
        return there is None
    if call.if_revision is not None:
        return there is not None and there.revision == call.if_revision
    return True
