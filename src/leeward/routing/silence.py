"""Targets that take calls in and do not answer.

One that has not answered for longer than its slowest answers take is *silent*: calls go elsewhere,
but for one or two that wait there, until it answers anything, and then all is as before. So a short
pause moves calls, and opens no circuit. One that is silent for long is stalled: its circuit opens.

So that calls under way need not wait for that, the first attempt at a harmless one is given up
early and made elsewhere. That proves nothing, and does not count; the silence does.
"""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING

from leeward.routing.circuit import Circuit, State
from leeward.routing.transitions import has_alternative, open_circuit

if TYPE_CHECKING:
    from leeward.adapter import Call
    from leeward.routing.call import CallState
    from leeward.routing.health import Health


def look(health: Health, circuit: Circuit, call: Call, now: float) -> None:
    """Look whether a target has been silent for too long, and open its circuit if it has."""
    policy, heartbeat = health.policy, health.heartbeat
    if circuit.left_of == circuit.pending_at and circuit.left >= circuit.pending:
        circuit.pending_at += now - circuit.left_at  # nobody has waited since
        circuit.left_of, circuit.left_at = circuit.pending_at, now
    began = circuit.pending_at
    if circuit.pending < policy.stall_attempts or circuit.state is not State.CLOSED:
        return
    if not heartbeat.is_known(began) and now - health.seen_at > circuit.stall_after:
        # nothing happened at all meanwhile: this process may have stood still
        circuit.pending, circuit.pending_at = 0, now
        end_silence(health, circuit)
        return
    waited = now - began - heartbeat.stood_still(began, now)
    if waited > circuit.stall_after:
        if has_alternative(health, circuit, call):
            open_circuit(health, circuit, call, now, "stall")
    elif waited > circuit.early and not circuit.silent:
        circuit.silent = circuit.uneasy = True
        circuit.looked_at = -inf
        health.silent[circuit] = None
        health.review()


def leave(circuit: Circuit, now: float) -> None:
    """Note that an attempt is not waited for any more: it was given up early, or cancelled."""
    if circuit.left_of != circuit.pending_at:
        circuit.left_of, circuit.left = circuit.pending_at, 0
    circuit.left += 1
    circuit.left_at = now


def end_silence(health: Health, circuit: Circuit) -> None:
    """Let calls go to a target again that has answered, or whose circuit says what they may."""
    if circuit.silent:
        circuit.silent = False
        health.silent.pop(circuit, None)
        health.review()


def is_avoided(state: CallState, circuits: list[Circuit], now: float) -> bool:
    """Return whether a call is better made elsewhere, because a circuit's target is silent.

    One or two that may be repeated go there and wait for long: an answer ends the silence.
    """
    silent = [each for each in circuits if each.silent]
    for each in silent:
        look(state.health, each, state.call, now)
    silent = [each for each in silent if each.silent]
    if state.rules.same and all(now - each.looked_at > each.stall_after / 2 for each in silent):
        for each in silent:
            each.looked_at = now
        return False
    return bool(silent)
