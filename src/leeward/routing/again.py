"""After a failure: the same target once more, the next one, or the end.

Most failures that are proved not to have run are short, so the same target gets one more try; then
the next target is asked. Which one that is, is chosen anew each time.
"""

from __future__ import annotations

from leeward.adapter import NO_PLACE
from leeward.envelope import RUNNING
from leeward.errors import Outcome
from leeward.routing.budget import spend_failover, spend_retry
from leeward.routing.call import (
    AttemptEnded,
    CallState,
    Decision,
    Pause,
    attempts_left,
    dispatch,
    end,
)
from leeward.routing.choice import Choice, choose
from leeward.routing.circuit import Circuit, Random, State
from leeward.routing.keys import KNOWN_KEY
from leeward.routing.outcomes import TABLE, May
from leeward.routing.transitions import circuits_of, extend_leases, tell


def go_on(state: CallState, ended: AttemptEnded, now: float, random: Random) -> Decision:
    """Send again, to the same target or another, if table, caps, budgets and time allow it."""
    if ended.outcome is Outcome.LOCAL and ended.reason == NO_PLACE:
        return _wait_elsewhere(state, ended, now, random)
    row, rules, policy = TABLE[ended.outcome], state.rules, state.health.policy
    if ended.outcome is Outcome.AMBIGUOUS and ended.reason in KNOWN_KEY:
        return _ask_later(state, ended, now, random)
    if row.again is May.NEVER and row.move is May.NEVER:
        return end(state, ended.outcome.value)
    attempts, left = attempts_left(state), state.deadline - now
    if attempts == 0:
        return end(state, "attempts_used")
    if left < policy.least_attempt:
        return end(state, "no_time")
    target = state.tried[ended.attempt - 1]
    free = _allows(row.move, rules.elsewhere, state)
    others = _others(state, now) if free else ()
    may_stay = _allows(row.again, rules.same, state) and _lets_through(state, target)
    # one more attempt here, unless a further target would then go without one, or it is so slow
    if (
        may_stay
        and not (ended.cut_off and others)
        and state.tried.count(target) == 1
        and attempts > len(others)
    ):
        seconds = _pause(state, ended.retry_after, random)
        longest = left - _least_time(state, target)
        longest = min(longest, policy.backoff_cap) if others else longest
        if seconds <= longest and spend_retry(state.health, target):
            _tell_of(state, "retry", target, ended.outcome.value)
            return state._replace(may_move=free), (Pause(seconds, target),)
    stays = may_stay and ended.early
    if others:
        return move(state, target, ended.outcome, now, or_stay=stays)
    if stays:
        return dispatch(state, target, now, "again")
    reach = len(state.able) if state.proved else policy.max_targets
    some_rest = free and len(_made_at(state)) < min(len(state.able), reach)
    return end(state, "no_other_target" if some_rest else "no_other")


def _wait_elsewhere(state: CallState, ended: AttemptEnded, now: float, random: Random) -> Decision:
    """Look for a free place at the targets in turn, as long as there is time for an attempt.

    The wait proves that nothing was sent, so it costs neither an attempt nor a budget.
    """
    place, left = ended.attempt - 1, state.deadline - now
    target = state.tried[place]
    tried = (*state.tried[:place], "", *state.tried[place + 1 :])
    state = state._replace(tried=tried, lines=(*state.lines, target))
    free = len(state.able) > 1 and _allows(May.ALWAYS, state.rules.elsewhere, state)
    if not free or left <= state.whole or not attempts_left(state):
        return end(state, NO_PLACE)
    choice = choose(state._replace(tried=(*tried, *state.lines)), now)
    if choice.target:
        return dispatch(state, choice.target, now, NO_PLACE, probe=choice.probe)
    state = state._replace(lines=(), rounds=state.rounds + 1, may_move=True)
    # half of it at least: many short pauses near the end would be a busy wait
    seconds = state.health.policy.place_wait * (1 + random()) / 2
    return state, (Pause(min(seconds, left - state.whole), target),)


def _ask_later(state: CallState, ended: AttemptEnded, now: float, random: Random) -> Decision:
    """Wait for the earlier run that has the key, if it still runs, and ask again.

    Nothing ran and the target is well, so neither caps nor budgets count: time does, and the target
    says how long to wait. Shortly before the deadline it is asked once more.
    """
    why = str(ended.reason)
    if why != RUNNING or not state.rules.same:
        return end(state, why)
    policy, target = state.health.policy, state.tried[ended.attempt - 1]
    longest = state.deadline - now - policy.least_attempt - _least_time(state, target)
    if longest < policy.wait_least:
        return end(state, why)
    seconds = _pause(state, max(ended.retry_after or 0.0, policy.wait_least), random)
    _tell_of(state, "retry", target, why)
    return state._replace(may_move=state.rules.elsewhere), (Pause(min(seconds, longest), target),)


