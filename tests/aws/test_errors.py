from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leeward._http.messages import Response
from leeward.adapter.classification import AMBIGUOUS, REJECTED, Classification
from leeward.adapter.classification import TOO_LARGE as LARGE
from leeward.adapter.plans import STALE_CREDENTIALS
from leeward.calls import TOO_LARGE
from leeward.errors import Outcome
from leeward_aws.errors import (
    COMMON,
    MAY_BE_SKEW,
    SERVICES,
    entry_outcome,
    error_code,
    error_message,
    outcome_of,
)
from leeward_aws.settings.endpoints import ServiceName
from leeward_contract_tests.rows import each_row
from tests.aws import oracle

ITEM_TOO_LARGE = "Item size has exceeded the maximum allowed size"
KEY_TOO_LARGE = "Size of hashkey has exceeded the maximum size limit of2048 bytes"
REQUEST_TOO_LARGE = "Total size of the entries in the request is over the limit."

USED: dict[ServiceName, list[str]] = {
    "lambda": ["Invoke"],
    "events": ["PutEvents", "DescribeEventBus"],
    "dynamodb": [
        *("PutItem", "GetItem", "DeleteItem", "Scan", "Query", "DescribeTable"),
    ],
    "states": ["StartExecution", "DescribeExecution", "StopExecution", "ListStateMachines"],
}


@pytest.mark.parametrize("service", USED)
def test_every_error_of_the_service_model_has_a_row(service: ServiceName) -> None:
    """A new version of AWS's model that names a new error fails here until it is mapped."""
    named = oracle.named_errors(service, USED[service])
    assert named
    assert named - SERVICES[service].keys() - COMMON.keys() == set()


