"""The refusals of a call with an idempotency key.

In each case the handler did not run. The statuses follow
draft-ietf-httpapi-idempotency-key-header.
"""

from __future__ import annotations

from typing import Final

from leeward.app.idempotency.record import Failure, Reason
from leeward.app.problem import Problem


class KeyMissing(Problem):
    """The function needs an idempotency key, but the call has none; status 400. It did not run.

    Attributes:
        field: where the key was looked for.
    """

    def __init__(self, message: str, *, field: str) -> None:
        super().__init__(message, status=400, reason="key_missing")
        self.field = field


class PrincipalMissing(Problem):
    """The function keeps each caller's keys apart, but the caller is not known; status 401.

    It did not run.
    """

    def __init__(self, message: str) -> None:
        super().__init__(message, status=401, reason="principal_missing")


class KeyReused(Problem):
    """The key belongs to a call with another payload; status 422. This one did not run."""

    def __init__(self, message: str) -> None:
        super().__init__(message, status=422, reason="key_reused")


class RepeatRefused(Problem):
    """The key is known; the call did not run again, and there is no result; status 409.

    Attributes:
        reason: ``running``, ``unknown`` or ``not_kept``.
        retry_after: seconds after which another call may help; None if it does not help.
        ran: whether the earlier call had its effect: ``maybe`` or ``yes``.
    """

    def __init__(self, message: str, reason: Reason, retry_after: float | None = None) -> None:
        super().__init__(
            message,
            status=409,
            reason=reason.value,
            retryable=reason is Reason.RUNNING,
            retry_after=retry_after,
        )
        self.ran = "yes" if reason is Reason.NOT_KEPT else "maybe"


class LeaseLost(Problem):
    """Another run has taken over this key, so this run may begin no further effect; status 409."""

    ran = "maybe"

    def __init__(self, message: str) -> None:
        super().__init__(message, status=409, reason="lease_lost")


class EarlierFailure(Problem):
    """The first run with this key failed, and repeats get the same failure; status 500.

    Attributes:
        error_type: class name of its exception.
    """

    def __init__(self, message: str, *, error_type: str) -> None:
        super().__init__(message, status=500, reason="earlier_failure", retryable=False)
        self.error_type = error_type


_REFUSALS: Final = {
    Reason.RUNNING: "is still running; ask again later",
    Reason.UNKNOWN: (
        "may have had its effect, and nothing proves whether it had. Find out, then settle its "
        "record: leeward keys settle {table} {ref}"
    ),
    Reason.NOT_KEPT: (
        "has completed, and its result was not kept; it did not run again. Its record: "
        "{table} {ref}"
    ),
}


def refusal(
    function: str, reason: Reason, retry_after: float | None, table: str, ref: str
) -> Problem:
    """Return the refusal of a call; it does not contain the key itself.

    Args:
        function: the name of its records.
        reason: why.
        retry_after: seconds, or None.
        table: where the record of its key is.
        ref: names that record, and not its key.
    """
    if reason is Reason.MISMATCH:
        return KeyReused(
            f"the idempotency key of this call to {function!r} belongs to another payload. It did "
            "not run; send the same payload, or another key"
        )
    return RepeatRefused(
        f"an earlier call of {function!r} with this idempotency key "
        f"{_REFUSALS[reason].format(table=table, ref=ref)}",
        reason,
        retry_after,
    )


def earlier_failure(function: str, failure: Failure) -> EarlierFailure:
    """Return the failure of an earlier run again."""
    return EarlierFailure(
        f"an earlier call of {function!r} with this idempotency key has failed with "
        f"{failure.type}. It did not run again",
        error_type=failure.type,
    )
