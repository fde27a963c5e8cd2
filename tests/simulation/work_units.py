"""A call as its separate pieces of work: each event of a batch is one, any other call is one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from leeward.calls import Call, Enqueue, Invoke, Publish, Result
from leeward.errors import Outcome
from leeward.values import Effect, Event
from tests.simulation.runner import AttemptRecord, CallRecord
from tests.simulation.world import SideEffect

PROVED = (Outcome.LOCAL, Outcome.NOT_SENT, Outcome.REJECTED, Outcome.UNUSABLE)
"""Outcomes that prove that the work did not run."""


class EffectRules(NamedTuple):
    """What the effect of a call means for repeating it.

    Attributes:
        unsafe: repeating it may do harm anywhere.
        keyed: its receiver deduplicates.
        may_cross: another target may be asked although it may already have run.
    """

    unsafe: bool
    keyed: bool
    may_cross: bool


class Step(NamedTuple):
    """One attempt at a piece of work, and what was reported to the caller of that piece."""

    attempt: AttemptRecord
    outcome: Outcome


class WorkUnit(NamedTuple):
    """One piece of work.

    Attributes:
        record: the call that it belongs to.
        rules: of that call.
        steps: the attempts at it, but for read-backs and those that did not end before its call.
        final: how it ended, as it was reported to the caller.
        target: which target that is from, as it was reported to the caller.
        side_effects: what it really did.
        alone: the call has no other piece.
    """

    record: CallRecord
    rules: EffectRules
    steps: tuple[Step, ...]
    final: Outcome
    target: str | None
    side_effects: list[SideEffect]
    alone: bool

    @property
    def uncertain(self) -> bool:
        """Whether any attempt at it ended AMBIGUOUS."""
        return any(step.outcome is Outcome.AMBIGUOUS for step in self.steps)


def effect_rules_of(call: Call) -> EffectRules:
    """Return what repeating `call` would do, after the table of the reliability notes, 3.2."""
    if isinstance(call, Publish):
        return EffectRules(unsafe=False, keyed=False, may_cross=True)
    if not isinstance(call, Invoke | Enqueue):
        return EffectRules(unsafe=False, keyed=False, may_cross=False)
    if call.effect is Effect.UNSAFE:
        return EffectRules(unsafe=True, keyed=False, may_cross=False)
    if call.effect is Effect.KEYED:
        return EffectRules(unsafe=False, keyed=True, may_cross=bool(call.shared_dedup))
    return EffectRules(unsafe=False, keyed=False, may_cross=True)


def work_units(record: CallRecord) -> list[WorkUnit]:
    """Take a finished call apart."""
    call, final, rules = record.call, record.final, effect_rules_of(record.call)
    if isinstance(call, Publish):
        return [_of_event(record, call, index, rules) for index in range(len(call.events))]
    steps = tuple(
        [
            Step(each, each.reported.outcome)
            for each in record.attempts
            if not each.read_back and not each.overtaken
        ]
    )
    return [
        WorkUnit(record, rules, steps, final.outcome, final.target, record.side_effects, alone=True)
    ]


def _of_event(record: CallRecord, call: Publish, index: int, rules: EffectRules) -> WorkUnit:
    event = call.events[index]
    final = entry_of(record.final, call, index)
    alone = len(call.events) == 1
    side_effects = record.side_effects
    if not alone:
        side_effects = [each for each in side_effects if each.mark == event.id]
    steps = tuple(_steps(record, event))
    return WorkUnit(record, rules, steps, final.outcome, final.target, side_effects, alone)


def _steps(record: CallRecord, event: Event) -> Iterator[Step]:
    for attempt in record.attempts:
        assert isinstance(attempt.call, Publish)
        if attempt.overtaken:
            continue
        for index, each in enumerate(attempt.call.events):
            if each is event:
                yield Step(attempt, entry_of(attempt.reported, attempt.call, index).outcome)


def entry_of(result: Result[Any], call: Publish, index: int) -> Result[Any]:
    """Return what `result` says of one event; an answer of the wrong length says nothing."""
    if result.outcome is not Outcome.OK:
        return result
    if result.value is None or len(result.value) != len(call.events):
        return _SAYS_NOTHING
    entry: Result[Any] = result.value[index]
    return entry


_SAYS_NOTHING: Result[Any] = Result(Outcome.AMBIGUOUS)
