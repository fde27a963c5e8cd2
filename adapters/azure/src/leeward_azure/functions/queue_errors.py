"""What the errors of Queue storage mean: error code to outcome, for putting a message.

Three rules decide, in this order:

1. **The code** of the header `x-ms-error-code`, by the table.
2. **The status, where it alone is proof**: 413 (too large) and 429 (throttled) are given before
   anything is stored; a redirect is never followed. A 401, 403 or 404 counts only with the
   service's id of the request, for without it the answer may be any proxy's.
3. **AMBIGUOUS**, for everything else.

Sources: "Common REST API error codes" and "Queue Storage error codes" in the reference of Azure
Storage; `StorageErrorCode` in azure-storage-queue.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from leeward.adapter import TOO_LARGE
from leeward.adapter.classification import REDIRECTED, Classification
from leeward.adapter.plans import STALE_CREDENTIALS
from leeward.errors import Outcome
from leeward.http.messages import Response
from leeward_azure.errors import Judged

DISABLED: Final = "disabled"
"""UNUSABLE: the account or the queue is there, and somebody has switched it off."""

_AMBIGUOUS: Final = Classification(Outcome.AMBIGUOUS)
_REJECTED: Final = Classification(Outcome.REJECTED)
_AUTH: Final = Classification(Outcome.AUTH)
_NOT_FOUND: Final = Classification(Outcome.NOT_FOUND)
_TOO_LARGE: Final = Classification(Outcome.CALLER, TOO_LARGE)


def _table(rows: Mapping[Classification, str]) -> dict[str, Classification]:
    return {code: meaning for meaning, codes in rows.items() for code in codes.split()}


QUEUE: Final = _table(
    {
        _REJECTED: "AccountBeingCreated ServerBusy",
        _AMBIGUOUS: "InternalError OperationTimedOut",
        Classification(Outcome.UNUSABLE, DISABLED): "AccountIsDisabled QueueDisabled",
        Classification(Outcome.AUTH, STALE_CREDENTIALS): """
            AuthenticationFailed InvalidAuthenticationInfo NoAuthenticationInformation
            """,
        _AUTH: """
            AuthorizationFailure AuthorizationPermissionMismatch AuthorizationProtocolMismatch
            AuthorizationResourceTypeMismatch AuthorizationServiceMismatch
            AuthorizationSourceIPMismatch FeatureVersionMismatch InsufficientAccountPermissions
            KeyBasedAuthenticationNotPermitted
            """,
        _NOT_FOUND: "QueueBeingDeleted QueueNotFound ResourceNotFound",
        _TOO_LARGE: "MessageTooLarge RequestBodyTooLarge",
        Classification(Outcome.CALLER): """
            ConditionHeadersNotSupported InvalidHeaderValue InvalidHttpVerb InvalidInput
            InvalidMarker InvalidMd5 InvalidQueryParameterValue InvalidResourceName InvalidUri
            InvalidXmlDocument InvalidXmlNodeValue Md5Mismatch MissingContentLengthHeader
            MissingRequiredHeader MissingRequiredQueryParameter MissingRequiredXmlNode
            MultipleConditionHeadersNotSupported OutOfRangeInput OutOfRangeQueryParameterValue
            RequestUrlFailedToParse ResourceTypeMismatch UnsupportedHeader UnsupportedHttpVerb
            UnsupportedQueryParameter UnsupportedXmlNode
            """,
    }
)

_BY_STATUS: Final = {413: _TOO_LARGE, 429: _REJECTED}
_KNOWN_BY_STATUS: Final = {401: QUEUE["AuthenticationFailed"], 403: _AUTH, 404: _NOT_FOUND}


def judge_queue(response: Response) -> Judged:
    """Return what an answer of Queue storage means, other than 2xx."""
    status, code = response.status, error_code(response)
    known = code is not None or "x-ms-request-id" in response.headers
    meaning = QUEUE.get(code or "") or _by_status(status, known=known)
    return Judged(meaning, code or f"http.{status}")


def error_code(response: Response) -> str | None:
    """Return the service's own code; None if there is none, or it is no name."""
    text = response.headers.get("x-ms-error-code", "")
    return text if re.fullmatch(r"[A-Za-z][A-Za-z0-9]{0,99}", text) else None


def _by_status(status: int, *, known: bool) -> Classification:
    if 300 <= status < 400:
        return Classification(Outcome.CALLER, REDIRECTED)
    return _BY_STATUS.get(status) or (known and _KNOWN_BY_STATUS.get(status)) or _AMBIGUOUS
