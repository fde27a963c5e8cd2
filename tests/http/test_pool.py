"""How places and connections are lent and given back."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from math import inf
from time import monotonic

import pytest

from leeward._http import connection as connection_module
from leeward._http import exchange as exchange_module
from leeward._http import pool as pool_module
from leeward._http import threads as threads_module
from leeward._http.connection import Connection
from leeward._http.exchange import Exchange
from leeward._http.messages import Failure, Phase, Request, Response
from leeward._http.options import TransportOptions
from leeward._http.pool import Pool
from leeward._http.threads import BlockingConnection, CurlTransport
from leeward.calls import AttemptTime
from tests.http.bridge import AnyTransport, Bridge, wait_for_more, wait_until
from tests.http.wire import LIMIT, OK, Peer, Wire, answer, once

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


def test_a_request_waits_for_a_place(make: Callable[..., AnyTransport]) -> None:
    """Nothing is sent meanwhile; when one of those under way is done, it goes out."""
    transport, gate = make(max_in_flight=2), Gate()
    with Wire(gate) as wire, ThreadPoolExecutor(5) as threads:
        sent = [threads.submit(transport.send, _post(wire), LIMIT) for _ in range(5)]
        for _ in range(2):
            assert gate.arrived.acquire(timeout=LIMIT)
        wait_until(lambda: transport.waiting == 3)
        assert (transport.in_flight, len(wire.requests)) == (2, 2)
        gate.opened.set()
        answers = [each.result(LIMIT) for each in sent]
        assert all(isinstance(each, Response) for each in answers)
        assert sum(each.waited > 0 for each in answers) == 3
        assert (len(wire.requests), wire.connections) == (5, 2)
        wait_until(lambda: (transport.in_flight, transport.waiting, transport.kept) == (0, 0, 2))


def test_who_waits_until_the_deadline_is_refused(make: Callable[..., AnyTransport]) -> None:
    """It is proved that nothing was sent, and the one that comes after gets the place."""
    transport, gate = make(max_in_flight=1), Gate()
    with Wire(gate) as wire:
        with _under_way(transport, wire, gate, 1):
            failure = transport.send(_post(wire), 0.1)
            assert isinstance(failure, Failure)
            assert failure[:3] == (Phase.REFUSED_HERE, False, "bulkhead")
            assert failure.message == "none of 1 places became free in time"
            assert failure.waited >= 0.1
            assert (transport.in_flight, transport.waiting) == (1, 0)
        assert len(wire.requests) == 1
        assert isinstance(transport.send(_post(wire), LIMIT), Response)


def test_a_wait_is_not_part_of_an_attempt(
    make: Callable[..., AnyTransport], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may take as long besides, and no longer; the request has all its time from then on."""
    ahead = 0.0
    monkeypatch.setattr(threads_module, "monotonic", lambda: monotonic() + ahead)
    transport, gate = make(max_in_flight=1), Gate()
    if isinstance(transport, Bridge):
        monkeypatch.setattr(transport.loop, "time", lambda: monotonic() + ahead)
    with Wire(gate) as wire, ThreadPoolExecutor(1) as threads:
        with _under_way(transport, wire, gate, 1):
            refused = transport.send(_post(wire), AttemptTime.of(LIMIT, 0.1, inf))
            assert isinstance(refused, Failure)
            assert (refused.code, 0.1 <= refused.waited < LIMIT) == ("bulkhead", True)
            sent = threads.submit(transport.send, _post(wire), AttemptTime.of(5.0, LIMIT, inf))
            wait_until(lambda: transport.waiting == 1)
            ahead = 6.0
        answer = sent.result(LIMIT)
    assert isinstance(answer, Response)
    assert answer.waited >= 6.0


class Isolated:
    """A target that an operator has taken out."""

    isolated = True


def test_a_wait_for_a_place_of_an_isolated_target_sends_nothing(
    make: Callable[..., AnyTransport],
) -> None:
    """Its turn comes, and the request is refused; the place is free for others."""
    transport, gate = make(max_in_flight=1), Gate()
    time = AttemptTime.of(LIMIT, LIMIT, inf, gate=Isolated())
    with Wire(gate) as wire, ThreadPoolExecutor(1) as threads:
        with _under_way(transport, wire, gate, 1):
            waits = threads.submit(transport.send, _post(wire), time)
            wait_until(lambda: transport.waiting == 1)
        refused = waits.result(LIMIT)
        assert isinstance(refused, Failure)
        assert refused[:3] == (Phase.REFUSED_HERE, False, "isolated")
        wait_until(lambda: transport.in_flight == 0)
        assert len(wire.requests) == 1


