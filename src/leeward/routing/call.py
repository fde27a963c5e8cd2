"""The state machine of one call: after every answer, what to do next.

Pure: the time and the random numbers are arguments. Threads, asyncio and the simulator are thin
runners of it. A call waits for one thing at a time, so each step gives one command.

``docs/promises.md`` says in words what this file keeps:

* at most `MAX_ATTEMPTS` attempts on at most `MAX_TARGETS` targets, and on further targets only
  while it is proved that no earlier attempt ran;
* after one unresolved AMBIGUOUS attempt the call ends well or as unknown, whatever comes later;
* a write whose answer was lost is first asked after, before anything is sent again;
* nothing starts after the deadline.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from typing import NamedTuple, TypeAlias

from leeward.errors import Outcome
from leeward.routing.outcomes import TABLE, May, Resend

MAX_ATTEMPTS = 3
MAX_TARGETS = 2

LEAST_ATTEMPT = 0.1
"""Seconds: with less than this left, no further attempt starts."""

RESERVE = 0.4
"""Share of the remaining time that an attempt leaves to the attempts that may follow it."""

BACKOFF_BASE = 0.1
BACKOFF_CAP = 2.0
"""Seconds. Full jitter: uniform in [0, min(cap, base * 2**n)); see "Exponential Backoff And
Jitter", AWS Architecture Blog. While another target is left, no pause is longer."""

RETRY_AFTER_CAP = 30.0
RETRY_AFTER_JITTER = 0.25
"""A target's own Retry-After is believed up to this many seconds, and lengthened by up to this
share, so that clients told the same number do not return together."""


class CallSpec(NamedTuple):
    """What the machine knows of a call.

    Attributes:
        candidates: names of the targets that may serve it, in order of preference.
        resend: where it may be sent again after an unknown outcome.
        read_back: an unknown outcome can be asked after.
        started: monotonic seconds.
        deadline: monotonic seconds.
        time_limit: seconds that the function may run for; an attempt at an unsafe call is never
            cut short before that.
    """

    candidates: tuple[str, ...]
    resend: Resend
    read_back: bool
    started: float
    deadline: float
    time_limit: float = 0.0


class CallState(NamedTuple):
    """Where a call stands.

    Attributes:
        position: index of the candidate whose turn it is.
        attempts: attempts started.
        here: attempts started on that candidate.
        proved: it is proved that no attempt so far ran.
        unknown: an attempt may have run, and nothing has resolved that.
    """

    spec: CallSpec
    position: int = 0
    attempts: int = 1
    here: int = 1
    proved: bool = True
    unknown: bool = False

    @property
    def target(self) -> str:
        """The candidate whose turn it is."""
        return self.spec.candidates[self.position]


class Send(NamedTuple):
    """Make an attempt at `target`, and report within `timeout` seconds."""

    target: str
    timeout: float


class AskBack(NamedTuple):
    """Look up at `target` what became of the attempts so far."""

    target: str
    timeout: float


class Pause(NamedTuple):
    """Wait, then report `Woken`."""

    seconds: float


class Ending(Enum):
    """Which of the results in hand is the call's."""

    LAST = "last"
    """That of the last attempt."""
    RESOLVED = "resolved"
    """The read-back proved a success."""
    UNKNOWN = "unknown"
    """AMBIGUOUS, whatever the last attempt said."""


class Finish(NamedTuple):
    """The call has ended."""

    ending: Ending


Command: TypeAlias = Send | AskBack | Pause | Finish


class Answered(NamedTuple):
    """An attempt has ended."""

    outcome: Outcome
    retry_after: float | None = None


class Verdict(Enum):
    """What a read-back found out."""

    OURS = "ours"
    """The call has had its effect."""
    OPEN = "open"
    """Not to be seen; sending it again is as good as it was the first time."""
    LOST = "lost"
    """Something else stands there; that ours came before it can be neither proved nor excluded."""


class AskedBack(NamedTuple):
    """A read-back has ended; `after` is the outcome that gave rise to it."""

    verdict: Verdict
    after: Outcome


class Woken:
    """A pause is over."""


Event: TypeAlias = Answered | AskedBack | Woken
Random: TypeAlias = Callable[[], float]

FINISHED_WELL = Finish(Ending.LAST)
WOKEN = Woken()


def begin(spec: CallSpec) -> tuple[CallState, Command]:
    """Start a call: the first candidate is asked."""
    state = CallState(spec)
    return state, Send(state.target, _attempt_timeout(state, spec.started))


