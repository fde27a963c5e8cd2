"""What the calls of one order have seen of each target. All calls share it.

A runner holds its lock meanwhile. Here is what every call passes through, however well it goes: an
attempt is noted when it starts and when it succeeds, and that is all. Whatever else happens is
weighed in `leeward.routing.evidence`, and makes the order `watchful`: then each attempt chooses its
target anew, in `leeward.routing.choice`.
"""

from __future__ import annotations

from collections import deque
from math import inf, log2
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from leeward.calls import Call
from leeward.errors import Outcome
from leeward.routing.circuit import Circuit, Random, State, Weights
from leeward.routing.heartbeat import BEGIN, Heartbeat
from leeward.routing.latency import LAST, ORIGIN, PER_OCTAVE, SHORTEST
from leeward.routing.policy import DEFAULT, RoutingPolicy
from leeward.routing.select import Targets, whole_order
from leeward.values import CircuitStatus

if TYPE_CHECKING:
    from leeward.routing.budget import Failovers
    from leeward.routing.call import Dispatch, ReadBack
    from leeward.routing.local_outage import LocalOutage
    from leeward.routing.poison import Poison


PROBE: Final = "probe"
"""The reason of an attempt that is the one probe of a circuit."""


MARKED_AFTER: Final = 1.0
"""Seconds between two marks."""

MARKS: Final = 32
"""Marks that are kept: more than a window's."""


class Evidence(NamedTuple):
    """The attempts made on one target, read-backs included.

    Attributes:
        attempts: how many.
        failures: how many of them count against the target.
        last_outcome: of the most recent one; None before the first.
        isolated: an operator has taken the target out.
        circuits: those that are not closed.
    """

    attempts: int = 0
    failures: int = 0
    last_outcome: Outcome | None = None
    isolated: bool = False
    circuits: tuple[CircuitStatus, ...] = ()

    @property
    def state(self) -> str:
        """In one word: closed, isolated, or what the circuit is that lets the fewest through."""
        if self.isolated:
            return "isolated"
        states = [each.state for each in self.circuits]
        return next((state for state in ("open", "half_open", "ramp") if state in states), "closed")


class Record:
    """One target: what was counted, its tokens for second tries, and the operator's word.

    Attributes:
        probes: its driver can make a probe of its own.
        checks: probes in a row that went well; if negative, that failed.
        unreached_at: when an attempt there failed last because there is no network.
        prepared, prepared_until: the score that a circuit of it begins with, by what others have
            seen, and until when.
    """

    __slots__ = (
        *("attempts", "checks", "failures", "isolated", "last", "probes", "tokens"),
        *("prepared", "prepared_until", "unreached_at"),
    )

    def __init__(self, tokens: float) -> None:
        self.attempts = self.failures = self.checks = 0
        self.last: Outcome | None = None
        self.tokens = tokens
        self.isolated = self.probes = False
        self.prepared = self.prepared_until = 0.0
        self.unreached_at = inf


def _last_of_use(circuit: Circuit) -> float:
    until = circuit.until if circuit.state is State.OPEN else -inf
    begun = circuit.waiting[-1] if circuit.waiting else -inf
    return max(circuit.good_at, begun, circuit.weighed_at, until)


