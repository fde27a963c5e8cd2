"""A kept connection never gives one call the answer of another, whatever its server does with it.

All over plain connections and TLS, for threads and for an event loop.
"""

from __future__ import annotations

import ssl
from collections.abc import Callable

import pytest
import trustme

from leeward._http.messages import Failure, Request, Response
from tests.http.bridge import AnyTransport, wait_for_more
from tests.http.certificates import tls_context
from tests.http.wire import LIMIT, OK, Peer, Script, Wire

WRONG = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nwrong"
"""An answer to nothing."""

CALLS = 4


@pytest.fixture(params=["http", "https"])
def scheme(request: pytest.FixtureRequest) -> str:
    """Give each of both schemes."""
    found: str = request.param
    return found


@pytest.fixture
def context(scheme: str, ca: trustme.CA) -> ssl.SSLContext | None:
    """Give what a server of that scheme needs."""
    return tls_context(ca.issue_cert("127.0.0.1")) if scheme == "https" else None


def _plain(body: bytes) -> bytes:
    return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)


def _chunked(body: bytes) -> bytes:
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    return head + b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body)


def _both_lengths(body: bytes) -> bytes:
    return _chunked(body).replace(b"chunked\r\n", b"chunked\r\nContent-Length: 3\r\n")


def _old(body: bytes) -> bytes:
    return _plain(body).replace(b"1.1 200 OK\r\n", b"1.0 200 OK\r\nConnection: keep-alive\r\n")


def _echo(form: Callable[[bytes], bytes], behind: bytes = b"") -> Script:
    """Give a script that answers each request with its own target.

    Args:
        form: makes an answer of that.
        behind: sent in one piece with it.
    """

    def script(peer: Peer) -> None:
        while (raw := peer.read()) is not None:
            peer.send(form(raw.split(b" ")[1]) + behind)

    return script


def _check_own_answers(
    transport: AnyTransport,
    wire: Wire,
    scheme: str,
    between: Callable[[], object] = lambda: None,
    calls: int = CALLS,
) -> None:
    for number in range(calls):
        request = Request("POST", wire.origin(scheme), f"/{number}", (), b"x")
        answer = transport.send(request, LIMIT)
        assert isinstance(answer, Response), answer
        assert answer.body == b"/%d" % number
        between()
    assert (len(wire.requests), wire.connections) == (calls, calls)


@pytest.mark.parametrize("form", [_plain, _chunked])
@pytest.mark.parametrize("behind", [WRONG, b"\r\n", b"x"], ids=["answer", "blank line", "byte"])
def test_what_comes_with_an_answer_is_not_the_next_one(
    make: Callable[..., AnyTransport],
    ca_file: str,
    scheme: str,
    context: ssl.SSLContext | None,
    form: Callable[[bytes], bytes],
    behind: bytes,
) -> None:
    """Bytes past the end of an answer end the connection: each call has one of its own."""
    with Wire(_echo(form, behind=behind), tls=context) as wire:
        _check_own_answers(make(ca_file=ca_file), wire, scheme)


@pytest.mark.parametrize("form", [_plain, _chunked])
@pytest.mark.parametrize("later", [WRONG, b"\r\n"], ids=["answer", "blank line"])
def test_what_comes_between_two_requests_is_not_the_next_answer(
    make: Callable[..., AnyTransport],
    ca_file: str,
    scheme: str,
    context: ssl.SSLContext | None,
    form: Callable[[bytes], bytes],
    later: bytes,
) -> None:
    """A connection that can be read before its next request is not used for it."""
    transport = make(ca_file=ca_file)

    def script(peer: Peer) -> None:
        raw = peer.read()
        assert raw is not None
        peer.send(form(raw.split(b" ")[1]))
        peer.hold()

    def send_later(peer: Peer) -> None:
        assert peer.held.wait(LIMIT)  # two threads in one TLS connection would break it
        peer.send(later)

    def send_more() -> None:
        wire.on_each(send_later)
        wait_for_more(transport)

    with Wire(script, tls=context) as wire:
        _check_own_answers(transport, wire, scheme, send_more, calls=2)


