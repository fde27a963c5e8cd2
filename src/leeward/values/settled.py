"""What settling a call finds out."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING

from leeward.masking import mask_data
from leeward.records import NamedTuple

if TYPE_CHECKING:
    from leeward.values import FunctionFault, Json


class Verdict(Enum):
    """The result of settling a call."""

    RAN = "ran"
    """It has had its effect, or has failed in a way that its function declared."""
    NOT_RUN = "not_run"
    """It has not run, and never will, because a late delivery is refused."""
    RUNNING = "running"
    """It still runs; ask again."""
    UNKNOWN = "unknown"
    """It is not known; `Settled.reason` says why."""


class Settled(NamedTuple):
    """The result of `Client.settle`.

    Attributes:
        verdict: RAN, NOT_RUN, RUNNING or UNKNOWN.
        result: of a call that ran; None if it has none, or it was not kept.
        reason: why it is UNKNOWN, or how it was settled: a stable word.
        kept: for a call that ran: `result` is its result.
        failure: of a call that ran, and failed as its function declared.
        retry_after: for a call that still runs: seconds after which to ask again.
        target: that has answered.
        voids: how often the key was settled as not run, for the next call with it.
        record: the table and the name of the function's record, for ``leeward keys show``. None if
            the function does not say.
        detail: more about `reason`, such as the difference between two versions.
    """

    verdict: Verdict
    result: Json = None
    reason: str | None = None
    kept: bool = True
    failure: FunctionFault | None = None
    retry_after: float | None = None
    target: str | None = None
    voids: int = 0
    record: str | None = None
    detail: str | None = None

    def __repr__(self) -> str:
        return mask_data(self, "verdict reason kept retry_after target voids record detail")
