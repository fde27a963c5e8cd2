"""A request is executed once, whatever happens to its connection."""

from __future__ import annotations

import pytest

from leeward.http.messages import Failure, Phase, Request, Response
from tests.http.bridge import AnyTransport
from tests.http.wire import LIMIT, OK, Peer, Wire, answer


def _dies_on_the_second(peer: Peer) -> None:
    """Answer one request; execute the next one and hang up instead of an answer."""
    peer.read()
    peer.send(OK)
    peer.read()


@pytest.mark.parametrize("size", [1, 10_000, 300_000])
@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
def test_a_request_is_not_sent_again_on_a_dead_connection(
    transport: AnyTransport, method: str, size: int
) -> None:
    """The server has executed it once; whether it did, nobody can tell from here."""
    with Wire(_dies_on_the_second) as wire:
        request = Request(method, wire.origin(), "/", (), b"x" * size)
        assert isinstance(transport.send(request, LIMIT), Response)
        failure = transport.send(request, LIMIT)
        assert isinstance(failure, Failure)
        assert (failure.sent, failure.status) == (True, None)
        assert failure.phase in {Phase.SEND, Phase.RECEIVE}
        assert (len(wire.requests), wire.connections) == (2, 1)


@pytest.mark.parametrize("method", ["POST", "DELETE"])
def test_a_request_without_a_body_takes_a_fresh_connection(
    transport: AnyTransport, method: str
) -> None:
    """libcurl cannot be kept from sending it again on a kept one."""

    def script(peer: Peer) -> None:
        if peer.read() is not None and b"POST" in wire.requests[0] and len(wire.requests) == 1:
            peer.send(OK)
            peer.read()

    with Wire(script) as wire:
        assert isinstance(
            transport.send(Request("POST", wire.origin(), "/", (), b"x"), LIMIT), Response
        )
        failure = transport.send(Request(method, wire.origin(), "/"), LIMIT)
        assert isinstance(failure, Failure)
        assert failure.sent
        assert (len(wire.requests), wire.connections) == (2, 2)


def test_a_connection_is_kept_for_the_next_request(transport: AnyTransport) -> None:
    """Requests with a body, and look-ups, share one connection."""
    with Wire(answer(OK)) as wire:
        for method, body in [("POST", b"x"), ("GET", b""), ("PUT", b"y"), ("GET", b"")] * 3:
            transport.send(Request(method, wire.origin(), "/", (), body), LIMIT)
        assert (len(wire.requests), wire.connections) == (12, 1)


def test_an_idle_connection_that_was_closed_is_replaced(transport: AnyTransport) -> None:
    """A server that hangs up between two requests costs a new connection and no failure."""

    def script(peer: Peer) -> None:
        peer.read()
        peer.send(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")

    with Wire(script) as wire:
        for _ in range(3):
            response = transport.send(Request("POST", wire.origin(), "/", (), b"x"), LIMIT)
            assert isinstance(response, Response)
        assert (len(wire.requests), wire.connections) == (3, 3)
