"""What a client tells an operator of one target: its state, and whether it answers."""

from __future__ import annotations

from typing import Final

from leeward._routing.health import Evidence
from leeward.adapter import Driver
from leeward.clock import Clock
from leeward.config import Config
from leeward.config.groups import residency_of
from leeward.errors import Outcome
from leeward.values import ProbeReport, TargetStatus

PROBE_TIMEOUT: Final = 4.0
"""Seconds that a probe by hand may take."""


def status_of(driver: Driver, evidence: Evidence, config: Config) -> TargetStatus:
    """Describe a target."""
    places = driver.places()
    return TargetStatus(
        name=driver.target,
        capabilities=frozenset(capability.value for capability in driver.capabilities),
        settings=driver.describe(),
        attempts=evidence.attempts,
        failures=evidence.failures,
        last_outcome=evidence.last_outcome,
        state=evidence.state,
        circuits=evidence.circuits,
        residency=residency_of(config, driver.target),
        in_flight=None if places is None else places[0],
        waiting=None if places is None else places[1],
    )


def probe_of(driver: Driver, clock: Clock) -> ProbeReport:
    """Look whether a target works."""
    if driver.probe_fidelity is None:
        return ProbeReport(driver.target, None, None)
    began = clock.monotonic()
    result = driver.probe(PROBE_TIMEOUT)
    seconds = clock.monotonic() - began
    return ProbeReport(driver.target, result.outcome is Outcome.OK, seconds, result.code)
