"""A connection that libcurl makes and leeward speaks over, so that each byte sent is counted.

libcurl finds the host, connects, through a proxy too, and vouches for the peer; requests and
answers then go over the bare connection. A request is sent by one hand, which sends it once.
"""

from __future__ import annotations

import select
from collections.abc import Iterable
from time import monotonic
from typing import Any, Final

from leeward.http.broken import CUT, Broken
from leeward.http.curl.answer import finished
from leeward.http.curl.failures import Facts, explain
from leeward.http.curl.handles import CurlError, handle_for, milliseconds, scheme_of
from leeward.http.curl.library import pycurl
from leeward.http.h1 import Incoming, head_of
from leeward.http.messages import Failure, Phase, Request, Response
from leeward.http.options import TransportOptions

_TIMED_OUT: Final = 28

_RECORD: Final = 16 * 1024
"""Bytes of one TLS record. A request is handed over in no larger pieces: one that fails has then
left either whole or not at all, for a peer makes nothing of part of a record."""

_PIECE: Final = 1024 * 1024
"""The same without TLS, where the count is exact anyway."""

_ROOM: Final = 64 * 1024
"""Bytes that are received at once."""

IN: Final = getattr(select, "POLLIN", 1)
OUT: Final = getattr(select, "POLLOUT", 4)


