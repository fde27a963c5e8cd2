"""The state machine of one call: what to do next, after each event.

`begin(core, call, started, timeout)` and `step(state, event, now, random)` return a state and
commands. They are deterministic: time and random numbers are arguments, and nothing here reads a
clock, waits or sends. States and commands are values, and never change. Only `Health` is shared by
all calls of an order and changed in place, by its own methods: the evidence on each target, with
circuits, budgets and outbox. A runner holds one lock meanwhile. Threads, event loops and the
simulator carry the commands out.

Several attempts may be in flight: each has a number, which its answer carries. While one is under
way, nothing further is sent and nothing is proved: only a success ends the call.

This file keeps these promises of ``docs/promises.md``:

* at most `max_attempts` attempts on at most `max_targets` targets, and more only while it is proved
  that no earlier attempt ran;
* after one unresolved AMBIGUOUS attempt the call ends well or as unknown, whatever comes later;
* a write whose answer was lost is read back before anything is sent again;
* while an earlier call with the same key runs, and only then, it is asked for as often as time
  allows;
* nothing starts after the deadline.

``docs/routing.md`` says which target is asked next, and what a hedge waits for ("The Tail at
Scale", Dean and Barroso, 2013).
"""

from __future__ import annotations

from typing import Final

from leeward._routing.attempts import (
    NOWHERE,
    CallState,
    Core,
    Decision,
    Ending,
    ask,
    call_at,
    count_remaining,
    dispatch,
    end,
    may_ask,
    may_be_early,
    may_leave,
    tell_of,
    time_for_attempt,
    time_for_probe,
)
from leeward._routing.choice import TargetChoice, blocks, choose, find_ill
from leeward._routing.circuit import Circuit, CircuitState, Random
from leeward._routing.circuits import FLOWING
from leeward._routing.commands import (
    PANIC,
    PROBE,
    AttemptEnded,
    Commands,
    Dispatch,
    Event,
    FreePlace,
    Pause,
    PauseEnded,
    ReadBack,
    ReadBackDone,
    make_record,
)
from leeward._routing.health import Health
from leeward._routing.outcomes import KNOWN_KEY, TABLE, May, Sign, rules_of
from leeward._routing.readback import ReadBackVerdict, question_of
from leeward._routing.targets import candidates, narrow, resource_of
from leeward.calls import NO_PLACE, AttemptTime, Call, Invoke, ListItems, Load
from leeward.envelope import NOT_KEPT, RUNNING, VOIDED
from leeward.errors import Outcome
from leeward.values import Effect

MOST_VOIDS: Final = 4
"""How often a call is repeated because its key was settled as not run meanwhile."""

MOST_ROUNDS: Final = 16
"""Rounds over all targets after which the wait for a place is longer than any deadline."""


def begin(
    core: Core, call: Call, started: float, timeout: float, only: tuple[str, ...] = NOWHERE
) -> Decision:
    """Start a call that has `timeout` seconds from `started`, in monotonic seconds.

    `only` narrows the targets, and is their order. Raise `ConfigError` if none may serve the call,
    and `InvalidRequest` if none of `only` may.
    """
    health, circuits, policy = core.health, core.health.circuits, core.health.policy
    rules, deadline = rules_of(call), started + timeout
    able = candidates(health.targets, call, rules)
    able = narrow(able, only) if only else able
    # An unsafe function has its own time, whenever it begins.
    has_own = not rules.same and bool(getattr(call, "time_limit", 0.0))
    whole = 0.0 if has_own else max(policy.least_attempt, policy.whole_attempt * timeout)
    target, reason, probe, early, put = able[0], "first", False, False, call
    careful = bool(circuits.watchful or (rules.ordered and circuits.places))
    if careful:
        health.admit()
    else:
        circuit = health.start(target, call, started, begins_call=True)
        careful = circuits.watchful
        if careful:  # it has just become silent, so choose the target again
            circuit.leave(started)
    if careful:
        nowhere = CallState(
            call, health, rules, able, health.calls, started, deadline, whole, (), ()
        )
        choice = choose(nowhere, started)
        if not choice.target:
            return _refuse(nowhere, choice)
        target, reason, probe = choice.target, choice.reason, choice.probe
        put = call_at(nowhere, target) if getattr(call, "shared_dedup", False) else call
        circuit = health.start(target, call, started)
    state = CallState(
        call, health, rules, able, health.calls, started, deadline, whole, (target,), (1,)
    )
    seconds: AttemptTime = time_for_attempt(
        state, circuit, timeout, more=len(able) > 1 or policy.max_attempts > 1
    )
    if probe:
        seconds = seconds.cut_to(time_for_probe(state, target, seconds, started))
    elif len(able) > 1 and rules.early and circuit.early < seconds and may_be_early(state, circuit):
        early, seconds = True, seconds.cut_to(circuit.early)
    first = make_record(Dispatch, (1, target, put, seconds, circuits.epoch, reason, early))
    return state, (
        (first, *hedge_after(state, circuit))
        if core.hedging and rules.elsewhere and not rules.ordered and not probe
        else (first,)
    )


