"""Exceptions of the libraries of clouds: boto3, azure-core and google-api-core."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pkgutil import get_data
from typing import Any, Final

from leeward_ran import http
from leeward_ran.evidence import Evidence
from leeward_ran.frames import (
    Frame,
    frames_in,
    frames_of,
    is_of_handshake,
    kinds_of,
    library_of,
    why_by_class,
)

REFUSALS: Final[Mapping[str, frozenset[str]]] = {
    whose: frozenset(codes.split())
    for whose, codes in json.loads(get_data("leeward_ran", "refusals.json") or b"").items()
}
"""Codes and status words with which services of AWS and Google refuse before anything runs. The
adapters of leeward have tables that say more; a test holds that these agree with them."""

AZURE_SENT_BEFORE: Final = Evidence(
    "maybe", "azure-core may have sent the request before; retry_total=0 turns its retries off"
)

AZURE_MARKS: Final = ("x-ms-request-id", "x-ms-activity-id", "x-ms-error-code")
"""Headers of Azure's own answers; that of a proxy has none."""

AZURE_STATUSES: Final = frozenset({400, 401, 403, 404, 409, 412, 413, 429})
"""What Azure's services refuse with before anything runs; see `leeward_azure.errors`."""

_CAUSES: Final = {
    "aiohttp": http.judge_aiohttp,
    "requests": http.judge_requests,
    "urllib3": http.judge_urllib3,
}

BOTOCORE_SENT_BEFORE: Final = Evidence(
    "maybe",
    'botocore had sent the request before; Config(retries={"total_max_attempts": 1}) turns its '
    "retries off",
)

BOTOCORE_NEVER_LEFT: Final = {
    "ConnectTimeoutError": "no connection could be made in time",
    "EndpointConnectionError": "no connection could be made",
    "ParamValidationError": "an argument is wrong",
    "NoCredentialsError": "there are no credentials",
    "PartialCredentialsError": "there are no credentials",
    "CredentialRetrievalError": "there are no credentials",
    "TokenRetrievalError": "there are no credentials",
    "NoRegionError": "there is no region",
    "UnknownServiceError": "there is no such service",
    "InvalidRegionError": "there is no such region",
    "InvalidEndpointConfigurationError": "the endpoint is wrong",
}


def judge_botocore(error: Any) -> Evidence | None:
    """Return what an exception of boto3 or botocore proves, by `REFUSALS`.

    A client of boto3 retries by itself, a POST too. `RetryAttempts` in an answer says how often,
    and so does the frame that sends.
    """
    if "ClientError" in kinds_of(error):
        return _of_aws_answer(error)
    why = why_by_class(BOTOCORE_NEVER_LEFT, error)
    if "ProxyConnectionError" in kinds_of(error):  # of a lost answer, too, behind a proxy
        why = http.why_nothing_left(error.kwargs.get("error"))
    elif why is None and is_of_handshake(error):
        why = "TLS came to no connection"
    if why is None:
        return http.MAY_HAVE_LEFT
    if _botocore_may_have_sent_before(error):
        return BOTOCORE_SENT_BEFORE
    return Evidence("no", why)


def _of_aws_answer(error: Any) -> Evidence:
    """Return what an error answer proves: the service's table has its code."""
    metadata = error.response.get("ResponseMetadata", {})
    if metadata.get("RetryAttempts") != 0 or _botocore_may_have_sent_before(error):
        return BOTOCORE_SENT_BEFORE
    call = frames_in(error, "botocore.client", "_make_api_call")[-1]
    if _is_sent_by_others(call):
        return Evidence("maybe", "code inside of botocore has sent the request, how often it knows")
    details = error.response.get("Error", {})
    code = str(details.get("Code", "")).rpartition("#")[2]
    status = metadata.get("HTTPStatusCode")
    if not re.fullmatch(r"[A-Za-z][A-Za-z0-9._-]{0,99}", code):  # it is nothing that names an error
        return http.of_status(status, metadata.get("HTTPHeaders"))
    known = REFUSALS.get(f"aws, {call.values['self'].meta.service_model.service_name}")
    if code in REFUSALS["aws, of any service"] or code in (known or ()):
        return _refuses(code)
    # Before anything runs, too; botocore reads the id from the service's own header.
    is_status_proof = known is not None and status in (413, 429) and "RequestId" in metadata
    if is_status_proof and code not in REFUSALS["aws, in doubt whatever the status"]:
        return _refuses(code)
    return Evidence("maybe", f"{code} proves nothing")


def _is_sent_by_others(call: Frame) -> bool:
    """Return whether a handler or a session of others may send; moto acts in a service's place."""
    if (client := call.values.get("self")) is None:  # its frame is cleared
        return True
    service = client.meta.service_model.service_id.hyphenize()
    handlers = vars(vars(client.meta.events)["_emitter"])["_handlers"]
    found = handlers.prefix_search(f"before-send.{service}.{call.values['operation_name']}")
    senders = (vars(client)["_endpoint"].http_session, *found)
    return any(library_of(sender) not in ("botocore", "moto") for sender in senders)


