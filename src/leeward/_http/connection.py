"""A connection that libcurl has made and leeward speaks over, so that each byte sent is counted.

libcurl finds the host, connects, through a proxy too, and vouches for the peer; requests and
answers then go over the bare connection. Nothing here waits: each step does what can be done at
once and returns what to wait for, so that threads and event loops share it.
"""

from __future__ import annotations

import re
import select
from typing import Any, Final

from leeward._http.exchange import Exchange
from leeward._http.libcurl import CurlError, pycurl
from leeward._http.messages import TIMED_OUT, Progress
from leeward._http.options import TransportOptions, without_login

_ROOM: Final = 64 * 1024  # bytes that are received at once

_ALERT: Final = re.compile(r"error:0A000(?:41[2-9]|45C):")
"""What libcurl says of a fatal alert about the certificate of this side, as OpenSSL numbers it:
1000 and the alert, which is one of 42 to 49, or 116. Source: RFC 8446, 6.2; openssl/sslerr.h."""

IN: Final = getattr(select, "POLLIN", 1)
OUT: Final = getattr(select, "POLLOUT", 4)


class Connection:
    """One connection to one origin, for one exchange at a time.

    Attributes:
        handle: pycurl's; None until there is one.
        socket: its number; -1 until it is connected.
        used: when it was last given back, by the clock of the runner.
        leased: when a request has taken it last, by the same clock.
        is_reusable: whether it may serve another exchange; False while one is under way, so that
            one that is interrupted leaves nothing behind.
        is_dropped: whether it leads to the wrong place, and is not to be used again.
        holds: whether bytes may be here that the socket says nothing about: OpenSSL reads ahead.
    """

    def __init__(self, origin: str, options: TransportOptions) -> None:
        self.origin = origin
        self.handle: Any = None
        self.socket = -1
        self.used = self.leased = 0.0
        self.is_reusable = False
        self.is_dropped = False
        self.holds = False
        self._options = options
        self._opened = 0.0
        self._tls = self._is_unheard = False
        self._poller: Any = None

    def note_connected(self, now: float, tls: bool) -> None:
        """Note that libcurl has connected `handle`."""
        self.socket = self.handle.getinfo(pycurl.ACTIVESOCKET)
        self._opened = now
        self._tls = self.holds = self._is_unheard = tls
        self._poller = poller_for(self.socket)

    def read_progress(self) -> Progress:
        """Return how far libcurl has come with the connection, by its own times."""
        if self.handle is None:
            return Progress()
        name_found = self.handle.getinfo(pycurl.NAMELOOKUP_TIME) > 0
        connected = self.handle.getinfo(pycurl.CONNECT_TIME) > 0
        return Progress(name_found=name_found, connected=connected)

    def is_alive(self, now: float) -> bool:
        """Return whether it may be trusted with another request.

        Not if it is old, or lay idle for long; and not if anything has come since its last answer:
        that is a goodbye, or an answer to nothing, unless it is TLS's own.
        """
        options = self._options
        if now - self.used > options.max_idle or now - self._opened > options.max_age:
            return False
        return self.is_quiet()

    def is_quiet(self) -> bool:
        """Return whether nothing has come, and the connection has not ended."""
        if not self.holds and not self._poller.poll(0):
            return True
        try:
            self.handle.recv(1)
        except BlockingIOError:
            self.holds = False
            return True
        except CurlError:
            pass
        self.is_reusable = False
        return False

    def start(self, exchange: Exchange, now: float) -> int:
        """Begin to send; return the events to wait for, 0 when there is nothing to wait for.

        Then `exchange` has a result. If it has none, the connection was kept from an earlier
        exchange and has died since; not a byte has left, and another connection may take it.
        """
        was_kept, self.is_reusable = self.is_reusable, False
        if now >= exchange.deadline:
            self.fail_late(exchange)
            return 0
        try:
            self._send(exchange)
        except CurlError as error:
            if was_kept and not exchange.may_have_left:
                return 0
            self._hear_out(exchange, error)
            return self._choose_events(exchange)
        return self._choose_events(exchange) if exchange.unsent else IN

    def proceed(self, exchange: Exchange) -> int:
        """Receive once, and send what can be sent; return the events to wait for, 0 at the end."""
        try:
            if exchange.may_have_left:
                self._receive(exchange)
            if exchange.unsent and exchange.result is None:
                self._send(exchange)
        except CurlError as error:
            self._hear_out(exchange, error)
        return self._choose_events(exchange)

    def fail_to_connect(self, exchange: Exchange, code: int, words: str) -> None:
        """End `exchange`, for which no connection has come about, with libcurl's code and words."""
        options = self._options
        if options.proxy and not options.no_proxy and self.origin.startswith("https:"):
            words += " (over proxy)"  # of a proxy that is silent libcurl does not say so
        shown = without_login(words, options.proxy)
        exchange.fail(code, CurlError(code, shown), self.read_progress())

    def fail_late(self, exchange: Exchange) -> None:
        """End `exchange`, whose deadline has passed."""
        exchange.fail(TIMED_OUT, CurlError(TIMED_OUT, "the deadline has passed"))

    def _send(self, exchange: Exchange) -> None:
        send = self.handle.send
        try:
            while exchange.unsent:
                exchange.note_sent(send(exchange.to_send()))
        except BlockingIOError:
            exchange.note_blocked()

    def _receive(self, exchange: Exchange) -> None:
        try:
            data = self.handle.recv(_ROOM)
        except BlockingIOError:
            self.holds = False
        except CurlError as error:
            self._fail(exchange, error)
        else:
            self.holds, self._is_unheard = self._tls, False
            exchange.receive(data)

    def _hear_out(self, exchange: Exchange, error: CurlError) -> None:
        """Read what a server has said before it hung up in the middle; else `error` is the end."""
        if exchange.may_have_left:
            try:
                while exchange.result is None:
                    exchange.receive(self.handle.recv(_ROOM))
                    self._is_unheard = False
            except BlockingIOError:
                pass
            except CurlError as heard:
                error = heard if _ALERT.search(str(heard)) else error
        if not exchange.is_answered:
            self._fail(exchange, error)

    def _fail(self, exchange: Exchange, error: CurlError) -> None:
        """End an exchange. If the peer has refused the handshake, it has not read the request.

        In TLS 1.3 a client has done its part before the server looks at its certificate. Whatever
        was sent with it is of no use to a server whose first word is that alert.
        """
        if self._is_unheard and _ALERT.search(str(error)):
            exchange.may_have_left = False
        exchange.fail(error.args[0], error)

    def _choose_events(self, exchange: Exchange) -> int:
        if exchange.result is not None:
            self.is_reusable = exchange.leaves_clean
            return 0
        if not exchange.unsent:
            return IN
        return IN | OUT if exchange.may_have_left else OUT

    def close(self) -> None:
        """Close it."""
        handle, self.handle = self.handle, None
        if handle is not None:
            handle.close()


def poller_for(socket: int, events: int = IN) -> Any:
    """Return what waits for `events` of `socket`."""
    poller = select.poll() if hasattr(select, "poll") else _Select()
    poller.register(socket, events)
    return poller


class _Select:
    """What `select.poll` is, for one socket, where there is none."""

    def register(self, socket: int, events: int) -> None:
        self._socket, self._events = [socket], events

    def poll(self, milliseconds: float) -> list[int]:
        """Return the sockets on which one of the events is there."""
        readers = self._socket if self._events & IN else []
        writers = self._socket if self._events & OUT else []
        ready = select.select(readers, writers, self._socket, milliseconds / 1000)
        return [connection for some in ready for connection in some]
