"""What an answer says of its target, and what follows for its circuits.

Entered only where something is not as usual: a failure, a success while there is something to
weigh, an answer that is slow. A failure that a function, bus or table caused is evidence on that
one alone, and on the target as a whole only while another one of it fails, too. So one broken
function does not take its neighbours away.
"""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING, NamedTuple

from leeward.adapter import NO_NETWORK, UNMARKED_REFUSAL
from leeward.calls import Call, time_after
from leeward.errors import Outcome
from leeward.routing.attempt_time import is_used_up, refund_early
from leeward.routing.circuit import Circuit, State
from leeward.routing.health import PROBE
from leeward.routing.latency import bucket_of
from leeward.routing.outcomes import TABLE, Sign
from leeward.routing.transitions import advance, has_alternative, open_circuit, probe_passed

if TYPE_CHECKING:
    from leeward.routing.call import Dispatch, ReadBack
    from leeward.routing.health import Health


class Answered(NamedTuple):
    """An attempt, and when it was made, in monotonic seconds.

    `waited` is how many seconds it waited on this side, before its target was asked.
    """

    command: Dispatch | ReadBack
    began: float
    now: float
    waited: float = 0.0


def weigh_failure(health: Health, answered: Answered, outcome: Outcome, reason: str | None) -> None:
    """Take in an attempt that did not succeed; `reason` is the result's own."""
    command, now = answered.command, answered.now
    target, call, epoch = command.target, command.call, command.epoch
    record, row = health.records[target], TABLE[outcome]
    if reason == UNMARKED_REFUSAL:
        row = row._replace(sign=Sign.NOTHING)  # the target is well enough to refuse
    circuit = health.circuits.get((target, call.verb, call[0])) or health.add(target, call)
    record.attempts += 1
    record.last = outcome
    health.seen_at = now
    if not _says_something(health, circuit, answered, outcome):
        health.give_up(command, now)
        return
    refund_early(health, command)
    record.failures += row.counts_against
    if row.sign is Sign.WELL:
        weigh_success(health, circuit, answered)
        return
    if reason == NO_NETWORK and outcome is Outcome.NOT_SENT:
        from leeward.routing.local_outage import note_unreached

        if not note_unreached(health, target, now):
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


def _says_something(health: Health, circuit: Circuit, answered: Answered, outcome: Outcome) -> bool:
    """Note that an attempt waits no more; return whether its end may say something of its target.

    It does not if it was given up: early, or sooner than a healthy target answers.
    """
    if outcome is Outcome.LOCAL:
        circuit.leave(answered.began)  # the target was sent nothing
        return True
    if not _is_unheard(circuit, answered, outcome):
        _answers(health, circuit, answered.now)
        return True
    return stop_waiting(health, circuit, answered) and not answered.command.early


def _is_unheard(circuit: Circuit, answered: Answered, outcome: Outcome) -> bool:
    """Return whether an attempt ended without a word of its target: its time was used up.

    One that was never connected says so for itself, unless the target is silent.
    """
    command, began, now, waited = answered
    if not is_used_up(command.timeout, began, now, waited):
        return False
    is_silent = circuit.silent or circuit.wide.silent
    return command.early or is_silent or outcome is Outcome.AMBIGUOUS


def stop_waiting(health: Health, circuit: Circuit, answered: Answered) -> bool:
    """Note that an attempt without an answer is not waited for any more.

    Return whether it had as much time as its function takes, and so may blame its target: a caller
    who is in more of a hurry than a healthy function proves nothing, nor does a process that stood
    still.
    """
    from leeward.routing.silence import limits_of, look

    command, began, now, in_line = answered
    limits, stood_still = limits_of(health, circuit), _stood_still(health, answered)
    waited = now - began - in_line - health.heartbeat.stood_still(began + in_line, now)
    if is_used_up(command.timeout, began, now, in_line) and not stood_still:
        waited = max(waited, time_after(in_line, command.timeout))  # a driver may round it
    usual = health.policy.unknown_longest if limits is None else limits.usual
    says_something = waited >= usual and not stood_still
    circuit.leave(began, waited if says_something else 0.0)
    look(health, circuit, command.call, now)
    return says_something


def _answers(health: Health, circuit: Circuit, now: float) -> None:
    """Note that a target has answered something."""
    circuit.hear()
    circuit.wide.heard_at = now
    if health.silent:
        from leeward.routing.silence import end_silence

        end_silence(health, circuit)
        end_silence(health, circuit.wide)


