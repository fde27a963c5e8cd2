"""The console: pages over what runs here, or over any configured targets."""

from __future__ import annotations

from leeward_dev.console.server import open_console

__all__ = ["open_console"]