def step(state: CallState, event: Event, now: float, random: Random) -> tuple[CallState, Command]:
    """Decide what follows `event`. `random` gives numbers in [0, 1)."""
    match event:
        case Answered(Outcome.OK):
            return state, FINISHED_WELL
        case Answered(outcome, retry_after):
            return _failed(state, outcome, retry_after, now, random)
        case AskedBack(Verdict.OURS):
            return state, Finish(Ending.RESOLVED)
        case AskedBack(Verdict.LOST):
            return _end(state)
        case AskedBack(_, after):
            return _go_on(state, after, None, now, random)
        case _:
            return _wake(state, now)


def _failed(
    state: CallState, outcome: Outcome, retry_after: float | None, now: float, random: Random
) -> tuple[CallState, Command]:
    unknown = state.unknown or outcome is Outcome.AMBIGUOUS
    state = state._replace(unknown=unknown, proved=state.proved and TABLE[outcome].proved)
    asks = outcome is Outcome.AMBIGUOUS or (unknown and outcome is Outcome.CONFLICT)
    if asks and state.spec.read_back and _left(state, now) >= LEAST_ATTEMPT:
        return state, AskBack(state.target, _attempt_timeout(state, now))
    return _go_on(state, outcome, retry_after, now, random)


def _go_on(
    state: CallState, outcome: Outcome, retry_after: float | None, now: float, random: Random
) -> tuple[CallState, Command]:
    """Send again, here or elsewhere, if the table, the caps and the time allow it."""
    if _attempts_left(state) == 0 or _left(state, now) < LEAST_ATTEMPT:
        return _end(state)
    row = TABLE[outcome]
    resend = state.spec.resend
    onward = _targets_left(state) if _allowed(row.move, resend.elsewhere, state.unknown) else 0
    if _allowed(row.again, resend.same, state.unknown) and _may_stay(state, onward):
        pause = _pause(state, retry_after, random)
        longest = _left(state, now) - LEAST_ATTEMPT
        if pause <= (min(longest, BACKOFF_CAP) if onward else longest):
            return state, Pause(pause)
    if onward:
        moved = state._replace(position=state.position + 1, attempts=state.attempts + 1, here=1)
        return _send(moved, now)
    return _end(state)


def _wake(state: CallState, now: float) -> tuple[CallState, Command]:
    """Go on after a pause, unless it took longer than it should, as in a frozen process."""
    if _left(state, now) < LEAST_ATTEMPT:
        return _end(state)
    return _send(state._replace(attempts=state.attempts + 1, here=state.here + 1), now)


def _allowed(may: May, by_effect: bool, unknown: bool) -> bool:
    """Decide by the effect alone once an earlier attempt may have run."""
    if may is May.ALWAYS and not unknown:
        return True
    return may is not May.NEVER and by_effect


def _may_stay(state: CallState, onward: int) -> bool:
    """One more attempt here, unless a further target would then go without one."""
    return state.here == 1 and _attempts_left(state) > onward


def _attempts_left(state: CallState) -> int:
    most = max(MAX_ATTEMPTS, len(state.spec.candidates)) if state.proved else MAX_ATTEMPTS
    return max(0, most - state.attempts)


def _targets_left(state: CallState) -> int:
    known = len(state.spec.candidates)
    reachable = known if state.proved else min(known, MAX_TARGETS)
    return max(0, reachable - state.position - 1)


def _left(state: CallState, now: float) -> float:
    return state.spec.deadline - now


def _pause(state: CallState, retry_after: float | None, random: Random) -> float:
    if retry_after is not None and retry_after >= 0:
        asked = min(retry_after, RETRY_AFTER_CAP)
        return asked * (1 + RETRY_AFTER_JITTER * random())
    return float(random() * min(BACKOFF_CAP, BACKOFF_BASE * 2 ** (state.attempts - 1)))


def _send(state: CallState, now: float) -> tuple[CallState, Command]:
    return state, Send(state.target, _attempt_timeout(state, now))


def _attempt_timeout(state: CallState, now: float) -> float:
    """Return the time of an attempt: what is left, less a reserve for what may follow it."""
    left = _left(state, now)
    spec = state.spec
    may_follow = spec.resend.same or spec.resend.elsewhere or spec.read_back
    if may_follow and _attempts_left(state):
        return max(left * (1 - RESERVE), min(left, LEAST_ATTEMPT))
    return max(left, spec.time_limit)


def _end(state: CallState) -> tuple[CallState, Command]:
    return state, Finish(Ending.UNKNOWN) if state.unknown else FINISHED_WELL
