"""The outcome table, and what the effect of a call allows. Everything that is decided starts here.

The rows are those of the table in ``docs/outcomes.md``; a test compares the two.
"""

from __future__ import annotations

from enum import Enum
from typing import NamedTuple

from leeward.adapter import Call, Delete, Enqueue, Invoke, Store
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


class Rules(NamedTuple):
    """What the effect of a call allows.

    Attributes:
        same: it may be sent to the same target again after an unknown outcome.
        elsewhere: likewise, to another target.
        pinned: only the first target may serve it.
        read_back: an unknown outcome can be looked up, because what it writes can be read.
    """

    same: bool
    elsewhere: bool
    pinned: bool = False
    read_back: bool = False


UNSAFE = Rules(same=False, elsewhere=False)
HARMLESS = Rules(same=True, elsewhere=True)
KEYED_AT_ONE_TARGET = Rules(same=True, elsewhere=False, pinned=True)
"""A key that is worth something on one target only must meet that target every time: an earlier
call with the same key may have run there."""
WRITE = Rules(same=True, elsewhere=False, read_back=True)
"""A write carries one write id through all its attempts and has one home: so it stays there."""


def rules_of(call: Call) -> Rules:
    """Return what the effect of `call` allows.

    Events are recognised by source and id, and reading changes nothing: both are harmless.
    """
    match call:
        case Invoke() | Enqueue():
            effect = call.effect
            if effect is Effect.UNSAFE:
                return UNSAFE
            if effect is Effect.KEYED and not call.shared_dedup:
                return KEYED_AT_ONE_TARGET
            return HARMLESS
        case Store() | Delete():
            return WRITE
        case _:
            return HARMLESS
