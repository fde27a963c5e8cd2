"""How long an attempt may take where it is not to take its share of the call's time."""

from __future__ import annotations

from typing import TYPE_CHECKING

from leeward.calls import time_after
from leeward.routing.circuit import Circuit, State

if TYPE_CHECKING:
    from leeward.routing.call import CallState, Dispatch, ReadBack
    from leeward.routing.health import Health


NEARLY = 0.95
"""Share of its time that an attempt has used up which has run out of it: drivers round."""


def is_used_up(timeout: float, began: float, now: float, waited: float = 0.0) -> bool:
    """Return whether an attempt has taken all the time that it had once it had `waited`."""
    return now - began - waited >= NEARLY * time_after(waited, timeout)


def may_be_early(state: CallState, circuit: Circuit) -> bool:
    """Return whether a first attempt that has others may be given up early; take a token for it.

    A target that takes long now, and answers, is asked twice for a small share of the calls.
    """
    health, policy = state.health, state.health.policy
    if circuit.state is not State.CLOSED or circuit.silent:
        return False
    tokens = min(policy.early_burst, health.early_tokens + policy.early_share)
    health.early_tokens = tokens - 1 if tokens >= 1 else tokens
    return tokens >= 1


def refund_early(health: Health, command: Dispatch | ReadBack) -> None:
    """Refund the token of an attempt that might have been given up early, and was not."""
    if command.early:
        health.early_tokens = min(health.policy.early_burst, health.early_tokens + 1)


def time_for_probe(state: CallState, target: str, seconds: float, now: float) -> float:
    """Return the seconds of a probe, and hold its lease for as long.

    It is not cut short of a slow function, which would fail and run again each time: it has what
    the slowest target needs, and as long as any attempt where this one has no baseline.
    """
    from leeward.routing.transitions import extend_leases

    health, call, policy = state.health, state.call, state.health.policy
    if state.rules.elsewhere and len(state.able) > 1 and health.add(target, call).latency.usual:
        keys = [(each, call.verb, call[0]) for each in health.targets.order]
        usual = max(health.circuits[key].latency.usual for key in keys if key in health.circuits)
        seconds = min(seconds, max(policy.probe_time, policy.slow_factor * usual))
    extend_leases(state.health, target, state.call, now + seconds + policy.lease_margin)
    return seconds
