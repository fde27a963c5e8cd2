"""The state machine of one call: after everything that happens to it, what to do next.

Pure: `step(state, event, now, random) -> state, commands`. Time and random numbers are arguments;
threads, event loops and the simulator carry the commands out. What calls share, the evidence on
each target, is part of what is decided by, and a runner holds one lock meanwhile. Several attempts
may be in flight: each has a number, which its answer carries, and while one that could still end
the call well is under way, nothing further is sent.

``docs/promises.md`` says in words what this file keeps:

* at most `max_attempts` attempts on at most `max_targets` targets, and more only while it is proved
  that no earlier attempt ran;
* after one unresolved AMBIGUOUS attempt the call ends well or as unknown, whatever comes later;
* a write whose answer was lost is read back before anything is sent again;
* while an earlier call with the same key runs, and only then, it is asked for as often as time
  allows;
* nothing starts after the deadline.
"""

from __future__ import annotations

from enum import Enum
from math import inf
from typing import NamedTuple, TypeAlias

from leeward.calls import AttemptTime, Call, Invoke
from leeward.errors import Outcome
from leeward.routing.attempt_time import may_be_early, time_for_probe
from leeward.routing.circuit import Circuit, Random
from leeward.routing.health import Health
from leeward.routing.outcomes import TABLE, May, Rules, Sign, rules_of
from leeward.routing.readback import Verdict, question
from leeward.routing.select import candidates, chooser, narrowed

NOWHERE: tuple[str, ...] = ()


class Core(NamedTuple):
    """What all calls over one order share.

    Attributes:
        health: what has been seen of each target, and the targets themselves.
        hedging: harmless calls that take long are asked a second target meanwhile.
    """

    health: Health
    hedging: bool = False


class Ending(Enum):
    """Which of the results that a call has met is its own."""

    LAST = "last"
    """That of the attempt that ended last."""
    RESOLVED = "resolved"
    """A success: the read-back has proved it."""
    UNKNOWN = "unknown"
    """AMBIGUOUS, whatever the last attempt said."""
    REFUSED = "refused"
    """None: no target could be asked."""


class CallState(NamedTuple):
    """Where a call stands. The first seven fields are facts and stay as they are.

    Attributes:
        call: what an attempt sends; of a batch, only the events that are still open.
        health: the evidence on the targets, and the numbers to decide by.
        rules: what the call's effect allows.
        able: the targets that may serve it.
        number: of the call, counted by the order.
        deadline: monotonic seconds.
        whole: seconds without which an attempt that has waited for a place is not made any more.
        tried: the target of each attempt, in order; the first attempt has the number 1. Of one that
            found no place there, "": it was not made.
        in_flight: numbers of the attempts that have not ended.
        proved: it is proved that none of the attempts that have ended ran.
        unknown: an attempt may have run, and nothing has resolved that.
        may_move: after the pause that is under way, another target may be asked instead.
        lines: the targets at which it has waited for a place since it was last at every one.
        rounds: how often it has been at every one.
        ending: how the call has ended; None while it goes on.
        why: the code of what ended it.
        retry_after: seconds until a call that was refused may be let through.
    """

    call: Call
    health: Health
    rules: Rules
    able: tuple[str, ...]
    number: int
    deadline: float
    whole: float
    tried: tuple[str, ...]
    in_flight: tuple[int, ...]
    proved: bool = True
    unknown: bool = False
    may_move: bool = False
    lines: tuple[str, ...] = NOWHERE
    rounds: int = 0
    ending: Ending | None = None
    why: str = ""
    retry_after: float | None = None


class Dispatch(NamedTuple):
    """Make attempt number `attempt`: put `call` to `target`, for at most `timeout` seconds.

    Attributes:
        timeout: seconds; an `AttemptTime` says how long it may wait for a place besides.
        epoch: of the evidence; an answer counts only for what has not changed since.
        reason: the code of why this target is asked.
        early: it is given up before that is evidence, to be made elsewhere.
    """

    attempt: int
    target: str
    call: Call
    timeout: float
    epoch: int = 0
    reason: str = "first"
    early: bool = False


class ReadBack(NamedTuple):
    """Look up at `target` what became of attempt number `attempt`, which ended as `after`."""

    attempt: int
    target: str
    call: Call
    timeout: float
    after: Outcome
    epoch: int = 0
    reason: str = "read_back"
    early: bool = False


