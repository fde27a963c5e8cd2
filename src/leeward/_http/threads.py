"""The transport for threads: each waits for its own request."""

from __future__ import annotations

import threading
from time import monotonic

from leeward._http.connection import IN, Connection, poller_for
from leeward._http.exchange import Exchange
from leeward._http.libcurl import LONGEST, CurlError, handle_for, milliseconds, pycurl
from leeward._http.messages import Failure, Request, Response, refuse
from leeward._http.options import TransportOptions
from leeward._http.pool import Pool, Pooled
from leeward.calls import time_after
from leeward.forking import watch


class BlockingConnection(Connection):
    """A connection whose thread waits for it."""

    def carry(self, exchange: Exchange) -> Response | Failure:
        """Send the request, once, and return its answer."""
        now = monotonic()
        events = self.start(exchange, now) if self.is_reusable and self.is_alive(now) else 0
        if not events and exchange.result is None and self._connect(exchange):
            events = self.start(exchange, monotonic())
        while events:
            left = exchange.deadline - monotonic()
            if left <= 0:
                self.fail_late(exchange)
                break
            if self.holds or self._wait(events, left):
                events = self.proceed(exchange)
        assert exchange.result is not None
        return exchange.result

    def _connect(self, exchange: Exchange) -> bool:
        """Connect, within the time that is left; if that fails, `exchange` has a result."""
        self.is_reusable = False
        if self.handle is None:
            self.handle = handle_for(self.origin, self._options)
        # A handle that has connected before hangs up first, and knows the certificates already.
        self.handle.setopt(pycurl.TIMEOUT_MS, milliseconds(exchange.deadline - monotonic()))
        try:
            self.handle.perform()
        except CurlError as error:
            self.fail_to_connect(exchange, *error.args)
            return False
        self.note_connected(monotonic(), exchange.tls)
        return True

    def _wait(self, events: int, seconds: float) -> bool:
        """Wait for one of `events`; return whether it is there."""
        poller = self._poller if events == IN else poller_for(self.socket, events)
        return bool(poller.poll(min(seconds, LONGEST) * 1000))


class CurlTransport(Pooled):
    """Sends requests over connections that libcurl makes, one thread on each at a time.

    While it connects, libcurl is deaf to signals: Ctrl-C takes effect when that ends, after
    `connect_timeout` at the latest.
    """

    def __init__(self, options: TransportOptions) -> None:
        self._options = options
        self._pool = Pool(options, BlockingConnection, monotonic)
        watch(self)

    def send(self, request: Request, timeout: float) -> Response | Failure:
        """Send `request` once and return its answer, within `timeout` seconds."""
        if not timeout > 0:  # nor for what is not a number
            return refuse("deadline")
        began, waited = monotonic(), 0.0
        exchange = Exchange(request, began + timeout, self._options)
        pool = self._pool
        try:
            leased = pool.acquire(exchange)
            if leased is None:
                leased = self._wait_in_line(exchange, timeout)
                waited = monotonic() - began
                exchange.deadline = began + waited + time_after(waited, timeout)
            answer = leased if isinstance(leased, Failure) else leased.carry(exchange)
        finally:
            pool.release(exchange)
        return answer._replace(waited=waited) if waited else answer

    def _wait_in_line(self, exchange: Exchange, timeout: float) -> BlockingConnection | Failure:
        turn = threading.Lock()
        turn.acquire()
        refusal = self._pool.wait(exchange, turn.release, timeout)
        if refusal is not None:
            return refusal
        longest = max(getattr(timeout, "wait", timeout), 0.0)
        turn.acquire(timeout=min(longest, threading.TIMEOUT_MAX))
        return self._pool.collect(exchange, timeout)

    def close(self) -> None:
        """Close every connection; those in use when their request is done."""
        self._pool.close()

    def renew(self, *, held: bool) -> None:
        """Leave every connection to the parent of a fork."""
        del held
        self._pool.abandon()
