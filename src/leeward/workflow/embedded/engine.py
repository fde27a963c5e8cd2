"""The embedded engine: runs of workflows in this process, durable in a journal.

Any number of threads, processes and (with a database) machines work on one journal. The driver of a
run holds a lease. If its process dies, or does not renew the lease, another one takes the run and
continues from the journal. A step that was under way is called again with the same key, up to its
`attempts`. An unsafe step is not: it fails as `Call.Unknown`, unless its function can tell.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from time import monotonic
from typing import Any, Final

from leeward._operations.arguments import check_limit, check_name
from leeward.errors import (
    AuthError,
    CallError,
    Conflict,
    InvalidRequest,
    LeewardError,
    NotFound,
    Outcome,
    OutcomeUnknown,
    TargetUnavailable,
    TargetUnusable,
    Throttled,
)
from leeward.forking import Forkable, watch
from leeward.json_text import Undecodable, decode, encode
from leeward.json_text import is_same_json as is_same
from leeward.leases.faults import DatabaseFault
from leeward.registry import EMBEDDED
from leeward.stores import Owner
from leeward.values import Effect, Json
from leeward.values.runs import Run, RunEvent, RunState, RunWait, child_id
from leeward.values.settled import Verdict
from leeward.workflow.checks import by_name, check_event, check_input, check_run_id, known_in
from leeward.workflow.commands import (
    NO_LIMIT,
    Answer,
    Command,
    Returned,
    Sleep,
    StepFailure,
    StepVerdict,
)
from leeward.workflow.embedded.driving import LOOK_AGAIN, RERUN, RunServices, first_steps, replay
from leeward.workflow.embedded.journal import (
    Finished,
    Journal,
    OpenWait,
    RunKey,
    RunRow,
    SentEvent,
    StepRecords,
    Unreadable,
)
from leeward.workflow.embedded.workers import RunWorkers
from leeward.workflow.kernel import Machine
from leeward.workflow.model import NOT_SENT, UNKNOWN, Definition, flows_of
from leeward.workflow.steps import StepFunctions

MOST_WAITS: Final = 1000  # waits of a run that are shown


class Engine(Forkable):
    """Runs workflows.

    Args:
        definitions: of the workflows that run here. A run continues with the version that it was
            started with. Runs of other workflows are left to other processes.
        journal: keeps the runs, and gives the time. It is closed with the engine.
        workers: runs that are driven at one time in this process, without waiting runs.
        absent: returns the functions of a definition that cannot be called here; a run of one
            with any is left to other processes.
        owner: of the runs that are started and driven here; an `Owner`, or its fields.

    Raises:
        ConfigError: two definitions have one name.
    """

    def __init__(
        self,
        functions: StepFunctions,
        definitions: Iterable[Definition],
        journal: Journal,
        *,
        workers: int = 8,
        target: str = EMBEDDED,
        absent: Callable[[Definition], Sequence[str]] = lambda _: (),
        owner: tuple[Any, ...] | None = None,
    ) -> None:
        self._target = target
        self.definitions = by_name(definitions)
        self.journal = journal
        if owner is not None:
            journal.owner = Owner(*owner)
        self._clock = journal.clock
        services = RunServices(journal, functions, self._clock)
        self._workers = RunWorkers(services, self.definitions, workers, absent)
        watch(self)

    @property
    def is_idle(self) -> bool:
        """Whether no run is under way here, and none was due soon at the last look."""
        return self._workers.is_idle

    @property
    def looks(self) -> int:
        """The number of completed looks for due runs."""
        return self._workers.looks

    def start(self, workflow: str, value: Json, id: str) -> Run:
        """Start a run; see `leeward.Client.start_workflow`."""
        check_run_id(workflow, id)
        definition = known_in(self.definitions, workflow)
        for flow in flows_of(definition).values():
            known_in(self.definitions, flow)
        check_input(value)
        text = encode(value).decode()
        with self._translate_faults(), self._workers.place(definition) as lease:
            now, since = self._clock.now(), self._clock.monotonic()
            first = None if lease is None else first_steps(definition, id, text, now)
            row, is_new = self.journal.add(
                *(definition, id, value, now, lease),
                holder=self._workers.holder,
                begun=() if first is None else first.commands,
            )
            if is_new:
                self._workers.resume([] if lease is None else [row], since, first)
                return self._run(row)
        if row.state is RunState.BROKEN:
            return self._run(row)
        if not is_same(row.input, text):
            raise Conflict(
                f"there is a run {id!r} of {workflow!r} with another input; nothing was started: "
                "give this one another id"
            )
        if row.state is RunState.RUNNING:  # its process may be gone
            self.wake()
        return self._run(row)

    def rerun(self, workflow: str, run: str, step: str, id: str) -> Run:
        """Run a run again from a step; see `leeward.Client.rerun`."""
        old, new = _key_of(workflow, run), RunKey(workflow, check_run_id(workflow, id))
        definition = known_in(self.definitions, workflow)
        with self._translate_faults():
            row = self.journal.find(old)
            if row is None:
                raise _absent(*old)
            if row.state in (RunState.RUNNING, RunState.BROKEN):
                raise Conflict(f"the run {run!r} of {workflow!r} is {row.state.value}; wait for it")
            events, value = self.journal.events(old), decode(row.input)
            past = Machine(self._workers.definition_of(row), run, value, _kept_in(events))
            origin, kept = _keep(old, past, Machine(definition, id, value), events, step)
            now = self._clock.now()
            at, mark = self._clock.as_wall(now), Sleep(*RERUN, 0.0, guarded=False)
            begun = [*kept, Finished(mark, at, Returned(origin), at)]
            row, is_new = self.journal.add(definition, id, value, now, None, begun=begun)
            if not is_new:
                there = self.journal.events(new).get(RERUN)
                if there is None or there.answer != Returned(origin):
                    raise Conflict(f"there is another run {id!r} of {workflow!r}; give another id")
        self.wake()
        return self._run(row)

    def get(self, workflow: str, id: str) -> Run | None:
        """Return a run with its events; None if there is no such run."""
        key = _key_of(workflow, id)
        with self._translate_faults():
            row = self.journal.find(key)
            if row is None:
                return None
            try:
                flows: dict[str, str] = {}
                with suppress(Unreadable):  # by another version: its events can be read
                    flows = flows_of(self._workers.definition_of(row))
                events = _list_events(key, flows, self.journal.events(key))
                waits = tuple(map(self._wait_of, self.journal.waits(MOST_WAITS, key)))
                run = self._run(row)._replace(events=events, waits=waits)
            except Unreadable:
                return self._run(row)._replace(state=RunState.BROKEN)
        with suppress(Undecodable):
            run = run._replace(input=decode(row.input))
        return run

    def list(self, workflow: str | None = None, limit: int = 100) -> list[Run]:
        """Return the latest runs without their events, the last one first."""
        if workflow is not None:
            check_name(workflow, "workflow")
        check_limit(limit, 10_000)
        with self._translate_faults():
            return [self._run(row) for row in self.journal.runs(workflow, limit)]

    def wait(self, workflow: str, id: str, timeout: float) -> Run:
        """Wait for the end of a run in any process; drive it if no process does."""
        key = _key_of(workflow, id)
        with self._workers.add_place():
            return self._wait(workflow, key, monotonic() + timeout)

    def _wait(self, workflow: str, key: RunKey, deadline: float) -> Run:
        pause, is_first, id = 0.001, True, key.id
        while True:
            left = deadline - monotonic()
            try:
                with self._translate_faults():
                    row = self.journal.find(key)
            except _MAY_PASS:
                if left <= 0:
                    raise
                self._workers.wait_for_run(key, LOOK_AGAIN, left)
                continue
            if row is None:
                raise _absent(workflow, id)
            if row.state is not RunState.RUNNING:
                return self._run(row)
            if is_first:
                self.wake()
                is_first = False
            if left <= 0:
                absent = ", ".join(self._workers.list_absent(row.digest))
                hint = f"; {absent} cannot be called here: start a worker that has it"
                raise TimeoutError(
                    f"the run {id!r} of {workflow!r} still runs{hint * bool(absent)}"
                )
            self._workers.wait_for_run(key, pause, left)
            pause = min(pause * 2, 0.25)

    def send(self, workflow: str, id: str, event: str, value: Json, event_id: str) -> Run:
        """Send an event to a run, once by its id; it is kept until the run waits for it."""
        key = _key_of(workflow, id)
        check_event(event, event_id, value)
        arrival = SentEvent(0, event_id, event, value, self._clock.now())
        with self._translate_faults():
            row, earlier = self.journal.send(key, arrival)
        if row is None:
            raise _absent(workflow, id)
        if earlier is None and row.state is not RunState.RUNNING:
            raise Conflict(
                f"the run {id!r} of {workflow!r} is {row.state.value}, and takes no event any "
                "more; nothing was sent"
            )
        if earlier is not None and (earlier.name, earlier.value) != (event, value):
            raise Conflict(
                f"the run {id!r} of {workflow!r} has had another event with the id {event_id!r}; "
                "nothing was sent: give this one another id"
            )
        self.wake()
        return self._run(row)

    def cancel(self, workflow: str, id: str) -> Run:
        """Ask a run to end; see `leeward.Client.cancel_run`."""
        run = self._change(self.journal.cancel, workflow, id)
        self.wake()
        return run

    def abort(self, workflow: str, id: str) -> Run:
        """End a run, and those that it waits for, at once; see `leeward.Client.abort_run`."""
        key = _key_of(workflow, id)
        with self._translate_faults():
            waits = self.journal.waits(MOST_WAITS, key)
        run = self._change(self.journal.abort, workflow, id)
        for name in (name for wait in waits for name in wait.names if "/" in name):
            with suppress(NotFound):
                self.abort(*name.split("/"))
        self.wake()
        return run

    def _change(
        self, change: Callable[[RunKey, float], RunRow | None], workflow: str, id: str
    ) -> Run:
        key = _key_of(workflow, id)
        with self._translate_faults():
            row = change(key, self._clock.now())
        if row is None:
            raise _absent(workflow, id)
        return self._run(row)

    def wake(self) -> None:
        """Drive runs of known workflows that other processes have left or started, from now on."""
        if self.definitions:
            self._workers.resume([])

    def close(self, timeout: float | None = None) -> None:
        """Begin no further step, let steps under way end, and close the journal.

        Unfinished runs continue in the next process.

        Args:
            timeout: seconds to wait for steps under way; None waits for unsafe steps until they
                have ended, and for others two seconds. The ends of longer steps are still noted if
                this process lives on.
        """
        if self._workers.close(timeout):
            self.journal.close()

    def renew(self, *, held: bool) -> None:
        """Close in the child of a fork: the runs are the parent's."""
        del held
        self._workers.renew()

    def _run(self, row: RunRow) -> Run:
        failure = row.answer if isinstance(row.answer, StepFailure) else None
        return Run(
            *row.key,
            self._target,
            row.state,
            row.digest,
            row.started,
            row.ended,
            row.answer.value if isinstance(row.answer, Returned) else None,
            None if failure is None else failure.name,
            () if failure is None else failure.steps,
        )

    def _wait_of(self, wait: OpenWait) -> RunWait:
        until = None if wait.due >= NO_LIMIT else self._clock.as_wall(wait.due)
        return RunWait(wait.path, wait.names, until, wait.question)

    @contextmanager
    def _translate_faults(self) -> Iterator[None]:
        closed = "this engine is closed; open a new one"
        if self._workers.is_closed:
            raise LeewardError(closed, target=self._target)
        try:
            yield
        except DatabaseFault as fault:
            message = closed if str(fault) == "closed" else str(fault)
            kind = _ERRORS.get(fault.outcome)
            if kind is None:
                raise LeewardError(message, target=self._target) from fault.__cause__
            raise kind(message, target=self._target, reason=fault.reason) from fault.__cause__


