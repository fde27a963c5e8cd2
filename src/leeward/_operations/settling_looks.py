"""The result of a look at a write that is settled, maybe long after it was made.

A router that looks within a call's deadline may send the write again as it was
(`leeward._routing.readback`). Settling it later may replace only the revision that was found.
"""

from __future__ import annotations

from typing import Any, Final

from leeward._routing.readback import ReadBackVerdict
from leeward.calls import Call
from leeward.entropy import time_of_id
from leeward.records import NamedTuple

SURELY_OLDER: Final = 60.0
"""Seconds by which the id of a write must be older than another's to prove that it was made first:
the difference of two machines' clocks and of two writes' deadlines."""


BY_WRITE_ID: Final = "write_id"
"""The reason of a write that was found where it was made."""


class WriteTrace(NamedTuple):
    """The result of a look at a write.

    Attributes:
        verdict: OURS, OPEN or LOST.
        reason: how it is known to be OURS, or why it is LOST: a stable word.
        again: for OPEN: the write to send, under its own id and a condition, so that it replaces
            only the revision that was found.
    """

    verdict: ReadBackVerdict
    reason: str = ""
    again: Call | None = None


def trace_of(call: Call, there: Any, now: float) -> WriteTrace:
    """Return the result of a look at a write that found the item or object `there`, or None.

    An item that has expired by `now`, in Unix seconds, is not there.
    """
    write: Any = call
    if call.verb == "delete_object":
        return _GONE if there is None else WriteTrace(ReadBackVerdict.LOST, "still_there")
    deletes, in_table = call.verb == "delete", call.verb in ("store", "delete")
    if there is not None and not deletes and there.write_id == write.write_id:
        return WriteTrace(ReadBackVerdict.OURS, BY_WRITE_ID)
    if in_table:
        write = write._replace(now=now)
        if there is not None and there.expires_at is not None and there.expires_at <= now:
            there = None
    if there is None:
        return _trace_in_nothing(write)
    if write.if_revision is not None:
        is_there = there.revision == write.if_revision
        return WriteTrace(ReadBackVerdict.OPEN, again=write) if is_there else _OVERWRITTEN
    asks_for_nothing = not deletes and write.if_absent
    was_changed = in_table and there.foreign
    if asks_for_nothing or was_changed or not _is_older(there.write_id, write.write_id):
        return _OVERWRITTEN
    return WriteTrace(ReadBackVerdict.OPEN, again=write._replace(if_revision=there.revision))


def _trace_in_nothing(write: Any) -> WriteTrace:
    """Return the result for a write if nothing is there."""
    if write.if_revision is not None:
        return WriteTrace(ReadBackVerdict.LOST, "gone")
    if write.verb == "delete":
        return _GONE
    expires_at = write.expires_at if write.verb == "store" else None
    if expires_at is not None and expires_at <= write.now:
        return WriteTrace(ReadBackVerdict.LOST, "expired")
    return WriteTrace(ReadBackVerdict.OPEN, again=write._replace(if_absent=True))


def _is_older(other: str | None, this: str) -> bool:
    """Return whether the write of id `other` was surely made before the one of id `this`."""
    theirs, ours = time_of_id(other or ""), time_of_id(this)
    return theirs is not None and ours is not None and theirs + SURELY_OLDER < ours


_GONE: Final = WriteTrace(ReadBackVerdict.OURS, "gone")
_OVERWRITTEN: Final = WriteTrace(ReadBackVerdict.LOST, "overwritten")
