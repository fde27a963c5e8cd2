"""The embedded engine: runs of workflows in this process, durable in one file.

Any number of threads and processes work on one file. Whoever goes on with a run holds a lease; when
that ends without a word, because the process died, another one takes it and begins where the
journal ends. A step that was under way then is called again with the same key, unless that is
unsafe: then nobody knows whether it ran, and it fails as `Call.Unknown`.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import Condition, Thread
from time import monotonic
from typing import Final

from leeward.clock import Clock, SystemClock
from leeward.errors import ConfigError, Conflict, InvalidRequest, LeewardError, NotFound
from leeward.forking import Forkable, watch
from leeward.json_text import encode
from leeward.logs import log_event
from leeward.sqlite.errors import DatabaseFault
from leeward.values import Json
from leeward.workflow.checks import check_input, check_run_id
from leeward.workflow.commands import Failure, Returned
from leeward.workflow.driving import Drive, Means
from leeward.workflow.journal import Journal
from leeward.workflow.model import Definition
from leeward.workflow.rows import Row, RunKey, events_of
from leeward.workflow.runs import Run, RunState
from leeward.workflow.steps import Invoke

LOGGER = "leeward.workflow"
EMBEDDED: Final = "local"
"""What the embedded engine is called where a target is named."""
LEASE: Final = 30.0
"""Seconds after which a run whose holder says nothing goes to another one."""
LOOK_AGAIN: Final = 1.0
"""Seconds between two looks for runs that other processes have left or started."""
GRACE: Final = 2.0
"""Seconds that `close` waits for steps under way."""


class Engine(Forkable):
    """Runs workflows.

    Args:
        invoke: `Client.invoke`: what calls the steps' functions.
        definitions: of the workflows that are run here. Runs that were started with an earlier
            version go on with theirs; runs of other workflows are left to other processes.
        path: of the journal; None keeps it in memory.
        workers: runs that go on at one time in this process; a run that waits counts for none.
        clock: gives the time.

    Raises:
        ConfigError: two definitions have one name, or the journal cannot be trusted.
    """

    def __init__(
        self,
        invoke: Invoke,
        definitions: Iterable[Definition] = (),
        *,
        path: Path | None = None,
        workers: int = 8,
        clock: Clock | None = None,
    ) -> None:
        self.definitions = by_name(definitions)
        self.journal = Journal(path)
        self._clock = clock or SystemClock()
        self._means = Means(self.journal, invoke, self._clock, lambda: self._closed)
        self._workers = workers
        self._known: dict[str, Definition] = {}
        self._condition = Condition()
        self._ready: deque[Row] = deque()
        self._held: dict[RunKey, int] = {}
        self._threads: list[Thread] = []
        self._idle = 0
        self._closed = False
        self._is_woken = False
        self._is_more = False
        """Whether runs are due that no worker was free for."""
        watch(self)

    def start(self, workflow: str, value: Json, id: str) -> Run:
        """Start a run, unless there is one of this id: with the same input, that one is meant.

        Raises:
            NotFound: no such workflow is known here.
            InvalidRequest: the id or the input is wrong.
            Conflict: there is a run of this id with another input.
            LeewardError: the journal cannot be written.
        """
        definition = self.definitions.get(workflow)
        if definition is None:
            known = ", ".join(sorted(self.definitions)) or "none"
            raise NotFound(
                f"no workflow {workflow!r} is known here (known: {known}); give its definition to "
                "the client, or name it under `workflows` in leeward.toml"
            )
        check_run_id(id)
        told = check_input(value)
        if told is not None:
            raise InvalidRequest(told, field="value")
        now = self._clock.now()
        with self._condition:
            mine = not self._closed and len(self._held) < self._workers
            self._is_more = self._is_more or not mine
        lease = LEASE if mine else None
        with self._needed():
            row, is_new = self.journal.add(definition, id, value, now, lease)
        if row.input != encode(value).decode():
            raise Conflict(
                f"there is a run {id!r} of {workflow!r} with another input; nothing was started: "
                "give this one another id"
            )
        if is_new:
            self._go_on_with([row] if mine else [])
        return self._run(row)

    def get(self, workflow: str, id: str) -> Run | None:
        """Return a run with all that it has done; None if there is no such run."""
        key = RunKey(workflow, check_run_id(id))
        with self._needed():
            row = self.journal.find(key)
            if row is None:
                return None
            return self._run(row)._replace(events=events_of(self.journal.events(key)))

    def list(self, workflow: str | None = None, limit: int = 100) -> list[Run]:
        """Return the latest runs, without what they have done, the last one first."""
        with self._needed():
            return [self._run(row) for row in self.journal.runs(workflow, limit)]

    def wait(self, workflow: str, id: str, timeout: float) -> Run:
        """Wait for the end of a run, in this process or in another.

        Raises:
            NotFound: there is no such run.
            TimeoutError: it still runs after `timeout` seconds.
        """
        key = RunKey(workflow, check_run_id(id))
        deadline = monotonic() + timeout
        pause = 0.001
        while True:
            with self._needed():
                row = self.journal.find(key)
            if row is None:
                raise _absent(workflow, id)
            if row.state is not RunState.RUNNING:
                return self._run(row)
            left = deadline - monotonic()
            if left <= 0:
                raise TimeoutError(f"the run {id!r} of {workflow!r} still runs")
            self._wait_a_little(key, pause, left)
            pause = min(pause * 2, 0.25)

    def cancel(self, workflow: str, id: str) -> Run:
        """Ask a run to end: before its next step it fails with `Flow.Cancelled`, and compensates.

        Raises:
            NotFound: there is no such run.
        """
        key = RunKey(workflow, check_run_id(id))
        with self._needed():
            row = self.journal.cancel(key, self._clock.now())
        if row is None:
            raise _absent(workflow, id)
        self.wake()
        return self._run(row)

    def abort(self, workflow: str, id: str) -> Run:
        """End a run at once. Nothing is compensated, and a step under way goes on by itself.

        Raises:
            NotFound: there is no such run.
        """
        key = RunKey(workflow, check_run_id(id))
        with self._needed():
            row = self.journal.abort(key, self._clock.now())
        if row is None:
            raise _absent(workflow, id)
        return self._run(row)

    def wake(self) -> None:
        """Go on with the runs that other processes have left or started, from now on.

        Only with those of workflows that are known here: who knows of none has no functions for
        them either.
        """
        if self.definitions:
            self._go_on_with([])

    def close(self) -> None:
        """Let steps under way end, for a moment; give the leases back, and close the journal.

        Runs that are not at their end go on in the next process.
        """
        with self._condition:
            self._closed = True
            self._condition.notify_all()
            threads = list(self._threads)
        until = monotonic() + GRACE
        for thread in threads:
            thread.join(max(0.0, until - monotonic()))
        now = self._clock.now()
        try:
            for row in self._ready:
                self.journal.pause(row.key, row.fence, now, now)
        except DatabaseFault:
            log_event(LOGGER, "warning", "leases_kept", runs=len(self._ready))
        self.journal.close()

    def renew(self, *, held: bool) -> None:
        """Be closed in the child of a fork: its runs are the parent's."""
        del held
        self._condition = Condition()
        self._closed = True
        self._threads = []

    def _wait_a_little(self, key: RunKey, pause: float, left: float) -> None:
        """Wait for the end of a run here; of one elsewhere the journal alone tells."""
        with self._condition:
            if key in self._held:
                self._condition.wait_for(lambda: key not in self._held, min(left, LOOK_AGAIN))
            else:
                self._condition.wait(min(pause, left))

    def _go_on_with(self, rows: Sequence[Row]) -> None:
        """Hand runs that this process has leased to its workers."""
        with self._condition:
            if self._closed:
                return
            self._ready.extend(rows)
            self._held.update((row.key, row.fence) for row in rows)
            self._is_woken = True
            if not self._threads:
                self._begin(self._look, "leeward-workflow-look")
            wanted = min(self._workers + 1, len(self._threads) + len(self._ready) - self._idle)
            while len(self._threads) < wanted:
                self._begin(self._work, "leeward-workflow")
            self._condition.notify_all()

    def _begin(self, loop: Callable[[], None], name: str) -> None:
        thread = Thread(target=loop, name=name, daemon=True)
        thread.start()
        self._threads.append(thread)

    def _work(self) -> None:
        while True:
            with self._condition:
                self._idle += 1
                while not self._ready and not self._closed:
                    self._condition.wait()
                self._idle -= 1
                if self._closed:
                    return
                row = self._ready.popleft()
            try:
                self._drive(row)
            except Exception as error:  # noqa: BLE001 - the lease ends, and another goes on
                facts = {"workflow": row.key.workflow, "run": row.key.id}
                log_event(LOGGER, "error", "run_left", **facts, error=type(error).__name__)
            finally:
                with self._condition:
                    self._held.pop(row.key, None)
                    self._is_woken = self._is_woken or self._is_more
                    self._condition.notify_all()

    def _drive(self, row: Row) -> None:
        definition = self._known.get(row.digest)
        if definition is None:
            definition = self._known[row.digest] = self._definition(row)
        Drive(self._means, row, definition).run()

    def _definition(self, row: Row) -> Definition:
        named = self.definitions.get(row.key.workflow)
        if named is not None and named.digest == row.digest:
            return named
        return self.journal.definition(row.digest)

    def _look(self) -> None:
        """Take runs that are due, and hold the leases of those under way."""
        renewed = monotonic()
        while True:
            try:
                if monotonic() - renewed > LEASE / 3:
                    self._renew_leases()
                    renewed = monotonic()
                wait = self._take_due()
            except (DatabaseFault, LeewardError) as error:
                log_event(LOGGER, "warning", "journal_unusable", error=type(error).__name__)
                wait = LOOK_AGAIN
            with self._condition:
                if not self._is_woken and not self._closed:
                    self._condition.wait_for(lambda: self._is_woken or self._closed, wait)
                self._is_woken = False
                if self._closed:
                    return

    def _take_due(self) -> float:
        """Take what is due; return the seconds until the next look."""
        now = self._clock.now()
        with self._condition:
            free = self._workers - len(self._held)
        if free > 0:
            rows = self.journal.take(self.definitions, now, LEASE, free)
            self._is_more = len(rows) == free
            if rows:
                self._go_on_with(rows)
                return 0.0
        due = self.journal.next_due(self.definitions, now)
        return LOOK_AGAIN if due is None else min(LOOK_AGAIN, max(0.001, due - now))

    def _renew_leases(self) -> None:
        with self._condition:
            held = list(self._held.items())
        if held:
            self.journal.renew(held, self._clock.now() + LEASE)

    def _run(self, row: Row) -> Run:
        failure = row.answer if isinstance(row.answer, Failure) else None
        return Run(
            *row.key,
            EMBEDDED,
            row.state,
            row.digest,
            row.started,
            row.ended,
            row.answer.value if isinstance(row.answer, Returned) else None,
            None if failure is None else failure.name,
            () if failure is None else failure.steps,
        )

    @contextmanager
    def _needed(self) -> Iterator[None]:
        try:
            yield
        except DatabaseFault as fault:
            told = "this engine is closed; open a new one" if self._closed else str(fault)
            raise LeewardError(told, target=EMBEDDED) from fault.__cause__


def by_name(definitions: Iterable[Definition]) -> dict[str, Definition]:
    """Return definitions by their names.

    Raises:
        ConfigError: one of them is something else, or two have one name.
    """
    found: dict[str, Definition] = {}
    for each in definitions:
        if not isinstance(each, Definition):
            raise ConfigError(
                f"a workflow is a Definition, not a {type(each).__name__}; decorate the function "
                'with @workflow("name")'
            )
        # A module that is run and imported has made its flow twice.
        if found.setdefault(each.name, each).digest != each.digest:
            raise ConfigError(f"two workflows are named {each.name!r}; rename one of them")
    return found


def _absent(workflow: str, id: str) -> NotFound:
    return NotFound(f"there is no run {id!r} of {workflow!r}")
