"""The outcome table: what each way to end means for the target and for the next step.

Everything that the router decides starts here. The rows are those of the table in
``docs/outcomes.md``; a test compares the two.
"""

from __future__ import annotations

from enum import Enum
from typing import NamedTuple

from leeward.adapter import Call, Delete, Enqueue, Invoke, Publish, Store
from leeward.errors import Outcome
from leeward.values import Effect


class May(Enum):
    """Whether a call may be sent again."""

    NEVER = "never"
    ALWAYS = "always"
    """It is proved that it did not run."""
    BY_EFFECT = "by_effect"
    """Only if repeating it is harmless."""


class Row(NamedTuple):
    """What one outcome means.

    Attributes:
        proved: it is proved that the call did not run.
        counts_against: it is evidence that the target is not well.
        again: whether the same target may be asked once more.
        move: whether the next target may be asked.
    """

    proved: bool
    counts_against: bool
    again: May
    move: May


TABLE: dict[Outcome, Row] = {
    #                      proved  against  again           move
    Outcome.OK: Row(False, False, May.NEVER, May.NEVER),
    Outcome.LOCAL: Row(True, False, May.ALWAYS, May.ALWAYS),
    Outcome.NOT_SENT: Row(True, True, May.ALWAYS, May.ALWAYS),
    Outcome.REJECTED: Row(True, True, May.ALWAYS, May.ALWAYS),
    Outcome.UNUSABLE: Row(True, True, May.NEVER, May.ALWAYS),
    Outcome.AMBIGUOUS: Row(False, True, May.BY_EFFECT, May.BY_EFFECT),
    Outcome.APP_ERROR: Row(False, False, May.NEVER, May.NEVER),
    Outcome.CALLER: Row(False, False, May.NEVER, May.NEVER),
    Outcome.AUTH: Row(False, False, May.NEVER, May.NEVER),
    Outcome.NOT_FOUND: Row(False, False, May.NEVER, May.NEVER),
    Outcome.CONFLICT: Row(False, False, May.NEVER, May.NEVER),
}


class Resend(NamedTuple):
    """Where a call may be sent again after an unknown outcome."""

    same: bool
    elsewhere: bool


NOWHERE = Resend(same=False, elsewhere=False)
SAME_TARGET = Resend(same=True, elsewhere=False)
ANYWHERE = Resend(same=True, elsewhere=True)


def resend_of(call: Call) -> Resend:
    """Return where `call` may be sent again when it may already have run.

    Events are recognised by source and id, so another delivery is harmless. A write carries one
    write id through all its attempts and has one home, so it is keyed, and stays.
    """
    match call:
        case Invoke() | Enqueue():
            return _resend_of_effect(call.effect, shared_dedup=call.shared_dedup)
        case Publish():
            return ANYWHERE
        case Store() | Delete():
            return SAME_TARGET
        case _:
            return ANYWHERE


def is_pinned(call: Call) -> bool:
    """Return whether `call` may be served by the first target only.

    A key that is worth something on one target only must meet the same target every time: an
    earlier call with the same key may have run there.
    """
    return (
        isinstance(call, Invoke | Enqueue) and call.effect is Effect.KEYED and not call.shared_dedup
    )


def _resend_of_effect(effect: Effect, *, shared_dedup: bool) -> Resend:
    if effect is Effect.UNSAFE:
        return NOWHERE
    if effect is Effect.KEYED and not shared_dedup:
        return SAME_TARGET
    return ANYWHERE
