"""The evidence that all calls of a client share about each target.

A runner holds its lock meanwhile. A call that goes well only notes that an attempt starts, and that
it succeeds. The rest runs after a failure, a slow answer, or a success while there is evidence to
weigh.

A failure that a function, bus or table caused is evidence on that one alone. It counts against the
whole target only while another function, bus or table there fails, too.
"""

from __future__ import annotations

from collections import deque

from leeward._routing.circuit import Circuit, CircuitState, Random
from leeward._routing.circuits import Circuits
from leeward._routing.commands import (
    PROBE,
    BeginHeartbeat,
    CallRecord,
    Dispatch,
    Outbox,
    ReadBack,
    TimedAttempt,
)
from leeward._routing.outcomes import TABLE, KeyWorth, Sign
from leeward._routing.policy import DEFAULT, RoutingPolicy
from leeward._routing.silence import Heartbeat, Silence
from leeward._routing.targets import Budgets, Targets, resource_of
from leeward.calls import UNMARKED_REFUSAL, Call, time_after
from leeward.errors import Outcome
from leeward.records import NamedTuple
from leeward.values import CircuitStatus, Isolation


class TargetEvidence(NamedTuple):
    """The attempts made on one target, read-backs included.

    Attributes:
        failures: how many of them count against the target.
        circuits: those that are not closed.
        isolation: what an operator has said to every process; else None.
    """

    attempts: int = 0
    failures: int = 0
    last_outcome: Outcome | None = None
    isolated: bool = False
    circuits: tuple[CircuitStatus, ...] = ()
    isolation: Isolation | None = None

    @property
    def state(self) -> str:
        """One word: closed, isolated, or the state of the circuit that lets fewest calls in."""
        if self.isolated:
            return "isolated"
        states = [circuit.state for circuit in self.circuits]
        return next((state for state in ("open", "half_open", "ramp") if state in states), "closed")


