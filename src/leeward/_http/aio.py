"""The transport for asyncio: the event loop says when a connection is ready."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from functools import partial

from leeward._http.connection import OUT, Connection
from leeward._http.connector import CONNECTED, Connector
from leeward._http.exchange import Exchange
from leeward._http.libcurl import handle_for, milliseconds, pycurl
from leeward._http.messages import Failure, Request, Response, refuse
from leeward._http.options import TransportOptions
from leeward._http.pool import Pool, Pooled
from leeward.calls import time_after
from leeward.clock import running_loop
from leeward.errors import ConfigError
from leeward.forking import watch

_INTERRUPTED = 42  # libcurl's code for what was broken off by the program
_LONGEST = 86400.0  # seconds of a timer; one that ends too early is set anew.


class LoopConnection(Connection):
    """A connection that an event loop watches from its beginning to its end.

    Watched all the time, because to begin and to end it for each request costs as much as half a
    request; and so a connection that its server has closed goes at once.
    """

    def __init__(
        self,
        origin: str,
        options: TransportOptions,
        loop: asyncio.AbstractEventLoop,
        connector: Connector,
        discard: Callable[[LoopConnection], None],
    ) -> None:
        super().__init__(origin, options)
        self._discard = discard
        self._loop = loop
        self._connector = connector
        self._exchange: Exchange | None = None
        self._done: asyncio.Future[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._due = 0.0
        self._is_writing = False

    async def carry(self, exchange: Exchange) -> Response | Failure:
        """Send the request, once, and return its answer; to cancel this is to end it."""
        loop, events = self._loop, 0
        if exchange.result is None and self.is_reusable:
            now = loop.time()
            events = self.start(exchange, now) if self.is_alive(now) else 0
        if not events and exchange.result is None and await self._connect(exchange):
            events = self.start(exchange, loop.time())
        if events:
            self._exchange = exchange
            done = self._done = loop.create_future()
            try:
                self._set_timer(exchange.deadline)
                self._resume(exchange, events)
                await done
            finally:
                self._exchange = self._done = None
        assert exchange.result is not None
        return exchange.result

    async def _connect(self, exchange: Exchange) -> bool:
        """Connect, within the time that is left; if that fails, `exchange` has a result."""
        self.close()
        handle = self.handle = handle_for(self.origin, self._options)
        left = exchange.deadline - self._loop.time()
        handle.setopt(pycurl.TIMEOUT_MS, milliseconds(left))
        end = await self._connector.connect(handle)
        if end == CONNECTED and self.handle is handle:
            self.note_connected(self._loop.time(), exchange.tls)
            self._loop.add_reader(self.socket, self._on_ready)
            return True
        if exchange.result is None:  # else the transport was closed meanwhile
            if end is None:
                exchange.close(self.read_progress())
            else:
                self.fail_to_connect(exchange, *end)
        return False

    def _on_ready(self) -> None:
        """Continue: the connection can be read or written."""
        exchange = self._exchange
        if exchange is None:
            if self.handle is not None and not self.is_quiet():
                self._discard(self)
            return
        try:
            events = self.proceed(exchange)
        except BaseException as error:  # Ctrl-C, say: what it has broken off cannot continue
            exchange.fail(_INTERRUPTED, error)
            self._finish()
            raise
        self._resume(exchange, events)

    def _resume(self, exchange: Exchange, events: int) -> None:
        """Wait for `events`; if there are none, wake the task that waits for `exchange`."""
        if not events:
            self._finish()
            return
        if self._is_writing is not bool(events & OUT):
            self._is_writing = not self._is_writing
            if self._is_writing:
                self._loop.add_writer(self.socket, self._on_ready)
            else:
                self._loop.remove_writer(self.socket)
        if self.holds:
            self._loop.call_soon(self._on_ready)

    def _finish(self) -> None:
        done, self._exchange = self._done, None
        if done is not None and not done.done():
            done.set_result(None)

    def _set_timer(self, deadline: float) -> None:
        """Set the timer that looks at the deadline.

        Most are put off before, by the next request. So a timer that comes too early is left
        alone, and looks again when it is there.
        """
        if self._timer is not None:
            if self._due <= deadline:
                return
            self._timer.cancel()
        self._due = min(deadline, self._loop.time() + _LONGEST)
        self._timer = self._loop.call_at(self._due, self._on_time)

    def _on_time(self) -> None:
        self._timer = None
        exchange = self._exchange
        if exchange is None:
            return
        if exchange.deadline > self._due:
            self._set_timer(exchange.deadline)
        else:
            self.fail_late(exchange)
            self._finish()

    def end(self, exchange: Exchange) -> None:
        """End `exchange`, which is under way here, because the transport is closed."""
        if self._connector.end(self.handle):
            return
        if exchange.result is None:
            exchange.close(self.read_progress())
        if not self._loop.is_closed():  # else whom it could wake is no more
            self._finish()
        self.close()

    def close(self) -> None:
        """Close it, and have it watched no more."""
        handle = self.handle
        if handle is None:
            return
        if self.socket >= 0:
            self._loop.remove_reader(self.socket)
            if self._is_writing:
                self._loop.remove_writer(self.socket)
            self.socket, self._is_writing = -1, False
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._connector.remove(handle)
        super().close()


class AsyncCurlTransport(Pooled):
    """Sends requests over connections that libcurl makes, on the loop that runs when it is made.

    Every method is for the thread of that loop; when the loop has ended, any thread may `close`. A
    task that is cancelled while it waits ends its request, and the connection with it.

    Raises:
        leeward.ConfigError: no event loop is running, or one that cannot watch sockets.
    """

    def __init__(self, options: TransportOptions) -> None:
        self._options = options
        self._loop = _loop_that_watches()
        self._connector = Connector(self._loop)
        self._pool: Pool[LoopConnection] = Pool(options, self._make, self._loop.time)
        watch(self)

    def _make(self, origin: str, options: TransportOptions) -> LoopConnection:
        discard = self._pool.discard
        return LoopConnection(origin, options, self._loop, self._connector, discard)

    async def send(self, request: Request, timeout: float) -> Response | Failure:
        """Send `request` once and return its answer, within `timeout` seconds."""
        loop = self._loop
        if asyncio.get_running_loop() is not loop:
            raise ConfigError(
                "a transport belongs to the event loop it was made on; make one for each loop"
            )
        if not timeout > 0:  # nor for what is not a number
            return refuse("deadline")
        began, waited = loop.time(), 0.0
        exchange = Exchange(request, began + timeout, self._options)
        pool = self._pool
        try:
            leased = pool.acquire(exchange)
            if leased is None:
                leased = await self._wait_in_line(exchange, timeout)
                waited = loop.time() - began
                exchange.deadline = began + waited + time_after(waited, timeout)
            answer = leased if isinstance(leased, Failure) else await leased.carry(exchange)
        finally:
            pool.release(exchange)
        return answer._replace(waited=waited) if waited else answer

    async def _wait_in_line(self, exchange: Exchange, timeout: float) -> LoopConnection | Failure:
        turn = self._loop.create_future()
        refusal = self._pool.wait(exchange, partial(_wake, turn), timeout)
        if refusal is not None:
            return refusal
        longest = max(getattr(timeout, "wait", timeout), 0.0)
        timer = self._loop.call_later(min(longest, _LONGEST), _wake, turn)
        try:
            await turn
        finally:
            timer.cancel()
        return self._pool.collect(exchange, timeout)

    @property
    def is_closed(self) -> bool:
        """Whether `close` was called."""
        return self._pool.is_closed

    def close(self) -> None:
        """Close every connection and end the requests under way.

        Each of them gets a failure that says whether it may have been sent.
        """
        for exchange, connection in self._pool.close():
            connection.end(exchange)
        self._connector.close()

    def renew(self, *, held: bool) -> None:
        """Leave every connection to the parent of a fork, whose loop this one cannot share."""
        del held
        self._pool.abandon()
        self._pool.close()
        self._connector.abandon()


def _wake(turn: asyncio.Future[None]) -> None:
    if not turn.done() and not turn.get_loop().is_closed():
        turn.set_result(None)


def _loop_that_watches() -> asyncio.AbstractEventLoop:
    """Return the running loop, if it can tell when a socket is ready."""
    loop = running_loop()
    try:
        with socket.socket() as unwatched:
            loop.remove_reader(unwatched)
    except NotImplementedError as error:  # the proactor of Windows
        raise ConfigError(
            f"{type(loop).__name__} cannot watch sockets; "
            "run the program with asyncio.Runner(loop_factory=asyncio.SelectorEventLoop)"
        ) from error
    return loop