def _stood_still(health: Health, answered: Answered) -> bool:
    """Return whether an attempt has used up its time because this process hardly ran."""
    command, began, now, waited = answered
    if not is_used_up(command.timeout, began, now, waited):
        return False
    began += waited
    if now - began > time_after(waited, command.timeout) + health.policy.clock_gap:
        return True
    return health.heartbeat.stood_still(began, now) > (now - began) / 2


def _counts(health: Health, circuit: Circuit, answered: Answered, outcome: Outcome) -> bool:
    """Return whether a failure is evidence, or that of one payload that always fails."""
    from leeward.routing.poison import Poison

    if health.poison is None:
        health.poison = Poison(health.policy, health.poison_key)
    counts = health.poison.note_failure(health, circuit, answered, outcome)
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
            open_circuit(health, circuit, call, now, "probe_failed")
        return
    if circuit.state is State.RAMP:
        circuit.answers += 1
        circuit.failures += 1
        if circuit.has_failed_stage(policy):
            open_circuit(health, circuit, call, now, "ramp_failed")
        return
    circuit.weigh(policy, health.weights, now, failed=True)
    if circuit.state is State.OPEN:
        circuit.gone = circuit.gone or _is_gone(health, circuit, now)
        return
    if sign is Sign.LASTING:
        if has_alternative(health, circuit, call):
            open_circuit(health, circuit, call, now, "unusable")
    elif circuit.has_tripped(policy):
        trip(health, circuit, call, now, "failures")


def weigh_success(health: Health, circuit: Circuit, answered: Answered) -> None:
    """Take in an attempt that went well while there is something to weigh."""
    command, began, now, waited = answered
    call, began = command.call, began + waited
    policy, record = health.policy, health.records[circuit.target]
    record.tokens = min(policy.retry_tokens, record.tokens + policy.retry_refill)
    health.good_at = health.seen_at = now
    _answers(health, circuit, now)
    if health.careful:
        clear_suspicions(health, call, now)
    took = now - began
    if took > circuit.slow_above:
        took -= health.heartbeat.stood_still(began, now)
    slow = took > circuit.slow_above
    for each in (circuit, circuit.wide):
        each.good_at = now
        if each.epoch <= command.epoch:
            _weigh_one_success(health, each, answered, slow=slow if each is circuit else None)
    if circuit.state is State.CLOSED:
        if circuit.since == inf or began >= circuit.since:
            circuit.latency.counts[bucket_of(took)] += 1
            circuit.latency.total += 1
        circuit.since = min(circuit.since, now)
        if circuit.latency.total >= circuit.latency.due:
            health.learn(circuit, now)
        if slow and circuit.has_tripped(policy):
            trip(health, circuit, call, now, "slow")


def clear_suspicions(health: Health, call: Call, now: float) -> None:
    """Take in what a success says of payloads, and of the network of this machine."""
    poison = health.poison
    if poison is not None:
        poison.note_success(call, now)
    if health.unreached:
        from leeward.routing.local_outage import end_local_outage

        end_local_outage(health, now)
    elif poison is not None and not poison.doubtful:
        health.review()


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
    else:
        circuit.streak, circuit.gone = 0, False
        if circuit.state is State.HALF_OPEN and answered.command.reason == PROBE:
            probe_passed(health, circuit, now)


def weigh_cancelled(health: Health, answered: Answered, *, overtaken: bool) -> None:
    """Take in an attempt that was cancelled: by the caller, or `overtaken` by another one.

    That it took long is evidence then; what its answer would have been is not known.
    """
    command, began, now, _ = answered
    circuit = health.circuits.get((command.target, command.call.verb, command.call[0]))
    if circuit is None:
        return
    stop_waiting(health, circuit, answered)
    if not overtaken or circuit.state is not State.CLOSED:
        return
    if now - began - health.heartbeat.stood_still(began, now) > circuit.slow_above:
        circuit.weigh(health.policy, health.weights, now, slow=True)


def trip(health: Health, circuit: Circuit, call: Call, now: float, reason: str) -> None:
    """Open a circuit if another target is healthier, or if this one is as good as gone."""
    if _is_gone(health, circuit, now) or has_alternative(health, circuit, call):
        open_circuit(health, circuit, call, now, reason)


def _is_gone(health: Health, circuit: Circuit, now: float) -> bool:
    """Return whether nothing at all goes well any more."""
    policy = health.policy
    silent = now - circuit.good_at >= policy.last_silence
    return silent and circuit.streak >= policy.last_failures
