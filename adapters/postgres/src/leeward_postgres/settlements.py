"""Settling writes: what became of one, for good.

The primary key of `writes` decides which comes first: see `leeward_postgres.schema`.
"""

from __future__ import annotations

from typing import Final

from leeward.calls import Result, SettleWrite
from leeward.values.settled import Settled, Verdict
from leeward_postgres.items import key_values, text_of
from leeward_postgres.statements import Plan, Statement, milliseconds

_SETTLE: Final = "SELECT @.settle_write(%s, %s, %s::text[], %s::integer)"


def settle_write(call: SettleWrite, timeout: float) -> Plan:
    """Return what became of a write, and keep it from taking place later.

    The value of the result is a `Settled`.
    """
    write = call.write
    id: str = write.write_id
    if not id:
        return Result.ok(Settled(Verdict.UNKNOWN, reason="no_write_id"))
    is_item = write.verb in ("store", "delete")
    key = key_values(write.key) if is_item else [text_of(write.name)]
    place = text_of(call.place)
    rows = yield Statement(_SETTLE, (id, place, key, milliseconds(timeout)))
    match rows[0][0]:
        case "ran":
            revision = id if write.verb in ("store", "put_object") else None
            return Result.ok(Settled(Verdict.RAN, revision, reason="write_id"))
        case "not_run":
            return Result.ok(Settled(Verdict.NOT_RUN, reason="voided"))
    return Result.ok(Settled(Verdict.UNKNOWN, reason="expired"))
