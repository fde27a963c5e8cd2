"""Times as a person reads them."""

from __future__ import annotations

from datetime import UTC, datetime


def moment(time: float | None) -> str:
    """Return Unix seconds as a time in UTC; ``-`` where there is none."""
    if time is None:
        return "-"
    try:
        return datetime.fromtimestamp(time, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    except (ValueError, OverflowError, OSError):
        return "-"
