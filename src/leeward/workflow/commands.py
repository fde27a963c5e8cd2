"""The commands of a run and their results, which the kernel shares with its runners."""

from __future__ import annotations

from typing import Final, Literal, TypeAlias

from leeward.masking import show_only
from leeward.records import NamedTuple
from leeward.values import Effect, Json
from leeward.values.settled import Verdict
from leeward.workflow.model import CANCELLED, DEADLINE


@show_only("path attempt function key effect timeout guarded voids")
class StepCall(NamedTuple):
    """Call a function. The answer is a `Returned` or a `StepFailure`.

    Attributes:
        path: of the step in this run: its id, and the numbers of the elements around it.
        attempt: 1 for the first.
        function: its logical name.
        payload: JSON.
        key: the idempotency key; the same for every attempt.
        effect: what repeating it would do.
        timeout: seconds.
        guarded: it must not be made if the run is cancelled or its time is over: the answer is
            that `StepFailure`.
        attempts: how often it may be made at most.
        voids: how often its key was settled as not run; a call that knows fewer is refused.
    """

    path: str
    attempt: int
    function: str
    payload: Json
    key: str
    effect: Effect
    timeout: int
    guarded: bool
    attempts: int = 1
    voids: int = 0


@show_only("path attempt function key effect timeout voids targets")
class StepQuestion(NamedTuple):
    """Ask a function what became of the calls of a step. The answer is a `StepVerdict`.

    The function does not run for it.

    Attributes:
        path: of the step, with ``/settle`` behind it.
        attempt: the number of the question, 1 for the first.
        function, payload, key, effect, voids: of the calls.
        timeout: seconds for the question.
        targets: where a call may have run; empty if unknown.
    """

    path: str
    attempt: int
    function: str
    payload: Json
    key: str
    effect: Effect
    timeout: int
    voids: int = 0
    targets: tuple[str, ...] = ()
    guarded: Literal[False] = False


@show_only("path attempt seconds guarded until names")
class Sleep(NamedTuple):
    """Wait. The answer is a `Returned`; or a `StepFailure` as for a guarded call.

    Attributes:
        seconds: how long at most.
        until: Unix seconds of the wall clock, instead; None for `seconds`.
        names: of events, the first of which ends it: see `answer_of`. If none comes in time, the
            answer is `NO_EVENT`.
        question: that a person is asked, whose answer is the event; None for other events.
        input: of a run whose end is the event: see `child`.
    """

    path: str
    attempt: int
    seconds: float
    guarded: bool
    until: float | None = None
    names: tuple[str, ...] = ()
    question: Json = None
    input: Json = None

    @property
    def child(self) -> tuple[str, str] | None:
        """Return the workflow and the id of the run that it waits for; None for everything else.

        The name of the event has both; no event of a user has a ``/``.
        """
        workflow, _, id = (self.names or ("",))[0].partition("/")
        return (workflow, id) if id else None

    def due(self, now: float, wall: float) -> float:
        """Return when it ends on the clock that says `now`, if it begins now."""
        return now + (self.seconds if self.until is None else max(0.0, self.until - wall))


Command: TypeAlias = StepCall | StepQuestion | Sleep


@show_only()
class Returned(NamedTuple):
    """It ended well."""

    value: Json = None


class StepFailure(NamedTuple):
    """It ended with an error.

    Attributes:
        name: see `leeward.workflow.model`.
        ambiguous: the function may have run.
        steps: paths of the steps that could not be taken back.
        final: handlers see it, but the run still fails with it.
        spent: the step must not be tried again, whatever its retry says.
        targets: where the function may have run; empty if unknown.
        doubtful: the function raised it, and may have had its effect before. If it keeps records,
            the step is settled first.
    """

    name: str
    ambiguous: bool = False
    steps: tuple[str, ...] = ()
    final: bool = False
    spent: bool = False
    targets: tuple[str, ...] = ()
    doubtful: bool = False


Answer: TypeAlias = Returned | StepFailure

NO_LIMIT: Final = 253_402_300_799.0
"""Seconds of a wait without a limit: some eight thousand years, which every store can keep."""


def answer_of(command: Sleep, name: str, value: Json) -> Returned:
    """Return the answer of a wait that an event has ended."""
    return Returned(value if len(command.names) == 1 else {"event": name, "value": value})


def event_of(command: Sleep, answer: Answer | StepVerdict) -> str | None:
    """Return the name of the event that has ended a wait; None if none has."""
    if not command.names or not isinstance(answer, Returned):
        return None
    return command.names[0] if len(command.names) == 1 else str(answer.value["event"])


def end_of_child(answer: Answer, refusal: StepFailure | None) -> Answer:
    """Return how a run has ended, for the one that waits for it.

    What may be left of it, because its steps may have run or could not be taken back, makes its
    failure ambiguous. Only the other run's own end is final.

    Args:
        answer: of the run.
        refusal: why the one that waits may begin nothing more; that counts then.
    """
    if isinstance(answer, Returned):
        return answer
    is_left = answer.ambiguous or bool(answer.steps)
    failure = refusal or StepFailure(answer.name)
    return failure._replace(ambiguous=is_left, steps=answer.steps)


@show_only("verdict retry_after voids")
class StepVerdict(NamedTuple):
    """What became of the calls of a step.

    Attributes:
        verdict: RUNNING also if the function has not answered; then it is asked again.
        answer: for RAN, how the call ended; an `ambiguous` failure must be taken back. For UNKNOWN,
            set if a record says that the call may have had its effect.
        retry_after: for RUNNING: whole seconds after which to ask again; 0 if not given.
        voids: how often the key was settled as not run; the next call must know it.
    """

    verdict: Verdict
    answer: Answer | None = None
    retry_after: int = 0
    voids: int = 0


UNSETTLED = StepVerdict(Verdict.UNKNOWN)
"""The verdict UNKNOWN, for good."""


def refusal_at(now: float, deadline: float | None, cancelled: float | None) -> StepFailure | None:
    """Return why nothing guarded may begin at `now`; None if it may."""
    if cancelled is not None and cancelled <= now:
        return StepFailure(CANCELLED, final=True)
    return StepFailure(DEADLINE, final=True) if deadline is not None and deadline <= now else None
