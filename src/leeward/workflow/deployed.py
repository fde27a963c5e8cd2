"""Runs of workflows on a target's own engine, by calls of its driver."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final, NoReturn

from leeward._operations.arguments import require
from leeward._operations.errors import error_of
from leeward.adapter import Capability, Driver
from leeward.app.idempotency import KeyReused, RepeatRefused, idempotent
from leeward.calls import AbortRun, FoundRun, GetRun, Result, StartRun
from leeward.calls.runs import has_input
from leeward.clock import Clock
from leeward.errors import (
    AuthError,
    Conflict,
    DedupUnavailable,
    InvalidRequest,
    NotFound,
    Outcome,
    OutcomeUnknown,
    Overloaded,
    TargetUnavailable,
    TargetUnusable,
    Throttled,
    Unsupported,
)
from leeward.json_text import encode
from leeward.values import Json
from leeward.values.runs import Run, RunState
from leeward.watching import RUNNING, time_within
from leeward.workflow.checks import check_input, check_run_id, known_in
from leeward.workflow.limits import LIMITS
from leeward.workflow.model import Definition

if TYPE_CHECKING:
    from leeward._routing import FailoverDriver
    from leeward.app.idempotency.store import TableClient

STARTS: Final = "workflow-starts"
"""The logical name of the table that lets only one start of an id through; its key is ``id``."""
KEPT: Final = 90 * 24 * 3600.0
"""Seconds for which a start is remembered: as long as engines remember runs that have ended."""
LEASE: Final = 60.0
"""Seconds after which a start without a result is taken over: longer than a request takes."""
SECONDS: Final = 15.0
"""Seconds for one call, with its retries."""
PROVED: Final = (
    *(AuthError, Conflict, InvalidRequest, NotFound, Overloaded),
    *(TargetUnavailable, TargetUnusable, Throttled),
)
"""Outcomes that prove that nothing was started."""
FIRST_LOOK: Final = 0.25
"""Seconds before a waiting caller looks at a run again; then twice as long each time."""
LATEST_LOOK: Final = 5.0


def _refusing(method: str, limit: str) -> Callable[..., NoReturn]:
    """Return a method that is refused, by the name that callers know."""

    def refuse(self: DeployedRuns, *_: object) -> NoReturn:
        target, instead = self._driver.target, LIMITS[limit].instead
        raise Unsupported(f"{target} cannot do {method}; {instead}", target=target)

    return refuse


class DeployedRuns:
    """The runs at one target."""

    def __init__(
        self,
        driver: Driver,
        router: FailoverDriver,
        definitions: Mapping[str, Definition],
        table: TableClient,
        clock: Clock,
    ) -> None:
        require(GetRun("", ""), [driver])
        self._driver = driver
        self._router = router
        self._definitions = definitions
        self._table = table
        self._clock = clock

    list = _refusing("list_runs", "list")  # Workflows keeps only a hash of a run's id
    send = _refusing("send_event", "events")
    rerun = _refusing("rerun", "list")
    cancel = _refusing("cancel_run", "cancel")  # no cloud engine compensates a run that it ends

    def start(self, workflow: str, value: Json, id: str) -> Run:
        """Start a run; return the existing run of this id if it has the same input."""
        check_run_id(workflow, id)
        definition = known_in(self._definitions, workflow)
        check_input(value)
        single = Capability.SINGLE_STARTS in self._driver.capabilities
        call = StartRun(workflow, id, encode(value), definition.digest, single)
        if single:
            return self._run(call, self._perform(call))
        return self._run(call, self._start_once(call))

    def get(self, workflow: str, id: str) -> Run | None:
        """Return a run as its engine reports it, without its steps; None if there is none."""
        call = GetRun(workflow, check_run_id(workflow, id))
        run = self._perform(call)
        return None if run is None else self._run(call, run)

    def wait(self, workflow: str, id: str, timeout: float) -> Run:
        """Poll a run until it has ended."""
        deadline = self._clock.monotonic() + timeout
        pause = FIRST_LOOK
        while True:
            run = self.get(workflow, id)
            if run is None:
                raise self._absent(workflow, id)
            if run.state is not RunState.RUNNING:
                return run
            left = deadline - self._clock.monotonic()
            if left <= 0:
                raise TimeoutError(f"the run {id!r} of {workflow!r} still runs")
            self._clock.sleep(min(pause, left))
            pause = min(pause * 2, LATEST_LOOK)

    def abort(self, workflow: str, id: str) -> Run:
        """End a run at once. Nothing is compensated, and a step under way continues to its end."""
        call = AbortRun(workflow, check_run_id(workflow, id))
        run = self.get(workflow, id) if self._perform(call) else None
        if run is None:
            raise self._absent(workflow, id)
        return run

    def wake(self) -> None:
        """Do nothing: the engine drives its runs itself."""

    def close(self, timeout: float | None = None) -> None:
        """Do nothing: the driver belongs to the client, and the engine drives its runs itself."""
        del timeout

    def _start_once(self, call: StartRun) -> FoundRun:
        """Start a run under leeward's idempotency record: no other start of its id overtakes it.

        The holder of the record first looks for the run. So the next holder may repeat a start
        whose answer was lost.
        """
        started: list[FoundRun] = []

        def start(run: str, digest: str) -> None:
            del run, digest
            started.append(self._perform(call))

        once = idempotent(
            table=STARTS,
            key="run",
            lease=LEASE,
            keep=KEPT,
            failures=dict.fromkeys(PROVED, "release"),
            unknown="run",
            name=f"start-{call.workflow}",
            client=self._table,
            clock=self._clock,
        )(start)
        self._ask(call, once)
        return started[0] if started else self._started_before(call)

    def _ask(self, call: StartRun, once: Callable[[str, str], None]) -> None:
        """Start a run, or wait for another start of it."""
        from hashlib import sha256

        digest = sha256(call.input).hexdigest()
        deadline = self._clock.monotonic() + SECONDS
        while True:
            try:
                return once(call.run, digest)
            except KeyReused:
                # The record has a digest of the text, but one JSON value has several texts.
                run = self._perform(GetRun(call.workflow, call.run))
                if run is None or not has_input(run, call.input):
                    raise self._make_conflict(call) from None
                return None
            except DedupUnavailable as unavailable:
                # The error is the table's; nothing was started.
                raise unavailable.__cause__ or unavailable from None
            except RepeatRefused as refused:
                left = deadline - self._clock.monotonic()
                if left <= 0:
                    raise OutcomeUnknown(
                        f"another start of the run {call.run!r} of {call.workflow!r} is under way, "
                        "and has not ended. Asking again with the same id is safe: there is one "
                        "run of it",
                        target=self._driver.target,
                    ) from refused
                self._clock.sleep(min(left, refused.retry_after or FIRST_LOOK, FIRST_LOOK))

    def _started_before(self, call: StartRun) -> FoundRun:
        """Return the run that another start has made."""
        run: FoundRun | None = self._perform(GetRun(call.workflow, call.run))
        if run is None:
            raise Conflict(
                f"the run {call.run!r} of {call.workflow!r} was started before, and "
                f"{self._driver.target} keeps it no longer; give this one another id",
                target=self._driver.target,
            )
        if not has_input(run, call.input):
            raise self._make_conflict(call)
        return run

    def _make_conflict(self, call: StartRun) -> Conflict:
        return Conflict(
            f"there is a run {call.run!r} of {call.workflow!r} with another input; nothing was "
            "started: give this one another id",
            target=self._driver.target,
        )

    def _absent(self, workflow: str, id: str) -> NotFound:
        target = self._driver.target
        return NotFound(f"there is no run {id!r} of {workflow!r} on {target}", target=target)

    def _perform(self, call: StartRun | GetRun | AbortRun) -> Any:
        seconds = time_within(RUNNING.get()[0], call, SECONDS)
        result: Result[Any] = self._router.perform(call, seconds)
        if result.outcome is not Outcome.OK:
            raise error_of(call, result)
        return result.value

    def _run(self, call: StartRun | GetRun, row: FoundRun) -> Run:
        return Run(
            call.workflow,
            call.run,
            self._driver.target,
            RunState(row.state),
            row.digest,
            row.started,
            row.ended,
            row.result,
            row.error,
            row.unreversed,
        )
