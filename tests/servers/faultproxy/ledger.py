"""What a proxy saw: written by its loop, read by the tests."""

from __future__ import annotations

import threading
from enum import Enum
from typing import NamedTuple


class Ending(Enum):
    """How a connection ended; noted before the client can know."""

    CLIENT_CLOSED = "the client closed it"
    CLIENT_RESET = "the client reset it, or broke off its TLS session"
    CLOSED = "the proxy closed it"
    RESET = "the proxy reset it"
    CUT = "the proxy reset it because it began to refuse, or was stopped"
    HANDSHAKE_FAILED = "no TLS session came about"
    UPSTREAM_FAILED = "the upstream gave no whole answer, so the proxy reset it"
    MALFORMED = "what the client sent is no HTTP/1.1, so the proxy reset it"


class RequestSeen(NamedTuple):
    """A request that was read in full.

    Attributes:
        method: as it came.
        target: as it came, byte for byte.
        toxic: the name of what was done to it; None if it was passed on as it should be.
        forwarded: how often it was sent upstream in full.
    """

    method: str
    target: str
    toxic: str | None = None
    forwarded: int = 0


class ConnectionSeen(NamedTuple):
    """A connection that was accepted.

    Attributes:
        toxic: the name of what was done to the connection; what was done to a request stands there.
        requests: in their order.
        bytes_in: what the client sent; inside of TLS, whose handshake does not count. Raw where a
            toxic acts instead of any handshake.
        bytes_out: what was sent to the client, counted likewise.
        ended: None while it is open.
    """

    toxic: str | None = None
    requests: tuple[RequestSeen, ...] = ()
    bytes_in: int = 0
    bytes_out: int = 0
    ended: Ending | None = None


class Entry:
    """The account of one connection. Only the proxy's loop writes to it."""

    def __init__(self, toxic: str | None, changed: threading.Condition) -> None:
        self.seen = ConnectionSeen(toxic)
        self._changed = changed

    def count(self, received: int, sent: int) -> None:
        """Note bytes that came in and bytes that go out."""
        seen = self.seen
        self._become(
            seen._replace(bytes_in=seen.bytes_in + received, bytes_out=seen.bytes_out + sent)
        )

    def asked(self, request: RequestSeen) -> None:
        """Note a request."""
        self._become(self.seen._replace(requests=(*self.seen.requests, request)))

    def forwarded(self) -> None:
        """Note that the latest request was sent upstream once more."""
        *earlier, latest = self.seen.requests
        latest = latest._replace(forwarded=latest.forwarded + 1)
        self._become(self.seen._replace(requests=(*earlier, latest)))

    def ended(self, ending: Ending) -> None:
        """Note the end of the connection, unless it has ended already."""
        if self.seen.ended is None:
            self._become(self.seen._replace(ended=ending))

    def _become(self, seen: ConnectionSeen) -> None:
        with self._changed:
            self.seen = seen
            self._changed.notify_all()
