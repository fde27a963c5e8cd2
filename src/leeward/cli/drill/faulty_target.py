"""A target of a drill: the configured one, with faults between the router and its driver."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Final, NamedTuple

from leeward.adapter import Driver, WrappingDriver
from leeward.calls import Call, Invoke, Result
from leeward.cli.drill.faults import Fault, Kind
from leeward.cli.drill.record import Attempted, Record
from leeward.clock import Clock
from leeward.errors import Outcome

_NOT_RUN: Final = {
    Kind.REFUSE: Result[Any](Outcome.NOT_SENT, code="drill.refuse"),
    Kind.THROTTLE: Result[Any](Outcome.REJECTED, code="drill.throttle"),
    Kind.ERROR: Result[Any](Outcome.AMBIGUOUS, code="drill.error"),
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
    record: Record
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

    def __init__(self, driver: Driver, faults: tuple[Fault, ...], stage: Stage) -> None:
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
        if fault is None or fault.kind in (Kind.SLOW, Kind.LOSE_ANSWER):
            return super().probe(timeout)
        if fault.kind is Kind.BLACKOUT:
            time.sleep(timeout)
            return _late(fault)
        return _NOT_RUN[fault.kind]

    def _fault(self, now: float) -> Fault | None:
        holding = [each for each in self._faults if each.holds(now)]
        return next((each for each in holding if self._stage.random() < each.share), None)

    async def _attempt(
        self, call: Call, timeout: float, fault: Fault | None
    ) -> tuple[Result[Any], bool | None]:
        """Return how the attempt ends, and whether the call has run."""
        clock = self._stage.clock
        kind = fault and fault.kind
        if fault is None or kind in (Kind.SLOW, Kind.LOSE_ANSWER):
            began = clock.monotonic()
            result = await self._driver.perform_async(call, timeout)
            ran = True if result.executed else _RAN.get(result.outcome, False)
            if fault is None:
                return result, ran
            if kind is Kind.LOSE_ANSWER:
                return Result(Outcome.AMBIGUOUS, code="drill.lose_answer"), ran
            took = clock.monotonic() - began
            await clock.sleep_async(min(took * (fault.factor - 1), timeout - took))
            return (_late(fault) if took * fault.factor > timeout else result), ran
        if kind is Kind.BLACKOUT:
            await clock.sleep_async(timeout)
            return _late(fault), False
        assert kind is not None
        return _NOT_RUN[kind], False


def _late(fault: Fault) -> Result[Any]:
    return Result(Outcome.AMBIGUOUS, code=f"drill.{fault.kind.value}", reason="timeout")
