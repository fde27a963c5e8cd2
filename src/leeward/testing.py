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
from collections import deque
from collections.abc import Mapping
from enum import Enum
from typing import Any

from leeward.driver import Call, Driver, Result, WrappingDriver
from leeward.errors import Outcome


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
        """Give the wall clock in Unix seconds."""
        with self._lock:
            return self._now + self._passed

    def monotonic(self) -> float:
        """Give the seconds that have passed."""
        with self._lock:
            return self._passed

    def sleep(self, seconds: float) -> None:
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


class FaultyDriver(WrappingDriver):
    """A driver around `driver` that fails when told to, and remembers what it was asked.

    Attributes:
        calls: every call that was put to it, in order, failed ones included.
    """

    def __init__(self, driver: Driver) -> None:
        super().__init__(driver)
        self._faults: deque[tuple[Fault, str | None, float | None]] = deque()
        self._always: tuple[Fault, str | None, float | None] | None = None
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
        with self._lock:
            if times is None:
                self._always = (fault, verb, retry_after)
            else:
                self._faults.extend([(fault, verb, retry_after)] * times)

    def heal(self) -> None:
        """Let every attempt go well from now on."""
        with self._lock:
            self._always = None
            self._faults.clear()

    def perform(self, call: Call, timeout: float) -> Result[Any]:
        """Make one attempt, or fail as told."""
        fault, retry_after = self._take_fault(call)
        if fault is None:
            return super().perform(call, timeout)
        if fault is Fault.LOSE_ANSWER:
            super().perform(call, timeout)
        return _ANSWERS[fault]._replace(retry_after=retry_after)

    def _take_fault(self, call: Call) -> tuple[Fault | None, float | None]:
        with self._lock:
            self.calls.append(call)
            if self._faults and self._faults[0][1] in (None, call.verb):
                fault, _, retry_after = self._faults.popleft()
                return fault, retry_after
            if self._always is not None and self._always[1] in (None, call.verb):
                return self._always[0], self._always[2]
            return None, None
