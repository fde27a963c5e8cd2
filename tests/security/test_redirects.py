"""No redirect is followed: credentials never reach a host that a server names."""

from __future__ import annotations

from http import HTTPStatus

import pytest

from leeward._http.messages import Request, Response
from leeward._http.options import TransportOptions
from leeward._http.threads import CurlTransport
from tests.http.wire import LIMIT, OK, Wire, answer

pytestmark = pytest.mark.threat("S2")

REDIRECTS = [300, 301, 302, 303, 305, 307, 308]


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "DELETE"])
@pytest.mark.parametrize("header", ["Location", "Refresh", "Content-Location", "Alt-Svc"])
def test_no_kind_of_redirect_is_followed(method: str, header: str) -> None:
    """For every status and every header that a browser might follow: the other host has no hit."""
    with Wire(answer(OK)) as other:
        place = {"Refresh": f"0; url={other.origin()}/", "Alt-Svc": f'http/1.1=":{other.port}"'}
        target = place.get(header, f"{other.origin()}/")
        answers = [
            f"HTTP/1.1 {status} {HTTPStatus(status).phrase}\r\n{header}: {target}\r\n"
            "Content-Length: 0\r\n\r\n".encode()
            for status in REDIRECTS
        ]
        with Wire(answer(*answers)) as wire:
            transport = CurlTransport(TransportOptions())
            request = Request(
                method,
                wire.origin(),
                "/",
                (("Authorization", "secret"),),
                b"" if method == "GET" else b"x",
            )
            statuses = []
            for _ in REDIRECTS:
                response = transport.send(request, LIMIT)
                assert isinstance(response, Response)
                statuses.append(response.status)
            transport.close()
    assert statuses == REDIRECTS
    assert len(wire.requests) == len(REDIRECTS)
    assert other.connections == 0
