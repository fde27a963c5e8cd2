"""One key while its function is deployed anew: two versions, beside each other, and back again.

Each delivery and each settler is a process of its own, of a version that lives at that time. Clocks
of processes differ by up to two hours, and old processes run for up to an hour beside new ones.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Generator, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from heapq import heappop, heappush
from random import Random
from typing import Any, Final

from leeward.app.answers import Problem
from leeward.app.context import Context
from leeward.app.idempotency.decorator import IdempotentCall
from leeward.app.idempotency.record import Replay, seconds_to_keep
from leeward.app.idempotency.register import ROLLOUT
from leeward.app.idempotency.settings import (
    IdempotencyOptions,
    IdempotencySettings,
    check_options,
)
from leeward.app.idempotency.settlement import KeySettlement
from leeward.app.idempotency.settling import KeyFinding
from leeward.app.idempotency.steps import (
    Away,
    Changed,
    LoadedRegister,
    LoadRecord,
    LoadRegister,
    Saved,
    SaveRecord,
)
from leeward.app.idempotency.store import item_of, record_in
from leeward.app.triggers import Delivery
from leeward.envelope import CLOCKS
from leeward.errors import DedupUnavailable, OutcomeUnknown, TargetUnavailable
from leeward.values import Record
from leeward.values.settled import Verdict
from tests.app.settle_sim.actors import CLOCK, OneClock, _announce
from tests.app.settle_sim.oracle import Wrong

HOUR: Final = 3600.0
KEEP: Final = 86_400.0
BEGIN: Final = 100 * KEEP
"""Seconds from the first version's first process to the call, or 0."""

ORDER: Final = {"id": "42", "ref": "A-7"}

PLAIN: Final[Mapping[str, Any]] = {"table": "keys", "key": "order.id", "principal": None}

CHANGES: Final[Mapping[str, Mapping[str, Any] | None]] = {
    "nothing": {},
    "its name": {"name": "pay"},
    "its key": {"key": "order.ref"},
    "its principal": {"principal": "platform"},
    "its table": {"table": "records"},
    "its keep": {"keep": 900.0},
    "its effects": {"effects": "marked"},
    "what it does without its table": {"unreachable": "run_and_flag"},
    "its digest": {},
    "its decorator": None,
}
"""What is different in the first version; None: it is not idempotent."""

UNSEEN: Final = ("its table", "its decorator")
"""A version of which the table of the next one has nothing: nobody knows that it was back."""

BOUND: Final = ("nothing", "its keep", "its effects", "its digest")
"""A void of one version binds the other one: both look at the same record."""


def charge(order: dict[str, str], _context: Context) -> str:
    """Stand for the function; it is not called."""
    return order["id"]


def settings_of(version: Mapping[str, Any]) -> IdempotencySettings:
    """Return the settings of one process."""
    options: dict[str, Any] = {**PLAIN, "lease": 30.0, "keep": KEEP, "clock": CLOCK, **version}
    settings = check_options(charge, IdempotencyOptions(**options))
    settings.identity.bind("shop/charge")
    return settings


