"""What the errors of Firestore and Pub/Sub mean: status word and reason to outcome.

An error answer is ``{"error": {"code": 409, "status": "ABORTED", "details": [...]}}``; a method
that streams its answer puts it into a list. Three rules decide, in this order:

1. **The reason** of an `ErrorInfo` in the details, where it tells more than the status word: a
   suspended project and a missing permission are both ``PERMISSION_DENIED``.
2. **The status word.** The HTTP status does not tell ``ALREADY_EXISTS`` from ``ABORTED`` (409), or
   ``FAILED_PRECONDITION`` from ``INVALID_ARGUMENT`` (400).
3. **AMBIGUOUS**, for everything else. A redirect, a 401, 403, 404, 413 or 429 without a word of
   Google's may be that of any proxy, and ``UNAVAILABLE``, over REST, may come from halfway.

Sources: `google.rpc.Code`, `google.rpc.error_details` and `google.api.ErrorReason` among Google's
public API definitions; the error pages of Pub/Sub and Firestore.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
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
)
from leeward.adapter.wire import Response
from leeward.errors import Outcome
from leeward.json_text import Undecodable, decode
from leeward.records import NamedTuple

BILLING_DISABLED: Final = "billing_disabled"
"""UNUSABLE: the project has no billing account, and what was asked for costs money."""
FAILED_PRECONDITION: Final = "failed_precondition"
"""UNUSABLE: the service is not in a state to do this, such as a database in Datastore mode or a
topic whose encryption key is disabled. Of a write under a condition, `tables` looks what it was."""
QUOTA: Final = "quota_exhausted"
"""UNUSABLE: a quota other than a rate is used up; waiting a minute will not help."""
SERVICE_DISABLED: Final = "service_disabled"
"""UNUSABLE: the API is not enabled in the project."""
SUSPENDED: Final = "suspended"
"""UNUSABLE: Google has suspended the project, or its organization."""


STATUSES: Final[Mapping[str, Classification]] = {
    "INVALID_ARGUMENT": CALLER,
    "FAILED_PRECONDITION": Classification(Outcome.UNUSABLE, FAILED_PRECONDITION),
    "OUT_OF_RANGE": CALLER,
    "UNAUTHENTICATED": STALE,
    "PERMISSION_DENIED": AUTH,
    "NOT_FOUND": NOT_FOUND,
    "ALREADY_EXISTS": CONFLICT,
    "ABORTED": CONTENTION,
    "RESOURCE_EXHAUSTED": REJECTED,
    "CANCELLED": AMBIGUOUS,
    "INTERNAL": AMBIGUOUS,
    "UNKNOWN": AMBIGUOUS,
    "DATA_LOSS": AMBIGUOUS,
    "UNAVAILABLE": AMBIGUOUS,
    "DEADLINE_EXCEEDED": AMBIGUOUS,
}
"""By status word. `UNIMPLEMENTED` is not among the answers that these services document."""

REASONS: Final[Mapping[str, Classification]] = {
    "ACCESS_TOKEN_EXPIRED": STALE,
    "API_KEY_INVALID": AUTH,
    "BILLING_DISABLED": Classification(Outcome.UNUSABLE, BILLING_DISABLED),
    "CONSUMER_SUSPENDED": Classification(Outcome.UNUSABLE, SUSPENDED),
    "GCP_SUSPENDED": Classification(Outcome.UNUSABLE, SUSPENDED),
    "RATE_LIMIT_EXCEEDED": REJECTED,
    "RESOURCE_QUOTA_EXCEEDED": Classification(Outcome.UNUSABLE, QUOTA),
    "SERVICE_DISABLED": Classification(Outcome.UNUSABLE, SERVICE_DISABLED),
}
"""By reason. All are given by the infrastructure in front of a service, before it runs."""

REASONS_DOMAIN: Final = "googleapis.com"
"""Whose reasons those are; other domains may mean something else by the same name."""

_WORDS_OF_REFUSAL: Final = frozenset(
    {"INVALID_ARGUMENT", "UNAUTHENTICATED", "PERMISSION_DENIED", "RESOURCE_EXHAUSTED"}
)
"""Status words beside which a reason is believed. An `INTERNAL` refuses nothing."""

_TOO_LARGE_TEXTS: Final = (
    "exceeds the maximum allowed size",
    "message larger than max",
    "payload size exceeds the limit",
)
"""How a document, a message and a request that are too large are called; they have no code."""


class ErrorDetails(NamedTuple):
    """What an error answer holds.

    Attributes:
        status: the status word; None if there is none, or what stands there is not such a word.
        message: may repeat values of the request, so it is for judging, not for people.
        details: those that are objects.
    """

    status: str | None = None
    message: str = ""
    details: tuple[Mapping[str, Any], ...] = ()

    def detail(self, kind: str) -> Mapping[str, Any]:
        """Return the first detail of `kind`, such as ``RetryInfo``; empty if there is none."""
        ends = f"/google.rpc.{kind}"
        return next((part for part in self.details if str(part.get("@type")).endswith(ends)), {})

    @property
    def reason(self) -> str | None:
        """Return the reason of the `ErrorInfo`, if it is one of `REASONS_DOMAIN`."""
        info = self.detail("ErrorInfo")
        return _text(info.get("reason")) if info.get("domain") == REASONS_DOMAIN else None

    @property
    def request_id(self) -> str | None:
        """Return the service's id of the request; it is told in few errors, and nowhere else."""
        return _text(self.detail("RequestInfo").get("requestId")) or None

    @property
    def retry_delay(self) -> float | None:
        """Return the seconds that the service asks to wait."""
        text = _text(self.detail("RetryInfo").get("retryDelay"))
        match = re.fullmatch(r"([0-9]{1,9}(\.[0-9]{1,9})?)s", text)
        return None if match is None else float(match[1])


def read_error(response: Response) -> ErrorDetails:
    """Read the error in the body of an answer; nothing is told if there is none."""
    try:
        document = decode(response.body)
    except Undecodable:
        return ErrorDetails()
    return find_error(document if isinstance(document, list) else [document]) or ErrorDetails()


def find_error(elements: Iterable[Any]) -> ErrorDetails | None:
    """Read the first error among the elements of an answer; None if there is none."""
    for element in elements:
        error = element.get("error") if isinstance(element, dict) else None
        if isinstance(error, dict):
            status, details = _text(error.get("status")), error.get("details")
            return ErrorDetails(
                status if re.fullmatch(r"[A-Z_]{2,40}", status) else None,
                _text(error.get("message")),
                tuple(detail for detail in details if isinstance(detail, dict))
                if isinstance(details, list)
                else (),
            )
    return None


def outcome_of(status: int, details: ErrorDetails) -> Classification:
    """Return what an error answer means.

    Args:
        status: of HTTP, other than 2xx; of an error inside a streamed answer, 200.
        details: what its body says.
    """
    word = details.status
    meaning = STATUSES.get(word or "")
    if word in _WORDS_OF_REFUSAL:
        meaning = REASONS.get(details.reason or "", meaning)
    if meaning is None:
        return AMBIGUOUS
    if word in _WORDS_OF_REFUSAL and any(text in details.message for text in _TOO_LARGE_TEXTS):
        return TOO_LARGE
    return meaning


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
