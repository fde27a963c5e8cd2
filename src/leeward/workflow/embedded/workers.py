"""The threads that drive runs, and the leases that they hold.

The driver of a run holds a lease. One thread looks for due runs and for leases of dead processes,
and renews the leases held here. The others drive one run each, until it ends or waits for long.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from threading import Condition
from time import monotonic
from typing import Final

from leeward.leases import threads
from leeward.leases.faults import DatabaseFault
from leeward.leases.holders import Holder, holder_in, is_gone, this_process
from leeward.leases.rules import is_over, needs_renewal
from leeward.leases.threads import Carrier, HeldLease, Loop, WorkPool
from leeward.logs import Fact, failure_facts, log_event
from leeward.workflow.embedded.driving import Drive, FirstSteps, RunLease, RunServices, Turns
from leeward.workflow.embedded.journal import RunHolder, RunKey, RunRow, Unreadable
from leeward.workflow.model import Definition, flows_of

LOGGER = "leeward.workflow"
LEASE: Final = 30.0
"""Seconds of a lease: without renewal the run then goes to another process."""
GRACE: Final = 2.0
"""Seconds, by default, that `close` waits for steps that may be called again."""
SLOW: Final = 1.0
"""Seconds of a look at the journal from which it counts as blocked, so that nobody could renew."""


class DrivenRun(HeldLease):
    """A run that this process drives; its lease is renewed."""

    __slots__ = ("first", "lease", "row")

    def __init__(self, row: RunRow, lease: RunLease, first: FirstSteps | None = None) -> None:
        super().__init__(float("inf"))
        self.first = first
        self.row = row
        self.lease = lease


class RunWorkers(WorkPool[DrivenRun]):
    """Drives runs."""

    def __init__(
        self,
        services: RunServices,
        definitions: Mapping[str, Definition],
        limit: int,
        absent: Callable[[Definition], Sequence[str]],
    ) -> None:
        self._services = services._replace(
            is_closing=lambda: self.is_closed,
            turns=Turns(),
            definitions=definitions,
            wake=lambda: self.resume([]),
        )
        self._definitions = definitions
        self._known: dict[str, Definition] = {}
        self._absent = absent
        self._most = limit
        self._is_done = False
        """The last look has found nothing to do, and nothing is due soon."""
        self._left: dict[str, Definition] = {}
        """Definitions by digest with a function that cannot be called here. They are checked again
        each time, because the function may come; the others are not."""
        self._able: set[str] = set()
        """Digests of the others."""
        self._ready: set[str] = set()
        """Names of those among `definitions`."""
        self._me: Holder | None = this_process()
        self.is_closed = False
        self._starting = 0
        """Runs that have a worker, and are being written."""
        self._has_more = False
        """Whether due runs found no free worker."""
        self._renewed = services.clock.monotonic()
        self._looked_wide = self._looked = float("-inf")
        """When leases that end later, and those that end soon, were looked at."""
        self._patient_until = float("-inf")
        """Until then every lease has more time, because its holder could not renew it."""
        self._closes_journal = False
        self._begin(limit)

    @property
    def holder(self) -> str | None:
        """Return this process, if others can look for it."""
        return None if self._me is None else str(self._me)

    @property
    def is_idle(self) -> bool:
        """Whether nothing is under way, and nothing was due soon at the last look."""
        with self._loop.lock:
            return self._is_done and not self.held and not self._loop.failures

    @property
    def looks(self) -> int:
        """How many looks have ended."""
        return self._loop.looks

    @contextmanager
    def add_place(self) -> Iterator[None]:
        """Add a place for a run, while a thread of this process only waits for one.

        The thread may be a step of a run, and hold the place that the other run needs.
        """
        more = min(self._most, 1)  # a thread that drives no run takes no place
        with self._loop.lock:
            self._places += more
            self._loop.tell()
        try:
            yield
        finally:
            with self._loop.lock:
                self._places -= more

    def list_absent(self, digest: str) -> Sequence[str]:
        """Return the missing functions of a definition that was left to other processes."""
        left = self._left.get(digest)
        return () if left is None else self._absent(left)

    @contextmanager
    def place(self, definition: Definition) -> Iterator[float | None]:
        """Reserve a worker for a run that starts now; return the seconds of its lease.

        None if no worker is free, or its functions cannot be called here.
        """
        name = definition.name  # a digest costs as much as a start
        is_able = self._most > 0 and (name in self._ready or self._is_able(definition))
        if is_able:
            self._ready.add(name)
        with self._loop.lock:
            is_free = not self.is_closed and len(self.held) + self._starting < self._places
            is_free = is_free and is_able
            self._has_more = self._has_more or (is_able and not is_free)
            self._starting += is_free
        try:
            yield LEASE if is_free else None
        finally:
            with self._loop.lock:
                self._starting -= is_free

    def resume(
        self, rows: Sequence[RunRow], since: float = 0.0, first: FirstSteps | None = None
    ) -> None:
        """Pass the leased runs to the workers; without any, look for runs."""
        with self._loop.lock:
            if not self.is_closed:
                self.add(DrivenRun(row, RunLease(row.fence, since, LEASE), first) for row in rows)
                if not rows or not self._loop.is_started:
                    self._loop.wake()

    def wait_for_run(self, key: RunKey, pause: float, left: float) -> None:
        """Wait for the end of a run here; the journal shows the end of one elsewhere."""
        with self._let_go:
            if self._is_here(key):
                self._let_go.wait_for(lambda: not self._is_here(key), min(left, threads.LOOK_AGAIN))
            else:
                self._let_go.wait(min(pause, left))

    def close(self, timeout: float | None = None) -> bool:
        """Begin nothing more, let steps under way end, and give the leases back.

        Args:
            timeout: seconds to wait for steps under way; None waits for unsafe ones until they
                have ended, and for others a moment.

        Returns:
            Whether nothing is under way. If not, leases are still renewed, the ends of steps are
            noted as long as this process lives, and the journal is closed after the last one.
        """
        with self._loop.lock:
            self.is_closed = True
            ready = self.withdraw()
            self.forget(ready)
            self._loop.tell()
        try:
            for run in ready:
                now = self._services.clock.now()
                self._services.journal.release(run.row.key, run.row.fence, now, now)
        except DatabaseFault:
            log_event(LOGGER, "warning", "leases_kept", runs=len(ready))
        until = monotonic() + (GRACE if timeout is None else timeout)
        with self._let_go:
            while self.held:
                left = until - monotonic()
                is_unsafe = any(run.lease.is_unsafe for run in self.held)
                if left <= 0 and timeout is None and is_unsafe:
                    left = threads.LOOK_AGAIN
                if left <= 0:
                    break
                self._let_go.wait(left)
            self._closes_journal = bool(self.held)
            if self._closes_journal:
                log_event(LOGGER, "warning", "steps_left", runs=len(self.held))
                return False
        self._loop.join(GRACE)
        return True

    def renew(self) -> None:
        """Close in the child of a fork: the threads and the leases are the parent's."""
        self.is_closed = True
        self._begin(self._most)

    def work(self, held: DrivenRun) -> None:
        """Drive a run; it never raises."""
        facts: dict[str, Fact] = {"workflow": held.row.key.workflow, "run": held.row.key.id}
        try:
            self._drive(held)
        except BaseException as error:  # noqa: BLE001 - the lease ends, and another process continues
            facts |= failure_facts(error)
            log_event(LOGGER, "error", "run_left", error=type(error).__name__, **facts)

    def end(self, held: DrivenRun) -> None:
        """Release a run, and wake its waiters; close the journal after the last one."""
        self.forget([held])
        self._let_go.notify_all()
        if self._has_more or self.is_closed:
            self._loop.tell()
        if self._closes_journal and not self.held:
            self._services.journal.close()

    def name(self, held: DrivenRun) -> str:
        """Return the name of the threads that drive runs."""
        del held
        return "leeward-workflow"

    def _begin(self, limit: int) -> None:
        self._loop = Loop(
            Carrier("leeward-workflow-look"),
            self._look,
            lambda: self.is_closed and not self.held,
            _log_stall,
        )
        super().__init__(self._loop.lock, limit, self._services.clock)
        self._let_go = Condition(self._loop.lock)
        """For those who wait for the end of a run here."""

    def _is_here(self, key: RunKey) -> bool:
        return any(run.row.key == key for run in self.held)

    def _drive(self, held: DrivenRun) -> None:
        row = held.row
        try:
            Drive(self._services, row, self.definition_of(row), held.lease, held.first).run()
        except Unreadable as flaw:
            facts = {"workflow": row.key.workflow, "run": row.key.id}
            log_event(LOGGER, "error", "run_broken", **facts, why=str(flaw))
            self._services.journal.set_aside(row.key)

    def definition_of(self, row: RunRow) -> Definition:
        """Return the definition that a run began with.

        Raises:
            Unreadable: this version cannot read it.
        """
        definition = self._known.get(row.digest)
        if definition is None:
            named = self._definitions.get(row.key.workflow)
            if named is None or named.digest != row.digest:
                named = self._services.journal.definition(row.digest)
            definition = self._known[row.digest] = named
        return definition

    def _is_ours(self, row: RunRow) -> bool:
        """Return whether this process can drive a run."""
        try:
            return row.digest in self._able or self._is_able(self.definition_of(row))
        except Unreadable:
            return True  # its driver notes that

    def _is_able(self, definition: Definition) -> bool:
        """Return whether all functions and flows of a definition are here; log it once if not."""
        digest = definition.digest
        if digest in self._able:
            return True
        flows = flows_of(definition).values()
        absent = [
            *self._absent(definition),
            *(name for name in flows if name not in self._definitions),
        ]
        if not absent:
            self._able.add(digest)
            self._left.pop(digest, None)
        elif digest not in self._left:
            self._left[digest] = definition
            facts = {"workflow": definition.name, "digest": digest, "functions": " ".join(absent)}
            log_event(LOGGER, "warning", "version_left", **facts)
        return not absent

    def _look(self) -> float:
        """Renew the leases of runs under way, and take due runs; return the pause."""
        began, now = monotonic(), self._services.clock.monotonic()
        try:
            if needs_renewal(self._renewed, now, LEASE):
                self._renew_leases(now)
                self._renewed = now
            return threads.LOOK_AGAIN if self.is_closed else self._take_due()
        finally:
            if monotonic() - began > SLOW:
                self._patient_until = monotonic() + LEASE / 3

    def _take_due(self) -> float:
        """Lease due runs; return the seconds until the next look."""
        journal, clock = self._services.journal, self._services.clock
        if self._is_done and not self.held and (pause := journal.quiet()):
            return pause
        now, since = clock.now(), clock.monotonic()
        self._is_done = False
        self.add([])  # for those that no thread could be started for
        with self._loop.lock:
            free = self._places - len(self.held) - self._starting
        if free > 0:
            over = self._leases_over()
            grace = LEASE / 3 if monotonic() < self._patient_until else 0.0
            rows = journal.take(
                *(self._definitions, now, LEASE, free),
                left=self._skip_versions(),
                over=over,
                grace=grace,
                holder=self.holder,
            )
            self._has_more = len(rows) == free
            ours = [row for row in rows if self._is_ours(row)]
            for row in rows:
                if row not in ours:
                    journal.release(row.key, row.fence, now, now)
            if rows:
                self.resume(ours, since)
                return 0.0  # ignored runs are not read again
        due = journal.next_due(self._definitions, now, self._left)
        self._is_done = free > 0 and (due is None or due - now >= threads.LOOK_AGAIN)
        return threads.LOOK_AGAIN if due is None else min(threads.LOOK_AGAIN, max(0.001, due - now))

    def _skip_versions(self) -> list[str]:
        """Return the digests of definitions that still cannot be driven here."""
        for definition in (*self._left.values(),):
            self._is_able(definition)
        return [*self._left]

    def _leases_over(self) -> list[RunHolder]:
        """Return the leases that are over before their time."""
        at = monotonic()
        is_wide = at - self._looked_wide >= LEASE
        if not is_wide and at - self._looked < threads.LOOK_AGAIN / 2:
            return []
        self._looked = at
        if is_wide:
            self._looked_wide = at
        clock = self._services.clock
        until = float("inf") if is_wide else clock.now() + LEASE
        leases = self._services.journal.holders(self._definitions, until, self._left)
        now = clock.now()  # after them: no lease may seem to be made ahead of its time
        return [
            lease
            for lease in leases
            if lease.due > now and (is_over(lease.due, now, 2 * LEASE) or self._is_gone(lease))
        ]

    def _is_gone(self, lease: RunHolder) -> bool:
        fence, _, holder = (lease.holder or "").partition(" ")
        process = holder_in(holder)
        # A process of an older version takes leases without its name.
        if fence != str(lease.fence) or process is None or self._me is None:
            return False
        return is_gone(process, self._me)

    def _renew_leases(self, now: float) -> None:
        with self._loop.lock:
            runs = list(self.held)
        if runs:
            until = self._services.clock.now() + LEASE
            leases = [(run.row.key, run.lease.fence) for run in runs]
            renewed = self._services.journal.renew(leases, until)
            for run, is_held in zip(runs, renewed, strict=True):
                if is_held:
                    run.lease.since = now


def _log_stall(error: Exception) -> None:
    facts = failure_facts(error)
    log_event(LOGGER, "warning", "journal_unusable", error=type(error).__name__, **facts)
