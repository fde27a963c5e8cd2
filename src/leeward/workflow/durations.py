"""Times as people write them: ``90``, ``"90s"``, ``"5m"``, ``"24h"``, ``"7d"``."""

from __future__ import annotations

import re
from typing import Any, Final

from leeward.errors import ConfigError

YEAR: Final = 365 * 24 * 3600
"""Seconds: the longest that any engine keeps a run."""

_UNITS: Final = {"s": 1, "m": 60, "h": 3600, "d": 24 * 3600}


def seconds_of(value: Any, field: str, *, most: int = YEAR) -> int:
    """Return whole seconds, at least 1 and at most `most`.

    Raises:
        ConfigError: it is something else; the message names `field`.
    """
    seconds = value
    if isinstance(value, str):
        match = re.fullmatch(r"(\d{1,9})([smhd])", value)
        seconds = int(match[1]) * _UNITS[match[2]] if match else None
    if type(seconds) is not int or not 1 <= seconds <= most:
        raise ConfigError(
            f"{field} must be whole seconds from 1 to {most}, or a text like '30s', '5m', '24h'"
        )
    return seconds
