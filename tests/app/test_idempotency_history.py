"""Is the record linearizable? What callers saw, held against a record that is never shared.

Hypothesis interleaves claims, announcements and ends of one key, step by step, over a table that
loses answers and lets writes arrive late. What each call was told, with the time from its begin to
its end, must be explained by some order of the calls, one at a time, on a plain record; a call that
got no answer may have happened at any later time, or never (Wing and Gong, 1993).
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from random import Random
from typing import Any, NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leeward.app.idempotency.record import (
    Claim,
    KeyRecord,
    LoadedRecord,
    Reason,
    Refuse,
    Replay,
    Start,
    complete_record,
    leave_unknown,
    release_record,
)
from leeward.app.idempotency.record import RecordedFailure as RecordFailure
from leeward.app.idempotency.steps import (
    Away,
    Held,
    Recorded,
    Step,
)
from tests.app.idempotency_sim.deliveries import Rules
from tests.app.idempotency_sim.mutants import MUTANTS
from tests.app.idempotency_sim.table import Table
from tests.app.settle_sim.actors import OneClock

LEASE = 30.0

FREE, RUNNING, DONE, UNKNOWN = "free", "running", "done", "unknown"


class Model(NamedTuple):
    """The record as one process alone would have it."""

    state: str = FREE
    owner: str = ""
    effects: bool = False


@dataclass(eq=False)
class Operation:
    """One call at the record, and what it was told; None for nothing."""

    what: str
    owner: str
    begun: int
    ended: float = float("inf")
    told: str | None = None


def outcomes(model: Model, operation: Operation, marked: bool) -> list[tuple[str, Model]]:
    """Return what `operation` may be told of `model`, and what the model is then."""
    what, owner = operation.what, operation.owner
    state, holder, effects = model
    mine = holder == owner and state == RUNNING
    if what == "claim":
        begun = Model(RUNNING, owner, not marked)
        if state == FREE or mine:
            return [("start", begun if state == FREE else model)]
        if state == RUNNING:  # whether its lease is over is a matter of clocks
            over = ("unknown", model) if effects else ("start", begun)
            return [("running", model), over]
        return [("replay:" + holder if state == DONE else "unknown", model)]
    if not mine:
        return [("lost", model)]
    if what == "mark":
        return [("yes", model._replace(effects=True))]
    return [("yes", Model({"release": FREE, "complete": DONE}.get(what, UNKNOWN), owner, effects))]


def is_linearizable(history: list[Operation], marked: bool) -> bool:
    """Search for an order that explains what everybody was told."""
    seen: set[tuple[frozenset[int], Model]] = set()
    told = frozenset(n for n, each in enumerate(history) if each.told is not None)

    def search(done: frozenset[int], model: Model) -> bool:
        if told <= done:
            return True
        if (done, model) in seen:
            return False
        seen.add((done, model))
        left = [n for n in range(len(history)) if n not in done]
        first_end = min(history[n].ended for n in left)
        for number in left:
            operation = history[number]
            if operation.begun > first_end:
                continue
            for answer, after in outcomes(model, operation, marked):
                fits = operation.told in (None, answer)
                if fits and search(done | {number}, after):
                    return True
        return False

    return search(frozenset(), Model())


class Caller:
    """A process: it claims, announces its effect, and writes its end, one after the other."""

    def __init__(self, number: int, rules: Rules, end: str) -> None:
        self.owner = f"owner-{number}"
        self.claim = Claim(self.owner, "payload", LEASE, rules.marked)
        self._rules = rules
        self._end = end

    def run(self, now: float) -> Generator[Step | Operation, Any, None]:
        """Yield each operation when it begins and when it has been told something, and steps."""
        operation = yield from self._begin("claim")
        decision = yield from self._rules.claim(self.claim, now)
        yield self._told(operation, _decision(decision))
        if not isinstance(decision, Start):
            return
        held = Held(decision.record, decision.revision or "")
        if self._rules.marked:
            operation = yield from self._begin("mark")
            marked = yield from self._rules.mark(held)
            told = "yes" if isinstance(marked, Held) else _recorded(marked)
            yield self._told(operation, told)
            if not isinstance(marked, Held):
                return
            held = marked
        operation = yield from self._begin(self._end)
        recorded = yield from self._rules.end(held, self._ended(held.record))
        yield self._told(operation, _recorded(recorded))

    def _ended(self, record: KeyRecord) -> KeyRecord:
        if self._end == "release":
            return release_record(record)
        if self._end == "complete":
            return complete_record(record, self.owner)
        return leave_unknown(record, RecordFailure("ConnectionError"))

    def _begin(self, what: str) -> Generator[Operation, Any, Operation]:
        operation = Operation(what, self.owner, 0)
        yield operation
        return operation

    def _told(self, operation: Operation, told: str | None) -> Operation:
        operation.told = told
        return operation


def _decision(decision: Any) -> str | None:
    match decision:
        case Start():
            return "start"
        case Replay(result):
            return f"replay:{result}"
        case Refuse(reason):
            return {Reason.RUNNING: "running"}.get(reason, "unknown")
        case _:
            return None


def _recorded(recorded: Any) -> str | None:
    if isinstance(recorded, Away) or recorded is Recorded.NO:
        return None
    if recorded is Recorded.YES:
        return "yes"
    assert recorded is Recorded.LOST or isinstance(recorded, LoadedRecord)
    return "lost"


class Luck(Random):
    """Gives what Hypothesis has chosen."""

    def __init__(self, value: float) -> None:
        super().__init__(0)
        self._value = value

    def random(self) -> float:
        return self._value


@dataclass(eq=False)
class Process:
    """A caller under way, and what it hears next."""

    steps: Generator[Step | Operation, Any, None]
    clock: OneClock
    reply: Any = None


def history_of(
    callers: list[Caller], schedule: list[tuple[int, float, float]], table: Table
) -> list[Operation]:
    """Let `callers` go on as `schedule` says: who, the table's luck, and seconds that pass."""
    history: list[Operation] = []
    now = 0.0
    running = [Process(caller.run(now), OneClock()) for caller in callers]
    for time, (who, luck, seconds) in enumerate(schedule):
        now += seconds
        if table.late and luck > 0.95:
            table.land(Luck(0.0))
        if not running:
            break
        process = running[who % len(running)]
        try:
            happened = process.steps.send(process.reply)
            while isinstance(happened, Operation):
                if happened not in history:
                    happened.begun = time
                    history.append(happened)
                elif happened.told is not None:
                    happened.ended = time + 0.5
                happened = process.steps.send(None)
        except StopIteration:
            running.remove(process)
            continue
        process.clock.value = now
        process.reply = (table.ask(happened, Luck(luck), 0.25, process.clock), now)
    return history


