"""Whether a request may be believed: Signature Version 4 from the receiving end.

botocore computes what the signature should be. Source of the rules: "Signature Version 4 signing
process" in the AWS General Reference.
"""

from __future__ import annotations

import calendar
import hmac
import re
import time
from collections.abc import Mapping
from importlib import import_module
from typing import Any, Final, NamedTuple

from tests.servers.answering import Executed
from tests.servers.aws.refused import Refused

_AUTHORIZATION: Final = re.compile(
    r"AWS4-HMAC-SHA256 Credential=([^/, ]+)/(\d{8})/([^/, ]+)/([^/, ]+)/aws4_request, ?"
    r"SignedHeaders=([a-z0-9;_-]+), ?Signature=([0-9a-f]{64})"
)

_SKEW: Final = 300
"""Seconds by which a request's time may differ from the server's."""

_UNKNOWN: Final = "The security token included in the request is invalid."
_MISMATCH: Final = "The request signature we calculated does not match the one you provided."


class Key(NamedTuple):
    """What belongs to an access key; `until` is when it expires, in Unix seconds."""

    secret: str
    token: str | None = None
    until: float | None = None


class Scope(NamedTuple):
    """What a signature has to be good for."""

    service: str
    region: str


def check(request: Executed, keys: Mapping[str, Key], scope: Scope, now: float) -> None:
    """Believe the request, or raise.

    Args:
        request: as it came.
        keys: the access keys that exist.
        scope: of the service that was asked.
        now: Unix seconds, by the service's clock.

    Raises:
        Refused: as AWS refuses it.
    """
    headers = {name.lower(): value for name, value in request.headers}
    if "authorization" not in headers:
        raise Refused(403, "MissingAuthenticationTokenException", "Missing Authentication Token")
    parts = _AUTHORIZATION.fullmatch(headers["authorization"])
    if parts is None or "host" not in (signed := parts[5].split(";")):
        raise Refused(403, "IncompleteSignatureException", "The signature is incomplete.")
    key = _known(keys, parts[1], headers.get("x-amz-security-token"), now)
    stamp = headers.get("x-amz-date", "")
    _check_time(stamp, now)
    if (parts[2], parts[3], parts[4]) != (stamp[:8], scope.region, scope.service):
        raise Refused(403, "InvalidSignatureException", "Credential has a wrong scope.")
    kept = {name: headers[name] for name in signed if name in headers}
    if not hmac.compare_digest(parts[6], _signature(request, kept, key, scope, stamp)):
        raise Refused(403, "InvalidSignatureException", _MISMATCH)


def _known(keys: Mapping[str, Key], name: str, token: str | None, now: float) -> Key:
    key = keys.get(name)
    if key is None or key.token != token:
        raise Refused(403, "UnrecognizedClientException", _UNKNOWN)
    if key.until is not None and key.until <= now:
        raise Refused(403, "ExpiredTokenException", "The security token is expired.")
    return key


def _check_time(stamp: str, now: float) -> None:
    if re.fullmatch(r"\d{8}T\d{6}Z", stamp) is None:
        raise Refused(403, "IncompleteSignatureException", "X-Amz-Date is missing or malformed.")
    then = calendar.timegm(time.strptime(stamp, "%Y%m%dT%H%M%SZ"))
    if then < now - _SKEW:
        raise Refused(403, "InvalidSignatureException", f"Signature expired: {stamp}")
    if then > now + _SKEW:
        raise Refused(403, "InvalidSignatureException", f"Signature not yet current: {stamp}")


def _signature(
    request: Executed, headers: Mapping[str, str], key: Key, scope: Scope, stamp: str
) -> str:
    """Give what botocore would have signed, over the headers that were signed."""
    theirs: Any = import_module("botocore.awsrequest").AWSRequest(
        request.method,
        f"http://{headers['host']}{request.target}",
        headers=dict(headers),
        data=request.body,
    )
    theirs.context["timestamp"] = stamp
    credentials = import_module("botocore.credentials").Credentials("", key.secret, key.token)
    signer: Any = import_module("botocore.auth").SigV4Auth(credentials, *scope)
    canonical = signer.canonical_request(theirs)
    signature: str = signer.signature(signer.string_to_sign(theirs, canonical), theirs)
    return signature
