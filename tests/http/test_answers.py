"""How an answer is read, and what is too much of one."""

from __future__ import annotations

import gzip
import resource
import zlib
from collections.abc import Callable

import pytest

from leeward._http.messages import Failure, Phase, Request, Response
from tests.http.bridge import AnyTransport
from tests.http.wire import LIMIT, Wire, once

MIB = 1024 * 1024


def _answer(transport: AnyTransport, raw: bytes) -> Response | Failure:
    """Give what the transport makes of `raw`."""
    with Wire(once(raw)) as wire:
        return transport.send(Request("POST", wire.origin(), "/", (), b"x"), LIMIT)


def _packed(coding: str, body: bytes) -> bytes:
    head = f"HTTP/1.1 200 OK\r\nContent-Encoding: {coding}\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


def test_a_gzip_body_is_unpacked(transport: AnyTransport) -> None:
    """The body is given as it was before the server packed it."""
    response = _answer(transport, _packed("gzip", gzip.compress(b"text" * 1000)))
    assert isinstance(response, Response)
    assert response.body == b"text" * 1000


@pytest.mark.parametrize(
    ("coding", "body"),
    [
        ("gzip", b"no gzip at all"),
        ("gzip", gzip.compress(b"cut short")[:-4]),
        ("gzip", gzip.compress(b"one") + b"more"),
        ("deflate", zlib.compress(b"not asked for")),
        ("br", b"unknown"),
        ("gzip, gzip", gzip.compress(gzip.compress(b"twice"))),
    ],
    ids=["no gzip", "cut", "more behind", "deflate", "unknown", "twice"],
)
def test_a_body_that_cannot_be_unpacked_is_lost(
    transport: AnyTransport, coding: str, body: bytes
) -> None:
    """The request was executed, and the status is known; the rest is not guessed."""
    assert _answer(transport, _packed(coding, body)) == Failure(
        Phase.BODY, True, "content_encoding", 200
    )


def test_a_gzip_bomb_is_not_unpacked(transport: AnyTransport) -> None:
    """A small body that would be 100 MiB is given up at the cap, and memory stays in bounds."""
    zeros = zlib.compressobj(wbits=31)
    packed = b"".join(zeros.compress(bytes(MIB)) for _ in range(100)) + zeros.flush()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    failure = _answer(transport, _packed("gzip", packed))
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert failure == Failure(Phase.BODY, True, "body_too_large", 200)
    assert (after - before) * 1024 < (20 + 20 + 10) * MIB


@pytest.mark.parametrize(
    "head",
    [
        b"Content-Length: 1001\r\n\r\n",
        b"\r\n",
        b"Transfer-Encoding: chunked\r\n\r\n3e9\r\n",
    ],
    ids=["length told", "until close", "chunked"],
)
def test_a_body_above_the_cap_is_given_up(make: Callable[..., AnyTransport], head: bytes) -> None:
    """Whether or not its length was told before."""
    raw = b"HTTP/1.1 200 OK\r\n" + head + b"x" * 1001 + b"\r\n0\r\n\r\n"
    failure = _answer(make(max_response_bytes=1000), raw)
    assert isinstance(failure, Failure)
    assert failure[:4] == (Phase.BODY, True, "body_too_large", 200)


def test_headers_above_the_cap_are_given_up(make: Callable[..., AnyTransport]) -> None:
    """The status was seen, so that much is known."""
    raw = b"HTTP/1.1 200 OK\r\nX-A: " + b"a" * 2000 + b"\r\nContent-Length: 0\r\n\r\n"
    assert _answer(make(max_header_bytes=1000), raw) == Failure(
        Phase.BODY, True, "headers_too_large", 200
    )