def _botocore_may_have_sent_before(error: BaseException) -> bool:
    """Return whether an attempt may have come before the last one."""
    # The outer one is of the call, an inner one of its credentials.
    sending = frames_in(error, "botocore.endpoint", "_send_request")
    if sending:
        return any(frame.values.get("attempts") != 1 for frame in sending)
    return not frames_in(error, "botocore.client", "_make_api_call")


def judge_azure(error: BaseException) -> Evidence | None:
    """Return what an exception of azure-core or the libraries above it proves.

    `ServiceRequestError` is raised for some failures after the request was sent, so what it came
    from decides. Retries of the pipeline are on by default.
    """
    kinds = kinds_of(error, "azure.core.")
    response = getattr(error, "response", None) if "HttpResponseError" in kinds else None
    if response is None and not kinds & {"ServiceRequestError", "ServiceResponseError"}:
        return Evidence("maybe", "it is not known what this exception proves")
    found = _judge_azure_attempt(error, response)
    is_known = any(_shows_earlier_attempts(frame) for frame in frames_of(error))
    return AZURE_SENT_BEFORE if found.ran == "no" and not is_known else found


def _judge_azure_attempt(error: BaseException | None, response: Any) -> Evidence:
    """Return what one attempt proves, by its answer or else by its error."""
    if response is None:
        inner: Any = getattr(error, "inner_exception", None) or getattr(error, "__cause__", None)
        cause = _CAUSES.get(library_of(inner)) if isinstance(inner, BaseException) else None
        found = None if cause is None else cause(inner)
        return found or http.MAY_HAVE_LEFT
    status, headers = response.status_code, response.headers
    if not any(headers.get(mark) for mark in AZURE_MARKS):
        return Evidence("maybe", f"a status {status} without an id of the service may be a proxy's")
    if status not in AZURE_STATUSES:
        return Evidence("maybe", f"the status {status} proves nothing")
    if response.request.method == "GET":
        return Evidence("maybe", "a redirect may have made a GET of a request that was answered")
    answer = vars(response).get("internal_response") or vars(response).get("_internal_response")
    if library_of(answer) == "requests" and not http.is_first(answer):
        return AZURE_SENT_BEFORE
    return _refuses(f"the status {status} of the service")


def _shows_earlier_attempts(frame: Frame) -> bool:
    """Return whether a frame of the pipeline has the history of its retries."""
    return "history" in (frame.values.get("retry_settings") or ()) or (
        frame.values.get("pipeline_response") is not None
    )


def azure_proves_all(frame: Frame) -> bool:
    """Return whether a frame of the pipeline proves that no earlier request of the call ran."""
    is_retry = "retry_settings" in frame.values
    if frame.function == "send" and not is_retry and frame.values.get("response") is not None:
        return False  # a redirect, or a login that was asked for once more
    history = (frame.values.get("retry_settings") or {}).get("history", ())
    if (answer := frame.values.get("pipeline_response")) is not None:
        history = answer.context.get("history", ())
    attempts = [_judge_azure_attempt(each.error, each.http_response) for each in history]
    return all(attempt.ran == "no" for attempt in attempts)


def judge_google(error: BaseException) -> Evidence | None:
    """Return what an exception of google-api-core or google-auth proves."""
    kinds = kinds_of(error, "google.api_core.", "google.auth.")
    if "GoogleAuthError" in kinds and _has_earlier_answer(error):
        return Evidence("maybe", "google-auth had sent the request before, and got an answer")
    if kinds & {"TransportError", "RetryError"}:
        return None  # its cause is of the client that sent a request, or of the last attempt
    if "GoogleAuthError" in kinds:
        return Evidence("no", "there is no token")
    if "GoogleAPICallError" in kinds:
        return _of_google_answer(error)
    return Evidence("maybe", "it is not known what this exception proves")


def _has_earlier_answer(error: BaseException) -> bool:
    """Return whether a token failed to come after an answer that asked for another one.

    It is not known, either, where the traceback is lost.
    """
    sending = frames_in(error, "google.auth.", "request", "urlopen")
    was_answered = any(frame.values.get("response") is not None for frame in sending)
    return was_answered or not frames_in(error, "google.")


def _of_google_answer(error: Any) -> Evidence:
    """Return what an answer of a service proves, by its status word.

    A channel of gRPC shows neither its retries nor its interceptors, so its answers are any one's.
    """
    if library_of(error.response) == "grpc":
        return Evidence("maybe", "the channel of gRPC may have sent the request before")
    if library_of(error.response) == "requests" and not http.is_first(error.response):
        return Evidence("maybe", "the client had sent another request before, and got an answer")
    word = _word_in(error)
    if word in REFUSALS["google"]:
        return _refuses(str(word))
    return Evidence("maybe", f"{word or error.code} proves nothing")


def _word_in(error: Any) -> str | None:
    """Return the status word of an answer; the class of the exception tells only its status."""
    try:
        found = error.response.json()["error"]["status"]
    except (AttributeError, KeyError, TypeError, ValueError):  # a proxy's answer, or none at all
        return None
    return found if isinstance(found, str) else None


def _refuses(what: str) -> Evidence:
    return Evidence("no", f"{what} is given before anything runs")
