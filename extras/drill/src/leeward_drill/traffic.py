"""The calls of a drill: so many a second, whatever becomes of those before."""

from __future__ import annotations

import asyncio
import selectors
import time
from collections import Counter
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from random import Random
from typing import Any, Final, NamedTuple, TextIO, TypeVar

from rich.console import Console
from rich.live import Live
from rich.text import Text

from leeward.adapter import Capability, Driver, Limits, WrappingDriver
from leeward.aio import AsyncClient
from leeward.calls import Call, Invoke, Result
from leeward.clock import Clock
from leeward.config import Config
from leeward.entropy import new_id
from leeward.errors import LeewardError, Outcome
from leeward.values import Json
from leeward_drill.faults import DrillFault, FaultKind
from leeward_drill.page import bands
from leeward_drill.record import Attempted, Called, Decided, DrillRecord, Plan

_NOT_RUN: Final = {
    FaultKind.REFUSE: Result[Any](Outcome.NOT_SENT, code="drill.refuse"),
    FaultKind.THROTTLE: Result[Any](Outcome.REJECTED, code="drill.throttle"),
    FaultKind.ERROR: Result[Any](Outcome.AMBIGUOUS, code="drill.error"),
}

_RAN: Final = {
    Outcome.OK: True,
    Outcome.APP_ERROR: True,
    Outcome.AMBIGUOUS: None,
}
"""Whether a call has run whose attempt ended so; every other outcome proves that it has not."""


class Stage(NamedTuple):
    """What the targets of a drill share.

    Attributes:
        clock: tells the time, and waits.
        start: monotonic seconds at which the drill began.
        record: where attempts are noted.
        random: gives numbers in [0, 1).
    """

    clock: Clock
    start: float
    record: DrillRecord
    random: Callable[[], float]

    def now(self) -> float:
        """Return the seconds since the start."""
        return self.clock.monotonic() - self.start


class FaultyTarget(WrappingDriver):
    """A driver around `driver` that fails by schedule, and notes each attempt.

    A drill awaits its calls, so only those are noted; probes fail as well.

    Args:
        driver: of the target.
        faults: those at this target.
        stage: of the drill.
    """

    def __init__(self, driver: Driver, faults: tuple[DrillFault, ...], stage: Stage) -> None:
        super().__init__(driver)
        self._faults = faults
        self._stage = stage

    async def perform_async(self, call: Call, timeout: float) -> Result[Any]:
        """Await one attempt, with what the schedule has for this moment."""
        stage = self._stage
        began = stage.now()
        fault = self._fault(began)
        result: Result[Any] | None = None
        ran: bool | None = None
        try:
            result, ran = await self._attempt(call, timeout, fault)
        finally:
            key = call.idempotency_key if isinstance(call, Invoke) else ""
            outcome = None if result is None else result.outcome
            kind = fault.kind.value if fault else ""
            attempted = Attempted(self.target, key, began, stage.now(), outcome, ran, kind)
            stage.record.attempts.append(attempted)
        return result

    def probe(self, timeout: float) -> Result[Any]:
        """Look whether the target works, on a thread."""
        fault = self._fault(self._stage.now())
        if fault is None or fault.kind in (FaultKind.SLOW, FaultKind.LOSE_ANSWER):
            return super().probe(timeout)
        if fault.kind is FaultKind.BLACKOUT:
            time.sleep(timeout)
            return _late(fault)
        return _NOT_RUN[fault.kind]

    def _fault(self, now: float) -> DrillFault | None:
        holding = [fault for fault in self._faults if fault.holds(now)]
        return next((each for each in holding if self._stage.random() < each.share), None)

    async def _attempt(
        self, call: Call, timeout: float, fault: DrillFault | None
    ) -> tuple[Result[Any], bool | None]:
        """Return how the attempt ends, and whether the call has run."""
        clock = self._stage.clock
        kind = fault and fault.kind
        if fault is None or kind in (FaultKind.SLOW, FaultKind.LOSE_ANSWER):
            began = clock.monotonic()
            result = await self._driver.perform_async(call, timeout)
            ran = True if result.executed else _RAN.get(result.outcome, False)
            if fault is None:
                return result, ran
            if kind is FaultKind.LOSE_ANSWER:
                return Result(Outcome.AMBIGUOUS, code="drill.lose_answer"), ran
            took = clock.monotonic() - began
            await clock.sleep_async(min(took * (fault.factor - 1), timeout - took))
            return (_late(fault) if took * fault.factor > timeout else result), ran
        if kind is FaultKind.BLACKOUT:
            await clock.sleep_async(timeout)
            return _late(fault), False
        assert kind is not None
        return _NOT_RUN[kind], False


