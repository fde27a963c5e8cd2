"""What makes failures prove nothing against a target: harmful payloads, and no network here.

A payload that harms whoever takes it may not take a target away, nor all targets. It is known by a
keyed digest, and looked at only while something fails.

When all targets are out of reach at once for a cause on this side, it is us. Then nothing is
evidence against a target. One call a second is let through; with the first success everything is
as it was, without a ramp, because no cloud was at fault.
"""

from __future__ import annotations

from math import inf

from leeward._routing.circuit import Circuit
from leeward._routing.policy import LikelihoodRatios, RoutingPolicy
from leeward._routing.targets import TargetRecord, resource_of
from leeward.calls import Call, Enqueue, Invoke, Publish
from leeward.errors import Outcome
from leeward.records import NamedTuple


class Suspect:
    """One payload that has failed.

    Attributes:
        counted: when its failures counted as evidence, in monotonic seconds; the last ones.
        failed_at: its last failure on each target.
        unknown_at: its last unknown outcome on each target that served another one meanwhile.
        harmless: it has gone well, too, so its failures are like any other.
        until: when it may be sent again, if it is refused.
    """

    __slots__ = ("counted", "failed_at", "harmless", "unknown_at", "until")

    def __init__(self) -> None:
        self.counted: list[float] = []
        self.failed_at: dict[str, float] = {}
        self.unknown_at: dict[str, float] = {}
        self.harmless = False
        self.until = -inf

    def count_failure(
        self, target: str, now: float, policy: RoutingPolicy, *, others_succeed: bool
    ) -> bool:
        """Note a failure; return whether it is evidence against the target.

        It is not, once so many have counted, if others went well there and this one nowhere.
        """
        self.failed_at[target] = now
        recent = [at for at in self.counted if now - at < policy.poison_window]
        if len(recent) >= policy.poison_counted and others_succeed and not self.harmless:
            self.counted = recent
            return False
        self.counted = [*recent, now][-policy.poison_counted :]
        return True

    def refuse(self, until: float) -> bool:
        """Refuse it until then; return whether that is new."""
        before, self.until = self.until, until
        return before == -inf

    def acquit(self) -> bool:
        """Note that it has gone well; return whether it was refused."""
        was_refused = self.until > -inf
        self.harmless, self.until = True, -inf
        self.unknown_at.clear()
        return was_refused


