"""One step as calls of the client: what exceptions and a function's answers mean for a flow.

Only the kernel decides whether a step is called again: a process that was stopped in a call may
wake up after others have settled it and continued. So the router settles no step, and repeats no
call that was settled meanwhile.
"""

from __future__ import annotations

from collections.abc import Iterable
from math import ceil
from typing import TYPE_CHECKING, Final, Protocol, cast

from leeward._operations.settling import FunctionSettling, settle_call
from leeward.adapter import Capability
from leeward.calls import Invoke
from leeward.config import FunctionConfig
from leeward.envelope import REPEAT_REFUSED, VOIDED, name_of_error
from leeward.errors import CallError, FunctionError, LeewardError, NotFound, Outcome
from leeward.json_text import encode
from leeward.logs import Fact, failure_facts, log_event
from leeward.settling import read_answer
from leeward.values import FunctionFault, InvokeResult, Item, Json
from leeward.values.settled import Settled, Verdict
from leeward.workflow.commands import (
    UNSETTLED,
    Answer,
    Returned,
    StepCall,
    StepFailure,
    StepQuestion,
    StepVerdict,
)
from leeward.workflow.limits import most
from leeward.workflow.model import (
    FAILED,
    NOT_SENT,
    REFUSED,
    THROTTLED,
    TIMEOUT,
    TOO_LARGE,
    UNKNOWN,
    Definition,
    functions_of,
)

if TYPE_CHECKING:
    from leeward._operations.operations import Operations
    from leeward.client import Client

LOGGER = "leeward.workflow"


class StepFunctions(Protocol):
    """The functions of a flow's steps."""

    def invoke(self, call: StepCall) -> InvokeResult:
        """Call a function and wait for its answer.

        Raises:
            LeewardError: it failed, or its outcome is unknown.
        """

    def settle(self, question: StepQuestion, sent: float | None) -> StepVerdict:
        """Ask a function once what became of the calls of a step.

        The first of them was sent at `sent`, in Unix seconds; None if that is unknown.
        """


class ClientFunctions:
    """The functions that a client calls."""

    def __init__(self, operations: Operations) -> None:
        self._operations = operations

    def invoke(self, call: StepCall) -> InvokeResult:
        """Call a function and wait for its answer; as `StepFunctions` says."""
        about = call.function, call.payload, call.effect, call.key, float(call.timeout)
        sent, seconds, finish = self._operations.functions.invoke(*about, on_unknown="raise")
        sent = sent._replace(voids=call.voids, fenced=True)
        return finish(sent, self._operations.router.perform(sent, seconds))

    def settle(self, question: StepQuestion, sent: float | None) -> StepVerdict:
        """Ask a function once, at each target where a call may have run: each has its records.

        A function with the same records everywhere is asked at any target.
        """
        operations = self._operations
        config = operations.config.functions.get(question.function, FunctionConfig())
        try:
            call, _, _ = operations.functions.invoke(
                question.function, question.payload, question.effect, question.key, None
            )
            about = FunctionSettling(
                question.function,
                question.key,
                question.voids,
                call.payload,
                sent,
                only=(),
                places=question.targets or None,
                keeps_records=True,
            )
            if call.shared_dedup or config.probe is not None:
                return self._ask(about, config, question)
            verdicts = []
            for target in question.targets or operations.router.candidates(call):
                one = about._replace(only=(target,), places=(target,))
                try:
                    verdicts.append(self._ask(one, config, question))
                except NotFound:  # it has not run there, unless tried: then it was deleted since
                    verdicts += [UNSETTLED] if question.targets else []
            return combine(verdicts) if verdicts else UNSETTLED
        except LeewardError as error:  # the question was refused, and would be again
            log_event(LOGGER, "error", "step_not_settled", key=question.key, **_facts_of(error))
            return UNSETTLED

    def _ask(
        self, about: FunctionSettling, config: FunctionConfig, question: StepQuestion
    ) -> StepVerdict:
        operations = self._operations
        steps = settle_call(about, config, operations.clock, question.timeout)
        try:
            request = next(steps)
            assert not isinstance(request, float), "it asks before it waits"
            result = operations.router.perform(*request)
            steps.send(result)
        except StopIteration as end:
            return verdict_of(end.value)
        steps.close()  # the client would wait and ask again; here the kernel does
        settled = read_answer(question.key, result)
        return verdict_of(settled or Settled(Verdict.RUNNING, retry_after=result.retry_after))

    def list_absent(self, definition: Definition) -> list[str]:
        """Return the functions of a definition that no target here can call, as far as is known.

        What the configuration names counts for nothing: another version may have what it means.
        """
        operations = self._operations
        return sorted(
            name
            for name in {*functions_of(definition)}
            if not any(
                Capability.INVOKE in driver.capabilities and driver.has_function(name) is not False
                for driver in map(
                    operations.drivers.__getitem__,
                    operations.router.candidates(Invoke(name, b"", "")),
                )
            )
        )


