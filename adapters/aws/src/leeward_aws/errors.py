"""What AWS's errors mean: error code to outcome, for the operations used here.

Three rules decide, in this order:

1. **The code.** The service's own table first, then that of all services. A status tells little:
   Lambda answers 502 for a key it may not use and 403 for a file system it cannot mount.
2. **The status, where it is proof**: with the service's own id of the request, 413 (too large) and
   429 (throttled) are given before anything runs.
3. **AMBIGUOUS**, also for a 4xx or a redirect. A 4xx blames the sender but proves nothing:
   `EFSIOException` is a 410 out of a running function, `TransactionInProgressException` a 400 for
   work under way. A 403 without a known code may be that of any proxy.

Sources: the errors that botocore's service models name for these operations, the common errors
of the API references, and the entry codes in the reference of PutEvents.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

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
    by_status,
    code_in,
)
from leeward.adapter.service import error_in
from leeward.adapter.wire import Response
from leeward.errors import Outcome
from leeward_aws.settings.endpoints import ServiceName

MISCONFIGURED: Final = "misconfigured"
"""NOT_FOUND: the function is there and cannot run as it was deployed."""
RECURSION: Final = "recursion"
"""CALLER: Lambda has stopped a loop of functions that call each other."""
COLLECTION_FULL: Final = "collection_full"
"""UNUSABLE: all items of one partition key, with their local indexes, have reached 10 GB."""
ARCHIVED: Final = "archived"
"""UNUSABLE: the object is in an archive, and has to be restored before it can be read."""
NOT_SUBSCRIBED: Final = "not_subscribed"
"""UNUSABLE: the account has not signed up for the service, or not opted in to the region."""


_MISCONFIGURED: Final = Classification(Outcome.NOT_FOUND, MISCONFIGURED)


COMMON: Final = by_code(
    {
        REJECTED: """
            RequestLimitExceeded RequestThrottled RequestThrottledException ThrottledException
            Throttling ThrottlingException TooManyRequestsException
            """,
        AUTH: "AccessDenied AccessDeniedException NotAuthorized",
        STALE: """
            ExpiredToken ExpiredTokenException IncompleteSignature IncompleteSignatureException
            InvalidClientTokenId InvalidSignatureException MissingAuthenticationToken
            MissingAuthenticationTokenException RequestExpired RequestInTheFuture
            RequestTimeTooSkewed SignatureDoesNotMatch UnrecognizedClientException
            """,
        Classification(
            Outcome.UNUSABLE, NOT_SUBSCRIBED
        ): "OptInRequired SubscriptionRequiredException",
        CALLER: """
            MalformedHttpRequestException SerializationException UnknownOperationException
            ValidationError ValidationException
            """,
        TOO_LARGE: "RequestEntityTooLarge RequestEntityTooLargeException",
        AMBIGUOUS: """
            InternalError InternalFailure RequestAbortedException RequestTimeout
            RequestTimeoutException ServiceUnavailable ServiceUnavailableException
            """,
    }
)
"""What any service may say."""

LAMBDA: Final = by_code(
    {
        REJECTED: """
            CodeArtifactUserPendingException EC2ThrottledException EC2UnexpectedException
            EFSMountConnectivityException EFSMountTimeoutException ENILimitReachedException
            ENINotReadyException ResourceConflictException ResourceNotReadyException
            S3FilesMountConnectivityException S3FilesMountTimeoutException
            SnapStartNotReadyException SnapStartTimeoutException
            SubnetIPAddressLimitReachedException TooManyRequestsException
            """,
        _MISCONFIGURED: """
            CodeArtifactUserDeletedException CodeArtifactUserFailedException
            EC2AccessDeniedException EFSMountFailureException InvalidRuntimeException
            InvalidSecurityGroupIDException InvalidSubnetIDException InvalidZipFileException
            KMSAccessDeniedException KMSDisabledException KMSInvalidStateException
            KMSNotFoundException ModeNotSupportedException NoPublishedVersionException
            RuntimeAliasDeletedException RuntimeVersionDeletedException
            S3FilesMountFailureException SnapStartException SnapStartRegenerationFailureException
            """,
        NOT_FOUND: "ResourceNotFoundException",
        CALLER: """
            InvalidParameterValueException InvalidRequestContentException
            UnsupportedMediaTypeException
            """,
        TOO_LARGE: "RequestTooLargeException SerializedRequestEntityTooLargeException",
        Classification(Outcome.CALLER, RECURSION): "RecursiveInvocationException",
        Classification(Outcome.UNUSABLE): "ServiceQuotaExceededException",
        CONFLICT: "DurableExecutionAlreadyStartedException",
        AMBIGUOUS: "EFSIOException ServiceException",
    }
)
"""`Invoke`. EFSIOException comes out of a running function; ServiceException tells nothing."""

EVENTS: Final = by_code({NOT_FOUND: "ResourceNotFoundException", AMBIGUOUS: "InternalException"})
"""`PutEvents` as a whole, and `DescribeEventBus`. An absent bus is one of the latter only."""

ENTRIES: Final = by_code(
    {
        REJECTED: "InternalException InternalFailure ThrottlingException",
        AUTH: """
            AccessDeniedException NotAuthorizedForDetailTypeException
            NotAuthorizedForSourceException
            """,
        CALLER: """
            InvalidAccountIdException InvalidArgument MalformedDetail RedactionFailure
            """,
    }
)
"""One entry of an answered `PutEvents`: an entry with a code was not published."""

DYNAMODB: Final = by_code(
    {
        REJECTED: """
            LimitExceededException ProvisionedThroughputExceededException
            TableInUseException
            """,
        CONTENTION: "ReplicatedWriteConflictException TransactionConflictException",
        CONFLICT: "ConditionalCheckFailedException",
        NOT_FOUND: """
            ResourceNotFoundException TableNotFoundException
            """,
        CALLER: "IdempotentParameterMismatchException",
        Classification(
            Outcome.UNUSABLE, COLLECTION_FULL
        ): "ItemCollectionSizeLimitExceededException",
        AMBIGUOUS: """
            InternalServerError TransactionCanceledException TransactionInProgressException
            """,
    }
)
"""`PutItem`, `GetItem`, `DeleteItem`, `Scan`, `Query`, `DescribeTable`. Of transactions, only
what holds without a look at their reasons: they are not used."""

SQS: Final = by_code(
    {
        REJECTED: "KmsThrottled OverLimit",
        AUTH: "KmsAccessDenied",
        NOT_FOUND: "AWS.SimpleQueueService.NonExistentQueue QueueDoesNotExist",
        CALLER: """
            InvalidAddress InvalidAttributeName InvalidAttributeValue InvalidMessageContents
            InvalidSecurity MessageNotInflight ReceiptHandleIsInvalid UnsupportedOperation
            """,
        Classification(Outcome.UNUSABLE): """
            KmsDisabled KmsInvalidKeyUsage KmsInvalidState KmsNotFound KmsOptInRequired
            """,
    }
)
"""What is asked of a queue itself, for dead letters."""
S3: Final = by_code(
    {
        REJECTED: "BadDigest SlowDown XAmzContentChecksumMismatch XAmzContentSHA256Mismatch",
        CONTENTION: "ConditionalRequestConflict OperationAborted",
        CONFLICT: "PreconditionFailed",
        NOT_FOUND: """
            AuthorizationHeaderMalformed NoSuchBucket NoSuchKey PermanentRedirect
            TemporaryRedirect
            """,
        STALE: "InvalidAccessKeyId InvalidToken",
        AUTH: "AccountProblem AllAccessDisabled InvalidSecurity",
        Classification(Outcome.UNUSABLE, ARCHIVED): "InvalidObjectState",
        CALLER: """
            IllegalLocationConstraintException InvalidArgument InvalidBucketName InvalidDigest
            InvalidRange InvalidRequest InvalidURI KeyTooLongError MetadataTooLarge
            MethodNotAllowed
            """,
        TOO_LARGE: "EntityTooLarge",
    }
)
"""`PutObject`, `GetObject`, `ListObjectsV2` and `DeleteObject`. A wrong digest means that the body
was damaged on its way; a redirect, or a header for another region, that the bucket is elsewhere."""

STATES: Final = by_code(
    {
        REJECTED: "ExecutionLimitExceeded KmsThrottlingException",
        _MISCONFIGURED: "KmsAccessDeniedException KmsInvalidStateException",
        NOT_FOUND: "ExecutionDoesNotExist StateMachineDeleting StateMachineDoesNotExist",
        CONFLICT: "ExecutionAlreadyExists",
        CALLER: "InvalidArn InvalidExecutionInput InvalidName InvalidToken",
    }
)
"""Of `StartExecution`, `DescribeExecution`, `StopExecution` and `ListStateMachines`."""

SCHEDULER: Final = by_code({NOT_FOUND: "ResourceNotFoundException"})
"""Of `GetSchedule`."""

LOGS: Final = by_code({NOT_FOUND: "ResourceNotFoundException", CALLER: "InvalidParameterException"})
"""Of `FilterLogEvents`."""

SERVICES: Final[Mapping[ServiceName, Mapping[str, Classification]]] = {
    "lambda": LAMBDA,
    "events": EVENTS,
    "dynamodb": DYNAMODB,
    "sqs": SQS,
    "s3": S3,
    "states": STATES,
    "scheduler": SCHEDULER,
    "logs": LOGS,
    "sts": {},
}

MAY_BE_SKEW: Final = frozenset(
    """
    InvalidSignatureException RequestExpired RequestInTheFuture RequestTimeTooSkewed
    SignatureDoesNotMatch
    """.split()
)
"""Codes behind which a wrong clock may stand: compare the answer's `Date` before blaming a key."""