class Health:
    """The evidence on every target, as arithmetic: no clock, no lock, no I/O.

    It is changed in place by its methods; each part below owns its state, too.

    Attributes:
        heartbeat, silence: whether this process itself was running; whether targets answer.
        keys: what keys are worth, if less than declared.
        outbox: the runner's work for after it has released its lock.
        history: the last calls that did not go well at once.
        calls: how many have begun; the number of the last one.
        seen_at: when anything happened last, in monotonic seconds.
    """

    __slots__ = (
        *("targets", "random", "policy", "circuits", "records", "budgets", "heartbeat", "silence"),
        *("keys", "outbox", "history", "calls", "seen_at"),
    )

    def __init__(
        self,
        targets: Targets,
        random: Random,
        policy: RoutingPolicy = DEFAULT,
        probing: frozenset[str] = frozenset(),
    ) -> None:
        self.targets = targets
        self.random = random
        self.policy = policy
        self.outbox = Outbox()
        self.circuits = Circuits(targets, random, policy, self.outbox, probing)
        self.records = self.circuits.records
        self.budgets = Budgets(policy)
        self.heartbeat = Heartbeat(policy.heartbeat_pace, policy.heartbeat_rest)
        self.silence = Silence(self.circuits, self.heartbeat)
        self.keys = KeyWorth()
        self.history: deque[CallRecord] = deque(maxlen=policy.history_calls)
        self.calls = 0
        self.seen_at = 0.0

    # For every call.

    def admit(self) -> None:
        """Count a call that begins."""
        self.calls += 1

    def start(self, target: str, call: Call, now: float, *, begins_call: bool = False) -> Circuit:
        """Note that an attempt starts; return the circuit that it counts for.

        Count the call, too, if it `begins_call`.
        """
        self.calls += begins_call
        circuit = self.circuits.get((target, call.verb, resource_of(call)))
        if circuit is None:
            self.budgets.mark(now, self.calls)
            circuit = self.add(target, call)
        waiting, wide = circuit.waiting, circuit.wide
        if waiting and now - waiting[0] > circuit.watch_after:
            self.silence.look(circuit, call, now, self.seen_at)
        if now - wide.good_at > wide.watch_after:
            self.silence.look_around(wide, call, now, self.seen_at)
        waiting.append(now)
        self.seen_at = now
        return circuit

    def succeed(self, command: Dispatch | ReadBack, request_at: float, now: float) -> None:
        """Note the success of an attempt that was sent at `request_at` and answered `now`."""
        target, call = command.target, command.call
        circuit = self.circuits.get((target, call.verb, resource_of(call))) or self.add(
            target, call
        )
        wide = circuit.wide
        self.seen_at = now
        took = now - request_at
        if command.early:
            self.budgets.refund_early()
        if (
            circuit.uneasy
            or wide.uneasy
            or took > circuit.slow_above
            or request_at < circuit.since
            or self.records[target].tokens < self.policy.retry_tokens
        ):
            wide.count(Outcome.OK, now)
            self._weigh_success(circuit, TimedAttempt(command, request_at, now))
            return
        if circuit.succeed(took, now):
            self.learn(circuit, now)

    def learn(self, circuit: Circuit, now: float) -> None:
        """Renew the limits of a circuit, and do the regular work while calls come.

        A heartbeat that has ended begins again, so that waits can be compared with the limits.
        """
        circuit.learn(self.policy, now)
        self.budgets.mark(now, self.calls)
        if self.heartbeat.is_due(now) and len(self.records) > 1:
            self.outbox.append(BeginHeartbeat())
        if self.circuits.unclosed:
            self.circuits.advance_idle(now)

    def add(self, target: str, call: Call) -> Circuit:
        """Return the circuit for `call` on `target`, made if there is not one yet."""
        return self.circuits.add(target, call, self.seen_at)

    # After failures.

    def fail(self, attempt: TimedAttempt, outcome: Outcome, reason: str | None) -> None:
        """Note an attempt that did not succeed; `reason` is the result's own."""
        command, now = attempt.command, attempt.now
        target, call = command.target, command.call
        row = TABLE[outcome]
        if reason == UNMARKED_REFUSAL:
            row = row._replace(sign=Sign.NOTHING)  # the target is well enough to refuse
        circuit = self.circuits.get((target, call.verb, resource_of(call))) or self.add(
            target, call
        )
        self.seen_at = now
        says_something = self._says_something(circuit, attempt, outcome)
        against = says_something and row.counts_against
        circuit.wide.count(outcome, now, against=against)
        if not says_something:
            self.end_probe(command, now)
            return
        if command.early:
            self.budgets.refund_early()
        if row.sign is Sign.WELL:
            self._weigh_success(circuit, attempt)
            return
        if row.sign is Sign.NOTHING or self._stood_still(attempt):
            self.end_probe(command, now)
            return
        for one in self._circuits_by(row.sign, circuit):
            if one.epoch <= command.epoch:
                self._weigh_failure(one, attempt, row.sign)

    def cancel(self, attempt: TimedAttempt, *, overtaken: bool) -> None:
        """Note an attempt that was cancelled: by the caller, or `overtaken` by another one.

        If it was a probe, that ends. If it was overtaken, its long time is evidence; its answer is
        not known.
        """
        command, began, now = attempt.command, attempt.began, attempt.now
        call = command.call
        self.end_probe(command, now)
        if command.early:
            self.budgets.refund_early()
        circuit = self.circuits.get((command.target, call.verb, resource_of(call)))
        if circuit is None:
            return
        self._stop_waiting(circuit, attempt)
        if not overtaken or circuit.state is not CircuitState.CLOSED:
            return
        if now - began - self.heartbeat.standstill(began, now) > circuit.slow_above:
            circuit.weigh(self.policy, self.circuits.ratios, now, failed=True)

    def end_probe(self, command: Dispatch | ReadBack, now: float) -> None:
        """End the probe of an attempt that was cancelled or is not evidence, if it was one.

        Another probe may be made a moment later.
        """
        call = command.call
        circuit = self.circuits.get((command.target, call.verb, resource_of(call)))
        if circuit is None or command.reason != PROBE:
            return
        for one in (circuit, circuit.wide):
            if one.state is CircuitState.HALF_OPEN and one.epoch <= command.epoch:
                one.end_lease(now + self.policy.probe_gap)

    def _says_something(self, circuit: Circuit, attempt: TimedAttempt, outcome: Outcome) -> bool:
        """Stop counting an attempt as waiting; return whether its end may be evidence.

        It is not evidence if it was given up early, or sooner than a healthy target answers.
        """
        if outcome is Outcome.LOCAL:
            circuit.leave(attempt.began)  # the target was sent nothing
            return True
        # An attempt that used up its time got no answer. One that was never connected is
        # evidence by itself, unless the target is silent.
        is_silent = circuit.silent or circuit.wide.silent
        may_be_unheard = attempt.command.early or is_silent or outcome is Outcome.AMBIGUOUS
        if not (attempt.is_used_up and may_be_unheard):
            self._hear(circuit, attempt.now)
            return True
        return self._stop_waiting(circuit, attempt) and not attempt.command.early

    def _stop_waiting(self, circuit: Circuit, attempt: TimedAttempt) -> bool:
        """Stop counting an attempt without an answer as waiting.

        Return whether it had as much time as its function takes, and so is evidence: a short
        deadline of the caller proves nothing, nor does a process that stood still.
        """
        command, now, in_line = attempt.command, attempt.now, attempt.waited
        limits, stood_still = self.silence.limits_of(circuit), self._stood_still(attempt)
        waited = now - attempt.began - in_line - self.heartbeat.standstill(attempt.request_at, now)
        if attempt.is_used_up and not stood_still:
            waited = max(waited, time_after(in_line, command.timeout))  # a driver may round it
        usual = self.policy.unknown_longest if limits is None else limits.usual
        says_something = waited >= usual and not stood_still
        circuit.leave(attempt.began, waited if says_something else 0.0)
        self.silence.look(circuit, command.call, now, self.seen_at)
        return says_something

    def _hear(self, circuit: Circuit, now: float) -> None:
        """Note any answer of a target."""
        circuit.hear()
        circuit.wide.note_answer(now)
        if self.circuits.silent:
            self.circuits.end_silence(circuit)
            self.circuits.end_silence(circuit.wide)

    def _stood_still(self, attempt: TimedAttempt) -> bool:
        """Return whether an attempt has used up its time only because this process hardly ran."""
        if not attempt.is_used_up:
            return False
        request_at, now = attempt.request_at, attempt.now
        longest = time_after(attempt.waited, attempt.command.timeout)
        if now - request_at > longest + self.policy.clock_gap:
            return True
        return self.heartbeat.standstill(request_at, now) > (now - request_at) / 2

    def _circuits_by(self, sign: Sign, circuit: Circuit) -> list[Circuit]:
        """Return the circuits for which a bad sign is evidence."""
        wide = circuit.wide
        if sign is Sign.OUT_OF_REACH:
            # a probe, or a share, of the single resource has failed with it
            return [wide] if circuit.state is CircuitState.CLOSED else [wide, circuit]
        half_life, now = self.policy.evidence_half_life, self.seen_at
        another_fails = any(
            other.failed and now - other.weighed_at < half_life
            for other in self.circuits.values()
            if other.wide is wide and other is not circuit and other.resource
        )
        is_wide = another_fails or wide.state is not CircuitState.CLOSED
        return [circuit, wide] if is_wide else [circuit]

    def _weigh_failure(self, circuit: Circuit, attempt: TimedAttempt, sign: Sign) -> None:
        policy, circuits = self.policy, self.circuits
        call, now = attempt.command.call, attempt.now
        if circuit.state is CircuitState.HALF_OPEN:
            if attempt.command.reason == PROBE:
                circuits.open(circuit, call, now, "probe_failed")
            return
        if circuit.state is CircuitState.RAMP:
            circuit.count_answer(failed=True)
            if circuit.has_failed_stage(policy):
                circuits.open(circuit, call, now, "ramp_failed")
            return
        circuit.weigh(policy, circuits.ratios, now, failed=True)
        if circuit.state is CircuitState.OPEN:
            if self._is_gone(circuit, now):
                circuit.mark_gone()
        elif sign is Sign.LASTING:
            if circuits.has_alternative(circuit, call):
                circuits.open(circuit, call, now, "unusable")
        elif circuit.should_open(policy):
            self._trip(circuit, call, now, "failures")

    def _weigh_success(self, circuit: Circuit, attempt: TimedAttempt) -> None:
        """Note a success while there is evidence to weigh."""
        command, request_at, now = attempt.command, attempt.request_at, attempt.now
        call = command.call
        self.records[circuit.target].refill(self.policy)
        self.seen_at = now
        self._hear(circuit, now)
        took = now - request_at
        if took > circuit.slow_above:
            took -= self.heartbeat.standstill(request_at, now)
        slow = took > circuit.slow_above
        for one in (circuit, circuit.wide):
            one.note_success(now)
            if one.epoch <= command.epoch:
                self._weigh_one_success(one, attempt, slow=slow and one is circuit)
        if circuit.state is CircuitState.CLOSED:
            if circuit.measure(took, request_at, now):
                self.learn(circuit, now)
            if slow and circuit.should_open(self.policy):
                self._trip(circuit, call, now, "slow")

    def _weigh_one_success(self, circuit: Circuit, attempt: TimedAttempt, *, slow: bool) -> None:
        """Note a success; a slow one is evidence like a failure."""
        now = attempt.now
        if circuit.state is CircuitState.CLOSED:
            circuit.weigh(self.policy, self.circuits.ratios, now, failed=slow)
        if circuit.state is CircuitState.RAMP:
            circuit.count_answer(failed=slow)
            self.circuits.advance(circuit, now)
        else:
            circuit.forgive()
            if circuit.state is CircuitState.HALF_OPEN and attempt.command.reason == PROBE:
                self.circuits.pass_probe(circuit, now)

    def _trip(self, circuit: Circuit, call: Call, now: float, reason: str) -> None:
        """Open a circuit if another target is healthier, or if nothing goes well here."""
        if self._is_gone(circuit, now) or self.circuits.has_alternative(circuit, call):
            self.circuits.open(circuit, call, now, reason)

    def _is_gone(self, circuit: Circuit, now: float) -> bool:
        """Return whether nothing goes well any more."""
        silent = now - circuit.good_at >= self.policy.last_silence
        return silent and circuit.streak >= self.policy.last_failures

    # Keys, history, reports.

    def note_key(self, target: str, call: Call, dedup: str) -> None:
        """Note what the answer to `call`, as it was declared, says about its key."""
        word = self.keys.note(target, call, dedup)
        if word:
            self.outbox.tell(
                "key_worth_less",
                target=target,
                verb=call.verb,
                resource=resource_of(call),
                reason=word,
            )

    def remember(self, record: CallRecord) -> None:
        """Remember a call that did not go well at once."""
        self.history.append(record)

    def evidence(self, target: str, now: float) -> TargetEvidence:
        """Return the attempts and circuits of `target`."""
        wides = [
            circuit
            for circuit in self.circuits.values()
            if circuit.target == target and circuit.wide is circuit
        ]
        newest = max(wides, key=lambda circuit: circuit.last_at, default=None)
        circuits = tuple(
            CircuitStatus(
                circuit.verb,
                circuit.resource,
                circuit.state.value,
                circuit.reason,
                max(0.0, circuit.until - now) if circuit.state is CircuitState.OPEN else None,
            )
            for circuit in self.circuits.unclosed
            if circuit.target == target
        )
        return TargetEvidence(
            sum(circuit.attempts for circuit in wides),
            sum(circuit.against for circuit in wides),
            None if newest is None else newest.last,
            self.records[target].isolated,
            circuits,
            self.records[target].isolation,
        )

    def begin_in_child(self) -> None:
        """Forget, after a fork, the attempts, probes and events of the parent."""
        self.outbox.clear()
        self.heartbeat.end()
        self.circuits.begin_in_child()
