"""leeward's own routing, as the simulation drives it."""

from __future__ import annotations

from collections.abc import Mapping
from random import Random

from leeward.adapter import Call
from leeward.routing.execution import Core, Execution, execute
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
        self._core = Core(Targets(order, None, homes), POLICY, Health(order), jitter.random)

    def execute(self, call: Call, started: float, timeout: float) -> Execution:
        """Take one call to its result."""
        return execute(self._core, call, started, timeout)
