"""A transport for asyncio behind the face of one for threads, so that one suite tests both."""

from __future__ import annotations

import asyncio
import select
import threading
from collections.abc import Callable
from time import monotonic, sleep
from typing import TypeAlias, TypeVar

from leeward._http.aio import AsyncCurlTransport, LoopConnection
from leeward._http.connector import Connector
from leeward._http.messages import Failure, Request, Response
from leeward._http.options import TransportOptions
from leeward._http.threads import CurlTransport
from tests.http.wire import LIMIT

T = TypeVar("T")


class Bridge:
    """Runs a transport for asyncio on a loop in a thread of its own; other threads may send.

    Attributes:
        loop: the loop.
        transport: the transport.
        faults: what the loop's exception handler was told.
    """

    def __init__(self, options: TransportOptions) -> None:
        self.loop = asyncio.SelectorEventLoop()
        self.faults: list[dict[str, object]] = []
        self.loop.set_exception_handler(lambda _, context: self.faults.append(context))
        self._thread = threading.Thread(target=self.loop.run_forever)
        self._thread.start()
        self.transport = self.call(lambda: AsyncCurlTransport(options))

    def call(self, function: Callable[[], T]) -> T:
        """Call `function` on the loop's thread."""

        async def called() -> T:
            return function()

        return asyncio.run_coroutine_threadsafe(called(), self.loop).result(LIMIT)

    def send(self, request: Request, timeout: float) -> Response | Failure:
        """Send `request` once."""
        sent = asyncio.run_coroutine_threadsafe(self.transport.send(request, timeout), self.loop)
        return sent.result(LIMIT * 2)

    def drop(self, origin: str) -> None:
        """Give up the connections to `origin`."""
        self.call(lambda: self.transport.drop(origin))

    def close(self) -> None:
        """Close the transport; the loop goes on."""
        self.call(self.transport.close)

    def end(self) -> None:
        """Check that nothing is under way, close, check that nothing is left, end the loop."""
        try:
            self.call(lambda: check_idle(self.transport))
            self.call(self.transport.close)
            self.call(lambda: check_unregistered(self.transport))
            assert self.faults == [], self.faults
        finally:
            self.loop.call_soon_threadsafe(self.loop.stop)
            self._thread.join(LIMIT)
            self.loop.close()

    @property
    def in_flight(self) -> int:
        """How many requests are under way."""
        return self.call(lambda: self.transport.in_flight)

    @property
    def waiting(self) -> int:
        """How many requests wait for a place."""
        return self.call(lambda: self.transport.waiting)

    @property
    def kept(self) -> int:
        """How many connections lie idle."""
        return self.call(lambda: self.transport.kept)


AnyTransport: TypeAlias = CurlTransport | Bridge
"""What a test is given that runs over both."""


def wait_for_more(transport: AnyTransport) -> None:
    """Wait until more has come on each idle connection, or its end; a loop closes it then."""
    if isinstance(transport, Bridge):
        wait_until(lambda: transport.kept == 0)
        return
    for connection in transport._pool.idle:
        poller = select.poll()
        poller.register(connection.socket, select.POLLIN)
        assert poller.poll(LIMIT * 1000)


def wait_until(condition: Callable[[], object]) -> None:
    """Wait until something is true, which another thread brings about."""
    ends = monotonic() + LIMIT
    while not condition():
        assert monotonic() < ends, "it did not come about"
        sleep(0.002)


def check_idle(transport: AsyncCurlTransport) -> None:
    """Check that every place is free and nothing is being connected."""
    assert (transport.in_flight, transport.waiting) == (0, 0)
    assert transport._connector._connecting == {}


def check_unregistered(transport: AsyncCurlTransport) -> None:
    """Check that a closed `transport` has left nothing on its loop."""
    loop = transport._loop
    assert isinstance(loop, asyncio.SelectorEventLoop)
    mine = [
        each
        for key in loop._selector.get_map().values()  # type: ignore[attr-defined]
        for each in key.data
        if each is not None and _is_ours(each)
    ]
    timers = [
        each
        for each in loop._scheduled  # type: ignore[attr-defined]
        if not each.cancelled() and _is_ours(each)
    ]
    assert (mine, timers, transport._connector._watched) == ([], [], {})


def _is_ours(handle: asyncio.Handle) -> bool:
    callback = handle._callback  # type: ignore[attr-defined]
    return isinstance(getattr(callback, "__self__", None), Connector | LoopConnection)