def test_who_may_go_elsewhere_does_not_wait_in_vain() -> None:
    """By the time that the last request held its place; or, before one has ended, by the line."""
    now = [0.0]
    pool = Pool(TransportOptions(max_in_flight=2), Connection, lambda: now[0])

    def asks(wait: float, *, elsewhere: bool = True) -> Failure | None:
        lease = Exchange(Request("GET", "http://h", "/"), 9.0, TransportOptions())
        leases.append(lease)
        if pool.acquire(lease) is not None:
            return None
        timeout = AttemptTime.of(1.0, wait, inf, elsewhere=elsewhere)
        return pool.wait(lease, lambda: None, timeout)

    leases: list[Exchange] = []
    assert [asks(0.1) is None for _ in range(5)] == [True, True, True, True, False]
    assert asks(0.1, elsewhere=False) is None
    now[0] = 0.25
    pool.release(leases[0])
    assert (pool.in_flight, pool.waiting) == (2, 2)
    refused = asks(0.374)  # the third in the line, two of which go on in a quarter of a second
    assert refused is not None
    assert refused.code == "bulkhead"
    assert asks(0.375) is None


@pytest.mark.threat("S19")
def test_the_line_is_bounded(make: Callable[..., AnyTransport]) -> None:
    """Who would be one too many is refused at once."""
    transport, gate = make(max_in_flight=1, max_waiting=2), Gate()
    with Wire(gate) as wire, ThreadPoolExecutor(3) as threads:
        sent = [threads.submit(transport.send, _post(wire), LIMIT) for _ in range(3)]
        wait_until(lambda: transport.waiting == 2)
        failure = transport.send(_post(wire), LIMIT)
        assert isinstance(failure, Failure)
        assert failure[:3] == (Phase.REFUSED_HERE, False, "bulkhead")
        assert failure.message == "1 requests are under way and 2 wait for their end"
        gate.opened.set()
        assert all(isinstance(each.result(LIMIT), Response) for each in sent)


def test_closing_refuses_who_waits(make: Callable[..., AnyTransport]) -> None:
    """At once, with nothing sent."""
    transport, gate = make(max_in_flight=1), Gate()
    with Wire(gate) as wire, ThreadPoolExecutor(4) as threads:
        sent = [threads.submit(transport.send, _post(wire), LIMIT) for _ in range(4)]
        wait_until(lambda: transport.waiting == 3)
        assert gate.arrived.acquire(timeout=LIMIT)
        transport.close()
        wait_until(
            lambda: sum(each.done() and each.result()[:3] == CLOSED[:3] for each in sent) == 3
        )
        gate.opened.set()
    assert len(wire.requests) == 1


def test_two_hundred_at_once(make: Callable[..., AnyTransport]) -> None:
    """With 64 places, on a server that takes its time: all are answered, each with its own."""
    transport = make()

    def echo(peer: Peer) -> None:
        while (raw := peer.read()) is not None:
            peer.wait(0.05)
            body = raw.partition(b"\r\n\r\n")[2]
            peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))

    def ask(number: int) -> bool:
        body = str(number).encode()
        response = transport.send(_post(wire)._replace(body=body), LIMIT)
        return isinstance(response, Response) and response.body == body

    with Wire(echo) as wire, ThreadPoolExecutor(200) as threads:
        assert all(threads.map(ask, range(200)))
        assert wire.connections <= 64
    wait_until(lambda: (transport.in_flight, transport.waiting) == (0, 0))


class _Lease(Exchange):
    """A lease of the pool, and how often it was woken."""

    __slots__ = ("woken",)

    def __init__(self) -> None:
        super().__init__(Request("GET", "http://127.0.0.1:1", "/"), 10.0, TransportOptions())
        self.woken = 0

    def wake(self) -> None:
        self.woken += 1


