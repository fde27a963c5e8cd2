"""Azure Functions: call a function over HTTP and wait for its answer.

A function finds what goes with the call in the headers `Idempotency-Key` and
`x-leeward-deadline-ms`, the milliseconds that the caller still waits.

Any status may come from the function's own code or from the platform around it. leeward's handler
marks each of its answers with `x-leeward`; such an answer is the function's own, whatever its
status. Without the mark, a status means what the platform means by it, as far as the platform's
answers can be known: by an empty body, or by their text. In doubt it is AMBIGUOUS.

Sources: the middlewares of the Functions host (azure-functions-host), "Azure Functions HTTP
trigger" for the 230 seconds of the load balancer.
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
from leeward_azure.exchange import retry_after
from leeward_azure.functions.addresses import Address, check_name
from leeward_azure.settings.services import Functions

STOPPED: Final = "app_stopped"
"""REJECTED: an operator has stopped the function app."""
OFFLINE: Final = "host_offline"
"""REJECTED: the host is not up, or was taken offline while the app is deployed."""

_NOT_STARTED: Final = b"Function host is not running."
"""All that the host answers, with 503, while it cannot start."""
_STOPPED_PAGE: Final = b"web app is stopped"
"""In the page of the front end, with 403, for an app that was stopped."""
_OFFLINE_PAGES: Final = (b"<title>host offline</title>", b"created by kudu")
"""In the pages that the host serves, with 503, while it is offline: its own, and the one that the
deployment service leaves there (``app_offline.htm`` of both, in lower case). Nothing runs then."""

_AMBIGUOUS: Final = Classification(Outcome.AMBIGUOUS)
_AUTH: Final = Classification(Outcome.AUTH)
_CALLER: Final = Classification(Outcome.CALLER)
_NOT_FOUND: Final = Classification(Outcome.NOT_FOUND)
_APP_ERROR: Final = Classification(Outcome.APP_ERROR)

_BY_STATUS: Final = {
    **dict.fromkeys((400, 405, 411, 414, 415, 422, 431), _CALLER),
    401: _AUTH,
    403: _AUTH,
    404: _NOT_FOUND,
    408: _AMBIGUOUS,
    413: Classification(Outcome.CALLER, TOO_LARGE),
    425: _AMBIGUOUS,
    429: _AMBIGUOUS,
    500: _APP_ERROR,
}
"""What an answer without the mark means by its status alone. The host says 500 for what a function
raised, with an empty body; a body is the function's own."""


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
    proof: tuple[tuple[str, str], ...] = ()
    if address.key is not None:
        proof = (("x-functions-key", address.key),)
    if address.token is not None:
        proof += (("Authorization", f"Bearer {address.token}"),)
    return (
        ("Content-Type", "application/json"),
        ("Idempotency-Key", call.idempotency_key),
        ("x-leeward-deadline-ms", str(max(0, int(seconds * 1000)))),
        *proof,
    )


def _meaning(response: Response, address: Address) -> Classification:
    """Return what an answer without the mark means."""
    status, body = response.status, response.body
    if 300 <= status < 400:
        return Classification(Outcome.CALLER, REDIRECTED)
    if status in (401, 404) and _may_be_stale(response, address):
        return _BY_STATUS[status]._replace(reason=STALE_CREDENTIALS)
    if status == 403 and _STOPPED_PAGE in body.lower():
        return Classification(Outcome.REJECTED, STOPPED)
    if status == 429 and not body:  # the host's own throttle says nothing else
        return Classification(Outcome.REJECTED)
    if status == 503 and _is_offline(body):
        return Classification(Outcome.REJECTED, OFFLINE)
    if 400 <= status < 500:  # of the rest, the platform gives none
        return _BY_STATUS.get(status, _APP_ERROR)
    return _BY_STATUS.get(status, _AMBIGUOUS)


def _is_offline(body: bytes) -> bool:
    text = body.lower()
    return body.strip() == _NOT_STARTED or any(page in text for page in _OFFLINE_PAGES)


def _may_be_stale(response: Response, address: Address) -> bool:
    """Return whether another address, key or token may mend it.

    The call is sent once more only if there really is another one. There always is another token,
    so there the platform has to have asked for one: a function's own 401 must not run it twice.
    """
    if address.token is not None:
        return response.status == 401 and "www-authenticate" in response.headers
    return address.looked_up and not response.body


def _refusal(response: Response, meaning: Classification, now: float) -> Result[Any]:
    return Result(
        meaning.outcome,
        code=_code(response),
        reason=meaning.reason,
        request_id=_request_id(response),
        retry_after=retry_after(response, now),
    )


def _code(response: Response) -> str:
    return f"http.{response.status}"


def _request_id(response: Response) -> str | None:
    return response.headers.get("x-ms-request-id")
