"""What is counted of the calls of one scenario, by one router."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, fields

from leeward.calls import Delete, Enqueue, Invoke, Load, Publish, Store
from leeward.errors import Outcome
from tests.simulation.runner import INNER, CallRecord
from tests.simulation.scenarios import Setting
from tests.simulation.work_units import effect_rules_of


@dataclass(slots=True)
class Counters:
    """Counts; two of them add up.

    Attributes:
        calls: how many ended.
        succeeded: reported as a success, every event of a batch included.
        unknown: reported as unknown, in whole or in part.
        attempts: requests, read-backs included.
        unsafe: calls that may harm when repeated.
        doubles: unsafe and keyed calls that took effect more than once.
        false_failures: reported as a plain failure, although it ran.
        left_home: data calls that left the home of their table.
        late_overwrites: writes that took effect once more, on top of another call's later change.
        seen: outcomes of attempts and other happenings: proof that they were put to the test.
    """

    calls: int = 0
    succeeded: int = 0
    unknown: int = 0
    attempts: int = 0
    unsafe: int = 0
    doubles: int = 0
    false_failures: int = 0
    left_home: int = 0
    late_overwrites: int = 0
    seen: Counter[str] = field(default_factory=Counter)

    @property
    def failed(self) -> int:
        """Reported as a plain failure."""
        return self.calls - self.succeeded - self.unknown

    def add(self, other: Counters) -> None:
        """Add those of `other`."""
        for each in fields(self):
            total = getattr(self, each.name) + getattr(other, each.name)
            setattr(self, each.name, total)

    def count(self, record: CallRecord, setting: Setting) -> None:
        """Take in one finished call; those that functions make are judged, and not counted."""
        if record.number >= INNER:
            return
        final, side_effects = record.final, record.side_effects
        ends = _ends(record)
        self.calls += 1
        self.succeeded += ends.count(Outcome.OK) == len(ends)
        self.unknown += Outcome.AMBIGUOUS in ends
        self.attempts += len(record.attempts)
        self.left_home += _left_home(record, setting)
        if isinstance(record.call, Invoke | Enqueue):
            rules = effect_rules_of(record.call)
            self.unsafe += rules.unsafe
            self.doubles += (rules.unsafe or rules.keyed) and len(side_effects) > 1
        if side_effects and final.outcome not in _MAY_HAVE_RUN:
            self.false_failures += 1

    def note(self, record: CallRecord) -> None:
        """Note what a finished call has met."""
        for attempt in record.attempts:
            self.seen["read-back" if attempt.read_back else attempt.reported.outcome.name] += 1
        if record.final.resolved:
            self.seen["resolved"] += 1
        if any(side_effect.at > record.ended for side_effect in record.side_effects):
            self.seen["late zombie"] += 1
        last = record.attempts[-1].call if record.attempts else record.call
        if isinstance(record.call, Publish) and last is not record.call:
            self.seen["batch sent in part"] += 1
        self.seen["given up"] += record.is_given_up
        if record.why in REFUSALS:
            self.seen[record.why] += 1


REFUSALS = ("all_down", "failover_budget")
"""Why leeward sends nothing, or nothing more, although time is left."""


def _ends(record: CallRecord) -> list[Outcome]:
    """Return how the call ended: for a batch that had an answer, how each event did."""
    final = record.final
    if isinstance(record.call, Publish) and final.outcome is Outcome.OK and final.value:
        return [entry.outcome for entry in final.value]
    return [final.outcome]


def _left_home(record: CallRecord, setting: Setting) -> bool:
    call = record.call
    if not isinstance(call, Store | Load | Delete):
        return False
    return any(attempt.target != setting.homes[call.table] for attempt in record.attempts)


_MAY_HAVE_RUN = (Outcome.OK, Outcome.AMBIGUOUS, Outcome.APP_ERROR)