def after_pause(state: CallState, target: str, now: float) -> Decision:
    """Ask `target` again, or another one if it has turned out to be ill meanwhile.

    The pause may have ended late: the process may have been frozen.
    """
    if state.deadline - now < state.health.policy.least_attempt:
        return (state, ()) if state.in_flight else end(state, "no_time")
    if _lets_through(state, target):
        return dispatch(state, target, now, "again")
    if state.may_move and _others(state, now):
        return move(state, target, None, now)
    return end(state, "no_other_target")


def move(
    state: CallState,
    source: str,
    outcome: Outcome | None,
    now: float,
    *,
    or_stay: bool = False,
) -> Decision:
    """Go on at a target that was not tried; without a budget for that end, or ask `source` again.

    That was given up early then, and may well answer yet.
    """
    choice = choose(state, now)
    why = _held_back(state, source, choice, now)
    if not why:
        _tell_of(state, "failover", choice.target, "" if outcome is None else outcome.value)
        reason = "probe" if choice.probe else "moved"
        return dispatch(state, choice.target, now, reason, probe=choice.probe)
    if choice.probe:
        extend_leases(state.health, choice.target, state.call, 0.0)  # it is not made
    if or_stay and why == "failover_budget":
        return dispatch(state, source, now, "again")
    return end(state, why)


def _held_back(state: CallState, source: str, choice: Choice, now: float) -> str:
    """Return the code of why a call may not go from `source` where it was to; "" if it may."""
    if not choice.target:
        return choice.reason
    if state.deadline - now < _least_time(state, choice.target):
        return "no_time"
    return "" if spend_failover(state.health, source, state.call, now) else "failover_budget"


def _allows(may: May, by_effect: bool, state: CallState) -> bool:
    """Decide by the effect alone once an earlier attempt may have run."""
    if may is May.ALWAYS and not state.unknown:
        return True
    return may is not May.NEVER and by_effect


def _others(state: CallState, now: float) -> tuple[str, ...]:
    """Return the targets that may still be tried for the first time, and that may answer."""
    health = state.health
    fresh = tuple(
        target
        for target in state.able
        if target not in state.tried
        and not health.records[target].isolated
        and not any(_is_out(each, now) for each in circuits_of(health, target, state.call))
    )
    if state.proved:
        return fresh
    return fresh[: max(0, health.policy.max_targets - len(_made_at(state)))]


def _made_at(state: CallState) -> set[str]:
    """Return the targets at which an attempt was made."""
    return set(state.tried) - {""}


def _is_out(circuit: Circuit, now: float) -> bool:
    """Return whether a circuit lets no call through now, not even as a probe."""
    if circuit.state is State.HALF_OPEN:
        return now < max(circuit.leased_until, circuit.due)
    return circuit.state is State.OPEN and now < circuit.until


def _lets_through(state: CallState, target: str) -> bool:
    """Return whether a second attempt may be made at a target that was tried before."""
    health = state.health
    if health.records[target].isolated or health.local is not None:
        return False
    flowing = (State.CLOSED, State.RAMP)
    return all(each.state in flowing for each in circuits_of(health, target, state.call))


def _least_time(state: CallState, target: str) -> float:
    """Return the seconds without which an attempt at `target` would only be cut off."""
    health = state.health
    circuit = health.circuits.get((target, state.call.verb, state.call[0]))
    middle = circuit.latency.middle if circuit is not None else 0.0
    return max(health.policy.least_attempt, middle)


def _tell_of(state: CallState, name: str, target: str, reason: str) -> None:
    call = state.call
    tell(
        state.health,
        name,
        target=target,
        verb=call.verb,
        resource=call[0],
        reason=reason,
        call_id=state.number,
    )


def _pause(state: CallState, retry_after: float | None, random: Random) -> float:
    """Return the seconds to wait before the same target is asked again."""
    policy = state.health.policy
    if retry_after is not None and retry_after >= 0:
        wanted = min(retry_after, policy.retry_after_cap)
        return wanted * (1 + policy.retry_after_jitter * random())
    made = len(state.tried) - state.tried.count("")
    longest = policy.backoff_base * 2 ** (made - 1)
    return float(random() * min(policy.backoff_cap, longest))
