"""Exceptions of azure-core and the libraries above it.

`ServiceRequestError` is raised for some failures after the request was sent, so what it came from
decides. Retries of the pipeline are on by default; ``retry_total=0`` turns them off.
"""

from __future__ import annotations

from typing import Any, Final

from leeward.adapter.classification import AUTH, CALLER, CONFLICT, NOT_FOUND, REJECTED, TOO_LARGE
from leeward.evidence import Evidence
from leeward_integrations.ran.frames import Frame, frames_of, kinds_of, library_of
from leeward_integrations.ran.http import is_first, judge_aiohttp, judge_requests, judge_urllib3
from leeward_integrations.ran.statuses import MAY_HAVE_LEFT, of_classification

SENT_BEFORE: Final = Evidence(
    "maybe", "azure-core may have sent the request before; retry_total=0 turns its retries off"
)

MARKS: Final = ("x-ms-request-id", "x-ms-activity-id", "x-ms-error-code")
"""Headers of the services' own answers; that of a proxy has none."""

STATUSES: Final = {
    400: CALLER,
    401: AUTH,
    403: AUTH,
    404: NOT_FOUND,
    409: CONFLICT,
    412: CONFLICT,
    413: TOO_LARGE,
    429: REJECTED,
}
"""What the services refuse with before anything runs; see `leeward_azure.errors`."""

_CAUSES: Final = {"aiohttp": judge_aiohttp, "requests": judge_requests, "urllib3": judge_urllib3}


def judge_azure(error: BaseException) -> Evidence | None:
    """Return what an exception of azure-core proves."""
    kinds = kinds_of(error, "azure.core.")
    response = getattr(error, "response", None) if "HttpResponseError" in kinds else None
    if response is None and not kinds & {"ServiceRequestError", "ServiceResponseError"}:
        return Evidence("maybe", "it is not known what this exception proves")
    found = _judge_attempt(error, response)
    is_known = any(shows_earlier_attempts(frame) for frame in frames_of(error))
    return SENT_BEFORE if found.ran == "no" and not is_known else found


def _judge_attempt(error: BaseException | None, response: Any) -> Evidence:
    """Return what one attempt proves, by its answer or else by its error."""
    if response is None:
        inner: Any = getattr(error, "inner_exception", None) or getattr(error, "__cause__", None)
        cause = _CAUSES.get(library_of(inner)) if isinstance(inner, BaseException) else None
        found = None if cause is None else cause(inner)
        return found or MAY_HAVE_LEFT
    status, headers = response.status_code, response.headers
    if not any(headers.get(mark) for mark in MARKS):
        return Evidence("maybe", f"a status {status} without an id of the service may be a proxy's")
    if status not in STATUSES:
        return Evidence("maybe", f"the status {status} proves nothing")
    if response.request.method == "GET":
        return Evidence("maybe", "a redirect may have made a GET of a request that was answered")
    answer = vars(response).get("internal_response") or vars(response).get("_internal_response")
    if library_of(answer) == "requests" and not is_first(answer):
        return SENT_BEFORE
    return of_classification(STATUSES[status], f"the status {status} of the service")


def shows_earlier_attempts(frame: Frame) -> bool:
    """Return whether a frame of the pipeline has the history of its retries."""
    return "history" in (frame.values.get("retry_settings") or ()) or (
        frame.values.get("pipeline_response") is not None
    )


def proves_all(frame: Frame) -> bool:
    """Return whether a frame of the pipeline proves that no earlier request of the call ran."""
    if frame.module.endswith(("uploads", "uploads_async")):  # in parts, of which one may hold
        return False
    if (frame.values.get("redirect_settings") or {}).get("history"):
        return False
    history = (frame.values.get("retry_settings") or {}).get("history", ())
    if (answer := frame.values.get("pipeline_response")) is not None:
        history = answer.context.get("history", ())
    attempts = [_judge_attempt(each.error, each.http_response) for each in history]
    return all(attempt.ran == "no" for attempt in attempts)
