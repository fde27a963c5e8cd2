"""What Nimbus says, and what requests raises, as outcomes: is it proved that nothing ran?"""

from collections.abc import Callable
from typing import Any, TypeAlias

import requests
from urllib3.exceptions import ConnectTimeoutError, NewConnectionError

from leeward.calls import FunctionFault, Result
from leeward.errors import Outcome

Reader: TypeAlias = Callable[[Any], Any]
"""Takes the value of a call out of the JSON of a good answer."""

STATUSES = {
    200: Outcome.OK,
    400: Outcome.CALLER,
    401: Outcome.AUTH,
    402: Outcome.UNUSABLE,
    403: Outcome.AUTH,
    404: Outcome.NOT_FOUND,
    412: Outcome.CONFLICT,
    413: Outcome.CALLER,
    424: Outcome.APP_ERROR,
    429: Outcome.REJECTED,
}
"""What Nimbus documents. Any other status, a 5xx above all, proves nothing."""


def result_of_answer(response: requests.Response, read: Reader) -> Result[Any]:
    """Return the result of an answer. What is not Nimbus's own JSON proves nothing either.

    Args:
        response: of Nimbus, or of anything between here and there.
        read: for a good one.
    """
    status = response.status_code
    request_id = response.headers.get("Nimbus-Request")
    outcome = STATUSES.get(status, Outcome.AMBIGUOUS)
    if not (response.ok or request_id):
        outcome = Outcome.AMBIGUOUS  # a gateway has JSON and a code, too; only Nimbus has an id
    try:
        document = response.json()
        if outcome is Outcome.OK:
            return Result.ok(read(document), request_id=request_id)
        return Result(
            outcome,
            code=document["code"],
            message=document["message"],
            request_id=request_id,
            retry_after=document.get("retry_after"),
            fault=FunctionFault(**document["error"]) if "error" in document else None,
        )
    except (ValueError, TypeError, KeyError) as error:
        ran = True if response.ok else None
        return Result(Outcome.AMBIGUOUS, code=f"http_{status}", executed=ran, cause=error)


def result_of_exception(error: requests.RequestException) -> Result[Any]:
    """Return the result without an answer: only a connection that never was proves anything."""
    reason = getattr(error.args[0], "reason", None) if error.args else None
    unsent = isinstance(reason, NewConnectionError | ConnectTimeoutError)
    outcome = Outcome.NOT_SENT if unsent else Outcome.AMBIGUOUS
    return Result(outcome, code=type(reason or error).__name__, cause=error)
