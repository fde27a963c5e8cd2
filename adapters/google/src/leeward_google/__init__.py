"""Google Cloud for leeward: Cloud Functions, Pub/Sub, Cloud Tasks and Firestore."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from leeward.adapter import Driver, TargetConfig

__all__ = ["open_driver"]


def open_driver(config: TargetConfig) -> Driver:
    """Open a target of Google.

    Raises:
        ConfigError: a setting is wrong; the message names it and the remedy.
    """
    from leeward_google.opening import open_driver

    return open_driver(config)
