"""What Stratus refuses, as outcomes: is it proved that nothing ran?

Stratus names its own errors in a header, which tells them apart from what a function answers, and
documents that these come before anything runs. Whatever is not in the table proves nothing.
"""

from typing import Any

from leeward.adapter import classification
from leeward.adapter.service import result_of_refusal
from leeward.adapter.wire import Response
from leeward.calls import Result

ERROR = "stratus-error"
REQUEST_ID = "stratus-request"

CODES = classification.by_code(
    {
        classification.AUTH: "forbidden",
        classification.STALE: "token_invalid",
        classification.CALLER: "bad_request",
        classification.TOO_LARGE: "too_large",
        classification.NOT_FOUND: "no_such_function no_such_bus no_such_table",
        classification.CONFLICT: "condition_failed",
        classification.REJECTED: "too_many_requests",
    }
)


def refusal(response: Response, now: float) -> Result[Any]:
    """Return how an attempt has ended whose answer, at `now`, is not a success."""
    code = response.headers.get(ERROR, "")
    meaning = CODES.get(code, classification.AMBIGUOUS)
    return result_of_refusal(response, now, meaning, code, REQUEST_ID)