def _refuse(state: CallState, choice: TargetChoice) -> Decision:
    """End a call that no target may be asked for."""
    why, wait = choice.reason, choice.retry_after
    return state._replace(ending=Ending.REFUSED, why=why, retry_after=wait), ()


def step(state: CallState, event: Event, now: float, random: Random) -> Decision:
    """Return the next state and commands after `event`, which happened `now` (monotonic seconds).

    `state` does not change; its `health` is changed in place.
    """
    match event:
        case AttemptEnded(outcome=Outcome.OK) if not event.refused or len(state.in_flight) == 1:
            return state._replace(ending=Ending.LAST), ()
        case AttemptEnded():
            return _follow_failure(state, event, now, random)
        case ReadBackDone(verdict=ReadBackVerdict.OURS):
            return state._replace(ending=Ending.RESOLVED), ()
        case ReadBackDone(verdict=ReadBackVerdict.LOST):
            return end(state._replace(settled=True), _LOST[state.rules.settle], now)
        case ReadBackDone(verdict=ReadBackVerdict.OPEN):
            return retry(state, AttemptEnded(event.attempt, event.after), now, random)
        case ReadBackDone():
            return _follow_question(state, event, now, random)
        case PauseEnded(hedge=True):
            return hedge(state, now)
        case PauseEnded(settle=True):
            return ask(state, state.after, now) if may_ask(state, now) else _give_up(state, now)
        case _:
            return follow_pause(state, event, now, random)


def _follow_failure(state: CallState, ended: AttemptEnded, now: float, random: Random) -> Decision:
    row = TABLE[ended.outcome]
    in_flight = tuple(number for number in state.in_flight if number != ended.attempt)
    final = state.final
    # if a hedge is refused or finds no such name, that proves nothing about the first attempt
    is_of_hedge = bool(in_flight) and ended.attempt > 1 and row.sign is Sign.NOTHING
    if row.move is May.NEVER and not is_of_hedge and not (final and final.outlives(ended)):
        final = ended
    state = state._replace(
        in_flight=in_flight,
        proved=state.proved and row.proved,
        unknown=state.unknown or ended.outcome is Outcome.AMBIGUOUS,
        final=final,
    )
    if state.in_flight:
        return state, ()  # nothing is proved yet: the others may have an effect, or succeed
    ended = final or ended
    outcome = ended.outcome
    doubtful = outcome is Outcome.AMBIGUOUS or (state.unknown and outcome is Outcome.CONFLICT)
    left = state.deadline - now
    target, health = state.tried[ended.attempt - 1], state.health
    in_reach = left >= health.policy.least_attempt and not health.records[target].isolated
    if doubtful and state.rules.read_back and in_reach:
        question = question_of(state.call)
        circuit = health.start(target, question, now)
        seconds = time_for_attempt(state, circuit, left, more=count_remaining(state) > 0)
        epoch = health.circuits.epoch
        return state, (ReadBack(ended.attempt, target, question, seconds, outcome, epoch),)
    if (ended.ran == "maybe" or (doubtful and not state.rules.same)) and may_ask(state, now):
        return ask(state, outcome, now)
    return retry(state, ended, now, random)


_LOST: Final = {True: "unsettled", False: "another_write"}
"""Why a call ends after an unclear read-back, by whether a function was asked."""


