from __future__ import annotations

import pytest

from leeward._http.messages import Response
from leeward.adapter.plans import STALE_CREDENTIALS
from leeward.calls import TOO_LARGE
from leeward.errors import Outcome
from leeward_contract_tests.rows import each_row
from leeward_google.errors import REASONS, STATUSES, outcome_of, read_error
from tests.google import oracle
from tests.google.playing import answer, error, info, refusal

UNDOCUMENTED = {"OK", "UNIMPLEMENTED"}


def meaning(response: Response) -> tuple[Outcome, str | None]:
    return tuple(outcome_of(response.status, read_error(response)))  # type: ignore[return-value]


# What must come of each row of Google's errors over REST, written without a look at the table.
EXPECTED = [
    (400, "INVALID_ARGUMENT", Outcome.CALLER, None),
    (400, "FAILED_PRECONDITION", Outcome.UNUSABLE, "failed_precondition"),
    (400, "OUT_OF_RANGE", Outcome.CALLER, None),
    (401, "UNAUTHENTICATED", Outcome.AUTH, STALE_CREDENTIALS),
    (403, "PERMISSION_DENIED", Outcome.AUTH, None),
    (404, "NOT_FOUND", Outcome.NOT_FOUND, None),
    (409, "ALREADY_EXISTS", Outcome.CONFLICT, None),
    (409, "ABORTED", Outcome.REJECTED, "contention"),
    (429, "RESOURCE_EXHAUSTED", Outcome.REJECTED, None),
    (499, "CANCELLED", Outcome.AMBIGUOUS, None),
    (500, "INTERNAL", Outcome.AMBIGUOUS, None),
    (500, "UNKNOWN", Outcome.AMBIGUOUS, None),
    (500, "DATA_LOSS", Outcome.AMBIGUOUS, None),
    (501, "UNIMPLEMENTED", Outcome.AMBIGUOUS, None),
    (503, "UNAVAILABLE", Outcome.AMBIGUOUS, None),
    (504, "DEADLINE_EXCEEDED", Outcome.AMBIGUOUS, None),
]


@each_row("status, word, outcome, reason", EXPECTED)
def test_a_status_word_means_what_is_documented(
    status: int, word: str, outcome: Outcome, reason: str | None
) -> None:
    """One row, one outcome; in a list, as a streaming method sends it, the same."""
    assert meaning(refusal(word, status)) == (outcome, reason)
    assert meaning(answer([error(word, status)], status)) == (outcome, reason)


def test_every_status_word_of_google_has_a_row() -> None:
    """A word that Google adds fails here until it is mapped."""
    assert oracle.codes() - UNDOCUMENTED == STATUSES.keys()
    assert {word for _, word, *_ in EXPECTED} == oracle.codes() - {"OK"}


REASONED = [
    (401, "UNAUTHENTICATED", "ACCESS_TOKEN_EXPIRED", Outcome.AUTH, STALE_CREDENTIALS),
    (403, "PERMISSION_DENIED", "ACCESS_TOKEN_EXPIRED", Outcome.AUTH, STALE_CREDENTIALS),
    (403, "PERMISSION_DENIED", "ACCESS_TOKEN_SCOPE_INSUFFICIENT", Outcome.AUTH, None),
    (403, "PERMISSION_DENIED", "SERVICE_DISABLED", Outcome.UNUSABLE, "service_disabled"),
    (403, "PERMISSION_DENIED", "BILLING_DISABLED", Outcome.UNUSABLE, "billing_disabled"),
    (403, "PERMISSION_DENIED", "CONSUMER_SUSPENDED", Outcome.UNUSABLE, "suspended"),
    (403, "PERMISSION_DENIED", "GCP_SUSPENDED", Outcome.UNUSABLE, "suspended"),
    (403, "PERMISSION_DENIED", "IAM_PERMISSION_DENIED", Outcome.AUTH, None),
    (400, "INVALID_ARGUMENT", "API_KEY_INVALID", Outcome.AUTH, None),
    (429, "RESOURCE_EXHAUSTED", "RATE_LIMIT_EXCEEDED", Outcome.REJECTED, None),
    (429, "RESOURCE_EXHAUSTED", "RESOURCE_QUOTA_EXCEEDED", Outcome.UNUSABLE, "quota_exhausted"),
    (500, "INTERNAL", "RATE_LIMIT_EXCEEDED", Outcome.AMBIGUOUS, None),
    (503, "UNAVAILABLE", "RESOURCE_QUOTA_EXCEEDED", Outcome.AMBIGUOUS, None),
]


