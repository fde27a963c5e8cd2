"""leeward's own routing, as the simulation drives it."""

from __future__ import annotations

from collections.abc import Mapping
from random import Random
from typing import Any

from leeward.adapter import Call, Capability, Driver, Limits, Result
from leeward.routing import FailoverDriver
from leeward.routing.journey import journey, spec_of
from tests.simulation.runner import Course


class Leeward:
    """The real `FailoverDriver` decides who may serve a call, the real `journey` all the rest.

    Args:
        order: the targets in order of preference.
        homes: table to the target that owns it.
        seed: decides the jitter.
    """

    def __init__(self, order: tuple[str, ...], homes: Mapping[str, str], seed: str) -> None:
        self._driver = FailoverDriver([_Nameplate(name) for name in order], homes=homes)
        self._random = Random(f"{seed}/jitter")

    def course(self, call: Call, started: float, timeout: float) -> Course:
        """Give the course of one call."""
        spec = spec_of(call, self._driver.candidates(call), started, timeout)
        return journey(call, spec, self._random.random)


class _Nameplate(Driver):
    """A target of which only the name counts: the simulation itself carries out the attempts."""

    capabilities = frozenset(Capability)
    limits = Limits()

    def __init__(self, target: str) -> None:
        self.target = target

    def perform(self, call: Call, timeout: float) -> Result[Any]:
        raise AssertionError("attempts happen in virtual time")
