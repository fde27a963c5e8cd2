"""Exceptions of httpx, httpx2 and their transports, for threads and tasks."""

from __future__ import annotations

from typing import Final

from leeward.evidence import Evidence
from leeward_integrations.ran.frames import frames_of, kinds_of
from leeward_integrations.ran.statuses import of_status

NEVER_LEFT: Final = {
    "ConnectError": "no connection could be made",
    "ConnectTimeout": "no connection could be made in time",
    "InvalidURL": "the address is wrong",
    "PoolTimeout": "no connection of the pool was free",
    "ProxyError": "the proxy made no connection",
    "UnsupportedProtocol": "the address is wrong",
}

_LIBRARIES: Final = frozenset({"httpcore", "httpcore2", "httpx", "httpx2"})

_SENDING: Final = frozenset({"_send_handling_auth", "_send_handling_redirects"})
"""Functions that have an answer which came before, to a login or with a redirect."""


def judge(error: BaseException) -> Evidence | None:
    """Return what an exception of httpx proves."""
    response = getattr(error, "response", None)
    if response is not None:
        return of_status(response.status_code, response.headers)
    kinds = kinds_of(error)
    why = next((why for kind, why in NEVER_LEFT.items() if kind in kinds), None)
    if why is None:
        return Evidence("maybe", "the request may have left before the connection failed")
    frames = list(frames_of(error))
    if any(
        frame.values.get("history") or "response" in frame.values
        for frame in frames
        if frame.function in _SENDING
    ):
        return Evidence("maybe", "httpx had sent another request before, and got an answer")
    if not any(frame.library in _LIBRARIES for frame in frames):
        return Evidence("maybe", "the traceback is lost, and with it what httpx had sent before")
    return Evidence("no", why)
