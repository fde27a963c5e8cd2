"""An episode: some deliveries of one key, interleaved at random, and what must hold of it."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from random import Random
from typing import Any

from leeward.app.idempotency.record import Claim, KeyRecord, KeyState
from leeward.app.idempotency.steps import Step
from tests.app.idempotency_sim.deliveries import Delivery, Ended, Happening, Rules, Script, deliver
from tests.app.idempotency_sim.table import Table
from tests.app.settle_sim.actors import OneClock

LEASE = 30.0
SKEW = 3_600.0
"""Seconds by which a clock of the day may be wrong: leases end in any order."""
KILLED = 0.04
"""Share of steps at which a process dies."""
ASLEEP = 0.1
"""Share of steps before which a process sleeps, for up to `SLEEP` seconds of everybody's time."""
SLEEP = 90.0
FAULTS = 0.15
"""Share of the table's answers that are lost, late or refused."""

_ENDED = {KeyState.COMPLETED, KeyState.UNKNOWN, KeyState.FAILED}


@dataclass(slots=True)
class Process:
    """One delivery under way, its clock, and what it hears next."""

    delivery: Delivery
    clock: OneClock
    reply: Any = None


class Episode:
    """Deliveries of one key.

    Attributes:
        effects: how often money moved.
        ended: what each delivery gave that was not killed.
        happened: counts of what went on, for the report.
    """

    def __init__(self, rules: Rules, random: Random, deliveries: int, *, at_once: bool) -> None:
        self.rules = rules
        self.table = Table()
        self.effects = 0
        self.ended: list[Ended] = []
        self.happened: Counter[str] = Counter()
        self._random = random
        self._now = 0.0
        self._left = deliveries
        self._processes: list[Process] = []
        if at_once:
            while self._left:
                self._arrive()

    def run(self) -> list[str]:
        """Let everything happen; return what is wrong."""
        random = self._random
        while self._processes or self._left:
            if self._left and (not self._processes or random.random() < 0.1):
                self._arrive()
            if random.random() < 0.2:
                self.table.land(random)
            self._advance(int(random.random() * len(self._processes)))
        while self.table.late:
            self.table.land(random)
        return [*self._flaws()]

    def _arrive(self) -> None:
        self._left -= 1
        random = self._random
        script = random.choice((Script.RETURNS, Script.RETURNS, *Script))
        claim = Claim(f"owner-{self._left}", "payload", LEASE, self.rules.marked)
        clock = OneClock(self._now, (random.random() - 0.5) * 2 * SKEW)
        delivery = deliver(self.rules, claim, script, self._now)
        self._processes.append(Process(delivery, clock))

    def _advance(self, index: int) -> None:
        process, random = self._processes[index], self._random
        luck = random.random()
        if luck < KILLED:
            self.happened["killed"] += 1
            del self._processes[index]
            return
        if luck < KILLED + ASLEEP:
            self._now += random.random() * SLEEP
        try:
            step = process.delivery.send(process.reply)
        except StopIteration as end:
            self.ended.append(end.value)
            self.happened[end.value.what] += 1
            del self._processes[index]
            return
        process.reply = self._carried_out(step, process)

    def _carried_out(self, step: Step | Happening, process: Process) -> Any:
        if step is Happening.EFFECT:
            self.effects += 1
        elif step is Happening.WORK:
            self._now += self._random.random()
        else:
            assert not isinstance(step, Happening)
            process.clock.value = self._now
            reply = self.table.ask(step, self._random, FAULTS, process.clock)
            self._now += 0.01
            return reply, self._now
        return None

    def _flaws(self) -> list[str]:
        found = []
        if self.effects > 1:
            found.append(f"money moved {self.effects} times")
        returned = {each.value for each in self.ended if each.what in ("ran", "replayed")}
        replayed = {each.value for each in self.ended if each.what == "replayed"}
        if len(returned) > 1:
            found.append("two deliveries gave different results")
        if returned and not self.effects:
            found.append("a result was given, and money never moved")
        if replayed and self.table.record and self.table.record.result not in replayed:
            found.append("a replay gave what the record does not hold")
        for before, after in self.table.changes:
            flaw = flaw_of(before, after)
            if flaw:
                found.append(flaw)
        return found


def flaw_of(before: KeyRecord | None, after: KeyRecord) -> str | None:
    """Return what is wrong with a write that took place: the state machine, written down again."""
    if before is None:
        first = after.fence == 1 and after.state is KeyState.IN_PROGRESS
        return None if first else "a record began in the middle"
    if before.state in _ENDED:
        return f"a record that was {before.state.value} changed"
    if after.owner == before.owner:
        if after.fence != before.fence or before.state is not KeyState.IN_PROGRESS:
            return "an owner changed a record that was not its own any more"
        return "an effect was forgotten" if before.effects and not _keeps(after) else None
    if after.fence != before.fence + 1 or after.state is not KeyState.IN_PROGRESS:
        return "a run took over without growing the fence"
    taken = before.state is KeyState.RELEASED or not before.effects
    return None if taken else "a run took over after an effect may have begun"


def _keeps(after: KeyRecord) -> bool:
    return after.effects or after.state is KeyState.RELEASED
