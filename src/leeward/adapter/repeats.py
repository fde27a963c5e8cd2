"""What an idempotent function answers to a key that it knows, where that is not a result.

The call may have had its effect, by an earlier run: so its outcome is AMBIGUOUS, and `reason` says
what is known of that run: ``running``, ``unknown`` or ``not_kept``. The router waits for a run that
is under way, and counts none of them against the target.
"""

from __future__ import annotations

from leeward.calls import Result
from leeward.envelope import NOT_KEPT, NOT_RECOGNISED, fault_in, why_refused
from leeward.errors import Outcome
from leeward.values import Json


def refused_repeat(told: Json, dedup: str | None, retry_after: float | None) -> Result[Json] | None:
    """Return the result for the refusal of a repeat; None if a handler says something else.

    Args:
        told: what the handler answers instead of a value. That it is leeward's is proved.
        dedup: what it says of repeated keys.
        retry_after: seconds after which to ask again.
    """
    reason = why_refused(told, dedup)
    if reason is None:
        return None
    return Result(
        Outcome.AMBIGUOUS,
        reason=reason,
        retry_after=retry_after,
        executed=True if reason == NOT_KEPT else None,
        fault=fault_in(told),
        dedup=dedup,
    )


def worth_of(dedup: str | None) -> str:
    """Return what a key is worth by the value that leeward's handler gives.

    One that says nothing has no idempotent function, and what it has done it would do again. A
    failure that says nothing may have come before the function began.
    """
    return dedup or NOT_RECOGNISED