class Line:
    """One connection to one origin, used by one thread at a time.

    Attributes:
        origin: where it leads.
        handle: the pycurl handle; None until it is connected.
        used: when it was last given back; the pool's.
        dropped: whether it is not to be used again.
    """

    def __init__(self, origin: str, options: TransportOptions) -> None:
        self.origin = origin
        self.handle: Any = None
        self.used = 0.0
        self.dropped = False
        self._options = options
        self._tls = scheme_of(origin) == "https"
        self._host = _host_of(origin)
        self._socket = -1
        self._events = IN
        self._waiter: Any = None
        self._opened = 0.0
        self._deadline = 0.0
        self._head = b""
        self._request: Request | None = None
        self._unsent = 0
        self._may_have_left = False
        self._is_kept = False
        self._may_hold = False

    def prepare(self, request: Request, timeout: float) -> None:
        """Make `request` ready to be sent within `timeout` seconds, above 0.

        Raises:
            leeward.InvalidRequest: a part of it cannot go over the wire.
        """
        self._deadline = monotonic() + timeout
        self._head = head_of(request, self._host)
        self._request = request

    def exchange(self) -> Response | Failure:
        """Send the request that was prepared, once, and give its answer.

        Raises:
            leeward.ConfigError: no certificates are there to trust.
        """
        request, options = self._request, self._options
        assert request is not None
        was_kept, self._is_kept = self._is_kept, False  # until this ends well
        self._unsent, self._may_have_left = len(self._head) + len(request.body), False
        incoming = Incoming(has_body=request.method != "HEAD", most=options.max_response_bytes)
        try:
            self._say(request.body, incoming, was_kept=was_kept)
            while not incoming.whole:
                if not self._may_hold:
                    self._wait(IN)
                self._hear(incoming)
        except CurlError as error:
            return self._failure(error.args[0], error, incoming)
        except Broken as error:
            return self._failure(error.code, error, incoming)
        self._is_kept = incoming.keeps and not self._unsent
        status = incoming.status or 0
        if incoming.head_bytes > options.max_header_bytes:
            return Failure(Phase.BODY, sent=True, code="headers_too_large", status=status)
        return finished(status, incoming.headers, incoming.body, options.max_response_bytes)

    def _say(self, body: bytes, incoming: Incoming, *, was_kept: bool) -> None:
        """Send everything, on the connection that was kept if that is well."""
        if was_kept and self._is_alive() and self._is_taken(body, incoming):
            return
        self._connect()
        self._send(body, incoming)

    def _is_alive(self) -> bool:
        """Return whether the connection can be trusted with another request.

        What has come of itself is a goodbye, or an answer to nothing, if it is not TLS's own.
        """
        now = monotonic()
        if now - self.used > self._options.max_idle or now - self._opened > self._options.max_age:
            return False
        if not self._may_hold and not self._waiter.poll(0):
            return True
        try:
            self.handle.recv(1)
        except BlockingIOError:
            self._may_hold = False
            return True
        except CurlError:
            return False
        return False

    def _is_taken(self, body: bytes, incoming: Incoming) -> bool:
        """Send everything; False if a connection that was kept has died, and nothing has left."""
        try:
            self._send(body, incoming)
        except CurlError as error:
            if self._may_have_left or error.args[0] == _TIMED_OUT:
                raise
            return False
        return True

    def _connect(self) -> None:
        handle = handle_for(self.origin, self._options)
        self.close()
        self.handle = handle
        handle.setopt(pycurl.CONNECT_ONLY, 1)
        handle.setopt(pycurl.TIMEOUT_MS, milliseconds(self._left()))
        handle.perform()
        self._opened = monotonic()
        self._socket = handle.getinfo(pycurl.ACTIVESOCKET)
        self._waiter, self._events = _waiter_for(self._socket), IN
        self._may_hold = self._tls

    def _send(self, body: bytes, incoming: Incoming) -> None:
        """Send head and body, until an answer comes that does not wait for the rest."""
        self._left()
        for each in self._pieces(body):
            piece = each
            while piece and not incoming.whole:
                count = self._passed_on(piece, incoming)
                if count:
                    self._may_have_left = True
                    self._unsent -= count
                    piece = piece[count:]
                elif not incoming.whole:
                    self._wait_to_send(incoming)

    def _passed_on(self, piece: bytes | memoryview, incoming: Incoming) -> int:
        """Return how many bytes the connection took; 0 if it has no room, or has an answer."""
        try:
            count: int = self.handle.send(piece)
        except BlockingIOError:
            # Of a TLS record, a part may have left.
            self._may_have_left = self._may_have_left or self._tls
            return 0
        except CurlError:
            if not (self._may_have_left and self._answers_after_all(incoming)):
                raise
            return 0
        return count

    def _wait_to_send(self, incoming: Incoming) -> None:
        """Wait for room; or, once there is something to answer, for an answer."""
        if self._may_have_left:
            self._wait(IN | OUT)
            self._hear(incoming)
        else:
            self._wait(OUT)

    def _pieces(self, body: bytes) -> Iterable[bytes | memoryview]:
        most = _RECORD if self._tls else _PIECE
        if self._unsent <= most:
            return (self._head + body,)
        return _cut(memoryview(self._head), most) + _cut(memoryview(body), most)

    def _hear(self, incoming: Incoming) -> None:
        """Take everything that has come in, of an answer that is not whole.

        OpenSSL reads ahead: until it says that it has no more, waiting for the socket could be
        waiting for what is here already.
        """
        self._may_hold = self._tls
        try:
            while True:
                data = self.handle.recv(_ROOM)
                if data:
                    incoming.feed(data)
                else:
                    incoming.end()
                if incoming.whole:
                    return
                self._left()
        except BlockingIOError:
            self._may_hold = False

    def _answers_after_all(self, incoming: Incoming) -> bool:
        """Take what a server said before it hung up in the middle; say whether that is whole."""
        try:
            self._hear(incoming)
        except (CurlError, Broken):
            return False
        return incoming.whole

    def _wait(self, events: int) -> None:
        """Wait until one of `events` is there."""
        if events != self._events:
            self._waiter.modify(self._socket, events)
            self._events = events
        while not self._waiter.poll(milliseconds(self._left())):
            pass

    def _left(self) -> float:
        """Return the seconds that are left; raise libcurl's error for none."""
        left = self._deadline - monotonic()
        if left <= 0:
            raise CurlError(_TIMED_OUT, "the deadline has passed")
        return left

    def _failure(self, code: int, cause: Exception, incoming: Incoming) -> Failure:
        facts = Facts(
            code=code,
            request_size=int(self._may_have_left),
            tls=self._tls,
            name_found=self._has_passed(pycurl.NAMELOOKUP_TIME),
            connected=self._has_passed(pycurl.CONNECT_TIME),
            uploaded=not self._unsent,
            status=incoming.status_so_far,
            headers_complete=incoming.status is not None,
        )
        # Frames would keep the request, and the secrets in it, alive.
        failure = explain(facts, cause.with_traceback(None))
        return failure._replace(code="headers_cut") if _is_cut_head(facts) else failure

    def _has_passed(self, time: int) -> bool:
        return self.handle is not None and self.handle.getinfo(time) > 0

    def rest(self) -> None:
        """Let go of the last request; of the connection too, if it cannot serve another."""
        self._request, self._head = None, b""
        self.dropped = self.dropped or not self._is_kept

    def close(self) -> None:
        """Close the connection."""
        if self.handle is not None:
            self.handle.close()


def _cut(whole: memoryview, most: int) -> list[memoryview]:
    return [whole[start : start + most] for start in range(0, len(whole), most)]


def _is_cut_head(facts: Facts) -> bool:
    return facts.code == CUT and not facts.headers_complete


def _host_of(origin: str) -> str:
    """Return the `Host` header that goes with `origin`: without the scheme's own port."""
    scheme, _, host = origin.partition("://")
    return host.removesuffix(":443" if scheme == "https" else ":80")


def _waiter_for(socket: int) -> Any:
    """Return what waits for events of `socket`, to begin with for something to read."""
    waiter = select.poll() if hasattr(select, "poll") else _Select()
    waiter.register(socket, IN)
    return waiter


class _Select:
    """What `select.poll` is, for one socket, where there is none."""

    def register(self, socket: int, events: int) -> None:
        self._socket, self._events = [socket], events

    modify = register

    def poll(self, milliseconds: int) -> list[int]:
        """Return the sockets on which one of the events is there."""
        readers = self._socket if self._events & IN else []
        writers = self._socket if self._events & OUT else []
        ready = select.select(readers, writers, self._socket, milliseconds / 1000)
        return [each for found in ready for each in found]