LUCK = [0.05, 0.1, 0.2, 0.5, 0.6, 0.7, 0.8, 0.97]
PAUSES = [0.0, 0.0, 0.0, LEASE + 1]
ENDED = ["complete", "release", "fail"]
STEP = st.tuples(st.integers(0, 3), st.sampled_from(LUCK), st.sampled_from(PAUSES))
SCHEDULE = st.lists(STEP, min_size=8, max_size=60)
ENDS = st.lists(st.sampled_from(ENDED), min_size=2, max_size=4)


@given(ends=ENDS, schedule=SCHEDULE, marked=st.booleans())
def test_the_record_is_linearizable(
    ends: list[str], schedule: list[tuple[int, float, float]], marked: bool
) -> None:
    """Some order of the calls explains every answer, whatever was lost or late."""
    callers = [Caller(number, Rules(marked), end) for number, end in enumerate(ends)]
    assert is_linearizable(history_of(callers, schedule, Table()), marked)


def test_a_record_that_is_not_linearizable_is_found_out(subtests: pytest.Subtests) -> None:
    """With each of these mistakes some interleaving has no explanation."""
    for name in (
        "a lease that is over is taken over",
        "an effect is announced in memory only",
        "an effect begins although another run took over",
    ):
        with subtests.test(name):
            assert any(not _explained(MUTANTS[name], Random(seed)) for seed in range(3_000))


def _explained(rules: Rules, random: Random) -> bool:
    callers = [Caller(number, rules, random.choice(ENDED)) for number in range(3)]
    schedule = [
        (random.randrange(4), random.choice(LUCK), random.choice(PAUSES)) for _ in range(40)
    ]
    return is_linearizable(history_of(callers, schedule, Table()), rules.marked)


def test_the_search_refuses_what_no_order_explains() -> None:
    """Two starts of one run, a result of nobody, a replay that comes before its run."""
    start = Operation("claim", "a", 0, 1, "start")
    for second in (
        Operation("claim", "b", 2, 3, "start"),
        Operation("claim", "b", 2, 3, "replay:b"),
        Operation("claim", "b", 2, 3, "replay:a"),
    ):
        assert not is_linearizable([start, second], marked=False)
    done = Operation("complete", "a", 4, 5, "yes")
    assert is_linearizable([start, done, Operation("claim", "b", 6, 7, "replay:a")], marked=False)
    assert not is_linearizable(
        [start, done, Operation("claim", "b", 6, 7, "running")], marked=False
    )
