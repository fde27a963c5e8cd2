"""The managed identity of an app: who gives out tokens."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from typing import Final
from urllib.parse import parse_qs, urlsplit

from tests.servers.answering import Answer, AnsweringServer, Executed
from tests.servers.azure import tokens

HEADER: Final = "secret-of-the-identity-endpoint"
"""What ``IDENTITY_HEADER`` holds."""

CLIENT: Final = "00000000-0000-0000-0000-00000000cccc"

IDENTITY_PATH: Final = "/msi/token"

_VERSION: Final = "2019-08-01"

_JSON: Final = (("Content-Type", "application/json"),)


class Identity(AnsweringServer):
    """Gives out tokens that the other servers of these tests believe.

    The managed identity is at ``{url}/msi/token``, which is what ``IDENTITY_ENDPOINT`` holds.

    Attributes:
        seconds: how long tokens are good; may change at any time, as may the others.
        audience: of all tokens, whatever was asked for; None for what was asked for.
        refuses: whether no one gets a token: the application or the identity is unknown.
        down: whether every request is answered with 503.
    """

    def __init__(self) -> None:
        super().__init__()
        self.seconds = 3600.0
        self.audience: str | None = None
        self.refuses = False
        self.down = False
        self._answer = self._answered

    @property
    def endpoint(self) -> str:
        """Give what ``IDENTITY_ENDPOINT`` holds."""
        return f"{self.url}{IDENTITY_PATH}"

    def token(self, audience: str, seconds: float | None = None) -> str:
        """Make a token without being asked for it over the wire."""
        return tokens.mint(audience, time.time() + (self.seconds if seconds is None else seconds))

    def _answered(self, request: Executed) -> Answer:
        if self.down:
            return Answer(503)
        parts = urlsplit(request.target)
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        if parts.path == IDENTITY_PATH:
            return self._managed(request, query)
        return Answer(404)

    def _managed(self, request: Executed, query: Mapping[str, str]) -> Answer:
        """Answer as the endpoint of App Service does; a resource has no ``/.default``."""
        if _header(request, "x-identity-header") != HEADER:
            return _said(401, statusCode=401, message="The header is missing or wrong.")
        if query.get("api-version") != _VERSION or "resource" not in query:
            return _said(400, statusCode=400, message="api-version or resource is wrong.")
        if self.refuses or query.get("client_id", CLIENT) != CLIENT:
            return _said(400, statusCode=400, message="No managed identity was found.")
        resource = query["resource"]
        return _said(
            200,
            access_token=self.token(self.audience or resource),
            expires_on=str(int(time.time() + self.seconds)),
            resource=resource,
            token_type="Bearer",
            client_id=CLIENT,
        )


def _said(status: int, **document: object) -> Answer:
    return Answer(status, _JSON, json.dumps(document).encode())


def _header(request: Executed, name: str) -> str:
    return next((value for each, value in request.headers if each.lower() == name), "")
