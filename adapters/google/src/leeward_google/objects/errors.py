"""What the errors of Cloud Storage mean: reason or status to outcome.

Its JSON API does not name a status word, as Google's other services do, but a reason:
``{"error": {"code": 412, "errors": [{"reason": "conditionNotMet"}]}}``. A download is refused with
a text, so there the status decides, if the answer bears the service's mark: the header with its id
of the request.

Source: "HTTP status and error codes for JSON" in the reference of Cloud Storage.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from leeward.adapter.classification import (
    AMBIGUOUS,
    AUTH,
    CALLER,
    CONFLICT,
    CONTENTION,
    NOT_FOUND,
    REJECTED,
    STALE,
    TOO_LARGE,
    Classification,
    by_code,
    by_code_or_status,
    code_in,
)
from leeward.adapter.exchange import error_in
from leeward.adapter.exchange import result_of_refusal as refused_by
from leeward.adapter.wire import Response
from leeward.calls import Result
from leeward.errors import Outcome
from leeward_google.errors import QUOTA, SUSPENDED

REQUEST_ID: Final = "x-guploader-uploadid"
"""The header with the service's id of a request."""

LOCKED: Final = "locked"
"""UNUSABLE: a hold, or a retention policy, keeps the object as it is."""
NO_OBJECT: Final = "notFound"
"""The code of a 404, be it of an object or of a bucket."""

REASONS: Final = by_code(
    {
        REJECTED: "rateLimitExceeded userRateLimitExceeded",
        CONTENTION: "conflict",
        CONFLICT: "conditionNotMet",
        NOT_FOUND: NO_OBJECT,
        STALE: "authError",
        AUTH: "forbidden insufficientPermissions",
        TOO_LARGE: "uploadTooLarge",
        Classification(Outcome.UNUSABLE, LOCKED): "objectUnderActiveHold retentionPolicyNotMet",
        Classification(Outcome.UNUSABLE, QUOTA): "dailyLimitExceeded quotaExceeded",
        Classification(Outcome.UNUSABLE, SUSPENDED): "accountDisabled",
        CALLER: """
            badRequest invalid invalidArgument invalidParameter parseError
            requestedRangeNotSatisfiable
            """,
        AMBIGUOUS: "backendError internalError",
    }
)

STATUSES: Final[Mapping[int, Classification]] = {
    400: CALLER,
    401: STALE,
    403: AUTH,
    404: NOT_FOUND,
    409: CONTENTION,
    412: CONFLICT,
    416: CALLER,
}
"""What a status means in an answer that bears the service's mark."""

_NO_BUCKET: Final = b"bucket does not exist"
"""How a missing bucket is told from a missing object: neither has a code of its own."""


def refusal(response: Response, now: float) -> Result[Any]:
    """Return the result of a refusal."""
    reason, marked = _reason_in(response), REQUEST_ID in response.headers
    meaning = by_code_or_status(reason, response.status, REASONS, STATUSES, marked=marked)
    return refused_by(response, now, meaning, reason, REQUEST_ID)


def is_absent(response: Response, result: Result[Any]) -> bool:
    """Return whether a refusal says that the object is not there, and that the bucket is."""
    return result.outcome is Outcome.NOT_FOUND and _NO_BUCKET not in response.body


def is_behind(response: Response, result: Result[Any]) -> bool:
    """Return whether a refusal says that a range lies behind the end of the object."""
    return response.status == 416 and result.outcome is Outcome.CALLER


def _reason_in(response: Response) -> str | None:
    error = error_in(response).get("error")
    errors = error.get("errors") if isinstance(error, dict) else None
    first = errors[0] if isinstance(errors, list) and errors else None
    return code_in(first.get("reason")) if isinstance(first, dict) else None
