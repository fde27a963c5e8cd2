"""Exceptions of boto3 and botocore, by the tables of leeward-aws.

A client of boto3 retries by itself, a POST too. `RetryAttempts` in an answer says how often, and so
does the frame that sends. ``Config(retries={"total_max_attempts": 1})`` turns retries off.
"""

from __future__ import annotations

from typing import Any, Final

from leeward.adapter.classification import AMBIGUOUS, code_in
from leeward.evidence import Evidence
from leeward_integrations.ran.frames import (
    frames_in,
    frames_of,
    is_of_handshake,
    kinds_of,
    why_by_class,
)
from leeward_integrations.ran.statuses import MAY_HAVE_LEFT, of_classification, of_status, tables_of

SENT_BEFORE: Final = Evidence(
    "maybe",
    'botocore had sent the request before; Config(retries={"total_max_attempts": 1}) turns its '
    "retries off",
)

NEVER_LEFT: Final = {
    "ConnectTimeoutError": "no connection could be made in time",
    "EndpointConnectionError": "no connection could be made",
    "ProxyConnectionError": "the proxy made no connection",
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


def judge_botocore(error: BaseException) -> Evidence | None:
    """Return what an exception of botocore proves."""
    if "ClientError" in kinds_of(error):
        return _of_answer(error)
    why = why_by_class(NEVER_LEFT, error)
    if why is None and is_of_handshake(error):
        why = "TLS came to no connection"
    if why is None:
        return MAY_HAVE_LEFT
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
    calls = frames_in(error, "botocore.client", "_make_api_call")
    model = getattr(calls[-1].values.get("self"), "meta", None) if calls else None
    return getattr(getattr(model, "service_model", None), "service_name", None)


def _may_have_sent_before(error: BaseException) -> bool:
    """Return whether an attempt may have come before the last one."""
    if any(frame.module in MANY_REQUESTS for frame in frames_of(error)):
        return True
    # The outer one is of the call, an inner one of its credentials.
    sending = frames_in(error, "botocore.endpoint", "_send_request")
    if sending:
        return any(frame.values.get("attempts") != 1 for frame in sending)
    return not frames_in(error, "botocore.client", "_make_api_call")
