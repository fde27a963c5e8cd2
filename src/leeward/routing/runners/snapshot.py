"""What processes tell each other: which targets they have found ill, in a table of each cloud.

Written when a circuit opens or closes, and read once, when an order is opened. It suggests and no
more: one failure of its own is then enough for a process to believe it. It never makes a call wait,
and that it cannot be read or written changes nothing. Every target of the order keeps a copy, so it
does not live in the cloud alone that fails.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

from leeward.adapter import Capability, Driver
from leeward.calls import Key, Load, Result, Store, Stored
from leeward.entropy import new_id
from leeward.errors import Outcome
from leeward.routing.runners.background import run_beside
from leeward.routing.suggestion import snapshot_of, suggest
from leeward.values import RoutingEvent

if TYPE_CHECKING:
    from leeward.routing.runners.shared import Shared

SECONDS: Final = 5.0
"""For reading or writing a copy."""

CHANGES: Final = ("opened", "closed")
"""Events that are worth telling others."""

ITEM: Final = "leeward-health"
"""The key of the item."""


class Snapshot:
    """The copies of one order's snapshot.

    Args:
        shared: what the runners of the order share.
        table: its name, the same on every target; its key is one field.
        key: the name of that field.
    """

    def __init__(self, shared: Shared, table: str, key: str) -> None:
        self._shared = shared
        self._table = table
        self._key = Key((key,), (ITEM,))
        self._is_stale = False
        self.renew()
        shared.listeners.append(self._note)
        run_beside(shared, self.read)

    def renew(self) -> None:
        """Begin in a child: a thread of the parent may have been writing."""
        self._writing = threading.Lock()

    def read(self) -> None:
        """Read the copies, and let the newest one suggest what to be careful with."""
        found: list[dict[str, Any]] = []
        for driver in self._keepers():
            with suppress(Exception):  # fails open: nothing is suggested
                result: Result[Stored | None] = driver.perform(
                    Load(self._table, self._key), SECONDS
                )
                if result.outcome is Outcome.OK and result.value is not None:
                    found.append(result.value.item)
        shared = self._shared
        with shared.lock:
            now = shared.clock.monotonic()
            suggest(shared.core.health, found, shared.clock.now(), now)

    def write(self) -> None:
        """Write what is known to every copy; if a write is under way, let that one write again."""
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
            item = snapshot_of(shared.core.health, now, monotonic)
        item[self._key.fields[0]] = ITEM
        for driver in self._keepers():
            with suppress(Exception):  # fails open: the others learn by themselves
                driver.perform(Store(self._table, self._key, item, new_id(now), now), SECONDS)

    def _note(self, told: RoutingEvent) -> None:
        if told.name in CHANGES:
            run_beside(self._shared, self.write)

    def _keepers(self) -> Iterator[Driver]:
        for driver in self._shared.drivers.values():
            if Capability.TABLES in driver.capabilities:
                yield driver
