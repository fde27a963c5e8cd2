"""What holds for the transport on an event loop alone; the rest is tested over both."""

from __future__ import annotations

import asyncio
import random
import socket
import subprocess
import sys
import threading
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

import pycurl  # type: ignore[import-untyped]
import pytest

from leeward._http.aio import AsyncCurlTransport
from leeward._http.connection import Connection
from leeward._http.connector import Connector, End
from leeward._http.messages import Failure, Phase, Request, Response
from leeward._http.options import TransportOptions
from leeward.errors import ConfigError, InvalidRequest
from tests.http.bridge import check_idle, check_unregistered
from tests.http.test_pool import CLOSED, Gate
from tests.http.wire import LIMIT, OK, Peer, Script, Wire, answer, hang, once

Scenario = Callable[[AsyncCurlTransport], Awaitable[None]]


def _post(wire: Wire, scheme: str = "http") -> Request:
    return Request("POST", wire.origin(scheme), "/", (), b"x")


def _run(coroutine: Coroutine[Any, Any, None]) -> None:
    """Run `coroutine` on a loop of its own; nothing may end in the loop's exception handler."""
    faults = []
    with asyncio.Runner(loop_factory=asyncio.SelectorEventLoop) as runner:
        runner.get_loop().set_exception_handler(lambda _, context: faults.append(context))
        runner.run(coroutine)
    assert faults == []


def _with_transport(scenario: Scenario, **fields: Any) -> None:
    """Run `scenario`; in the end everything has been given back and nothing is watched."""

    async def main() -> None:
        transport = AsyncCurlTransport(TransportOptions(**fields))
        try:
            await scenario(transport)
            check_idle(transport)
        finally:
            transport.close()
        check_unregistered(transport)

    _run(main())


async def _until(condition: Callable[[], object]) -> None:
    """Wait until `condition` holds."""
    async with asyncio.timeout(LIMIT):
        while not condition():  # noqa: ASYNC110 - most of what is awaited is done by threads
            await asyncio.sleep(0.002)


async def _cancelled(task: asyncio.Task[Any]) -> None:
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


def test_many_requests_share_one_loop_and_few_connections() -> None:
    """Each task gets the answer to its own request, and connections are used again."""

    def echo(peer: Peer) -> None:
        while (raw := peer.read()) is not None:
            body = raw.partition(b"\r\n\r\n")[2]
            peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))

    with Wire(echo) as wire:

        async def scenario(transport: AsyncCurlTransport) -> None:
            async def ask(worker: int) -> None:
                for turn in range(20):
                    body = f"{worker} {turn}".encode()
                    response = await transport.send(_post(wire)._replace(body=body), LIMIT)
                    assert isinstance(response, Response), response
                    assert response.body == body

            await asyncio.gather(*(ask(worker) for worker in range(16)))

        _with_transport(scenario, max_in_flight=16)
        assert len(wire.requests) == 320
        assert wire.connections <= 16


def test_nothing_is_done_while_nothing_happens() -> None:
    """A request that waits for its answer costs nothing meanwhile: nobody polls."""
    gate = Gate()
    with Wire(gate) as wire:

        async def scenario(transport: AsyncCurlTransport) -> None:
            task = asyncio.ensure_future(transport.send(_post(wire), LIMIT))
            await _until(lambda: len(wire.requests) == 1)
            turns = 0
            select = transport._loop._selector.select  # type: ignore[attr-defined]

            def counted(timeout: float | None) -> Any:
                nonlocal turns
                turns += 1
                return select(timeout)

            transport._loop._selector.select = counted  # type: ignore[attr-defined]
            await asyncio.sleep(0.25)
            # The sleep itself, and the timer of the connecting, which may still come.
            assert turns <= 4
            gate.opened.set()
            assert isinstance(await task, Response)

        _with_transport(scenario)


@pytest.mark.parametrize("woken", [False, True])
def test_who_is_cancelled_in_the_line_leaves_it(woken: bool) -> None:
    """Even as its turn comes: the place goes to the one behind it."""
    gate = Gate()
    with Wire(gate) as wire:

        async def scenario(transport: AsyncCurlTransport) -> None:
            tasks = [asyncio.ensure_future(transport.send(_post(wire), LIMIT)) for _ in range(3)]
            await _until(lambda: len(wire.requests) == 1)
            assert (transport.in_flight, transport.waiting) == (1, 2)
            if woken:
                tasks[0].cancel()
                await asyncio.sleep(0)
                assert (transport.in_flight, transport.waiting) == (1, 1)
            await _cancelled(tasks[1])
            gate.opened.set()
            assert isinstance(await tasks[2], Response)
            if not woken:
                assert isinstance(await tasks[0], Response)
            assert len(wire.requests) == 2

        _with_transport(scenario, max_in_flight=1)


