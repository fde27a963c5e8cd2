"""What an answer says of its target, and what follows for its circuits.

Entered only where something is not as usual: a failure, a success while there is something to
weigh, an answer that is slow. A failure that a function, bus or table caused is evidence on that
one alone, and on the target as a whole only while another one of it fails, too. So one broken
function does not take its neighbours away.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from leeward.adapter import NO_NETWORK, Call
from leeward.errors import Outcome
from leeward.routing.circuit import Circuit, State
from leeward.routing.health import PROBE
from leeward.routing.latency import bucket_of
from leeward.routing.outcomes import TABLE, Sign, rules_of
from leeward.routing.policy import NEVER
from leeward.routing.select import candidates, group_of
from leeward.values import RoutingEvent

if TYPE_CHECKING:
    from leeward.routing.call import Dispatch, ReadBack
    from leeward.routing.health import Health

FLOWING = (State.CLOSED, State.RAMP)
"""States in which calls reach a target."""


class Answered(NamedTuple):
    """An attempt, and when it was made, in monotonic seconds."""

    command: Dispatch | ReadBack
    began: float
    now: float


def weigh_failure(health: Health, answered: Answered, outcome: Outcome, reason: str | None) -> None:
    """Take in an attempt that did not succeed; `reason` is the result's own."""
    command, _, now = answered
    target, call, epoch = command.target, command.call, command.epoch
    record, row = health.records[target], TABLE[outcome]
    circuit = health.circuits.get((target, call.verb, call[0])) or health.add(target, call)
    record.attempts += 1
    record.failures += row.counts_against
    record.last = outcome
    circuit.pending, health.seen_at = 0, now
    if row.sign is Sign.WELL:
        weigh_success(health, circuit, answered)
        return
    if reason == NO_NETWORK and outcome is Outcome.NOT_SENT:
        from leeward.routing.local_outage import note_unreached

        note_unreached(health, target, now)
        health.give_up(command, now)
        return
    if (
        row.sign is Sign.NOTHING
        or _stood_still(health, answered)
        or not _counts(health, circuit, answered, outcome)
    ):
        health.give_up(command, now)
        return
    for each in _concerned(circuit, row.sign, health):
        if each.epoch <= epoch:
            _weigh_one_failure(health, each, answered, row.sign)


def _stood_still(health: Health, answered: Answered) -> bool:
    """Return whether an attempt has used up its time while this process hardly ran."""
    command, began, now = answered
    took = now - began
    if took < command.timeout:
        return False
    if took > command.timeout + health.policy.clock_gap:
        return True
    return health.heartbeat.stood_still(began, now) > took / 2


def _counts(health: Health, circuit: Circuit, answered: Answered, outcome: Outcome) -> bool:
    """Return whether a failure is evidence, or that of one payload that always fails."""
    from leeward.routing.poison import Poison

    if health.poison is None:
        health.poison = Poison(health.policy, health.poison_key)
    counts = health.poison.note_failure(
        health, circuit, answered.command.call, outcome, answered.now
    )
    health.review()
    return counts


def _concerned(circuit: Circuit, sign: Sign, health: Health) -> list[Circuit]:
    """Return the circuits that a bad sign is evidence on."""
    wide = circuit.wide
    if sign is Sign.OUT_OF_REACH:
        # a probe, or a share, of the single resource has failed with it
        return [wide] if circuit.state is State.CLOSED else [wide, circuit]
    if wide.state is not State.CLOSED or _another_fails(circuit, health):
        return [circuit, wide]
    return [circuit]


def _another_fails(circuit: Circuit, health: Health) -> bool:
    half_life, now = health.policy.evidence_half_life, health.seen_at
    return any(
        each.failed and now - each.weighed_at < half_life
        for each in health.circuits.values()
        if each.wide is circuit.wide and each is not circuit and each.resource
    )


def _weigh_one_failure(health: Health, circuit: Circuit, answered: Answered, sign: Sign) -> None:
    policy, call, now = health.policy, answered.command.call, answered.now
    if circuit.state is State.HALF_OPEN:
        if answered.command.reason == PROBE:
            _open(health, circuit, call, now, "probe_failed")
        return
    if circuit.state is State.RAMP:
        circuit.answers += 1
        circuit.failures += 1
        if circuit.has_failed_stage(policy):
            _open(health, circuit, call, now, "ramp_failed")
        return
    circuit.weigh(policy, health.weights, now, failed=True)
    if circuit.state is State.OPEN:
        circuit.gone = circuit.gone or _is_gone(health, circuit, now)
        return
    if sign is Sign.LASTING:
        if has_alternative(health, circuit, call):
            _open(health, circuit, call, now, "unusable")
    elif circuit.has_tripped(policy):
        trip(health, circuit, call, now, "failures")


