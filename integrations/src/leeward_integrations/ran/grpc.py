"""Errors of gRPC calls. A status that came from a peer proves nothing by itself."""

from __future__ import annotations

from typing import Any

from leeward.evidence import Evidence

UNCONNECTED = "failed to connect to all addresses"
FROM_PEER = "Error received from peer"
"""What gRPC's own description of an error begins with if the peer sent it."""


def judge(error: Any) -> Evidence | None:
    """Return what an error of a call proves; its text counts only if it is gRPC's own."""
    code = getattr(error, "code", None)
    details = getattr(error, "details", None)
    describe = getattr(error, "debug_error_string", None)
    if not (callable(code) and callable(details) and callable(describe)):
        return None
    own = describe() or ""
    if (
        getattr(code(), "name", "") == "UNAVAILABLE"
        and (details() or "").startswith(UNCONNECTED)
        and own
        and FROM_PEER not in own
    ):
        return Evidence("no", "no connection could be made")
    return Evidence("maybe", "the request may have reached the peer")
