"""Which target an attempt is made at, while anything is not as usual.

Chosen anew for each attempt: the first target of the order whose circuit lets the call through.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from leeward.calls import Call
from leeward.routing.circuit import Circuit, State
from leeward.routing.select import Group, group_of
from leeward.routing.silence import is_avoided
from leeward.routing.transitions import FLOWING, advance, changed, circuits_of, flows

if TYPE_CHECKING:
    from leeward.routing.call import CallState
    from leeward.routing.health import Health

SPREAD = 0.618033988749895
"""The golden ratio's fraction: its multiples are spread evenly, so a share is kept to exactly."""

SPARED = ("ramp_full", "silent")
"""Why a target that may be asked is asked only if no other one is left."""


class Choice(NamedTuple):
    """Where an attempt is made, and why there.

    Attributes:
        target: empty if none may be asked now.
        reason: a code, which `leeward.routing.explain` puts into words.
        probe: the attempt is the one probe of a circuit that is half open.
        retry_after: seconds until another call may be let through, where that is known.
    """

    target: str
    reason: str
    probe: bool = False
    retry_after: float | None = None


class ProbeTarget(NamedTuple):
    """Ask the driver of `target` to look whether it works; for the runner.

    Attributes:
        target: its name.
        verb, resource: of the circuit that the probe is for.
        epoch: of that circuit.
        timeout: seconds.
    """

    target: str
    verb: str
    resource: str
    epoch: int
    timeout: float


def choose(state: CallState, now: float) -> Choice:
    """Return the target for the next attempt at a call: one that it has not tried.

    While one target is out for long, every call comes through here, so nothing is made of what
    is as usual.
    """
    health, poison = state.health, state.health.poison
    if health.local is not None or (poison is not None and poison.quarantined):
        refused = _refused(state, now)
        if refused is not None:
            return refused
    preferred, reason, full = state.able, "first", ""
    group = _arranging(state) if health.arranged else None
    if group is not None:
        preferred, reason = _arranged(health, group, _present(state), state.number)
    for target in preferred:
        if health.records[target].isolated:
            continue
        if target not in state.tried:
            choice = _at(state, target, now, reason)
            if choice is not None and choice.reason not in SPARED:
                if group is not None and group.fail_back != "prefer_primary":
                    _stay_with(state, group, target)
                return choice
            full = full or ("" if choice is None else target)
        reason = "first_is_out"
    return Choice(full, "only_one_left") if full else _nothing_flows(state, now)


def _present(state: CallState) -> tuple[str, ...]:
    """Return the targets that may serve a call and are not isolated."""
    records = state.health.records
    return tuple(target for target in state.able if not records[target].isolated)


def _nothing_flows(state: CallState, now: float) -> Choice:
    """Return what to do with a call none of whose targets may be asked."""
    order = _present(state)
    if not order:
        return Choice("", "isolated")
    if state.tried:
        return Choice("", "no_other_target")
    if len(order) == 1 == len(state.able) and not _is_gone(state, order[0]):
        return Choice(order[0], "only_one_able")
    trial = _trial(state, order, now)
    if trial:
        return Choice(trial, "only_one_able")
    wait = _soonest(state.health, order, state.call, now)
    return Choice("", "all_down", retry_after=wait)


def _trial(state: CallState, order: tuple[str, ...], now: float) -> str:
    """Return the target that a call which nobody serves tries now and then; "" for none now.

    Its circuits are open for as long as other calls, which may go elsewhere, do without it; this
    one may not. Where no call has another target, its circuits are open for a short time only.
    """
    health, call, pause = state.health, state.call, state.health.policy.hold_all_down
    group = group_of(health.targets, call).targets
    if not any(flows(health, each, call) for each in group if each not in state.able):
        return ""
    for target in order:
        circuits = circuits_of(health, target, call)
        if all(each.good_at > each.opened_at and not each.gone for each in circuits):
            return target
        if all(now - each.looked_at >= pause for each in circuits):
            for each in circuits:
                each.looked_at = now
            return target
    return ""


def _refused(state: CallState, now: float) -> Choice | None:
    """Return the refusal of a call that is not made now, whatever the circuits."""
    health = state.health
    if health.poison is not None and health.poison.is_refused(state.call, now):
        return Choice("", "poison_suspected")
    if health.local is not None:
        from leeward.routing.local_outage import may_look

        if not may_look(health, state.number, now):
            return Choice("", "local_outage", retry_after=max(0.0, health.local.due - now))
    return None


def _arranging(state: CallState) -> Group | None:
    """Return the group that arranges the targets of a call.

    None of a home, a pinned call, or one that is narrowed: none speaks for the others.
    """
    group = group_of(state.health.targets, state.call)
    return group if state.able == group.targets else None


