"""Percent-encoding, by hand: `urllib.parse` takes longer to import than what needs it here."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

UNRESERVED: Final = "-._~"
"""Besides letters and digits; nowhere in a URL do they mean anything (RFC 3986, 2.3)."""


def encoded(text: str, unquoted: str = UNRESERVED) -> str:
    """Encode everything but ASCII letters, digits and `unquoted`."""
    return _others(unquoted).sub(_percent, text)


@lru_cache(maxsize=8)
def _others(unquoted: str) -> re.Pattern[str]:
    return re.compile(f"[^A-Za-z0-9{re.escape(unquoted)}]")


def _percent(found: re.Match[str]) -> str:
    return "".join(f"%{byte:02X}" for byte in found[0].encode())
