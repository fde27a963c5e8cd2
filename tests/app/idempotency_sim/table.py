"""A table with one record, whose writes may be lost, land late, or land without an answer."""

from __future__ import annotations

from random import Random
from typing import Any, NamedTuple

from leeward.app.idempotency.record import KeyRecord
from leeward.app.idempotency.steps import Away, Changed, LoadRecord, Reply, Saved, SaveRecord, Step
from leeward.app.idempotency.store import item_of, record_in
from leeward.clock import Clock
from leeward.errors import OutcomeUnknown, TargetUnavailable
from leeward.values import Record

UNREACHABLE = TargetUnavailable("no connection")
LOST = OutcomeUnknown("no answer")


class Change(NamedTuple):
    """A write that took place: what was there, and what is there now."""

    before: KeyRecord | None
    after: KeyRecord


class Table:
    """One record. Every write that takes place is atomic, and conditional.

    Attributes:
        record: what is there.
        changes: every write that took place, in order.
        late: writes that are still on their way.
    """

    def __init__(self) -> None:
        self.record: KeyRecord | None = None
        self.changes: list[Change] = []
        self.late: list[tuple[SaveRecord, dict[str, Any]]] = []
        self._item: dict[str, Any] = {}
        self._revision = 0

    def ask(self, step: Step, random: Random, faults: float, clock: Clock) -> Reply:
        """Carry out a step of somebody with a clock, with a share of `faults` among the answers."""
        assert isinstance(step, LoadRecord | SaveRecord), "no handler of an app has a register"
        luck = random.random()
        if isinstance(step, LoadRecord):
            return self._load(clock) if luck >= faults else Away(UNREACHABLE)
        save = step, item_of(step.record, "42", clock)
        if luck >= faults:
            return self._save(*save)
        if luck < faults * 0.3:
            return Away(UNREACHABLE)
        if luck < faults * 0.6:
            self._save(*save)
        elif luck < faults * 0.9:
            self.late.append(save)
        return Away(LOST, written=True)

    def land(self, random: Random) -> None:
        """Let one of the late writes arrive."""
        if self.late:
            self._save(*self.late.pop(int(random.random() * len(self.late))))

    def _load(self, clock: Clock) -> Reply:
        if self.record is None:
            return None
        return record_in(Record(self._item, str(self._revision), ""), clock)

    def _save(self, save: SaveRecord, item: dict[str, Any]) -> Reply:
        there = None if self.record is None else str(self._revision)
        if save.revision != there:
            return Changed()
        self.changes.append(Change(self.record, save.record))
        self._revision += 1
        self.record, self._item = save.record, item
        return Saved(str(self._revision))
