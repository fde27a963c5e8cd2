"""The routers that are in use elsewhere, in the same worlds: what leeward is compared with.

None of them knows an unknown outcome: what is not OK is a failure like any other.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import inf
from random import Random
from typing import Any, Final

from leeward._routing.commands import Dispatch, ProbeTarget
from leeward._routing.execution import Execution
from leeward.adapter import Call, Result
from leeward.errors import Outcome
from tests.simulation.runner import Router

ALL_FAILED: Result[Any] = Result(Outcome.NOT_SENT, code="all providers failed")
"""What its callers are told in the end: it has no unknown outcome."""


class Baseline:
    """What all baselines have in common: no reasons, and no probes of their own."""

    def why(self) -> str:
        """Return nothing: there are no reasons."""
        return ""

    def left_to_do(self, now: float) -> tuple[ProbeTarget, ...]:
        """Make no probes."""
        return ()

    def probed(self, probe: ProbeTarget, outcome: Outcome, now: float, fidelity: str) -> None:
        """Never be told of one."""


class Naive(Baseline):
    """The loop that everybody writes: on any exception, try the next provider, and stay there."""

    def __init__(self, order: tuple[str, ...], seed: str = "") -> None:
        self._order = order
        self._current = 0

    def execute(self, call: Call, started: float, timeout: float) -> Execution:
        """Ask every provider once, each with the whole time-out."""
        for attempt in range(1, len(self._order) + 1):
            turn = self._current
            _, _, _, result = yield (Dispatch(attempt, self._order[turn], call, timeout),)
            assert isinstance(result, Result)
            if result.outcome is Outcome.OK:
                return result
            self._current = (turn + 1) % len(self._order)
        return ALL_FAILED


class Breaker(Baseline):
    """The textbook circuit breaker: five failures in a row open it for 30 s; then one call tries.

    On an exception, or where a breaker is open, the next provider is asked.
    """

    FAILURES: Final = 5
    HOLD: Final = 30.0

    def __init__(self, order: tuple[str, ...], seed: str = "") -> None:
        self._order = order
        self._failures = dict.fromkeys(order, 0)
        self._until = dict.fromkeys(order, -inf)

    def execute(self, call: Call, started: float, timeout: float) -> Execution:
        """Ask the providers whose breaker is closed, in order."""
        attempt, now = 0, started
        for target in self._order:
            if now < self._until[target]:
                continue
            if self._failures[target] >= self.FAILURES:
                self._until[target] = now + self.HOLD  # half open: this call alone tries
            attempt += 1
            _, _, now, result = yield (Dispatch(attempt, target, call, timeout),)
            assert isinstance(result, Result)
            if result.outcome is Outcome.OK:
                self._failures[target], self._until[target] = 0, -inf
                return result
            self._failures[target] += 1
            if self._failures[target] >= self.FAILURES:
                self._until[target] = now + self.HOLD
        if not attempt:  # an execution has to ask somebody: the first, as a fallback
            _, _, _, result = yield (Dispatch(1, self._order[0], call, timeout),)
            assert isinstance(result, Result)
            return result if result.outcome is Outcome.OK else ALL_FAILED
        return ALL_FAILED


class Cooldown(Baseline):
    """A cooldown router, after litellm's: a random deployment, two retries, 5 s rest for the bad.

    A deployment rests when it answers 429, or when more than half of the last minute's calls have
    failed and there were at least five.
    """

    RETRIES: Final = 2
    REST: Final = 5.0
    MINUTE: Final = 60.0
    LEAST: Final = 5

    def __init__(self, order: tuple[str, ...], seed: str = "") -> None:
        self._order = order
        self._random = Random(f"{seed}/cooldown")
        self._until = dict.fromkeys(order, -inf)
        self._minute = dict.fromkeys(order, (-inf, 0, 0))

    def execute(self, call: Call, started: float, timeout: float) -> Execution:
        """Ask a random deployment that does not rest, and others after a failure."""
        now = started
        for attempt in range(1, self.RETRIES + 2):
            awake = [each for each in self._order if now >= self._until[each]] or self._order
            target = awake[int(self._random.random() * len(awake))]
            _, _, now, result = yield (Dispatch(attempt, target, call, timeout),)
            assert isinstance(result, Result)
            self._note(target, result.outcome, now)
            if result.outcome is Outcome.OK:
                return result
        return ALL_FAILED

    def _note(self, target: str, outcome: Outcome, now: float) -> None:
        began, calls, failures = self._minute[target]
        if now - began >= self.MINUTE:
            began, calls, failures = now, 0, 0
        calls, failures = calls + 1, failures + (outcome is not Outcome.OK)
        self._minute[target] = began, calls, failures
        too_many = calls >= self.LEAST and failures > calls / 2
        if outcome is Outcome.REJECTED or too_many:
            self._until[target] = now + self.REST


BASELINES: Mapping[str, Callable[[tuple[str, ...], str], Router]] = {
    "naive": Naive,
    "breaker": Breaker,
    "cooldown": Cooldown,
}
"""By the name that reports show."""