class Pause(NamedTuple):
    """Wait so many seconds; then `target` is asked again, or, for a hedge, another one as well."""

    seconds: float
    target: str
    hedge: bool = False


Command: TypeAlias = Dispatch | ReadBack | Pause
Commands: TypeAlias = tuple[Command, ...]
"""What to start now, all of it at once. Empty: wait for what is in flight; or the call has ended,
and what is still in flight is of no use any more."""


class AttemptEnded(NamedTuple):
    """Attempt number `attempt` ended.

    Attributes:
        attempt: its number.
        outcome: how.
        retry_after: seconds that its target asked to wait; None if it did not.
        cut_off: it took all the time that it was given.
        early: that was less than is evidence.
        reason: the result's own word for a special case.
    """

    attempt: int
    outcome: Outcome
    retry_after: float | None = None
    cut_off: bool = False
    early: bool = False
    reason: str | None = None


class ReadBackDone(NamedTuple):
    """What the read-back after attempt number `attempt`, which ended as `after`, has found out."""

    attempt: int
    after: Outcome
    verdict: Verdict


class PauseEnded(NamedTuple):
    """The pause before asking `target` again is over; or the one before a hedge."""

    target: str
    hedge: bool = False


Event: TypeAlias = AttemptEnded | ReadBackDone | PauseEnded

Decision: TypeAlias = tuple[CallState, Commands]
"""The state after an event, and what to do next."""


def begin(
    core: Core, call: Call, started: float, timeout: float, only: tuple[str, ...] = NOWHERE
) -> Decision:
    """Start a call that has `timeout` seconds from `started`, in monotonic seconds.

    `only` narrows the targets, and is their order. Raise `ConfigError` if none may serve the call,
    and `InvalidRequest` if none of `only` may.
    """
    health, hedging = core
    rules, policy = rules_of(call), health.policy
    able = candidates(health.targets, call, rules)
    able = narrowed(able, only) if only else able
    number = health.calls = health.calls + 1
    # An unsafe function has its own time, whenever it begins.
    has_own = not rules.same and bool(getattr(call, "time_limit", 0.0))
    whole = 0.0 if has_own else max(policy.least_attempt, policy.whole_attempt * timeout)
    target, reason, probe, careful = able[0], "first", False, health.watchful
    if not careful:
        circuit = health.start(target, call, started)
        if health.watchful:  # it has just turned out to be silent, so the target is chosen anew
            careful = True
            circuit.leave(started)
    if careful:
        nowhere = CallState(call, health, rules, able, number, started + timeout, whole, (), ())
        target, reason, probe, wait = chooser()(nowhere, started)
        if not target:
            return nowhere._replace(ending=Ending.REFUSED, why=reason, retry_after=wait), ()
        circuit = health.start(target, call, started)
    state = CallState(call, health, rules, able, number, started + timeout, whole, (target,), (1,))
    others, early = len(able) > 1, False
    more = others or policy.max_attempts > 1
    seconds = _time_for_attempt(state, circuit, timeout, more=more)
    if probe:
        seconds = seconds.cut_to(time_for_probe(state, target, seconds, started))
    elif others and rules.early and circuit.early < seconds and may_be_early(state, circuit):
        early, seconds = True, seconds.cut_to(circuit.early)
    first = Dispatch(1, target, call, seconds, health.epoch, reason, early)
    if hedging and rules.elsewhere and not probe:
        from leeward.routing.hedging import hedge_after

        return state, (first, *hedge_after(state, circuit))
    return state, (first,)


def step(state: CallState, event: Event, now: float, random: Random) -> Decision:
    """Decide what follows `event`, which happened `now`, in monotonic seconds."""
    match event:
        case AttemptEnded(_, Outcome.OK):
            return state._replace(ending=Ending.LAST), ()
        case AttemptEnded():
            return _failed(state, event, now, random)
        case ReadBackDone(_, _, Verdict.OURS):
            return state._replace(ending=Ending.RESOLVED), ()
        case ReadBackDone(_, _, Verdict.LOST):
            return end(state, "another_write")
        case ReadBackDone(attempt, after):
            return _go_on(state, AttemptEnded(attempt, after), now, random)
        case PauseEnded(_, hedge=True):
            from leeward.routing.hedging import hedge

            return hedge(state, now)
        case _:
            from leeward.routing.again import after_pause

            return after_pause(state, event.target, now)


