"""The choice of a target for an attempt, while anything is unusual.

It is made for each attempt: the first target of the order whose circuit lets the call through.
"""

from __future__ import annotations

from typing import Final

from leeward._routing.attempts import CallState
from leeward._routing.circuit import Circuit, CircuitState
from leeward._routing.circuits import point_of
from leeward._routing.commands import PANIC, PROBE, ProbeTarget
from leeward._routing.health import Health
from leeward._routing.targets import TargetGroup, group_of, resource_of
from leeward.calls import Call, Publish
from leeward.records import NamedTuple

SPREAD: Final = 0.618033988749895
"""The golden ratio's fraction: its multiples are spread evenly, so a share is kept to exactly."""

SPARED: Final = ("ramp_full", "silent")  # reasons to ask a target only if no other one is left

LOST: Final = 10
"""Failures in a row, or attempts without an answer, after which an open target answers no call."""


class TargetChoice(NamedTuple):
    """The target of an attempt, and why.

    Attributes:
        target: empty if none may be asked now.
        reason: a code, which `leeward._routing.commands` puts into words.
        probe: the attempt is the one probe of a circuit that is half open.
        retry_after: seconds until another call may be let through, if known.
    """

    target: str
    reason: str
    probe: bool = False
    retry_after: float | None = None


def choose(state: CallState, now: float) -> TargetChoice:
    """Return the target for the next attempt at a call: one that it has not tried.

    While a target is out, every call comes through here, so the usual case creates no objects.
    """
    health = state.health
    preferred, reason, full = state.able, "first", ""
    is_arranged = state.rules.ordered or health.circuits.arranged
    if is_arranged:
        preferred, reason = _arrange(state, now)
    for target in preferred:
        if health.records[target].isolated:
            continue
        if target not in state.tried:
            choice = _choose_if_open(state, target, now, reason)
            if choice is not None and choice.reason not in SPARED:
                if is_arranged:
                    _stay_with(state, target)
                return choice
            full = full or ("" if choice is None else target)
        reason = "first_is_out"
    left = TargetChoice(full, "only_one_left") if full else _nothing_flows(state, now)
    if state.rules.ordered and left.target:
        _stay_with(state, left.target)
    return left


def _stay_with(state: CallState, target: str) -> None:
    """Keep the calls of a group, or the events of an ordering key, with the target of this one."""
    circuits, group, call = state.health.circuits, _whole_group(state), state.call
    if group is not None and group.fail_back != "prefer_primary":
        circuits.stay_with(group, target, call)
    if state.rules.ordered and isinstance(call, Publish):
        circuits.keep_at(call, target, state.able[0], state.deadline)


def _whole_group(state: CallState) -> TargetGroup | None:
    """Return the group of a call, if it is arranged and the call may go to all its targets.

    A call that is tied to a home, pinned or narrowed decides nothing for other calls.
    """
    if not state.health.circuits.arranged:
        return None
    group = group_of(state.health.targets, state.call)
    return group if state.able == group.targets else None


def _present_targets(state: CallState) -> tuple[str, ...]:
    """Return the targets that may serve a call and are not isolated."""
    records = state.health.records
    return tuple(target for target in state.able if not records[target].isolated)


def _nothing_flows(state: CallState, now: float) -> TargetChoice:
    """Return the choice for a call if none of its targets may be asked."""
    order = _present_targets(state)
    if not order:
        return TargetChoice("", "isolated")
    ill = find_ill(state, now)
    if ill:
        return TargetChoice(ill, PANIC)
    if state.tried:
        return TargetChoice("", "no_other_target")
    circuits = state.health.circuits.of(order[0], state.call)
    if len(order) == 1 == len(state.able) and not any(circuit.gone for circuit in circuits):
        return TargetChoice(order[0], "only_one_able")
    trial = _trial(state, order, now)
    if trial:
        return TargetChoice(trial, "only_one_able")
    wait = _time_to_probe(state.health, order, state.call, now)
    return TargetChoice("", "all_down", retry_after=wait)


