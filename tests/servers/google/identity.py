"""Who gives out tokens: the metadata server and the token endpoint.

Sources: Google's "VM metadata" and "Verify VM identity"; "Using OAuth 2.0 for Server to Server
Applications".
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

from tests.servers.answering import Answer, AnsweringServer, Executed
from tests.servers.google import tokens
from tests.servers.google.api import NO_SUCH_PAGE, header
from tests.servers.google.refused import JSON
from tests.servers.google.tokens import ACCOUNT, CLOUD_PLATFORM

_ACCOUNT_PATH: Final = "/computeMetadata/v1/instance/service-accounts/default/"
_FLAVOR: Final = ("Metadata-Flavor", "Google")
_TEXT: Final = ("Content-Type", "application/text")
_JWT_BEARER: Final = "urn:ietf:params:oauth:grant-type:jwt-bearer"


class Identity(AnsweringServer):
    """Gives out tokens that the other servers of these tests believe.

    Both in one: the metadata server, whose host is that of `url`; the token endpoint, at
    `token_url`.

    Args:
        project: that the metadata server names.

    Attributes:
        seconds: how long tokens are good; may change at any time, as may the others.
        audience: of all ID tokens, whatever was asked for; None for what was asked for.
        refuses: whether no one gets a token: the account is not there, or not allowed to.
        down: whether every request is answered with 503.
    """

    def __init__(self, project: str = "leeward-tests") -> None:
        super().__init__()
        self.project = project
        self.seconds = 3600.0
        self.audience: str | None = None
        self.refuses = False
        self.down = False
        self._answer = self._answered

    @property
    def token_url(self) -> str:
        """Give where the token endpoint is."""
        return f"{self.url}/token"

    @property
    def env(self) -> dict[str, str]:
        """Give the variables that lead to the metadata server.

        google-auth reads the first while it is imported, and pings the second.
        """
        host = "{}:{}".format(*self.address)
        return {"GCE_METADATA_HOST": host, "GCE_METADATA_IP": host}

    def id_token(self, audience: str, seconds: float | None = None) -> str:
        """Make an ID token without being asked for it over the wire."""
        return tokens.mint_id_token(audience, self._until(seconds))

    def access_token(self, seconds: float | None = None) -> str:
        """Make an access token without being asked for it over the wire."""
        return tokens.mint_access_token(self._until(seconds))

    def write_service_account(self, path: Path, token_url: str | None = None) -> None:
        """Write the file of the service account, with its key.

        Args:
            path: of the file.
            token_url: the token endpoint, where it is not this server's own.
        """
        key = tokens.account_key()
        document = {
            "type": "service_account",
            "project_id": self.project,
            "private_key_id": key.name,
            "private_key": key.private,
            "client_email": ACCOUNT,
            "client_id": "100000000000000000001",
            "token_uri": token_url or self.token_url,
            "universe_domain": "googleapis.com",
        }
        path.write_text(json.dumps(document))

    def _until(self, seconds: float | None = None) -> float:
        return time.time() + (self.seconds if seconds is None else seconds)

    def _answered(self, request: Executed) -> Answer:
        if self.down:
            return Answer(503, (_TEXT,), b"Service Unavailable")
        parts = urlsplit(request.target)
        if request.method == "GET":
            return self._metadata(request, parts.path, _first(parts.query))
        if request.method == "POST" and parts.path == "/token":
            return self._signed_in(_first(request.body.decode()))
        return NO_SUCH_PAGE

    def _metadata(self, request: Executed, path: str, query: Mapping[str, str]) -> Answer:
        """Answer as the metadata server does, which wants a header that no browser sends."""
        if path != "/" and header(request, "metadata-flavor") != "Google":
            return _plain(403, "Missing Metadata-Flavor:Google header.")
        if header(request, "x-forwarded-for"):
            return _plain(403, "X-Forwarded-For is not allowed.")
        answers = {
            "/": "computeMetadata/\n",
            "/computeMetadata/v1/project/project-id": self.project,
            "/computeMetadata/v1/universe/universe-domain": "googleapis.com",
            "/computeMetadata/v1/universe/universe_domain": "googleapis.com",
            f"{_ACCOUNT_PATH}email": ACCOUNT,
        }
        if path in answers:
            return _plain(200, answers[path])
        if not path.startswith(_ACCOUNT_PATH) or self.refuses:
            return _plain(404, "Not Found")
        return self._of_the_account(path.removeprefix(_ACCOUNT_PATH), query)

    def _of_the_account(self, what: str, query: Mapping[str, str]) -> Answer:
        if what == "":
            return _said(200, _FLAVOR, aliases=["default"], email=ACCOUNT, scopes=[CLOUD_PLATFORM])
        if what == "token":
            asked = query.get("scopes")
            scopes = tuple(asked.split(",")) if asked else (CLOUD_PLATFORM,)
            return self._token_answer(scopes, _FLAVOR)
        if what == "identity":
            if "audience" not in query:
                return _plain(400, "non-empty audience parameter required")
            return _plain(200, self._minted(query["audience"]))
        return _plain(404, "Not Found")

    def _signed_in(self, form: Mapping[str, str]) -> Answer:
        """Answer a service account that has signed what it wants."""
        if form.get("grant_type") != _JWT_BEARER:
            return _said(400, error="unsupported_grant_type", error_description="Invalid grant.")
        if self.refuses:
            return _said(400, error="invalid_grant", error_description="Account not found")
        try:
            claims = tokens.read_assertion(form.get("assertion", ""))
        except tokens.Untrusted as untrusted:
            return _said(400, error="invalid_grant", error_description=f"Invalid JWT: {untrusted}")
        if "target_audience" in claims:
            return _said(200, id_token=self._minted(claims["target_audience"]))
        if not claims.get("scope"):
            return _said(400, error="invalid_scope", error_description="Empty scope.")
        return self._token_answer(tuple(claims["scope"].split()))

    def _minted(self, audience: str) -> str:
        return tokens.mint_id_token(self.audience or audience, self._until())

    def _token_answer(self, scopes: tuple[str, ...], *more: tuple[str, str]) -> Answer:
        token = tokens.mint_access_token(self._until(), scopes)
        return _said(
            200, *more, access_token=token, expires_in=int(self.seconds), token_type="Bearer"
        )


def _said(status: int, *headers: tuple[str, str], **document: Any) -> Answer:
    return Answer(status, (JSON, *headers), json.dumps(document).encode())


def _plain(status: int, text: str) -> Answer:
    return Answer(status, (_TEXT, _FLAVOR), text.encode())


def _first(query: str) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(query).items()}
