"""For tests, yours too: a clock that does not wait, and a driver that fails on demand.

```python
cloud = FaultyDriver(Local())
cloud.fail(Fault.LOSE_ANSWER, times=1)      # the work is done, and nobody hears of it
with Client(cloud) as client:
    ...
```
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from enum import Enum
from typing import Any, NamedTuple

from leeward.adapter import Call, Driver, Result, WrappingDriver
from leeward.errors import ConfigError, Outcome


class FakeClock:
    """A clock that moves only when told to, or by sleeping, which takes no time.

    Args:
        now: the wall clock's start, in Unix seconds.
    """

    def __init__(self, now: float = 1_750_000_000.0) -> None:
        self._now = now
        self._passed = 0.0
        self._lock = threading.Lock()

    def now(self) -> float:
        """Return the wall clock in Unix seconds."""
        with self._lock:
            return self._now + self._passed

    def monotonic(self) -> float:
        """Return the seconds that have passed."""
        with self._lock:
            return self._passed

    def sleep(self, seconds: float) -> None:
        """Let `seconds` pass at once."""
        self.advance(seconds)

    async def sleep_async(self, seconds: float) -> None:
        """Let `seconds` pass at once."""
        self.advance(seconds)

    def advance(self, seconds: float) -> None:
        """Let `seconds` pass."""
        with self._lock:
            self._passed += seconds


class Fault(Enum):
    """What can be made to go wrong with one attempt."""

    REFUSE = "refuse"
    """The target cannot be reached: nothing runs, NOT_SENT."""
    THROTTLE = "throttle"
    """The target refuses before it runs anything: REJECTED."""
    SUSPEND = "suspend"
    """The account is suspended: nothing runs, UNUSABLE."""
    LOSE_REQUEST = "lose_request"
    """Sent, but it never arrived, and nobody can tell: nothing runs, AMBIGUOUS."""
    LOSE_ANSWER = "lose_answer"
    """It runs, and the answer is lost: AMBIGUOUS."""
    DENY = "deny"
    """The identity is refused: nothing runs, AUTH."""


_ANSWERS: Mapping[Fault, Result[Any]] = {
    Fault.REFUSE: Result(Outcome.NOT_SENT, code="fault.refuse"),
    Fault.THROTTLE: Result(Outcome.REJECTED, code="fault.throttle"),
    Fault.SUSPEND: Result(Outcome.UNUSABLE, code="fault.suspend"),
    Fault.LOSE_REQUEST: Result(Outcome.AMBIGUOUS, code="fault.lose_request"),
    Fault.LOSE_ANSWER: Result(Outcome.AMBIGUOUS, code="fault.lose_answer"),
    Fault.DENY: Result(Outcome.AUTH, code="fault.deny"),
}


class _Order(NamedTuple):
    """That attempts of `verb`, or of any, are to fail."""

    fault: Fault
    verb: str | None
    retry_after: float | None


class FaultyDriver(WrappingDriver):
    """A driver around `driver` that fails when told to, and remembers what it was asked.

    Attributes:
        calls: every call that was put to it, in order, failed ones included.
    """

    def __init__(self, driver: Driver) -> None:
        super().__init__(driver)
        self._next: list[_Order] = []
        self._always: dict[str | None, _Order] = {}
        self._lock = threading.Lock()
        self.calls: list[Call] = []

    def fail(
        self,
        fault: Fault,
        *,
        times: int | None = None,
        verb: str | None = None,
        retry_after: float | None = None,
    ) -> None:
        """Make the next attempts go wrong.

        Args:
            fault: how.
            times: how many attempts; None for all until `heal`.
            verb: only attempts of this verb, such as ``store``.
            retry_after: seconds that the answer asks to wait.
        """
        if not isinstance(fault, Fault):
            raise ConfigError(f"fault must be a leeward.testing.Fault, not {fault!r}")
        order = _Order(fault, verb, retry_after)
        with self._lock:
            if times is None:
                self._always[verb] = order
            else:
                self._next.extend([order] * times)

    def heal(self) -> None:
        """Let every attempt go well from now on."""
        with self._lock:
            self._always.clear()
            self._next.clear()

    def perform(self, call: Call, timeout: float) -> Result[Any]:
        """Make one attempt, or fail as told."""
        order = self._take_order(call)
        result = super().perform(call, timeout) if _arrives(order) else None
        return _answer(order, result)

    async def perform_async(self, call: Call, timeout: float) -> Result[Any]:
        """Await one attempt, or fail as told."""
        order = self._take_order(call)
        result = await super().perform_async(call, timeout) if _arrives(order) else None
        return _answer(order, result)

    def _take_order(self, call: Call) -> _Order | None:
        with self._lock:
            self.calls.append(call)
            for order in self._next:
                if order.verb in (None, call.verb):
                    self._next.remove(order)
                    return order
            return self._always.get(call.verb) or self._always.get(None)


def _arrives(order: _Order | None) -> bool:
    """Return whether the driver behind gets to see the call."""
    return order is None or order.fault is Fault.LOSE_ANSWER


def _answer(order: _Order | None, result: Result[Any] | None) -> Result[Any]:
    if order is None:
        assert result is not None, "without an order the call arrives"
        return result
    return _ANSWERS[order.fault]._replace(retry_after=order.retry_after)
