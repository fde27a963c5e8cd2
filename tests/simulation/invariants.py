"""What must hold of every call, whatever goes wrong.

The I-numbers are those of the reliability notes, 6.4; the T-invariants compare what the caller was
told with what really happened. Nothing of the router's own table is imported.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, TypeAlias

from leeward.calls import Call, Delete, Enqueue, Invoke, Load, Publish, Store
from tests.simulation import call_invariants, health_check, work_invariants
from tests.simulation.runner import CallRecord
from tests.simulation.scenarios import Setting
from tests.simulation.work_units import WorkUnit, work_units


class Violation(NamedTuple):
    """A promise that was broken, by one call or by the state that all share."""

    invariant: str
    why: str
    record: CallRecord | None


def violations(record: CallRecord, setting: Setting) -> list[Violation]:
    """List the invariants that a finished call broke.

    Whoever has given up is told nothing: of such a call only the work counts.
    """
    kind = type(record.call)
    if record.is_given_up:
        name, check = I1
        found = [check(each, setting) for each in work_units(record)]
        return [Violation(name, why, record) for why in found if why]
    if isinstance(record.call, Invoke) and record.call.settles:
        units, checks = work_units(record), OF_SETTLED
        whys = [(name, check(unit, setting)) for unit in units for name, check in checks]
        return [Violation(name, why, record) for name, why in whys if why]
    whys = [(name, check(record, setting)) for name, check in OF_CALL[kind]]
    for piece in work_units(record):
        whys += [(name, check(piece, setting)) for name, check in OF_WORK[kind]]
        if len(piece.steps) > 1:
            whys += [(name, check(piece, setting)) for name, check in OF_RESENT]
    return [Violation(name, why, record) for name, why in whys if why]


WorkInvariant: TypeAlias = tuple[str, Callable[[WorkUnit, Setting], str | None]]
CallInvariant: TypeAlias = tuple[str, Callable[[CallRecord, Setting], str | None]]

I1: WorkInvariant = ("I1 no doubles", work_invariants.no_doubles)
I2: WorkInvariant = ("I2 acknowledged events are delivered", work_invariants.delivered)
I3_STORE: WorkInvariant = ("I3 acknowledged writes are found", work_invariants.written)
I3_DELETE: WorkInvariant = ("I3 acknowledged deletes are gone", work_invariants.deleted)
I4: WorkInvariant = ("I4 moves only where allowed", work_invariants.moved_only_where_allowed)
I4_UNUSABLE: WorkInvariant = (
    "I4 not again where unusable",
    work_invariants.not_again_where_unusable,
)
I4_HOME: CallInvariant = ("I4 data stays at home", call_invariants.stayed_at_home)
I4_GROUP: CallInvariant = ("I4 only inside the group", call_invariants.stayed_in_group)
I5: WorkInvariant = ("I5 final answers are final", work_invariants.final_is_final)
I6_CAPS: WorkInvariant = ("I6 caps", work_invariants.within_the_caps)
I6_DEADLINE: CallInvariant = ("I6 deadline", call_invariants.within_the_deadline)
I12: WorkInvariant = (
    "I12 unknown exactly if unresolved",
    work_invariants.unknown_exactly_if_unresolved,
)
T1: WorkInvariant = ("T1 a plain failure did not run", work_invariants.failure_did_not_run)
T2: WorkInvariant = ("T2 a success ran", work_invariants.success_ran)
T3: WorkInvariant = (
    "T3 its own success is no conflict",
    work_invariants.own_success_is_no_conflict,
)
T4: CallInvariant = ("T4 lost writes are read back", call_invariants.read_back_first)
T5: CallInvariant = ("T5 unsafe work is not cut short", call_invariants.not_cut_short)
T6: CallInvariant = ("T6 the attempt log is true", call_invariants.log_is_true)
T7: WorkInvariant = ("T7 no early surrender", work_invariants.no_early_surrender)

OF_RESENT: tuple[WorkInvariant, ...] = (I4, I4_UNUSABLE, I5, I6_CAPS)
"""Checks of work that was sent more than once."""

OF_WORK: dict[type[Call], tuple[WorkInvariant, ...]] = {
    Invoke: (I1, I12, T1, T2, T3, T7),
    Enqueue: (I1, I12, T1, T2, T3, T7),
    Publish: (I2, I12, T1, T7),
    Store: (I3_STORE, I12, T1, T3),
    Delete: (I3_DELETE, I12, T1, T3),
    Load: (I12,),
}
"""Checks of each piece of work."""

S1: WorkInvariant = ("S1 unknown only where nobody could be asked", work_invariants.settled)
OF_SETTLED: tuple[WorkInvariant, ...] = (I1, T1, T2, S1)
"""Checks of the calls of a function that keeps records, and settles what is unknown."""

OF_CALL: dict[type[Call], tuple[CallInvariant, ...]] = {
    Invoke: (I4_GROUP, I6_DEADLINE, T5, T6),
    Enqueue: (I6_DEADLINE, T6),
    Publish: (I6_DEADLINE, T6),
    Store: (I4_HOME, I6_DEADLINE, T4, T6),
    Delete: (I4_HOME, I6_DEADLINE, T4, T6),
    Load: (I4_HOME, I6_DEADLINE, T6),
}
"""Checks of the whole call."""

OF_CALLS = tuple(
    dict.fromkeys(
        name
        for checks in (*OF_WORK.values(), OF_RESENT, OF_SETTLED, *OF_CALL.values())
        for name, _ in checks
    )
)
"""The names of those that single calls can break."""

ALL = (*OF_CALLS, *health_check.NAMES)
"""The names of all invariants."""