class StepClient(Protocol):
    """The part of `leeward.Client` that another engine needs."""

    def invoke(self, function: str, payload: Json = None) -> InvokeResult:
        """Call a function and wait for its answer."""

    def store_data(self, table: str, item: Item, *, if_absent: bool, expires_in: float) -> object:
        """Store an item, if it is not there."""


def functions_called_by(client: StepClient) -> ClientFunctions:
    """Return the functions that a client calls, for the steps of a flow."""
    return ClientFunctions(cast("Client", client)._operations)  # noqa: SLF001 - of one package


def verdict_of(settled: Settled) -> StepVerdict:
    """Return the verdict of a function's answer about a step."""
    verdict, wait = settled.verdict, settled.retry_after
    if verdict is Verdict.UNKNOWN and settled.reason == UNREACHABLE:
        return StepVerdict(Verdict.RUNNING)
    if verdict is not Verdict.RAN:
        in_doubt = verdict is Verdict.UNKNOWN and settled.reason not in _NOBODY
        lost = RESULT_LOST if in_doubt else None
        return StepVerdict(verdict, lost, ceil(wait or 0.0), settled.voids)
    answer: Answer = Returned(settled.result)
    if settled.failure is not None:
        answer = StepFailure(_name_of(settled.failure))
    elif not settled.kept:
        answer = RESULT_LOST
    return StepVerdict(verdict, answer, voids=settled.voids)


RESULT_LOST: Final = StepFailure(UNKNOWN, ambiguous=True, spent=True)
"""The end of a step that ran without a kept result: the next steps cannot begin."""

_NOBODY: Final = ("no_records", "not_asked", "not_supported", "no_answer")
"""Reasons of a function that keeps no records, by its own word: its errors are final."""

UNREACHABLE: Final = "unreachable"
"""The reason of a question without an answer."""


def combine(verdicts: Iterable[StepVerdict]) -> StepVerdict:
    """Return what became of a step that may have run at several targets."""
    order = (Verdict.RAN, Verdict.RUNNING, Verdict.UNKNOWN, Verdict.NOT_RUN)
    every = list(verdicts)
    first = min(every, key=lambda verdict: order.index(verdict.verdict))
    return first._replace(
        retry_after=max(end.retry_after for end in every), voids=max(end.voids for end in every)
    )


_BY_OUTCOME: Final = {
    Outcome.REJECTED: THROTTLED,
    Outcome.NOT_SENT: NOT_SENT,
    Outcome.LOCAL: NOT_SENT,
    Outcome.UNUSABLE: NOT_SENT,
    Outcome.AUTH: REFUSED,
    Outcome.NOT_FOUND: REFUSED,
    Outcome.CALLER: REFUSED,
    Outcome.CONFLICT: REFUSED,
}
"""Errors of calls that are proved not to have run."""

_CUT_SHORT: Final = {
    "timed_out": TIMEOUT,
    "crashed": UNKNOWN,
    "response_too_large": UNKNOWN,
    "not_json": UNKNOWN,
}
"""Reasons for which a function has run, in part or whole, without reporting a failure itself."""

