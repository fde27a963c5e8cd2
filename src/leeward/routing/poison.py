"""Payloads that harm whoever takes them: one may not take a target away, nor all targets.

A payload is known by a keyed digest; it is looked at only while something fails.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from hashlib import blake2b
from math import inf
from typing import TYPE_CHECKING

from leeward.calls import Call, Enqueue, Invoke, Publish
from leeward.errors import Outcome
from leeward.routing.policy import RoutingPolicy

if TYPE_CHECKING:
    from leeward.routing.circuit import Circuit
    from leeward.routing.evidence import Answered
    from leeward.routing.health import Health


@dataclass(slots=True)
class Suspect:
    """One payload that has failed.

    Attributes:
        counted: when its failures counted as evidence, in monotonic seconds; the last ones.
        failed_at: its last failure on each target.
        unknown_at: its last unknown outcome on each target that served another one meanwhile.
        harmless: it has gone well, too, so its failures are like any other.
        until: when it may be sent again, if it is refused.
    """

    counted: list[float] = field(default_factory=list)
    failed_at: dict[str, float] = field(default_factory=dict)
    unknown_at: dict[str, float] = field(default_factory=dict)
    harmless: bool = False
    until: float = -inf


class Poison:
    """The payloads that have failed lately.

    Args:
        policy: the numbers.
        key: random, of this process: nobody can make two payloads of one digest.

    Attributes:
        quarantined: how many were refused when that was last looked at.
        doubtful: how many have not gone well so far; while there is one, each success is looked at.
    """

    def __init__(self, policy: RoutingPolicy, key: bytes) -> None:
        self._policy = policy
        self._key = key
        self._suspects: dict[bytes, Suspect] = {}
        self.quarantined = self.doubtful = 0

    def __len__(self) -> int:
        """Return how many payloads are remembered."""
        return len(self._suspects)

    def note_failure(
        self, health: Health, circuit: Circuit, answered: Answered, outcome: Outcome
    ) -> bool:
        """Take in a failure; return whether it is evidence against the target."""
        now, name = answered.now, self._name(answered.command.call)
        if name is None:
            return True
        self._forget_the_old(now)
        suspect = self._suspects.pop(name, None)
        if suspect is None:
            suspect = Suspect()
            self.doubtful += 1
        self._suspects[name] = suspect  # the last one to be forgotten
        if len(self._suspects) > self._policy.poison_entries:
            self._forget(next(iter(self._suspects)))
        target, policy = circuit.target, self._policy
        others_went_well = circuit.good_at > suspect.failed_at.get(target, inf)
        suspect.failed_at[target] = now
        if outcome is Outcome.AMBIGUOUS and not suspect.harmless:
            self._note_unknown(health, suspect, circuit, answered)
        recent = [at for at in suspect.counted if now - at < policy.poison_window]
        if len(recent) >= policy.poison_counted and others_went_well and not suspect.harmless:
            suspect.counted = recent
            return False
        suspect.counted = [*recent, now][-policy.poison_counted :]
        return True

    def _note_unknown(
        self, health: Health, suspect: Suspect, circuit: Circuit, answered: Answered
    ) -> None:
        """Refuse the payload for a time if two targets failed on it that are well otherwise.

        That a target was well before says nothing: all payloads may have met a short illness. It
        has to have served another one while it failed on this.
        """
        policy, now = self._policy, answered.now
        doubtful = policy.poison_counted * health.weights.failure
        if circuit.failed > doubtful or circuit.good_at < answered.began + answered.waited:
            return
        suspect.unknown_at[circuit.target] = now
        since = now - policy.poison_window
        if sum(at >= since for at in suspect.unknown_at.values()) >= 2:
            from leeward.routing.transitions import tell

            self.quarantined += suspect.until == -inf
            suspect.until = now + policy.poison_hold
            tell(health, "poison_suspected", verb=circuit.verb, resource=circuit.resource)

    def note_success(self, call: Call, now: float) -> None:
        """Take in that a payload has gone well: it is not what harms. Forget those of long ago."""
        name = self._name(call)
        suspect = self._suspects.get(name) if name is not None else None
        if suspect is not None:
            self.doubtful -= not suspect.harmless
            suspect.harmless = True
            suspect.unknown_at.clear()
            self.quarantined -= suspect.until > -inf
            suspect.until = -inf
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
        forgotten = self._suspects.pop(name)
        self.quarantined -= forgotten.until > -inf
        self.doubtful -= not forgotten.harmless

    def _name(self, call: Call) -> bytes | None:
        """Return the digest of a payload; None of a call that has no payload to move."""
        if isinstance(call, Invoke | Enqueue):
            content = call.payload
        elif isinstance(call, Publish) and len(call.events) == 1:
            content = repr((call.events[0].type, call.events[0].data)).encode(errors="replace")
        else:
            return None
        digest = blake2b(content, digest_size=16, key=self._key)
        digest.update(f"{call.verb} {call[0]}".encode())
        return digest.digest()