_ERRORS: Final[dict[Outcome, type[CallError]]] = {
    kind.outcome: kind
    for kind in (AuthError, OutcomeUnknown, TargetUnavailable, TargetUnusable, Throttled)
}
"""A caller's exception for a fault of the journal; any other fault is of this process."""

_MAY_PASS: Final = (OutcomeUnknown, TargetUnavailable, Throttled)
"""Faults that a reader of a journal waits out: its database may be back in time."""


def _list_events(
    key: RunKey, flows: Mapping[str, str], events: StepRecords
) -> tuple[RunEvent, ...]:
    """Return events as users see them."""
    run_events = []
    for (path, attempt), noted in events.items():
        answer = noted.answer
        if isinstance(answer, StepVerdict):
            answer = _STANDS_FOR.get(answer.verdict, answer.answer)
        name, ambiguous = None, False
        if isinstance(answer, StepFailure):
            name, ambiguous = answer.name, answer.ambiguous
        result = answer.value if isinstance(answer, Returned) else None
        times = noted.began, noted.ended
        flow = None if path.endswith("/undo") else flows.get(path.partition("/")[0])
        child = flow and f"{flow}/{child_id(*key, path)}"
        run_events.append(RunEvent(path, attempt, *times, name, ambiguous, result, child))
    return tuple(run_events)


