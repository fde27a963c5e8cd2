"""Failures that a server or a port on loopback can bring about, and what is known after each."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from time import monotonic

import pytest

from leeward._http.messages import Failure, Phase, Request
from tests.http.bridge import AnyTransport
from tests.http.wire import LIMIT, Peer, Script, Wire, hang, once

BRIEFLY = 0.3
"""Seconds of a deadline that is meant to pass."""


def _post(origin: str, body: bytes = b"x") -> Request:
    return Request("POST", origin, "/", (("Authorization", "secret"),), body)


def _failure(
    transport: AnyTransport, script: Script, timeout: float = LIMIT, body: bytes = b"x"
) -> Failure:
    """Give how a request to a server with `script` fails."""
    with Wire(script) as wire:
        failure = transport.send(_post(wire.origin(), body), timeout)
    assert isinstance(failure, Failure), failure
    return failure


def _reset_unread(peer: Peer) -> None:
    peer.peek()
    peer.reset()


def _reset_after(peer: Peer) -> None:
    peer.read()
    peer.reset()


def test_an_unknown_name_sends_nothing(transport: AnyTransport) -> None:
    """Code 6. libcurl refuses ``.onion`` by itself, so no name server is asked here."""
    failure = transport.send(_post("http://nobody.onion"), LIMIT)
    assert isinstance(failure, Failure)
    assert failure[:4] == (Phase.NAME, False, "curl.6", None)


@pytest.mark.parametrize(
    ("script", "phase", "codes", "status"),
    [
        # The request was written before the reset was seen: that it was not read is not known.
        (_reset_unread, {Phase.SEND, Phase.RECEIVE}, {"curl.52", "curl.55", "curl.56"}, None),
        (_reset_after, {Phase.RECEIVE}, {"curl.56"}, None),
        (once(b""), {Phase.RECEIVE}, {"curl.52"}, None),
        (once(b"HTTP/1.1 200 OK\r\nX-A: 1\r\nX-"), {Phase.RECEIVE}, {"headers_cut"}, 200),
        (once(b"HTTP/1.1 200 OK\r\nX-A: 1\r\n"), {Phase.RECEIVE}, {"headers_cut"}, 200),
        (once(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhi"), {Phase.BODY}, {"curl.18"}, 200),
        (
            once(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nhi"),
            {Phase.BODY},
            {"curl.18"},
            200,
        ),
        (
            once(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"),
            {Phase.BODY},
            {"curl.56"},
            200,
        ),
        (once(b"HTTP/1.1 100 Continue\r\n\r\n"), {Phase.RECEIVE}, {"curl.52", "curl.56"}, None),
        (once(b"garbage\r\n\r\n"), {Phase.RECEIVE}, {"curl.1"}, None),
        (once(b"HTTP/1.1 200 OK\r\nX: \0\r\n\r\n"), {Phase.RECEIVE}, {"curl.8"}, 200),
    ],
)
def test_after_the_request_anything_may_have_happened(
    transport: AnyTransport,
    script: Script,
    phase: set[Phase],
    codes: set[str],
    status: int | None,
) -> None:
    """The status is told where it was seen, and never that nothing was sent."""
    failure = _failure(transport, script)
    assert failure.sent
    assert failure.phase in phase
    assert failure.code in codes
    assert failure.status == status


def _drip(head: bytes) -> Script:
    """Give a script that sends `head` and then a byte now and then, without end."""

    def script(peer: Peer) -> None:
        peer.read()
        peer.send(head)
        while not peer.wait(BRIEFLY / 6):
            peer.send(b"x")

    return script


@pytest.mark.parametrize(
    ("script", "phase", "status"),
    [
        (hang, Phase.RECEIVE, None),
        (_drip(b"HTTP/1.1 2"), Phase.RECEIVE, None),
        (_drip(b"HTTP/1.1 200 OK\r\nX-A: "), Phase.RECEIVE, 200),
        (_drip(b"HTTP/1.1 200 OK\r\nContent-Length: 999\r\n\r\n"), Phase.BODY, 200),
        (_drip(b"HTTP/1.1 200 OK\r\n\r\n"), Phase.BODY, 200),
    ],
    ids=["silence", "status drips", "headers drip", "body drips", "endless body drips"],
)
@pytest.mark.threat("S15")
def test_the_deadline_holds_against_a_slow_answer(
    transport: AnyTransport, script: Script, phase: Phase, status: int | None
) -> None:
    """However bravely the bytes come in."""
    started = monotonic()
    failure = _failure(transport, script, BRIEFLY)
    assert failure[:4] == (phase, True, "deadline", status)
    assert BRIEFLY - 0.05 < monotonic() - started < LIMIT


def test_the_deadline_holds_against_a_torrent(make: Callable[..., AnyTransport]) -> None:
    """An answer that comes faster than it is read, and does not end."""

    def script(peer: Peer) -> None:
        peer.read()
        peer.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        while True:
            peer.send(b"1\r\nx\r\n" * 10_000)

    failure = _failure(make(max_response_bytes=2**30), script, BRIEFLY)
    assert failure[:4] == (Phase.BODY, True, "deadline", 200)


@pytest.fixture
def black_hole() -> Iterator[int]:
    """Give the port of a listener whose queue is full, so that its system drops every SYN."""
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen(0)
    fillers = []
    for _ in range(4):
        filler = socket.socket()
        filler.setblocking(False)
        filler.connect_ex(listener.getsockname())
        fillers.append(filler)
    yield listener.getsockname()[1]
    for each in (*fillers, listener):
        each.close()


@pytest.mark.parametrize(
    ("fields", "timeout"), [({}, BRIEFLY), ({"connect_timeout": BRIEFLY}, LIMIT)]
)
def test_a_black_hole_is_given_up(
    make: Callable[..., AnyTransport], black_hole: int, fields: dict[str, float], timeout: float
) -> None:
    """By the deadline or the limit for connecting, whichever is nearer; nothing was sent."""
    started = monotonic()
    failure = make(**fields).send(_post(f"http://127.0.0.1:{black_hole}"), timeout)
    assert isinstance(failure, Failure)
    assert failure[:3] == (Phase.CONNECT, False, "connect_timeout")
    assert monotonic() - started < LIMIT / 2


def test_no_failure_tells_a_secret(transport: AnyTransport) -> None:
    """Neither the failure nor its cause holds a header or a body."""
    failure = _failure(transport, once(b""), body=b"secret")
    assert "secret" not in f"{failure!r} {failure.cause!r}"