def test_a_place_is_handed_past_who_has_gone() -> None:
    """A waiter that gave up, before or after its turn came, holds up nobody behind it."""
    pool = Pool(TransportOptions(max_in_flight=1), Connection, lambda: 0.0)
    first, second, third, fourth = (_Lease() for _ in range(4))
    assert isinstance(pool.acquire(first), Connection)
    for each in (second, third, fourth):
        assert pool.acquire(each) is None
        assert pool.wait(each, each.wake) is None
    pool.release(second)  # it gave up before its turn
    pool.release(first)
    assert (third.woken, fourth.woken, pool.in_flight, pool.waiting) == (1, 0, 1, 1)
    pool.release(third)  # it gave up when it had been woken
    assert (second.woken, third.woken, fourth.woken) == (0, 1, 1)
    assert isinstance(pool.collect(fourth), Connection)
    pool.release(fourth)
    assert (pool.in_flight, pool.waiting) == (0, 0)


@pytest.mark.parametrize("comes", [False, True])
def test_a_place_that_an_interrupt_has_kept_back_is_handed_on_by_the_next(comes: bool) -> None:
    """Ctrl-C may strike between giving a place back and handing it on; nobody waits for ever."""
    pool = Pool(TransportOptions(max_in_flight=2), Connection, lambda: 0.0)
    first, second, third, fourth = (_Lease() for _ in range(4))
    pool.acquire(first)
    pool.acquire(second)
    pool.wait(third, third.wake)
    del pool._busy[first]  # as an interrupt right behind it leaves it
    if comes:
        assert pool.acquire(fourth) is None  # it does not overtake
        pool.wait(fourth, fourth.wake)
        assert (third.woken, fourth.woken) == (1, 0)
    else:
        pool.release(second)
        assert third.woken == 1


STEPS = [
    (exchange_module.Exchange, "__init__"),
    (pool_module.Pool, "acquire"),
    (pool_module.Pool, "_lease"),
    (BlockingConnection, "carry"),
    (BlockingConnection, "_connect"),
    (BlockingConnection, "_wait"),
    (connection_module.Connection, "start"),
    (connection_module.Connection, "_send"),
    (connection_module.Connection, "_receive"),
]


@pytest.mark.parametrize(("owner", "step"), STEPS, ids=[step for _, step in STEPS])
def test_an_interrupt_makes_room(
    threaded: Callable[..., CurlTransport], monkeypatch: pytest.MonkeyPatch, owner: type, step: str
) -> None:
    """Ctrl-C may strike anywhere; the next request finds the place free."""
    transport = threaded(max_in_flight=1)
    real = getattr(owner, step)

    def interrupted(*arguments: object) -> None:
        real(*arguments)
        raise KeyboardInterrupt

    with Wire(answer(OK)) as wire:
        with monkeypatch.context() as patch:
            patch.setattr(owner, step, interrupted)
            with pytest.raises(KeyboardInterrupt):
                transport.send(_post(wire), LIMIT)
        assert transport.in_flight == 0
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
        (connection,) = transport._pool.idle
        connection.handle = _Interrupted(connection.handle, method)
        with pytest.raises(KeyboardInterrupt):
            transport.send(Request("GET", wire.origin(), "/other", (("X", "y"),)), LIMIT)
        assert transport.kept == 0
        assert isinstance(transport.send(_post(wire), LIMIT), Response)
        assert wire.connections == 2
        # The server may read the interrupted one last.
        posts = [each for each in wire.requests if each.startswith(b"POST ")]
        assert posts == posts[:1] * 2


def test_a_connection_that_lay_idle_for_long_is_closed() -> None:
    """After a burst the connections at the bottom of the pile are given up, one by one."""
    now = 1000.0
    pool = Pool(TransportOptions(max_idle=50), Connection, lambda: now)

    def use(count: int) -> None:
        leases = [_Lease() for _ in range(count)]
        for each in leases:
            lent = pool.acquire(each)
            assert isinstance(lent, Connection)
            lent.is_reusable = True
        for each in leases:
            pool.release(each)

    use(3)
    assert len(pool.idle) == 3
    now += 51
    for left in (2, 1, 1):
        use(1)
        assert len(pool.idle) == left


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


def test_a_kept_connection_that_its_server_closes_goes_at_once(
    make: Callable[..., AnyTransport],
) -> None:
    """An event loop notices by itself; a thread when it looks."""
    transport = make()
    with Wire(once(OK)) as wire:
        assert isinstance(transport.send(_post(wire), LIMIT), Response)
        wait_for_more(transport)
        assert isinstance(transport.send(_post(wire), LIMIT), Response)
        assert (len(wire.requests), wire.connections) == (2, 2)
