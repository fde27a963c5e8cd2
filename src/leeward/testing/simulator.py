"""A run in virtual time, with scripted functions: for tests of a flow.

```python
run = simulate(order_flow, {"id": "42"}, {"take-payment": [error("CardDeclined")]})
assert run.failure.name == "OrderFailed"
assert run.called("refund-payment") == 0
```
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias

from leeward.masking import show_only
from leeward.records import NamedTuple
from leeward.values import Effect, Json
from leeward.values.settled import Verdict
from leeward.workflow.commands import (
    UNSETTLED,
    Answer,
    Command,
    Returned,
    Sleep,
    StepCall,
    StepFailure,
    StepQuestion,
    StepVerdict,
    answer_of,
    end_of_child,
    refusal_at,
)
from leeward.workflow.kernel import Machine
from leeward.workflow.model import AMBIGUOUS, NO_EVENT, THROTTLED, TIMEOUT, Definition

Behaviour: TypeAlias = Callable[[Json], Json] | Sequence["Answer"]
"""A function from a payload to an answer; or the answers of its calls one after the other. The last
answer is repeated."""

Verdicts: TypeAlias = Mapping[str, Sequence[StepVerdict]] | Callable[[StepQuestion], StepVerdict]
"""What functions say of their calls: by logical name, question by question, the last one repeated;
or a function that answers each question."""


@show_only("end seconds")
class Simulated(NamedTuple):
    """A run that has ended.

    Attributes:
        end: its result or failure.
        calls: of functions, in order, including refused calls.
        seconds: that it took, in virtual time.
        questions: what became of steps, in order.
    """

    end: Answer
    calls: tuple[StepCall, ...]
    seconds: float
    questions: tuple[StepQuestion, ...] = ()

    @property
    def failure(self) -> StepFailure | None:
        """Return the error of a failed run; None after a success."""
        return self.end if isinstance(self.end, StepFailure) else None

    @property
    def result(self) -> Json:
        """Return the result of a successful run, else None."""
        return self.end.value if isinstance(self.end, Returned) else None

    def count_calls(self, function: str) -> int:
        """Count the calls of a function."""
        return sum(call.function == function for call in self.calls)


def answer(value: Json = None) -> Answer:
    """Return the answer of a function that succeeded."""
    return Returned(value)


def error(name: str) -> Answer:
    """Return the answer of a function that failed with an error of this name."""
    return StepFailure(name, ambiguous=name in AMBIGUOUS)


def throttle() -> Answer:
    """Return the answer of a platform that did not run the function."""
    return error(THROTTLED)


def time_out() -> Answer:
    """Return the answer of a step that timed out."""
    return error(TIMEOUT)


def ran(value: Json = None, *, failure: str | None = None) -> StepVerdict:
    """Return the answer of a function that ran the step: it has returned a value, or has failed."""
    return StepVerdict(Verdict.RAN, Returned(value) if failure is None else error(failure))


def not_run(voids: int = 1) -> StepVerdict:
    """Return the answer of a function that did not run the step, and now never will."""
    return StepVerdict(Verdict.NOT_RUN, voids=voids)


def running(retry_after: int = 0) -> StepVerdict:
    """Return the answer of a function that still runs the step."""
    return StepVerdict(Verdict.RUNNING, retry_after=retry_after)


def unknown() -> StepVerdict:
    """Return the answer of a function that cannot tell."""
    return UNSETTLED


def simulate(
    definition: Definition,
    value: Json = None,
    functions: Mapping[str, Behaviour] | Callable[[StepCall], Answer] | None = None,
    *,
    verdicts: Verdicts | None = None,
    events: Sequence[tuple[float, str, Json]] = (),
    flows: Sequence[Definition] = (),
    run: str = "run",
    seconds_per_call: float = 1.0,
    cancel_after: float | None = None,
) -> Simulated:
    """Run a definition to its end.

    Args:
        definition: of the workflow.
        value: its input.
        functions: by logical name; a missing function returns null. Or a function that answers
            each call.
        verdicts: what functions say of steps that may have run; a missing one cannot tell.
        events: that are sent to it, in order: seconds after its start, name and value.
        flows: that it runs; of another one, the function of this name answers.
        run: its id.
        seconds_per_call: that each call takes.
        cancel_after: seconds, when somebody cancels the run; None for never.
    """
    world = _World(definition, functions or {}, verdicts or {}, seconds_per_call, cancel_after)
    world.events = list(events)
    world.flows = {flow.name: flow for flow in flows}
    machine = Machine(definition, run, value)
    while machine.end is None:
        command = world.next_of(machine.open)
        machine.resolve(command, world.finish(command))
    return Simulated(machine.end, tuple(world.calls), world.now, tuple(world.questions))


class _World:
    """Virtual time, and what the functions have been asked so far."""

    def __init__(
        self,
        definition: Definition,
        functions: Mapping[str, Behaviour] | Callable[[StepCall], Answer],
        verdicts: Verdicts,
        seconds_per_call: float,
        cancel_after: float | None,
    ) -> None:
        self.now = 0.0
        self.events: list[tuple[float, str, Json]] = []
        self.flows: dict[str, Definition] = {}
        self.calls: list[StepCall] = []
        self.questions: list[StepQuestion] = []
        self._ends: dict[tuple[str, int], float] = {}
        self._answers: dict[tuple[str, int], Answer | StepVerdict] = {}
        self._deadline = float("inf") if definition.timeout is None else definition.timeout
        self._cancelled = float("inf") if cancel_after is None else cancel_after
        self._functions = functions
        self._verdicts = verdicts
        self._seconds = seconds_per_call

    def next_of(self, under_way: Mapping[tuple[str, int], Command]) -> Command:
        """Begin what is new, and return what ends first."""
        for place, command in under_way.items():
            if place not in self._ends:
                seconds, self._answers[place] = self._begin(command)
                self._ends[place] = self.now + seconds
        return min(under_way.values(), key=lambda call: self._ends[call.path, call.attempt])

    def finish(self, command: Command) -> Answer | StepVerdict:
        """Advance the time until the end of a command, and return its answer."""
        place = (command.path, command.attempt)
        self.now = max(self.now, self._ends.pop(place))
        return self._answers.pop(place)

    def _begin(self, command: Command) -> tuple[float, Answer | StepVerdict]:
        """Return how long a command takes, and how it ends."""
        refusal = self._refusal(self.now) if command.guarded else None
        if refusal is not None:
            return 0.0, refusal
        if isinstance(command, Sleep) and command.child is not None:
            return self._run(command, *command.child)
        if isinstance(command, Sleep):
            ends = command.due(self.now, self.now)
            if command.guarded:
                ends = min(ends, self._cancelled, self._deadline)
            for event in self.events:
                at, name, value = event
                if name in command.names and at <= ends:
                    self.events.remove(event)
                    return max(0.0, at - self.now), answer_of(command, name, value)
            refusal = self._refusal(ends) if command.guarded else None
            over = StepFailure(NO_EVENT) if command.names else Returned()
            return ends - self.now, refusal or over
        if isinstance(command, StepQuestion):
            self.questions.append(command)
            return self._seconds, self._verdict(command)
        self.calls.append(command)
        return self._seconds, self._answer(command)

    def _run(self, wait: Sleep, flow: str, id: str) -> tuple[float, Answer]:
        """Return how long another run takes, and how it ends; a cancel reaches it."""
        if flow not in self.flows:
            call = StepCall(wait.path, 1, flow, wait.input, id, Effect.UNSAFE, 1, wait.guarded)
            self.calls.append(call)
            return self._seconds, end_of_child(self._answer(call), None)
        limit = min(self._cancelled, self._deadline) if wait.guarded else float("inf")
        inner = simulate(
            *(self.flows[flow], wait.input, self._functions),
            verdicts=self._verdicts,
            flows=(*self.flows.values(),),
            run=id,
            seconds_per_call=self._seconds,
            cancel_after=None if limit == float("inf") else max(0.0, limit - self.now),
        )
        self.calls += inner.calls
        self.questions += inner.questions
        refusal = self._refusal(self.now + inner.seconds) if wait.guarded else None
        return inner.seconds, end_of_child(inner.end, refusal)

    def _verdict(self, question: StepQuestion) -> StepVerdict:
        if callable(self._verdicts):
            return self._verdicts(question)
        verdicts = self._verdicts.get(question.function) or (UNSETTLED,)
        turn = sum(past.function == question.function for past in self.questions) - 1
        return verdicts[min(turn, len(verdicts) - 1)]

    def _refusal(self, now: float) -> StepFailure | None:
        return refusal_at(now, self._deadline, self._cancelled)

    def _answer(self, call: StepCall) -> Answer:
        if callable(self._functions):
            return self._functions(call)
        behaviour = self._functions.get(call.function)
        if behaviour is None:
            return Returned()
        if callable(behaviour):
            return Returned(behaviour(call.payload))
        turn = sum(past.function == call.function for past in self.calls) - 1
        return behaviour[min(turn, len(behaviour) - 1)]