def _follow_question(
    state: CallState, answer: ReadBackDone, now: float, random: Random
) -> Decision:
    """Continue after a function was asked what became of the call."""
    if answer.verdict is ReadBackVerdict.NOT_RUN:
        state = state._replace(unknown=False, proved=True, final=None)
        if answer.after is Outcome.APP_ERROR:  # the function has failed, and will again
            return end(state, "settled", now)
        return retry(state, AttemptEnded(answer.attempt, Outcome.NOT_SENT), now, random)
    policy, target = state.health.policy, state.tried[answer.attempt - 1]
    longest = state.deadline - now - 2 * policy.least_attempt
    if longest < 0.001:  # a pause that a clock rounds away would repeat the question without end
        return _give_up(state, now)
    limit = policy.retry_after_cap
    if answer.retry_after is not None:
        limit = max(answer.retry_after, policy.least_attempt)  # 0 would ask without a pause
    seconds = min(limit, policy.wait_least * 2 ** min(state.asks, 9)) * (1 + random()) / 2
    return state, (Pause(min(seconds, longest), target, settle=True),)


def _give_up(state: CallState, now: float) -> Decision:
    """End a call that its function has not settled in time."""
    return end(state._replace(settled=True), "no_time", now)


def retry(state: CallState, ended: AttemptEnded, now: float, random: Random) -> Decision:
    """Send again, to the same target or another, if table, caps, budgets and time allow it."""
    follow = _FOLLOW.get((ended.outcome, ended.reason or ""))
    if follow is not None:
        return follow(state, ended, now, random)
    row, rules, policy = TABLE[ended.outcome], state.rules, state.health.policy
    if row.again is May.NEVER and row.move is May.NEVER:
        return end(state, ended.outcome.value, now)
    attempts, left = count_remaining(state), state.deadline - now
    if attempts == 0:
        return end(state, "attempts_used", now)
    if left < policy.least_attempt:
        return end(state, "no_time", now)
    target = state.tried[ended.attempt - 1]
    free = _effect_allows(row.move, rules.elsewhere, state)
    free = free and (not state.unknown or may_leave(state))
    others = _untried_targets(state, now) if free else ()
    may_stay = _effect_allows(row.again, rules.same, state) and _lets_through(state, target)
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
        if seconds <= longest and state.health.records[target].spend_token(policy):
            tell_of(state, "retry", target, ended.outcome.value)
            return state._replace(may_move=free), (Pause(seconds, target),)
    stays = may_stay and ended.early
    if others:
        return move(state, target, ended.outcome, now, or_stay=stays)
    if stays:
        return dispatch(state, target, now, "again")
    ill = find_ill(state, now) if free and row.again is not May.NEVER else ""
    if ill:
        return dispatch(state, ill, now, PANIC)
    reach = len(state.able) if state.proved else policy.max_targets
    some_rest = free and len(_made_at(state)) < min(len(state.able), reach)
    return end(state, "no_other_target" if some_rest else "no_other", now)


def _wait_elsewhere(state: CallState, ended: AttemptEnded, now: float, random: Random) -> Decision:
    """Look for a free place at the targets in turn, while there is time for an attempt.

    The wait proves that nothing was sent, so it costs neither an attempt nor a budget. After a
    round over all targets the call is woken when an attempt ends. One may have ended during the
    round, so the first wait is short. Shortly before it is too late it looks once more.
    """
    place = ended.attempt - 1
    target = state.tried[place]
    tried = (*state.tried[:place], "", *state.tried[place + 1 :])
    state = state._replace(tried=tried, lines=(*state.lines, target))
    return _look_for_place(state, target, now, random)


def _look_for_place(state: CallState, target: str, now: float, random: Random) -> Decision:
    """Ask a target that may have a place and answer in the time left; else wait."""
    left, short = state.deadline - now, state.health.policy.place_wait * (1 + random()) / 2
    free = len(state.able) > 1 and _effect_allows(May.ALWAYS, state.rules.elsewhere, state)
    free = free and not state.rules.ordered and (not state.unknown or may_leave(state))
    if not free or left <= state.whole or not count_remaining(state):
        return end(state, NO_PLACE, now)
    needed = {name: _needed_time(state, name) for name in state.able}
    seen = (*state.tried, *(name for name, least in needed.items() if left < least))
    choice = choose(state._replace(tried=(*seen, *state.lines)), now)
    if choice.target:
        reason = PANIC if choice.reason == PANIC else NO_PLACE
        return dispatch(state, choice.target, now, reason, probe=choice.probe)
    places = tuple(name for name in state.able if name not in seen)
    left -= min((needed[name] for name in places), default=left)
    if left < state.health.policy.place_wait / 2:
        return end(state, NO_PLACE, now)
    seconds = min(left, max(short, left - short) if state.rounds else short)
    state = state._replace(lines=(), rounds=min(MOST_ROUNDS, state.rounds + 1), may_move=True)
    return state, (Pause(seconds, target, places=places, number=state.number),)


