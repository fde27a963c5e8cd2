"""How an answer is read, and what is too much of one."""

from __future__ import annotations

import gzip
import resource
import zlib
from collections.abc import Callable

import pytest

from leeward._http.messages import Failure, Phase, Request, Response
from tests.http.bridge import AnyTransport
from tests.http.wire import LIMIT, Peer, Wire, once

MIB = 1024 * 1024


def _answer(transport: AnyTransport, raw: bytes) -> Response | Failure:
    """Give what the transport makes of `raw`."""
    with Wire(once(raw)) as wire:
        return transport.send(Request("POST", wire.origin(), "/", (), b"x"), LIMIT)


def _packed(coding: str, body: bytes) -> bytes:
    head = f"HTTP/1.1 200 OK\r\nContent-Encoding: {coding}\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


def test_header_names_are_lower_case_and_the_last_value_counts(transport: AnyTransport) -> None:
    """Values are stripped, and may hold colons and bytes of Latin-1."""
    raw = b"HTTP/1.1 404 No\r\nX-A: 1\r\nx-a:  2 \r\nX-B: c: d\xe9\r\nContent-Length: 0\r\n\r\n"
    headers = {"x-a": "2", "x-b": "c: dé", "content-length": "0"}
    assert _answer(transport, raw) == Response(404, headers, b"")


def test_only_the_final_answer_counts(transport: AnyTransport) -> None:
    """What came before it, with a 1xx, is left out, and so is a trailer, whatever it claims."""
    raw = (
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early\r\nX-Early: 1\r\n\r\n"
        b"HTTP/1.1 201 Created\r\nX-A: 1\r\nTransfer-Encoding: chunked\r\n\r\n"
        b"2\r\nhi\r\n0\r\nX-A: 2\r\nX-Trailer: 1\r\n\r\n"
    )
    headers = {"x-a": "1", "transfer-encoding": "chunked"}
    assert _answer(transport, raw) == Response(201, headers, b"hi")


def test_an_answer_may_end_with_the_connection(transport: AnyTransport) -> None:
    """Without a length the body is what comes until the server hangs up."""
    assert _answer(transport, b"HTTP/1.0 200 OK\r\n\r\nall") == Response(200, {}, b"all")


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


def test_a_body_that_never_ends_is_given_up(make: Callable[..., AnyTransport]) -> None:
    """The transport hangs up at the cap; the server notices."""

    def endless(peer: Peer) -> None:
        peer.read()
        peer.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        while True:
            peer.send(b"10000\r\n" + bytes(0x10000) + b"\r\n")

    with Wire(endless) as wire:
        transport = make(max_response_bytes=MIB)
        failure = transport.send(Request("POST", wire.origin(), "/", (), b"x"), LIMIT)
    assert isinstance(failure, Failure)
    assert failure.code == "body_too_large"


def test_a_body_at_the_cap_is_fine(make: Callable[..., AnyTransport]) -> None:
    """The cap is the largest that is taken, packed or not."""
    transport = make(max_response_bytes=1000)
    plain = b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n" + b"x" * 1000
    for raw in (plain, _packed("gzip", gzip.compress(b"x" * 1000))):
        response = _answer(transport, raw)
        assert isinstance(response, Response)
        assert response.body == b"x" * 1000


def test_headers_above_the_cap_are_given_up(make: Callable[..., AnyTransport]) -> None:
    """The status was seen, so that much is known."""
    raw = b"HTTP/1.1 200 OK\r\nX-A: " + b"a" * 2000 + b"\r\nContent-Length: 0\r\n\r\n"
    assert _answer(make(max_header_bytes=1000), raw) == Failure(
        Phase.BODY, True, "headers_too_large", 200
    )


def test_headers_without_end_are_given_up(transport: AnyTransport) -> None:
    """libcurl has caps of its own, on their number and on their size."""

    def endless(peer: Peer) -> None:
        peer.read()
        peer.send(b"HTTP/1.1 200 OK\r\n")
        while True:
            peer.send(b"X-Header: value\r\n" * 100)

    with Wire(endless) as wire:
        failure = transport.send(Request("POST", wire.origin(), "/", (), b"x"), LIMIT)
    assert isinstance(failure, Failure)
    assert (failure.phase, failure.sent, failure.status) == (Phase.RECEIVE, True, 200)
    assert failure.code in {"curl.56", "curl.100"}