def find_ill(state: CallState, now: float) -> str:
    """Return a target with an open circuit that still answers some calls; "" for none.

    For a call that may be repeated, while no healthy target has a place: some failures are better
    than no service. Envoy calls that its panic threshold. A second try there is charged like a call
    that leaves a healthy target: only few may.
    """
    health, call = state.health, state.call
    if len(state.able) == 1 or not state.rules.elsewhere or state.rules.ordered:
        return ""
    ill = [
        target
        for target in _present_targets(state)
        if target not in state.lines
        and not health.circuits.lets_through(target, call)
        and not any(
            circuit.reason == "unusable" or circuit.streak + circuit.unanswered >= LOST
            for circuit in health.circuits.of(target, call)
        )
    ]
    fresh = [target for target in ill if state.proved and target not in state.tried]
    again = [target for target in ill if target in state.tried]
    if fresh or not again:
        return fresh[0] if fresh else ""
    return again[0] if health.budgets.spend_failover(now, health.calls) else ""


def _trial(state: CallState, order: tuple[str, ...], now: float) -> str:
    """Return a target that a call without any target tries now and then; "" for none now.

    Its circuits stay open as long as calls with another target can avoid it; this call has no other
    target. If no call has another target, its circuits are open for a short time only.
    """
    health, call, pause = state.health, state.call, state.health.policy.hold_all_down
    group = group_of(health.targets, call).targets
    others = (target for target in group if target not in state.able)
    if not any(health.circuits.lets_through(target, call) for target in others):
        return ""
    for target in order:
        circuits = health.circuits.of(target, call)
        if all(circuit.good_at > circuit.opened_at and not circuit.gone for circuit in circuits):
            return target
        if all(now - circuit.looked_at >= pause for circuit in circuits):
            for circuit in circuits:
                circuit.note_look(now)
            return target
    return ""


def _arrange(state: CallState, now: float) -> tuple[tuple[str, ...], str]:
    """Return the targets in the order for this call, and the reason of that order."""
    health, group, call = state.health, _whole_group(state), state.call
    preferred, reason, current = state.able, "first", None
    if state.rules.ordered and isinstance(call, Publish):
        current = health.circuits.kept_target(call, now)
    if group is not None:
        preferred = _present_targets(state)
        if current is None and group.fail_back != "prefer_primary":
            current = health.circuits.current.get(group.targets)
    if current in preferred and (current != preferred[0] or state.rules.ordered):
        others = (target for target in preferred if target != current)
        preferred, reason = (current, *others), "stays"
    point = _point_of(state)
    for target, share in group.weights.items() if group and not state.rules.ordered else ():
        if target in preferred[1:]:
            if point < share:
                return (target, *(other for other in preferred if other != target)), "weight"
            point -= share
    return preferred, reason


def _choose_if_open(state: CallState, target: str, now: float, reason: str) -> TargetChoice | None:
    """Return the choice of `target`, if its circuits let the call through.

    "silent" is one that does not answer now.
    """
    health = state.health
    circuits: list[Circuit] = []
    for circuit in health.circuits.of(target, state.call):
        if circuit.uneasy:
            if circuit.state is CircuitState.OPEN and now < circuit.until and not circuits:
                return None
            circuits.append(circuit)
    if not circuits:
        return TargetChoice(target, reason)
    for circuit in circuits:
        health.circuits.advance(circuit, now)
    _look_together(health, circuits, now)
    if health.circuits.silent and _avoids(state, target, circuits, now):
        return TargetChoice(target, "silent")
    unclosed = [circuit for circuit in circuits if circuit.state is not CircuitState.CLOSED]
    if not unclosed:
        return TargetChoice(target, reason)
    if any(blocks(circuit, now) for circuit in unclosed):
        return None
    stays = state.rules.ordered and reason == "stays"  # a share of the calls is for other targets
    return _choose_returning(state, target, unclosed, now, stays=stays)


def _choose_returning(
    state: CallState, target: str, unclosed: list[Circuit], now: float, *, stays: bool
) -> TargetChoice | None:
    """Return the choice of a target that takes one probe, or a share of the calls.

    If it has its share already, that is "ramp_full"; a call that `stays` there is in the share.
    """
    health = state.health
    half_open = [circuit for circuit in unclosed if circuit.state is CircuitState.HALF_OPEN]
    if half_open and state.rules.same and not state.rules.ordered:
        for circuit in half_open:
            health.circuits.lease(circuit, now)
        return TargetChoice(target, PROBE, probe=True)
    if half_open and not _begin_without_a_call(health, target, half_open, now):
        return None
    share = min(circuit.share(health.policy) for circuit in unclosed)
    if stays or _point_of(state) < share:
        return TargetChoice(target, "ramp")
    return TargetChoice(target, "ramp_full")