def _call_again(state: CallState, ended: AttemptEnded, now: float, _random: Random) -> Decision:
    """Call once more with a key that was settled as not run: now the call knows its voids.

    Nothing has run. The earlier attempts know fewer voids, so none of them will run.
    """
    target = state.tried[ended.attempt - 1]
    state = state._replace(unknown=False, proved=True)
    in_time = state.deadline - now >= state.health.policy.least_attempt
    is_fenced = isinstance(state.call, Invoke) and state.call.fenced
    if is_fenced or state.tried.count(target) > MOST_VOIDS or not in_time:
        return end(state, VOIDED, now)
    if state.health.records[target].isolated:
        return move(state, target, ended.outcome, now)
    return dispatch(state, target, now, VOIDED)


def _ask_later(state: CallState, ended: AttemptEnded, now: float, random: Random) -> Decision:
    """Wait for the earlier run of the key, if it still runs, and ask again.

    Nothing ran and the target is well, so only time counts, not caps or budgets. The target says
    how long to wait. Shortly before the deadline it is asked once more.
    """
    why = str(ended.reason)
    if why == NOT_KEPT:  # it has run, and there is nothing more to find out
        return end(state._replace(settled=True), why, now)
    if why != RUNNING or not state.rules.same:
        return end(state, why, now)
    policy, target = state.health.policy, state.tried[ended.attempt - 1]
    longest = state.deadline - now - 2 * policy.least_attempt  # its answer takes no longer
    if longest <= 0:
        return end(state, why, now)
    seconds = _pause(state, max(ended.retry_after or 0.0, policy.wait_least), random)
    tell_of(state, "retry", target, why)
    return state._replace(may_move=state.rules.elsewhere and may_leave(state)), (
        Pause(min(seconds, longest), target),
    )


_FOLLOW: Final = {
    (Outcome.LOCAL, NO_PLACE): _wait_elsewhere,
    (Outcome.REJECTED, VOIDED): _call_again,
    **{(Outcome.AMBIGUOUS, reason): _ask_later for reason in KNOWN_KEY},
}
"""The continuation after an attempt with a special reason."""


def follow_pause(state: CallState, paused: PauseEnded, now: float, random: Random) -> Decision:
    """Ask the target again, or another one if it has become ill meanwhile.

    The pause may have ended late, after the process was frozen. If the call was woken for a place
    and has no time left for it, the next call gets the place.
    """
    target, left = paused.target, state.deadline - now
    in_time = not state.rounds or left >= _needed_time(state, target)
    if left >= state.health.policy.least_attempt and in_time and _lets_through(state, target):
        return dispatch(state, target, now, "again")
    if paused.woken and not in_time:
        state.health.outbox.append(FreePlace(target))
    if left < state.health.policy.least_attempt:
        return end(state, "no_time", now)
    if state.rounds:
        return _look_for_place(state, target, now, random)
    if state.may_move and _untried_targets(state, now):
        return move(state, target, None, now)
    return end(state, "no_other_target", now)


def move(
    state: CallState, source: str, outcome: Outcome | None, now: float, *, or_stay: bool = False
) -> Decision:
    """Try another target. Without a budget for that, end, or ask `source` again.

    `source` is asked again if its attempt was given up early, because it may still answer.
    """
    choice = choose(state, now)
    why = _block_of(state, source, choice, now)
    if not why:
        tell_of(state, "failover", choice.target, "" if outcome is None else outcome.value)
        reason = choice.reason if choice.reason in (PROBE, PANIC) else "moved"
        return dispatch(state, choice.target, now, reason, probe=choice.probe)
    if choice.probe:
        state.health.circuits.extend_leases(choice.target, state.call, 0.0)  # it is not made
    if or_stay and why == "failover_budget":
        return dispatch(state, source, now, "again")
    return end(state, why, now)


def _block_of(state: CallState, source: str, choice: TargetChoice, now: float) -> str:
    """Return the code of why a call may not leave `source`; "" if it may."""
    if not choice.target:
        return choice.reason
    if state.deadline - now < _least_time(state, choice.target):
        return "no_time"
    is_free = spend_failover(state.health, source, state.call, now)
    return "" if is_free else "failover_budget"


