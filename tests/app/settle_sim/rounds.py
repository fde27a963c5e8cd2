"""One round in virtual time: a call whose answer is lost, its late packets, and who settles it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from heapq import heappop, heappush
from random import Random
from typing import Any, Final, NamedTuple

from leeward.app.idempotency.record import KeyRecord, LoadedRecord, seconds_to_keep
from leeward.app.idempotency.settling import CannotTell, Done, Doubt, KeyFinding, NotDone
from leeward.app.idempotency.steps import Away, Changed, LoadRecord, Reply, Saved, SaveRecord, Step
from leeward.app.idempotency.store import item_of, record_in
from leeward.errors import OutcomeUnknown, TargetUnavailable
from leeward.values import Record
from leeward.values.settled import Verdict
from tests.app.settle_sim.actors import (
    CLOCK,
    KEEP,
    LEASE,
    EffectOf,
    Ended,
    Happening,
    Kind,
    OneClock,
    Probed,
    Script,
    Shop,
    Told,
    ask,
    deliver,
    judge,
    pry,
)
from tests.app.settle_sim.oracle import Seen, Wrong, note_effect, note_end, note_verdict, note_write

REFUSED: Final = Away(TargetUnavailable("no connection"))
LOST: Final = Away(OutcomeUnknown("no answer"), written=True)

HEALED: Final = 3_600.0
"""Seconds after which nothing fails any more: function and table can be reached."""
FAULTS: Final = 0.12
"""Share of the table's answers that are lost, late or refused until then."""
KILLED: Final = 0.03
"""Share of a run's steps at which its process dies."""
FROZEN: Final = 0.06
"""Share of steps before which a process is frozen, for up to three leases."""
DIFFER: Final = 3_600.0
"""Seconds by which a clock of the day is wrong at most: two differ by two hours."""
LATEST: Final = 30 * 86_400.0
"""Seconds after which the last packet of a key arrives, once all else has ended."""
LATE: Final = 7_200.0
"""Seconds that a late packet is on its way, on average; at most ten times as long."""


class Call(NamedTuple):
    """A client calls: a packet, and maybe a second one, is on its way.

    The reply is how the run has ended, None if its answer is lost.
    """

    label: str
    voids: int


class Wait(NamedTuple):
    """A client waits so many seconds."""

    seconds: float


@dataclass(slots=True)
class Process:
    """One actor under way, its clock, and what the monotonic one shows at the beginning."""

    actor: Generator[Any, Any, Any]
    clock: OneClock
    since: float
    kind: str
    label: str = ""
    reply: Any = None
    at_table: bool = False


@dataclass(slots=True)
class Table:
    """One record, that expires; each write is conditional, and may be lost, or be late."""

    random: Random
    note: Callable[[KeyRecord | None, KeyRecord], None]
    item: dict[str, Any] = field(default_factory=dict)
    record: KeyRecord | None = None
    revision: int = 0
    expires: float = 0.0
    late: list[tuple[float, SaveRecord, OneClock]] = field(default_factory=list)
    away_until: float = 0.0

    def ask(self, step: Step, now: float, clock: OneClock) -> Reply:
        """Carry out a step; `clock` is the asker's."""
        assert isinstance(step, LoadRecord | SaveRecord), "see `versions` for registers"
        if now < HEALED:
            luck = self.random.random()
            if now < self.away_until:
                return REFUSED
            if luck < 0.01:
                self.away_until = now + self.random.random() * 120
            if luck < FAULTS:
                return self._fail(step, luck / FAULTS, now, clock)
        return self._load(clock) if isinstance(step, LoadRecord) else self.save(step, clock)

    def _fail(
        self, step: LoadRecord | SaveRecord, luck: float, now: float, clock: OneClock
    ) -> Reply:
        if isinstance(step, LoadRecord) or luck < 0.3:
            return REFUSED
        if luck < 0.6:
            self.save(step, clock)
        elif luck < 0.8:
            as_now = OneClock(clock.value, clock.ahead)
            self.late.append((now + self.random.expovariate(1 / 60.0), step, as_now))
        return LOST

    def _load(self, clock: OneClock) -> LoadedRecord | None:
        if self.record is None or clock.now() >= self.expires:
            return None
        return record_in(Record(self.item, str(self.revision), ""), clock)

    def save(self, save: SaveRecord, clock: OneClock) -> Reply:
        """Write, if what is there is what was seen; `clock` is as it was when it was sent."""
        there = self._load(clock)
        if save.revision != (None if there is None else there.revision):
            return Changed()
        self.note(there and self.record, save.record)
        self.item, self.record = item_of(save.record, "42", clock), save.record
        self.revision += 1
        self.expires = clock.now() + seconds_to_keep(save.record, KEEP, clock.value)
        return Saved(str(self.revision))


def _land(effect: EffectOf) -> Generator[Any, Any, Ended]:
    yield effect
    return Ended("took place")


