"""The circuits of all targets of an order, and their transitions.

An operator, a probe or another process changes them by methods here, too. Each change is left in
the outbox, for the runner to report.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import inf
from typing import Any, Final
from zlib import crc32

from leeward._routing.circuit import Circuit, CircuitState, Random
from leeward._routing.commands import Outbox, ProbeTarget
from leeward._routing.outcomes import TABLE, Sign, rules_of
from leeward._routing.policy import NEVER, LikelihoodRatios, RoutingPolicy
from leeward._routing.targets import (
    TargetGroup,
    TargetRecord,
    Targets,
    candidates,
    group_of,
    resource_of,
    whole_order,
)
from leeward.calls import Call, Publish
from leeward.errors import Outcome
from leeward.records import NamedTuple
from leeward.values import Isolation

FLOWING: Final = (CircuitState.CLOSED, CircuitState.RAMP)
"""States in which calls reach a target."""

MOVING: Final = frozenset({"invoke", "enqueue", "publish"})  # verbs that are not tied to a home


class ProbeSchedule(NamedTuple):
    """The schedule of probes that are made without calls.

    Attributes:
        interval: seconds between two probes of a target.
        failures: probes that fail in a row before the target counts as ill.
        recoveries: probes that succeed in a row before calls return.
    """

    interval: float
    failures: int
    recoveries: int


class Circuits(dict[tuple[str, ...], Circuit]):
    """The circuits by target, verb and resource; those of a whole verb by target and verb.

    Arithmetic only: no clock, no lock, no I/O.

    Attributes:
        records: tokens, probes and isolation of each target.
        silent: circuits of targets that calls avoid, because they do not answer now.
        epoch: counts the changes of all circuits.
        arranged: a group has weights, or does not always prefer its first target.
        current: the target that the calls of a group stay with, if they do.
        watchful: something is unusual, so each target is chosen with care.
        places: the target that the events of an ordering key stay with, and until when; by bus and
            a share of the keys.
    """

    __slots__ = (
        *("arranged", "current", "epoch", "outbox", "places", "policy", "random", "records"),
        *("silent", "targets", "unclosed", "ratios", "watchful"),
    )

    def __init__(
        self,
        targets: Targets,
        random: Random,
        policy: RoutingPolicy,
        outbox: Outbox,
        probing: frozenset[str] = frozenset(),
    ) -> None:
        super().__init__()
        self.targets = targets
        self.random = random
        self.policy = policy
        self.ratios = LikelihoodRatios.of(policy)
        self.outbox = outbox
        self.records = {
            target: TargetRecord(policy.retry_tokens, probes=target in probing)
            for target in targets.order
        }
        self.unclosed: dict[Circuit, None] = {}
        self.silent: dict[Circuit, None] = {}
        self.current: dict[tuple[str, ...], str] = {}
        self.places: dict[tuple[str, float], tuple[str, float]] = {}
        self.epoch = 0
        self.arranged = any(
            group.weights or group.fail_back != "prefer_primary"
            for group in (whole_order(targets), *targets.groups.values())
        )
        self.watchful = self.arranged

    def review(self) -> None:
        """Renew the flag that a call reads first."""
        self.watchful = bool(
            self.arranged
            or self.unclosed
            or self.silent
            or any(record.isolated for record in self.records.values())
        )

    # Look-up.

    def add(self, target: str, call: Call, seen_at: float) -> Circuit:
        """Return the circuit for `call` on `target`, made if there is not one yet.

        `seen_at` is when anything happened last.
        """
        verb, resource = call.verb, resource_of(call)
        circuit = self.get((target, verb, resource))
        if circuit is None:
            if len(self) >= self.policy.most_circuits:
                self._forget_the_oldest()
            wide = self.wide_of(target, verb, seen_at)
            circuit = Circuit(target, verb, resource, wide, self.policy)
            self[target, verb, resource] = circuit
            self._prepare(circuit, seen_at)
        return circuit

    def wide_of(self, target: str, verb: str, seen_at: float) -> Circuit:
        """Return the circuit for all calls of a verb on `target`, made if there is not one yet."""
        wide = self.get((target, verb))
        if wide is None:
            wide = self[target, verb] = Circuit(target, verb, "", None, self.policy)
            self._prepare(wide, seen_at)
        return wide

    def _prepare(self, circuit: Circuit, seen_at: float) -> None:
        """Begin with the evidence of other processes about the target, if there is any."""
        record = self.records[circuit.target]
        circuit.suspect(record.prepared if seen_at < record.prepared_until else 0.0, seen_at)

    def _forget_the_oldest(self) -> None:
        """Make room: drop the circuits of single resources that were used longest ago.

        An open circuit is not used, but stays until its time is over.
        """
        single = [circuit for circuit in self.values() if circuit.resource]
        single.sort(key=_last_of_use)
        for circuit in single[: max(1, len(single) // 8)]:
            del self[circuit.target, circuit.verb, circuit.resource]
            self.unclosed.pop(circuit, None)
            self.silent.pop(circuit, None)
        self.review()

    def of(self, target: str, call: Call) -> list[Circuit]:
        """Return the existing circuits that decide about `call` on `target`.

        The circuit of the whole verb is the first.
        """
        single = self.get((target, call.verb, resource_of(call)))
        if single is not None:
            return [single.wide, single]
        wide = self.get((target, call.verb))
        return [] if wide is None else [wide]

    def lets_through(self, target: str, call: Call) -> bool:
        """Return whether calls like `call` reach a target."""
        if self.records[target].isolated:
            return False
        return all(circuit.state in FLOWING for circuit in self.of(target, call))

    def has_alternative(self, circuit: Circuit, call: Call) -> bool:
        """Return whether another target that may serve `call` is well."""
        return any(
            target != circuit.target
            and not self.records[target].isolated
            and all(other.state is CircuitState.CLOSED for other in self.of(target, call))
            for target in candidates(self.targets, call, rules_of(call))
        )

    def has_neighbour(self, circuit: Circuit) -> bool:
        """Return whether calls reach another target of the order."""
        for target in self.targets.order:
            if target == circuit.target or self.records[target].isolated:
                continue
            keys = (target, circuit.verb), (target, circuit.verb, circuit.resource)
            if all(self[key].state in FLOWING for key in keys if key in self):
                return True
        return False

    # Transitions.

    def open(self, circuit: Circuit, call: Call, now: float, reason: str) -> None:
        """Open a circuit; for a short time only, if no other target is left."""
        policy, group = self.policy, group_of(self.targets, call)
        able = candidates(self.targets, call, rules_of(call))
        is_alone = not any(
            self.lets_through(target, call) for target in able if target != circuit.target
        )
        hold = policy.hold_unusable if reason == "unusable" else None
        if is_alone:
            hold = policy.hold_all_down
        was_serving = circuit.state is not CircuitState.HALF_OPEN
        seconds = circuit.open(policy, now, self.random, reason, hold=hold, was_serving=was_serving)
        if not is_alone and group.fail_back == "manual":
            seconds = NEVER
            circuit.hold(NEVER)
        self._note_change(circuit, "opened", seconds=round(seconds, 3))
        if is_alone:
            circuit.mark_gone()
            self._hold_all_shortly(able, call, now)
            if was_serving:
                self.outbox.tell(
                    "all_down", verb=call.verb, resource=resource_of(call), reason=reason
                )

    def _hold_all_shortly(self, able: tuple[str, ...], call: Call, now: float) -> None:
        """Schedule a probe of every target soon, at different times."""
        policy = self.policy
        for target in able:
            for circuit in self.of(target, call):
                if circuit.state is CircuitState.OPEN:
                    jitter = policy.hold_jitter * (2 * self.random() - 1)
                    circuit.hold(min(circuit.until, now + policy.hold_all_down * (1 + jitter)))

    def open_by_probe(self, circuit: Circuit, now: float, reason: str, **how: Any) -> None:
        """Open a circuit after a probe; `how` as of `Circuit.open`."""
        seconds = circuit.open(self.policy, now, self.random, reason, **how)
        self._note_change(circuit, "opened", seconds=round(seconds, 3))

    def half_open(self, circuit: Circuit, now: float) -> None:
        """Admit one probe at a time to a circuit."""
        circuit.half_open(now)
        self._note_change(circuit, "half_open")

    def begin_stage(self, circuit: Circuit, stage: int, now: float) -> None:
        """Admit the share of a stage to a circuit."""
        circuit.begin_stage(stage, now)
        self._note_change(circuit, "ramp", share=circuit.share(self.policy))

    def close(self, circuit: Circuit) -> None:
        """Admit every call to a circuit."""
        circuit.close()
        self._note_change(circuit, "closed")

    def advance(self, circuit: Circuit, now: float) -> None:
        """Advance a circuit that has waited, or served, for long enough."""
        policy = self.policy
        if circuit.state is CircuitState.OPEN and now >= circuit.until:
            self.half_open(circuit, now)
        elif circuit.state is CircuitState.RAMP and circuit.has_passed_stage(policy, now):
            if circuit.stage + 1 < len(policy.ramp):
                self.begin_stage(circuit, circuit.stage + 1, now)
            else:
                self.close(circuit)

    def advance_idle(self, now: float) -> None:
        """Advance circuits that no call uses, such as those of a second target.

        Evidence that is as old as the reports of others may be is worthless: a small share of the
        calls goes there, and grows with time.
        """
        long_ago = now - self.policy.shared_age
        for circuit in list(self.unclosed):
            if circuit.state is CircuitState.RAMP:
                self.advance(circuit, now)
            elif max(circuit.until, circuit.due, circuit.leased_until) <= long_ago:
                self.begin_stage(circuit, -1, now)

    def _note_change(self, circuit: Circuit, name: str, **facts: float) -> None:
        self.begin_epoch(circuit)
        self.silent.pop(circuit, None)
        if circuit.state is CircuitState.CLOSED:
            self.unclosed.pop(circuit, None)
        else:
            self.unclosed[circuit] = None
        self.review()
        self.outbox.tell(
            name,
            target=circuit.target,
            verb=circuit.verb,
            resource=circuit.resource,
            reason=circuit.reason,
            facts=facts,
        )

    def begin_epoch(self, circuit: Circuit) -> None:
        """Ignore answers to earlier attempts of a circuit from now on."""
        self.epoch += 1
        circuit.begin_epoch(self.epoch)

    # Silence.

    def fall_silent(self, circuit: Circuit, *, doubted: bool) -> None:
        """Make calls avoid a target that does not answer, or compare it while in doubt."""
        if circuit.fall_silent(doubted=doubted):
            self.silent[circuit] = None
            self.review()

    def end_silence(self, circuit: Circuit) -> None:
        """Allow calls to a target again that has answered, or whose circuit decides now."""
        circuit.end_silence()
        if circuit in self.silent:
            del self.silent[circuit]
            self.review()

    # Probes.

    def lease(self, circuit: Circuit, now: float) -> None:
        """Admit one probe, and no other until it has ended or is given up.

        Each lease is an epoch: the late answer of a probe does not count, and does not end the
        lease of the next probe.
        """
        circuit.lease(now + self.policy.probe_time + self.policy.lease_margin)
        self.begin_epoch(circuit)

    def extend_leases(self, target: str, call: Call, until: float) -> None:
        """Forbid other probes until `until`, the end of the probe under way.

        0 allows another call to be the probe at once.
        """
        for circuit in self.of(target, call):
            if circuit.state is CircuitState.HALF_OPEN:
                circuit.lease(until)

    def pass_probe(self, circuit: Circuit, now: float, *, weak: bool = False) -> None:
        """Note a probe that went well."""
        policy = self.policy
        circuit.pass_probe(now + policy.probe_gap, weak=weak)
        if not self.has_neighbour(circuit):
            self.begin_stage(circuit, len(policy.ramp) - 1, now)  # the only one takes everything
        elif circuit.passed >= policy.probes:
            self.begin_stage(circuit, -1 if circuit.weak else 0, now)

    def take_probe(
        self, probe: ProbeTarget, outcome: Outcome, now: float, *, fidelity: str | None
    ) -> None:
        """Read the answer to a probe that a driver made by itself.

        It is a weak probe: a target that works proves little about one function on it, and a
        control plane little about its data plane. So the ramp begins with a very small share.
        """
        verb_or_resource = (probe.verb, probe.resource) if probe.resource else (probe.verb,)
        circuit = self.get((probe.target, *verb_or_resource))
        half_open = circuit is not None and circuit.state is CircuitState.HALF_OPEN
        if circuit is None or not half_open or circuit.epoch != probe.epoch:
            return
        if outcome is Outcome.OK:
            weak = bool(probe.resource) or fidelity != "data_plane"
            self.pass_probe(circuit, now, weak=weak)
        elif TABLE[outcome].sign is Sign.NOTHING:
            circuit.end_lease(now + self.policy.probe_gap)
        else:
            hold = None if self.has_neighbour(circuit) else self.policy.hold_all_down
            self.open_by_probe(circuit, now, "probe_failed", hold=hold, was_serving=False)

    def is_check_due(self, target: str, now: float, schedule: ProbeSchedule) -> bool:
        """Return whether a target must be probed; calls that went well are as good.

        They also end a row of failed probes.
        """
        circuits = [circuit for circuit in self.values() if circuit.target == target]
        if any(circuit.state is not CircuitState.CLOSED for circuit in circuits):
            return True
        if all(now - circuit.good_at >= schedule.interval for circuit in circuits):
            return True
        self.records[target].end_failures()
        return False

    def take_check(
        self,
        target: str,
        outcome: Outcome,
        now: float,
        schedule: ProbeSchedule,
        *,
        weak: bool,
        seen_at: float,
    ) -> None:
        """Note a probe that was made without any call.

        Enough failures in a row open the circuits of all verbs, used or not, if another target is
        well. Enough successes begin the ramp.
        """
        record, well = self.records[target], outcome is Outcome.OK
        if not well and TABLE[outcome].sign is Sign.NOTHING:
            return
        record.count_check(well=well)
        too_many = -record.checks >= schedule.failures
        if too_many:
            for verb in MOVING & {circuit.verb for circuit in self.values()}:
                self.wide_of(target, verb, seen_at)
        for circuit in list(self.values()):
            if circuit.target != target or circuit.resource:
                continue
            before = circuit.state
            if record.checks >= schedule.recoveries and before in (
                CircuitState.OPEN,
                CircuitState.HALF_OPEN,
            ):
                self.begin_stage(circuit, -1 if weak else 0, now)
            if not well:
                circuit.delay_probe(now)  # it was opened for something recent
            if too_many and before is CircuitState.CLOSED and self.has_neighbour(circuit):
                self.open_by_probe(circuit, now, "health_check")

    # Changes by an operator or another process.

    def isolate(self, target: str) -> None:
        """Send nothing to `target`, whatever the evidence, until it is restored."""
        self.records[target].isolate()
        self.review()
        self.outbox.tell("isolated", target=target, reason="by_hand")

    def restore(self, target: str, now: float) -> None:
        """Send calls to `target` again: a share first, as after any outage.

        Where it is the only one left, it takes all of them at once.
        """
        record = self.records[target]
        was_isolated = record.isolate(isolated=False)
        self._send_again(target, now, "by_hand", was_isolated and not record.isolated)

    def follow(self, isolations: Mapping[str, Isolation], now: float) -> None:
        """Isolate the targets that an operator has isolated everywhere, and restore the others."""
        for target, record in self.records.items():
            if not record.follow(isolations.get(target)):
                continue
            if record.isolated:
                self.review()
                self.outbox.tell("isolated", target=target, reason="everywhere")
            else:
                self._send_again(target, now, "everywhere", True)

    def _send_again(self, target: str, now: float, reason: str, was_isolated: bool) -> None:
        for circuit in list(self.values()):
            if circuit.target != target:
                continue
            is_whole_verb = not circuit.resource
            if circuit.state is not CircuitState.CLOSED or (was_isolated and is_whole_verb):
                circuit.restart(now)
                self._note_change(circuit, "ramp", share=circuit.share(self.policy))
        for targets, current in list(self.current.items()):
            if current != target and target in targets:
                del self.current[targets]
        self.review()
        self.outbox.tell("restored", target=target, reason=reason)

    def stay_with(self, group: TargetGroup, target: str, call: Call) -> None:
        """Keep the calls of a group with `target`, if their former target is out."""
        current = self.current.get(group.targets, group.targets[0])
        if not self.lets_through(current, call):
            self.current[group.targets] = target

    def kept_target(self, call: Publish, now: float) -> str | None:
        """Return the target that the events of an ordering key stay with, if any."""
        share = call.bus, point_of(call)
        target, until = self.places.get(share, (None, now))
        if until < now:
            del self.places[share]
            return None
        return target

    def keep_at(self, call: Publish, target: str, preferred: str, until: float) -> None:
        """Keep the events of an ordering key with `target` until then, and for a rest after it.

        A key at the target of all calls needs no entry. Keys of one share have one entry.
        """
        share = call.bus, point_of(call)
        if target == preferred and not self.watchful:
            self.places.pop(share, None)
        else:
            self.places[share] = target, until + self.policy.order_rest

    def prepare(self, target: str, now: float) -> None:
        """Make one failure enough to open a target's circuits: another process found it ill."""
        score = self.policy.trip_score - self.ratios.failure
        self.records[target].prepare(score, now + self.policy.shared_age)
        for circuit in self.values():
            if circuit.target == target and circuit.state is CircuitState.CLOSED:
                circuit.suspect(score, now)

    def begin_in_child(self) -> None:
        """Forget, after a fork, the attempts and probes of the parent."""
        self.silent.clear()
        self.review()
        for circuit in self.values():
            circuit.forget_attempts()


ORDER_SHARES: Final = 1024
"""Shares of the ordering keys of a bus: keys of one share move together."""


def point_of(call: Publish) -> float:
    """Return a number in [0, 1) that is the same for all events of an ordering key."""
    return crc32(str(call.events[0].ordering_key).encode()) % ORDER_SHARES / ORDER_SHARES


def _last_of_use(circuit: Circuit) -> float:
    until = circuit.until if circuit.state is CircuitState.OPEN else -inf
    begun = circuit.waiting[-1] if circuit.waiting else -inf
    return max(circuit.good_at, begun, circuit.weighed_at, until)
