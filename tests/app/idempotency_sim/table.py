"""A table with one record, whose writes may be lost, land late, or land without an answer."""

from __future__ import annotations

from random import Random
from typing import NamedTuple

from leeward.app.idempotency.record import KeyRecord, LoadedRecord
from leeward.app.idempotency.steps import Away, Changed, LoadRecord, Reply, Saved, SaveRecord, Step
from leeward.errors import OutcomeUnknown, TargetUnavailable

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
        self.late: list[SaveRecord] = []
        self._revision = 0

    def ask(self, step: Step, random: Random, faults: float) -> Reply:
        """Carry out a step, with a share of `faults` among the answers."""
        luck = random.random()
        if luck >= faults:
            return self._load() if isinstance(step, LoadRecord) else self._save(step)
        if isinstance(step, LoadRecord) or luck < faults * 0.3:
            return Away(UNREACHABLE)
        if luck < faults * 0.6:
            self._save(step)
        elif luck < faults * 0.9:
            self.late.append(step)
        return Away(LOST, written=True)

    def land(self, random: Random) -> None:
        """Let one of the late writes arrive."""
        if self.late:
            self._save(self.late.pop(int(random.random() * len(self.late))))

    def _load(self) -> Reply:
        return None if self.record is None else LoadedRecord(self.record, str(self._revision))

    def _save(self, save: SaveRecord) -> Reply:
        there = None if self.record is None else str(self._revision)
        if save.revision != there:
            return Changed()
        self.changes.append(Change(self.record, save.record))
        self._revision += 1
        self.record = save.record
        return Saved(str(self._revision))
