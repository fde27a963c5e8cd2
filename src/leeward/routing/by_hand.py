"""What an operator does by hand: take a target out, and let it come back."""

from __future__ import annotations

from leeward.routing.circuit import State
from leeward.routing.health import Health
from leeward.routing.transitions import changed, tell


def isolate(health: Health, target: str) -> None:
    """Send nothing to `target` any more, whatever the evidence, until it is restored."""
    health.records[target].isolated = True
    health.review()
    tell(health, "isolated", target=target, reason="by_hand")


def restore(health: Health, target: str, now: float) -> None:
    """Let calls flow to `target` again: a share first, as after any outage.

    Where it is the only one left, it takes all of them at once.
    """
    record = health.records[target]
    was_isolated, record.isolated = record.isolated, False
    for circuit in list(health.circuits.values()):
        if circuit.target != target:
            continue
        is_whole_verb = not circuit.resource
        if circuit.state is not State.CLOSED or (was_isolated and is_whole_verb):
            circuit.begin_stage(0, now)
            circuit.failed = circuit.slow = circuit.faint = 0.0
            circuit.trips, circuit.penalty = 0, 0.0
            changed(health, circuit, "ramp", share=circuit.share(health.policy))
    for targets, current in list(health.current.items()):
        if current != target and target in targets:
            del health.current[targets]
    health.review()
    tell(health, "restored", target=target, reason="by_hand")
