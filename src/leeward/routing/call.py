"""The state machine of one call: after everything that happens to it, what to do next.

Pure: `step(state, event, now, random) -> state, commands`. Time and random numbers are arguments;
threads, event loops and the simulator carry the commands out. Several attempts may be in flight:
each has a number, which its answer carries, and while one that could still end the call well is
under way, nothing further is sent.

``docs/promises.md`` says in words what this file keeps:

* at most `max_attempts` attempts on at most `max_targets` targets, and more only while it is proved
  that no earlier attempt ran;
* after one unresolved AMBIGUOUS attempt the call ends well or as unknown, whatever comes later;
* a write whose answer was lost is read back before anything is sent again;
* nothing starts after the deadline.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from typing import NamedTuple, TypeAlias

from leeward.adapter import Call, Invoke, Load
from leeward.errors import Outcome
from leeward.routing.outcomes import TABLE, May, Rules, rules_of
from leeward.routing.policy import RoutingPolicy
from leeward.routing.readback import Verdict, question
from leeward.routing.select import Targets, candidates


class Ending(Enum):
    """Which of the results that a call has met is its own."""

    LAST = "last"
    """That of the attempt that ended last."""
    RESOLVED = "resolved"
    """A success: the read-back has proved it."""
    UNKNOWN = "unknown"
    """AMBIGUOUS, whatever the last attempt said."""


class CallState(NamedTuple):
    """Where a call stands. The first six fields are facts and stay as they are.

    Attributes:
        call: what an attempt sends; of a batch, only the events that are still open.
        targets: the order, and the homes of the tables.
        policy: the numbers to decide by.
        rules: what the call's effect allows.
        deadline: monotonic seconds.
        time_limit: seconds that an attempt is given at least, whatever the deadline; for an unsafe
            function, whose outcome would else be unknown.
        asked: the target of each attempt, in order; the first attempt has the number 1.
        in_flight: numbers of the attempts that have not ended.
        proved: it is proved that none of the attempts that have ended ran.
        unknown: an attempt may have run, and nothing has resolved that.
        ending: how the call has ended; None while it goes on.
    """

    call: Call
    targets: Targets
    policy: RoutingPolicy
    rules: Rules
    deadline: float
    time_limit: float
    asked: tuple[str, ...]
    in_flight: tuple[int, ...]
    proved: bool = True
    unknown: bool = False
    ending: Ending | None = None


class Dispatch(NamedTuple):
    """Make attempt number `attempt`: put `call` to `target`, for at most `timeout` seconds."""

    attempt: int
    target: str
    call: Call
    timeout: float


class ReadBack(NamedTuple):
    """Look up at `target` what became of attempt number `attempt`, which ended as `after`."""

    attempt: int
    target: str
    call: Load
    timeout: float
    after: Outcome


class Pause(NamedTuple):
    """Wait so many seconds; then `target` is asked again."""

    seconds: float
    target: str


Command: TypeAlias = Dispatch | ReadBack | Pause
Commands: TypeAlias = tuple[Command, ...]
"""What to start now, all of it at once. Empty: wait for what is in flight; or the call has ended,
and what is still in flight is of no use any more."""


class AttemptEnded(NamedTuple):
    """Attempt number `attempt` ended; its target asked to wait `retry_after` seconds, or not."""

    attempt: int
    outcome: Outcome
    retry_after: float | None = None


class ReadBackDone(NamedTuple):
    """What the read-back after attempt number `attempt`, which ended as `after`, has found out."""

    attempt: int
    after: Outcome
    verdict: Verdict


class PauseEnded(NamedTuple):
    """The pause before asking `target` again is over."""

    target: str


Event: TypeAlias = AttemptEnded | ReadBackDone | PauseEnded
Random: TypeAlias = Callable[[], float]
"""Gives numbers in [0, 1)."""

Decision: TypeAlias = tuple[CallState, Commands]
"""The state after an event, and what to do next."""


def begin(
    call: Call, targets: Targets, policy: RoutingPolicy, started: float, timeout: float
) -> Decision:
    """Start a call that has `timeout` seconds from `started`, in monotonic seconds.

    Raise `ConfigError` if no target of the order may serve it.
    """
    rules = rules_of(call)
    able = candidates(targets, call, rules)
    limit = 0.0
    if isinstance(call, Invoke) and call.time_limit and not rules.same:
        limit = call.time_limit + policy.time_limit_margin
    state = CallState(
        call, targets, policy, rules, started + timeout, limit, asked=able[:1], in_flight=(1,)
    )
    more = max(policy.max_attempts, len(able)) > 1
    return state, (Dispatch(1, able[0], call, _time_for_attempt(state, timeout, more=more)),)


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
            return _end(state)
        case ReadBackDone(attempt, after):
            return _go_on(state, AttemptEnded(attempt, after), now, random)
        case _:  # a pause has ended, perhaps late: the process may have been frozen meanwhile
            if _left(state, now) >= state.policy.least_attempt:
                return dispatch(state, event.target, now)
            return (state, ()) if state.in_flight else _end(state)


def dispatch(state: CallState, target: str, now: float) -> Decision:
    """Start one more attempt, at `target`."""
    attempt = len(state.asked) + 1
    state = state._replace(asked=(*state.asked, target), in_flight=(*state.in_flight, attempt))
    return state, (Dispatch(attempt, target, state.call, _timeout(state, now)),)


def _failed(state: CallState, ended: AttemptEnded, now: float, random: Random) -> Decision:
    outcome, row = ended.outcome, TABLE[ended.outcome]
    unknown = state.unknown or outcome is Outcome.AMBIGUOUS
    state = state._replace(
        in_flight=tuple(each for each in state.in_flight if each != ended.attempt),
        proved=state.proved and row.proved,
        unknown=unknown,
    )
    if state.in_flight and row.move is not May.NEVER:
        return state, ()  # one of those may still end the call well
    doubtful = outcome is Outcome.AMBIGUOUS or (unknown and outcome is Outcome.CONFLICT)
    if doubtful and state.rules.read_back and _left(state, now) >= state.policy.least_attempt:
        target = state.asked[ended.attempt - 1]
        look_up = question(state.call)
        timeout = _timeout(state, now)
        return state, (ReadBack(ended.attempt, target, look_up, timeout, outcome),)
    return _go_on(state, ended, now, random)


def _go_on(state: CallState, ended: AttemptEnded, now: float, random: Random) -> Decision:
    """Send again, to the same target or another, if the table, the caps and the time allow it."""
    left, policy = _left(state, now), state.policy
    attempts = _attempts_left(state)
    if attempts == 0 or left < policy.least_attempt:
        return _end(state)
    row, rules = TABLE[ended.outcome], state.rules
    onward = _targets_left(state) if _allows(row.move, rules.elsewhere, state) else ()
    target = state.asked[ended.attempt - 1]
    # one more attempt here, unless a further target would then go without one
    if (
        _allows(row.again, rules.same, state)
        and state.asked.count(target) == 1
        and attempts > len(onward)
    ):
        pause = _pause(state, ended.retry_after, random)
        longest = left - policy.least_attempt
        if pause <= (min(longest, policy.backoff_cap) if onward else longest):
            return state, (Pause(pause, target),)
    return dispatch(state, onward[0], now) if onward else _end(state)


def _allows(may: May, by_effect: bool, state: CallState) -> bool:
    """Decide by the effect alone once an earlier attempt may have run."""
    if may is May.ALWAYS and not state.unknown:
        return True
    return may is not May.NEVER and by_effect


def _attempts_left(state: CallState) -> int:
    most = state.policy.max_attempts
    if state.proved:
        most = max(most, len(candidates(state.targets, state.call, state.rules)))
    return max(0, most - len(state.asked))


def _targets_left(state: CallState) -> tuple[str, ...]:
    """Return the targets that may still be asked for the first time."""
    able = candidates(state.targets, state.call, state.rules)
    fresh = tuple(target for target in able if target not in state.asked)
    if state.proved:
        return fresh
    return fresh[: max(0, state.policy.max_targets - len(set(state.asked)))]


def _left(state: CallState, now: float) -> float:
    return state.deadline - now


def _pause(state: CallState, retry_after: float | None, random: Random) -> float:
    """Return the seconds to wait before the same target is asked again."""
    policy = state.policy
    if retry_after is not None and retry_after >= 0:
        asked = min(retry_after, policy.retry_after_cap)
        return asked * (1 + policy.retry_after_jitter * random())
    longest = policy.backoff_base * 2 ** (len(state.asked) - 1)
    return float(random() * min(policy.backoff_cap, longest))


def _timeout(state: CallState, now: float) -> float:
    return _time_for_attempt(state, _left(state, now), more=_attempts_left(state) > 0)


def _time_for_attempt(state: CallState, left: float, *, more: bool) -> float:
    """Return the seconds of an attempt: what is left, less a reserve for what may follow it."""
    rules, policy = state.rules, state.policy
    if more and (rules.same or rules.elsewhere or rules.read_back):
        return max(left * (1 - policy.reserve), min(left, policy.least_attempt))
    return max(left, state.time_limit)


def _end(state: CallState) -> Decision:
    return state._replace(ending=Ending.UNKNOWN if state.unknown else Ending.LAST), ()
