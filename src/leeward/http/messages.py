"""What goes over the wire and what comes back. Plain frozen values."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import Final, NamedTuple

from leeward.masking import masked
from leeward.values import NOTHING

BULKHEAD: Final = "bulkhead"
"""The code of a `Failure` because every place was taken."""


class Request(NamedTuple):
    """One HTTP request.

    Attributes:
        method: upper case.
        origin: ``https://host`` or ``https://host:port``; http only where an endpoint says so.
        target: path and query, sent byte for byte as given, because signatures cover them.
        headers: names and values, in order. `Host` and `Content-Length` are the transport's.
        body: bytes; empty for none.
    """

    method: str
    origin: str
    target: str
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""

    def __repr__(self) -> str:
        return masked(self, "method origin")


class Response(NamedTuple):
    """One complete answer.

    Attributes:
        status: the HTTP status.
        headers: names in lower case; of a repeated header the last value.
        body: decoded from its transfer and content encoding.
        waited: seconds that the request waited here for a place, before it was begun.
    """

    status: int
    headers: Mapping[str, str] = NOTHING
    body: bytes = b""
    waited: float = 0.0

    def __repr__(self) -> str:
        return masked(self, "status")


class Phase(Enum):
    """How far a request came that has no complete answer."""

    REFUSED_HERE = "refused_here"
    """Not begun: no place became free in time, or the transport is closed."""
    NAME = "name"
    """Looking up the host's name."""
    CONNECT = "connect"
    """Connecting, through a proxy too."""
    TLS = "tls"
    """The TLS handshake, certificate verification included."""
    SEND = "send"
    """Sending: at least one byte of the request has left."""
    RECEIVE = "receive"
    """Waiting for the status line or the headers."""
    BODY = "body"
    """Reading the body: the status is known, the rest is lost."""


class Failure(NamedTuple):
    """A request without a complete answer.

    Attributes:
        phase: how far it came.
        sent: whether any byte of the request may have left. Only False is a proof.
        code: a short stable name, such as ``curl.7`` or ``deadline``.
        status: the HTTP status, where it was seen.
        cause: the native exception.
        message: the same in words, where there is more to say than the code does.
        ours: it is proved that this machine has no network, so it says nothing of the origin.
        waited: seconds that the request waited here for a place, before it was begun.
    """

    phase: Phase
    sent: bool
    code: str
    status: int | None = None
    cause: BaseException | None = None
    message: str | None = None
    ours: bool = False
    waited: float = 0.0

    def __repr__(self) -> str:
        return masked(self, "phase sent code status message")