def _half_a_body(peer: Peer) -> None:
    peer.read()
    peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\nhalf")
    peer.hold()


def _silent(peer: Peer) -> None:
    peer.peek()
    peer.hold()


def _statuses(transport: AsyncCurlTransport) -> list[int | None]:
    """Return the status of the answer to each request under way, None before its head is there."""
    return [each._parser.status for each in transport._pool._busy]


@pytest.mark.parametrize(
    ("script", "scheme", "requests", "status"),
    [(hang, "http", 1, None), (_half_a_body, "http", 1, 200), (_silent, "https", 0, None)],
    ids=["answer", "body", "handshake"],
)
def test_cancelling_ends_the_request(
    ca_file: str, script: Script, scheme: str, requests: int, status: int | None
) -> None:
    """The server has seen it once at most, its connection is closed, and its place is free."""
    gone = threading.Event()

    def watched(peer: Peer) -> None:
        peer.hold = lambda: None  # type: ignore[method-assign]
        script(peer)
        while peer.receive(4096):
            pass
        gone.set()

    with Wire(watched) as wire, Wire(answer(OK)) as other:

        async def scenario(transport: AsyncCurlTransport) -> None:
            task = asyncio.ensure_future(transport.send(_post(wire, scheme), LIMIT))
            await _until(lambda: wire.connections == 1 and len(wire.requests) == requests)
            await _until(lambda: _statuses(transport) == [status])
            await _cancelled(task)
            check_idle(transport)
            assert await asyncio.to_thread(gone.wait, LIMIT)
            assert isinstance(await transport.send(_post(other), LIMIT), Response)

        _with_transport(scenario, max_in_flight=1, ca_file=ca_file)
        assert (len(wire.requests), wire.connections) == (requests, 1)


def _between_the_tries(monkeypatch: pytest.MonkeyPatch, act: Callable[[], object]) -> None:
    """Call `act` when a kept connection has turned out dead, and before another is opened."""
    real = Connector.connect

    async def connect(connector: Connector, handle: object) -> End:
        act()
        await asyncio.sleep(0)  # where a task that was cancelled ends
        return await real(connector, handle)

    monkeypatch.setattr(Connector, "connect", connect)


def _answers_once(peer: Peer) -> None:
    peer.read()
    peer.send(OK)
    peer.hold()


@pytest.mark.parametrize("what", ["cancel", "close", "drop"])
def test_between_two_tries_anything_may_happen(monkeypatch: pytest.MonkeyPatch, what: str) -> None:
    """A task that is cancelled there sends nothing; nor does one whose transport is closed."""
    with Wire(_answers_once) as wire:
        request = Request("GET", wire.origin(), "/")

        async def scenario(transport: AsyncCurlTransport) -> None:
            assert isinstance(await transport.send(request, LIMIT), Response)
            wire.on_each(Peer.reset)
            await _until(lambda: transport.kept == 0)
            task = asyncio.ensure_future(transport.send(request, LIMIT))
            acts: dict[str, Callable[[], object]] = {
                "cancel": task.cancel,
                "close": transport.close,
                "drop": lambda: transport.drop(wire.origin()),
            }
            _between_the_tries(monkeypatch, acts[what])
            (end,) = await asyncio.gather(task, return_exceptions=True)
            if what == "cancel":
                assert isinstance(end, asyncio.CancelledError)
            elif what == "close":
                assert isinstance(end, Failure)
                assert (end.sent, end.code) == (False, "closed")
            else:
                assert isinstance(end, Response)

        _with_transport(scenario)
        assert len(wire.requests) == (2 if what == "drop" else 1)


