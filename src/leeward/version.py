"""The version of leeward, for modules that `leeward` itself may import."""

from __future__ import annotations

__version__ = "0.1.0"
