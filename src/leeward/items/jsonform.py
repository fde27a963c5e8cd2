"""Plain JSON, as Cosmos DB and the embedded store hold it: plain values are their own spelling."""

from __future__ import annotations

from typing import Any


def write(value: Any) -> Any:
    """Return the JSON value of a plain value: itself."""
    return value


def read(native: Any) -> Any:
    """Return the plain value of a JSON value: itself."""
    return native