def test_cancellations_at_any_moment_leak_nothing() -> None:
    """Two hundred requests, most of them given up at odd moments: all is given back."""
    dice = random.Random(7)
    delays = [dice.choice([0.0, 0.001, 0.003, 0.01, LIMIT]) for _ in range(200)]
    with Wire(answer(OK)) as wire:

        async def scenario(transport: AsyncCurlTransport) -> None:
            async def ask(delay: float) -> bool:
                try:
                    async with asyncio.timeout(delay):
                        return isinstance(await transport.send(_post(wire), LIMIT), Response)
                except TimeoutError:
                    return delay < LIMIT

            for start in range(0, len(delays), 8):
                batch = delays[start : start + 8]
                assert all(await asyncio.gather(*(ask(delay) for delay in batch)))

        _with_transport(scenario, max_in_flight=8)
        assert len(wire.requests) <= len(delays)


def test_every_failure_gives_back_its_place() -> None:
    """A refused connection, a hang-up, a deadline and a wrong request, on one place, in turn."""
    with Wire(hang) as silent, Wire(once(b"")) as rude, socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        refused = Request("POST", f"http://127.0.0.1:{held.getsockname()[1]}", "/", (), b"x")

        async def scenario(transport: AsyncCurlTransport) -> None:
            for request, limit in [
                (refused, LIMIT),
                (_post(rude), LIMIT),
                (_post(silent), 0.05),
                (_post(silent), 0.0),
            ]:
                assert isinstance(await transport.send(request, limit), Failure)
                check_idle(transport)
            with pytest.raises(InvalidRequest):
                await transport.send(_post(rude)._replace(target=""), LIMIT)
            with pytest.raises(ConfigError):
                await transport.send(_post(rude)._replace(origin="ftp://x"), LIMIT)

        _with_transport(scenario, max_in_flight=1)


@pytest.mark.parametrize(
    ("script", "scheme", "failure"),
    [
        # libcurl tells the time of the connection only when the handshake is over, or has failed.
        (_silent, "https", Failure(Phase.CONNECT, sent=False, code="closed")),
        (hang, "http", Failure(Phase.RECEIVE, sent=True, code="closed")),
        (_half_a_body, "http", Failure(Phase.BODY, sent=True, code="closed", status=200)),
    ],
    ids=["handshake", "answer", "body"],
)
def test_closing_ends_what_is_under_way(
    ca_file: str, script: Script, scheme: str, failure: Failure
) -> None:
    """The failure says how far the request came; a later one is refused; again is harmless."""
    with Wire(script) as wire:

        async def scenario(transport: AsyncCurlTransport) -> None:
            tasks = [
                asyncio.ensure_future(transport.send(_post(wire, scheme), LIMIT)) for _ in range(3)
            ]
            await _until(lambda: wire.connections == 3)
            await _until(lambda: len(wire.requests) == 3 * failure.sent)
            await _until(lambda: _statuses(transport) == [failure.status] * 3)
            transport.close()
            check_unregistered(transport)
            assert await asyncio.gather(*tasks) == [failure] * 3
            transport.close()
            assert await transport.send(_post(wire, scheme), LIMIT) == CLOSED
            assert transport.kept == 0

        _with_transport(scenario, ca_file=ca_file, connect_timeout=LIMIT)


def test_closing_before_the_first_byte_proves_that_nothing_left() -> None:
    """In the same step as the sending, before the loop has turned once."""
    with Wire(hang) as wire:

        async def scenario(transport: AsyncCurlTransport) -> None:
            task = asyncio.ensure_future(transport.send(_post(wire), LIMIT))
            transport._loop.call_soon(transport.close)
            assert await task == Failure(Phase.CONNECT, sent=False, code="closed")

        _with_transport(scenario)
        assert wire.requests == []


def test_closing_does_not_wait_for_a_look_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """After a name was not found in time, the connections are closed by another thread."""
    closers = []
    gone = threading.Event()

    def script(peer: Peer) -> None:
        answer(OK)(peer)
        gone.set()

    class Watched:
        def __init__(self, multi: Any) -> None:
            self._multi = multi

        def __getattr__(self, name: str) -> Any:
            return getattr(self._multi, name)

        def close(self) -> None:
            closers.append(threading.current_thread())
            self._multi.close()

    with Wire(script) as wire:

        async def scenario(transport: AsyncCurlTransport) -> None:
            transport._connector._multi = Watched(transport._connector._multi)
            assert isinstance(await transport.send(_post(wire), LIMIT), Response)
            failure = await transport.send(
                _post(wire)._replace(origin="http://nobody.onion"), LIMIT
            )
            assert isinstance(failure, Failure)
            transport.close()
            assert await asyncio.to_thread(gone.wait, LIMIT)
            assert closers != [threading.current_thread()]

        _with_transport(scenario)
    closers[0].join(LIMIT)


