"""What a request without an answer proves. Pure: facts in, a `Failure` out.

One question decides: may a byte of the request have left? While libcurl makes a connection the
answer is no, whatever goes wrong: it does not know the request, and what it tells a proxy is the
host alone. On the connection leeward counts by itself (`leeward._http.exchange`).
"""

from __future__ import annotations

from typing import Final

from leeward._http.messages import Failure, Phase
from leeward.records import NamedTuple

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
        tls: whether the origin is https.
        name_found: whether the name was looked up.
        connected: whether a connection was there, perhaps still without TLS.
        ours: whether it is proved that this machine has no network.
        all_sent: whether all of it has left.
        status: that of the final answer, if its status line was seen.
        head_complete: whether the end of its head was seen as well.
    """

    may_have_left: bool = False
    tls: bool = True
    name_found: bool = False
    connected: bool = False
    ours: bool = False
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
    name = _name(code, "connect_timeout")
    ours = progress.ours and phase in (Phase.NAME, Phase.CONNECT) and code != TIMED_OUT
    return Failure(phase, False, name, cause=cause, ours=ours)


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
_TIMES = ("connect_timeout", "deadline")
"""Codes of failures, as `explain` names them."""


def describe_failure(failure: Failure, origin: str) -> Failure:
    """Return `failure` with a message, unless it has one.

    Args:
        failure: of a transport.
        origin: of the request. A host is not a secret; nothing else of a request is repeated.
    """
    if failure.message is not None:
        return failure
    return failure._replace(message=_words(failure, origin.partition("://")[2]))


def _words(failure: Failure, host: str) -> str | None:
    late = " in time" if failure.code in _TIMES else ""
    match failure.phase:
        case Phase.REFUSED_HERE:
            return "there was no time left" if late else None
        case Phase.NAME:
            words = {_NO_HOST: f"no such host {host}", _NO_PROXY: "no such host as the proxy's"}
            return words.get(failure.code, f"no address of {host}") + late
        case Phase.CONNECT:
            return f"no connection to {host}{late}"
        case Phase.TLS if failure.code == _NOT_TRUSTED:
            return f"the certificate of {host} is not accepted"
        case Phase.TLS:
            return f"no TLS connection to {host}{late}"
        case _:
            return f"no complete answer from {host}{late}"


WRONG_PROTOCOL: Final = 1
MALFORMED: Final = 8
CUT: Final = 18
NOTHING_CAME: Final = 52
BAD_CHUNK: Final = 56
UNKNOWN_CODING: Final = 61
TOO_LARGE: Final = 63
ENDLESS_HEAD: Final = 100
"""From curl/curl.h."""


class ProtocolError(Exception):
    """What came is not an answer, or not all of one.

    Attributes:
        code: libcurl's number.
    """

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code