def _late(fault: DrillFault) -> Result[Any]:
    return Result(Outcome.AMBIGUOUS, code=f"drill.{fault.kind.value}", reason="timeout")


Look = Callable[[DrillRecord, float], object]
"""Is shown what has happened so far, and how many seconds have passed."""

LOOK_SECONDS = 1.0


async def play(
    plan: Plan,
    drivers: list[Driver],
    config: Config,
    clock: Clock,
    random: Callable[[], float],
    *,
    payload: Json = None,
    timeout: float | None = None,
    look: Look | None = None,
) -> DrillRecord:
    """Make the calls of a drill, and let the faults happen; return what came of it.

    Args:
        plan: of the drill.
        drivers: one for each target of the plan's order; they are closed at the end.
        config: of the order.
        clock: tells the time, and waits.
        random: gives numbers in [0, 1).
        payload: of each call.
        timeout: seconds of each call; None for the configured ones.
        look: is called once a second.
    """
    record = DrillRecord()
    stage = Stage(clock, clock.monotonic(), record, random)
    faulty: list[Driver] = [
        FaultyTarget(driver, tuple(f for f in plan.faults if f.is_at(driver.target)), stage)
        for driver in drivers
    ]
    async with AsyncClient(faulty, config=config, clock=clock) as cloud:
        cloud.listen(lambda event: record.decisions.append(Decided(stage.now(), event)))

        async def call() -> None:
            record.calls.append(await _call(cloud, plan, stage, payload, timeout))

        watching = asyncio.create_task(_watch(stage, look)) if look else None
        async with asyncio.TaskGroup() as calls:  # what no call may raise ends the drill
            for number in range(int(plan.rate * plan.seconds)):
                await clock.sleep_async(max(0.0, number / plan.rate - stage.now()))
                record.begun += 1
                calls.create_task(call())
        if watching is not None:
            watching.cancel()
    return record


async def _call(
    cloud: AsyncClient, plan: Plan, stage: Stage, payload: Json, timeout: float | None
) -> Called:
    key, began = new_id(stage.clock.now()), stage.now()
    try:
        answer = await cloud.invoke(
            plan.function, payload, effect=plan.effect, idempotency_key=key, timeout=timeout
        )
    except LeewardError as error:
        return Called(key, began, stage.now(), None, type(error).__name__, str(error))
    return Called(key, began, stage.now(), answer.target)


async def _watch(stage: Stage, look: Look) -> Any:
    while True:
        await stage.clock.sleep_async(LOOK_SECONDS)
        look(stage.record, stage.now())


PLAIN_SECONDS: Final = 5
"""Between two lines where lines stay."""


@contextmanager
def progress(plan: Plan, stream: TextIO, *, quiet: bool) -> Iterator[Look | None]:
    """Yield what shows the state of a drill on `stream`; None if nothing is to be shown."""
    if quiet:
        yield None
        return
    console = Console(file=stream, highlight=False, markup=False, emoji=False)
    if console.is_terminal and not console.is_dumb_terminal:
        with Live(console=console, auto_refresh=False) as live:
            yield lambda record, now: live.update(Text(line(plan, record, now)), refresh=True)
        return

    def show(record: DrillRecord, now: float) -> None:
        if round(now) % PLAIN_SECONDS == 0:
            stream.write(line(plan, record, now) + "\n")
            stream.flush()

    yield show