def weigh_success(health: Health, circuit: Circuit, answered: Answered) -> None:
    """Take in an attempt that went well while there is something to weigh."""
    command, began, now = answered
    call = command.call
    policy, record = health.policy, health.records[circuit.target]
    record.tokens = min(policy.retry_tokens, record.tokens + policy.retry_refill)
    circuit.pending, health.good_at, health.seen_at = 0, now, now
    if health.poison is not None:
        health.poison.note_success(call)
    if health.local is not None or health.unreached:
        from leeward.routing.local_outage import end_local_outage

        end_local_outage(health, now)
    took = now - began
    if took > circuit.slow_above:
        took -= health.heartbeat.stood_still(began, now)
    slow = took > circuit.slow_above
    for each in (circuit, circuit.wide):
        each.good_at = now
        if each.epoch <= command.epoch:
            _weigh_one_success(health, each, answered, slow=slow if each is circuit else None)
    if circuit.state is State.CLOSED:
        circuit.latency.counts[bucket_of(took)] += 1
        circuit.latency.total += 1
        if circuit.latency.total >= circuit.latency.due:
            circuit.learn(policy, now)
        if slow and circuit.has_tripped(policy):
            trip(health, circuit, call, now, "slow")


def _weigh_one_success(
    health: Health, circuit: Circuit, answered: Answered, *, slow: bool | None
) -> None:
    now = answered.now
    if circuit.state is State.CLOSED:
        circuit.weigh(health.policy, health.weights, now, failed=False, slow=slow)
    elif circuit.state is State.RAMP:
        circuit.answers += 1
        circuit.failures += bool(slow)
        advance(health, circuit, now)
    elif circuit.state is State.HALF_OPEN:
        if answered.command.reason == PROBE:
            probe_passed(health, circuit, now)
    else:
        circuit.streak, circuit.gone = 0, False


def weigh_lost_race(health: Health, target: str, call: Call, began: float, now: float) -> None:
    """Take in an attempt that was overtaken by another one of its call, and cancelled.

    That it took long is evidence; what its answer would have been is not known.
    """
    circuit = health.circuits.get((target, call.verb, call[0]))
    if circuit is not None:
        circuit.pending = max(0, circuit.pending - 1)
    if circuit is None or circuit.state is not State.CLOSED or now - began <= circuit.slow_above:
        return
    if now - began - health.heartbeat.stood_still(began, now) > circuit.slow_above:
        circuit.weigh(health.policy, health.weights, now, slow=True)


def stalled(health: Health, circuit: Circuit, call: Call, now: float) -> None:
    """Open the circuit of a target that takes calls in and answers none."""
    policy, heartbeat, began = health.policy, health.heartbeat, circuit.pending_at
    if circuit.pending < policy.stall_attempts or circuit.state is not State.CLOSED:
        return
    if not heartbeat.is_known(began) and now - health.seen_at > circuit.stall_after:
        # nothing happened at all meanwhile: this process may have stood still
        circuit.pending, circuit.pending_at = 0, now
        return
    if now - began - heartbeat.stood_still(began, now) <= circuit.stall_after:
        return
    if has_alternative(health, circuit, call):
        _open(health, circuit, call, now, "stall")


def trip(health: Health, circuit: Circuit, call: Call, now: float, reason: str) -> None:
    """Open a circuit if another target is healthier, or if this one is as good as gone."""
    if _is_gone(health, circuit, now) or has_alternative(health, circuit, call):
        _open(health, circuit, call, now, reason)


def _is_gone(health: Health, circuit: Circuit, now: float) -> bool:
    """Return whether nothing at all goes well any more."""
    policy = health.policy
    silent = now - circuit.good_at >= policy.last_silence
    return silent and circuit.streak >= policy.last_failures


def has_alternative(health: Health, circuit: Circuit, call: Call) -> bool:
    """Return whether another target that may serve `call` is well."""
    return any(
        target != circuit.target
        and not health.records[target].isolated
        and all(each.state is State.CLOSED for each in circuits_of(health, target, call))
        for target in candidates(health.targets, call, rules_of(call))
    )


def circuits_of(health: Health, target: str, call: Call) -> list[Circuit]:
    """Return the circuits that decide about `call` on `target`, as far as there are any."""
    keys = (target, call.verb), (target, call.verb, call[0])
    return [found for key in keys if (found := health.circuits.get(key)) is not None]


def _open(health: Health, circuit: Circuit, call: Call, now: float, reason: str) -> None:
    """Open a circuit; for a short time only, if no other target is left."""
    policy, group = health.policy, group_of(health.targets, call)
    able = candidates(health.targets, call, rules_of(call))
    others = [each for each in able if each != circuit.target and _flows(health, each, call)]
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


def _flows(health: Health, target: str, call: Call) -> bool:
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
    """Keep others from probing until `until`; the probe under way is given so long."""
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


def changed(health: Health, circuit: Circuit, name: str, **facts: float) -> None:
    """Note that a circuit has changed, and tell of it."""
    health.epoch += 1
    circuit.epoch = health.epoch
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
