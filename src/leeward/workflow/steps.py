"""One step as one call of the client: what its exceptions mean for a flow."""

from __future__ import annotations

from typing import Final, Protocol

from leeward.envelope import name_of_error
from leeward.errors import CallError, FunctionError, LeewardError, Outcome
from leeward.logs import log_event
from leeward.values import Effect, InvokeResult, Json
from leeward.workflow.commands import Answer, Returned, StepCall, StepFailure
from leeward.workflow.model import FAILED, NOT_SENT, REFUSED, THROTTLED, TIMEOUT, UNKNOWN

LOGGER = "leeward.workflow"


class Invoker(Protocol):
    """`Client.invoke`."""

    def __call__(
        self,
        function: str,
        payload: Json = None,
        *,
        effect: Effect,
        idempotency_key: str,
        timeout: float,
    ) -> InvokeResult:
        """Call a function and wait for its answer."""


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
"""Of calls that are proved not to have run."""

_CUT_SHORT: Final = {
    "timed_out": TIMEOUT,
    "crashed": UNKNOWN,
    "response_too_large": UNKNOWN,
    "not_json": UNKNOWN,
}
"""Reasons for which a function has run, in part or whole, and did not say itself that it failed."""

UNKNOWN_CLASSES: Final = ("OutcomeUnknown", "PoisonSuspected")
"""Of leeward's own: a function that raises one says that it does not know what it did."""


def make_call(invoke: Invoker, call: StepCall) -> Answer:
    """Make a call, and return how it ended."""
    try:
        result = invoke(
            call.function,
            call.payload,
            effect=call.effect,
            idempotency_key=call.key,
            timeout=float(call.timeout),
        )
    except LeewardError as error:
        failure = failure_of(error)
        if failure.name == REFUSED:
            log_event(LOGGER, "error", "step_refused", key=call.key, error=type(error).__name__)
        return failure
    except Exception as error:  # noqa: BLE001 - a driver's fault proves nothing
        log_event(LOGGER, "error", "step_unknown", key=call.key, error=type(error).__name__)
        return StepFailure(UNKNOWN, ambiguous=True)
    return Returned(result.value)


def failure_of(error: LeewardError) -> StepFailure:
    """Return what an exception of the client means for a flow."""
    if isinstance(error, FunctionError):
        if error.reason in _CUT_SHORT:
            return StepFailure(_CUT_SHORT[error.reason], ambiguous=True)
        name = name_of_error((error.error_type or "").rpartition(".")[2], error.reason)
        if name in UNKNOWN_CLASSES:
            return StepFailure(UNKNOWN, ambiguous=True)
        return StepFailure(name if name.isidentifier() else FAILED)
    if not isinstance(error, CallError):
        return StepFailure(
            REFUSED
        )  # configuration, capability or a closed client: nothing was sent
    if error.outcome is Outcome.AMBIGUOUS:
        return StepFailure(TIMEOUT if error.reason == "timeout" else UNKNOWN, ambiguous=True)
    return StepFailure(_BY_OUTCOME[error.outcome])
