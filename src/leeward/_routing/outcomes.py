"""The outcome table, and what the effect of a call allows. Every decision starts here.

An operator declares that a function is keyed. Each answer of leeward's handler says what the
function really does: whether it recognises a repeated key, and for one target or for all. If that
is less than declared, calls are treated by the answer, until another answer says more.

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
    """What an outcome proves about the target."""

    NOTHING = "nothing"
    WELL = "well"
    """It works."""
    ILL = "ill"
    """It answers, but does not work: evidence on the function, bus or table."""
    OUT_OF_REACH = "out of reach"
    """Evidence on the target as a whole."""
    LASTING = "lasting"
    """It reports a lasting reason: its circuit opens at once."""


class OutcomeRow(NamedTuple):
    """The row of one outcome.

    Attributes:
        proved: it is proved that the call did not run.
        sign: what it proves about the target.
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
        read_back: after an unknown outcome, the write can be read.
        early: an attempt may be given up early, because the next one may run beside it.
        settle: after an unknown outcome, the function can be asked what became of the call.
        ordered: a later event must not arrive before it, so it leaves only a target that fails: it
            is neither hedged nor a probe, and waits at one target only.
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
IN_ORDER = HARMLESS._replace(ordered=True)  # events of an ordering key
REPEATABLE = EffectRules(same=True, elsewhere=True, early=True)
"""A second run does no harm: it is not refused while the first runs, like a repeat of a key, and
need not be recognised, like an event."""
KEYED_AT_ONE_TARGET = EffectRules(same=True, elsewhere=False, pinned=True)
"""A key that only one target recognises must go to that target every time: an earlier call with the
same key may have run there."""
SETTLING: Final[Mapping[EffectRules, EffectRules]] = {
    rules: rules._replace(settle=True) for rules in (UNSAFE, HARMLESS, KEYED_AT_ONE_TARGET)
}
"""The same for a call that can be settled."""
WRITE = EffectRules(same=True, elsewhere=False, read_back=True)
"""A write has one write id for all its attempts, and one home, where it stays."""
STARTED_ONCE = EffectRules(same=False, elsewhere=False, read_back=True)
"""A start of a run at a target that does not recognise an id."""
AT_ITS_TARGET = EffectRules(same=True, elsewhere=False)
"""A look at a run, or its end, may be repeated; the run is at one target only."""

BY_VERB: Final[Mapping[str, EffectRules]] = {
    "store": WRITE,
    "delete": WRITE,
    **dict.fromkeys(OBJECT_WRITES, WRITE),
    **dict.fromkeys(RUN_VERBS, AT_ITS_TARGET),
}
"""For calls whose effect is known from their verb. All others only read, or publish events, which
are recognised by source and id."""


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
        return IN_ORDER  # all its events have one key
    if call.verb == "start_run":
        return WRITE if getattr(call, "repeatable", False) else STARTED_ONCE
    return BY_VERB.get(call.verb, HARMLESS)


KNOWN_KEY: Final = frozenset({RUNNING, UNKNOWN, NOT_KEPT})
"""Reasons of an idempotent function that refuses a repeat: an earlier run has the key."""

MOST_KEYS: Final = 1024
"""Functions at targets that are remembered; then the oldest is forgotten."""

_WORTH: Final = {BY_TARGET: 1, BY_GROUP: 2}


class KeyWorth(dict[tuple[str, str], str]):
    """What a key is worth for a function at a target, if less than declared.

    Attributes:
        said: the targets' answers about keys that all targets should know, as declared.
    """

    def __init__(self) -> None:
        super().__init__()
        self.said: dict[tuple[str, str], str] = {}

    def word_of(self, call: Invoke | Enqueue, targets: Iterable[str]) -> str:
        """Return the records that all of these targets say they keep for the keys of `call`.

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
        """Note what a target's answer to `call`, as it was declared, says about keys.

        Return what a key is worth there, if that is less than known so far; else "".
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
        """Return `call` with the effect that it really has.

        A function may have said less about itself than was declared. The worst target of the order
        counts, because a call may move there.
        """
        if not isinstance(call, Invoke) or call.effect is not Effect.KEYED:
            return call
        words = {self.get((target, call.function)) for target in order}
        if NOT_RECOGNISED in words:
            return call._replace(effect=Effect.UNSAFE, time_limit=0.0)
        return call._replace(shared_dedup=False) if BY_TARGET in words else call


def has_shared_key(call: Invoke | Enqueue) -> bool:
    """Return whether several targets know the key of a call, as declared."""
    return call.effect is Effect.KEYED and bool(call.shared_dedup)


def is_named(call: Invoke | Enqueue, target: str) -> bool:
    """Return whether the operator says that `target` knows the keys of `call`."""
    names = call.shared_dedup
    return isinstance(names, tuple) and (target in names or target.partition(":")[0] in names)


def is_unkeyed(call: Call) -> bool:
    """Return whether `call`, as `KeyWorth` has it, is unsafe to repeat although it has a key."""
    return isinstance(call, Invoke) and call.effect is Effect.UNSAFE
