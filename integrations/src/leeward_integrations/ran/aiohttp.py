"""Exceptions of aiohttp's client.

It follows redirects, and sends a request of an idempotent method once more where a connection that
it kept is gone.
"""

from __future__ import annotations

from typing import Final

from leeward.evidence import Evidence
from leeward_integrations.ran.frames import Frame, kinds_of, last_frame
from leeward_integrations.ran.statuses import of_status

NEVER_LEFT: Final = {
    "ClientConnectorError": "no connection could be made",
    "ClientConnectorCertificateError": "the server's certificate was refused",
    "ConnectionTimeoutError": "no connection could be made in time",
    "ClientHttpProxyError": "the proxy made no connection",
    "InvalidURL": "the address is wrong",
}

_IDEMPOTENT: Final = frozenset({"GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE"})


def judge(error: BaseException) -> Evidence | None:
    """Return what an exception of aiohttp proves."""
    kinds = kinds_of(error)
    why = next((why for kind, why in NEVER_LEFT.items() if kind in kinds), None)
    status = getattr(error, "status", None)
    if why is None and status is not None:
        return of_status(status or None, getattr(error, "headers", None))
    if why is None:
        return Evidence("maybe", "the request may have left before the connection failed")
    frame = last_frame(error, "aiohttp.client", "_request")
    if frame is None:
        return Evidence("maybe", "the traceback is lost, and with it what aiohttp had sent before")
    if _sent_before(frame):
        return Evidence("maybe", "aiohttp had sent the request before, or followed a redirect")
    return Evidence("no", why)


def _sent_before(frame: Frame) -> bool:
    """Return whether `_request`, or a middleware inside of it, may have sent something before.

    It keeps a list of redirects, and a switch that the one retry turns off.
    """
    values = frame.values
    if values.get("history") or values.get("effective_middlewares"):
        return True
    may_retry = str(values.get("method", "")).upper() in _IDEMPOTENT
    return may_retry and not values.get("retry_persistent_connection", True)
