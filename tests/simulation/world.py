"""What really happens: targets that run what reaches them, and a log of what they did."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypeAlias

from leeward.adapter import Call, Delete, Enqueue, Invoke, Load, Publish, Result, Store, Stored
from leeward.errors import Outcome
from leeward.values import Effect, Event

Place: TypeAlias = tuple[str, str]
"""A table and the value of a key."""

RAN = "ran"
DELETED = "deleted"


class Deed(NamedTuple):
    """An effect that a call had, whether or not anybody heard of it.

    Attributes:
        target: where.
        at: virtual seconds.
        mark: `RAN` of a function, the id of an event, the revision of a write, or `DELETED`.
    """

    target: str
    at: float
    mark: str


@dataclass(slots=True)
class Target:
    """A provider: what it keeps, and what its receivers remember."""

    name: str
    latency: float
    objects: dict[Place, Stored] = field(default_factory=dict)
    delivered: set[str] = field(default_factory=set)
    keys: set[str] = field(default_factory=set)


class World:
    """All targets, and the effect log.

    Args:
        latencies: target to its median latency in seconds, in the order of preference.
    """

    def __init__(self, latencies: dict[str, float]) -> None:
        self.targets = {name: Target(name, median) for name, median in latencies.items()}
        self.log: dict[int, list[Deed]] = {}
        self.deduplicated = 0
        self.overrun = 0
        """Writes that took effect a second time, on top of another call's later change."""
        self._shared_keys: set[str] = set()
        self._revisions = 0
        self._last_change: dict[tuple[str, Place], int] = {}

    def deeds(self, number: int) -> list[Deed]:
        """Give what the call of that number has really done so far."""
        return self.log.get(number, [])

    def revision(self, target: str, place: Place) -> str | None:
        """Give the revision of the object at `place`; None where none is."""
        found = self.targets[target].objects.get(place)
        return found.revision if found else None

    def run(self, number: int, target: str, call: Call, now: float) -> Result[Any]:
        """Let `call`, an attempt at the call of that number, run; give its true result."""
        at = self.targets[target]
        match call:
            case Invoke() | Enqueue():
                return self._function(number, at, call, now)
            case Publish():
                return Result.ok(tuple(self.deliver(number, at, each, now) for each in call.events))
            case Store():
                return self._store(number, at, call, now)
            case Load():
                return Result.ok(at.objects.get(place_of(call)))
            case Delete():
                return self._delete(number, at, call, now)
            case _:
                raise TypeError(f"the simulated world knows no {call.verb}")

    def deliver(self, number: int, at: Target, event: Event, now: float) -> Result[None]:
        """Deliver one event to the subscribers of `at`."""
        assert event.id is not None
        at.delivered.add(event.id)
        self._note(number, Deed(at.name, now, event.id))
        return _DELIVERED

    def _function(
        self, number: int, at: Target, call: Invoke | Enqueue, now: float
    ) -> Result[None]:
        if call.effect is Effect.KEYED:
            seen = self._shared_keys if call.shared_dedup else at.keys
            if call.idempotency_key in seen:
                self.deduplicated += 1
                return _DONE
            seen.add(call.idempotency_key)
        self._note(number, Deed(at.name, now, RAN))
        return _DONE

    def _store(self, number: int, at: Target, call: Store, now: float) -> Result[str]:
        place = place_of(call)
        found = _alive(at.objects.get(place), call.now)
        if call.if_absent and found is not None:
            return _CONFLICT
        if call.if_revision is not None and (found is None or found.revision != call.if_revision):
            return _CONFLICT
        self._revisions += 1
        revision = f"r{self._revisions}"
        at.objects[place] = Stored(call.item, revision, call.write_id, call.expires_at)
        self._changed(number, at, place, Deed(at.name, now, revision))
        return Result.ok(revision)

    def _delete(self, number: int, at: Target, call: Delete, now: float) -> Result[None]:
        place = place_of(call)
        found = _alive(at.objects.get(place), call.now)
        if call.if_revision is not None and (found is None or found.revision != call.if_revision):
            return _CONFLICT
        if found is not None:
            del at.objects[place]
            self._changed(number, at, place, Deed(at.name, now, DELETED))
        return _DONE

    def _changed(self, number: int, at: Target, place: Place, deed: Deed) -> None:
        if number in self.log and self._last_change.get((at.name, place)) not in (None, number):
            self.overrun += 1
        self._last_change[at.name, place] = number
        self._note(number, deed)

    def _note(self, number: int, deed: Deed) -> None:
        self.log.setdefault(number, []).append(deed)


def place_of(call: Store | Load | Delete) -> Place:
    """Give where `call` reads or writes."""
    return call.table, call.key.values[0]


def _alive(found: Stored | None, now: float) -> Stored | None:
    if found is not None and found.expires_at is not None and found.expires_at <= now:
        return None
    return found


_DONE: Result[None] = Result.ok(None)
_DELIVERED: Result[None] = Result.ok(None)
_CONFLICT: Result[Any] = Result(Outcome.CONFLICT, code="condition")