def line(plan: Plan, record: DrillRecord, now: float) -> str:
    """Return what happens at this moment: the last second's calls, faults, and circuits."""
    ended = [call for call in record.calls if call.ended > now - 1]
    answered = Counter(each.target for each in ended if each.target)
    told = [f"{target} {answered[target]}/s" for target in plan.order]
    errors = sum(bool(each.error) for each in ended)
    if errors:
        told.append(f"errors {errors}/s")
    faults = [str(fault) for fault in plan.faults if fault.holds(now)]
    last = {band.target: band.state for band in bands(plan, record.decisions, now)}
    circuits = [f"{target} {state}" for target, state in last.items() if state != "closed"]
    parts = [f"{now:4.0f} s of {plan.seconds:.0f}", ", ".join(told)]
    parts += [f"fault: {', '.join(faults)}"] if faults else []
    parts += [f"circuits: {', '.join(circuits)}"] if circuits else []
    return " | ".join(parts)


T = TypeVar("T")

USUAL = (0.05, 0.08, 0.1)
"""Median seconds of an answer of the first, second and every further target; our own choice, about
those of regions near and far."""

SPREAD = 0.25
"""Of the log-normal distribution of answers."""


class _Jumping(selectors.DefaultSelector):
    """Waits for nothing that is not there yet: it lets the time pass instead."""

    passed = 0.0

    def select(self, timeout: float | None = None) -> Any:
        """Return what is ready; if that is nothing, let `timeout` seconds have passed."""
        if timeout is None:  # a thread is at work
            return super().select(None)
        found = super().select(0)
        if not found:
            self.passed += max(timeout, 0.0)
        return found


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop that is done as soon as nothing is left to do, whatever the time there."""

    def __init__(self) -> None:
        self._jumping = _Jumping()
        super().__init__(self._jumping)

    def time(self) -> float:
        """Return the virtual seconds since the loop was made."""
        return self._jumping.passed

    def block(self, seconds: float) -> None:
        """Advance the time while nothing here goes on."""
        self._jumping.passed += seconds


class VirtualClock:
    """The time of the running loop.

    Args:
        loop: whose time it is.
    """

    def __init__(self, loop: VirtualLoop) -> None:
        self.monotonic = loop.time
        self.sleep = loop.block  # the loop has the only thread, so whoever waits on it blocks all

    def now(self) -> float:
        """Return the same, in the place of the wall clock."""
        return self.monotonic()

    async def sleep_async(self, seconds: float) -> None:
        """Wait, in virtual time."""
        await asyncio.sleep(seconds)


def run_virtually(make: Callable[[VirtualClock], Coroutine[Any, Any, T]]) -> T:
    """Run what `make` returns for a clock in virtual time, and return its result."""
    loop = VirtualLoop()
    try:
        return loop.run_until_complete(make(VirtualClock(loop)))
    finally:
        loop.close()


class SimulatedTarget(Driver):
    """A target that answers everything after a while.

    Args:
        target: its name.
        median: seconds of an answer.
        random: decides how long each takes.
    """

    def __init__(self, target: str, median: float, random: Random) -> None:
        self.target = target
        self.capabilities = frozenset({Capability.INVOKE})
        self.limits = Limits()
        self._median = median
        self._random = random

    async def perform_async(self, call: Call, timeout: float) -> Result[Any]:
        """Return the answer, after the time that it takes."""
        del call, timeout
        await asyncio.sleep(self._median * self._random.lognormvariate(0, SPREAD))
        return Result.ok(None)

    def perform(self, call: Call, timeout: float) -> Result[Any]:
        """Return the answer at once: time passes only in coroutines."""
        del call, timeout
        return Result.ok(None)

    async def close_async(self) -> None:
        """Release nothing."""


def make_random(seed: str) -> Random:
    """Return random numbers that are the same in every run."""
    return Random(seed)  # noqa: S311 - it decides how long an answer takes, and what fails


def make_targets(order: tuple[str, ...]) -> list[Driver]:
    """Return a simulated target for each name."""
    medians = dict(enumerate(USUAL))
    return [
        SimulatedTarget(each, medians.get(number, USUAL[-1]), make_random(each))
        for number, each in enumerate(order)
    ]