def dispatch(
    state: CallState,
    target: str,
    now: float,
    reason: str,
    *,
    probe: bool = False,
) -> Decision:
    """Start one more attempt, at `target`."""
    attempt, health = len(state.tried) + 1, state.health
    circuit = health.start(target, state.call, now)
    state = state._replace(tried=(*state.tried, target), in_flight=(*state.in_flight, attempt))
    left, more = state.deadline - now, attempts_left(state) > 0
    seconds = _time_for_attempt(state, circuit, left, more=more)
    if probe:
        seconds = seconds.cut_to(time_for_probe(state, target, seconds, now))
    return state, (Dispatch(attempt, target, state.call, seconds, health.epoch, reason),)


def end(state: CallState, why: str) -> Decision:
    """End the call as the last attempt ended, or as unknown."""
    if state.unknown:
        from leeward.routing.transitions import tell

        call = state.call
        tell(
            state.health,
            "outcome_unknown",
            target=next(filter(None, reversed(state.tried))),
            verb=call.verb,
            resource=call[0],
            reason=why,
            call_id=state.number,
        )
        return state._replace(ending=Ending.UNKNOWN, why=why), ()
    return state._replace(ending=Ending.LAST, why=why), ()


def _failed(state: CallState, ended: AttemptEnded, now: float, random: Random) -> Decision:
    outcome, row = ended.outcome, TABLE[ended.outcome]
    unknown = state.unknown or outcome is Outcome.AMBIGUOUS
    state = state._replace(
        in_flight=tuple(each for each in state.in_flight if each != ended.attempt),
        proved=state.proved and row.proved,
        unknown=unknown,
    )
    at_hedge_alone = ended.attempt > 1 and row.sign is Sign.NOTHING
    if state.in_flight and (row.move is not May.NEVER or at_hedge_alone):
        return state, ()  # one of those may still end the call well
    doubtful = outcome is Outcome.AMBIGUOUS or (unknown and outcome is Outcome.CONFLICT)
    left = state.deadline - now
    if doubtful and state.rules.read_back and left >= state.health.policy.least_attempt:
        target, health = state.tried[ended.attempt - 1], state.health
        look_up = question(state.call)
        circuit = health.start(target, look_up, now)
        seconds = _time_for_attempt(state, circuit, left, more=attempts_left(state) > 0)
        return state, (ReadBack(ended.attempt, target, look_up, seconds, outcome, health.epoch),)
    return _go_on(state, ended, now, random)


def _go_on(state: CallState, ended: AttemptEnded, now: float, random: Random) -> Decision:
    from leeward.routing.again import go_on

    return go_on(state, ended, now, random)


def attempts_left(state: CallState) -> int:
    """Return how many more attempts the call may make."""
    most = state.health.policy.max_attempts
    if state.proved:
        most = max(most, len(state.able))
    return max(0, most - len(state.tried) + state.tried.count(""))


def _time_for_attempt(
    state: CallState, circuit: Circuit, left: float, *, more: bool
) -> AttemptTime:
    """Return the seconds of an attempt: what is left, less a reserve for what may follow it.

    It is not cut short of what an answer usually takes: it would only run once more. Where the call
    may go elsewhere, it does not wait much longer than the slowest answers take. An unsafe function
    has the time that it may take, whatever the deadline: else its outcome would be unknown.

    For a place the call waits so long that a whole attempt is left; not long where another target
    may have one.
    """
    rules, policy, latency, whole = state.rules, state.health.policy, circuit.latency, state.whole
    seconds, total, others = left, left, len(state.able) > 1
    if more and (rules.same or rules.elsewhere or rules.read_back):
        seconds = left * (1 - policy.reserve)
        if seconds < latency.usual or seconds < policy.least_attempt:
            seconds = max(seconds, min(left, max(policy.least_attempt, latency.usual)))
        if rules.elsewhere and others and circuit.cut_off < seconds:
            seconds = circuit.cut_off
    elif not rules.same and isinstance(state.call, Invoke) and state.call.time_limit:
        seconds, total = max(left, state.call.time_limit + policy.time_limit_margin), inf
    wait = left - (latency.middle if latency.middle > whole and total is left else whole)
    if others:  # the last moment is for a look at every target
        longest = policy.place_wait * (1 << state.rounds)
        wait -= policy.place_wait / 2
        if state.lines:
            wait = 0.0
        elif wait > longest:
            wait = longest
    made = AttemptTime(seconds)
    made.total, made.wait, made.elsewhere = total, wait if wait > 0 else 0.0, others
    return made
