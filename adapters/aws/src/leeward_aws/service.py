"""Ask AWS: how a request is signed, and what a refusal means, for each of its services."""

from __future__ import annotations

from binascii import crc32
from collections.abc import Mapping
from functools import partial
from typing import Any, Final

from leeward import json_text
from leeward.adapter.service import (
    Service,
    error_in,
    number_in,
    plausible_wait,
    result_of_refusal,
    wait_in,
)
from leeward.adapter.wire import Request, Response
from leeward.calls import Result
from leeward.records import NamedTuple
from leeward_aws.errors import MAY_BE_SKEW, error_code, error_message, outcome_of
from leeward_aws.identity.credentials import ACCESS_KEY
from leeward_aws.identity.signing import Scope, sign
from leeward_aws.settings.endpoints import ServiceName
from leeward_aws.settings.options import Settings

REQUEST_ID: Final = "x-amzn-requestid"
"""The header with a service's id of the request."""

S3_REQUEST_ID: Final = "x-amz-request-id"
"""The same, of S3."""

TOLERATED_SKEW: Final = 240.0
"""Seconds by which a clock may be wrong before it is to blame for a refused signature. Services
take five minutes; AWS's own SDK for Go (its package `aws/retry`) looks from four minutes on."""


_JSON_SERVICES: Final[Mapping[str, tuple[str, str]]] = {
    "dynamodb": ("1.0", "DynamoDB_20120810"),
    "events": ("1.1", "AWSEvents"),
    "logs": ("1.1", "Logs_20140328"),
    "sqs": ("1.0", "AmazonSQS"),
    "states": ("1.0", "AWSStepFunctions"),
}
"""The services that are asked in JSON: the version of that protocol, and their name in it."""


class Endpoint(NamedTuple):
    """Where one service of one target is asked, and how.

    Attributes:
        origin: ``https://host``.
        service: how it is asked.
        protocol: as `_JSON_SERVICES` has it; empty for a service that has paths.
    """

    origin: str
    service: Service
    protocol: tuple[str, str] = ("", "")

    def request(self, operation: str, document: Mapping[str, Any]) -> Request:
        """Return the request of an operation, for a service that is asked in JSON."""
        version, name = self.protocol
        headers = (
            ("Content-Type", f"application/x-amz-json-{version}"),
            ("X-Amz-Target", f"{name}.{operation}"),
        )
        return Request("POST", self.origin, "/", headers, json_text.encode(document))


def endpoint_of(service: ServiceName, settings: Settings) -> Endpoint:
    """Return the endpoint of `service` for a target with these settings."""
    scope = Scope(service, settings.region)

    def sign_request(request: Request, credentials: Any, now: float) -> Request:
        return sign(request, credentials, scope, now)

    way = Service(
        ACCESS_KEY,
        partial(_refusal, service),
        S3_REQUEST_ID if service == "s3" else REQUEST_ID,
        sign_request,
        lambda refusal, _: refusal.code in MAY_BE_SKEW,
        TOLERATED_SKEW,
        _has_wrong_checksum,
    )
    protocol = _JSON_SERVICES.get(service, ("", ""))
    return Endpoint(settings.endpoints[service], way, protocol)


def _refusal(service: ServiceName, response: Response, now: float) -> Result[Any]:
    code = error_code(response)
    request_id = S3_REQUEST_ID if service == "s3" else REQUEST_ID
    marked, said = request_id in response.headers, error_message(response)
    meaning = outcome_of(service, response.status, code, said, marked=marked)
    return result_of_refusal(response, now, meaning, code, request_id, wait=_retry_after)


def _has_wrong_checksum(response: Response) -> bool:
    """Compare the checksum that DynamoDB sends, of the body as it was on the wire."""
    checksum = response.headers.get("x-amz-crc32")
    if checksum is None or "content-encoding" in response.headers:
        return False
    return checksum.strip() != str(crc32(response.body))


def _retry_after(response: Response, now: float) -> float | None:
    """Return the seconds that the service asks to wait; None for none, or for nonsense."""
    headers = response.headers
    if "x-amz-retry-after" in headers:
        milliseconds = number_in(headers["x-amz-retry-after"])
        return plausible_wait(None if milliseconds is None else milliseconds / 1000)
    return wait_in(headers.get("retry-after") or _read_code(response), now)


def _read_code(response: Response) -> str:
    """Return what Lambda's throttling says, where the header did not come through."""
    if b"retryAfterSeconds" not in response.body:
        return ""
    return str(error_in(response).get("retryAfterSeconds"))
