"""The runner in virtual time: it carries out what a router asks for, and records everything."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from heapq import heappop, heappush
from itertools import count
from math import exp
from operator import itemgetter
from random import Random
from statistics import NormalDist
from typing import Any, NamedTuple, Protocol
from zlib import crc32

from leeward._routing.commands import (
    Command,
    Commands,
    Dispatch,
    FreePlace,
    Pause,
    ProbeTarget,
    ReadBack,
)
from leeward._routing.execution import Execution
from leeward._routing.policy import DEFAULT
from leeward.calls import NO_PLACE, AttemptTime, Call, Invoke, Key, Publish, Result, time_after
from leeward.calls import Load as LoadItem
from leeward.errors import Outcome
from tests.simulation.faults import (
    BatchDamage,
    Fate,
    Page,
    delayed,
    fate_of,
    in_time,
    outcome_of_page,
)
from tests.simulation.load import Load, strained
from tests.simulation.scenarios import LATENCIES, Episode, Setting
from tests.simulation.traffic import OUTER, Arrival, Kind, arrivals, call_of, inner_of
from tests.simulation.world import SideEffect, Target, World

SPREAD = 0.4
"""Sigma of the log-normal latency."""

QUANTILES = 4096
LATENCY = [
    exp(SPREAD * NormalDist().inv_cdf((step + 0.5) / QUANTILES)) for step in range(QUANTILES)
]
"""Factors to the median latency, all equally likely: quicker than a draw from the distribution."""

BEAT = DEFAULT.heartbeat_pace

IN_LINE = 0.5
"""Share of its time that an attempt of a router waits for a place which does not say how long."""

SPREAD_OF_FUNCTIONS = 7919
"""A prime: calls that follow each other are of different functions."""

INNER = 1_000_000
"""More calls than an episode has: from here on the numbers of calls that functions make."""

PROBE = LoadItem("leeward-probe", Key(("id",), ("probe",)))
"""What a driver's own probe asks for."""


class Check(Protocol):
    """Looks at the router's own state at every step."""

    def before(self, command: Dispatch | ReadBack, now: float) -> None:
        """Look before an answer is taken in."""

    def after(self, command: Command, now: float) -> None:
        """Look after it was."""

    def sent(self, commands: Commands, now: float) -> None:
        """Look at what is to be done next."""


class Router(Protocol):
    """What decides where a call goes."""

    def execute(self, call: Call, started: float, timeout: float) -> Execution:
        """Take one call to its result: commands out, replies in."""

    def why(self) -> str:
        """Return the code of what ended the call that ended last; empty if it says none."""

    def left_to_do(self, now: float) -> Sequence[ProbeTarget | FreePlace]:
        """Return the probes that are to be made now."""

    def probed(self, probe: ProbeTarget, outcome: Outcome, now: float, fidelity: str) -> None:
        """Take in the answer to a probe."""


@dataclass(slots=True)
class AttemptRecord:
    """One request that was put to one target, and what was reported to the caller.

    Attributes:
        fault: which one it met, if any.
        answer: what the target truly answers, once it has run.
        result: what was reported to the caller; None while it waits.
        ended: when the caller heard of it.
        waited: seconds that it waited here for a place.
        has_place: it holds one.
        overtaken: its call ended before it did.
        inner: the call that it makes before it answers.
    """

    at: float
    target: str
    call: Call
    timeout: float
    read_back: bool
    fault: str | None
    answer: Result[Any] | None = None
    result: Result[Any] | None = None
    ended: float = 0.0
    waited: float = 0.0
    has_place: bool = False
    overtaken: bool = False
    inner: CallRecord | None = None

    @property
    def reported(self) -> Result[Any]:
        """What was reported to the caller, after the attempt has ended."""
        assert self.result is not None
        return self.result