_TOO_LARGE_TEXTS: Final = ("has exceeded the maximum", "is over the limit")
"""How DynamoDB (item, key) and EventBridge (request) say it: neither has a code for it."""


def outcome_of(
    service: ServiceName, status: int, code: str | None, message: str = "", *, marked: bool
) -> Classification:
    """Return what an error answer means.

    Args:
        service: who answered.
        status: of HTTP, other than 2xx.
        code: as `error_code` gives it.
        message: as `error_message` gives it; only by it can some answers be told apart.
        marked: whether the answer has the service's id of the request.
    """
    meaning = SERVICES[service].get(code or "") or COMMON.get(code or "")
    if meaning is None:
        return by_status(status, marked=marked)
    if meaning is CALLER and any(text in message for text in _TOO_LARGE_TEXTS):
        return TOO_LARGE
    return meaning


def entry_outcome(code: str) -> Classification:
    """Return what the `ErrorCode` of one entry of an answered `PutEvents` means."""
    return ENTRIES.get(code, AMBIGUOUS)


def error_code(response: Response) -> str | None:
    """Return the error code of an answer, without namespace and URL.

    It stands in the header ``x-amzn-errortype``, or in the body as ``code`` or ``__type``; of
    S3, in the element ``Code``. None if it stands nowhere, or what stands there is no name.
    """
    code: object = response.headers.get("x-amzn-errortype")
    if not code and response.body[:1] == b"<":
        inside = re.search(rb"<Code>([A-Za-z0-9._-]{1,100})</Code>", response.body)
        code = inside[1].decode() if inside else None
    elif not code:
        body = error_in(response)
        code = body.get("code") or body.get("Code") or body.get("__type")
    if not isinstance(code, str):
        return None
    return code_in(code.partition(":")[0].rpartition("#")[2].strip())


def error_message(response: Response) -> str:
    """Return what the service said, or nothing.

    It may repeat values of the request, so it is for `outcome_of`, not for people.
    """
    body = error_in(response)
    message = body.get("message") or body.get("Message")
    return message if isinstance(message, str) else ""