class Round:
    """One key: the call that is made with it, again and again until its caller knows.

    Attributes:
        seen: what has happened to the key.
        counts: what went on.
        unknown: why the key stays unknown at last; None if it does not.
        given: what the callers were given.
    """

    def __init__(self, kind: Kind, settings: Any, random: Random) -> None:
        self.kind = kind
        self.shop = Shop(kind, settings)
        self.seen = Seen()
        self.counts: Counter[str] = Counter()
        self.unknown: list[Doubt | None] = []
        self.given: list[str] = []
        self._random = random
        self._table = Table(random, self._note_write)
        self._heap: list[tuple[float, int, Process]] = []
        self._number = 0
        self._now = 0.0
        self._waiting: dict[str, tuple[float, Process]] = {}

    def run(self) -> None:
        """Let everything happen.

        Raises:
            Wrong: something must not be.
        """
        random = self._random
        self._start(self._client("a", HEALED), "client", 0.0)
        if random.random() < 0.4:
            self._start(self._client("b", HEALED), "client", random.random() * 60)
        if self.kind.probed is not Probed.NOTHING:
            self._start(pry(self.shop), "stranger", random.expovariate(1 / 600.0))
        if self.kind.asks:
            for _ in range(6):
                approves = random.random() < 0.95
                person = judge(self.shop, "maria", approves=approves)
                self._start(person, "person", random.expovariate(1 / 600.0))
            person = judge(self.shop, "maria", approves=True)
            self._start(person, "person", HEALED + 20 * LEASE)
        while self._heap:
            at, _, process = heappop(self._heap)
            self._now = max(self._now, at)
            self._land()
            self._step(process)
        self._now = max(self._now, HEALED)
        self._land(everything=True)
        for voids in range(self.seen.not_run + 1):
            self._now += LATEST / (self.seen.not_run + 1)
            self._start(deliver(self.shop, f"last {voids}", Script.RETURNS, voids), "last", 0.0)
            while self._heap:
                self._step(heappop(self._heap)[2])

    def _start(self, actor: Any, kind: str, after: float, label: str = "") -> Process:
        ahead = (self._random.random() - 0.5) * 2 * DIFFER
        since = self._random.random() * 1e6 - self._now
        process = Process(actor, OneClock(0.0, ahead - since), since, kind, label)
        self._push(process, after)
        return process

    def _push(self, process: Process, after: float) -> None:
        self._number += 1
        heappush(self._heap, (self._now + after, self._number, process))

    def _land(self, *, everything: bool = False) -> None:
        late = self._table.late
        for arrival in [each for each in late if everything or each[0] <= self._now]:
            late.remove(arrival)
            self._table.save(*arrival[1:])

    def _step(self, process: Process) -> None:
        """Let one actor take its next step."""
        if process.kind == "run" and self._now < HEALED and self._random.random() < KILLED:
            self.counts["killed"] += 1
            self._answer(process, None)
            return
        clock = process.clock
        CLOCK.value = clock.value = self._now + process.since
        CLOCK.ahead, reply = clock.ahead, process.reply
        try:
            event = process.actor.send((reply, clock.value) if process.at_table else reply)
            while isinstance(event, Told) or event is Happening.DECLARED:
                self._tell(event)
                event = process.actor.send(None)
        except StopIteration as end:
            self._end(process, end.value)
            return
        process.at_table = isinstance(event, LoadRecord | SaveRecord)
        pause = 0.001 + self._random.random() * 0.05
        if isinstance(event, EffectOf):
            process.reply = None
            self._effect(event, max(0.0, event.until - clock.value))
        elif isinstance(event, Call):
            self._call(process, event)
            return
        elif isinstance(event, Wait):
            process.reply, pause = None, event.seconds
        elif process.at_table:
            process.reply = self._table.ask(event, self._now, clock)
        else:
            process.reply = self._happens(event)
        self._push(process, pause + self._frozen(event))

    def _frozen(self, event: Any) -> float:
        """Return for how many seconds a process stands still; a probe takes its time more often.

        Not where an effect may follow at once: a lease is longer than that takes.
        """
        likely = 0.3 if event is Happening.PROBE else FROZEN
        announces = isinstance(event, SaveRecord) and event.record.effects
        if self._now >= HEALED or announces or self._random.random() >= likely:
            return 0.0
        return self._random.random() * 3 * LEASE

    def _effect(self, effect: EffectOf, most: float) -> None:
        """Let an effect take place, now or within `most` seconds."""
        if most and self._random.random() < 0.5:
            self.counts["effects on their way behind the end"] += 1
            self._start(_land(effect._replace(until=0.0)), "effect", self._random.random() * most)
        else:
            self.seen = note_effect(self.kind, self.seen, effect)

    def _note_write(self, before: KeyRecord | None, record: KeyRecord) -> None:
        self.seen = note_write(self.seen, before, record)

    def _tell(self, event: Any) -> None:
        if isinstance(event, Told):
            self.seen = note_verdict(self.kind, self.seen, *event)
            self.counts[f"told {event.finding.verdict.value}"] += 1
        else:
            self.seen = self.seen._replace(declared=True)

    def _happens(self, event: Happening) -> Any:
        effects = self.seen.effects
        if event is Happening.LOOK:
            return effects[0].label if effects else None
        if event is not Happening.PROBE:
            return None
        self.counts["probe asked"] += 1
        if self.kind.probed is Probed.MUTE:
            return CannotTell()
        whole = [effect.label for effect in effects if not effect.half]
        if whole or effects:
            return Done(whole[-1]) if whole else CannotTell()
        return NotDone()

    def _call(self, caller: Process, call: Call) -> None:
        """Send a packet, and maybe a second one, and lose the answer."""
        random = self._random
        self.counts["calls"] += 1
        script = random.choice(_SCRIPTS)
        luck = random.random()
        fails = self._now < HEALED
        if fails and luck < 0.15:
            self.counts["request lost"] += 1
        else:
            after = min(random.expovariate(1 / LATE), 10 * LATE) if fails and luck < 0.4 else 0.0
            self.counts["late packets"] += after > 0
            actor = deliver(self.shop, call.label, script, call.voids)
            self._start(actor, "run", after, call.label)
        if fails and random.random() < 0.3:  # it is delivered twice
            self.counts["second packets"] += 1
            after = min(random.expovariate(1 / LATE), 10 * LATE)
            twin = deliver(self.shop, f"{call.label}'", Script.RETURNS, call.voids)
            self._start(twin, "run", after)
        if fails and (call.label.endswith("0") or luck < 0.5):
            self.counts["answers lost"] += 1
            self._push(caller, random.random() * 10)
            caller.reply = None
            return
        self._waiting[call.label] = (self._now + LEASE, caller)
        if luck < 0.15 and fails:
            self._answer(Process(iter(()), OneClock(), 0.0, "", call.label), None)  # type: ignore[arg-type]

    def _answer(self, process: Process, ended: Ended | None) -> None:
        """Give a caller that waits its answer, or none."""
        until, caller = self._waiting.pop(process.label, (0.0, None))
        if caller is not None:
            caller.reply = ended if self._now <= until else None
            self._push(caller, 0.0)

    def _end(self, process: Process, ended: Any) -> None:
        if isinstance(ended, Ended):
            self.seen = note_end(self.kind, self.seen, ended)
            self.counts[f"{process.kind} {ended.what}"] += 1
        self._answer(process, ended)

    def _client(self, name: str, healed: float) -> Generator[Any, Any, None]:
        """Call, and settle what is unknown, until the result is known, or nobody knows."""
        voids, sent = 0, self._now
        for number in range(9):
            ended = yield Call(f"{name}{number}", voids)
            if isinstance(ended, Ended) and ended.what in ("ran", "replayed"):
                self._give(ended.value)
                return
            if isinstance(ended, Ended) and ended.value == "voided":
                voids = ended.voids
                continue
            if isinstance(ended, Ended) and ended.value == "waiting" and number < 7:
                self.counts["calls that wait for a person"] += 1
                yield Wait(300.0)
                continue
            found = yield from self._settled(voids, sent, healed)
            if found.verdict is Verdict.RAN:
                self._give(found.result if found.failure is None else "failed")
                return
            if found.verdict is Verdict.UNKNOWN and self._is_half_done():
                self.counts["left half done, which no probe can tell"] += 1
                return
            if found.verdict is Verdict.UNKNOWN:
                self.counts["unknown left"] += 1
                self.unknown.append(found.doubt)
                return
            voids = max(voids, found.voids)
        self.counts["gave up after nine calls"] += 1

    def _is_half_done(self) -> bool:
        """Return whether the probe cannot tell because a half is done."""
        return bool(self.seen.effects) and all(effect.half for effect in self.seen.effects)

    def _settled(self, voids: int, sent: float, healed: float) -> Generator[Any, Any, KeyFinding]:
        """Settle until there is a verdict; once more when all can be reached, if it is unknown."""
        for _ in range(200):
            found = yield from ask(self.shop, voids, self._now - sent)
            if found is not None and found.verdict in (Verdict.RAN, Verdict.NOT_RUN):
                return found
            is_healed = self._now > healed + 3 * LEASE
            if found is not None and found.verdict is Verdict.UNKNOWN and is_healed:
                return found
            if found is not None and found.verdict is Verdict.UNKNOWN:
                yield Wait(healed + 4 * LEASE)
            else:
                yield Wait(max(1.0, (found and found.retry_after) or 0.0))
        raise Wrong("nobody is told what became of the key")

    def _give(self, result: Any) -> None:
        self.counts["callers with a result"] += 1
        self.given.append(str(result))
        results = set(self.given) - {"failed"}
        if len(results) > 1:
            raise Wrong("two callers have different results")


_SCRIPTS: Final = (*(Script.RETURNS,) * 6, *Script)