def spend_failover(health: Health, source: str, call: Call, now: float) -> bool:
    """Charge a call that leaves `source`; return False if too many do.

    Only while the source is healthy. If its circuit is open, or it is silent or isolated, each call
    reaches the next target only once. So it does if the source has failed so often in a row that
    its circuit would be open if another target were well.
    """
    is_ill = health.records[source].isolated or any(
        circuit.silent
        or circuit.state not in FLOWING
        or circuit.streak * health.circuits.ratios.failure >= health.policy.trip_score
        for circuit in health.circuits.of(source, call)
    )
    return is_ill or health.budgets.spend_failover(now, health.calls)


def _effect_allows(may: May, by_effect: bool, state: CallState) -> bool:
    """Decide by the effect alone, because an earlier attempt may have run."""
    if may is May.ALWAYS and not state.unknown:
        return True
    return may is not May.NEVER and by_effect


def _untried_targets(state: CallState, now: float) -> tuple[str, ...]:
    """Return the targets that may be tried for the first time, and may answer."""
    health = state.health
    fresh = tuple(
        target
        for target in state.able
        if target not in state.tried
        and not health.records[target].isolated
        and not any(blocks(circuit, now) for circuit in health.circuits.of(target, state.call))
    )
    if state.proved:
        return fresh
    return fresh[: max(0, health.policy.max_targets - len(_made_at(state)))]


def _made_at(state: CallState) -> set[str]:
    """Return the targets at which an attempt was made."""
    return set(state.tried) - {""}


def _lets_through(state: CallState, target: str) -> bool:
    """Return whether a target that was tried before may have a second attempt."""
    return state.health.circuits.lets_through(target, state.call)


def _least_time(state: CallState, target: str) -> float:
    """Return the seconds that an attempt at `target` needs so that it is not cut off.

    A repeat of a key is answered at once.
    """
    health = state.health
    if target in state.tried and getattr(state.call, "effect", None) is Effect.KEYED:
        return health.policy.least_attempt
    circuit = health.circuits.get((target, state.call.verb, resource_of(state.call)))
    middle = circuit.latency.middle if circuit is not None else 0.0
    return max(health.policy.least_attempt, middle)


def _needed_time(state: CallState, target: str) -> float:
    """Return the seconds that must be left at `target` for an attempt that has waited."""
    return state.whole and max(state.whole, _least_time(state, target))


def _pause(state: CallState, retry_after: float | None, random: Random) -> float:
    """Return the seconds before the same target is asked again."""
    policy = state.health.policy
    if retry_after is not None and retry_after >= 0:
        longest = min(retry_after, policy.retry_after_cap)
        return longest * (1 + policy.retry_after_jitter * random())
    attempts = len(state.tried) - state.tried.count("")
    longest = policy.backoff_base * 2 ** min(attempts - 1, 30)  # a float ends at 2 ** 1024
    return float(random() * min(policy.backoff_cap, longest))


def hedge_after(state: CallState, circuit: Circuit) -> Commands:
    """Return the pause before a hedge of the call's first attempt; none without a baseline."""
    usual = circuit.latency.usual
    if not usual or circuit.state is not CircuitState.CLOSED or _second_target(state) is None:
        return ()
    return (Pause(max(state.health.policy.hedge_least, usual), state.tried[0], hedge=True),)


def hedge(state: CallState, now: float) -> Decision:
    """Ask a second target if the first one has not answered and the budget allows it."""
    target = _second_target(state) if may_leave(state) else None
    in_time = state.deadline - now >= state.health.policy.least_attempt
    waits = state.in_flight == (1,) and len(state.tried) == 1
    if target is None or not in_time or not waits or count_remaining(state) == 0:
        return state, ()
    health = state.health
    if not health.budgets.spend_hedge(health.calls, health.records[state.tried[0]].tokens):
        return state, ()
    tell_of(state, "hedged", target, "slow")
    return dispatch(state, target, now, "hedge")


def _second_target(state: CallState) -> str | None:
    """Return the target of a hedge: a healthy one; for a load or list, its home again."""
    health = state.health
    for target in state.able:
        if target in state.tried and not isinstance(state.call, Load | ListItems):
            continue
        circuits = health.circuits.of(target, state.call)
        well = all(
            circuit.state is CircuitState.CLOSED and not circuit.silent for circuit in circuits
        )
        if well and not health.records[target].isolated:
            return target
    return None
