"""The transports of one driver: one for its threads, and one for each event loop.

Each is made when it is first needed. A transport is a small protocol, so that a test, or a platform
without libcurl, can bring another.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol

from leeward._http.messages import Failure, Request, Response
from leeward.clock import running_loop
from leeward.forking import ForkLock

if TYPE_CHECKING:
    from leeward._http.options import TransportOptions


class Transport(Protocol):
    """Carries requests, from many threads at once."""

    def send(self, request: Request, timeout: float) -> Response | Failure:
        """Send `request` once and return its answer, within `timeout` seconds.

        A `leeward.calls.AttemptTime` says how long it may wait for a place besides.

        Nothing that happens on the network raises. `leeward.InvalidRequest` and
        `leeward.ConfigError` are raised for what cannot be sent at all, before anything is.
        """

    def drop(self, origin: str) -> None:
        """Use no connection to `origin` again that is there now: it leads to the wrong place."""

    def close(self) -> None:
        """Close every connection. Closing twice is harmless; a later `send` is refused."""


class AsyncTransport(Protocol):
    """Carries requests for the tasks of one event loop."""

    async def send(self, request: Request, timeout: float) -> Response | Failure:
        """Do the same; one that is cancelled may have been sent, and gives back what it held."""

    def drop(self, origin: str) -> None:
        """Use no connection to `origin` again that is there now; on the thread of the loop."""

    def close(self) -> None:
        """Do the same, on the thread of the loop or once that has ended; requests fail."""


class Wire:
    """Finds the transport that fits the caller."""

    def __init__(
        self, for_threads: Callable[[], Transport], for_loop: Callable[[], AsyncTransport]
    ) -> None:
        self._for_threads = for_threads
        self._for_loop = for_loop
        self.threads: Transport | None = None
        self._loops: dict[Any, AsyncTransport] = {}
        self._closed = False
        self._lock = ForkLock()

    def transport(self) -> Transport:
        """Return the transport of the threads. After `close`, it is one that refuses."""
        return self.threads or self._make()

    def async_transport(self) -> AsyncTransport:
        """Return the transport of the running event loop. After `close`, it is one that refuses."""
        loop = running_loop()
        return self._loops.get(loop) or self._make_for(loop)

    def drop(self, origin: str) -> None:
        """Stop every transport from using a connection to `origin` that is open now."""
        with self._lock:
            transport, loops = self.threads, dict(self._loops)
        if transport is not None:
            transport.drop(origin)
        for loop, loop_transport in loops.items():
            _call_on(loop, loop_transport, partial(loop_transport.drop, origin))

    def places(self) -> tuple[int, int]:
        """Return how many requests are under way, and how many calls wait for a place.

        A transport that does not count them has none.
        """
        with self._lock:
            transports = [pool for pool in (self.threads, *self._loops.values()) if pool]
        counts = [
            (getattr(transport, "in_flight", 0), getattr(transport, "waiting", 0))
            for transport in transports
        ]
        return sum(busy for busy, _ in counts), sum(waiting for _, waiting in counts)

    def close(self) -> None:
        """Close every transport; one of another thread's event loop as soon as that can."""
        with self._lock:
            self._closed = True
            transport, loops = self.threads, dict(self._loops)
        if transport is not None:
            transport.close()
        for loop, loop_transport in loops.items():
            _call_on(loop, loop_transport, loop_transport.close)

    def _make(self) -> Transport:
        # Made before the lock is taken: libcurl is loaded for it, and a fork waits for the lock.
        transport = self._for_threads()
        with self._lock:
            kept = self.threads = self.threads or transport
            closed = self._closed
        if closed or kept is not transport:
            transport.close()
        return kept

    def _make_for(self, loop: Any) -> AsyncTransport:
        transport = self._for_loop()
        with self._lock:
            ended = [self._loops.pop(loop) for loop in list(self._loops) if loop.is_closed()]
            self._loops[loop] = transport
            closed = self._closed
        for unused in (*ended, transport) if closed else ended:
            unused.close()
        return transport


def curl_wire(options: TransportOptions) -> Wire:
    """Return a wire over libcurl."""

    def for_threads() -> Transport:
        from leeward._http.threads import CurlTransport

        return CurlTransport(options)

    def for_loop() -> AsyncTransport:
        from leeward._http.aio import AsyncCurlTransport

        return AsyncCurlTransport(options)

    return Wire(for_threads, for_loop)


def _call_on(loop: Any, transport: AsyncTransport, function: Callable[[], None]) -> None:
    """Call `function` on the thread of `loop`: now, if that is this one.

    If the loop has ended, `transport` is closed instead, here: its connections would stay open.
    """
    if _is_running_here(loop):
        function()
        return
    try:
        loop.call_soon_threadsafe(function)
    except RuntimeError:
        transport.close()


def _is_running_here(loop: Any) -> bool:
    from asyncio import get_running_loop

    try:
        return loop is get_running_loop()
    except RuntimeError:
        return False
