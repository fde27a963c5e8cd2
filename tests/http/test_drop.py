"""Connections that lead to the wrong place are given up: what is there now is not used again."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from leeward._http.messages import Request, Response
from tests.http.bridge import AnyTransport
from tests.http.test_pool import Gate
from tests.http.wire import LIMIT, OK, Peer, Wire, answer

with_or_without_a_body = pytest.mark.parametrize("body", [b"x", b""])


class _Closing:
    """A server's script that answers, and tells when a connection is closed."""

    def __init__(self) -> None:
        self.closed = threading.Semaphore(0)

    def __call__(self, peer: Peer) -> None:
        answer(OK)(peer)
        self.closed.release()


@with_or_without_a_body
def test_idle_connections_are_closed(transport: AnyTransport, body: bytes) -> None:
    """The next request has a new one, which is kept."""
    script = _Closing()
    with Wire(script) as wire:
        request = Request("POST", wire.origin(), "/", (), body)
        assert isinstance(transport.send(request, LIMIT), Response)
        transport.drop(wire.origin())
        assert script.closed.acquire(timeout=LIMIT)
        for _ in range(2):
            assert isinstance(transport.send(request, LIMIT), Response)
        assert (len(wire.requests), wire.connections) == (3, 2)


@with_or_without_a_body
def test_a_connection_in_use_is_closed_after_its_answer(
    transport: AnyTransport, body: bytes
) -> None:
    """The request on it ends as it would have, and nothing else goes there."""
    gate, script = Gate(), _Closing()

    def gated(peer: Peer) -> None:
        gate(peer)
        script.closed.release()

    with Wire(gated) as wire, ThreadPoolExecutor(2) as threads:
        request = Request("POST", wire.origin(), "/", (), body)
        under_way = [threads.submit(transport.send, request, LIMIT) for _ in range(2)]
        for _ in under_way:
            assert gate.arrived.acquire(timeout=LIMIT)
        transport.drop(wire.origin())
        gate.opened.set()
        assert all(isinstance(each.result(LIMIT), Response) for each in under_way)
        for _ in under_way:
            assert script.closed.acquire(timeout=LIMIT)
        assert isinstance(transport.send(request, LIMIT), Response)
        assert (len(wire.requests), wire.connections) == (3, 3)
