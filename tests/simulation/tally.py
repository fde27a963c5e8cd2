"""What is counted of the calls of one scenario, by one router."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, fields

from leeward.adapter import Delete, Enqueue, Invoke, Load, Publish, Store
from leeward.errors import Outcome
from tests.simulation.runner import Story
from tests.simulation.scenarios import Setting
from tests.simulation.strands import nature_of


@dataclass(slots=True)
class Tally:
    """Counts; two of them add up.

    Attributes:
        calls: how many ended.
        succeeded: reported as a success, every event of a batch included.
        unknown: reported as unknown, in whole or in part.
        attempts: requests, read-backs included.
        unsafe: calls that may harm when repeated.
        doubles: unsafe and keyed calls that took effect more than once.
        denied: reported as a plain failure, although it ran.
        astray: data calls that left the home of their table.
        overrun: writes that took effect once more, on top of another call's later change.
        seen: outcomes of attempts and other happenings: proof that they were put to the test.
    """

    calls: int = 0
    succeeded: int = 0
    unknown: int = 0
    attempts: int = 0
    unsafe: int = 0
    doubles: int = 0
    denied: int = 0
    astray: int = 0
    overrun: int = 0
    seen: Counter[str] = field(default_factory=Counter)

    @property
    def failed(self) -> int:
        """Reported as a plain failure."""
        return self.calls - self.succeeded - self.unknown

    def add(self, other: Tally) -> None:
        """Take in another tally."""
        for each in fields(self):
            total = getattr(self, each.name) + getattr(other, each.name)
            setattr(self, each.name, total)

    def count(self, story: Story, setting: Setting) -> None:
        """Take in one finished call."""
        final, deeds = story.final, story.deeds
        ends = _ends(story)
        self.calls += 1
        self.succeeded += ends.count(Outcome.OK) == len(ends)
        self.unknown += Outcome.AMBIGUOUS in ends
        self.attempts += len(story.tries)
        self.astray += _left_home(story, setting)
        if isinstance(story.call, Invoke | Enqueue):
            nature = nature_of(story.call)
            self.unsafe += nature.unsafe
            self.doubles += (nature.unsafe or nature.keyed) and len(deeds) > 1
        if deeds and final.outcome not in _MAY_HAVE_RUN:
            self.denied += 1

    def see(self, story: Story) -> None:
        """Note what a finished call has met."""
        for attempt in story.tries:
            self.seen["read-back" if attempt.read_back else attempt.told.outcome.name] += 1
        if story.final.resolved:
            self.seen["resolved"] += 1
        if any(deed.at > story.ended for deed in story.deeds):
            self.seen["late zombie"] += 1
        if isinstance(story.call, Publish) and story.tries[-1].call is not story.call:
            self.seen["batch sent in part"] += 1


def _ends(story: Story) -> list[Outcome]:
    """Give how the call ended: for a batch that had an answer, how each event did."""
    final = story.final
    if isinstance(story.call, Publish) and final.outcome is Outcome.OK and final.value:
        return [entry.outcome for entry in final.value]
    return [final.outcome]


def _left_home(story: Story, setting: Setting) -> bool:
    call = story.call
    if not isinstance(call, Store | Load | Delete):
        return False
    return any(attempt.target != setting.homes[call.table] for attempt in story.tries)


_MAY_HAVE_RUN = (Outcome.OK, Outcome.AMBIGUOUS, Outcome.APP_ERROR)
