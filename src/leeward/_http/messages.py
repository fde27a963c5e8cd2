"""What goes over the wire and what comes back: plain frozen values, and what may not go."""

from __future__ import annotations

import re
from collections.abc import Mapping
from enum import Enum
from functools import lru_cache
from typing import Final

from leeward.errors import ConfigError, InvalidRequest
from leeward.masking import mask
from leeward.records import NamedTuple
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
        return mask(self, "method origin")


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
        return mask(self, "status")


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
        return mask(self, "phase sent code status message")


_OURS: Final = frozenset({"connection", "content-length", "expect", "host", "transfer-encoding"})
"""Headers that say how a request is carried."""

TOKEN: Final = frozenset(
    "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
)
"""The characters of a header's name (RFC 9110, section 5.6.2)."""

CONTROLS: Final = bytes({*range(32), 127} - {*b"\t\r\n"})
"""The bytes that no line of a head holds (RFC 9110, section 5.5)."""

SOUND_NAMES: set[str] = set()
"""Names of headers that were looked at already: a program sends few different ones."""

_MOST_NAMES: Final = 512

ORIGIN: Final = r"(https?)://([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(:[0-9]{1,5})?"

USUAL: Final = frozenset({"DELETE", "GET", "PATCH", "POST", "PUT"})
"""Methods that need no look."""


@lru_cache(256)
def scheme_and_host(origin: str) -> tuple[str, str]:
    """Return the scheme of `origin`, and its host as the header `Host` has it.

    That is without the scheme's own port.

    Raises:
        leeward.ConfigError: `origin` is not an origin.
    """
    match = re.fullmatch(ORIGIN, origin)
    if match is None:
        raise ConfigError("an endpoint must look like https://host or https://host:port")
    scheme, _, host = origin.partition("://")
    return scheme, host.removesuffix(":443" if scheme == "https" else ":80")


def check_method(method: str, body: bytes) -> None:
    """Raise `InvalidRequest` if `method` is not a method, or does not take `body`."""
    if not (method.isascii() and method.isalpha() and method.isupper()):
        raise InvalidRequest("a method is a word in upper case", field="method")
    if method == "HEAD" and body:
        raise InvalidRequest("HEAD takes no body", field="body")


def check_name(name: str) -> None:
    """Raise `InvalidRequest` for a header's name that cannot be sent."""
    if name.lower() in _OURS:
        raise InvalidRequest(f"the header {name} is set by the transport", field="headers")
    if not (name and TOKEN.issuperset(name)):
        raise _unfit_header(name)
    if len(SOUND_NAMES) < _MOST_NAMES:
        SOUND_NAMES.add(name)


def refusal_of(target: str, headers: tuple[tuple[str, str], ...]) -> InvalidRequest:
    """Return the refusal of a request whose target or headers cannot be sent."""
    for name, value in headers:
        if not (value.isascii() and value.isprintable()):
            return _unfit_header(name)
    return InvalidRequest(
        "a request's target must start with / and be percent-encoded", field="target"
    )


def _unfit_header(name: str) -> InvalidRequest:
    return InvalidRequest(
        f"the header {name!a} holds a control character, a letter outside ASCII, or a character "
        "that no header's name may have",
        field="headers",
    )