@dataclass
class World:
    """The tables, what has happened to the key, and when each version lives.

    Attributes:
        change: what is different in the first version.
        switch: when the second version begins.
        overlap: for how long the first one runs beside it.
        back: when the first version is back, for good; infinite for never.
        effects: when each was, of how many voids its call knew, and at which version.
        known: when a process of a version had looked into the register.
        told: when somebody was told that it has not run, the number of voids, and by which version.
    """

    change: str
    random: Random
    switch: float
    overlap: float
    back: float
    items: dict[tuple[str, str], tuple[Any, int, float]] = field(default_factory=dict)
    effects: list[tuple[float, int, int]] = field(default_factory=list)
    known: list[tuple[float, int]] = field(default_factory=list)
    told: list[tuple[float, int, int]] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    now: float = 0.0

    def version(self) -> int:
        """Return 1 or 2: whose process gets what arrives now."""
        if self.now >= self.back + self.overlap:
            return 1
        if self.back <= self.now or self.switch <= self.now < self.switch + self.overlap:
            return self.random.choice((1, 2))
        return 1 if self.now < self.switch else 2

    def note(self, number: int, found: Any) -> None:
        """Note that a version is in its register, if that could be reached."""
        if not isinstance(found, Away):
            self.known.append((self.now, number))

    def ask(self, location: Any, step: Any, clock: OneClock) -> Any:
        """Carry out a step at a table; some answers are lost."""
        luck = self.random.random()
        if luck < 0.02:
            return Away(TargetUnavailable("no connection"))
        reply = self._carry_out(location, step, clock)
        return Away(OutcomeUnknown("no answer"), written=True) if luck < 0.05 else reply

    def _carry_out(self, location: Any, step: Any, clock: OneClock) -> Any:
        is_record = isinstance(step, LoadRecord | SaveRecord)
        place = location.table, location.id if is_record else step.id
        kept, number, expires = self.items.get(place, (None, 0, 0.0))
        if clock.now() >= expires:
            kept = None
        if isinstance(step, LoadRecord):
            return kept and record_in(Record(kept, str(number), ""), clock)
        if isinstance(step, LoadRegister):
            return kept and LoadedRegister(kept, str(number))
        if step.revision != (None if kept is None else str(number)):
            return Changed()
        if is_record:
            seconds = seconds_to_keep(step.record, location.keep, clock.value)
            new = item_of(step.record, location.id, clock), number + 1, clock.now() + seconds
        else:
            new = step.entries, number + 1, float("inf")
        self.items[place] = new
        return Saved(str(number + 1))


def _deliver(world: World, label: int, voids: int) -> Generator[Any, Any, None]:
    """Deliver the call once, to a process that begins for it."""
    number = world.version()
    version = CHANGES[world.change] if number == 1 else {}
    if version is None:
        yield None
        world.effects.append((world.now, voids, number))
        return
    settings = settings_of(version)
    context = _context(voids, number)
    call = IdempotentCall(settings, charge, (ORDER, context), {})
    call._claim = call._claim._replace(owner=f"{label}")
    decision = yield from _at(call.location, call.claim(settings.identity))
    world.note(number, decision)
    try:
        run = call.begin(decision, None)  # type: ignore[arg-type]
    except (Problem, DedupUnavailable):
        return
    if isinstance(run, Replay):
        return
    run.started = True
    try:
        yield from _at(call.location, _announce(run))
    except (Problem, DedupUnavailable):
        return
    yield None
    world.effects.append((world.now, voids, number))
    yield from _at(call.location, call.after_success(run, "paid"))


def _context(voids: int, number: int) -> Context:
    context = Context("charge", "k", None, 1e12, CLOCK, voids=voids, principal="ann")
    if number == 2:
        nothing = Delivery(b"", "k", "k", 20.0)
        context.wire, context.payload = (charge, nothing), dict(ORDER)
    return context


def _at(location: Any, steps: Any) -> Generator[Any, Any, Any]:
    """Yield each step with the table that it is for."""
    reply = None
    try:
        while True:
            step = steps.send(reply)
            reply = yield location, step
    except StopIteration as end:
        return end.value


def _settle(world: World, sent: float) -> Generator[Any, Any, KeyFinding | None]:
    """Settle the key at a process that begins for it."""
    number = world.version()
    version = CHANGES[world.change] if number == 1 else {}
    if version is None:
        return None
    settings = settings_of(version)
    differ = (world.random.random() * 2 - 1) * CLOCKS
    age = max(0.0, world.now - sent + differ) + CLOCKS  # as the handler counts it
    settlement = KeySettlement(settings, age, (ORDER,), _context(0, number))
    found = yield from _at(settlement.location, settlement.begin())
    world.note(number, found)
    if isinstance(found, KeyFinding) and found.verdict is Verdict.NOT_RUN:
        world.told.append((world.now, found.voids, number))
    return found if isinstance(found, KeyFinding) else None


