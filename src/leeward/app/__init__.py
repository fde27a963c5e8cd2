"""The function side: what a handler is given, on every cloud and in this process."""

from __future__ import annotations

from leeward.app.context import Context

__all__ = ["Context"]
