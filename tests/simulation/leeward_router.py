"""leeward's own routing, as the simulation drives it."""

from __future__ import annotations

from collections.abc import Mapping
from random import Random
from typing import Any

from leeward._routing.attempts import Core
from leeward._routing.commands import FreePlace, ProbeTarget
from leeward._routing.execution import Execution, execute
from leeward._routing.health import Health
from leeward._routing.policy import DEFAULT
from leeward._routing.targets import NO_GROUPS, TargetGroup, Targets
from leeward.calls import Call, Result
from leeward.errors import Outcome
from leeward.values import RoutingEvent

POLICY = DEFAULT


class Leeward:
    """The real core decides everything; the simulation is its third runner.

    Args:
        order: the targets in order of preference.
        homes: table to the target that owns it.
        seed: decides the jitter.
        groups: what not every target may serve.
        probes: its drivers have probes of their own.
    """

    def __init__(
        self,
        order: tuple[str, ...],
        homes: Mapping[str, str],
        seed: str,
        groups: Mapping[tuple[str, str], TargetGroup] = NO_GROUPS,
        *,
        probes: bool = True,
        hedging: bool = False,
    ) -> None:
        jitter = Random(f"{seed}/jitter")
        probing = frozenset(order if probes else ())
        health = Health(Targets(order, None, homes, groups), jitter.random, POLICY, probing)
        self.core = Core(health, hedging)
        self.told: list[tuple[float, RoutingEvent]] = []
        self._why = ""
        self._heart = 0

    def execute(self, call: Call, started: float, timeout: float) -> Execution:
        """Take one call to its result."""
        result: Result[Any] = yield from execute(self.core, call, started, timeout)
        self._why = ""
        if not result.attempts:
            self._why = result.reason or ""
        elif self.core.health.history:
            number, *_, why = self.core.health.history[-1]
            self._why = why if number == result.attempts[0].call_id else ""
        return result

    def why(self) -> str:
        """Return the code of what ended the last call."""
        return self._why

    def left_to_do(self, now: float) -> list[ProbeTarget | FreePlace]:
        """Return the probes to make, and the places to give; keep the events that were told."""
        outbox = self.core.health.outbox
        left = [each for each in outbox if isinstance(each, ProbeTarget | FreePlace)]
        self.told += [(now, each) for each in outbox if isinstance(each, RoutingEvent)]
        outbox.clear()
        return left

    def probed(self, probe: ProbeTarget, outcome: Outcome, now: float, fidelity: str) -> None:
        """Take in the answer to a driver's own probe."""
        self.core.health.circuits.take_probe(probe, outcome, now, fidelity=fidelity)

    def beat(self, now: float) -> None:
        """Let the router know that its process runs."""
        heartbeat = self.core.health.heartbeat
        if heartbeat.is_due(now):
            self._heart = heartbeat.begin(now)
        heartbeat.beat(self._heart, now, self.core.health.calls)
