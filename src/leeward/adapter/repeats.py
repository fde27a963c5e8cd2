"""What leeward's handler answers instead of a result.

An idempotent function may know the key of a call: the outcome is AMBIGUOUS, and `reason` says what
is known of the earlier run; or REJECTED, where somebody has settled the key as not run. A host may
refuse a call before it looks for the function: it has no place, does not know the caller, or takes
no payload of this size. Any other failure is the function's own, unless there is no such function.
"""

from __future__ import annotations

from typing import Final

from leeward.adapter.classification import APP_ERROR, REJECTED, STALE, TOO_LARGE, Classification
from leeward.calls import Result
from leeward.envelope import (
    BUSY,
    HOST_REFUSAL,
    NO_FUNCTION,
    NO_TOKEN,
    NOT_KEPT,
    NOT_RECOGNISED,
    OTHER_RECORDS,
    PAYLOAD,
    VOIDED,
    fault_in,
    refusal_reason,
)
from leeward.errors import Outcome
from leeward.values import Json


def read_failure(
    failure: Json, dedup: str | None, retry_after: float | None, cause: BaseException | None = None
) -> Result[Json]:
    """Return the result of a call that leeward's handler says has failed, or was refused.

    It is proved that `failure` is leeward's, in the place of a value; `dedup` is what the handler
    says of repeated keys, `cause` what was raised where that was in this process.
    """
    refused = refused_repeat(failure, dedup, retry_after)
    if refused is not None:
        return refused._replace(cause=cause)
    fault = fault_in(failure)
    reason = None
    outcome = Outcome.APP_ERROR
    if fault.ran == "no" and fault.type == HOST_REFUSAL:
        outcome, reason = _BY_HOST.get(fault.reason or "", APP_ERROR)
    elif fault.ran == "no" and fault.reason == NO_FUNCTION:
        outcome = Outcome.NOT_FOUND
    return Result(
        outcome, reason=reason, retry_after=retry_after, fault=fault, dedup=dedup, cause=cause
    )


_BY_HOST: Final = {
    BUSY: REJECTED,
    NO_TOKEN: STALE,
    PAYLOAD: TOO_LARGE,
    OTHER_RECORDS: Classification(Outcome.UNUSABLE, OTHER_RECORDS),
}
"""What the reasons of a host mean that refuses a call."""


def refused_repeat(body: Json, dedup: str | None, retry_after: float | None) -> Result[Json] | None:
    """Return the result for the refusal of a repeat; None if a handler says something else.

    Arguments as of `read_failure`.
    """
    reason = refusal_reason(body, dedup)
    if reason is None:
        return None
    return Result(
        Outcome.REJECTED if reason == VOIDED else Outcome.AMBIGUOUS,
        reason=reason,
        retry_after=retry_after,
        executed=True if reason == NOT_KEPT else None,
        fault=fault_in(body),
        dedup=dedup,
    )


def worth_of(dedup: str | None) -> str:
    """Return what a key is worth by the value that leeward's handler gives.

    One that says nothing has no idempotent function, and what it has done it would do again. A
    failure that says nothing may have come before the function began.
    """
    return dedup or NOT_RECOGNISED
