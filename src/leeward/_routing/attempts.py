"""The state of one call, and how long its next attempt may take."""

from __future__ import annotations

from enum import Enum
from math import inf
from typing import Final, Self, TypeAlias

from leeward._routing.circuit import Circuit, CircuitState
from leeward._routing.commands import AttemptEnded, Commands, Dispatch, ReadBack
from leeward._routing.health import Health
from leeward._routing.outcomes import EffectRules, has_shared_key, is_named
from leeward._routing.readback import settle_question_of
from leeward._routing.targets import resource_of
from leeward.calls import AttemptTime, Call, Enqueue, Invoke
from leeward.envelope import BY_GROUP
from leeward.errors import Outcome
from leeward.records import NamedTuple

NOWHERE: tuple[str, ...] = ()


class Core(NamedTuple):
    """What all calls over one order share. `health` is changed in place.

    Attributes:
        hedging: a harmless call that takes long gets a second attempt meanwhile.
    """

    health: Health
    hedging: bool = False


class Ending(Enum):
    """Which result a call ends with."""

    LAST = "last"
    """The result of the attempt that ended last."""
    RESOLVED = "resolved"
    """A success: the read-back has proved it."""
    UNKNOWN = "unknown"
    """AMBIGUOUS, whatever the last attempt said."""
    REFUSED = "refused"
    """None: no target could be asked."""


class CallState(NamedTuple):
    """Where a call stands. The first eight fields are facts and stay as they are.

    The state is a value: an event makes a new one. Only `health` is shared by all calls, and
    changed in place.

    Attributes:
        call: what an attempt sends; of a batch, only the events that are still open. It has the
            number of voids of its key that are known by now.
        health: the evidence on the targets, and the numbers to decide by.
        rules: what the call's effect allows.
        started, deadline: monotonic seconds.
        whole: seconds that must be left for an attempt that has waited for a place.
        tried: the target of each attempt, in order; the first attempt has the number 1. "" if the
            attempt was not made, because it found no place.
        in_flight: numbers of the attempts that have not ended.
        proved: it is proved that none of the attempts that have ended ran.
        unknown: an attempt may have run, and nothing has resolved that.
        final: an end that only a success could replace. It is the call's, once nothing is in
            flight.
        may_move: after the pause that is under way, another target may be asked instead.
        lines: the targets at which it has waited for a place in this round.
        rounds: how often it has waited at every target.
        asks: how often its function was asked what became of it.
        after: the outcome of the attempt that this question is about.
        settled: it is useless to ask again.
        ending: how the call has ended; None while it goes on.
        why: the code of what ended it.
        retry_after: seconds until a call that was refused may be let through.
    """

    call: Call
    health: Health
    rules: EffectRules
    able: tuple[str, ...]
    number: int
    started: float
    deadline: float
    whole: float
    tried: tuple[str, ...]
    in_flight: tuple[int, ...]
    proved: bool = True
    unknown: bool = False
    final: AttemptEnded | None = None
    may_move: bool = False
    lines: tuple[str, ...] = NOWHERE
    rounds: int = 0
    asks: int = 0
    after: Outcome = Outcome.AMBIGUOUS
    settled: bool = False
    ending: Ending | None = None
    why: str = ""
    retry_after: float | None = None


Decision: TypeAlias = tuple[CallState, Commands]
"""The state after an event, and what to do next."""


class ShareOfTime(AttemptTime):
    """The seconds of one attempt: what its call has left, less a reserve for further attempts.

    A function at one target alone has nearly all of it, because it could only run there again. An
    attempt has at least the usual time of an answer: less would only make it run once more. If the
    call may go elsewhere, it waits hardly longer than the slowest answers take. An unsafe function
    has its own limit, whatever the deadline: else its outcome would be unknown.

    The call waits for a place as long as a whole attempt is left, and only briefly if another
    target may have a place.
    """

    __slots__ = ()

    @classmethod
    def measure(cls, state: CallState, circuit: Circuit, left: float, *, more: bool) -> Self:
        """Return the time of an attempt; `more` attempts may follow."""
        rules, policy, latency = state.rules, state.health.policy, circuit.latency
        seconds, total, whole = left, left, state.whole
        others = len(state.able) > 1 and not rules.ordered
        if rules.settle or (more and (rules.same or rules.elsewhere or rules.read_back)):
            seconds = left * (1 - policy.reserve)
            reaches_another = len(state.able) > 1 and has_relief(state, circuit)
            if isinstance(state.call, Invoke) and not reaches_another:
                seconds = max(seconds, left - policy.wait_least)  # to ask once more
            if seconds < latency.usual or seconds < policy.least_attempt:
                seconds = max(seconds, min(left, max(policy.least_attempt, latency.usual)))
            if rules.elsewhere and reaches_another and circuit.cut_off < seconds:
                seconds = circuit.cut_off
            elif not rules.same and isinstance(state.call, Invoke) and state.call.time_limit:
                whole_run = state.call.time_limit + policy.time_limit_margin
                seconds = min(left, max(seconds, whole_run))  # a question follows
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
        self = cls(seconds)
        self.total, self.wait, self.elsewhere = total, wait if wait > 0 else 0.0, others
        self.gate = state.health.records[circuit.target]
        return self


def has_relief(state: CallState, circuit: Circuit) -> bool:
    """Return whether a call may go to another target than the circuit's.

    Else a slow attempt is not given up: the call can only wait.
    """
    circuits = state.health.circuits
    if not circuits.watchful:
        return len(state.able) > 1
    others = (target for target in state.able if target != circuit.target)
    return any(circuits.lets_through(target, state.call) for target in others)


time_for_attempt: Final = ShareOfTime.measure  # bound once: every call takes this way


