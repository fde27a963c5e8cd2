"""How a circuit goes from one state to the next, and what is told of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from leeward.calls import Call
from leeward.routing.circuit import Circuit, State
from leeward.routing.outcomes import rules_of
from leeward.routing.policy import NEVER
from leeward.routing.select import candidates, group_of
from leeward.values import RoutingEvent

if TYPE_CHECKING:
    from leeward.routing.health import Health

FLOWING = (State.CLOSED, State.RAMP)
"""States in which calls reach a target."""


def has_alternative(health: Health, circuit: Circuit, call: Call) -> bool:
    """Return whether another target that may serve `call` is well."""
    return any(
        target != circuit.target
        and not health.records[target].isolated
        and all(each.state is State.CLOSED for each in circuits_of(health, target, call))
        for target in candidates(health.targets, call, rules_of(call))
    )


def circuits_of(health: Health, target: str, call: Call) -> list[Circuit]:
    """Return the circuits that decide about `call` on `target`, as far as there are any.

    That of the whole verb is the first one.
    """
    single = health.circuits.get((target, call.verb, call[0]))
    if single is not None:
        return [single.wide, single]
    wide = health.circuits.get((target, call.verb))
    return [] if wide is None else [wide]


def open_circuit(health: Health, circuit: Circuit, call: Call, now: float, reason: str) -> None:
    """Open a circuit; for a short time only, if no other target is left."""
    policy, group = health.policy, group_of(health.targets, call)
    able = candidates(health.targets, call, rules_of(call))
    others = [each for each in able if each != circuit.target and flows(health, each, call)]
    hold = policy.hold_unusable if reason == "unusable" else None
    if not others:
        hold = policy.hold_all_down
    was_serving = circuit.state is not State.HALF_OPEN
    seconds = circuit.open(policy, now, health.random, reason, hold=hold, penalised=was_serving)
    if others and group.fail_back == "manual":
        circuit.until = seconds = NEVER
    changed(health, circuit, "opened", seconds=round(seconds, 3))
    if not others:
        circuit.gone = True
        _hold_all_shortly(health, able, call, now)
        if was_serving:
            tell(health, "all_down", verb=call.verb, resource=call[0], reason=reason)


def _hold_all_shortly(health: Health, able: tuple[str, ...], call: Call, now: float) -> None:
    """Let every target be probed soon, each at a time of its own."""
    policy = health.policy
    for target in able:
        for each in circuits_of(health, target, call):
            if each.state is State.OPEN:
                jitter = policy.hold_jitter * (2 * health.random() - 1)
                each.until = min(each.until, now + policy.hold_all_down * (1 + jitter))


def flows(health: Health, target: str, call: Call) -> bool:
    """Return whether calls like `call` reach a target."""
    if health.records[target].isolated:
        return False
    return all(each.state in FLOWING for each in circuits_of(health, target, call))


def probe_passed(health: Health, circuit: Circuit, now: float, *, weak: bool = False) -> None:
    """Take in a probe that went well."""
    policy = health.policy
    circuit.passed += 1
    circuit.leased_until, circuit.due = 0.0, now + policy.probe_gap
    circuit.weak = circuit.weak or weak
    if not any_flows_beside(health, circuit):
        circuit.begin_stage(len(policy.ramp) - 1, now)  # it is the only one, and takes everything
        changed(health, circuit, "ramp", share=circuit.share(policy))
    elif circuit.passed >= policy.probes:
        circuit.begin_stage(-1 if circuit.weak else 0, now)
        changed(health, circuit, "ramp", share=circuit.share(policy))


def any_flows_beside(health: Health, circuit: Circuit) -> bool:
    """Return whether calls reach another target of the order."""
    for target in health.targets.order:
        if target == circuit.target or health.records[target].isolated:
            continue
        keys = (target, circuit.verb), (target, circuit.verb, circuit.resource)
        found = [health.circuits[key] for key in keys if key in health.circuits]
        if all(each.state in FLOWING for each in found):
            return True
    return False


def extend_leases(health: Health, target: str, call: Call, until: float) -> None:
    """Keep others from probing until `until`; the probe under way is given so long.

    0 lets another call be the probe at once.
    """
    for each in circuits_of(health, target, call):
        if each.state is State.HALF_OPEN:
            each.leased_until = until


def advance(health: Health, circuit: Circuit, now: float) -> None:
    """Let a circuit go on that has waited, or served, for long enough."""
    policy = health.policy
    if circuit.state is State.OPEN and now >= circuit.until:
        if circuit.reason == "local_outage":
            circuit.close()
            changed(health, circuit, "closed")
            return
        circuit.half_open(now)
        changed(health, circuit, "half_open")
    elif circuit.state is State.RAMP and circuit.has_passed_stage(policy, now):
        if circuit.stage + 1 < len(policy.ramp):
            circuit.begin_stage(circuit.stage + 1, now)
            changed(health, circuit, "ramp", share=circuit.share(policy))
        else:
            circuit.close()
            changed(health, circuit, "closed")


def let_go_on(health: Health, now: float) -> None:
    """Let circuits go on that no call comes by, such as those of a second target.

    What was seen as long ago as what others tell is worth nothing any more: a small share goes
    there, which grows with time.
    """
    long_ago = now - health.policy.shared_age
    for circuit in list(health.unclosed):
        if circuit.state is State.RAMP or circuit.reason == "local_outage":
            advance(health, circuit, now)
        elif max(circuit.until, circuit.due, circuit.leased_until) <= long_ago:
            circuit.begin_stage(-1, now)
            changed(health, circuit, "ramp", share=circuit.share(health.policy))


def changed(health: Health, circuit: Circuit, name: str, **facts: float) -> None:
    """Note that a circuit has changed, and tell of it."""
    health.epoch += 1
    circuit.epoch = health.epoch
    health.silent.pop(circuit, None)
    if circuit.state is State.CLOSED:
        health.unclosed.pop(circuit, None)
    else:
        health.unclosed[circuit] = None
    health.review()
    tell(
        health,
        name,
        target=circuit.target,
        verb=circuit.verb,
        resource=circuit.resource,
        reason=circuit.reason,
        facts=facts,
    )


def tell(health: Health, name: str, **about: str | int | dict[str, float]) -> None:
    """Leave an event for the runner, which tells of it once its lock is released."""
    health.outbox.append(RoutingEvent(name, **about))  # type: ignore[arg-type]
