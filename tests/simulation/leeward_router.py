"""leeward's own routing, as the simulation drives it."""

from __future__ import annotations

from collections.abc import Mapping
from random import Random
from typing import Any

from leeward.adapter import Call, Result
from leeward.routing.call import Core
from leeward.routing.execution import Execution, execute
from leeward.routing.health import Health
from leeward.routing.policy import DEFAULT
from leeward.routing.select import Targets

POLICY = DEFAULT


class Leeward:
    """The real core decides everything; the simulation is its third runner.

    Args:
        order: the targets in order of preference.
        homes: table to the target that owns it.
        seed: decides the jitter.
    """

    def __init__(self, order: tuple[str, ...], homes: Mapping[str, str], seed: str) -> None:
        jitter = Random(f"{seed}/jitter")
        self._why = ""
        self.core = Core(Health(Targets(order, None, homes), jitter.random, POLICY))

    def execute(self, call: Call, started: float, timeout: float) -> Execution:
        """Take one call to its result."""
        self._why = ""
        execution = execute(self.core, call, started, timeout)
        result: Result[Any] = yield from execution
        known = self.core.health.history[-1] if self.core.health.history else None
        number = result.attempts[0].call_id if result.attempts else -1
        self._why = known[4] if known and known[0] == number else result.reason or ""
        return result

    def why(self) -> str:
        """Return the code of what ended the last call."""
        return self._why
