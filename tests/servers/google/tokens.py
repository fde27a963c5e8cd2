"""Tokens of Google as the servers of these tests make and check them.

An ID token is a JWT that is signed with a throw-away key of this process and checked by google-auth
itself. An access token is opaque to clients; what it says is sealed with a secret. A service
account may also sign a JWT by itself, with the key in its file, which services take for an access
token. Sources: Google's "Using OAuth 2.0 for Server to Server Applications", with its addendum on
service account authorization without OAuth; "Token types".
"""

from __future__ import annotations

import hmac
import json
import secrets
import threading
import time
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Collection, Sequence
from functools import cache
from importlib import import_module
from typing import Any, Final, NamedTuple

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

ACCOUNT: Final = "tests@leeward-tests.iam.gserviceaccount.com"
"""Who the metadata server and the service account's file speak for."""

PUSHER: Final = "pusher@leeward-tests.iam.gserviceaccount.com"
"""In whose name Pub/Sub pushes."""

CLOUD_PLATFORM: Final = "https://www.googleapis.com/auth/cloud-platform"

TOKEN_ENDPOINT: Final = "https://oauth2.googleapis.com/token"
"""The audience of what a service account signs for the token endpoint, wherever that is."""

LONGEST: Final = 3600
"""Seconds that a JWT of a service account may be good."""

_ISSUER: Final = "https://accounts.google.com"
_SECRET: Final = secrets.token_bytes(16)
_PREFIX: Final = "ya29."
_MAKING: Final = threading.Lock()


class Untrusted(Exception):
    """A token that is not to be believed; the message says why."""


class Unscoped(Exception):
    """An access token that is good, but not for this service."""


class Key(NamedTuple):
    """A key pair in PEM.

    Attributes:
        name: that tokens bear.
    """

    name: str
    private: str
    public: str


def google_key() -> Key:
    """Give the key that Google signs with."""
    return _key_of("google")


def account_key() -> Key:
    """Give the key of the service account `ACCOUNT`."""
    return _key_of(ACCOUNT)


def mint_id_token(audience: str, until: float, email: str = ACCOUNT) -> str:
    """Make an ID token for `audience`, good until a time in Unix seconds."""
    claims = {
        "iss": _ISSUER,
        "azp": email,
        "aud": audience,
        "sub": "100000000000000000001",
        "email": email,
        "email_verified": True,
        "iat": int(min(time.time(), until) - 1),
        "exp": int(until),
    }
    return sign(google_key(), claims)


def read_id_token(token: str, audiences: Collection[str]) -> str:
    """Believe an ID token for one of `audiences`, and give the email of whom it is about.

    Raises:
        Untrusted: it is none of these, of another audience, or expired.
    """
    claims = _decoded(token, google_key(), list(audiences))
    if claims.get("iss") != _ISSUER:
        raise Untrusted("it is not Google's")
    email: str = claims["email"]
    return email


def mint_access_token(
    until: float, scopes: Sequence[str] = (CLOUD_PLATFORM,), email: str = ACCOUNT
) -> str:
    """Make an access token, good until a time in Unix seconds."""
    said = json.dumps({"email": email, "scopes": list(scopes), "exp": until})
    sealed = urlsafe_b64encode(said.encode()).decode()
    return f"{_PREFIX}{sealed}.{_mac(sealed)}"


def read_access_token(token: str, service: str, scopes: Collection[str], now: float) -> str:
    """Believe an access token, or a JWT that the service account has signed by itself.

    Args:
        token: either.
        service: the host name that a JWT without scopes is for.
        scopes: any of them is enough.
        now: Unix seconds.

    Returns:
        The email of whom it speaks for.

    Raises:
        Untrusted: it is neither, or expired, or for another service.
        Unscoped: it has none of `scopes`.
    """
    if not token.startswith(_PREFIX):
        return _read_self_signed(token, service, scopes)
    sealed, _, mac = token.removeprefix(_PREFIX).rpartition(".")
    if not hmac.compare_digest(mac, _mac(sealed)):
        raise Untrusted("no one has given it out")
    said = json.loads(urlsafe_b64decode(sealed))
    if said["exp"] <= now:
        raise Untrusted("it has expired")
    _check_scopes(said["scopes"], scopes)
    email: str = said["email"]
    return email


def read_assertion(token: str) -> dict[str, Any]:
    """Believe what the service account has signed for the token endpoint; give the claims.

    Raises:
        Untrusted: someone else has, or for something else, or it is expired.
    """
    claims = _decoded(token, account_key(), [TOKEN_ENDPOINT])
    if claims.get("iss") != ACCOUNT:
        raise Untrusted("its issuer has another key")
    if claims["exp"] - claims["iat"] > LONGEST:
        raise Untrusted("it is good for more than an hour")
    return claims


def sign(key: Key, claims: dict[str, Any]) -> str:
    """Make a JWT."""
    signer = import_module("google.auth.crypt").RSASigner.from_string(key.private, key.name)
    token: bytes = import_module("google.auth.jwt").encode(signer, claims)
    return token.decode()


def _read_self_signed(token: str, service: str, scopes: Collection[str]) -> str:
    claims = _decoded(token, account_key(), None)
    if not claims.get("iss") == claims.get("sub") == ACCOUNT:
        raise Untrusted("issuer and subject are not the account whose key it is")
    if claims["exp"] - claims["iat"] > LONGEST:
        raise Untrusted("it is good for more than an hour")
    if "scope" in claims:
        _check_scopes(claims["scope"].split(), scopes)
    elif claims.get("aud") != f"https://{service}/":
        raise Untrusted("its audience is another")
    return ACCOUNT


def _check_scopes(given: Sequence[str], needed: Collection[str]) -> None:
    if not set(given) & set(needed):
        raise Unscoped


def _decoded(token: str, key: Key, audiences: list[str] | None) -> dict[str, Any]:
    try:
        claims: dict[str, Any] = import_module("google.auth.jwt").decode(
            token, {key.name: key.public}, audience=audiences
        )
    except (ValueError, TypeError, KeyError, AttributeError) as wrong:  # whatever noise may cause
        raise Untrusted(str(wrong)) from None
    return claims


def _key_of(owner: str) -> Key:
    with _MAKING:  # else two threads that ask first would get a key each
        return _made(owner)


@cache
def _made(_owner: str) -> Key:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    public = key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return Key(secrets.token_hex(20), private.decode(), public.decode())


def _mac(sealed: str) -> str:
    return hmac.digest(_SECRET, sealed.encode(), "sha256").hex()