UNKNOWN_CLASSES: Final = ("OutcomeUnknown", REPEAT_REFUSED, "LeaseLost")
"""Errors of leeward's own. A function that raises one does not know what it did, or what an earlier
call with the key has done."""


def make_call(functions: StepFunctions, call: StepCall) -> Answer:
    """Make a call, and return how it ended."""
    try:
        return Returned(functions.invoke(call).value)
    except LeewardError as error:
        failure = failure_of(error)
        if failure.name == REFUSED:
            log_event(LOGGER, "error", "step_refused", key=call.key, **_facts_of(error))
        return failure
    except Exception as error:  # noqa: BLE001 - a driver's fault proves nothing
        log_event(LOGGER, "error", "step_unknown", key=call.key, **_facts_of(error))
        return StepFailure(UNKNOWN, ambiguous=True)


def _facts_of(error: Exception) -> dict[str, Fact]:
    """Return an error of a step for a log, with its text only if it is leeward's own."""
    return {"error": type(error).__name__, **failure_facts(error)}


def ask_about(functions: StepFunctions, question: StepQuestion, sent: float | None) -> StepVerdict:
    """Ask a function what became of the calls of a step; it never raises."""
    try:
        return functions.settle(question, sent)
    except Exception as error:  # noqa: BLE001 - a driver's fault proves nothing
        log_event(LOGGER, "error", "step_not_settled", key=question.key, **_facts_of(error))
        return UNSETTLED


class RunResults:
    """The bytes of the results of a run's steps, up to the limit of every engine."""

    def __init__(self) -> None:
        self._bytes = 0

    def fit(self, answer: Answer | StepVerdict) -> Answer | StepVerdict:
        """Return an answer; a failure in its place if its result is too large for the run.

        Its bytes count from then on.
        """
        ended = answer.answer if isinstance(answer, StepVerdict) else answer
        if not isinstance(ended, Returned) or ended.value is None:
            return answer
        size = self._bytes + len(encode(ended.value))
        if size <= most("results"):
            self._bytes = size
            return answer
        if isinstance(answer, StepVerdict):
            return answer._replace(answer=StepFailure(TOO_LARGE, ambiguous=True, spent=True))
        return StepFailure(TOO_LARGE, ambiguous=True)


def failure_of(error: LeewardError) -> StepFailure:
    """Return the failure of a flow for an exception of the client."""
    if isinstance(error, FunctionError):
        if error.reason in _CUT_SHORT:
            return _unknown(_CUT_SHORT[error.reason], error)
        name = _name_of(FunctionFault(error.error_type, reason=error.reason))
        if name == UNKNOWN:
            return _unknown(UNKNOWN, error)
        doubt = _unknown(name, error)._replace(ambiguous=False, doubtful=True)
        return doubt if error.ran == "maybe" else StepFailure(name)
    if not isinstance(error, CallError):
        return StepFailure(REFUSED)  # configuration, capability, a closed client: nothing was sent
    if error.outcome is Outcome.AMBIGUOUS:
        return _unknown(TIMEOUT if error.reason == "timeout" else UNKNOWN, error)
    if error.reason == VOIDED:  # somebody has settled it; the function knows how often
        return _unknown(UNKNOWN, error)
    return StepFailure(_BY_OUTCOME[error.outcome])


def _name_of(fault: FunctionFault) -> str:
    """Return a flow's name of a function's error."""
    name = name_of_error((fault.type or "").rpartition(".")[2], fault.reason)
    if name in UNKNOWN_CLASSES:
        return UNKNOWN
    return name if name.isidentifier() else FAILED


def _unknown(name: str, error: CallError) -> StepFailure:
    """Return the failure of a call that may have run, and where."""
    targets = (attempt.target for attempt in error.attempts if attempt.outcome in _MAYBE)
    return StepFailure(name, ambiguous=True, targets=tuple(dict.fromkeys(targets)))


_MAYBE: Final = frozenset({Outcome.AMBIGUOUS, Outcome.APP_ERROR})
"""Outcomes of an attempt that may have run."""