@each_row("status, word, why, outcome, reason", REASONED)
def test_a_reason_tells_more_than_a_status_word(
    status: int, word: str, why: str, outcome: Outcome, reason: str | None
) -> None:
    """A reason is believed beside a word of refusal, and in nobody else's name."""
    assert meaning(refusal(word, status, "", info(why))) == (outcome, reason)
    stranger = refusal(word, status, "", info(why, "example.com"))
    assert meaning(stranger) == tuple(STATUSES[word])


def test_the_reasons_are_googles() -> None:
    """None is misspelt, and each is tested."""
    assert REASONS.keys() <= oracle.reasons()
    assert REASONS.keys() <= {why for *_, why, _, _ in REASONED}


@pytest.mark.parametrize(
    "text",
    [
        "Document 'p' cannot be written because its size exceeds the maximum allowed size of 9.",
        "Request payload size exceeds the limit: 10485760 bytes.",
    ],
)
def test_what_is_too_large_is_called_so(text: str) -> None:
    """Google tells it in words alone; of an error that is no refusal, words prove nothing."""
    assert meaning(refusal("INVALID_ARGUMENT", 400, text)) == (Outcome.CALLER, TOO_LARGE)
    assert meaning(refusal("INTERNAL", 500, text)) == (Outcome.AMBIGUOUS, None)


PAGE = b"<!DOCTYPE html><title>Error</title>"


@each_row(
    "status, outcome, reason",
    [
        (302, Outcome.AMBIGUOUS, None),
        (307, Outcome.AMBIGUOUS, None),
        (400, Outcome.AMBIGUOUS, None),
        (401, Outcome.AMBIGUOUS, None),
        (403, Outcome.AMBIGUOUS, None),
        (404, Outcome.AMBIGUOUS, None),
        (409, Outcome.AMBIGUOUS, None),
        (413, Outcome.AMBIGUOUS, None),
        (429, Outcome.AMBIGUOUS, None),
        (500, Outcome.AMBIGUOUS, None),
        (502, Outcome.AMBIGUOUS, None),
        (503, Outcome.AMBIGUOUS, None),
        (504, Outcome.AMBIGUOUS, None),
    ],
)
def test_a_status_without_a_word_of_googles_proves_little(
    status: int, outcome: Outcome, reason: str | None
) -> None:
    """It may be that of any proxy."""
    bodies = [b"", PAGE, b"{}", b"[]", b'{"error":"no"}', b'{"error":{}}']
    assert {meaning(answer(body, status)) for body in bodies} == {(outcome, reason)}


def test_details_are_read_as_google_writes_them() -> None:
    """Written by Google's own classes: the reason, the wait, and the id of the request."""
    body = oracle.error_body(
        429,
        "RESOURCE_EXHAUSTED",
        "Quota exceeded for quota metric",
        ("RetryInfo", {"retryDelay": "31.500s"}),
        ("ErrorInfo", {"reason": "RATE_LIMIT_EXCEEDED", "domain": "googleapis.com"}),
        ("RequestInfo", {"requestId": "request-1"}),
    )
    told = read_error(answer(body, 429))
    assert (told.status, told.reason) == ("RESOURCE_EXHAUSTED", "RATE_LIMIT_EXCEEDED")
    assert (told.retry_delay, told.request_id) == (31.5, "request-1")
