"""The loop that many programs have: it is here to show how it fails."""

from __future__ import annotations

from collections.abc import Iterable

from leeward.client import Client
from leeward.values import InvokeResult, Json


def naive_invoke(
    clouds: Iterable[Client],
    function: str,
    payload: Json,
) -> InvokeResult:
    """Try the next cloud on any exception."""
    for cloud in clouds:
        try:
            return cloud.invoke(function, payload)
        except Exception:  # noqa: BLE001, S112 - exactly this is what is shown to be wrong
            continue
    raise RuntimeError("every cloud failed")
