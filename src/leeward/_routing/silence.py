"""Targets that accept calls and do not answer; and pauses of this process itself.

``docs/routing.md`` says when a target is silent, stalled or in doubt. A circuit's own baseline says
how long answers take; without one, another target's answers to the same function do. A short
silence moves calls, and opens no circuit.

A wait counts against a target only while this process was running: a late beat of the heartbeat
shows how long it stood still. Without a heartbeat every wait counts in full.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from math import inf
from typing import Final

from leeward._routing.circuit import Circuit, CircuitState
from leeward._routing.circuits import Circuits
from leeward.calls import Call
from leeward.records import NamedTuple

MOST_KEPT: Final = 32
"""Standstills that are remembered: enough for the last seconds of a busy machine."""

LATEST: Final = 1.0
"""Seconds that a beat may be late; after that the heartbeat counts as ended."""


class Heartbeat:
    """The heartbeat of one order: each `pace` seconds, until there was no new call for `rest`."""

    __slots__ = ("_busy_at", "_calls", "_last", "_number", "_pace", "_rest", "_standstills")

    def __init__(self, pace: float, rest: float) -> None:
        self._pace = pace
        self._rest = rest
        self._last = -inf
        self._standstills: deque[tuple[float, float]] = deque(maxlen=MOST_KEPT)
        self._number = self._calls = 0
        self._busy_at = 0.0

    def is_due(self, now: float) -> bool:
        """Return whether the heartbeat must be restarted."""
        return now - self._last > self._rest

    def begin(self, now: float) -> int:
        """Start a heartbeat; return its number. An earlier heartbeat ends."""
        self._number += 1
        self._last = self._busy_at = now
        return self._number

    def end(self) -> None:
        """Stop the heartbeat."""
        self._number += 1
        self._last = -inf

    def beat(self, number: int, now: float, calls: int) -> bool:
        """Note a beat; return whether to continue. `calls` have begun so far."""
        if number != self._number:
            return False
        late = self._late_by(now)
        if late:
            self._standstills.append((now - late, now))
        self._last = now
        if calls != self._calls:
            self._calls, self._busy_at = calls, now
        if now - self._busy_at < self._rest:
            return True
        self.end()
        return False

    def standstill(self, began: float, now: float) -> float:
        """Return for how many seconds of an interval that ends `now` this process did not run."""
        if not self.is_known(began):
            return 0.0
        seconds = min(self._late_by(now), now - began)
        for start, end in self._standstills:
            seconds += max(0.0, end - max(start, began))
        return seconds

    def is_known(self, began: float) -> bool:
        """Return whether there was a heartbeat in an interval that began then.

        A beat may have been late already, because a blocked event loop begins calls, too. A
        heartbeat may end without notice.
        """
        return self._last >= began - LATEST

    def _late_by(self, now: float) -> float:
        """Return by how many seconds the next beat is late; 0 for a delay of the scheduler."""
        since = now - self._last
        return since - self._pace if 2 * self._pace < since < inf else 0.0


class AnswerTimes(NamedTuple):
    """The times of answers of a function, bus or table on a target, in seconds.

    Attributes:
        usual: nearly all answers are faster; a shorter wait is not evidence.
        silent: without an answer for so long, calls go elsewhere.
        stalled: without an answer for so long, its circuit opens.
    """

    usual: float
    silent: float
    stalled: float


class Unanswered(NamedTuple):
    """A function without an answer for longer than usual, as far as that is known."""

    attempts: int
    seconds: float
    limits: AnswerTimes | None


class Silence:
    """Checks whether targets answer. Its state is in the circuits and the heartbeat.

    The methods take `seen_at`, the time of the last event of any kind.
    """

    __slots__ = ("_circuits", "_heartbeat", "_policy")

    def __init__(self, circuits: Circuits, heartbeat: Heartbeat) -> None:
        self._circuits = circuits
        self._heartbeat = heartbeat
        self._policy = circuits.policy

    def limits_of(self, circuit: Circuit, *, guess: bool = False) -> AnswerTimes | None:
        """Return how long answers take here; None if unknown.

        By the baseline; else by the quickest other target that answers the same function, unless
        this one was slower. A `guess` also uses a few answers of this target alone.
        """
        policy, latency = self._policy, circuit.latency
        if latency.usual:
            silent = circuit.early if circuit.early < inf else policy.stall_factor * latency.rare
            silent = max(policy.early_least, silent) if guess else circuit.early
            return AnswerTimes(latency.usual, silent, circuit.stall_after)
        stall = latency.guess()
        others = [
            other.latency.guess()
            for target in self._circuits.targets.order
            if target != circuit.target
            and (other := self._circuits.get((target, circuit.verb, circuit.resource))) is not None
            and other.latency.total
        ]
        if others:
            stall = max(stall, min(others))
        elif not (stall and guess):
            return None
        limit = policy.stall_factor * stall
        silent = max(policy.early_least, limit) if guess else inf
        return AnswerTimes(stall, silent, max(policy.stall_least, limit))

    def look(self, circuit: Circuit, call: Call, now: float, seen_at: float) -> None:
        """Open a circuit that has been silent for too long."""
        if not circuit.resource:
            self.look_around(circuit, call, now, seen_at)
            return
        policy, circuits = self._policy, self._circuits
        waiting = circuit.waiting
        if circuit.unanswered < policy.stall_attempts or circuit.state is not CircuitState.CLOSED:
            return
        if waiting and self._may_stand_still(waiting[0], circuit.stall_after, now, seen_at):
            circuit.hear()
            circuits.end_silence(circuit)
            return
        waited = max(circuit.left_for, self._wait_since(waiting[0], now) if waiting else 0.0)
        limits = self.limits_of(circuit)
        if limits is None:
            if waited > policy.stall_least:
                circuits.fall_silent(circuit, doubted=True)
        elif waited > limits.stalled or circuit.left_for >= limits.stalled:
            if circuits.has_alternative(circuit, call):
                circuits.open(circuit, call, now, "stall")
        elif waited > limits.silent or circuit.left >= policy.stall_attempts:
            circuits.fall_silent(circuit, doubted=False)
        elif circuit.doubted:
            circuits.end_silence(circuit)

    def look_around(self, wide: Circuit, call: Call, now: float, seen_at: float) -> None:
        """Open the circuit of a verb if its target answers nothing at all.

        Enough attempts must wait, and two functions for longer than they take. While their usual
        time is unknown, the target is in doubt.
        """
        policy, circuits = self._policy, self._circuits
        if wide.state is not CircuitState.CLOSED:
            return
        waits = list(self._waits(wide, now, seen_at))
        if len(waits) < 2 or sum(wait.attempts for wait in waits) < policy.stall_attempts:
            return
        limited = [(wait.seconds, wait.limits) for wait in waits if wait.limits is not None]
        if sum(waited > limits.stalled for waited, limits in limited) >= 2:
            if circuits.has_alternative(wide, call):
                circuits.open(wide, call, now, "stall")
        elif sum(waited > limits.silent for waited, limits in limited) >= 2:
            circuits.fall_silent(wide, doubted=False)
        elif not wide.silent and max(wait.seconds for wait in waits) > policy.stall_least:
            circuits.fall_silent(wide, doubted=True)

    def _waits(self, wide: Circuit, now: float, seen_at: float) -> Iterator[Unanswered]:
        """Yield the unanswered functions of a target; none if this process may have stood still."""
        heard = max(wide.good_at, wide.heard_at)
        for circuit in self._circuits.values():
            if circuit.wide is not wide or not circuit.unanswered:
                continue
            if circuit.state is not CircuitState.CLOSED:
                continue
            seconds = circuit.left_for
            if circuit.waiting:
                began = max(heard, circuit.waiting[0])
                if self._may_stand_still(began, wide.stall_after, now, seen_at):
                    return
                seconds = max(seconds, self._wait_since(began, now))
            limits = self.limits_of(circuit, guess=True)
            if limits is None or seconds > limits.usual:
                yield Unanswered(circuit.unanswered, seconds, limits)

    def _wait_since(self, began: float, now: float) -> float:
        return now - began - self._heartbeat.standstill(began, now)

    def _may_stand_still(self, began: float, seconds: float, now: float, seen_at: float) -> bool:
        """Return whether nothing happened for so long, without a heartbeat to explain it."""
        return not self._heartbeat.is_known(began) and now - seen_at > seconds
