"""The baseline that everybody writes: on any exception, try the next provider."""

from __future__ import annotations

from typing import Any

from leeward.adapter import Call, Result
from leeward.errors import Outcome
from leeward.routing.journey import Ask
from tests.simulation.runner import Course

ALL_FAILED: Result[Any] = Result(Outcome.NOT_SENT, code="all providers failed")
"""What its callers are told in the end: it knows no unknown outcome."""


class Naive:
    """Rotate through `order` and stay where it worked; a time-out is a failure like any other."""

    def __init__(self, order: tuple[str, ...]) -> None:
        self._order = order
        self._current = 0

    def course(self, call: Call, started: float, timeout: float) -> Course:
        """Give the course of one call: every provider once, each with the whole time-out."""
        for _ in self._order:
            turn = self._current
            reply = yield Ask(self._order[turn], call, timeout)
            assert reply.result is not None
            if reply.result.outcome is Outcome.OK:
                return reply.result
            self._current = (turn + 1) % len(self._order)
        return ALL_FAILED
