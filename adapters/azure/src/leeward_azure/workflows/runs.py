"""Durable Functions: start an instance, look at it, terminate it, by the extension's HTTP API.

A run is an instance, ``order:order-42``, of the one orchestrator that runs all workflows. The
extension starts an instance anew whose earlier one has ended, and two starts at the same time may
both be taken: so whoever starts looks first, and the client keeps two starts apart.

The API wants the system key ``durabletask_extension`` of the app. An answer of the host or of the
extension has no body where it refuses, or a message in JSON; any other may be that of a proxy.

Source: "HTTP APIs in Durable Functions"; `HttpApiHandler` of the extension.
"""

from __future__ import annotations

import re
from collections.abc import Generator, Mapping
from datetime import datetime
from typing import Any, Final

from leeward import json_text
from leeward.adapter.classification import (
    AMBIGUOUS,
    AUTH,
    CALLER,
    CONFLICT,
    NOT_FOUND,
    REJECTED,
    Classification,
)
from leeward.adapter.plans import Plan, Planner, Step, View, planners_of
from leeward.adapter.runs import already_there
from leeward.adapter.service import (
    JSON,
    UNEXPECTED,
    Service,
    ambiguous,
    error_in,
    misread,
    object_of,
    result_of_refusal,
)
from leeward.adapter.wire import Request, Response
from leeward.calls import AbortRun, FoundRun, GetRun, Result, StartRun
from leeward.errors import Outcome
from leeward.text import percent_encode
from leeward.workflow.kit import ORCHESTRATOR, UNKNOWN
from leeward_azure.service import retry_after
from leeward_azure.settings.services import Workflows

PATH: Final = "/runtime/webhooks/durabletask"
GONE: Final = 410
"""The status of the extension's answer for an instance that has ended already."""

_STATES: Final = {
    "Pending": "running",
    "Running": "running",
    "ContinuedAsNew": "running",
    "Suspended": "running",
    "Completed": "succeeded",
    "Failed": "failed",
    "Terminated": "aborted",
    "Canceled": "aborted",
}
_BARE: Final[Mapping[int, Classification]] = {
    401: AUTH,
    403: AUTH,
    404: NOT_FOUND,
    409: CONFLICT,
}
_OFFLINE: Final = b"Function host is not running."
_SCALE_OUT: Final = "x-function-scaleout"
"""The header of the host's own throttling."""


def runs(configured: Workflows) -> dict[str, Planner]:
    """Return the planners of runs."""
    return planners_of(configured, start_run=start, get_run=get, abort_run=abort)


def start(configured: Workflows, call: StartRun, view: View) -> Plan:
    """Start an instance, unless there is one of this run."""
    looked = yield from _look(configured, call, view, effect=False, first=True)
    if looked.outcome is not Outcome.OK:
        return looked
    if looked.value is not None:
        return already_there(call, looked)
    body = f'{{"digest":"{call.digest}","input":{call.input.decode()}}}'.encode()
    target = f"{PATH}/orchestrators/{ORCHESTRATOR}/{_instance(call)}"
    request = Request("POST", configured.origin, target, JSON, body)
    response, refusal = yield from _service(configured).exchange(request, view)
    if refusal is not None and refusal.outcome is Outcome.CONFLICT:
        looked = yield from _look(configured, call, view, effect=False)
        return already_there(call, looked)
    if refusal is not None:
        return refusal
    if response.status != 202:
        return ambiguous(response, UNEXPECTED)
    return Result.ok(FoundRun("running", call.input, view.now, digest=call.digest))


def get(configured: Workflows, call: GetRun, view: View) -> Plan:
    """Look at an instance."""
    return (yield from _look(configured, call, view))


def abort(configured: Workflows, call: AbortRun, view: View) -> Plan:
    """Terminate an instance; one that has ended stays as it is."""
    target = f"{PATH}/instances/{_instance(call)}/terminate?reason=aborted"
    request = Request("POST", configured.origin, target)
    response, refusal = yield from _service(configured).exchange(request, view)
    if refusal is None or response.status == GONE:
        return Result.ok(True)
    return _absent(refusal)


def _look(
    configured: Workflows,
    call: StartRun | GetRun,
    view: View,
    *,
    effect: bool = True,
    first: bool = False,
) -> Generator[Step, Any, Result[Any]]:
    """Return how a look at an instance has ended: with a `FoundRun`, or None for none.

    Where it comes `first`, before the request that counts, its failure proves that nothing was
    done.
    """
    target = f"{PATH}/instances/{_instance(call)}?showInput=true"
    request = Request("GET", configured.origin, target)
    answer = yield from _service(configured).exchange(request, view, effect=effect)
    response, refusal = answer.as_look_up() if first else answer
    if refusal is not None:
        return _absent(refusal)
    try:
        document = object_of(response)
        state: Any = _STATES[document["runtimeStatus"]]
        given = document["input"]
        # The extension tells a text that is JSON as the text or as the JSON, by its version.
        given = json_text.decode(given.encode()) if isinstance(given, str) else given
        ended = None if state == "running" else _seconds(document["lastUpdatedTime"])
        return Result.ok(
            FoundRun(
                state,
                json_text.encode(given["input"]),
                _seconds(document["createdTime"]),
                ended,
                document.get("output") if state == "succeeded" else None,
                _error(document.get("output")) if state == "failed" else None,
                digest=given["digest"],
            )
        )
    except (ValueError, TypeError, KeyError) as error:
        return misread(response, error)


def _absent(refusal: Result[Any]) -> Result[Any]:
    """Return None for an instance that is not there."""
    return Result.ok(None) if refusal.outcome is Outcome.NOT_FOUND else refusal


def _error(output: Any) -> str:
    """Return the name of the error: of what an orchestrator raises, the text alone is told."""
    match = re.search(r"failed: ([A-Za-z_][\w.-]{0,79})", str(output))
    return match[1] if match else UNKNOWN


def _seconds(text: Any) -> float:
    """Read a time of the extension's, which may have seven digits of a second."""
    short = re.sub(r"(\.[0-9]{6})[0-9]+", r"\1", str(text))
    return datetime.fromisoformat(short).timestamp()


def _instance(call: StartRun | GetRun | AbortRun) -> str:
    return percent_encode(f"{call.workflow}:{call.run}")


def _service(configured: Workflows) -> Service:
    key = (("x-functions-key", configured.key),)

    def authorize(request: Request, _credential: Any, _now: float) -> Request:
        return request._replace(headers=request.headers + key)

    return Service(None, _refusal, authorize=authorize)


def _refusal(response: Response, now: float) -> Result[Any]:
    return result_of_refusal(response, now, judge(response), None, wait=retry_after)


def judge(response: Response) -> Classification:
    """Return what a refusal means."""
    status, body = response.status, response.body.strip()
    if status == 503 and body == _OFFLINE:
        return REJECTED
    if status == 429 and _SCALE_OUT in response.headers:
        return REJECTED
    ours = not body or any(name.lower() == "message" for name in error_in(response))
    if status == 400 and ours and body:
        return CALLER
    return _BARE.get(status, AMBIGUOUS) if ours else AMBIGUOUS
