"""What a request without an answer is called in a message, with the host that it was for."""

from __future__ import annotations

from leeward.http.messages import Failure, Phase

_NO_HOST = "curl.6"
_NO_PROXY = "curl.5"
_NOT_TRUSTED = "curl.60"
_TIMES = ("connect_timeout", "deadline")
"""Codes of `leeward.http.failures`."""


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
            return _about_the_name(failure.code, host) + late
        case Phase.CONNECT:
            return f"no connection to {host}{late}"
        case Phase.TLS if failure.code == _NOT_TRUSTED:
            return f"the certificate of {host} is not accepted"
        case Phase.TLS:
            return f"no TLS connection to {host}{late}"
        case _:
            return f"no complete answer from {host}{late}"


def _about_the_name(code: str, host: str) -> str:
    if code == _NO_HOST:
        return f"no such host {host}"
    return "no such host as the proxy's" if code == _NO_PROXY else f"no address of {host}"