class Poison:
    """The payloads that have failed lately.

    Args:
        policy: the numbers.
        ratios: of the answers, by these numbers.
        key: random, of this process: nobody can make two payloads of one digest.

    Attributes:
        quarantined: how many were refused when that was last looked at.
        doubtful: how many have not gone well so far; while there is one, each success is looked at.
    """

    def __init__(self, policy: RoutingPolicy, ratios: LikelihoodRatios, key: bytes) -> None:
        self._policy = policy
        self._ratios = ratios
        self._key = key
        self._suspects: dict[bytes, Suspect] = {}
        self.quarantined = self.doubtful = 0

    def __len__(self) -> int:
        """Return how many payloads are remembered."""
        return len(self._suspects)

    def note_failure(
        self, circuit: Circuit, call: Call, outcome: Outcome, began: float, now: float
    ) -> tuple[bool, bool]:
        """Note a failure of a call that its target had from `began`.

        Return whether it is evidence against the target, and whether its payload harmed two.
        """
        name = self._name(call)
        if name is None:
            return True, False
        self._forget_the_old(now)
        suspect = self._suspects.pop(name, None)
        if suspect is None:
            suspect = Suspect()
            self.doubtful += 1
        self._suspects[name] = suspect  # the last one to be forgotten
        if len(self._suspects) > self._policy.poison_entries:
            self._forget(next(iter(self._suspects)))
        others_succeed = circuit.good_at > suspect.failed_at.get(circuit.target, inf)
        harmed_two = (
            outcome is Outcome.AMBIGUOUS
            and not suspect.harmless
            and self._has_harmed_two(suspect, circuit, began, now)
        )
        if harmed_two:
            self.quarantined += suspect.refuse(now + self._policy.poison_hold)
        counts = suspect.count_failure(
            circuit.target, now, self._policy, others_succeed=others_succeed
        )
        return counts, harmed_two

    def _has_harmed_two(self, suspect: Suspect, circuit: Circuit, began: float, now: float) -> bool:
        """Return whether two targets failed on a payload that are well otherwise.

        That a target was well before says nothing: all payloads may have met a short illness. It
        has to have served another one while it failed on this.
        """
        policy = self._policy
        doubtful = policy.poison_counted * self._ratios.failure
        if circuit.failed > doubtful or circuit.good_at < began:
            return False
        suspect.unknown_at[circuit.target] = now
        since = now - policy.poison_window
        return sum(at >= since for at in suspect.unknown_at.values()) >= 2

    def note_success(self, call: Call, now: float) -> None:
        """Note that a payload has gone well: it is not what harms. Forget those of long ago."""
        name = self._name(call)
        suspect = self._suspects.get(name) if name is not None else None
        if suspect is not None:
            self.doubtful -= not suspect.harmless
            self.quarantined -= suspect.acquit()
        self._forget_the_old(now)

    def _forget_the_old(self, now: float) -> None:
        """Forget the payloads whose failures say nothing any more: the first are the oldest."""
        while self._suspects:
            name, oldest = next(iter(self._suspects.items()))
            failed_at = max(oldest.failed_at.values(), default=-inf)
            if now - failed_at < self._policy.poison_window or now < oldest.until:
                return
            self._forget(name)

    def is_refused(self, call: Call, now: float) -> bool:
        """Return whether `call` has a payload that harmed two targets a short time ago."""
        name = self._name(call)
        if name is None or name not in self._suspects:
            return False
        suspect = self._suspects[name]
        if suspect.until != -inf and suspect.until <= now:
            self._forget(name)
        return suspect.until > now

    def _forget(self, name: bytes) -> None:
        suspect = self._suspects.pop(name)
        self.quarantined -= suspect.until > -inf
        self.doubtful -= not suspect.harmless

    def _name(self, call: Call) -> bytes | None:
        """Return the digest of a payload; None of a call that has no payload to move."""
        if isinstance(call, Invoke | Enqueue):
            content = call.payload
        elif isinstance(call, Publish) and len(call.events) == 1:
            content = repr((call.events[0].type, call.events[0].data)).encode(errors="replace")
        else:
            return None
        from hashlib import blake2b  # which loads OpenSSL

        digest = blake2b(content, digest_size=16, key=self._key)
        digest.update(f"{call.verb} {resource_of(call)}".encode())
        return digest.digest()


class LocalOutage(NamedTuple):
    """A time without any network, in monotonic seconds.

    Attributes:
        since: when it began.
        due: when the next call is let through.
        looks: number of the last one that was; it may ask every target.
    """

    since: float
    due: float
    looks: int = 0


class Network:
    """Whether this machine reaches anything at all.

    Args:
        records: what is known of each target.
        policy: the numbers.

    Attributes:
        outage: the time without any network, while there is one.
        unreached: targets that were out of reach for a cause on this side, and when; of an outage
            here, all of them.
    """

    def __init__(self, records: dict[str, TargetRecord], policy: RoutingPolicy) -> None:
        self._records = records
        self._policy = policy
        self.outage: LocalOutage | None = None
        self.unreached: dict[str, float] = {}

    def note_unreached(self, target: str, now: float, good_at: float) -> tuple[bool, bool]:
        """Note that an attempt failed on this side; the last target of all makes it an outage.

        `good_at` was the last success of all. Return whether it is this target's own after all, as
        anything went well since it failed like that; and whether an outage begins.
        """
        before = self._records[target].note_unreached(now)
        is_its_own = before < good_at and now - before < self._policy.evidence_half_life
        self.unreached[target] = now
        oldest = now - self._policy.local_window
        first = min(self.unreached.get(name, oldest - 1) for name in self._records)
        begins = self.outage is None and first >= oldest and good_at < first
        if begins:
            self.outage = LocalOutage(first, now + self._policy.local_probe)
        return is_its_own, begins

    def may_look(self, number: int, now: float) -> bool:
        """Return whether call `number` is let through to see whether there is a network again."""
        outage = self.outage
        assert outage is not None, "asked only during an outage"
        if number == outage.looks:
            return True
        if now < outage.due:
            return False
        self.outage = outage._replace(due=now + self._policy.local_probe, looks=number)
        return True

    def end_outage(self) -> LocalOutage | None:
        """Note that something went well; return the outage that this ends."""
        outage, self.outage = self.outage, None
        self.unreached.clear()
        return outage