class Health:
    """The evidence on every target, as arithmetic: no clock, no lock, no I/O.

    Args:
        targets: the order, and who may serve what.
        random: gives numbers in [0, 1), for jitter.
        policy: the numbers to decide by.

    Attributes:
        calls: how many have begun; the number of the last one.
        epoch: counts the changes of all circuits.
        watchful: something is not as usual, so a target is chosen with care.
        careful: a success clears a suspicion: of a payload, or of the network of this machine.
        arranged: a group has weights, or does not always prefer its first target.
        current: the target that the calls of a group stay with, where they do.
        outbox: what the runner is to do once it has released its lock: events to tell of, probes
            to make, and to begin with the heartbeat.
        marks: how many calls had begun at some times, the last ones: by these a budget knows how
            busy the order has been.
        seen_at: when anything happened last, in monotonic seconds.
        good_at: the last success of all.
        heartbeat: whether this process itself was running.
        unreached: targets that were out of reach for a cause on this side, and when; of an outage
            here, all of them.
        keys: target and function to what a key is worth there, where that is less than declared.
        silent: circuits of targets that calls avoid, because they do not answer now.
        early_tokens: how many calls may be given up early.
    """

    __slots__ = (
        *(
            "targets",
            "random",
            "policy",
            "weights",
            "records",
            "circuits",
            "unclosed",
            "outbox",
            "history",
        ),
        *("calls", "epoch", "watchful", "careful", "arranged", "seen_at", "good_at"),
        *("failovers", "poison", "local", "unreached", "hedges", "hedges_at", "current"),
        *("early_tokens", "heartbeat", "keys", "marks", "poison_key", "silent"),
    )

    def __init__(self, targets: Targets, random: Random, policy: RoutingPolicy = DEFAULT) -> None:
        self.targets = targets
        self.random = random
        self.policy = policy
        self.weights = Weights.of(policy)
        self.records = {target: Record(policy.retry_tokens) for target in targets.order}
        self.circuits: dict[tuple[str, ...], Circuit] = {}
        self.unclosed: dict[Circuit, None] = {}
        self.outbox: list[Any] = []
        self.history: deque[Any] = deque(maxlen=policy.history_calls)
        self.calls = self.epoch = 0
        self.arranged = any(
            each.weights or each.fail_back != "prefer_primary"
            for each in (whole_order(targets), *targets.groups.values())
        )
        self.watchful = self.arranged
        self.careful = False
        self.seen_at = self.good_at = 0.0
        self.failovers: Failovers | None = None
        self.poison: Poison | None = None
        self.poison_key = b"leeward"
        self.local: LocalOutage | None = None
        self.unreached: dict[str, float] = {}
        self.hedges, self.hedges_at = policy.hedge_burst, 0
        self.marks: deque[tuple[float, int]] = deque(maxlen=MARKS)
        self.current: dict[tuple[str, ...], str] = {}
        self.silent: dict[Circuit, None] = {}
        self.early_tokens = policy.early_burst
        self.heartbeat = Heartbeat(policy.heartbeat_pace, policy.heartbeat_rest)
        self.keys: dict[tuple[str, str], str] = {}

    def start(self, target: str, call: Call, now: float) -> Circuit:
        """Note that an attempt starts; return the circuit that it counts for."""
        circuit = self.circuits.get((target, call.verb, call[0]))
        if circuit is None:
            self.mark(now)
            circuit = self.add(target, call)
        waiting, wide = circuit.waiting, circuit.wide
        if waiting and now - waiting[0] > circuit.watch_after:
            from leeward.routing.silence import look

            look(self, circuit, call, now)
        if now - wide.good_at > wide.watch_after:
            from leeward.routing.silence import look_around

            look_around(self, wide, call, now)
        waiting.append(now)
        self.seen_at = now
        return circuit

    def succeeded(self, command: Dispatch | ReadBack, began: float, now: float) -> None:
        """Note that an attempt went well that was made from `began` to `now`."""
        target, call = command.target, command.call
        record = self.records[target]
        record.attempts += 1
        record.last = Outcome.OK
        circuit = self.circuits.get((target, call.verb, call[0])) or self.add(target, call)
        wide = circuit.wide
        circuit.waiting.clear()
        self.good_at = self.seen_at = now
        took = now - began
        if command.early:
            self.early_tokens = min(self.policy.early_burst, self.early_tokens + 1)
        if (
            circuit.uneasy
            or wide.uneasy
            or took > circuit.slow_above
            or began < circuit.since
            or record.tokens < self.policy.retry_tokens
        ):
            from leeward.routing.evidence import Answered, weigh_success

            weigh_success(self, circuit, Answered(command, began, now))
            return
        if self.careful:
            from leeward.routing.evidence import clear_suspicions

            clear_suspicions(self, call, now)
        circuit.good_at = wide.good_at = now
        latency = circuit.latency
        # `bucket_of`, written out: every call comes through here
        bucket = int(log2(max(took, SHORTEST)) * PER_OCTAVE + ORIGIN)
        latency.counts[min(bucket, LAST)] += 1
        latency.total += 1
        if latency.total >= latency.due:
            self.learn(circuit, now)

    def learn(self, circuit: Circuit, now: float) -> None:
        """Renew the limits of a circuit, and do what is to be done now and then while calls come.

        A heartbeat that has ended begins again, so that waits can be measured against the limits.
        """
        circuit.learn(self.policy, now)
        self.mark(now)
        if self.heartbeat.is_due(now) and len(self.records) > 1:
            self.outbox.append(BEGIN)
        if self.unclosed:
            from leeward.routing.transitions import let_go_on

            let_go_on(self, now)

    def mark(self, now: float) -> None:
        """Remember how many calls have begun by now, about once a second."""
        if not self.marks or now - self.marks[-1][0] >= MARKED_AFTER:
            self.marks.append((now, self.calls))

    def add(self, target: str, call: Call) -> Circuit:
        """Return the circuit for `call` on `target`, made if there is not one yet."""
        verb, resource = call.verb, call[0]
        found = self.circuits.get((target, verb, resource))
        if found is not None:
            return found
        if len(self.circuits) >= self.policy.most_circuits:
            self._forget_the_oldest()
        made = self.circuits[target, verb, resource] = Circuit(
            target, verb, resource, self.wide_of(target, verb), self.policy
        )
        self._prepare(made)
        return made

    def wide_of(self, target: str, verb: str) -> Circuit:
        """Return the circuit for all calls of a verb on `target`, made if there is not one yet."""
        wide = self.circuits.get((target, verb))
        if wide is None:
            wide = self.circuits[target, verb] = Circuit(target, verb, "", None, self.policy)
            self._prepare(wide)
        return wide

    def _prepare(self, circuit: Circuit) -> None:
        """Begin with what others have seen of the target, if they have told."""
        record = self.records[circuit.target]
        circuit.weighed_at = self.seen_at
        circuit.failed = record.prepared if self.seen_at < record.prepared_until else 0.0
        circuit.uneasy = circuit.failed > 0

    def _forget_the_oldest(self) -> None:
        """Make room: the circuits of single resources that were used longest ago go first.

        One that is open is not used, and is what matters, until its time is over.
        """
        single = [each for each in self.circuits.values() if each.resource]
        single.sort(key=_last_of_use)
        for each in single[: max(1, len(single) // 8)]:
            del self.circuits[each.target, each.verb, each.resource]
            self.unclosed.pop(each, None)
            self.silent.pop(each, None)
        self.review()

    def review(self) -> None:
        """Renew what a call looks at first."""
        self.watchful = bool(
            self.arranged
            or self.unclosed
            or self.silent
            or self.local is not None
            or (self.poison is not None and self.poison.quarantined)
            or any(record.isolated for record in self.records.values())
        )
        self.careful = bool(self.unreached or (self.poison is not None and self.poison.doubtful))

    def give_up(self, command: Dispatch | ReadBack, now: float) -> None:
        """Note that an attempt was cancelled, or has shown nothing: if it was a probe, that ends.

        Another one may be made a moment later.
        """
        call = command.call
        circuit = self.circuits.get((command.target, call.verb, call[0]))
        if circuit is None or command.reason != PROBE:
            return
        for each in (circuit, circuit.wide):
            if each.state is State.HALF_OPEN and each.epoch <= command.epoch:
                each.leased_until, each.due = 0.0, now + self.policy.probe_gap

    def begin_in_child(self) -> None:
        """Forget, after a fork, what only the parent has in flight: attempts, probes, events."""
        self.outbox.clear()
        self.heartbeat.end()
        self.silent.clear()
        self.review()
        for each in self.circuits.values():
            each.hear()
            each.silent = each.doubted = False
            each.leased_until = 0.0

    def evidence(self, target: str, now: float) -> Evidence:
        """Return what has been seen of `target`."""
        record = self.records[target]
        circuits = tuple(
            CircuitStatus(
                each.verb,
                each.resource,
                each.state.value,
                each.reason,
                max(0.0, each.until - now) if each.state is State.OPEN else None,
            )
            for each in self.unclosed
            if each.target == target
        )
        return Evidence(record.attempts, record.failures, record.last, record.isolated, circuits)
