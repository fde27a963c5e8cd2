"""What really happens: targets that run what reaches them, and a log of what they did."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypeAlias

from leeward.calls import (
    Call,
    Delete,
    Enqueue,
    Invoke,
    Load,
    Publish,
    Result,
    Settle,
    Store,
    Stored,
)
from leeward.envelope import BY_GROUP, BY_TARGET, VOIDED
from leeward.errors import Outcome
from leeward.values import Effect, Event, FunctionFault

ItemId: TypeAlias = tuple[str, str]
"""A table and the value of a key."""

RAN = "ran"
DELETED = "deleted"


class SideEffect(NamedTuple):
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
    objects: dict[ItemId, Stored] = field(default_factory=dict)
    delivered: set[str] = field(default_factory=set)
    keys: set[str] = field(default_factory=set)


class World:
    """All targets, and the effect log.

    Args:
        latencies: target to its median latency in seconds, in the order of preference.
    """

    def __init__(self, latencies: dict[str, float]) -> None:
        self.targets = {name: Target(name, median) for name, median in latencies.items()}
        self.log: dict[int, list[SideEffect]] = {}
        self.deduplicated = 0
        self.refused_late = 0
        """Calls that came after their key was settled as not run."""
        self.late_overwrites = 0
        """Writes that took effect a second time, on top of another call's later change."""
        self._shared_keys: set[str] = set()
        self._records: dict[tuple[str, str], int | None] = {}
        """Of a key at a target, or at all: how often it is void; None once its call has run."""
        self._revisions = 0
        self._last_change: dict[tuple[str, ItemId], int] = {}

    def side_effects(self, number: int) -> list[SideEffect]:
        """Return what the call of that number has really done so far."""
        return self.log.get(number, [])

    def revision(self, target: str, item_id: ItemId) -> str | None:
        """Return the revision of the object at `item_id`; None if nothing is there."""
        found = self.targets[target].objects.get(item_id)
        return found.revision if found else None

    def run(self, number: int, target: str, call: Call, now: float) -> Result[Any]:
        """Let `call`, an attempt at the call of that number, run; return its true result."""
        at = self.targets[target]
        match call:
            case Invoke(settles=True):
                return self._recorded_function(number, at, call, now)
            case Settle():
                return self._settle(at, call)
            case Invoke() | Enqueue():
                return self._function(number, at, call, now)
            case Publish():
                return Result.ok(tuple(self.deliver(number, at, each, now) for each in call.events))
            case Store():
                return self._store(number, at, call, now)
            case Load():
                return Result.ok(at.objects.get(item_id_of(call)))
            case Delete():
                return self._delete(number, at, call, now)
            case _:
                raise TypeError(f"the simulated world knows no {call.verb}")

    def deliver(self, number: int, at: Target, event: Event, now: float) -> Result[None]:
        """Deliver one event to the subscribers of `at`."""
        assert event.id is not None
        at.delivered.add(event.id)
        self._note(number, SideEffect(at.name, now, event.id))
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
        self._note(number, SideEffect(at.name, now, RAN))
        return _DONE

    def _recorded_function(self, number: int, at: Target, call: Invoke, now: float) -> Result[None]:
        """Run a function that keeps a record of each key, if its record lets it."""
        key = "" if call.shared_dedup else at.name, call.idempotency_key
        voids = self._records.get(key, 0)
        if voids is None:
            self.deduplicated += 1
            return _DONE
        if call.voids < voids:
            self.refused_late += 1
            fault = FunctionFault(reason=VOIDED, ran="no", voids=voids)
            dedup = BY_GROUP if call.shared_dedup else BY_TARGET
            return Result(Outcome.REJECTED, reason=VOIDED, fault=fault, dedup=dedup)
        self._records[key] = None
        self._note(number, SideEffect(at.name, now, RAN))
        return _DONE

    def _settle(self, at: Target, call: Settle) -> Result[Any]:
        """Answer what became of the calls with a key: void it unless one has run."""
        key = "" if call.shared_dedup else at.name, call.idempotency_key
        voids = self._records.get(key, 0)
        if voids is None:
            return Result.ok({"key": call.idempotency_key, "verdict": "ran"})
        if voids <= call.voids:
            self._records[key] = voids = call.voids + 1
        answer = {"key": call.idempotency_key, "verdict": "not_run", "voids": voids}
        return Result.ok(answer, dedup=BY_GROUP if call.shared_dedup else BY_TARGET)

    def _store(self, number: int, at: Target, call: Store, now: float) -> Result[str]:
        item_id = item_id_of(call)
        found = _alive(at.objects.get(item_id), call.now)
        if call.if_absent and found is not None:
            return _CONFLICT
        if call.if_revision is not None and (found is None or found.revision != call.if_revision):
            return _CONFLICT
        self._revisions += 1
        revision = f"r{self._revisions}"
        at.objects[item_id] = Stored(call.item, revision, call.write_id, call.expires_at)
        self._changed(number, at, item_id, SideEffect(at.name, now, revision))
        return Result.ok(revision)

    def _delete(self, number: int, at: Target, call: Delete, now: float) -> Result[None]:
        item_id = item_id_of(call)
        found = _alive(at.objects.get(item_id), call.now)
        if call.if_revision is not None and (found is None or found.revision != call.if_revision):
            return _CONFLICT
        if found is not None:
            del at.objects[item_id]
            self._changed(number, at, item_id, SideEffect(at.name, now, DELETED))
        return _DONE

    def _changed(self, number: int, at: Target, item_id: ItemId, side_effect: SideEffect) -> None:
        if number in self.log and self._last_change.get((at.name, item_id)) not in (None, number):
            self.late_overwrites += 1
        self._last_change[at.name, item_id] = number
        self._note(number, side_effect)

    def _note(self, number: int, side_effect: SideEffect) -> None:
        self.log.setdefault(number, []).append(side_effect)


def item_id_of(call: Store | Load | Delete) -> ItemId:
    """Return where `call` reads or writes."""
    return call.table, call.key.values[0]


def _alive(found: Stored | None, now: float) -> Stored | None:
    if found is not None and found.expires_at is not None and found.expires_at <= now:
        return None
    return found


_DONE: Result[None] = Result.ok(None)
_DELIVERED: Result[None] = Result.ok(None)
_CONFLICT: Result[Any] = Result(Outcome.CONFLICT, code="condition")
