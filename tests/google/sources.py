"""Targets of Google, and what hands out credentials to them."""

from __future__ import annotations

import json
import os
from binascii import b2a_base64
from collections.abc import Hashable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from leeward._http.messages import Failure, Request, Response
from leeward.adapter import TargetConfig
from leeward.adapter.resolver import Source, Unresolved
from leeward_google.settings.options import Settings, settings_from

NOW = 1_800_000_000.0
"""2027-01-15T08:00:00Z."""

ACCOUNT = "caller@shop-1.iam.gserviceaccount.com"

IMPERSONATION = (
    "https://iamcredentials.googleapis.com/v1/projects/-/serviceAccounts/"
    f"{ACCOUNT}:generateAccessToken"
)

USER = {
    "type": "authorized_user",
    "client_id": "id.apps.googleusercontent.com",
    "client_secret": "canary-secret",
    "refresh_token": "canary-refresh",
}


def no_google(monkeypatch: pytest.MonkeyPatch, home: Path) -> None:
    """Take away every variable of Google's, every proxy, and what gcloud has written."""
    prefixes = "GOOGLE_", "GCLOUD_", "GCE_", "CLOUDSDK_", "PUBSUB_", "FIRESTORE_", "REQUESTS"
    names = "K_SERVICE", "FUNCTION_TARGET", "CLOUD_RUN_JOB", "NO_GCE_CHECK"
    for name in list(os.environ):
        if name.startswith(prefixes) or name in names or name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(home))


def target(
    env: Mapping[str, str] | None = None,
    *,
    trust_env: bool = True,
    qualifier: str | None = None,
    **options: Any,
) -> tuple[Settings, TargetConfig]:
    """Give the settings and the configuration of one target."""
    name = f"google:{qualifier}" if qualifier else "google"
    given = dict(env or {}) if trust_env else {}
    config = TargetConfig(name, "google", qualifier, options, given, trust_env)
    return settings_from(config), config


def settings(env: Mapping[str, str] | None = None, **options: Any) -> Settings:
    """Give the settings of one target."""
    return target(env, **options)[0]


class Canned:
    """A transport that keeps requests, and gives the answers in turn, the last one for ever."""

    def __init__(self, *answers: Response | Failure) -> None:
        self.answers = list(answers)
        self.sent: list[Request] = []
        self.timeouts: list[float] = []

    def send(self, request: Request, timeout: float) -> Response | Failure:
        self.sent.append(request)
        self.timeouts.append(timeout)
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]

    def drop(self, origin: str) -> None:
        pass

    def close(self) -> None:
        pass


def metadata(document: Any, status: int = 200, flavor: str | None = "Google") -> Response:
    """Give an answer of the metadata server; a `document` other than text goes as JSON."""
    body = document.encode() if isinstance(document, str) else json.dumps(document).encode()
    return Response(status, {"metadata-flavor": flavor} if flavor else {}, body)


def jwt(**claims: Any) -> str:
    """Give an ID token, with a signature that nobody checks."""
    parts = {"alg": "RS256"}, {"aud": "canary", "exp": int(NOW) + 3600} | claims
    texts = [b2a_base64(json.dumps(part).encode(), newline=False) for part in parts]
    return ".".join(
        text.decode().rstrip("=").translate(str.maketrans("+/", "-_"))
        for text in (*texts, b2a_base64(b"canary", newline=False))
    )


def http(status: int, document: Any, *headers: str) -> bytes:
    """Give an HTTP answer; a `document` other than bytes goes as JSON."""
    body = document if isinstance(document, bytes) else json.dumps(document).encode()
    lines = "".join(f"{line}\r\n" for line in headers).encode()
    return b"HTTP/1.1 %d X\r\n%bContent-Length: %d\r\n\r\n%b" % (status, lines, len(body), body)


def refused(source: Source, what: Hashable, timeout: float = 5.0) -> Unresolved:
    """Fetch, and give the refusal, whose texts hold no canary."""
    with pytest.raises(Unresolved) as caught:
        source(what, timeout)
    assert "canary" not in f"{caught.value!r} {caught.value}"
    return caught.value


@cache
def service_account() -> dict[str, Any]:
    """Give what is in the key file of a service account."""
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import rsa

    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    return {
        "type": "service_account",
        "project_id": "shop-1",
        "private_key_id": "canary-id",
        "private_key": pem.decode(),
        "client_email": "robot@shop-1.iam.gserviceaccount.com",
        "client_id": "1",
        "token_uri": "https://oauth2.googleapis.com/token",
    }


def written(folder: Path, info: Any) -> str:
    """Write a credentials file, and give its path."""
    path = folder / "credentials.json"
    path.write_text(info if isinstance(info, str) else json.dumps(info))
    return str(path)
