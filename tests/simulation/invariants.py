"""What must hold of every call, whatever goes wrong.

The I-numbers are those of the reliability notes, 6.4; the T-invariants compare what the caller was
told with what really happened. Nothing of the router's own table is imported.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, TypeAlias

from leeward.adapter import Call, Delete, Enqueue, Invoke, Load, Publish, Store
from tests.simulation import of_call, of_work
from tests.simulation.runner import Story
from tests.simulation.scenarios import Setting
from tests.simulation.strands import Strand, strands


class Violation(NamedTuple):
    """A promise that one call broke."""

    invariant: str
    why: str
    story: Story


def violations(story: Story, setting: Setting) -> list[Violation]:
    """List the invariants that a finished call broke."""
    kind = type(story.call)
    whys = [(name, check(story, setting)) for name, check in OF_CALL[kind]]
    for piece in strands(story):
        whys += [(name, check(piece, setting)) for name, check in OF_WORK[kind]]
        if len(piece.steps) > 1:
            whys += [(name, check(piece, setting)) for name, check in OF_RESENT]
    return [Violation(name, why, story) for name, why in whys if why]


OfWork: TypeAlias = tuple[str, Callable[[Strand, Setting], str | None]]
OfCall: TypeAlias = tuple[str, Callable[[Story, Setting], str | None]]

I1: OfWork = ("I1 no doubles", of_work.no_doubles)
I2: OfWork = ("I2 acknowledged events are delivered", of_work.delivered)
I3_STORE: OfWork = ("I3 acknowledged writes are found", of_work.written)
I3_DELETE: OfWork = ("I3 acknowledged deletes are gone", of_work.deleted)
I4: OfWork = ("I4 moves only where allowed", of_work.moved_only_where_allowed)
I4_UNUSABLE: OfWork = ("I4 not again where unusable", of_work.not_again_where_unusable)
I4_HOME: OfCall = ("I4 data stays at home", of_call.stayed_at_home)
I5: OfWork = ("I5 final answers are final", of_work.final_is_final)
I6_CAPS: OfWork = ("I6 caps", of_work.within_the_caps)
I6_DEADLINE: OfCall = ("I6 deadline", of_call.within_the_deadline)
I12: OfWork = ("I12 unknown exactly if unresolved", of_work.unknown_exactly_if_unresolved)
T1: OfWork = ("T1 a plain failure did not run", of_work.failure_did_not_run)
T2: OfWork = ("T2 a success ran", of_work.success_ran)
T3: OfWork = ("T3 its own success is no conflict", of_work.own_success_is_no_conflict)
T4: OfCall = ("T4 lost writes are asked after", of_call.asked_after)
T5: OfCall = ("T5 unsafe work is not cut short", of_call.not_cut_short)
T6: OfCall = ("T6 the attempt log is true", of_call.log_is_true)
T7: OfWork = ("T7 no early surrender", of_work.no_early_surrender)

OF_RESENT: tuple[OfWork, ...] = (I4, I4_UNUSABLE, I5, I6_CAPS)
"""Checks of work that was sent more than once."""

OF_WORK: dict[type[Call], tuple[OfWork, ...]] = {
    Invoke: (I1, I12, T1, T2, T3, T7),
    Enqueue: (I1, I12, T1, T2, T3, T7),
    Publish: (I2, I12, T1, T7),
    Store: (I3_STORE, I12, T1, T3),
    Delete: (I3_DELETE, I12, T1, T3),
    Load: (I12,),
}
"""Checks of each piece of work."""

OF_CALL: dict[type[Call], tuple[OfCall, ...]] = {
    Invoke: (I6_DEADLINE, T5, T6),
    Enqueue: (I6_DEADLINE, T6),
    Publish: (I6_DEADLINE, T6),
    Store: (I4_HOME, I6_DEADLINE, T4, T6),
    Delete: (I4_HOME, I6_DEADLINE, T4, T6),
    Load: (I4_HOME, I6_DEADLINE, T6),
}
"""Checks of the whole call."""

ALL = tuple(
    dict.fromkeys(
        name for checks in (*OF_WORK.values(), OF_RESENT, *OF_CALL.values()) for name, _ in checks
    )
)
"""The names of all invariants."""
