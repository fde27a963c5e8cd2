"""What a probe says of its target that a driver made by itself, or that is made without a call."""

from __future__ import annotations

from typing import Final, NamedTuple

from leeward.errors import Outcome
from leeward.routing.call import Core
from leeward.routing.choice import ProbeTarget
from leeward.routing.circuit import Circuit, State
from leeward.routing.health import Health
from leeward.routing.outcomes import TABLE, Sign
from leeward.routing.transitions import any_flows_beside, changed, probe_passed


def probed(
    core: Core, probe: ProbeTarget, outcome: Outcome, now: float, *, fidelity: str | None
) -> None:
    """Take in the answer to a probe.

    A target that works says little of one function on it, and its control plane little of its data
    plane: such a probe is a weak one, after which the ramp begins with a very small share.
    """
    health = core.health
    key = (probe.target, probe.verb, probe.resource) if probe.resource else probe[:2]
    circuit = health.circuits.get(key)
    if circuit is None or circuit.state is not State.HALF_OPEN or circuit.epoch != probe.epoch:
        return
    if outcome is Outcome.OK:
        weak = bool(probe.resource) or fidelity != "data_plane"
        probe_passed(health, circuit, now, weak=weak)
    elif TABLE[outcome].sign is Sign.NOTHING:
        circuit.leased_until, circuit.due = 0.0, now + health.policy.probe_gap
    else:
        alone = not any_flows_beside(health, circuit)
        hold = health.policy.hold_all_down if alone else None
        seconds = circuit.open(
            health.policy, now, health.random, "probe_failed", hold=hold, penalised=False
        )
        changed(health, circuit, "opened", seconds=round(seconds, 3))


MOVING: Final = frozenset({"invoke", "enqueue", "publish"})
"""Verbs that no home ties to a target."""


class HealthChecks(NamedTuple):
    """How targets are probed whether or not calls go there.

    Attributes:
        interval: seconds between two probes of a target.
        failures: probes in a row that have to fail before it counts as ill.
        recoveries: probes in a row that have to go well before calls return.
    """

    interval: float
    failures: int
    recoveries: int


def is_due(health: Health, target: str, now: float, checks: HealthChecks) -> bool:
    """Return whether a target has to be probed: calls that went well say as much.

    They end a row of probes that failed, too.
    """
    circuits = [each for each in health.circuits.values() if each.target == target]
    if any(each.state is not State.CLOSED for each in circuits):
        return True
    if all(now - each.good_at >= checks.interval for each in circuits):
        return True
    health.records[target].checks = max(0, health.records[target].checks)
    return False


def checked(
    health: Health, target: str, outcome: Outcome, now: float, checks: HealthChecks, *, weak: bool
) -> None:
    """Take in a probe that was made without any call.

    Enough failures in a row open the circuits of all verbs, if another target is well, those that
    no call has gone there with included; enough successes begin the ramp.
    """
    record = health.records[target]
    if outcome is not Outcome.OK and TABLE[outcome].sign is Sign.NOTHING:
        return
    well = outcome is Outcome.OK
    record.checks = max(1, record.checks + 1) if well else min(-1, record.checks - 1)
    too_many = -record.checks >= checks.failures
    if too_many:
        for verb in MOVING & {each.verb for each in health.circuits.values()}:
            health.wide_of(target, verb)
    for circuit in list(health.circuits.values()):
        if circuit.target != target or circuit.resource:
            continue
        is_closed = circuit.state is State.CLOSED
        if record.checks >= checks.recoveries and not is_closed:
            _begin_ramp(health, circuit, now, weak=weak)
        if not well:
            circuit.due = max(circuit.due, now)  # what opened it is not of long ago
        if too_many and is_closed and any_flows_beside(health, circuit):
            seconds = circuit.open(health.policy, now, health.random, "health_check")
            changed(health, circuit, "opened", seconds=round(seconds, 3))


def _begin_ramp(health: Health, circuit: Circuit, now: float, *, weak: bool) -> None:
    if circuit.state in (State.OPEN, State.HALF_OPEN):
        circuit.begin_stage(-1 if weak else 0, now)
        changed(health, circuit, "ramp", share=circuit.share(health.policy))