@dataclass(slots=True)
class CallRecord:
    """One call from its arrival until nothing of it can run any more.

    Attributes:
        execution: the router's, which decides what is done next.
        pending: requests of it that may still run.
        result: what was reported to its caller.
        side_effects: what it really did.
        why: the router's code of what ended it, where it did not go well.
        wakes: how often a place that became free has woken it.
        in_flight: commands that have not ended.
        is_given_up: its caller has given up.
        then: what its caller does next, where that is a function.
    """

    number: int
    at: float
    kind: Kind
    deadline: float
    call: Call
    execution: Execution
    attempts: list[AttemptRecord] = field(default_factory=list)
    pending: int = 0
    result: Result[Any] | None = None
    ended: float = 0.0
    side_effects: list[SideEffect] = field(default_factory=list)
    why: str = ""
    wakes: int = 0
    in_flight: list[Command] = field(default_factory=list)
    is_given_up: bool = False
    then: Callable[[], None] | None = None

    @property
    def final(self) -> Result[Any]:
        """What was reported to the caller, after the call has ended."""
        assert self.result is not None
        return self.result


class InLine(NamedTuple):
    """An attempt that waits for a place at its target."""

    record: CallRecord
    command: Dispatch | ReadBack
    attempt: AttemptRecord


class Simulation:
    """One episode of virtual time, with one router.

    Args:
        setting: the order, the homes, what goes wrong.
        episode: how many calls, and what all randomness comes from.
        router: takes each call to its result.
        observe: is shown every call when nothing of it can run any more.
        check: is told of every step, for invariants of the router's own state.
        beat: the router's heartbeat; None where it has none. It is given the time.
    """

    def __init__(
        self,
        setting: Setting,
        episode: Episode,
        router: Router,
        observe: Callable[[CallRecord], None],
        check: Check | None = None,
        beat: Callable[[float], None] | None = None,
    ) -> None:
        self._world = World({name: LATENCIES[name] / setting.quicker for name in setting.order})
        self._setting = setting
        self._router = router
        self._observe = observe
        self._check = check
        self._beat = beat
        self.load = Load(
            setting.capacities,
            setting.schedule.windows,
            cold=setting.cold,
            cold_share=setting.cold_share,
            warm_after=setting.warm_after,
        )
        self._random = Random(f"{episode.key}/world")
        tables = tuple(setting.homes)
        self._arrivals = arrivals(episode.key, setting.rate, tables, episode.calls, setting.mix)
        self._events: list[tuple[float, int, Callable[..., None], tuple[Any, ...]]] = []
        self._ticket: Iterator[int] = count()
        self._now = 0.0
        self._free = dict.fromkeys(setting.order, setting.places)
        self._lines: dict[str, deque[InLine]] = {name: deque() for name in setting.order}
        self._held: dict[str, float] = {}
        self._parked: list[tuple[int, float, CallRecord, Pause]] = []
        self._warm_at: dict[tuple[str, str], float] = {}

    def run(self) -> World:
        """Let time pass until nothing is left to happen; return the world as it then is."""
        self._next_arrival()
        if self._beat is not None:
            self._at(0.0, self._beat_on)
        while self._events:
            self._now, _, happen, what = heappop(self._events)
            happen(*what)
        return self._world

    def _beat_on(self) -> None:
        assert self._beat is not None
        self._beat(self._now)
        if self._events:
            self._at(self._awake(self._now + BEAT), self._beat_on)

    def _awake(self, when: float) -> float:
        """Return when the process takes in what happens then: at once, unless it stands still."""
        return _end(self._setting.stops, when)

    def _at(self, when: float, happen: Callable[..., None], *what: Any) -> None:
        heappush(self._events, (when, next(self._ticket), happen, what))

    def _next_arrival(self) -> None:
        arrival = next(self._arrivals, None)
        if arrival is not None:
            self._at(self._awake(arrival.at), self._arrive, arrival)

    def _arrive(self, arrival: Arrival) -> None:
        self._next_arrival()
        homes = self._setting.homes
        call = call_of(arrival, lambda table, key: self._world.revision(homes[table], (table, key)))
        if self._setting.functions > 1 and isinstance(call, Invoke):
            number = arrival.number * SPREAD_OF_FUNCTIONS % self._setting.functions
            call = call._replace(function=f"{call.function}-{number}")
        execution = self._router.execute(call, arrival.at, arrival.timeout)
        deadline = arrival.at + arrival.timeout
        record = CallRecord(arrival.number, arrival.at, arrival.kind, deadline, call, execution)
        self._advance(record, lambda: next(execution))
        if self._setting.patience and arrival.number % 2:
            self._at(self._now + self._setting.patience, self._give_up, record)

    def _give_up(self, record: CallRecord) -> None:
        """Let the caller of a call that goes on wait no more."""
        if record.result is not None:
            return
        record.execution.close()
        record.result, record.ended = Result(Outcome.AMBIGUOUS, code="given up"), self._now
        record.is_given_up = True
        for attempt in record.attempts:
            if attempt.result is None:
                attempt.result, attempt.ended = record.result, self._now
                self._free_place(attempt)
        for command in record.in_flight:
            if self._check is not None:
                self._check.after(command, self._now)
        if not record.pending:
            self._settle(record)

    def _carry_out(self, record: CallRecord, commands: Commands) -> None:
        for command in commands:
            record.in_flight.append(command)
            if isinstance(command, Pause):
                wakes = self._awake(self._now + command.seconds + self._freeze())
                self._at(wakes, self._end_pause, record, command, self._now)
                if command.places:
                    self._parked.append((command.number, self._now, record, command))
            else:
                self._send(record, command)

    def _end_pause(
        self, record: CallRecord, command: Pause, began: float, target: str = ""
    ) -> None:
        """End a pause whose time is over, or at whose `target` an attempt has ended."""
        if any(each is command for each in record.in_flight):
            parked = [each for each in self._parked if each[3] is not command]
            self._parked = parked if command.places else self._parked
            self._reply(record, command, began, target or None)

    def _wake_first(self, target: str) -> None:
        """Wake the first of the calls that wait for a place at a target."""
        waits = [each for each in self._parked if target in each[3].places]
        if waits:
            _, began, record, command = min(waits, key=itemgetter(0))
            record.wakes += 1
            self._at(self._now, self._end_pause, record, command, began, target)
            self._parked = [each for each in self._parked if each[3] is not command]

    def _send(self, record: CallRecord, command: Dispatch | ReadBack) -> None:
        """Put an attempt to its target, as soon as there is a place."""
        name, read_back = command.target, isinstance(command, ReadBack)
        attempt = AttemptRecord(self._now, name, command.call, command.timeout, read_back, None)
        record.attempts.append(attempt)
        if not self._setting.places:
            self._put(record, command, attempt)
        elif self._free[name]:
            self._free[name] -= 1
            attempt.has_place = True
            self._put(record, command, attempt)
        else:
            waits, time = InLine(record, command, attempt), command.timeout
            if (
                isinstance(time, AttemptTime)
                and time.elsewhere
                and self._is_in_vain(name, time.wait)
            ):
                fate = Fate(None, 0.0, Outcome.LOCAL, reason=NO_PLACE)
                self._at(self._now, self._answer, record, command, attempt, fate)
                return
            self._lines[name].append(waits)
            patience = time.wait if isinstance(time, AttemptTime) else IN_LINE * time
            self._at(self._now + patience, self._leave_line, waits)

    def _is_in_vain(self, name: str, longest: float) -> bool:
        """Return whether a wait of so many seconds is too short, as a transport finds it to be."""
        ahead, places, held = len(self._lines[name]), self._setting.places, self._held.get(name)
        return ahead >= places if held is None else (ahead + 1) * held / places > longest

    def _leave_line(self, waits: InLine) -> None:
        """End a wait for a place that took too long: nothing was sent."""
        if waits in self._lines[waits.attempt.target]:
            self._lines[waits.attempt.target].remove(waits)
            record, command, attempt = waits
            attempt.waited = self._now - attempt.at
            self._answer(record, command, attempt, Fate(None, 0.0, Outcome.LOCAL, reason=NO_PLACE))

    def _free_place(self, attempt: AttemptRecord) -> None:
        """Let the next attempt that waits have the place of one that has ended."""
        if not attempt.has_place:
            return
        if self._parked:
            self._wake_first(attempt.target)
        attempt.has_place = False
        self._held[attempt.target] = self._now - attempt.at - attempt.waited
        line = self._lines[attempt.target]
        while line:
            record, command, following = line.popleft()
            if record.result is None:
                following.waited, following.has_place = self._now - following.at, True
                self._put(record, command, following)
                return
        self._free[attempt.target] += 1

    def _latency(self, name: str, call: Call, now: float) -> float:
        """Return how long the target takes for a call, where nothing goes wrong."""
        setting, seconds = self._setting, self._world.targets[name].latency
        if not isinstance(call, Invoke) or not (setting.seconds or setting.cold_start):
            return LATENCY[int(self._random.random() * QUANTILES)] * seconds
        function, key = call.function, (name, call.function)
        if setting.seconds:
            seconds += setting.seconds[crc32(function.encode()) % len(setting.seconds)]
        warm_at = self._warm_at.setdefault(key, now + setting.cold_start)
        cold = max(0.0, warm_at - now)
        return LATENCY[int(self._random.random() * QUANTILES)] * seconds + cold

    def _put(
        self, record: CallRecord, command: Dispatch | ReadBack, attempt: AttemptRecord
    ) -> None:
        name, call, timeout = command.target, command.call, command.timeout
        now, random = self._now, self._random
        if attempt.waited:
            timeout = time_after(attempt.waited, timeout)
        latency = self._latency(name, call, now)
        fault = attempt.fault = self._setting.schedule.fault_at(name, now, random)
        fate = fate_of(fault, call, random, latency, timeout)
        if fate.page is not Page.NO:
            marks = str(call[0]).partition("-")[0] not in self._setting.unmarked
            fate = fate._replace(outcome=outcome_of_page(fate.page, marks=marks))
        if self._setting.pauses and name == self._setting.order[0]:
            fate = in_time(delayed(fate, _end(self._setting.pauses, now) - now), timeout)
        if self._setting.capacities:
            fate = in_time(strained(fate, self.load.pressure(name, now), random), timeout)
        if fate.runs_after is not None:
            record.pending += 1
            self._at(now + fate.runs_after, self._arrive_at_target, record, attempt, fate)
        answered = self._awake(now + fate.answers_after + self._freeze())
        if answered - now > timeout and self._setting.stops and random.random() < 0.5:
            fate = fate._replace(outcome=fate.outcome or Outcome.AMBIGUOUS)  # it looks at the time
        self._at(answered, self._answer, record, command, attempt, fate)

    def _arrive_at_target(self, record: CallRecord, attempt: AttemptRecord, fate: Fate) -> None:
        record.pending -= 1
        attempt.answer = self._run(record.number, attempt, fate)
        call, left = attempt.call, attempt.at + attempt.waited + attempt.timeout - self._now
        if isinstance(call, Invoke) and call.function == OUTER and left > 0:
            self._call_inside(record, attempt, left)
        if record.result is not None and not record.pending:
            self._settle(record)

    def _call_inside(self, record: CallRecord, attempt: AttemptRecord, left: float) -> None:
        """Make the call that a function makes while it runs, in the time that it has left."""
        turn = next(index for index, each in enumerate(record.attempts) if each is attempt)
        kind, call = inner_of(record.number, turn)
        number = INNER * (record.number + 1) + turn
        execution = self._router.execute(call, self._now, left)
        inner = CallRecord(number, self._now, kind, self._now + left, call, execution)
        attempt.inner = inner
        self._advance(inner, lambda: next(execution))

    def _run(self, number: int, attempt: AttemptRecord, fate: Fate) -> Result[Any]:
        target, call = attempt.target, attempt.call
        if isinstance(call, Publish) and fate.damage is BatchDamage.SPLIT:
            return self._split(number, self._world.targets[target], call)
        answer = self._world.run(number, target, call, self._now)
        if fate.damage is BatchDamage.MISCOUNTED:
            assert answer.value is not None
            return Result.ok(answer.value[1:])
        return answer

    def _split(self, number: int, target: Target, call: Publish) -> Result[Any]:
        entries: list[Result[None]] = []
        for event in call.events:
            outcome = FATES_OF_ENTRIES[int(self._random.random() * len(FATES_OF_ENTRIES))]
            if outcome is Outcome.OK:
                entries.append(self._world.deliver(number, target, event, self._now))
                continue
            if outcome is Outcome.AMBIGUOUS and self._random.random() < 0.5:
                self._world.deliver(number, target, event, self._now)
            entries.append(Result(outcome, code="entry"))
        return Result.ok(tuple(entries))

    def _answer(
        self, record: CallRecord, command: Command, attempt: AttemptRecord, fate: Fate
    ) -> None:
        inner = attempt.inner
        if inner is not None and fate.outcome is None and inner.result is None:
            inner.then = lambda: self._answer(record, command, attempt, fate)
            late = Fate(None, 0.0, Outcome.AMBIGUOUS)
            due = attempt.at + attempt.waited + attempt.timeout
            self._at(max(self._now, due), self._answer, record, command, attempt, late)
            return
        self._free_place(attempt)
        if record.is_given_up or attempt.overtaken or attempt.result is not None:
            return
        if fate.outcome is None:
            assert attempt.answer is not None
            attempt.result = attempt.answer
            if inner is not None and inner.final.outcome is not Outcome.OK:
                # what it is told goes up as an exception: with the reason, and no more
                attempt.result = Result(Outcome.APP_ERROR, reason=inner.final.reason)
        else:
            attempt.result = Result(
                fate.outcome,
                code=attempt.fault,
                reason=fate.reason,
                retry_after=fate.retry_after,
            )
        if attempt.waited:
            attempt.result = attempt.result._replace(waited=attempt.waited)
        attempt.ended = self._now
        self._reply(record, command, attempt.at, attempt.result)

    def _reply(
        self,
        record: CallRecord,
        command: Command,
        began: float,
        result: Result[Any] | str | None,
    ) -> None:
        if record.result is None:
            record.in_flight = [each for each in record.in_flight if each is not command]
            reply = (command, began, self._now, result)
            if self._check is not None and not isinstance(command, Pause):
                self._check.before(command, self._now)
            self._advance(record, lambda: record.execution.send(reply))
            if self._check is not None:
                self._check.after(command, self._now)

    def _advance(self, record: CallRecord, step: Callable[[], Commands]) -> None:
        try:
            commands = step()
        except StopIteration as end:
            record.result, record.ended = end.value, self._now
            record.why = self._router.why()
            for attempt in record.attempts:
                if attempt.result is None:
                    attempt.result, attempt.overtaken = Result(Outcome.AMBIGUOUS), True
                    attempt.ended = self._now
            if record.then is not None:
                record.then()
            if not record.pending:
                self._settle(record)
        else:
            if self._check is not None:
                self._check.sent(commands, self._now)
            self._carry_out(record, commands)
        for probe in self._router.left_to_do(self._now):
            self._probe(probe)

    def _probe(self, probe: ProbeTarget | FreePlace) -> None:
        """Let a driver look at its target by itself; or give a place to the next call."""
        if isinstance(probe, FreePlace):
            self._wake_first(probe.target)
            return
        random, setting = self._random, self._setting
        target = self._world.targets[probe.target]
        latency = LATENCY[int(random.random() * QUANTILES)] * target.latency
        fault = setting.schedule.fault_at(probe.target, self._now, random)
        if setting.control_plane:
            fault = None
        fate = fate_of(fault, PROBE, random, latency, probe.timeout)
        outcome = fate.outcome or Outcome.OK
        fidelity = "control_plane" if setting.control_plane else "data_plane"
        answered = self._now + fate.answers_after
        self._at(answered, self._probed, probe, outcome, fidelity)

    def _probed(self, probe: ProbeTarget, outcome: Outcome, fidelity: str) -> None:
        self._router.probed(probe, outcome, self._now, fidelity)
        for each in self._router.left_to_do(self._now):
            self._probe(each)

    def _settle(self, record: CallRecord) -> None:
        record.side_effects = self._world.side_effects(record.number)
        self._observe(record)

    def _freeze(self) -> float:
        share = self._setting.freeze
        if share and self._random.random() < share:
            return self._random.random() * self._setting.frozen
        return 0.0


def _end(times: Sequence[tuple[float, float]], when: float) -> float:
    """Return when that of `times` ends in which `when` is; it itself, if it is in none."""
    return next((end for start, end in times if start <= when < end), when)


FATES_OF_ENTRIES = (
    Outcome.OK,
    Outcome.OK,
    Outcome.REJECTED,
    Outcome.AMBIGUOUS,
    Outcome.UNUSABLE,
    Outcome.CALLER,
)