def _arranged(
    health: Health, group: Group, present: tuple[str, ...], number: int
) -> tuple[tuple[str, ...], str]:
    """Return the targets in the order in which this call asks them, and why in that."""
    preferred, reason = present, "first"
    if group.fail_back != "prefer_primary":
        current = health.current.get(group.targets)
        if current in present and current != present[0]:
            preferred, reason = (current, *(each for each in present if each != current)), "stays"
    point = number * SPREAD % 1
    for target, share in group.weights.items():
        if target in preferred[1:]:
            if point < share:
                others = tuple(each for each in preferred if each != target)
                return (target, *others), "weight"
            point -= share
    return preferred, reason


def _stay_with(state: CallState, group: Group, target: str) -> None:
    """Let the calls of a group stay with `target`, if the one that they were with is out."""
    health = state.health
    current = health.current.get(group.targets, group.targets[0])
    is_out = health.records[current].isolated or any(
        each.state not in FLOWING for each in circuits_of(health, current, state.call)
    )
    if is_out:
        health.current[group.targets] = target


def _at(state: CallState, target: str, now: float, reason: str) -> Choice | None:
    """Return the choice of `target`, if its circuits let the call through.

    "silent" is one that does not answer now.
    """
    health = state.health
    circuits: list[Circuit] = []
    for each in circuits_of(health, target, state.call):
        if each.uneasy:
            if each.state is State.OPEN and now < each.until and not circuits:
                return None
            circuits.append(each)
    if not circuits:
        return Choice(target, reason)
    for each in circuits:
        advance(health, each, now)
    _look_together(health, circuits, now)
    if health.silent and is_avoided(state, target, circuits, now):
        return Choice(target, "silent")
    unclosed = [each for each in circuits if each.state is not State.CLOSED]
    if not unclosed:
        return Choice(target, reason)
    if any(_blocks(each, now) for each in unclosed):
        return None
    return _on_its_way_back(state, target, unclosed, now)


def _on_its_way_back(
    state: CallState, target: str, unclosed: list[Circuit], now: float
) -> Choice | None:
    """Return the choice of a target that takes a probe, or a share: as one of these, if at all.

    Where it has its share already, that is "ramp_full".
    """
    health = state.health
    half_open = [each for each in unclosed if each.state is State.HALF_OPEN]
    if half_open and state.rules.same:
        for each in half_open:
            _lease(health, each, now)
        return Choice(target, "probe", probe=True)
    if half_open and not _begin_without_a_call(health, target, half_open, now):
        return None
    share = min(each.share(health.policy) for each in unclosed)
    if state.number * SPREAD % 1 < share:
        return Choice(target, "ramp")
    return Choice(target, "ramp_full")


def _look_together(health: Health, circuits: list[Circuit], now: float) -> None:
    """Let a probe of the whole verb be one of the resource, too: it needs some call to be made."""
    wide = next((each for each in circuits if each.state is State.HALF_OPEN), None)
    if wide is None or wide.resource:
        return
    for each in circuits:
        if each.resource and each.state is State.OPEN and each.reason != "unusable":
            each.half_open(now)
            changed(health, each, "half_open")


def _is_gone(state: CallState, target: str) -> bool:
    return any(each.gone for each in circuits_of(state.health, target, state.call))


def _blocks(circuit: Circuit, now: float) -> bool:
    """Return whether a circuit lets nothing through, not even a probe."""
    if circuit.state is State.HALF_OPEN:
        return now < circuit.leased_until or now < circuit.due
    return circuit.state is State.OPEN


def _lease(health: Health, circuit: Circuit, now: float) -> None:
    """Let one probe through, and no other until it has ended or is given up.

    Each lease is an epoch: the answer of a probe whose lease was over does not count, and does not
    end the lease of the next one.
    """
    policy = health.policy
    circuit.leased_until = now + policy.probe_time + policy.lease_margin
    health.epoch += 1
    circuit.epoch = health.epoch


def _begin_without_a_call(
    health: Health, target: str, half_open: list[Circuit], now: float
) -> bool:
    """Find another way back where a call cannot be the probe: repeating it might do harm.

    The driver is asked to look by itself. Where it cannot, the first stage of the ramp is very
    small, and begins at once: then, return True.
    """
    if health.records[target].probes:
        for each in half_open:
            _lease(health, each, now)
            health.outbox.append(
                ProbeTarget(target, each.verb, each.resource, each.epoch, health.policy.probe_time)
            )
        return False
    for each in half_open:
        each.begin_stage(-1, now)
        changed(health, each, "ramp", share=each.share(health.policy))
    return True


def _soonest(health: Health, order: tuple[str, ...], call: Call, now: float) -> float:
    """Return the seconds until the next probe may be made, at least a moment."""
    waits = []
    for target in order:
        each_way = [
            max(each.until, each.due, each.leased_until) - now
            for each in circuits_of(health, target, call)
            if each.state in (State.OPEN, State.HALF_OPEN)
        ]
        waits.append(max(each_way, default=0.0))
    return max(0.1, min(waits))
