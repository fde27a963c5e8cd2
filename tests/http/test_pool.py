"""How handles, and the right to use one, are lent and given back."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest

from leeward.errors import InvalidRequest
from leeward.http.threads import CurlTransport
from leeward.http.curl import pool as pool_module
from leeward.http.curl.easy import Easy
from leeward.http.curl.line import Line
from leeward.http.messages import Failure, Phase, Request, Response
from tests.http.bridge import AnyTransport
from tests.http.wire import LIMIT, OK, Peer, Wire, answer, once

FULL = Failure(Phase.REFUSED_HERE, False, "bulkhead", message="2 requests are under way already")
CLOSED = Failure(Phase.REFUSED_HERE, sent=False, code="closed")


def _post(wire: Wire) -> Request:
    return Request("POST", wire.origin(), "/", (), b"x")


class Gate:
    """A server's script that lets requests wait until they are let through."""

    def __init__(self) -> None:
        self.arrived = threading.Semaphore(0)
        self.opened = threading.Event()

    def __call__(self, peer: Peer) -> None:
        """Answer each request once the gate is open."""
        while peer.read() is not None:
            self.arrived.release()
            assert self.opened.wait(LIMIT)
            peer.send(OK)


@contextmanager
def _under_way(transport: AnyTransport, wire: Wire, gate: Gate, count: int) -> Iterator[None]:
    """Keep `count` requests waiting at the gate meanwhile; then let them through."""
    with ThreadPoolExecutor(count) as threads:
        sent = [threads.submit(transport.send, _post(wire), LIMIT) for _ in range(count)]
        for _ in range(count):
            assert gate.arrived.acquire(timeout=LIMIT)
        try:
            yield
        finally:
            gate.opened.set()
        assert all(isinstance(each.result(LIMIT), Response) for each in sent)


def test_a_full_bulkhead_refuses_at_once(make: Callable[..., AnyTransport]) -> None:
    """Nothing is queued and nothing is sent; when one request is done, another fits."""
    transport, gate = make(max_in_flight=2), Gate()
    with Wire(gate) as wire:
        with _under_way(transport, wire, gate, 2):
            assert transport.send(_post(wire), LIMIT) == FULL
            assert len(wire.requests) == 2
        assert isinstance(transport.send(_post(wire), LIMIT), Response)


def test_every_end_of_a_request_makes_room(make: Callable[..., AnyTransport]) -> None:
    """An answer, a failure and a refusal give back what they took."""
    transport = make(max_in_flight=1)
    with Wire(answer(OK)) as good, Wire(once(b"")) as bad:
        for _ in range(3):
            assert isinstance(transport.send(_post(good), LIMIT), Response)
            failure = transport.send(_post(bad), LIMIT)
            assert isinstance(failure, Failure)
            assert failure.code == "curl.52"
            with pytest.raises(InvalidRequest):
                transport.send(_post(good)._replace(target=""), LIMIT)