@pytest.mark.parametrize("form", [_both_lengths, _old])
def test_an_answer_of_doubtful_length_ends_its_connection(
    make: Callable[..., AnyTransport],
    ca_file: str,
    scheme: str,
    context: ssl.SSLContext | None,
    form: Callable[[bytes], bytes],
) -> None:
    """It is taken, and no other is taken from there."""
    with Wire(_echo(form), tls=context) as wire:
        _check_own_answers(make(ca_file=ca_file), wire, scheme)


def test_a_request_that_was_answered_too_early_ends_its_connection(
    make: Callable[..., AnyTransport],
    ca_file: str,
    scheme: str,
    context: ssl.SSLContext | None,
) -> None:
    """What of it was not sent would be the beginning of the next one, for the server."""

    def early(peer: Peer) -> None:
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            head += peer.receive(1)
        peer.send(_plain(head.split(b" ")[1]))
        peer.hold()

    with Wire(early, tls=context) as wire:
        transport = make(ca_file=ca_file)
        for number in range(2):
            request = Request("POST", wire.origin(scheme), f"/{number}", (), bytes(20_000_000))
            answer = transport.send(request, LIMIT / 2)
            assert isinstance(answer, Response)
            assert answer.body == b"/%d" % number
        assert wire.connections == 2


def test_a_connection_that_its_server_has_closed_is_not_used(
    make: Callable[..., AnyTransport],
    ca_file: str,
    scheme: str,
    context: ssl.SSLContext | None,
) -> None:
    """That shows before anything is sent, and the call is no unknown outcome."""

    def script(peer: Peer) -> None:
        raw = peer.read()
        assert raw is not None
        peer.send(_plain(raw.split(b" ")[1]))

    transport = make(ca_file=ca_file)
    with Wire(script, tls=context) as wire:
        _check_own_answers(transport, wire, scheme, lambda: wait_for_more(transport))


MALFORMED = {
    "a blank line before it": b"\r\n" + OK,
    "a colon in its status line": b"HTTP/1.1 200:OK\r\nContent-Length: 2\r\n\r\nhi",
    "bare line feeds": OK.replace(b"\r\n", b"\n"),
    "an end of two minds": b"HTTP/1.1 204 No Content\r\n\n\r\n",
    "a header without a name": OK.replace(b"\r\n\r\n", b"\r\n: x\r\n\r\n"),
    "identity and a length": OK.replace(b"\r\n\r\n", b"\r\nTransfer-Encoding: identity\r\n\r\n"),
    "a chunk a byte short": _chunked(b"hello").replace(b"hello", b"hell"),
}


@pytest.mark.parametrize("name", MALFORMED)
def test_an_answer_that_is_not_one_is_a_failure_however_it_is_cut(
    make: Callable[..., AnyTransport],
    ca_file: str,
    scheme: str,
    context: ssl.SSLContext | None,
    name: str,
) -> None:
    """The same one, at once and byte by byte; nothing is raised, the connection is not kept."""
    raw, failures = MALFORMED[name], []

    def script(peer: Peer) -> None:
        piece = len(raw) if len(wire.requests) == 0 else 1
        peer.read()
        for start in range(0, len(raw), piece):
            peer.send(raw[start : start + piece])
            if piece == 1:
                peer.wait(0.001)
        peer.hold()

    with Wire(script, tls=context) as wire:
        transport = make(ca_file=ca_file)
        for _ in range(2):
            failure = transport.send(Request("POST", wire.origin(scheme), "/", (), b"x"), LIMIT / 2)
            assert isinstance(failure, Failure)
            assert failure.sent
            failures.append(failure[:4])
            assert transport.kept == 0
        assert (failures[0], wire.connections) == (failures[1], 2)
