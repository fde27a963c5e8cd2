"""Exceptions of azure-core and the libraries above it.

`ServiceRequestError` is raised for some failures after the request was sent, so what it came from
decides. Retries of the pipeline are on by default; ``retry_total=0`` turns them off.
"""

from __future__ import annotations

from typing import Any, Final

from leeward.adapter.classification import AUTH, CALLER, CONFLICT, NOT_FOUND, REJECTED, TOO_LARGE
from leeward.evidence import Evidence
from leeward_integrations.ran import aiohttp, requests, urllib3
from leeward_integrations.ran.frames import frames_of, kinds_of, library_of
from leeward_integrations.ran.statuses import of_classification

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

_CAUSES: Final = {"aiohttp": aiohttp.judge, "requests": requests.judge, "urllib3": urllib3.judge}


def judge(error: BaseException) -> Evidence | None:
    """Return what an exception of azure-core proves."""
    kinds = kinds_of(error)
    if "HttpResponseError" in kinds and getattr(error, "response", None) is not None:
        return _of_answer(error)
    if not kinds & {"ServiceRequestError", "ServiceResponseError"}:
        return Evidence("maybe", "it is not known what this exception proves")
    inner: Any = getattr(error, "inner_exception", None) or error.__cause__
    cause = _CAUSES.get(library_of(inner)) if isinstance(inner, BaseException) else None
    found = None if cause is None else cause(inner)
    if found is None or found.ran != "no":
        return found or Evidence("maybe", "the request may have left before the connection failed")
    return SENT_BEFORE if _sent_before(error) else found


def _of_answer(error: Any) -> Evidence:
    """Return what an error answer proves."""
    status, headers = error.response.status_code, error.response.headers
    if not any(headers.get(mark) for mark in MARKS):
        return Evidence("maybe", f"a status {status} without an id of the service may be a proxy's")
    if status not in STATUSES:
        return Evidence("maybe", f"the status {status} proves nothing")
    if _sent_before(error):
        return SENT_BEFORE
    return of_classification(STATUSES[status], f"the status {status} of the service")


def _sent_before(error: BaseException) -> bool:
    """Return whether the pipeline may have sent the request before; its frames hold the history."""
    for frame in frames_of(error):
        settings, answer = frame.values.get("retry_settings"), frame.values.get("pipeline_response")
        if isinstance(settings, dict) and "history" in settings:
            return bool(settings["history"])
        if answer is not None:
            return bool(answer.context.get("history"))
    return True
