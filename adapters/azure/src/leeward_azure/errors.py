"""What the errors of Cosmos DB, Event Grid and Queue storage mean: status and code to outcome.

Three rules decide, in this order:

1. **A code** that the service's table knows.
2. **The table of statuses**, 413 (too large) and 429 (throttled), if the answer bears the service's
   mark: its id of the request. Without one it may be any proxy's.
3. **AMBIGUOUS**, for everything else, a redirect too.

Sources: "HTTP status codes" in Cosmos DB's REST reference; its pages "Troubleshoot forbidden
exceptions" and "Troubleshoot not found exceptions"; `SubStatusCodes` in azure-cosmos; "Post to
custom topic" and the errors of "Publish cloud events" in Event Grid's reference; "Common REST
API error codes" and "Queue Storage error codes" in the reference of Azure Storage, and
`StorageErrorCode` in azure-storage-queue.
"""

from __future__ import annotations

import re
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
    by_status,
    code_in,
)
from leeward.adapter.service import error_in
from leeward.adapter.wire import Response
from leeward.errors import Outcome
from leeward.records import NamedTuple
from leeward.values import NOTHING

ABSENT: Final = "absent_item"
"""NOT_FOUND: the table is there, or was not looked at, and the item is not. No verb ends so."""
LAGGING: Final = "session_lagging"
"""REJECTED: no replica that was asked had come as far as this client's last write."""
PARTITION_FULL: Final = "partition_full"
"""UNUSABLE: all items of one partition key have reached 20 GB."""
QUOTA: Final = "quota_exhausted"
"""UNUSABLE: the account or the database has no throughput or storage left to give."""
ACCOUNT_GONE: Final = "account_not_in_region"
"""UNUSABLE: the region that was asked does not know the account, or no longer."""
MOVING: Final = "partition_moving"
"""REJECTED: the partition is being split, merged or moved."""
PARTITION_KEY: Final = "partition_key_mismatch"
"""CALLER: the container's partition key path is not the one that the table's key asks for."""
REGION_MOVED: Final = "write_region_moved"
"""REJECTED: the region that was asked takes no writes any more. The account's name leads to
another one by now, or soon; connections that are kept lead to the old one, and are given up."""


LOCKED: Final = "locked"
"""UNUSABLE: the blob is leased, archived, or protected by a policy."""

DISABLED: Final = "disabled"
"""UNUSABLE: the account or the queue is there, and somebody has switched it off."""

_MOVING: Final = Classification(Outcome.REJECTED, MOVING)
_QUOTA: Final = Classification(Outcome.UNUSABLE, QUOTA)

COSMOS: Final[Mapping[tuple[int, int], Classification]] = {
    (400, 0): CALLER,
    (400, 1001): Classification(Outcome.CALLER, PARTITION_KEY),
    (401, 0): STALE,
    (403, 0): AUTH,
    (403, 3): Classification(Outcome.REJECTED, REGION_MOVED),
    (403, 1005): _QUOTA,
    (403, 1008): Classification(Outcome.UNUSABLE, ACCOUNT_GONE),
    (403, 1010): _QUOTA,
    (403, 1014): Classification(Outcome.UNUSABLE, PARTITION_FULL),
    (403, 5300): AUTH,
    (404, 0): Classification(Outcome.NOT_FOUND, ABSENT),
    (404, 1002): Classification(Outcome.REJECTED, LAGGING),
    (404, 1003): NOT_FOUND,
    (404, 1013): REJECTED,
    (409, 0): CONFLICT,
    (409, 1006): CONTENTION,
    (410, 1000): _MOVING,
    (410, 1002): _MOVING,
    (410, 1007): _MOVING,
    (410, 1008): _MOVING,
    (412, 0): CONFLICT,
    (449, 0): CONTENTION,
}
"""Status and sub-status, 0 for none. Of 400, 401, 412 and 449, a sub-status without a row of its
own tells no more than the status; of the others it is not known what it tells."""

_WHATEVER_SUB_STATUS: Final = frozenset({400, 401, 412, 449})

EVENTS: Final[Mapping[int, Classification]] = {400: CALLER, 401: STALE, 403: AUTH, 404: NOT_FOUND}
"""A batch is taken or refused as a whole."""