def _other_call(world: World) -> Generator[Any, Any, None]:
    """Let some other call of the function come to a process that begins for it."""
    number = world.version()
    version = CHANGES[world.change] if number == 1 else {}
    if version is not None:
        settings, other = settings_of(version), {"id": "1", "ref": "B"}
        call = IdempotentCall(settings, charge, (other, _context(0, 1)), {})
        call._claim = call._claim._replace(owner=f"other {world.now}")
        world.note(number, (yield from _at(call.location, call.claim(settings.identity))))


def _make_world(random: Random, sent: float) -> World:
    change = random.choice(list(CHANGES))
    switch = sent + (random.random() * 2 - 1) * 8 * HOUR
    goes_back = change not in UNSEEN and random.random() < 0.3
    back = switch + ROLLOUT + random.random() * 4 * HOUR if goes_back else float("inf")
    return World(change, random, switch, random.random() * ROLLOUT, back)


def _plan(world: World, sent: float) -> Iterator[tuple[float, Callable[[], Any]]]:
    """Yield what happens, and when."""
    random, switch = world.random, world.switch
    for at in (0.0, *(switch + minutes * 60.0 for minutes in (0, 5, 50)), world.back):
        if at < float("inf"):
            yield max(0.0, at), partial(_other_call, world)
    for label in range(random.choice((0, 1, 1, 2))):
        delay = random.expovariate(1 / 60.0) if random.random() < 0.6 else random.random() * KEEP
        yield sent + delay, partial(_deliver, world, label, 0)
    for _ in range(random.choice((1, 2, 3))):
        wait = random.choice((60.0, HOUR, 6 * HOUR, 30 * HOUR)) * random.random()
        yield sent + wait, partial(_settle, world, sent)


def _begin_later(make: Callable[[], Any]) -> Generator[Any, Any, Any]:
    yield None
    return (yield from make())


def play_versions(random: Random) -> Counter[str]:
    """Play one key; return what happened.

    Raises:
        Wrong: somebody was told that a call has not run which has, or which runs later.
    """
    sent = BEGIN * random.choice((0.0, 1.0)) + random.random() * 12 * HOUR
    world = _make_world(random, sent)
    heap: list[tuple[float, int, Any, OneClock, Any]] = []
    for at, make in _plan(world, sent):
        clock = OneClock(0.0, (random.random() - 0.5) * CLOCKS)
        heappush(heap, (at, len(heap), _begin_later(make), clock, None))
    world.counts["versions: answers lost"] += 1
    while heap:
        at, tie, actor, clock, reply = heappop(heap)
        world.now = max(world.now, at)
        clock.value = world.now
        CLOCK.value, CLOCK.ahead = clock.value, clock.ahead
        try:
            event = actor.send(reply)
        except StopIteration as end:
            if isinstance(end.value, KeyFinding):
                why = end.value.doubt and end.value.doubt.value
                world.counts[f"versions: {end.value.verdict.value} {why or ''}".strip()] += 1
            continue
        result = None if event is None else (world.ask(event[0], event[1], clock), clock.value)
        heappush(heap, (world.now + random.random() * 0.5, tie, actor, clock, result))
    _judge(world)
    return world.counts


def _judge(world: World) -> None:
    for told, voids, by in world.told:
        for at, knew, number in world.effects:
            if knew >= voids:
                continue
            begins = world.switch if number == 2 else world.back if at >= world.back else 0.0
            is_known = any(begins <= when <= told - 1.0 for when, of in world.known if of == number)
            is_unseen = world.change in UNSEEN and (by, number) == (1, 2)
            is_later = at > told and not is_known and world.change not in BOUND
            if is_unseen or is_later:
                world.counts["versions: ran at a version that came later, as the page says"] += 1
            else:
                raise Wrong(f"not run, and it has: another version, {world.change}")
