"""Exceptions of boto3 and botocore, by the tables of leeward-aws.

A client of boto3 retries by itself, a POST too. `RetryAttempts` in an answer says how often, and so
does the frame that sends. ``Config(retries={"total_max_attempts": 1})`` turns retries off.
"""

from __future__ import annotations

from typing import Any, Final

from leeward.adapter.classification import AMBIGUOUS, code_in
from leeward.evidence import Evidence
from leeward_integrations.ran import urllib3
from leeward_integrations.ran.frames import frames_of, is_of_handshake, kinds_of, last_frame
from leeward_integrations.ran.statuses import of_classification, of_status, tables_of

SENT_BEFORE: Final = Evidence(
    "maybe",
    'botocore had sent the request before; Config(retries={"total_max_attempts": 1}) turns its '
    "retries off",
)

NEVER_LEFT: Final = {
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

MANY_REQUESTS: Final = frozenset({"boto3.dynamodb.table", "boto3.resources.collection"})
"""Modules of boto3 that send several requests in one call, such as `batch_writer`."""


def judge(error: Any) -> Evidence | None:
    """Return what an exception of botocore proves."""
    kinds = kinds_of(error)
    if "ClientError" in kinds:
        return _of_answer(error)
    why = next((why for kind, why in NEVER_LEFT.items() if kind in kinds), None)
    if "ProxyConnectionError" in kinds:  # of a lost answer, too, where a proxy is in between
        why = urllib3.why_nothing_left(error.kwargs.get("error"))
    elif why is None and is_of_handshake(error):
        why = "TLS came to no connection"
    if why is None:
        return Evidence("maybe", "the request may have left before the connection failed")
    if _may_have_sent_before(error):
        return SENT_BEFORE
    return Evidence("no", why)


def _of_answer(error: Any) -> Evidence:
    """Return what an error answer proves: the service's table has its code."""
    if (errors := tables_of("leeward_aws.errors")) is None:
        return Evidence("maybe", "leeward-aws, which has the tables of codes, is not installed")
    metadata = error.response.get("ResponseMetadata", {})
    if metadata.get("RetryAttempts") != 0 or _may_have_sent_before(error):
        return SENT_BEFORE
    details = error.response.get("Error", {})
    code = code_in(str(details.get("Code", "")).rpartition("#")[2])
    status = metadata.get("HTTPStatusCode")
    if code is None:
        return of_status(status, metadata.get("HTTPHeaders"))
    service = _service_of(error)
    if service in errors.SERVICES:
        text = str(details.get("Message", ""))
        return of_classification(errors.outcome_of(service, status or 0, code, text), code)
    return of_classification(errors.COMMON.get(code, AMBIGUOUS), code)


def _service_of(error: BaseException) -> Any:
    """Return the name of the service that was called; None where the traceback is lost."""
    frame = last_frame(error, "botocore.client", "_make_api_call")
    model = getattr(frame.values.get("self"), "meta", None) if frame is not None else None
    return getattr(getattr(model, "service_model", None), "service_name", None)


def _may_have_sent_before(error: BaseException) -> bool:
    """Return whether an attempt may have come before the last one."""
    frames = list(frames_of(error))
    if any(frame.module in MANY_REQUESTS for frame in frames):
        return True
    sending = [
        frame.values.get("attempts")
        for frame in frames
        if frame.module == "botocore.endpoint" and frame.function == "_send_request"
    ]
    if sending:
        return set(sending) != {1}  # the outer one is of the call, an inner one of its credentials
    return last_frame(error, "botocore.client", "_make_api_call") is None
