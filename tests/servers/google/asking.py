"""Requests as any client makes them, for what Google's own clients do not send."""

from __future__ import annotations

import http.client
import json
from collections.abc import Mapping
from contextlib import closing
from typing import Any, NamedTuple

from tests.servers.loopback import PATIENCE


class Said(NamedTuple):
    """An answer."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """Give what the body holds."""
        return json.loads(self.body)


def ask(
    address: tuple[str, int],
    method: str,
    target: str,
    body: object = None,
    headers: Mapping[str, str] = {},
    *,
    token: str | None = None,
) -> Said:
    """Send one request, on a connection of its own.

    Args:
        address: of the server.
        method: of HTTP.
        target: path and query.
        body: bytes as they are, None for none, everything else as JSON.
        headers: as they are.
        token: of the bearer, or None.
    """
    bearer = {} if token is None else {"Authorization": f"Bearer {token}"}
    if body is not None and not isinstance(body, bytes):
        body = json.dumps(body).encode()
    with closing(http.client.HTTPConnection(*address, timeout=PATIENCE)) as connection:
        connection.request(method, target, body, {**headers, **bearer})
        answer = connection.getresponse()
        said = {name.lower(): value for name, value in answer.getheaders()}
        return Said(answer.status, said, answer.read())
