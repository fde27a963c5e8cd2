"""The baseline that everybody writes: on any exception, try the next provider."""

from __future__ import annotations

from typing import Any

from leeward.adapter import Call, Result
from leeward.errors import Outcome
from leeward.routing.call import Dispatch
from leeward.routing.choice import ProbeTarget
from leeward.routing.execution import Execution

ALL_FAILED: Result[Any] = Result(Outcome.NOT_SENT, code="all providers failed")
"""What its callers are told in the end: it has no unknown outcome."""


class Naive:
    """Rotate through `order` and stay where it worked; a time-out is a failure like any other."""

    def __init__(self, order: tuple[str, ...]) -> None:
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

    def why(self) -> str:
        """Say nothing: it has no reasons."""
        return ""

    def left_to_do(self, now: float) -> tuple[ProbeTarget, ...]:
        """Make no probes."""
        return ()

    def probed(self, probe: ProbeTarget, outcome: Outcome, now: float, fidelity: str) -> None:
        """Never be told of one."""