def dispatch(
    state: CallState, target: str, now: float, reason: str, *, probe: bool = False
) -> Decision:
    """Start one more attempt, at `target`."""
    attempt, health = len(state.tried) + 1, state.health
    circuit = health.start(target, state.call, now)
    state = state._replace(tried=(*state.tried, target), in_flight=(*state.in_flight, attempt))
    left, more = state.deadline - now, count_remaining(state) > 0
    seconds: AttemptTime = time_for_attempt(state, circuit, left, more=more)
    if probe:
        seconds = seconds.cut_to(time_for_probe(state, target, seconds, now))
    call = call_at(state, target) if getattr(state.call, "shared_dedup", False) else state.call
    return state, (Dispatch(attempt, target, call, seconds, health.circuits.epoch, reason),)


def call_at(state: CallState, target: str) -> Call:
    """Return the call as it is sent to `target`.

    A key that several targets share may have been used at the first target, or where this call was
    tried. So another target must keep the same records, which it checks itself.
    """
    call = state.call
    others = [other for other in (state.able[0], *state.tried) if other not in ("", target)]
    if not others or type(call) is not Invoke or not has_shared_key(call):
        return call
    if is_named(call, target):
        return call
    keys = state.health.keys
    words = (keys.word_of(call, (other,)) for other in others if not is_named(call, other))
    return call._replace(demand=next(filter(None, words), BY_GROUP))


def may_leave(state: CallState) -> bool:
    """Return whether another target would recognise a call that may have run, by its key if any.

    A declaration does not prove what is deployed: the target where the call may have run must have
    said so to this process. An answer to a queued call proves nothing about its function.
    """
    call = state.call
    if not (isinstance(call, Invoke | Enqueue) and has_shared_key(call)):
        return True
    candidates = state.able if isinstance(call, Enqueue) else filter(None, state.tried)
    return bool(state.health.keys.word_of(call, candidates))


def count_remaining(state: CallState) -> int:
    """Return how many more attempts the call may make."""
    limit = state.health.policy.max_attempts
    if state.proved:
        limit = max(limit, len(state.able))
    return max(0, limit - len(state.tried) + state.tried.count(""))


def may_be_early(state: CallState, circuit: Circuit) -> bool:
    """Return whether a first attempt may be given up early; take a token for it."""
    if circuit.state is not CircuitState.CLOSED or circuit.silent or not has_relief(state, circuit):
        return False
    return state.health.budgets.spend_early()


def time_for_probe(state: CallState, target: str, seconds: float, now: float) -> float:
    """Return the seconds of a probe, and hold its lease for as long.

    A probe has the time of the slowest target, and the time of any attempt if this target has no
    baseline. Less would fail a slow function, and run it again each time.
    """
    health, call, policy = state.health, state.call, state.health.policy
    circuits = health.circuits
    if state.rules.elsewhere and len(state.able) > 1 and health.add(target, call).latency.usual:
        keys = [(name, call.verb, resource_of(call)) for name in health.targets.order]
        usual = max(circuits[key].latency.usual for key in keys if key in circuits)
        seconds = min(seconds, max(policy.probe_time, policy.slow_factor * usual))
    circuits.extend_leases(target, call, now + seconds + policy.lease_margin)
    return seconds


def tell_of(state: CallState, name: str, target: str, reason: str) -> None:
    """Leave an event about the call in the outbox."""
    call = state.call
    state.health.outbox.tell(
        name,
        target=target,
        verb=call.verb,
        resource=resource_of(call),
        reason=reason,
        call_id=state.number,
    )


def may_ask(state: CallState, now: float) -> bool:
    """Return whether the function can be asked what became of the call."""
    if not state.rules.settle or state.settled or not _askable_targets(state):
        return False
    return state.deadline - now >= state.health.policy.least_attempt


def _askable_targets(state: CallState) -> tuple[str, ...]:
    """Return the targets to ask in turn what became of the call, without isolated ones.

    The target that was tried last is the first. A question is a write: it makes the key void.
    """
    last = next(filter(None, reversed(state.tried)))
    at = state.able.index(last)
    able = (*state.able[at:], *state.able[:at]) if state.rules.elsewhere else (last,)
    return tuple(target for target in able if not state.health.records[target].isolated)


def ask(state: CallState, after: Outcome, now: float) -> Decision:
    """Ask the function what became of the call: at the target that was tried last.

    If all targets share the keys, the next question goes to the next target.
    """
    health, call, targets = state.health, state.call, _askable_targets(state)
    assert isinstance(call, Invoke), "only calls of functions are settled"
    attempt = max(number for number, target in enumerate(state.tried, 1) if target)
    target = targets[state.asks % len(targets)]
    only_here = not {*state.tried} - {target, ""}
    question = settle_question_of(call, now - state.started, only_here=only_here)
    circuit, left = health.start(target, question, now), state.deadline - now
    seconds = min(left, max(left / 2, health.policy.least_attempt, circuit.latency.usual))
    epoch = health.circuits.epoch
    look = ReadBack(attempt, target, question, seconds, after, epoch, "settle")
    return state._replace(asks=state.asks + 1, after=after), (look,)


def end(state: CallState, why: str, now: float) -> Decision:
    """End the call as the last attempt ended, or as unknown; ask its function first if it can.

    It continues while an attempt is in flight: nothing is proved until that has ended.
    """
    if state.in_flight:
        return state, ()
    if not state.unknown:
        return state._replace(ending=Ending.LAST, why=why), ()
    if may_ask(state, now):
        return ask(state, Outcome.AMBIGUOUS, now)
    target = next(filter(None, reversed(state.tried)))
    tell_of(state, "outcome_unknown", target, why)
    return state._replace(ending=Ending.UNKNOWN, why=why), ()
