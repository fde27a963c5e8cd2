"""The threads that go on with runs, and the leases that they hold.

Whoever goes on with a run holds a lease. One thread looks for runs that are due, for leases whose
process is dead, and renews those under way; the others go on with one run each, until it ends or
waits for long.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from threading import Condition, Thread
from time import monotonic
from typing import Final

from leeward.leases import Holder, holder_in, is_gone, is_over, this_process
from leeward.logs import log_event
from leeward.sqlite.errors import DatabaseFault
from leeward.workflow.driving import Drive, Lease, Means, Turns
from leeward.workflow.model import Definition
from leeward.workflow.rows import HeldRun, Row, RunKey, Unreadable

LOGGER = "leeward.workflow"
LEASE: Final = 30.0
"""Seconds after which a run whose holder says nothing goes to another one."""
LOOK_AGAIN: Final = 1.0
"""Seconds between two looks for runs that other processes have left or started."""
GRACE: Final = 2.0
"""Seconds that `close` waits for steps that may be called again, if it is told nothing."""
SLOW: Final = 1.0
"""Seconds of a look at the journal from which on it was blocked: others could not renew either."""


class Workers:
    """Goes on with runs. No thread is there before there is something to do.

    Args:
        means: what runs go on with.
        definitions: of the workflows that are run here, by name.
        most: runs that go on at one time; a run that waits counts for none.
    """

    def __init__(self, means: Means, definitions: Mapping[str, Definition], most: int) -> None:
        self._means = means._replace(is_closing=lambda: self.is_closed, turns=Turns())
        self._definitions = definitions
        self._most = most
        self._known: dict[str, Definition] = {}
        self._condition = Condition()
        self._ready: deque[Row] = deque()
        self._held: dict[RunKey, Lease] = {}
        self._me: Holder | None = this_process()
        self._threads: list[Thread] = []
        self._idle = 0
        self.is_closed = False
        self._is_woken = False
        self._is_more = False
        """Whether runs are due that no worker was free for."""
        self._looked_wide = self._looked = float("-inf")
        """When leases that end later, and those that end soon, were looked at."""
        self._patient_until = float("-inf")
        """Until then every lease is given more time: its holder could not renew it."""
        self._closes_journal = False

    @property
    def holder(self) -> str | None:
        """Return this process, if others can look for it."""
        return None if self._me is None else str(self._me)

    def lease(self) -> float | None:
        """Return the seconds of a lease for a run that starts now; None if no worker is free."""
        with self._condition:
            free = not self.is_closed and len(self._held) < self._most
            self._is_more = self._is_more or not free
        return LEASE if free else None

    def go_on_with(self, rows: Sequence[Row], since: float = 0.0) -> None:
        """Hand runs that this process has leased to its workers, and look for others.

        Args:
            rows: of the runs.
            since: before they were leased, on the monotonic clock.
        """
        with self._condition:
            if self.is_closed:
                return
            self._ready.extend(rows)
            self._held.update((row.key, Lease(row.fence, since, LEASE)) for row in rows)
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

    def close(self, timeout: float | None = None) -> bool:
        """Begin nothing more, let steps under way end, and give the leases back.

        Args:
            timeout: seconds to wait for steps under way; None waits for unsafe ones until they
                have ended, and for others a moment.

        Returns:
            Whether nothing is under way any more. If not, leases are held on, the ends of steps
            are noted as long as this process lives, and the journal is closed behind the last one.
        """
        with self._condition:
            self.is_closed = True
            ready = list(self._ready)
            self._ready.clear()
            for row in ready:
                del self._held[row.key]
            self._condition.notify_all()
        now = self._means.clock.now()
        try:
            for row in ready:
                self._means.journal.pause(row.key, row.fence, now, now)
        except DatabaseFault:
            log_event(LOGGER, "warning", "leases_kept", runs=len(ready))
        until = monotonic() + (GRACE if timeout is None else timeout)
        with self._condition:
            while self._held:
                left = until - monotonic()
                if left <= 0 and timeout is None and self._is_unsafe():
                    left = LOOK_AGAIN
                if left <= 0:
                    break
                self._condition.wait(left)
            self._closes_journal = bool(self._held)
            if self._closes_journal:
                log_event(LOGGER, "warning", "steps_left", runs=len(self._held))
                return False
            threads = list(self._threads)
        for thread in threads:
            thread.join(GRACE)
        return True

    def _is_unsafe(self) -> bool:
        return any(lease.is_unsafe for lease in self._held.values())

    def renew(self) -> None:
        """Be closed in the child of a fork: the threads and the leases are the parent's."""
        self._condition = Condition()
        self.is_closed = True
        self._threads = []
        self._held = {}

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
                lease = self._held[row.key]
            facts = {"workflow": row.key.workflow, "run": row.key.id}
            try:
                self._drive(row, lease)
            except Exception as error:  # noqa: BLE001 - the lease ends, and another goes on
                log_event(LOGGER, "error", "run_left", **facts, error=type(error).__name__)
            finally:
                with self._condition:
                    if self._held.get(row.key) is lease:  # it may be leased again already
                        del self._held[row.key]
                    self._is_woken = self._is_woken or self._is_more
                    is_last = self._closes_journal and not self._held
                    self._condition.notify_all()
                if is_last:
                    self._means.journal.close()

    def _drive(self, row: Row, lease: Lease) -> None:
        try:
            definition = self._known.get(row.digest)
            if definition is None:
                definition = self._known[row.digest] = self._definition(row)
            Drive(self._means, row, definition, lease).run()
        except Unreadable as flaw:
            facts = {"workflow": row.key.workflow, "run": row.key.id}
            log_event(LOGGER, "error", "run_broken", **facts, why=str(flaw))
            self._means.journal.set_aside(row.key)

    def _definition(self, row: Row) -> Definition:
        named = self._definitions.get(row.key.workflow)
        if named is not None and named.digest == row.digest:
            return named
        return self._means.journal.definition(row.digest)

    def _look(self) -> None:
        """Take runs that are due, and hold the leases of those under way."""
        now = self._means.clock.monotonic
        renewed = now()
        while True:
            began = monotonic()
            try:
                if now() - renewed > LEASE / 3:
                    at = now()
                    self._renew_leases(at)
                    renewed = at
                wait = LOOK_AGAIN if self.is_closed else self._take_due()
            except Exception as error:  # noqa: BLE001 - without this thread no lease is renewed
                log_event(LOGGER, "warning", "journal_unusable", error=type(error).__name__)
                wait = LOOK_AGAIN
            if monotonic() - began > SLOW:
                self._patient_until = monotonic() + LEASE / 3
            with self._condition:
                if not self._is_woken and not self._is_over():
                    self._condition.wait_for(lambda: self._is_woken or self._is_over(), wait)
                self._is_woken = False
                if self._is_over():
                    return

    def _is_over(self) -> bool:
        return self.is_closed and not self._held

    def _take_due(self) -> float:
        """Take what is due; return the seconds until the next look."""
        journal, now, since = (
            self._means.journal,
            self._means.clock.now(),
            self._means.clock.monotonic(),
        )
        with self._condition:
            free = self._most - len(self._held)
        if free > 0:
            over = self._leases_over()
            grace = LEASE / 3 if monotonic() < self._patient_until else 0.0
            rows = journal.take(
                self._definitions, now, LEASE, free, over=over, grace=grace, holder=self.holder
            )
            self._is_more = len(rows) == free
            if rows:
                self.go_on_with(rows, since)
                return 0.0
        due = journal.next_due(self._definitions, now)
        return LOOK_AGAIN if due is None else min(LOOK_AGAIN, max(0.001, due - now))

    def _leases_over(self) -> list[HeldRun]:
        """Return the leases that end later by their time, and are over already."""
        at = monotonic()
        is_wide = at - self._looked_wide >= LEASE
        if not is_wide and at - self._looked < LOOK_AGAIN / 2:
            return []
        self._looked = at
        if is_wide:
            self._looked_wide = at
        clock = self._means.clock
        until = float("inf") if is_wide else clock.now() + LEASE
        leases = self._means.journal.leases(self._definitions, until)
        now = clock.now()  # behind them: no lease may seem to be made ahead of its time
        return [
            each
            for each in leases
            if each.due > now and (is_over(each.due, now, LEASE) or self._is_gone(each))
        ]

    def _is_gone(self, lease: HeldRun) -> bool:
        fence, _, holder = (lease.holder or "").partition(" ")
        process = holder_in(holder)
        # A process of an older version takes leases, and does not say that it has them.
        if fence != str(lease.fence) or process is None or self._me is None:
            return False
        return is_gone(process, self._me)

    def _renew_leases(self, now: float) -> None:
        with self._condition:
            held = dict(self._held)
        if held:
            until = self._means.clock.now() + LEASE
            leases = [(key, lease.fence) for key, lease in held.items()]
            renewed = self._means.journal.renew(leases, until)
            for lease, is_held in zip(held.values(), renewed, strict=True):
                if is_held:
                    lease.since = now