def _kept_in(events: StepRecords) -> dict[str, str]:
    """Return whose keys the steps of a run have, if it runs another one again."""
    origin = events.get(RERUN)
    return origin.answer.value["keys"] if origin and isinstance(origin.answer, Returned) else {}


def _keep(
    run: RunKey, past: Machine, new: Machine, events: StepRecords, step: str
) -> tuple[Json, list[Finished]]:
    """Return the origin of a run that runs another one again, and what it has of that.

    A step that may have run and was not undone keeps its key, so that its effect is not doubled.
    Of `past`, the run that is over, and `new` both stand at their starts. `step` is a path.
    """

    def is_before(path: str) -> bool:
        return not f"{path}/".startswith(f"{step}/")

    done, kept = replay(past, events, is_before), replay(new, events, is_before)
    later = replay(past, events, lambda _: True)
    if all(is_before(command.path) for command in new.open.values()):
        places = ", ".join(dict.fromkeys(command.path for command in later.values())) or "none"
        flaw = f"the run {run.id!r} has not come to the step {step!r}; after others: {places}"
        raise InvalidRequest(flaw, field="step")
    undone = {
        path.removesuffix("/undo") for path, _ in events.keys() - kept if path.endswith("/undo")
    }
    flaws = {
        "is not reached under the definition of now": done.keys() - kept.keys(),
        "was undone": {place for place in kept if place[0] in undone},
        "is called otherwise under the definition of now": {
            place
            for place, command in kept.items()
            if _work_of(command) != _work_of((done | later)[place])
        },
    }
    for path, attempt in done | kept:
        for flaw in (flaw for flaw, places in flaws.items() if (path, attempt) in places):
            raise Conflict(
                f"the step {path!r} of the run {run.id!r} {flaw}; nothing was started: run it "
                f"again from {path!r}, or start a new run"
            )
    ends = {
        command.path.removesuffix("/settle"): (command.effect, events[place].answer)
        for place, command in later.items()
        if not isinstance(command, Sleep) and place not in kept
    }
    doubts = {
        path: effect
        for path, (effect, answer) in ends.items()
        if path not in undone and _is_open(answer)
    }
    for path in (path for path, effect in doubts.items() if effect is Effect.UNSAFE):
        raise Conflict(
            f"the step {path!r} of the run {run.id!r} may have run, and nobody can tell; nothing "
            "was started: look at its effect, and start a new run"
        )
    keys = dict.fromkeys([*(path for path, _ in kept), *doubts], run.id) | _kept_in(events)
    ended = [
        Finished(command, noted.began, noted.answer, noted.ended)
        for place, command in kept.items()
        if (noted := events[place]).answer is not None and noted.ended is not None
    ]
    return {"run": run.id, "step": step, "keys": keys}, ended


def _is_open(answer: Answer | StepVerdict | None) -> bool:
    """Return whether a call or a question has left open whether its step ran."""
    if isinstance(answer, StepVerdict):
        is_settled = answer.verdict in (Verdict.RAN, Verdict.NOT_RUN)
        return not is_settled or _is_open(answer.answer)
    return isinstance(answer, StepFailure) and answer.ambiguous


def _work_of(command: Command) -> list[Json]:
    """Return what a command does, whichever run it is of."""
    if isinstance(command, Sleep):
        flows = [name.partition("/")[0] for name in command.names]
        return [flows, command.question, command.input]
    return [command.function, command.payload]


_STANDS_FOR: Final = {
    Verdict.NOT_RUN: StepFailure(NOT_SENT),
    Verdict.RUNNING: StepFailure(UNKNOWN, ambiguous=True),
    Verdict.UNKNOWN: StepFailure(UNKNOWN, ambiguous=True),
}
"""The state of a step by its verdict."""


def _key_of(workflow: str, id: str) -> RunKey:
    return RunKey(workflow, check_run_id(workflow, id, of_child=True))


def _absent(workflow: str, id: str) -> NotFound:
    return NotFound(f"there is no run {id!r} of {workflow!r}")
