"""The threads that go on with runs, and the leases that they hold.

Whoever goes on with a run holds a lease. One thread looks for runs that are due, and renews the
leases of those under way; the others go on with one run each, until it ends or waits for long.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from threading import Condition, Thread
from time import monotonic
from typing import Final

from leeward.errors import LeewardError
from leeward.logs import log_event
from leeward.sqlite.errors import DatabaseFault
from leeward.workflow.driving import Drive, Means
from leeward.workflow.model import Definition
from leeward.workflow.rows import Row, RunKey

LOGGER = "leeward.workflow"
LEASE: Final = 30.0
"""Seconds after which a run whose holder says nothing goes to another one."""
LOOK_AGAIN: Final = 1.0
"""Seconds between two looks for runs that other processes have left or started."""
GRACE: Final = 2.0
"""Seconds that `close` waits for steps under way."""


class Workers:
    """Goes on with runs. No thread is there before there is something to do.

    Args:
        means: what runs go on with.
        definitions: of the workflows that are run here, by name.
        most: runs that go on at one time; a run that waits counts for none.
    """

    def __init__(self, means: Means, definitions: Mapping[str, Definition], most: int) -> None:
        self._means = means._replace(is_closing=lambda: self.is_closed)
        self._definitions = definitions
        self._most = most
        self._known: dict[str, Definition] = {}
        self._condition = Condition()
        self._ready: deque[Row] = deque()
        self._held: dict[RunKey, int] = {}
        self._threads: list[Thread] = []
        self._idle = 0
        self.is_closed = False
        self._is_woken = False
        self._is_more = False
        """Whether runs are due that no worker was free for."""

    def lease(self) -> float | None:
        """Return the seconds of a lease for a run that starts now; None if no worker is free."""
        with self._condition:
            free = not self.is_closed and len(self._held) < self._most
            self._is_more = self._is_more or not free
        return LEASE if free else None

    def go_on_with(self, rows: Sequence[Row]) -> None:
        """Hand runs that this process has leased to its workers, and look for others."""
        with self._condition:
            if self.is_closed:
                return
            self._ready.extend(rows)
            self._held.update((row.key, row.fence) for row in rows)
            self._is_woken = True
            if not self._threads:
                self._begin(self._look, "leeward-workflow-look")
            wanted = min(self._most + 1, len(self._threads) + len(self._ready) - self._idle)
            while len(self._threads) < wanted:
                self._begin(self._work, "leeward-workflow")
            self._condition.notify_all()

    def wait_a_little(self, key: RunKey, pause: float, left: float) -> None:
        """Wait for the end of a run here; of one elsewhere the journal alone tells."""
        with self._condition:
            if key in self._held:
                self._condition.wait_for(lambda: key not in self._held, min(left, LOOK_AGAIN))
            else:
                self._condition.wait(min(pause, left))

    def close(self) -> None:
        """Let steps under way end, for a moment, and give the leases back."""
        with self._condition:
            self.is_closed = True
            self._condition.notify_all()
            threads = list(self._threads)
        until = monotonic() + GRACE
        for thread in threads:
            thread.join(max(0.0, until - monotonic()))
        now = self._means.clock.now()
        try:
            for row in self._ready:
                self._means.journal.pause(row.key, row.fence, now, now)
        except DatabaseFault:
            log_event(LOGGER, "warning", "leases_kept", runs=len(self._ready))

    def renew(self) -> None:
        """Be closed in the child of a fork: the threads and the leases are the parent's."""
        self._condition = Condition()
        self.is_closed = True
        self._threads = []

    def _begin(self, loop: Callable[[], None], name: str) -> None:
        thread = Thread(target=loop, name=name, daemon=True)
        thread.start()
        self._threads.append(thread)

    def _work(self) -> None:
        while True:
            with self._condition:
                self._idle += 1
                while not self._ready and not self.is_closed:
                    self._condition.wait()
                self._idle -= 1
                if self.is_closed:
                    return
                row = self._ready.popleft()
            try:
                self._drive(row)
            except Exception as error:  # noqa: BLE001 - the lease ends, and another goes on
                facts = {"workflow": row.key.workflow, "run": row.key.id}
                log_event(LOGGER, "error", "run_left", **facts, error=type(error).__name__)
            finally:
                with self._condition:
                    if self._held.get(row.key) == row.fence:  # it may be leased again already
                        del self._held[row.key]
                    self._is_woken = self._is_woken or self._is_more
                    self._condition.notify_all()

    def _drive(self, row: Row) -> None:
        definition = self._known.get(row.digest)
        if definition is None:
            definition = self._known[row.digest] = self._definition(row)
        Drive(self._means, row, definition).run()

    def _definition(self, row: Row) -> Definition:
        named = self._definitions.get(row.key.workflow)
        if named is not None and named.digest == row.digest:
            return named
        return self._means.journal.definition(row.digest)

    def _look(self) -> None:
        """Take runs that are due, and hold the leases of those under way."""
        now = self._means.clock.now
        renewed, at = monotonic(), now()
        while True:
            try:
                # Leases end by the wall clock, and that may jump: as after a sleep of the machine.
                if max(monotonic() - renewed, abs(now() - at)) > LEASE / 3:
                    self._renew_leases()
                    renewed, at = monotonic(), now()
                wait = self._take_due()
            except (DatabaseFault, LeewardError) as error:
                log_event(LOGGER, "warning", "journal_unusable", error=type(error).__name__)
                wait = LOOK_AGAIN
            with self._condition:
                if not self._is_woken and not self.is_closed:
                    self._condition.wait_for(lambda: self._is_woken or self.is_closed, wait)
                self._is_woken = False
                if self.is_closed:
                    return

    def _take_due(self) -> float:
        """Take what is due; return the seconds until the next look."""
        journal, now = self._means.journal, self._means.clock.now()
        with self._condition:
            free = self._most - len(self._held)
        if free > 0:
            rows = journal.take(self._definitions, now, LEASE, free)
            self._is_more = len(rows) == free
            if rows:
                self.go_on_with(rows)
                return 0.0
        due = journal.next_due(self._definitions, now)
        return LOOK_AGAIN if due is None else min(LOOK_AGAIN, max(0.001, due - now))

    def _renew_leases(self) -> None:
        with self._condition:
            held = list(self._held.items())
        if held:
            self._means.journal.renew(held, self._means.clock.now() + LEASE)