@pytest.mark.parametrize("step", ["lend", "_idle_for", "prepare", "_send", "_hear", "exchange"])
def test_an_interrupt_makes_room(
    threaded: Callable[..., CurlTransport], monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    """Ctrl-C may strike anywhere; the next request finds the place free."""
    transport = threaded(max_in_flight=1)
    owner = Line if hasattr(Line, step) else pool_module.Pool
    real = getattr(owner, step)

    def interrupted(*arguments: object) -> None:
        real(*arguments)
        raise KeyboardInterrupt

    with Wire(answer(OK)) as wire:
        with monkeypatch.context() as patch:
            patch.setattr(owner, step, interrupted)
            with pytest.raises(KeyboardInterrupt):
                transport.send(_post(wire), LIMIT)
        assert isinstance(transport.send(_post(wire), LIMIT), Response)


class _Interrupted:
    """A handle on which Ctrl-C strikes as soon as `method` is done."""

    def __init__(self, handle: object, method: str) -> None:
        self._handle, self._method = handle, method

    def __getattr__(self, name: str) -> object:
        real = getattr(self._handle, name)

        def interrupted(*arguments: object) -> None:
            real(*arguments)
            raise KeyboardInterrupt

        return interrupted if name == self._method else real


@pytest.mark.parametrize("method", ["send", "recv"])
def test_an_interrupt_gives_the_connection_up(
    threaded: Callable[..., CurlTransport], method: str
) -> None:
    """What was sent or has come of one request does not show in the next."""
    transport = threaded()
    with Wire(answer(OK)) as wire:
        transport.send(_post(wire), LIMIT)
        (line,) = transport._pool._idle
        line.handle = _Interrupted(line.handle, method)
        with pytest.raises(KeyboardInterrupt):
            transport.send(Request("GET", wire.origin(), "/other", (("X", "y"),)), LIMIT)
        assert transport._pool._idle == []
        assert isinstance(transport.send(_post(wire), LIMIT), Response)
        assert wire.connections == 2
        assert wire.requests[0] == wire.requests[-1]


def test_handles_wander_from_thread_to_thread(transport: AnyTransport) -> None:
    """A connection that one thread has opened serves the next thread."""
    with Wire(answer(OK)) as wire:
        for _ in range(5):
            thread = threading.Thread(target=transport.send, args=(_post(wire), LIMIT))
            thread.start()
            thread.join(LIMIT)
        assert (len(wire.requests), wire.connections) == (5, 1)


def test_requests_under_way_have_a_connection_each(transport: AnyTransport) -> None:
    """Eight threads at once get eight answers of their own, many times over."""

    def echo(peer: Peer) -> None:
        while (raw := peer.read()) is not None:
            body = raw.partition(b"\r\n\r\n")[2]
            peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))

    def ask(number: int) -> bool:
        body = str(number).encode()
        response = transport.send(_post(wire)._replace(body=body), LIMIT)
        return isinstance(response, Response) and response.body == body

    with Wire(echo) as wire, ThreadPoolExecutor(8) as threads:
        assert all(threads.map(ask, range(400)))
        assert wire.connections <= 8


def test_each_origin_has_handles_of_its_own(transport: AnyTransport) -> None:
    """Going back and forth between two servers costs each one connection."""
    with Wire(answer(OK)) as one, Wire(answer(OK)) as two:
        for _ in range(3):
            transport.send(_post(one), LIMIT)
            transport.send(_post(two), LIMIT)
        assert (one.connections, two.connections) == (1, 1)


def test_idle_handles_are_not_hoarded(make: Callable[..., AnyTransport]) -> None:
    """There are never more of them than may be in use, and the oldest goes first."""
    transport = make(max_in_flight=1)
    with Wire(answer(OK)) as one, Wire(answer(OK)) as two:
        for wire in (one, two, one):
            transport.send(_post(wire), LIMIT)
        assert (one.connections, two.connections) == (2, 1)
    assert len(transport._pool._idle) == 1


def test_a_handle_that_lay_idle_for_long_is_closed(
    make: Callable[..., AnyTransport], monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a burst the connections at the bottom of the pile are given up, one by one."""
    now = 1000.0
    monkeypatch.setattr(pool_module, "monotonic", lambda: now)
    transport, gate = make(max_idle=50), Gate()
    with Wire(gate) as wire:
        with _under_way(transport, wire, gate, 3):
            pass
        assert len(transport._pool._idle) == 3
        now += 51
        for left in (2, 1, 1):
            transport.send(_post(wire), LIMIT)
            assert len(transport._pool._idle) == left


def test_an_idle_handle_keeps_no_body(transport: AnyTransport) -> None:
    """Neither what was sent nor what came back stays in memory."""
    with Wire(answer(OK)) as wire:
        transport.send(_post(wire), LIMIT)
    (handle,) = transport._pool._idle
    if isinstance(handle, Easy):
        assert (handle._lines, handle._answer.getvalue(), handle._body.closed) == ([], b"", True)
    else:
        assert (handle._request, handle._head) == (None, b"")


def test_a_closed_transport_refuses(transport: AnyTransport) -> None:
    """Closing twice is harmless, and the connections are gone."""
    gone = threading.Event()

    def script(peer: Peer) -> None:
        answer(OK)(peer)
        gone.set()

    with Wire(script) as wire:
        transport.send(_post(wire), LIMIT)
        transport.close()
        transport.close()
        assert gone.wait(LIMIT)
        assert transport.send(_post(wire), LIMIT) == CLOSED
        assert len(wire.requests) == 1


def test_closing_lets_a_request_under_way_end(threaded: Callable[..., CurlTransport]) -> None:
    """Its answer arrives, and then its connection is closed as well."""
    transport, gate = threaded(), Gate()
    with Wire(gate) as wire:
        with _under_way(transport, wire, gate, 2):
            transport.close()
        assert transport._pool._idle == []
        assert transport._pool._busy == {}