# By service and status: what must come of each code, written without a look at the tables.
EXPECTED: list[tuple[ServiceName, int, str, Outcome, str | None]] = [
    ("lambda", 429, "TooManyRequestsException", Outcome.REJECTED, None),
    ("lambda", 502, "EC2ThrottledException", Outcome.REJECTED, None),
    ("lambda", 502, "ENINotReadyException", Outcome.REJECTED, None),
    ("lambda", 502, "EC2UnexpectedException", Outcome.REJECTED, None),
    ("lambda", 409, "SnapStartNotReadyException", Outcome.REJECTED, None),
    ("lambda", 408, "EFSMountTimeoutException", Outcome.REJECTED, None),
    ("lambda", 409, "ResourceConflictException", Outcome.REJECTED, None),
    ("lambda", 410, "EFSIOException", Outcome.AMBIGUOUS, None),
    ("lambda", 502, "KMSAccessDeniedException", Outcome.NOT_FOUND, "misconfigured"),
    ("lambda", 502, "InvalidZipFileException", Outcome.NOT_FOUND, "misconfigured"),
    ("lambda", 403, "EFSMountFailureException", Outcome.NOT_FOUND, "misconfigured"),
    ("lambda", 409, "RuntimeAliasDeletedException", Outcome.NOT_FOUND, "misconfigured"),
    ("lambda", 400, "SnapStartException", Outcome.NOT_FOUND, "misconfigured"),
    ("lambda", 400, "RecursiveInvocationException", Outcome.CALLER, "recursion"),
    ("lambda", 500, "ServiceException", Outcome.AMBIGUOUS, None),
    ("lambda", 404, "ResourceNotFoundException", Outcome.NOT_FOUND, None),
    ("lambda", 400, "InvalidRequestContentException", Outcome.CALLER, None),
    ("lambda", 415, "UnsupportedMediaTypeException", Outcome.CALLER, None),
    ("lambda", 413, "RequestTooLargeException", Outcome.CALLER, TOO_LARGE),
    ("lambda", 413, "RequestEntityTooLargeException", Outcome.CALLER, TOO_LARGE),
    ("lambda", 402, "ServiceQuotaExceededException", Outcome.UNUSABLE, None),
    ("lambda", 409, "DurableExecutionAlreadyStartedException", Outcome.CONFLICT, None),
    ("lambda", 403, "AccessDeniedException", Outcome.AUTH, None),
    ("lambda", 403, "ExpiredTokenException", Outcome.AUTH, STALE_CREDENTIALS),
    ("states", 400, "ExecutionAlreadyExists", Outcome.CONFLICT, None),
    ("states", 400, "ExecutionLimitExceeded", Outcome.REJECTED, None),
    ("states", 400, "StateMachineDoesNotExist", Outcome.NOT_FOUND, None),
    ("states", 400, "KmsAccessDeniedException", Outcome.NOT_FOUND, "misconfigured"),
    ("states", 400, "InvalidExecutionInput", Outcome.CALLER, None),
    ("events", 400, "ThrottlingException", Outcome.REJECTED, None),
    ("events", 500, "InternalException", Outcome.AMBIGUOUS, None),
    ("events", 500, "InternalFailure", Outcome.AMBIGUOUS, None),
    ("events", 400, "ValidationException", Outcome.CALLER, None),
    ("events", 400, "ResourceNotFoundException", Outcome.NOT_FOUND, None),
    ("dynamodb", 400, "ConditionalCheckFailedException", Outcome.CONFLICT, None),
    ("dynamodb", 400, "TransactionConflictException", Outcome.REJECTED, "contention"),
    ("dynamodb", 400, "ReplicatedWriteConflictException", Outcome.REJECTED, "contention"),
    ("dynamodb", 400, "ProvisionedThroughputExceededException", Outcome.REJECTED, None),
    ("dynamodb", 400, "ThrottlingException", Outcome.REJECTED, None),
    ("dynamodb", 400, "RequestLimitExceeded", Outcome.REJECTED, None),
    ("dynamodb", 500, "InternalServerError", Outcome.AMBIGUOUS, None),
    ("dynamodb", 400, "TransactionInProgressException", Outcome.AMBIGUOUS, None),
    ("dynamodb", 400, "ItemCollectionSizeLimitExceededException", Outcome.UNUSABLE,
     "collection_full"),
    ("dynamodb", 400, "ResourceNotFoundException", Outcome.NOT_FOUND, None),
    ("dynamodb", 400, "ValidationException", Outcome.CALLER, None),
    ("dynamodb", 400, "AccessDeniedException", Outcome.AUTH, None),
    ("dynamodb", 400, "UnrecognizedClientException", Outcome.AUTH, STALE_CREDENTIALS),
    ("dynamodb", 403, "OptInRequired", Outcome.UNUSABLE, "not_subscribed"),
]  # fmt: skip


@each_row("service, status, code, outcome, reason", EXPECTED)
def test_a_code_means_what_the_documentation_says(
    service: ServiceName, status: int, code: str, outcome: Outcome, reason: str | None
) -> None:
    """The code decides, whatever the status may suggest."""
    for marked in (False, True):
        assert outcome_of(service, status, code, marked=marked) == (outcome, reason)
        assert outcome_of(service, 418, code, marked=marked) == (outcome, reason)


@pytest.mark.parametrize("service", SERVICES)
@given(
    status=st.integers(300, 599).filter(lambda status: status not in (413, 429)),
    code=st.none() | st.text(max_size=20).map("Unknown".__add__),
)
def test_what_nobody_documents_is_ambiguous(
    service: ServiceName, status: int, code: str | None
) -> None:
    """Without a known code, no status but two proves that nothing ran."""
    assert outcome_of(service, status, code, marked=True) == (Outcome.AMBIGUOUS, None)


@pytest.mark.parametrize("code", [None, "Unknown"])
@pytest.mark.parametrize("marked", [False, True])
def test_statuses_that_prove_by_themselves(code: str | None, marked: bool) -> None:
    """Too large and throttled, in an answer that has the service's own id of the request."""
    large, throttled = (LARGE, REJECTED) if marked else (AMBIGUOUS, AMBIGUOUS)
    assert outcome_of("lambda", 413, code, marked=marked) == large
    assert outcome_of("events", 429, code, marked=marked) == throttled
    assert outcome_of("dynamodb", 307, code, marked=marked) == AMBIGUOUS