def _point_of(state: CallState) -> float:
    """Return the place of a call in [0, 1): it belongs to each share that is greater.

    All events of an ordering key have one place, so a growing ramp moves them once.
    """
    if state.rules.ordered and isinstance(state.call, Publish):
        return point_of(state.call)
    return state.number * SPREAD % 1


def _look_together(health: Health, circuits: list[Circuit], now: float) -> None:
    """Count a probe of the whole verb for the resource, too: both need some call."""
    half_open = (circuit for circuit in circuits if circuit.state is CircuitState.HALF_OPEN)
    wide = next(half_open, None)
    if wide is None or wide.resource:
        return
    for circuit in circuits:
        is_open = circuit.resource and circuit.state is CircuitState.OPEN
        if is_open and circuit.reason != "unusable":
            health.circuits.half_open(circuit, now)


def blocks(circuit: Circuit, now: float) -> bool:
    """Return whether a circuit lets no call through now, not even a probe."""
    if circuit.state is CircuitState.HALF_OPEN:
        return now < max(circuit.leased_until, circuit.due)
    return circuit.state is CircuitState.OPEN and now < circuit.until


def _begin_without_a_call(
    health: Health, target: str, half_open: list[Circuit], now: float
) -> bool:
    """Find another way back if a call cannot be the probe, because repeating it may do harm.

    The driver is asked to probe. If it cannot, return True: a very small first stage of the ramp
    begins at once.
    """
    if health.records[target].probes:
        for circuit in half_open:
            health.circuits.lease(circuit, now)
            verb, resource, epoch = circuit.verb, circuit.resource, circuit.epoch
            seconds = health.policy.probe_time
            health.outbox.append(ProbeTarget(target, verb, resource, epoch, seconds))
        return False
    for circuit in half_open:
        health.circuits.begin_stage(circuit, -1, now)
    return True


def _time_to_probe(health: Health, order: tuple[str, ...], call: Call, now: float) -> float:
    """Return the seconds until the next probe may be made, at least a moment."""
    waits = []
    for target in order:
        waits_here = [
            max(circuit.until, circuit.due, circuit.leased_until) - now
            for circuit in health.circuits.of(target, call)
            if circuit.state in (CircuitState.OPEN, CircuitState.HALF_OPEN)
        ]
        waits.append(max(waits_here, default=0.0))
    return max(0.1, min(waits))


def _avoids(state: CallState, target: str, circuits: list[Circuit], now: float) -> bool:
    """Return whether a call should go elsewhere, because a circuit's target is silent.

    One or two that may be repeated still go there and wait for long: an answer ends the silence.
    """
    health = state.health
    for circuit in [circuit for circuit in circuits if circuit.silent]:
        health.silence.look(circuit, state.call, now, health.seen_at)
    silent = [circuit for circuit in circuits if circuit.silent]
    if state.rules.ordered:
        return any(not circuit.doubted for circuit in silent)
    compared = [circuit for circuit in silent if not circuit.doubted]
    if silent and not compared:
        return _is_to_compare(state, target, now)
    pauses_are_over = all(now - circuit.looked_at > circuit.stall_after / 2 for circuit in compared)
    if state.rules.same and pauses_are_over:
        for circuit in compared:
            circuit.note_look(now)
        return False
    return bool(compared)


def _is_to_compare(state: CallState, target: str, now: float) -> bool:
    """Return whether a call should go elsewhere, to learn how long its function takes.

    One at a time, and only for a function with an unanswered call here.
    """
    circuits, verb, resource = state.health.circuits, state.call.verb, resource_of(state.call)
    here = circuits.get((target, verb, resource))
    if here is None or not here.unanswered:
        return False
    if now - here.looked_at <= here.stall_after / 2:
        return False
    for other in state.able:
        there = circuits.get((other, verb, resource))
        if other != target and there is not None and there.waiting:
            return False
    here.note_look(now)
    return True
