"""A drill without any cloud: an event loop whose time jumps, and targets that only take time."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Callable, Coroutine
from random import Random
from typing import Any, TypeVar

from leeward.adapter import Capability, Driver, Limits
from leeward.calls import Call, Result

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
        """Let time pass in which nothing here goes on."""
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
        """Answer."""
        del call, timeout
        await asyncio.sleep(self._median * self._random.lognormvariate(0, SPREAD))
        return Result.ok(None)

    def perform(self, call: Call, timeout: float) -> Result[Any]:
        """Answer at once: time passes only for who awaits."""
        del call, timeout
        return Result.ok(None)

    async def close_async(self) -> None:
        """Release nothing."""


def seeded(seed: str) -> Random:
    """Return random numbers that are the same in every run."""
    return Random(seed)  # noqa: S311 - it decides how long an answer takes, and what fails


def simulated(order: tuple[str, ...]) -> list[Driver]:
    """Return a simulated target for each name."""
    medians = dict(enumerate(USUAL))
    return [
        SimulatedTarget(each, medians.get(number, USUAL[-1]), seeded(each))
        for number, each in enumerate(order)
    ]
