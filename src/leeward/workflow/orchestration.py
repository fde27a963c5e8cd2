"""A run as an orchestrator that an engine replays.

An engine of this kind starts a generator again after each event, with the history of all answers,
and expects the same commands in the same order. The kernel has no clock and no randomness, so it
yields the same; the engine gives it the time.
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import suppress
from typing import Any, Final, Protocol

from leeward.values import Effect, Json
from leeward.values.settled import Verdict
from leeward.workflow.checks import check_portable
from leeward.workflow.commands import (
    Answer,
    Command,
    Returned,
    Sleep,
    StepCall,
    StepFailure,
    StepQuestion,
    StepVerdict,
    refusal_at,
)
from leeward.workflow.kernel import Machine
from leeward.workflow.model import UNKNOWN, Definition
from leeward.workflow.steps import RunResults, StepFunctions, ask_about, make_call

ORCHESTRATOR: Final = "leeward_workflow"
ACTIVITY: Final = "leeward_step"


class ReplayHost(Protocol):
    """The services of an engine for an orchestrator. Times are the engine's Unix seconds."""

    def now(self) -> float:
        """Return the time of the event that is replayed."""

    def call(self, request: Json) -> Any:
        """Return a task that calls the activity."""

    def timer(self, due: float) -> Any:
        """Return a task that ends at a time."""

    def first(self, tasks: list[Any]) -> Any:
        """Return a task that ends with the first of several; its value is that task."""

    def value_of(self, task: Any) -> Any:
        """Return the value of a task that has ended; None for a timer."""


def orchestrate(
    definition: Definition, run: str, value: Json, host: ReplayHost
) -> Generator[Any, Any, Answer]:
    """Return a run as an orchestrator: it yields tasks, and returns how the run has ended.

    Raises:
        ConfigError: the definition has what such an engine does not do yet.
    """
    check_portable(definition)
    return (yield from _Orchestration(Machine(definition, run, value), definition, host).run())


class _Orchestration:
    def __init__(self, machine: Machine, definition: Definition, host: ReplayHost) -> None:
        self._machine = machine
        self._host = host
        self._tasks: dict[tuple[str, int], Any] = {}
        self._due: dict[tuple[str, int], float] = {}
        self._sent: dict[str, float] = {}
        self._results = RunResults()
        timeout = definition.timeout
        self._deadline = None if timeout is None else host.now() + timeout

    def run(self) -> Generator[Any, Any, Answer]:
        machine = self._machine
        while machine.end is None:
            if self._begin_all():
                continue
            tasks = list(self._tasks.values())
            if len(tasks) == 1:
                ended = tasks[0]
                with suppress(Exception):  # of an activity that failed itself: its value tells
                    yield ended
            else:
                ended = yield self._host.first(tasks)
            for place in [place for place, task in self._tasks.items() if task is ended]:
                self._resolve(place)
        return machine.end

    def _begin_all(self) -> bool:
        """Begin new commands; return whether that has advanced the run."""
        for place, command in list(self._machine.open.items()):
            if place in self._tasks:
                continue
            now = self._host.now()
            refusal = refusal_at(now, self._deadline, None) if command.guarded else None
            if refusal is not None:
                self._machine.resolve(command, refusal)
                return True
            self._tasks[place] = self._task(command, now)
        return False

    def _task(self, command: Command, now: float) -> Any:
        if not isinstance(command, Sleep):
            sent = self._sent.setdefault(command.path.removesuffix("/settle"), now)
            return self._host.call(request_of(command, sent))
        due = self._due[command.path, command.attempt] = now + command.seconds
        if command.guarded and self._deadline is not None:
            due = min(due, self._deadline)
        return self._host.timer(due)

    def _resolve(self, place: tuple[str, int]) -> None:
        command, task = self._machine.open[place], self._tasks.pop(place)
        if not isinstance(command, Sleep):
            self._machine.resolve(command, self._answer_of(command, task))
            return
        deadline = self._deadline
        cut = command.guarded and deadline is not None and deadline <= self._due[place]
        refusal = refusal_at(self._host.now(), deadline, None) if cut else None
        self._machine.resolve(command, refusal or Returned())

    def _answer_of(self, command: StepCall | StepQuestion, task: Any) -> Answer | StepVerdict:
        """Return how an activity has ended; the effect of one that failed itself is unknown.

        The limit of a run's results is the same as in the embedded engine.
        """
        is_call = isinstance(command, StepCall)
        try:
            value = self._host.value_of(task)
            answer = answer_in(value) if is_call else verdict_in(value)
        except Exception:  # noqa: BLE001 - engines raise, or give, exceptions of their own
            if is_call:
                return StepFailure(UNKNOWN, ambiguous=True)
            return StepVerdict(Verdict.RUNNING)  # it is asked again
        return self._results.fit(answer)


_REQUEST: Final = ("attempt", "function", "payload", "key", "effect", "timeout", "voids")
"""Fields of a call or a question that the activity gets."""


def request_of(command: StepCall | StepQuestion, sent: float) -> Json:
    """Return a call, or a question about one that was sent then, as the input of the activity."""
    fields = {**command._asdict(), "effect": command.effect.value}
    request = {name: fields[name] for name in _REQUEST}
    if isinstance(command, StepCall):
        return {"path": command.path, **request}
    return {"settle": command.path, **request, "sent": sent}


def answer_in(document: Json) -> Answer:
    """Return the result of the activity."""
    if "error" in document:
        doubtful = document.get("doubtful", False)
        return StepFailure(document["error"], document["ambiguous"], doubtful=doubtful)
    return Returned(document["value"])


def verdict_in(document: Json) -> StepVerdict:
    """Return the result of the activity for a question."""
    verdict = Verdict(document["verdict"])
    answer: Answer | None = None
    if verdict is Verdict.RAN or "error" in document:
        answer = answer_in(document)
        if isinstance(answer, StepFailure):
            answer = answer._replace(spent=answer.ambiguous)
    return StepVerdict(verdict, answer, document.get("retry_after", 0), document.get("voids", 0))


def perform_step(functions: StepFunctions, document: Json) -> Json:
    """Make the call of a step, or ask about one; return how it ended. It never raises.

    Engines of this kind lose the class of an exception, so the error is returned as a value.
    """
    fields = {name: document.get(name, 0) for name in _REQUEST}
    fields["effect"] = Effect(fields["effect"])
    if "settle" not in document:
        call = StepCall(document["path"], guarded=False, **fields)
        return _document_of(make_call(functions, call))
    question = StepQuestion(document["settle"], **fields)
    verdict, answer, retry_after, voids = ask_about(functions, question, document["sent"])
    verdicts = {"verdict": verdict.value, "retry_after": retry_after, "voids": voids}
    return verdicts if answer is None else {**verdicts, **_document_of(answer)}


def _document_of(answer: Answer) -> dict[str, Json]:
    if isinstance(answer, StepFailure):
        document: dict[str, Json] = {"error": answer.name, "ambiguous": answer.ambiguous}
        return {**document, "doubtful": True} if answer.doubtful else document
    return {"value": answer.value}
