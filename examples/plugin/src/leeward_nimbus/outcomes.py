"""What Nimbus says, and what requests raises, as outcomes: is it proved that nothing ran?"""

from collections.abc import Callable
from typing import Any

import requests
from urllib3.exceptions import ConnectTimeoutError, NewConnectionError

from leeward.adapter import FunctionFault, Result
from leeward.errors import Outcome

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


def answered(response: requests.Response, read: Callable[[Any], Any]) -> Result[Any]:
    """Return the result of an answer. What is not Nimbus's own JSON proves nothing either."""
    status, request_id = response.status_code, response.headers.get("Nimbus-Request")
    outcome = STATUSES.get(status, Outcome.AMBIGUOUS)
    try:
        said = response.json()
        if outcome is Outcome.OK:
            return Result.ok(read(said), request_id=request_id)
        return Result(
            outcome,
            code=said["code"],
            message=said["message"],
            request_id=request_id,
            retry_after=said.get("retry_after"),
            fault=FunctionFault(**said["error"]) if "error" in said else None,
        )
    except (ValueError, TypeError, KeyError) as error:
        ran = response.ok or None
        return Result(Outcome.AMBIGUOUS, code=f"http_{status}", executed=ran, cause=error)


def failed(error: requests.RequestException) -> Result[Any]:
    """Return the result without an answer: only a connection that never was proves anything."""
    reason = getattr(error.args[0], "reason", None) if error.args else None
    unsent = isinstance(reason, NewConnectionError | ConnectTimeoutError)
    outcome = Outcome.NOT_SENT if unsent else Outcome.AMBIGUOUS
    return Result(outcome, code=type(reason or error).__name__, cause=error)
