"""What became of a write of an object whose answer was lost: look at it and compare write ids."""

from __future__ import annotations

from leeward.calls import Call, DeleteObject, FoundObject, HeadObject, PutObject
from leeward.routing.readback import Verdict


def question_of_object(call: Call) -> HeadObject:
    """Return the look-up that tells what became of the write `call`."""
    assert isinstance(call, PutObject | DeleteObject), "only writes are read back"
    return HeadObject(call.bucket, call.name)


def judge_object(call: Call, found: FoundObject | None) -> Verdict:
    """Return what the object that is there, or is not, proves about the write `call`."""
    if isinstance(call, DeleteObject):
        return Verdict.OURS if found is None else Verdict.OPEN
    assert isinstance(call, PutObject), "only writes are read back"
    if found is not None and found.write_id == call.write_id:
        return Verdict.OURS
    if call.if_absent:
        return Verdict.OPEN if found is None else Verdict.LOST
    if call.if_revision is None or (found is not None and found.revision == call.if_revision):
        return Verdict.OPEN
    return Verdict.LOST
