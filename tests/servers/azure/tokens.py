"""Access tokens of Entra ID as the servers of these tests make and check them.

They have the form of real ones, but are signed with a secret that all of these servers share.
"""

from __future__ import annotations

import hmac
import json
import secrets
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Container
from typing import Final

SECRET: Final = secrets.token_hex(16)
"""What the tokens of this process are signed with."""

COSMOS: Final = "https://cosmos.azure.com"
EVENT_GRID: Final = "https://eventgrid.azure.net"
MANAGEMENT: Final = "https://management.azure.com"
STORAGE: Final = "https://storage.azure.com"

_HEAD: Final = {"typ": "JWT", "alg": "HS256"}


class Untrusted(Exception):
    """A token that is not to be believed; the message says why."""


def mint(audience: str, until: float) -> str:
    """Make a token for the service `audience`, good until a time in Unix seconds."""
    signed = f"{_encoded(_HEAD)}.{_encoded({'aud': audience, 'exp': int(until)})}"
    return f"{signed}.{_mac(signed)}"


def check(token: str, audiences: Container[str], now: float) -> None:
    """Believe a token of one of `audiences`, or raise.

    Raises:
        Untrusted: it is none of these, of another audience, or expired.
    """
    signed, _, mac = token.rpartition(".")
    if not hmac.compare_digest(mac, _mac(signed)):
        raise Untrusted("the signature is invalid")
    claims = json.loads(_decoded(signed.partition(".")[2]))
    if claims["exp"] <= now:
        raise Untrusted("it has expired")
    if claims["aud"] not in audiences:
        raise Untrusted("its audience is another")


def _mac(signed: str) -> str:
    return _text(hmac.digest(SECRET.encode(), signed.encode(), "sha256"))


def _encoded(document: object) -> str:
    return _text(json.dumps(document).encode())


def _text(data: bytes) -> str:
    return urlsafe_b64encode(data).rstrip(b"=").decode()


def _decoded(text: str) -> bytes:
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))
