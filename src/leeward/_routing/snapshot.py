"""The targets that processes have found ill, shared by a table of each cloud.

A process writes it when a circuit opens or closes, and reads it once, when it opens an order. It is
only a hint: after one failure of its own a process believes it. No call waits for it, and errors of
the table change nothing. Every target of the order keeps a copy, so it is not only in the cloud
that fails.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from math import inf
from operator import itemgetter
from typing import Any, Final

from leeward._routing.background import Shared
from leeward._routing.circuit import CircuitState
from leeward._routing.circuits import Circuits
from leeward._routing.fleet import Fleet
from leeward.adapter import Capability, Driver
from leeward.calls import Key, Load, Result, Store, Stored
from leeward.entropy import new_id
from leeward.errors import Outcome
from leeward.values import RoutingEvent

SECONDS: Final = 5.0  # seconds for reading or writing a copy
CHANGES: Final = ("opened", "closed")  # events that are reported to other processes
ITEM: Final = "leeward-health"  # the key of the item


class Snapshot:
    """The copies of one order's snapshot."""

    def __init__(self, shared: Shared, table: str, key: str) -> None:
        self._shared = shared
        self._table = table
        self._key = Key((key,), (ITEM,))
        self._is_stale = False
        self.renew()
        shared.listeners.append(self._note)
        shared.run_beside(self.read)

    def renew(self) -> None:
        """Start again in a child: a thread of the parent may have been writing."""
        self._writing = threading.Lock()

    def stop(self) -> None:
        """Do nothing: a write under way ends by itself, and no other begins."""

    def read(self) -> None:
        """Read the copies, and prepare circuits by the newest one."""
        copies = _copies(self._shared.drivers, self._table, self._key)
        shared = self._shared
        with shared.lock:
            now = shared.clock.monotonic()
            suggest(shared.core.health.circuits, copies, shared.clock.now(), now)

    def write(self) -> None:
        """Write the open circuits to every copy; a write under way is repeated."""
        self._is_stale = True
        while self._is_stale and self._writing.acquire(blocking=False):
            try:
                self._is_stale = False
                self._write_copies()
            finally:
                self._writing.release()

    def _write_copies(self) -> None:
        shared = self._shared
        now = shared.clock.now()
        with shared.lock:
            monotonic = shared.clock.monotonic()
            item = snapshot_of(shared.core.health.circuits, now, monotonic)
        item[self._key.fields[0]] = ITEM
        for driver in _keepers(self._shared.drivers):
            with suppress(Exception):  # fails open: the others learn by themselves
                driver.perform(Store(self._table, self._key, item, new_id(now), now), SECONDS)

    def _note(self, event: RoutingEvent) -> None:
        if event.name in CHANGES:
            self._shared.run_beside(self.write)


def _copies(drivers: Mapping[str, Driver], table: str, key: Key) -> list[dict[str, Any]]:
    copies: list[dict[str, Any]] = []
    for driver in _keepers(drivers):
        with suppress(Exception):  # fails open: there is no hint
            result: Result[Stored | None] = driver.perform(Load(table, key), SECONDS)
            if result.outcome is Outcome.OK and result.value is not None:
                copies.append(result.value.item)
    return copies


def _keepers(drivers: Mapping[str, Driver]) -> Iterator[Driver]:
    for driver in drivers.values():
        if Capability.TABLES in driver.capabilities:
            yield driver


def read_open(drivers: Mapping[str, Driver], table: str, key: str, wall: float) -> dict[str, float]:
    """Return the targets that a process has found ill, and until when it does not call them."""
    items = _copies(drivers, table, Key((key,), (ITEM,)))
    age, newest = _newest(items, wall)
    ends = newest["open_until"].items() if age < inf else ()
    return {
        target: float(until)
        for target, until in ends
        if isinstance(target, str) and isinstance(until, int | float) and until > wall
    }


def share(shared: Shared, table: str, key: str) -> tuple[Snapshot, Fleet]:
    """Return the companion that shares evidence and isolations with other processes."""
    return Snapshot(shared, table, key), Fleet(shared, table, key)


def snapshot_of(circuits: Circuits, wall: float, now: float) -> dict[str, Any]:
    """Return which targets have an open circuit, as an item; `wall` is `now` in Unix seconds."""
    open_until: dict[str, float] = {}
    for circuit in circuits.unclosed:
        if circuit.state is CircuitState.OPEN:
            until = wall + min(circuit.until - now, circuits.policy.shared_age)
            open_until[circuit.target] = max(until, open_until.get(circuit.target, 0.0))
    return {"written_at": wall, "open_until": open_until}


def _age(item: dict[str, Any], wall: float) -> float:
    """Return the age of an item in seconds; infinity if its time is missing or impossible."""
    at = item.get("written_at")
    if not isinstance(item.get("open_until"), dict) or not isinstance(at, int | float):
        return inf
    return wall - at if at <= wall else inf


def _newest(items: Iterable[dict[str, Any]], wall: float) -> tuple[float, dict[str, Any]]:
    return min(((_age(item, wall), item) for item in items), key=itemgetter(0), default=(inf, {}))


def suggest(circuits: Circuits, items: Iterable[dict[str, Any]], wall: float, now: float) -> None:
    """Prepare the circuits of targets that another process has found ill a short time ago.

    The newest copy counts. It opens nothing: the score begins so high that one failure of this
    process's own is enough, and falls like any other. Copies that cannot be read or are from the
    future are ignored, so that they do not hide a good one.
    """
    age, newest = _newest(items, wall)
    if age > circuits.policy.shared_age:
        return
    for target in newest["open_until"]:
        if isinstance(target, str) and target in circuits.records:
            circuits.prepare(target, now)
