"""Azure Functions: call a function over HTTP and wait for its answer.

How it is known whose an answer is stands in `leeward.adapter.http_functions`. The Functions host
refuses with an empty body and names no type for it.

Sources: the middlewares of the Functions host (azure-functions-host); `HttpResponse` of the Python
library; "Azure Functions HTTP trigger" for the 230 seconds of the load balancer.
"""

from __future__ import annotations

from functools import partial
from typing import Final

from leeward.adapter.classification import APP_ERROR, AUTH, Classification
from leeward.adapter.http_functions import BY_PLATFORM, Address, FunctionPlatform, Proof
from leeward.adapter.http_functions import invoke as invoke_over_http
from leeward.adapter.plans import Plan, Planner, View
from leeward.calls import Invoke, Settle
from leeward.errors import Outcome
from leeward_azure.service import retry_after
from leeward_azure.settings.services import Functions, check_name

STOPPED: Final = "app_stopped"
"""REJECTED: an operator has stopped the function app."""
OFFLINE: Final = "host_offline"
"""REJECTED: the host is not up, or was taken offline while the app is deployed."""

_OFFLINE: Final = Classification(Outcome.REJECTED, OFFLINE)

PROOFS: Final = (
    # App Service's own authentication, and what it says of addresses that may not call.
    Proof(frozenset({401}), AUTH, header=("www-authenticate", "")),
    Proof(
        frozenset({403}),
        Classification(Outcome.REJECTED, STOPPED),
        page=b">error 403 - this web app is stopped",
    ),
    Proof(frozenset({403}), AUTH, page=b">ip forbidden"),
    Proof(frozenset({404}), page=b"<title>404 web site not found"),
    # All that the host answers while it cannot start; the pages that it serves while it is offline,
    # its own and the one that the deployment service leaves there (app_offline.htm of both).
    Proof(frozenset({503}), _OFFLINE, whole=b"Function host is not running."),
    Proof(frozenset({503}), _OFFLINE, page=b"<title>host offline</title>"),
    Proof(frozenset({503}), _OFFLINE, page=b"<!-- created by kudu"),
    # The host, which has a bare 500 for what a function raised.
    Proof(frozenset({500}), APP_ERROR, bare=True),
    Proof(frozenset(BY_PLATFORM), bare=True),
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


def _credentials(address: Address) -> tuple[tuple[str, str], ...]:
    key = () if address.key is None else (("x-functions-key", address.key),)
    if address.token is None:
        return key
    return (*key, ("Authorization", f"Bearer {address.token}"))


PLATFORM: Final = FunctionPlatform(
    PROOFS, lambda response: response.headers.get("x-ms-request-id"), _credentials, retry_after
)
