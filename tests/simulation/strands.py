"""A call as its separate pieces of work: each event of a batch is one, any other call is one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from leeward.adapter import Call, Enqueue, Invoke, Publish, Result
from leeward.errors import Outcome
from leeward.values import Effect, Event
from tests.simulation.runner import Story, Try
from tests.simulation.world import Deed

PROVED = (Outcome.LOCAL, Outcome.NOT_SENT, Outcome.REJECTED, Outcome.UNUSABLE)
"""Outcomes that prove that the work did not run."""


class Nature(NamedTuple):
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
    """One attempt at a piece of work, and what the caller was told of that piece."""

    attempt: Try
    outcome: Outcome


class Strand(NamedTuple):
    """One piece of work.

    Attributes:
        story: the call that it belongs to.
        nature: of that call.
        steps: the attempts at it, read-backs not counted.
        final: how it ended, as the caller was told.
        target: which target that is from, as the caller was told.
        deeds: what it really did.
        alone: the call has no other piece.
    """

    story: Story
    nature: Nature
    steps: tuple[Step, ...]
    final: Outcome
    target: str | None
    deeds: list[Deed]
    alone: bool

    @property
    def uncertain(self) -> bool:
        """Whether any attempt at it ended AMBIGUOUS."""
        return any(step.outcome is Outcome.AMBIGUOUS for step in self.steps)


def nature_of(call: Call) -> Nature:
    """Say what repeating `call` would do, after the table of the reliability notes, 3.2."""
    if isinstance(call, Publish):
        return Nature(unsafe=False, keyed=False, may_cross=True)
    if not isinstance(call, Invoke | Enqueue):
        return Nature(unsafe=False, keyed=False, may_cross=False)
    if call.effect is Effect.UNSAFE:
        return Nature(unsafe=True, keyed=False, may_cross=False)
    if call.effect is Effect.KEYED:
        return Nature(unsafe=False, keyed=True, may_cross=call.shared_dedup)
    return Nature(unsafe=False, keyed=False, may_cross=True)


def strands(story: Story) -> list[Strand]:
    """Take a finished call apart."""
    call, final, nature = story.call, story.final, nature_of(story.call)
    if isinstance(call, Publish):
        return [_of_event(story, call, index, nature) for index in range(len(call.events))]
    steps = tuple([Step(each, each.told.outcome) for each in story.tries if not each.read_back])
    return [Strand(story, nature, steps, final.outcome, final.target, story.deeds, alone=True)]


def _of_event(story: Story, call: Publish, index: int, nature: Nature) -> Strand:
    event = call.events[index]
    final = entry_of(story.final, call, index)
    alone = len(call.events) == 1
    deeds = story.deeds if alone else [deed for deed in story.deeds if deed.mark == event.id]
    steps = tuple(_steps(story, event))
    return Strand(story, nature, steps, final.outcome, final.target, deeds, alone)


def _steps(story: Story, event: Event) -> Iterator[Step]:
    for attempt in story.tries:
        assert isinstance(attempt.call, Publish)
        for index, each in enumerate(attempt.call.events):
            if each is event:
                yield Step(attempt, entry_of(attempt.told, attempt.call, index).outcome)


def entry_of(result: Result[Any], call: Publish, index: int) -> Result[Any]:
    """Give what `result` says of one event; an answer of the wrong length says nothing."""
    if result.outcome is not Outcome.OK:
        return result
    if result.value is None or len(result.value) != len(call.events):
        return _SAYS_NOTHING
    entry: Result[Any] = result.value[index]
    return entry


_SAYS_NOTHING: Result[Any] = Result(Outcome.AMBIGUOUS)
