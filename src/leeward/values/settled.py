"""What settling a call finds out."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING

from leeward.masking import mask_data
from leeward.records import NamedTuple

if TYPE_CHECKING:
    from leeward.values import FunctionFault, Json


class Verdict(Enum):
    """What became of a call, once it is settled."""

    RAN = "ran"
    """It has had its effect, or has failed in a way that its function declared."""
    NOT_RUN = "not_run"
    """It has not run, and will not, because a delivery that comes late is refused."""
    RUNNING = "running"
    """It still runs; ask again."""
    UNKNOWN = "unknown"
    """Nobody can tell; `Settled.reason` says why."""


class Settled(NamedTuple):
    """What `Client.settle` has found out about a call.

    Attributes:
        verdict: RAN, NOT_RUN, RUNNING or UNKNOWN.
        result: of a call that ran: what it returned. None where that was not kept, or it has none.
        reason: why it is UNKNOWN, or how it was settled: a stable word.
        kept: of a call that ran: `result` is what it returned.
        failure: of a call that ran, and failed as its function declared.
        retry_after: of a call that still runs: seconds after which to ask again.
        target: that has answered.
        voids: how often the key was settled as not run, for the next call with it.
        record: where the function has its record of the key: the table and the name of the record,
            as ``leeward keys show`` takes them. None if it does not say.
        detail: what the function says of `reason`, such as what differs between two versions.
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
