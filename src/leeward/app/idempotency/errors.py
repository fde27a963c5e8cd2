"""What a call with an idempotency key may be told instead of a result.

None of them has run the handler. `status` is what a function over HTTP answers with
(draft-ietf-httpapi-idempotency-key-header).
"""

from __future__ import annotations

from typing import Final

from leeward.app.idempotency.record import Failure, Reason
from leeward.errors import LeewardError


class KeyMissing(LeewardError):
    """The call has no idempotency key where the function demands one. It did not run.

    Attributes:
        field: where the key was looked for.
    """

    status: Final = 400

    def __init__(self, message: str, *, field: str) -> None:
        super().__init__(message)
        self.field = field


class KeyReused(LeewardError):
    """The key belongs to a call with another payload. This one did not run."""

    status: Final = 422


class RepeatRefused(LeewardError):
    """The key is known, and the call neither ran again nor has a result to get.

    Attributes:
        reason: ``running``, ``unknown`` or ``not_kept``.
        retry_after: seconds after which asking again may help; None where it does not.
    """

    status: Final = 409

    def __init__(self, message: str, *, reason: str, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.reason = reason
        self.retry_after = retry_after


class LeaseLost(LeewardError):
    """Another run has taken this key over, so this one may begin no further effect."""

    status: Final = 409


class EarlierFailure(LeewardError):
    """The run that had this key failed, and repeats get the same failure.

    Attributes:
        error_type: class name of what it raised.
    """

    status: Final = 500

    def __init__(self, message: str, *, error_type: str) -> None:
        super().__init__(message)
        self.error_type = error_type


_REFUSALS: Final = {
    Reason.RUNNING: "is still running; ask again later",
    Reason.UNKNOWN: (
        "may have had its effect, and nothing proves whether it had. Find out, then delete its "
        "record to let it run again"
    ),
    Reason.NOT_KEPT: "has completed, and its result was too large to be kept; it did not run again",
}


def refusal(function: str, reason: Reason, retry_after: float | None) -> LeewardError:
    """Return what a call is told that was refused; the key itself stays out of it."""
    if reason is Reason.MISMATCH:
        return KeyReused(
            f"the idempotency key of this call to {function!r} belongs to another payload. It did "
            "not run; send the same payload, or a key of its own"
        )
    return RepeatRefused(
        f"an earlier call of {function!r} with this idempotency key {_REFUSALS[reason]}",
        reason=reason.value,
        retry_after=retry_after,
    )


def earlier_failure(function: str, failure: Failure) -> EarlierFailure:
    """Return a failure of an earlier run, told again."""
    return EarlierFailure(
        f"an earlier call of {function!r} with this idempotency key has failed with "
        f"{failure.type}. It did not run again",
        error_type=failure.type,
    )
