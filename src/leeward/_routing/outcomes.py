"""The outcome table, and what the effect of a call allows. Everything that is decided starts here.

That a function is keyed is declared. Each answer of leeward's handler says what the function really
does: whether a repeated key is recognised, and for one target or for all of them. Where that is
less than what was declared, calls are treated as what they are, until an answer says otherwise.

``docs/outcomes.md`` shows the rows; `make docs` writes them there from this table.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import Enum
from typing import Final

from leeward.calls import OBJECT_WRITES, RUN_VERBS, Call, Enqueue, Invoke, Publish
from leeward.envelope import (
    BY_GROUP,
    BY_TARGET,
    NOT_KEPT,
    NOT_RECOGNISED,
    RUNNING,
    UNKNOWN,
    scope_of,
)
from leeward.errors import Outcome
from leeward.records import NamedTuple
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


class OutcomeRow(NamedTuple):
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


TABLE: dict[Outcome, OutcomeRow] = {
    #                      proved  sign of the target  again           move
    Outcome.OK: OutcomeRow(False, Sign.WELL, May.NEVER, May.NEVER),
    Outcome.LOCAL: OutcomeRow(True, Sign.NOTHING, May.ALWAYS, May.ALWAYS),
    Outcome.NOT_SENT: OutcomeRow(True, Sign.OUT_OF_REACH, May.ALWAYS, May.ALWAYS),
    Outcome.REJECTED: OutcomeRow(True, Sign.ILL, May.ALWAYS, May.ALWAYS),
    Outcome.UNUSABLE: OutcomeRow(True, Sign.LASTING, May.NEVER, May.ALWAYS),
    Outcome.AMBIGUOUS: OutcomeRow(False, Sign.ILL, May.BY_EFFECT, May.BY_EFFECT),
    Outcome.APP_ERROR: OutcomeRow(False, Sign.WELL, May.NEVER, May.NEVER),
    Outcome.CALLER: OutcomeRow(False, Sign.NOTHING, May.NEVER, May.NEVER),
    Outcome.AUTH: OutcomeRow(False, Sign.NOTHING, May.NEVER, May.NEVER),
    Outcome.NOT_FOUND: OutcomeRow(False, Sign.NOTHING, May.NEVER, May.NEVER),
    Outcome.CONFLICT: OutcomeRow(False, Sign.NOTHING, May.NEVER, May.NEVER),
}


class EffectRules(NamedTuple):
    """What the effect of a call allows.

    Attributes:
        same: it may be sent to the same target again after an unknown outcome.
        elsewhere: the same, to another target.
        pinned: only the first target may serve it.
        read_back: an unknown outcome can be looked up, because what it writes can be read.
        early: an attempt may be given up early, for the next one may run beside it.
        settle: an unknown outcome can be settled: the function is asked what became of the call.
        ordered: what comes after it must not arrive before it, so it leaves a target that fails
            and no other: it is neither hedged nor a probe, and waits in one line alone.
    """

    same: bool
    elsewhere: bool
    pinned: bool = False
    read_back: bool = False
    early: bool = False
    settle: bool = False
    ordered: bool = False


UNSAFE = EffectRules(same=False, elsewhere=False)
HARMLESS = EffectRules(same=True, elsewhere=True)
IN_ORDER = HARMLESS._replace(ordered=True)
"""Events of an ordering key."""
REPEATABLE = EffectRules(same=True, elsewhere=True, early=True)
"""Nobody notices a second run: none is refused because the first one has not ended, as it is with a
key, and none has to be recognised, as an event."""
KEYED_AT_ONE_TARGET = EffectRules(same=True, elsewhere=False, pinned=True)
"""A key that is worth something on one target only must meet that target every time: an earlier
call with the same key may have run there."""
SETTLING: Final[Mapping[EffectRules, EffectRules]] = {
    rules: rules._replace(settle=True) for rules in (UNSAFE, HARMLESS, KEYED_AT_ONE_TARGET)
}
"""The same of a call that settles what is unknown."""
WRITE = EffectRules(same=True, elsewhere=False, read_back=True)
"""A write carries one write id through all its attempts and has one home: so it stays there."""
STARTED_ONCE = EffectRules(same=False, elsewhere=False, read_back=True)
"""A start of a run where the target does not keep two of one id apart."""
AT_ITS_TARGET = EffectRules(same=True, elsewhere=False)
"""A look at a run, or its end, may be asked for again; the run is at one target alone."""

BY_VERB: Final[Mapping[str, EffectRules]] = {
    "store": WRITE,
    "delete": WRITE,
    **dict.fromkeys(OBJECT_WRITES, WRITE),
    **dict.fromkeys(RUN_VERBS, AT_ITS_TARGET),
}
"""Of calls whose effect is known from their verb. All others read, and change nothing; or publish
events, which are recognised by source and id."""


def rules_of(call: Call) -> EffectRules:
    """Return what the effect of `call` allows."""
    if isinstance(call, (Invoke, Enqueue)):
        if call.effect is Effect.UNSAFE:
            rules = UNSAFE
        elif call.effect is Effect.KEYED:
            rules = HARMLESS if call.shared_dedup else KEYED_AT_ONE_TARGET
        else:
            return REPEATABLE
        return SETTLING[rules] if isinstance(call, Invoke) and call.settles else rules
    if isinstance(call, Publish) and call.events and call.events[0].ordering_key is not None:
        return IN_ORDER  # the key is that of all its events
    if call.verb == "start_run":
        return WRITE if getattr(call, "repeatable", False) else STARTED_ONCE
    return BY_VERB.get(call.verb, HARMLESS)


KNOWN_KEY: Final = frozenset({RUNNING, UNKNOWN, NOT_KEPT})
"""Reasons of an idempotent function that refuses a repeat: an earlier run has the key."""

MOST_KEYS: Final = 1024
"""Functions at targets that are remembered; the oldest one is forgotten."""

_WORTH: Final = {BY_TARGET: 1, BY_GROUP: 2}


class KeyWorth(dict[tuple[str, str], str]):
    """What a key is worth for a function at a target, where that is less than was declared.

    Attributes:
        said: what the targets have said of keys that are declared to be known at all of them.
    """

    def __init__(self) -> None:
        super().__init__()
        self.said: dict[tuple[str, str], str] = {}

    def word_of(self, call: Invoke | Enqueue, targets: Iterable[str]) -> str:
        """Return what all of these targets say of the keys of `call`: that they keep one record.

        Empty if one has not said so, and the operator does not name it.
        """
        words = {
            self.said.get((target, call.function), "")
            for target in targets
            if not is_named(call, target)
        }
        word = words.pop() if len(words) == 1 else "" if words else BY_GROUP
        return word if scope_of(word) == BY_GROUP else ""

    def note(self, target: str, call: Call, dedup: str) -> str:
        """Note what the answer of a target to `call`, as it was asked for, says of keys.

        Return what a key is worth there, if that is less than was known; else "".
        """
        if not isinstance(call, Invoke) or call.effect is not Effect.KEYED:
            return ""
        at, needed = (target, call.function), 2 if call.shared_dedup else 1
        if call.shared_dedup and self.said.get(at) != dedup:
            if len(self.said) >= MOST_KEYS:
                del self.said[next(iter(self.said))]
            self.said[at] = dedup
        if _WORTH.get(scope_of(dedup) or "", 0) >= needed:
            self.pop(at, None)
            return ""
        word = BY_TARGET if dedup == BY_TARGET else NOT_RECOGNISED
        if self.get(at) == word:
            return ""
        if len(self) >= MOST_KEYS:
            del self[next(iter(self))]
        self[at] = word
        return word

    def real_call(self, call: Call, order: tuple[str, ...]) -> Call:
        """Return `call` with the effect that it has in truth.

        A function may have said less of itself than was declared. Any target of the order
        counts: what a call that moves may meet is the worst of them.
        """
        if not isinstance(call, Invoke) or call.effect is not Effect.KEYED:
            return call
        words = {self.get((target, call.function)) for target in order}
        if NOT_RECOGNISED in words:
            return call._replace(effect=Effect.UNSAFE, time_limit=0.0)
        return call._replace(shared_dedup=False) if BY_TARGET in words else call


def has_shared_key(call: Invoke | Enqueue) -> bool:
    """Return whether the key of a call is declared to be known at several targets."""
    return call.effect is Effect.KEYED and bool(call.shared_dedup)


def is_named(call: Invoke | Enqueue, target: str) -> bool:
    """Return whether the operator names `target` as one that knows the keys of `call`."""
    names = call.shared_dedup
    return isinstance(names, tuple) and (target in names or target.partition(":")[0] in names)


def is_unkeyed(call: Call) -> bool:
    """Return whether `call`, as `KeyWorth` has it, is unsafe to repeat although it has a key."""
    return isinstance(call, Invoke) and call.effect is Effect.UNSAFE
