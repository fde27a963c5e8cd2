"""Cloud Functions and Cloud Run: call a function over HTTP and wait for its answer.

How it is known whose an answer is stands in `leeward.adapter.http_functions`. Google's front end
refuses with pages of its own, or with one sentence. A 503 comes before a container starts as well
as when it dies, and after a 504 the function goes on running, so these prove nothing.

Sources: "Troubleshoot Cloud Run issues" and "Request timeout" in the documentation of Cloud Run;
functions-framework for the header of a crash.
"""

from __future__ import annotations

from functools import partial
from typing import Final

from leeward.adapter.classification import APP_ERROR, AUTH, NOT_FOUND, TOO_LARGE, Classification
from leeward.adapter.http_functions import FunctionPlatform, Proof
from leeward.adapter.http_functions import invoke as invoke_over_http
from leeward.adapter.plans import Plan, Planner, View
from leeward.adapter.wire import Response
from leeward.calls import Invoke, Settle
from leeward.errors import Outcome
from leeward_google.settings.services import Functions, check_name

NO_INSTANCE: Final = "no_instance"
"""REJECTED: there is no container to run it, and none can be started."""

_BUSY: Final = Classification(Outcome.REJECTED, NO_INSTANCE)
_NO_INSTANCE: Final = b"The request was aborted because there was no available instance."

PROOFS: Final = (
    # The front end: who calls, whether there is anything, how much it takes.
    Proof(frozenset({401}), AUTH, header=("www-authenticate", "bearer")),
    Proof(frozenset({401}), AUTH, page=b"<title>401 unauthorized</title>"),
    Proof(frozenset({403}), AUTH, page=b"<title>403 forbidden</title>"),
    Proof(frozenset({404}), NOT_FOUND, page=b"<title>404 page not found</title>"),
    Proof(frozenset({404}), NOT_FOUND, page=b"<title>error 404 (not found)"),
    Proof(frozenset({413}), TOO_LARGE, page=b"<title>413 request entity too large</title>"),
    # No container is free, in a page or as all that is said; or calls come faster than they start.
    Proof(frozenset({429, 500, 503}), _BUSY, whole=_NO_INSTANCE),
    Proof(frozenset({429, 500, 503}), _BUSY, page=b">" + _NO_INSTANCE.lower()),
    Proof(frozenset({429, 500, 503}), _BUSY, whole=b"Rate exceeded."),
    # functions-framework, for what a function raised.
    Proof(frozenset({500}), APP_ERROR, header=("x-google-status", "crash")),
)


def functions(configured: Functions) -> dict[str, Planner]:
    """Return the planners of ``invoke`` and ``settle``."""
    call = partial(invoke, configured)
    return {"invoke": call, "settle": call}


def invoke(configured: Functions, call: Invoke | Settle, view: View) -> Plan:
    """Call a function and wait for its answer.

    Raises:
        InvalidRequest: the name cannot be a function's; before anything is sent.
    """
    check_name(call.function, configured)
    return invoke_over_http(PLATFORM, call, view)


def _request_id(response: Response) -> str | None:
    """Return the id of an execution, or of a trace, under which Cloud Logging has the request."""
    trace = response.headers.get("x-cloud-trace-context", "").partition("/")[0]
    return response.headers.get("function-execution-id") or trace or None


PLATFORM: Final = FunctionPlatform(PROOFS, _request_id)
