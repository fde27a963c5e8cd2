"""The event loop in virtual time: it carries out what a router asks for, and records everything."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass, field
from heapq import heappop, heappush
from itertools import count
from math import exp
from random import Random
from statistics import NormalDist
from typing import Any, Protocol, TypeAlias

from leeward.adapter import Call, Publish, Result
from leeward.errors import Outcome
from leeward.routing.call import Pause
from leeward.routing.journey import Ask, Reply
from tests.simulation.faults import Fate, Spoilt, fate_of
from tests.simulation.scenarios import LATENCIES, Setting, Stretch
from tests.simulation.traffic import Arrival, Kind, arrivals, call_of
from tests.simulation.world import Deed, Target, World

Course: TypeAlias = Generator[Ask | Pause, Reply, Result[Any]]

SPREAD = 0.4
"""Sigma of the log-normal latency."""

QUANTILES = 4096
LATENCY = [
    exp(SPREAD * NormalDist().inv_cdf((step + 0.5) / QUANTILES)) for step in range(QUANTILES)
]
"""Factors to the median latency, all equally likely: quicker than a draw from the distribution."""

LONGEST_FREEZE = 20.0
"""Seconds by which a frozen process may wake late."""


class Router(Protocol):
    """What decides where a call goes."""

    def course(self, call: Call, started: float, timeout: float) -> Course:
        """Give the course of one call: commands out, replies in, one result at the end."""


@dataclass(slots=True)
class Try:
    """One request that was put to one target, and what the caller was told.

    Attributes:
        struck: which fault struck it.
        answer: what the target truly answers, once it has run.
        result: what the caller was told; None while it waits.
        ended: when the caller was told.
    """

    at: float
    target: str
    call: Call
    timeout: float
    read_back: bool
    struck: str | None
    answer: Result[Any] | None = None
    result: Result[Any] | None = None
    ended: float = 0.0

    @property
    def told(self) -> Result[Any]:
        """What the caller was told, after the attempt has ended."""
        assert self.result is not None
        return self.result


@dataclass(slots=True)
class Story:
    """One call from its arrival until nothing of it can run any more.

    Attributes:
        pending: requests of it that may still run.
        result: what its caller was told.
        deeds: what it really did.
    """

    number: int
    at: float
    kind: Kind
    deadline: float
    call: Call
    course: Course
    tries: list[Try] = field(default_factory=list)
    pending: int = 0
    result: Result[Any] | None = None
    ended: float = 0.0
    deeds: list[Deed] = field(default_factory=list)

    @property
    def final(self) -> Result[Any]:
        """What the caller was told, after the call has ended."""
        assert self.result is not None
        return self.result


class Simulation:
    """One stretch of virtual time, with one router.

    Args:
        setting: the order, the homes, what goes wrong.
        stretch: how many calls, and what all randomness comes from.
        router: takes each call to its result.
        observe: is shown every call when nothing of it can run any more.
    """

    def __init__(
        self,
        setting: Setting,
        stretch: Stretch,
        router: Router,
        observe: Callable[[Story], None],
    ) -> None:
        self._world = World({name: LATENCIES[name] for name in setting.order})
        self._setting = setting
        self._router = router
        self._observe = observe
        self._random = Random(f"{stretch.key}/world")
        tables = tuple(setting.homes)
        self._arrivals = arrivals(stretch.key, setting.rate, tables, stretch.calls)
        self._events: list[tuple[float, int, Callable[..., None], tuple[Any, ...]]] = []
        self._ticket: Iterator[int] = count()
        self._now = 0.0

    def run(self) -> World:
        """Let time pass until nothing is left to happen; give the world as it then is."""
        self._next_arrival()
        while self._events:
            self._now, _, happen, what = heappop(self._events)
            happen(*what)
        return self._world

    def _at(self, when: float, happen: Callable[..., None], *what: Any) -> None:
        heappush(self._events, (when, next(self._ticket), happen, what))

    def _next_arrival(self) -> None:
        arrival = next(self._arrivals, None)
        if arrival is not None:
            self._at(arrival.at, self._arrive, arrival)

    def _arrive(self, arrival: Arrival) -> None:
        self._next_arrival()
        homes = self._setting.homes
        call = call_of(arrival, lambda table, key: self._world.revision(homes[table], (table, key)))
        course = self._router.course(call, arrival.at, arrival.timeout)
        deadline = arrival.at + arrival.timeout
        story = Story(arrival.number, arrival.at, arrival.kind, deadline, call, course)
        self._carry_out(story, next(course))

    def _carry_out(self, story: Story, command: Ask | Pause) -> None:
        if isinstance(command, Pause):
            wakes = self._now + command.seconds + self._freeze()
            self._at(wakes, self._reply, story, self._now, None)
        else:
            self._send(story, command)

    def _send(self, story: Story, ask: Ask) -> None:
        target, now, random = self._world.targets[ask.target], self._now, self._random
        latency = LATENCY[int(random.random() * QUANTILES)] * target.latency
        struck = self._setting.schedule.strike(ask.target, now, random)
        fate = fate_of(struck, ask.call, random, latency, ask.timeout)
        read_back = type(ask.call) is not type(story.call)
        attempt = Try(now, ask.target, ask.call, ask.timeout, read_back, struck)
        story.tries.append(attempt)
        if fate.runs_after is not None:
            story.pending += 1
            self._at(now + fate.runs_after, self._execute, story, attempt, fate)
        self._at(now + fate.answers_after + self._freeze(), self._answer, story, attempt, fate)

    def _execute(self, story: Story, attempt: Try, fate: Fate) -> None:
        story.pending -= 1
        attempt.answer = self._run(story.number, attempt, fate)
        if story.result is not None and not story.pending:
            self._settle(story)

    def _run(self, number: int, attempt: Try, fate: Fate) -> Result[Any]:
        target, call = attempt.target, attempt.call
        if isinstance(call, Publish) and fate.spoilt is Spoilt.SPLIT:
            return self._split(number, self._world.targets[target], call)
        answer = self._world.run(number, target, call, self._now)
        if fate.spoilt is Spoilt.MISCOUNTED:
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

    def _answer(self, story: Story, attempt: Try, fate: Fate) -> None:
        if fate.outcome is None:
            assert attempt.answer is not None
            attempt.result = attempt.answer
        else:
            attempt.result = Result(fate.outcome, code=attempt.struck, retry_after=fate.retry_after)
        attempt.ended = self._now
        self._reply(story, attempt.at, attempt.result)

    def _reply(self, story: Story, began: float, result: Result[Any] | None) -> None:
        try:
            command = story.course.send(Reply(began, self._now, result))
        except StopIteration as end:
            story.result, story.ended = end.value, self._now
            if not story.pending:
                self._settle(story)
        else:
            self._carry_out(story, command)

    def _settle(self, story: Story) -> None:
        story.deeds = self._world.deeds(story.number)
        self._observe(story)

    def _freeze(self) -> float:
        share = self._setting.freeze
        if share and self._random.random() < share:
            return self._random.random() * LONGEST_FREEZE
        return 0.0


FATES_OF_ENTRIES = (
    Outcome.OK,
    Outcome.OK,
    Outcome.REJECTED,
    Outcome.AMBIGUOUS,
    Outcome.UNUSABLE,
    Outcome.CALLER,
)
