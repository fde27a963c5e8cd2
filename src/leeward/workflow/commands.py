"""What a run wants done, and how that ended: what the kernel and whatever drives it share."""

from __future__ import annotations

from typing import Literal, TypeAlias

from leeward.masking import mask
from leeward.records import NamedTuple
from leeward.values import Effect, Json
from leeward.workflow.model import CANCELLED, DEADLINE


class StepCall(NamedTuple):
    """Call a function. The answer is a `Returned` or a `Failure`.

    Attributes:
        path: of the step in this run: its id, and the numbers of the elements around it.
        attempt: 1 for the first.
        function: its logical name.
        payload: JSON.
        key: the idempotency key; the same for every attempt.
        effect: what repeating it would do.
        timeout: seconds.
        guarded: it is not to be made if the run is cancelled, or its time is over: the answer is
            that `Failure`.
        attempts: how often it may be made at most, whoever counts.
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
    kind: Literal["call"] = "call"

    def __repr__(self) -> str:
        return mask(self, "path attempt function key effect timeout guarded kind")


class Sleep(NamedTuple):
    """Wait. The answer is a `Returned`; or a `Failure` as for a guarded call."""

    path: str
    attempt: int
    seconds: float
    guarded: bool
    kind: Literal["sleep"] = "sleep"


Command: TypeAlias = StepCall | Sleep


class Returned(NamedTuple):
    """It ended well."""

    value: Json = None

    def __repr__(self) -> str:
        return mask(self)


class StepFailure(NamedTuple):
    """It ended with an error.

    Attributes:
        name: see `leeward.workflow.model`.
        ambiguous: the function may have run.
        steps: paths of the steps that could not be taken back.
        final: handlers see it, and do not end it.
        spent: the step is not to be tried again, whatever its retry says.
    """

    name: str
    ambiguous: bool = False
    steps: tuple[str, ...] = ()
    final: bool = False
    spent: bool = False


Answer: TypeAlias = Returned | StepFailure


def refusal_at(now: float, deadline: float | None, cancelled: float | None) -> StepFailure | None:
    """Return why nothing guarded may begin at `now`; None if it may."""
    if cancelled is not None and cancelled <= now:
        return StepFailure(CANCELLED, final=True)
    return StepFailure(DEADLINE, final=True) if deadline is not None and deadline <= now else None
