"""Targets that take calls in and do not answer.

One that has not answered for longer than its slowest answers take is *silent*: calls go elsewhere,
but for one or two that wait there, until it answers anything, and then all is as before. So a short
pause moves calls, and opens no circuit. One that is silent for long is stalled: its circuit opens.

A circuit's own baseline says how long answers take; where there is none yet, the answers of another
target to the same function do. Where nobody knows, a target is *in doubt*: it may be dead, and the
function may as well be slow, or begin cold. Then a call goes elsewhere now and then, to compare.

A target as a whole is silent if it answers nothing at all, whatever it is asked for: so many
functions that are each called seldom show that together.

So that calls under way need not wait for that, the first attempt at a harmless one is given up
early and made elsewhere. That proves nothing, and does not count; the silence does.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import inf
from typing import TYPE_CHECKING, NamedTuple

from leeward.routing.circuit import Circuit, State
from leeward.routing.transitions import has_alternative, open_circuit

if TYPE_CHECKING:
    from leeward.calls import Call
    from leeward.routing.call import CallState
    from leeward.routing.health import Health


class AnswerTimes(NamedTuple):
    """How long one function, bus or table takes on a target, in seconds.

    Attributes:
        usual: nearly all answers take no longer; a shorter wait says nothing.
        silent: after so long without an answer calls go elsewhere.
        stalled: after so long without one its circuit opens.
    """

    usual: float
    silent: float
    stalled: float


def limits_of(health: Health, circuit: Circuit, *, guess: bool = False) -> AnswerTimes | None:
    """Return how long answers take here; None where nobody knows.

    By the baseline; else by the quickest other target that has answered the same, where this one
    has shown nothing slower. A `guess` believes the few answers of this target alone, too.
    """
    policy, latency = health.policy, circuit.latency
    if latency.usual:
        silent = circuit.early if circuit.early < inf else policy.stall_factor * latency.rare
        silent = max(policy.early_least, silent) if guess else circuit.early
        return AnswerTimes(latency.usual, silent, circuit.stall_after)
    own = latency.guess()
    others = [
        each.latency.guess()
        for target in health.targets.order
        if target != circuit.target
        and (each := health.circuits.get((target, circuit.verb, circuit.resource))) is not None
        and each.latency.total
    ]
    if others:
        own = max(own, min(others))
    elif not (own and guess):
        return None
    limit = policy.stall_factor * own
    silent = max(policy.early_least, limit) if guess else inf
    return AnswerTimes(own, silent, max(policy.stall_least, limit))


def look(health: Health, circuit: Circuit, call: Call, now: float) -> None:
    """Look whether a circuit has been silent for too long, and open it if it has."""
    if not circuit.resource:
        look_around(health, circuit, call, now)
        return
    policy = health.policy
    waiting = circuit.waiting
    if circuit.unanswered < policy.stall_attempts or circuit.state is not State.CLOSED:
        return
    if waiting and _may_have_stood_still(health, waiting[0], circuit.stall_after, now):
        circuit.hear()
        end_silence(health, circuit)
        return
    waited = max(circuit.left_for, _wait_of(health, waiting[0], now) if waiting else 0.0)
    limits = limits_of(health, circuit)
    if limits is None:
        if waited > policy.stall_least:
            _fall_silent(health, circuit, doubted=True)
    elif waited > limits.stalled or circuit.left_for >= limits.stalled:
        if has_alternative(health, circuit, call):
            open_circuit(health, circuit, call, now, "stall")
    elif waited > limits.silent or circuit.left >= policy.stall_attempts:
        _fall_silent(health, circuit, doubted=False)
    elif circuit.doubted:
        end_silence(health, circuit)


def look_around(health: Health, wide: Circuit, call: Call, now: float) -> None:
    """Look whether a target has answered nothing at all of a verb, and open its circuit then.

    Enough attempts have to wait, and two functions, or more, for longer than they take. As long as
    nobody knows how long that is, it is in doubt.
    """
    policy = health.policy
    if wide.state is not State.CLOSED:
        return
    waits = list(_waits(health, wide, now))
    if len(waits) < 2 or sum(each.attempts for each in waits) < policy.stall_attempts:
        return
    known = [(waited, limits) for _, waited, limits in waits if limits is not None]
    if sum(waited > limits.stalled for waited, limits in known) >= 2:
        if has_alternative(health, wide, call):
            open_circuit(health, wide, call, now, "stall")
    elif sum(waited > limits.silent for waited, limits in known) >= 2:
        _fall_silent(health, wide, doubted=False)
    elif not wide.silent and max(each.seconds for each in waits) > policy.stall_least:
        _fall_silent(health, wide, doubted=True)


class Wait(NamedTuple):
    """A function that has not answered for longer than it usually takes, as far as that is known.

    Attributes:
        attempts: that are not answered.
        seconds: since the first of them, or since the target has answered anything.
        limits: of the function.
    """

    attempts: int
    seconds: float
    limits: AnswerTimes | None


def _waits(health: Health, wide: Circuit, now: float) -> Iterator[Wait]:
    """Yield what a target does not answer; nothing if this process may have stood still."""
    heard = max(wide.good_at, wide.heard_at)
    for each in health.circuits.values():
        if each.wide is not wide or not each.unanswered or each.state is not State.CLOSED:
            continue
        seconds = each.left_for
        if each.waiting:
            began = max(heard, each.waiting[0])
            if _may_have_stood_still(health, began, wide.stall_after, now):
                return
            seconds = max(seconds, _wait_of(health, began, now))
        limits = limits_of(health, each, guess=True)
        if limits is None or seconds > limits.usual:
            yield Wait(each.unanswered, seconds, limits)


def _wait_of(health: Health, began: float, now: float) -> float:
    return now - began - health.heartbeat.stood_still(began, now)


def _may_have_stood_still(health: Health, began: float, seconds: float, now: float) -> bool:
    """Return whether nothing happened at all for so long, and no heartbeat says why."""
    return not health.heartbeat.is_known(began) and now - health.seen_at > seconds


def _fall_silent(health: Health, circuit: Circuit, *, doubted: bool) -> None:
    """Make calls avoid a target that does not answer; or, in doubt, compare it with another."""
    circuit.doubted = doubted
    if not circuit.silent:
        circuit.silent = circuit.uneasy = True
        circuit.looked_at = -inf
        health.silent[circuit] = None
        health.review()


def end_silence(health: Health, circuit: Circuit) -> None:
    """Allow calls to a target again that has answered, or whose circuit says what they may."""
    circuit.silent = circuit.doubted = False
    if circuit in health.silent:
        del health.silent[circuit]
        health.review()


def is_avoided(state: CallState, target: str, circuits: list[Circuit], now: float) -> bool:
    """Return whether a call is better made elsewhere, because a circuit's target is silent.

    One or two that may be repeated go there and wait for long: an answer ends the silence.
    """
    health = state.health
    for each in [each for each in circuits if each.silent]:
        look(health, each, state.call, now)
    silent = [each for each in circuits if each.silent]
    known = [each for each in silent if not each.doubted]
    if silent and not known:
        return _is_to_compare(state, target, now)
    if state.rules.same and all(now - each.looked_at > each.stall_after / 2 for each in known):
        for each in known:
            each.looked_at = now
        return False
    return bool(known)


def _is_to_compare(state: CallState, target: str, now: float) -> bool:
    """Return whether a call is to be made elsewhere, to learn how long its function takes.

    One at a time, and only of a function that waits for an answer here.
    """
    health, call = state.health, state.call
    here = health.circuits.get((target, call.verb, call[0]))
    if here is None or not here.unanswered:
        return False
    if now - here.looked_at <= here.stall_after / 2:
        return False
    for each in state.able:
        there = health.circuits.get((each, call.verb, call[0]))
        if each != target and there is not None and there.waiting:
            return False
    here.looked_at = now
    return True