@each_row(
    "service, code, message, reason",
    {
        "item": ("dynamodb", "ValidationException", ITEM_TOO_LARGE, TOO_LARGE),
        "key": ("dynamodb", "ValidationException", KEY_TOO_LARGE, TOO_LARGE),
        "request": ("events", "ValidationException", REQUEST_TOO_LARGE, TOO_LARGE),
        "other": (
            "dynamodb",
            "ValidationException",
            "The provided key does not match the schema",
            None,
        ),
        "other code": ("dynamodb", "ConditionalCheckFailedException", ITEM_TOO_LARGE, None),
    },
)
def test_too_large_without_a_code_of_its_own(
    service: ServiceName, code: str, message: str, reason: str | None
) -> None:
    """DynamoDB and EventBridge tell only in words that something is too large."""
    assert outcome_of(service, 400, code, message, marked=True).reason == reason


@each_row(
    "code, outcome",
    [
        ("ThrottlingException", Outcome.REJECTED),
        ("InternalFailure", Outcome.REJECTED),
        ("InternalException", Outcome.REJECTED),
        ("AccessDeniedException", Outcome.AUTH),
        ("NotAuthorizedForSourceException", Outcome.AUTH),
        ("NotAuthorizedForDetailTypeException", Outcome.AUTH),
        ("InvalidArgument", Outcome.CALLER),
        ("MalformedDetail", Outcome.CALLER),
        ("InvalidAccountIdException", Outcome.CALLER),
        ("RedactionFailure", Outcome.CALLER),
        ("SomethingNew", Outcome.AMBIGUOUS),
    ],
)
def test_an_entry_of_an_answered_request(code: str, outcome: Outcome) -> None:
    """An entry's code means more than the same code of a whole request: it was not published."""
    assert entry_outcome(code) == (outcome, None)


def test_every_code_behind_which_a_clock_may_stand_is_mapped() -> None:
    """Such a code is an AUTH that a new signature may mend."""
    assert {COMMON.get(code) for code in MAY_BE_SKEW} == {
        Classification(Outcome.AUTH, STALE_CREDENTIALS)
    }


CODES = [
    "ResourceNotFoundException",
    "com.amazonaws.dynamodb.v20120810#ConditionalCheckFailedException",
    "ResourceNotFoundException:http://internal.amazon.com/coral/com.amazonaws.lambda/#x",
    "aws.protocoltests#Foo:http://x/#y",
]


@pytest.mark.parametrize("code", CODES)
@each_row(
    "protocol, place",
    [("rest-json", "header"), ("rest-json", "code"), ("rest-json", "Code"),
     ("rest-json", "__type"), ("json", "__type")],
)  # fmt: skip
def test_codes_are_read_as_botocore_reads_them(protocol: str, place: str, code: str) -> None:
    """From the header or the body, without namespace and without URL."""
    headers = {"x-amzn-errortype": code} if place == "header" else {}
    body = json.dumps({} if place == "header" else {place: code}).encode()
    assert error_code(Response(400, headers, body)) == oracle.error_code(protocol, headers, body)


@each_row(
    "body",
    [
        b"", b"<html>", b"[]", b'"code"', b"{", b'{"__type": 5}', b'{"__type": ""}', b"\xff",
        b'{"__type": "a b"}', b'{"__type": "Code\\r\\nX-Evil: 1"}', b'{"__type": "#"}',
        b'{"__type": "' + b"A" * 101 + b'"}', b"[" * 100_000,
    ],
)  # fmt: skip
def test_an_answer_without_a_code(body: bytes) -> None:
    """What is no name of an error, or no JSON, gives no code and no message."""
    response = Response(502, {"content-type": "text/html"}, body)
    assert error_code(response) is None
    assert error_message(response) == ""
