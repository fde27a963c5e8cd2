"""Signature Version 4, as a pure function of a request, a key and a time.

Source: "Signature Version 4 signing process" in the AWS General Reference. What it leaves open
(which headers are not signed, how white space is folded) is done as botocore does it. S3 takes the
path as it is, and wants a header with the hash of the body, which is then not hashed again.
"""

from __future__ import annotations

import hmac
import time
from functools import lru_cache
from hashlib import sha256
from typing import TYPE_CHECKING, Final

from leeward.adapter.wire import Request
from leeward.records import NamedTuple
from leeward.text import percent_encode
from leeward_aws.identity.credentials import Credentials

if TYPE_CHECKING:
    from hashlib import _Hash

ALGORITHM: Final = "AWS4-HMAC-SHA256"

_REPLACED: Final = frozenset({"authorization", "x-amz-date", "x-amz-security-token"})

_UNSIGNED: Final = frozenset(
    """
    baggage connection expect keep-alive proxy-authenticate proxy-authorization te traceparent
    tracestate trailer transfer-encoding upgrade user-agent x-amzn-trace-id
    """.split()
)
"""Headers that a proxy or a tracer may change on the way (botocore's list)."""

_MONTHS: Final = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split()


class Scope(NamedTuple):
    """What a signature is good for: one service, by its signing name, in one region."""

    service: str
    region: str


def sign(request: Request, credentials: Credentials, scope: Scope, now: float) -> Request:
    """Return `request` with `X-Amz-Date`, `Authorization` and, for a token, `X-Amz-Security-Token`.

    Headers of these names that are there already are replaced, so a signed request can be signed
    again. Everything else stays as it is: the target goes out byte for byte, percent-encoded by
    the caller.

    Args:
        request: as it will be sent; the transport's `Host` follows from its origin.
        credentials: whose signature.
        scope: for what.
        now: Unix seconds, by the service's clock.
    """
    stamp = _stamp(int(now))
    ours = [("X-Amz-Date", stamp)]
    if credentials.token:
        ours.append(("X-Amz-Security-Token", credentials.token))
    kept, values = _split_headers(request, ours)
    in_order = sorted(values)
    names = ";".join(in_order)
    lines = "\n".join([f"{name}:{values[name]}" for name in in_order])
    path, _, query = request.target.partition("?")
    is_hashed = scope.service != "s3"
    hashed = _sha256(request.body) if is_hashed else values["x-amz-content-sha256"]
    path = _canonical_path(path) if is_hashed else path
    canonical = (
        f"{request.method}\n{path}\n{query and _canonical_query(query)}\n"
        f"{lines}\n\n{names}\n{hashed}"
    )
    place = f"{stamp[:8]}/{scope.region}/{scope.service}/aws4_request"
    # HMAC (RFC 2104) by its two hashes, each with its half of the key in it already.
    inner, outer = _signing_key(credentials.secret_key, stamp[:8], scope.region, scope.service)
    inner, outer = inner.copy(), outer.copy()
    inner.update(f"{ALGORITHM}\n{stamp}\n{place}\n{_sha256(canonical.encode())}".encode())
    outer.update(inner.digest())
    signature = outer.hexdigest()
    authorization = (
        f"{ALGORITHM} Credential={credentials.access_key}/{place}, "
        f"SignedHeaders={names}, Signature={signature}"
    )
    headers = (*kept, *ours, ("Authorization", authorization))
    return Request(request.method, request.origin, request.target, headers, request.body)


def _split_headers(
    request: Request, ours: list[tuple[str, str]]
) -> tuple[list[tuple[str, str]], dict[str, str]]:
    """Return the headers of `request` to keep, and those to sign, `ours` too, by lower-case name.

    In a value to sign, white space is folded; a repeated header has all its values, in order.
    """
    kept = []
    values = {name.lower(): value for name, value in ours}
    values["host"] = _host(request.origin)
    for header in request.headers:
        name = header[0].lower()
        if name in _REPLACED:
            continue
        kept.append(header)
        if name not in _UNSIGNED:
            folded = " ".join(header[1].split())
            values[name] = f"{values[name]},{folded}" if name in values else folded
    return kept, values


def _canonical_query(query: str) -> str:
    """Sort by name, then by value; the parts are percent-encoded already."""
    pairs = sorted(part.partition("=")[::2] for part in query.split("&"))
    return "&".join(f"{name}={value}" for name, value in pairs)


@lru_cache(maxsize=256)
def _canonical_path(path: str) -> str:
    """Drop dot segments and empty ones, then percent-encode, so ``%3A`` becomes ``%253A``."""
    kept: list[str] = []
    for segment in path.split("/"):
        if segment == "..":
            del kept[-1:]
        elif segment not in ("", "."):
            kept.append(segment)
    end = "/" if kept and path.endswith("/") else ""
    return percent_encode(f"/{'/'.join(kept)}{end}", "._~/-")


@lru_cache(maxsize=64)
def _host(origin: str) -> str:
    """Return the `Host` header that goes with `origin`: without the scheme's own port."""
    scheme, _, host = origin.lower().partition("://")
    return host.removesuffix(":443" if scheme == "https" else ":80")


# Signing keys hold for a day. Old ones are pushed out by new ones, and the secret that is part of
# the cache's key is in memory with the credentials anyway.
@lru_cache(maxsize=64)
def _signing_key(secret: str, day: str, region: str, service: str) -> tuple[_Hash, _Hash]:
    """Return the inner and the outer hash under the signing key of a day, to be copied and fed."""
    key = f"AWS4{secret}".encode()
    for part in (day, region, service, "aws4_request"):
        key = hmac.digest(key, part.encode(), "sha256")
    block = key.ljust(_UNFED.block_size, b"\0")
    return (
        sha256(bytes(byte ^ 0x36 for byte in block)),
        sha256(bytes(byte ^ 0x5C for byte in block)),
    )


_UNFED = sha256()
"""OpenSSL looks its algorithm up for each new hash, and not for a copy."""


def _sha256(data: bytes) -> str:
    hashed = _UNFED.copy()
    hashed.update(data)
    return hashed.hexdigest()


@lru_cache(maxsize=8)
def _stamp(second: int) -> str:
    return time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(second))
