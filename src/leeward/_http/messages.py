"""What goes over the wire and what comes back, and what a request without an answer proves.

Pure: facts in, plain frozen values out. One question decides what a `Failure` proves: may a byte of
the request have left? While libcurl makes a connection the answer is no, whatever goes wrong: it
does not know the request, and what it tells a proxy is the host alone. On the connection leeward
counts by itself (`leeward._http.exchange`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from enum import Enum
from functools import lru_cache
from typing import Final

from leeward.errors import ConfigError, InvalidRequest
from leeward.masking import show_only
from leeward.records import NamedTuple
from leeward.values import NOTHING

BULKHEAD: Final = "bulkhead"  # the code of a `Failure` because every place was taken


@show_only("method origin")
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


@show_only("status")
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


@show_only("phase sent code status message")
class Failure(NamedTuple):
    """A request without a complete answer.

    Attributes:
        phase: how far it came.
        sent: whether any byte of the request may have left. Only False is a proof.
        code: a short stable name, such as ``curl.7`` or ``deadline``.
        status: the HTTP status, where it was seen.
        cause: the native exception.
        message: the same in words, where there is more to say than the code does.
        waited: seconds that the request waited here for a place, before it was begun.
    """

    phase: Phase
    sent: bool
    code: str
    status: int | None = None
    cause: BaseException | None = None
    message: str | None = None
    waited: float = 0.0


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

USUAL: Final = frozenset({"DELETE", "GET", "PATCH", "POST", "PUT"})  # methods that need no look


@lru_cache(256)
def scheme_and_host(origin: str) -> tuple[str, str]:
    """Return the scheme of `origin` and its host as of the header `Host`; raise `ConfigError`."""
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


TIMED_OUT: Final = 28

PHASES: Final[dict[int, Phase]] = {
    1: Phase.REFUSED_HERE,  # UNSUPPORTED_PROTOCOL
    2: Phase.REFUSED_HERE,  # FAILED_INIT
    3: Phase.REFUSED_HERE,  # URL_MALFORMAT
    4: Phase.REFUSED_HERE,  # NOT_BUILT_IN
    5: Phase.NAME,  # COULDNT_RESOLVE_PROXY
    6: Phase.NAME,  # COULDNT_RESOLVE_HOST
    7: Phase.CONNECT,  # COULDNT_CONNECT; also: the proxy refused the tunnel
    35: Phase.TLS,  # SSL_CONNECT_ERROR
    41: Phase.REFUSED_HERE,  # FUNCTION_NOT_FOUND
    43: Phase.REFUSED_HERE,  # BAD_FUNCTION_ARGUMENT
    45: Phase.CONNECT,  # INTERFACE_FAILED
    48: Phase.REFUSED_HERE,  # UNKNOWN_OPTION
    53: Phase.TLS,  # SSL_ENGINE_NOTFOUND
    54: Phase.TLS,  # SSL_ENGINE_SETFAILED
    58: Phase.TLS,  # SSL_CERTPROBLEM
    59: Phase.TLS,  # SSL_CIPHER
    60: Phase.TLS,  # PEER_FAILED_VERIFICATION
    64: Phase.TLS,  # USE_SSL_FAILED
    66: Phase.TLS,  # SSL_ENGINE_INITFAILED
    77: Phase.TLS,  # SSL_CACERT_BADFILE
    82: Phase.TLS,  # SSL_CRL_BADFILE
    83: Phase.TLS,  # SSL_ISSUER_ERROR
    90: Phase.TLS,  # SSL_PINNEDPUBKEYNOTMATCH
    91: Phase.TLS,  # SSL_INVALIDCERTSTATUS
    97: Phase.CONNECT,  # PROXY
    98: Phase.TLS,  # SSL_CLIENTCERT
    101: Phase.TLS,  # ECH_REQUIRED
}
"""The error codes of libcurl that tell by themselves how far a connection came, from curl/curl.h
of 8.23.0. With any other code, the times tell."""


class Progress(NamedTuple):
    """How far a request had come when it failed.

    Attributes:
        may_have_left: whether a byte of it may have left.
        connected: whether a connection was there, perhaps still without TLS.
        status: that of the final answer, if its status line was seen.
        head_complete: whether the end of its head was seen as well.
    """

    may_have_left: bool = False
    tls: bool = True
    name_found: bool = False
    connected: bool = False
    all_sent: bool = False
    status: int | None = None
    head_complete: bool = False


def explain(code: int, progress: Progress, cause: BaseException | None = None) -> Failure:
    """Return the failure of a request that ended with libcurl's error `code`."""
    if progress.may_have_left:
        name = _name(code, "deadline")
        if code == CUT and not progress.head_complete:
            name = "headers_cut"
        return Failure(_phase_after(progress), True, name, progress.status, cause)
    phase = PHASES.get(code) or _phase_before(progress)
    return Failure(phase, False, _name(code, "connect_timeout"), cause=cause)


def explain_close(progress: Progress) -> Failure:
    """Return the failure of a request that ended because its transport was closed."""
    if progress.may_have_left:
        return Failure(_phase_after(progress), True, "closed", progress.status)
    return Failure(_phase_before(progress), False, "closed")


def refuse(code: str, message: str | None = None) -> Failure:
    """Return the failure of a request that was not begun."""
    return Failure(Phase.REFUSED_HERE, False, code, message=message)


def _phase_before(progress: Progress) -> Phase:
    if not progress.name_found:
        return Phase.NAME
    return Phase.TLS if progress.connected and progress.tls else Phase.CONNECT


def _phase_after(progress: Progress) -> Phase:
    if progress.head_complete:
        return Phase.BODY
    return Phase.RECEIVE if progress.all_sent or progress.status else Phase.SEND


def _name(code: int, timeout: str) -> str:
    if code == TIMED_OUT:
        return timeout
    return "body_too_large" if code == TOO_LARGE else f"curl.{code}"


_NO_HOST = "curl.6"
_NO_PROXY = "curl.5"
_NOT_TRUSTED = "curl.60"
_TIMES = ("connect_timeout", "deadline")  # codes of failures, as `explain` names them


def describe_failure(failure: Failure, origin: str) -> Failure:
    """Return `failure` with a message, unless it has one; it repeats only the host."""
    if failure.message is not None:
        return failure
    return failure._replace(message=_words(failure, origin.partition("://")[2]))


def _words(failure: Failure, host: str) -> str | None:
    late = " in time" if failure.code in _TIMES else ""
    is_by_proxy = re.search("over proxy|CONNECT ", str(failure.cause)) is not None
    proxy = " by way of the proxy" if is_by_proxy else ""
    match failure.phase:
        case Phase.REFUSED_HERE:
            return "there was no time left" if late else None
        case Phase.NAME:
            words = {_NO_HOST: f"no such host {host}", _NO_PROXY: "no such host as the proxy's"}
            return words.get(failure.code, f"no address of {host}") + late
        case Phase.CONNECT:
            return f"no connection to {host}{proxy}{late}"
        case Phase.TLS if failure.code == _NOT_TRUSTED:
            return f"the certificate of {host} is not accepted"
        case Phase.TLS:
            return f"no TLS connection to {host}{proxy}{late}"
        case _:
            return f"no complete answer from {host}{late}"


WRONG_PROTOCOL: Final = 1
MALFORMED: Final = 8
CUT: Final = 18
NOTHING_CAME: Final = 52
BAD_CHUNK: Final = 56
UNKNOWN_CODING: Final = 61
TOO_LARGE: Final = 63
ENDLESS_HEAD: Final = 100  # from curl/curl.h


class ProtocolError(Exception):
    """What came is not an answer, or not all of one."""

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code
