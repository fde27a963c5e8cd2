"""What became of a write whose answer was lost: read it back and compare write ids."""

from __future__ import annotations

from leeward.adapter import Call, Delete, Load, Result, Store, Stored
from leeward.errors import Outcome
from leeward.routing.call import Verdict


def can_read_back(call: Call) -> bool:
    """Return whether an unknown outcome of `call` can be asked after."""
    return isinstance(call, Store | Delete)


def question(call: Store | Delete) -> Load:
    """Return the look-up that tells what became of `call`."""
    return Load(call.table, call.key)


def judge(call: Store | Delete, answer: Result[Stored | None]) -> Verdict:
    """Return what `answer` proves about `call`. A look-up that failed proves nothing."""
    if answer.outcome is not Outcome.OK:
        return Verdict.OPEN
    if isinstance(call, Delete):
        return _judge_delete(call, answer.value)
    return _judge_store(call, answer.value)


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