QUEUE: Final = by_code(
    {
        REJECTED: "AccountBeingCreated ServerBusy",
        AMBIGUOUS: "InternalError OperationTimedOut",
        Classification(Outcome.UNUSABLE, DISABLED): "AccountIsDisabled QueueDisabled",
        STALE: """
            AuthenticationFailed InvalidAuthenticationInfo NoAuthenticationInformation
            """,
        AUTH: """
            AuthorizationFailure AuthorizationPermissionMismatch AuthorizationProtocolMismatch
            AuthorizationResourceTypeMismatch AuthorizationServiceMismatch
            AuthorizationSourceIPMismatch FeatureVersionMismatch InsufficientAccountPermissions
            KeyBasedAuthenticationNotPermitted
            """,
        NOT_FOUND: "QueueBeingDeleted QueueNotFound ResourceNotFound",
        TOO_LARGE: "MessageTooLarge RequestBodyTooLarge",
        CALLER: """
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

_DAMAGED_ON_ITS_WAY: Final = "Md5Mismatch"

BLOB: Final = {
    **{code: meaning for code, meaning in QUEUE.items() if code != _DAMAGED_ON_ITS_WAY},
    **by_code(
        {
            REJECTED: _DAMAGED_ON_ITS_WAY,
            CONFLICT: "BlobAlreadyExists ConditionNotMet TargetConditionNotMet",
            NOT_FOUND: "BlobNotFound ContainerBeingDeleted ContainerNotFound",
            Classification(Outcome.UNUSABLE, DISABLED): "ContainerDisabled",
            Classification(Outcome.UNUSABLE, LOCKED): """
                BlobArchived BlobBeingRehydrated BlobImmutableDueToPolicy LeaseIdMissing
                """,
            CALLER: "InvalidBlobType InvalidMetadata InvalidRange UnsupportedBlobType",
        }
    ),
}
"""Of Blob storage, beside what all of Azure Storage says."""

QUEUE_STATUSES: Final[Mapping[int, Classification]] = {401: STALE, 403: AUTH, 404: NOT_FOUND}
"""What a status means in an answer of the service that names no code."""

SERVICE_BUS: Final[Mapping[int, Classification]] = {
    400: CALLER,
    401: STALE,
    403: _QUOTA,
    404: NOT_FOUND,
    410: NOT_FOUND,
}
"""Of 403 the reference says that a quota is used up, or the message too large; of 404 and 410 that
the lock, or the queue, is not there."""

_WRONG_TIME: Final = "not valid at the current time"
"""How Cosmos says, with a 403, that a token has expired or that a signature's date is off."""


class Judged(NamedTuple):
    """What an error answer means.

    Attributes:
        meaning: how the attempt ended.
        code: the service's code for it; else the status, such as ``http.503``.
    """

    meaning: Classification
    code: str


def judge_cosmos(response: Response) -> Judged:
    """Return what an answer of Cosmos DB means, other than 2xx.

    Its code is ``404/1002``, status and sub-status, or the word that the body has for it.
    """
    text = response.headers.get("x-ms-substatus", "")
    status, sub = response.status, (int(text) if re.fullmatch(r"[0-9]{1,9}", text) else 0)
    word = error_code(response)
    is_marked = "x-ms-activity-id" in response.headers or text != ""
    meaning = by_status(status, marked=is_marked)
    if meaning is AMBIGUOUS and is_marked:
        default = COSMOS[status, 0] if status in _WHATEVER_SUB_STATUS else AMBIGUOUS
        meaning = COSMOS.get((status, sub), default)
    if meaning is AUTH and sub == 0 and _WRONG_TIME in error_message(response):
        meaning = STALE
    return Judged(meaning, f"{status}/{sub}" if sub else word or f"http.{status}")


def judge_events(response: Response) -> Judged:
    """Return what an answer of Event Grid means, other than 2xx."""
    status, word = response.status, error_code(response)
    marked = "x-ms-request-id" in response.headers
    meaning = by_code_or_status(word, status, NOTHING, EVENTS, marked=marked)
    return Judged(meaning, word or f"http.{status}")


def judge_queue(response: Response) -> Judged:
    """Return what an answer of Queue storage means, other than 2xx."""
    return _judge_storage(QUEUE, response)


def judge_blob(response: Response) -> Judged:
    """Return what an answer of Blob storage means, other than 2xx."""
    return _judge_storage(BLOB, response)


def judge_service_bus(response: Response) -> Judged:
    """Return what an answer of Service Bus means, other than 2xx; its own are XML."""
    status, marked = response.status, response.body.lstrip().startswith(b"<Error>")
    meaning = by_code_or_status(None, status, NOTHING, SERVICE_BUS, marked=marked)
    return Judged(meaning, f"http.{status}")


def _judge_storage(table: Mapping[str, Classification], response: Response) -> Judged:
    code = code_in(response.headers.get("x-ms-error-code"))
    marked = "x-ms-request-id" in response.headers
    meaning = by_code_or_status(code, response.status, table, QUEUE_STATUSES, marked=marked)
    return Judged(meaning, code or f"http.{response.status}")


def error_code(response: Response) -> str | None:
    """Return the name of the error in the body; None if there is none, or it is not a name.

    It stands there as ``code``, or in an object ``error``.
    """
    code = _read_error(response).get("code")
    if not isinstance(code, str):
        return None
    return code if re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}", code) else None


def error_message(response: Response) -> str:
    """Return what the service said, or nothing.

    It may repeat values of the request, so it is for judging, not for people.
    """
    message = _read_error(response).get("message")
    return message if isinstance(message, str) else ""


def _read_error(response: Response) -> dict[str, Any]:
    document = error_in(response)
    inner = document.get("error")
    return inner if isinstance(inner, dict) else document
