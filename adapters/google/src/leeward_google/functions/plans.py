"""Cloud Functions and Cloud Run: call a function over HTTP and wait for its answer.

A function finds what goes with the call in the headers `Idempotency-Key` and
`x-leeward-deadline-ms`, the milliseconds that the caller still waits.

Any status may come from the function's own code or from the platform in front of it. leeward's
handler marks each of its answers with `x-leeward`; such an answer is the function's own, whatever
its status. Without the mark, a status means what the platform means by it, as far as the platform's
answers can be known by their text or a header. In doubt it is AMBIGUOUS: a 503 comes before a
container starts as well as when it dies, and after a 504 it goes on running.

Sources: "Troubleshoot Cloud Run issues" and "Request timeout" in the documentation of Cloud Run;
functions-framework for the header of a crash.
"""

from __future__ import annotations

from functools import partial
from typing import Any, Final

from leeward.adapter import TOO_LARGE, Invoke, Result
from leeward.adapter.classification import REDIRECTED, Classification
from leeward.adapter.function_answers import MARK, fault_in, value_of
from leeward.adapter.plans import STALE_CREDENTIALS, Need, Plan, Planner, Send, View
from leeward.adapter.resolver import FunctionAddress
from leeward.errors import Outcome
from leeward.http.messages import Request, Response
from leeward_google.errors import Told
from leeward_google.exchange import JSON, retry_after
from leeward_google.functions.addresses import Address, check_name
from leeward_google.settings.services import Functions

CRASH: Final = ("x-google-status", "crash")
"""The header of functions-framework for what a function raised."""

NO_INSTANCE: Final = "no_instance"
"""REJECTED: there is no container to run it, and none can be started."""

_NO_INSTANCE: Final = b"The request was aborted because there was no available instance"
"""What Cloud Run says with 429 or 500, somewhere in its page."""
_RATE: Final = b"Rate exceeded."
"""All that it says, with 429, where calls come faster than containers start."""
_NOT_THERE: Final = b"<title>404 Page not found</title>"
"""In the page of Google's front end for a host or a path that it does not know."""

_AMBIGUOUS: Final = Classification(Outcome.AMBIGUOUS)
_AUTH: Final = Classification(Outcome.AUTH)
_CALLER: Final = Classification(Outcome.CALLER)
_APP_ERROR: Final = Classification(Outcome.APP_ERROR)
_BUSY: Final = Classification(Outcome.REJECTED, NO_INSTANCE)

_BY_STATUS: Final = {
    **dict.fromkeys((400, 405, 411, 414, 415, 422, 431), _CALLER),
    401: _AUTH,
    403: _AUTH,
    404: Classification(Outcome.NOT_FOUND),
    408: _AMBIGUOUS,
    413: Classification(Outcome.CALLER, TOO_LARGE),
    425: _AMBIGUOUS,
    429: _AMBIGUOUS,
}
"""What an answer without the mark means by its status alone."""


def functions(configured: Functions) -> dict[str, Planner]:
    """Return the planner of ``invoke``."""
    return {"invoke": partial(invoke, configured)}


def invoke(configured: Functions, call: Invoke, view: View) -> Plan:
    """Call a function and wait for its answer.

    Raises:
        InvalidRequest: the name cannot be a function's; before anything is sent.
    """
    check_name(call.function, configured)
    address: Address = yield Need(FunctionAddress(call.function))
    headers = _headers(address, call, view.timeout)
    response: Response = yield Send(
        Request("POST", address.origin, address.target, headers, call.payload)
    )
    if 200 <= response.status < 300:
        return value_of(response, _request_id(response))
    if MARK in response.headers:
        return _refusal(response, _APP_ERROR, view.now)._replace(fault=fault_in(response))
    return _refusal(response, _meaning(response, address), view.now)


def _headers(address: Address, call: Invoke, seconds: float) -> tuple[tuple[str, str], ...]:
    headers = (
        *JSON,
        ("Idempotency-Key", call.idempotency_key),
        ("x-leeward-deadline-ms", str(max(0, int(seconds * 1000)))),
    )
    if address.token is None:
        return headers
    return (*headers, ("Authorization", f"Bearer {address.token}"))


def _meaning(response: Response, address: Address) -> Classification:
    """Return what an answer without the mark means."""
    status, body = response.status, response.body
    if 300 <= status < 400:
        return Classification(Outcome.CALLER, REDIRECTED)
    if status in (401, 404) and _may_be_stale(response, address):
        return _BY_STATUS[status]._replace(reason=STALE_CREDENTIALS)
    name, value = CRASH
    if status == 500 and response.headers.get(name) == value:
        return _APP_ERROR
    if status in (429, 500, 503) and (_NO_INSTANCE in body or body.strip() == _RATE):
        return _BUSY
    if 400 <= status < 500:  # of the rest, the platform gives none
        return _BY_STATUS.get(status, _APP_ERROR)
    return _AMBIGUOUS


def _may_be_stale(response: Response, address: Address) -> bool:
    """Return whether another token, or another address, may mend it.

    The call is sent once more only after an answer that is the platform's own, so that a function's
    own 401 or 404 does not run it twice: the front end asks for a token as a bearer's, and it has a
    page for what is not there.
    """
    if response.status == 404:
        return address.looked_up and _NOT_THERE in response.body
    asked = response.headers.get("www-authenticate", "")
    return address.token is not None and asked.lower().startswith("bearer")


def _refusal(response: Response, meaning: Classification, now: float) -> Result[Any]:
    return Result(
        meaning.outcome,
        code=f"http.{response.status}",
        reason=meaning.reason,
        request_id=_request_id(response),
        retry_after=retry_after(response, Told(), now),
    )


def _request_id(response: Response) -> str | None:
    """Return the id of an execution, or of a trace, under which Cloud Logging has the request."""
    trace = response.headers.get("x-cloud-trace-context", "").partition("/")[0]
    return response.headers.get("function-execution-id") or trace or None