def _fails_once(transport: AsyncCurlTransport, error: BaseException) -> None:
    """Let the next call of libcurl's callback for sockets raise `error`."""
    errors = [error]

    def note(*_: object) -> None:
        if errors:
            raise errors.pop()

    transport._connector._multi.setopt(pycurl.M_SOCKETFUNCTION, note)


def test_an_interrupt_while_connecting_is_passed_on() -> None:
    """Ctrl-C is not lost, and what it has broken is mended."""
    gate = Gate()
    with Wire(gate) as wire, Wire(answer(OK)) as other:

        async def main() -> None:
            transport = AsyncCurlTransport(TransportOptions(max_in_flight=2))
            made.append(transport)
            waiting = asyncio.ensure_future(transport.send(_post(wire), LIMIT))
            await _until(lambda: len(wire.requests) == 1)
            _fails_once(transport, KeyboardInterrupt())
            made.append(waiting)
            await transport.send(_post(other), LIMIT)

        async def afterwards() -> None:
            transport, waiting = made
            gate.opened.set()
            assert isinstance(await waiting, Response)
            check_idle(transport)
            assert isinstance(await transport.send(_post(other), LIMIT), Response)
            transport.close()
            check_unregistered(transport)

        made: list[Any] = []
        with asyncio.Runner(loop_factory=asyncio.SelectorEventLoop) as runner:
            with pytest.raises(KeyboardInterrupt):
                runner.run(main())
            runner.run(afterwards())


def test_an_interrupt_in_an_exchange_is_passed_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """It strikes as the answer is read: that may have been sent, and its connection is closed."""
    with Wire(answer(OK)) as wire:

        async def main() -> None:
            made.append(AsyncCurlTransport(TransportOptions(max_in_flight=1)))
            made.append(asyncio.ensure_future(made[0].send(_post(wire), LIMIT)))
            await made[1]

        async def afterwards() -> None:
            transport, ended = made
            failure = await ended
            assert isinstance(failure, Failure)
            assert failure[:3] == (Phase.RECEIVE, True, "curl.42")
            check_idle(transport)
            assert isinstance(await transport.send(_post(wire), LIMIT), Response)
            assert wire.connections == 2
            transport.close()
            check_unregistered(transport)

        def receive(*_: object) -> None:
            raise KeyboardInterrupt

        made: list[Any] = []
        with asyncio.Runner(loop_factory=asyncio.SelectorEventLoop) as runner:
            with monkeypatch.context() as patch:
                patch.setattr(Connection, "_receive", receive)
                with pytest.raises(KeyboardInterrupt):
                    runner.run(main())
            runner.run(afterwards())


def test_a_loop_that_cannot_watch_sockets_is_refused() -> None:
    """Such as the proactor of Windows; the remedy is another kind of loop."""

    class Blind(asyncio.SelectorEventLoop):
        def remove_reader(self, fd: Any) -> bool:
            raise NotImplementedError

    async def make() -> None:
        with pytest.raises(ConfigError, match=r"Blind.*SelectorEventLoop"):
            AsyncCurlTransport(TransportOptions())

    with asyncio.Runner(loop_factory=Blind) as runner:
        runner.run(make())


def _program(text: str, *arguments: str) -> None:
    """Run `text` as a program that must end well, with every warning an error and no word."""
    command = [sys.executable, "-W", "error", "-c", text, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=LIMIT * 3, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_a_wire_loads_nothing_heavy_until_it_is_used() -> None:
    """Neither libcurl nor asyncio; and threads load no asyncio."""
    _program(
        "import sys\n"
        "from leeward._http.options import TransportOptions\n"
        "from leeward._http.wire import curl_wire\n"
        "wire = curl_wire(TransportOptions())\n"
        "assert {'pycurl._pycurl', 'asyncio', 'select'}.isdisjoint(sys.modules)\n"
        "wire.transport()\n"
        "assert 'pycurl._pycurl' in sys.modules\n"
        "assert {'asyncio', 'ssl', 'socket', 'leeward._http.aio'}.isdisjoint(sys.modules)\n"
    )
