"""What a probe that a driver made by itself says of its target."""

from __future__ import annotations

from leeward.errors import Outcome
from leeward.routing.call import Core
from leeward.routing.choice import ProbeTarget
from leeward.routing.circuit import State
from leeward.routing.evidence import any_flows_beside, changed, probe_passed
from leeward.routing.outcomes import TABLE, Sign


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
