"""The outcome table, and what the effect of a call allows. Everything that is decided starts here.

``docs/outcomes.md`` shows the rows; `make docs` writes them there from this table.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import Final, NamedTuple

from leeward.calls import OBJECT_WRITES, RUN_VERBS, Call, Enqueue, Invoke
from leeward.errors import Outcome
from leeward.values import Effect


class May(Enum):
    """Whether a call may be sent again."""

    NEVER = "never"
    ALWAYS = "always"
    """It is proved that it did not run."""
    BY_EFFECT = "by_effect"
    """Only if repeating it is harmless."""


class Sign(Enum):
    """What an outcome says of the target."""

    NOTHING = "nothing"
    WELL = "well"
    """It has done its work."""
    ILL = "ill"
    """It answers, and does not do its work: evidence on the function, bus or table."""
    OUT_OF_REACH = "out of reach"
    """Evidence on the target as a whole."""
    LASTING = "lasting"
    """It says so itself, for a reason that lasts: its circuit opens at once."""


class Row(NamedTuple):
    """What one outcome means.

    Attributes:
        proved: it is proved that the call did not run.
        sign: what it says of the target.
        again: whether the same target may be asked once more.
        move: whether the next target may be asked.
    """

    proved: bool
    sign: Sign
    again: May
    move: May

    @property
    def counts_against(self) -> bool:
        """Whether it is evidence that the target is not well."""
        return self.sign not in (Sign.NOTHING, Sign.WELL)


TABLE: dict[Outcome, Row] = {
    #                      proved  sign of the target  again           move
    Outcome.OK: Row(False, Sign.WELL, May.NEVER, May.NEVER),
    Outcome.LOCAL: Row(True, Sign.NOTHING, May.ALWAYS, May.ALWAYS),
    Outcome.NOT_SENT: Row(True, Sign.OUT_OF_REACH, May.ALWAYS, May.ALWAYS),
    Outcome.REJECTED: Row(True, Sign.ILL, May.ALWAYS, May.ALWAYS),
    Outcome.UNUSABLE: Row(True, Sign.LASTING, May.NEVER, May.ALWAYS),
    Outcome.AMBIGUOUS: Row(False, Sign.ILL, May.BY_EFFECT, May.BY_EFFECT),
    Outcome.APP_ERROR: Row(False, Sign.WELL, May.NEVER, May.NEVER),
    Outcome.CALLER: Row(False, Sign.NOTHING, May.NEVER, May.NEVER),
    Outcome.AUTH: Row(False, Sign.NOTHING, May.NEVER, May.NEVER),
    Outcome.NOT_FOUND: Row(False, Sign.NOTHING, May.NEVER, May.NEVER),
    Outcome.CONFLICT: Row(False, Sign.NOTHING, May.NEVER, May.NEVER),
}


class Rules(NamedTuple):
    """What the effect of a call allows.

    Attributes:
        same: it may be sent to the same target again after an unknown outcome.
        elsewhere: likewise, to another target.
        pinned: only the first target may serve it.
        read_back: an unknown outcome can be looked up, because what it writes can be read.
        early: an attempt may be given up early, for the next one may run beside it.
    """

    same: bool
    elsewhere: bool
    pinned: bool = False
    read_back: bool = False
    early: bool = False


UNSAFE = Rules(same=False, elsewhere=False)
HARMLESS = Rules(same=True, elsewhere=True)
REPEATABLE = Rules(same=True, elsewhere=True, early=True)
"""Nobody notices a second run: none is refused because the first one has not ended, as it is with a
key, and none has to be recognised, as an event."""
KEYED_AT_ONE_TARGET = Rules(same=True, elsewhere=False, pinned=True)
"""A key that is worth something on one target only must meet that target every time: an earlier
call with the same key may have run there."""
WRITE = Rules(same=True, elsewhere=False, read_back=True)
"""A write carries one write id through all its attempts and has one home: so it stays there."""
STARTED_ONCE = Rules(same=False, elsewhere=False, read_back=True)
"""A start of a run where the target does not keep two of one id apart."""
AT_ITS_TARGET = Rules(same=True, elsewhere=False)
"""A look at a run, or its end, may be asked for again; the run is at one target alone."""


BY_VERB: Final[Mapping[str, Rules]] = {
    "store": WRITE,
    "delete": WRITE,
    **dict.fromkeys(OBJECT_WRITES, WRITE),
    **dict.fromkeys(RUN_VERBS, AT_ITS_TARGET),
}
"""Of calls whose effect is known from their verb. All others read, and change nothing; or publish
events, which are recognised by source and id."""


def rules_of(call: Call) -> Rules:
    """Return what the effect of `call` allows."""
    if isinstance(call, (Invoke, Enqueue)):
        if call.effect is Effect.UNSAFE:
            return UNSAFE
        if call.effect is Effect.KEYED:
            return HARMLESS if call.shared_dedup else KEYED_AT_ONE_TARGET
        return REPEATABLE
    if call.verb == "start_run":
        return WRITE if getattr(call, "repeatable", False) else STARTED_ONCE
    return BY_VERB.get(call.verb, HARMLESS)
