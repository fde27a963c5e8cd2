"""A lock for adapters that keep something between calls: the child of a fork finds it free."""

from __future__ import annotations

from leeward.forking import ForkLock

__all__ = ["ForkLock"]
