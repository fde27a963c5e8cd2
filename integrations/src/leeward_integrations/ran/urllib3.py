"""Exceptions of urllib3, version 1.26 and later.

`Retry` calls again inside of the client. What it saw before is in its history, which the frames of
`urlopen` hold.
"""

from __future__ import annotations

from typing import Any, Final

from leeward.evidence import Evidence
from leeward_integrations.ran.frames import frames_of, is_of_handshake, kinds_of

NEVER_LEFT: Final = {
    "NewConnectionError": "no connection could be made",
    "ConnectTimeoutError": "no connection could be made in time",
    "EmptyPoolError": "no connection of the pool was free",
    "ClosedPoolError": "the pool is closed",
    "LocationValueError": "the address is wrong",
}


def judge(error: BaseException) -> Evidence | None:
    """Return what an exception of urllib3 proves."""
    why = why_nothing_left(getattr(error, "reason", None) or error)
    if why is None:
        return Evidence("maybe", "the request may have left before the connection failed")
    if not any(frame.module.startswith("urllib3.") for frame in frames_of(error)):
        return Evidence("maybe", "the traceback is lost, and with it what urllib3 had sent before")
    if _was_answered(error) or any(_may_have_run(entry) for entry in _history(error)):
        return Evidence("maybe", "urllib3 had sent the request before; see urllib3.Retry")
    return Evidence("no", why)


def why_nothing_left(error: Any) -> str | None:
    """Return why no byte of a request left; None if some may have."""
    kinds = kinds_of(error)
    for kind, why in NEVER_LEFT.items():
        if kind in kinds:
            return why
    if "ProxyError" in kinds:
        inner = getattr(error, "original_error", None) or (error.args or (None,))[-1]
        if isinstance(inner, BaseException) and any(
            frame.function in ("_tunnel", "_prepare_proxy") for frame in frames_of(inner)
        ):
            return "the proxy made no connection"
        return None if inner is None else why_nothing_left(inner)
    if isinstance(error, BaseException) and is_of_handshake(error):
        return "TLS came to no connection"
    return None


def _was_answered(error: BaseException) -> bool:
    """Return whether an answer came before, whose redirect is what failed."""
    return any(
        frame.values.get("response") is not None
        for frame in frames_of(error)
        if frame.module.startswith("urllib3.") and frame.function == "urlopen"
    )


def _history(error: BaseException) -> tuple[Any, ...]:
    """Return what was tried before the last attempt, as urllib3 notes it."""
    history: tuple[Any, ...] = ()
    for frame in frames_of(error):
        if frame.module.startswith("urllib3.") and frame.function == "urlopen":
            history = getattr(frame.values.get("retries"), "history", history)
    return history


def _may_have_run(entry: Any) -> bool:
    """Return whether an earlier attempt may have run: it was answered, or its bytes had left."""
    return entry.status is not None or why_nothing_left(entry.error) is None
