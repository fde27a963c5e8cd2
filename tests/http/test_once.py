"""A request is executed once, whatever happens to its connection."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from time import monotonic

import pytest
import trustme

from leeward._http import addresses
from leeward._http.messages import Failure, Phase, Request, Response
from leeward_contract_tests.rows import each_row
from tests.http.bridge import AnyTransport, wait_for_more
from tests.http.certificates import tls_context
from tests.http.wire import LIMIT, Peer, Wire, once

METHODS = ["GET", "HEAD", "DELETE", "POST", "PUT"]
without_a_body = each_row("method", METHODS)

HEAD_OK = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"


def _dies_on_the_second(peer: Peer) -> None:
    """Answer one request; execute the next one and hang up instead of an answer."""
    peer.read()
    peer.send(HEAD_OK)
    peer.read()


def _check_lost(failure: Response | Failure) -> None:
    assert isinstance(failure, Failure)
    assert (failure.sent, failure.status) == (True, None)
    assert failure.phase in {Phase.SEND, Phase.RECEIVE}


@pytest.mark.parametrize("size", [1, 10_000, 300_000])
@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
def test_a_request_is_not_sent_again_on_a_dead_connection(
    transport: AnyTransport, method: str, size: int
) -> None:
    """The server has executed it once; whether it did, nobody can tell from here."""
    with Wire(_dies_on_the_second) as wire:
        request = Request(method, wire.origin(), "/", (), b"x" * size)
        assert isinstance(transport.send(request, LIMIT), Response)
        _check_lost(transport.send(request, LIMIT))
        assert (len(wire.requests), wire.connections) == (2, 1)


@without_a_body
def test_nor_over_tls(
    make: Callable[..., AnyTransport], ca: trustme.CA, ca_file: str, method: str
) -> None:
    """What was encrypted counts as what has left."""
    with Wire(_dies_on_the_second, tls=tls_context(ca.issue_cert("127.0.0.1"))) as wire:
        transport = make(ca_file=ca_file)
        request = Request(method, wire.origin("https"), "/")
        assert isinstance(transport.send(request, LIMIT), Response)
        _check_lost(transport.send(request, LIMIT))
    assert len(wire.requests) == 2


@without_a_body
def test_nor_through_a_proxy(
    make: Callable[..., AnyTransport], ca: trustme.CA, ca_file: str, method: str
) -> None:
    """Leave is asked for the request, and not for the tunnel that it goes through."""
    context = tls_context(ca.issue_cert("shop.example"))

    def tunnel(peer: Peer) -> None:
        peer.read()
        peer.send(b"HTTP/1.1 200 Connection established\r\n\r\n")
        peer.start_tls(context)
        _dies_on_the_second(peer)

    with Wire(tunnel) as proxy:
        transport = make(proxy=proxy.origin(), ca_file=ca_file)
        request = Request(method, "https://shop.example", "/")
        for _ in range(2):
            assert isinstance(transport.send(request, LIMIT), Response)
            _check_lost(transport.send(request, LIMIT))
    assert sum(not each.startswith(b"CONNECT ") for each in proxy.requests) == 4


@without_a_body
def test_a_new_connection_that_dies_is_not_replaced(transport: AnyTransport, method: str) -> None:
    """The first request of all, on a server that executes it and hangs up."""
    with Wire(once(b"")) as wire:
        _check_lost(transport.send(Request(method, wire.origin(), "/"), LIMIT))
        assert (len(wire.requests), wire.connections) == (1, 1)


def _answers_once(peer: Peer) -> None:
    peer.read()
    peer.send(HEAD_OK)
    peer.hold()


@pytest.mark.parametrize("end", [Peer.close, Peer.reset])
@pytest.mark.parametrize("hardened", [False, True])
def test_a_connection_that_died_while_idle_is_replaced(
    make: Callable[..., AnyTransport],
    monkeypatch: pytest.MonkeyPatch,
    end: Callable[[Peer], None],
    hardened: bool,
) -> None:
    """Nothing has left on the dead one; the request goes out once, on another, and is answered."""
    monkeypatch.setattr(addresses, "is_public", lambda _: True)
    transport = make(public_only=hardened)
    with ExitStack() as stack:
        wires = [(method, stack.enter_context(Wire(_answers_once))) for method in METHODS]
        for turn in (1, 2):
            for method, wire in wires:
                response = transport.send(Request(method, wire.origin(), "/"), LIMIT)
                assert isinstance(response, Response), response
                assert len(wire.requests) == turn, method
            for _, wire in wires:
                wire.on_each(end)
            wait_for_more(transport)


def test_the_second_try_gets_the_time_that_is_left(transport: AnyTransport) -> None:
    """However the first one fared, the deadline stands; so does its proof."""

    def script(peer: Peer) -> None:
        peer.read()
        if len(wire.requests) == 1:
            peer.send(HEAD_OK)
        peer.hold()

    with Wire(script) as wire:
        request = Request("GET", wire.origin(), "/")
        assert isinstance(transport.send(request, LIMIT), Response)
        wire.on_each(Peer.reset)
        wait_for_more(transport)
        started = monotonic()
        failure = transport.send(request, 0.3)
        assert isinstance(failure, Failure)
        assert failure[:3] == (Phase.RECEIVE, True, "deadline")
        assert monotonic() - started < LIMIT
        assert len(wire.requests) == 2
