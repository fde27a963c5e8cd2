"""Percent-encoding, by hand: `urllib.parse` takes longer to import than the plans that need it."""

from __future__ import annotations

import re
from typing import Final

_OTHERS: Final = re.compile(r"[^A-Za-z0-9._~-]")
"""What may mean something in a URL (RFC 3986, 2.3)."""


def encoded(text: str) -> str:
    """Encode everything but ASCII letters, digits and ``-._~``."""
    return _OTHERS.sub(_percent, text)


def _percent(found: re.Match[str]) -> str:
    return "".join(f"%{byte:02X}" for byte in found[0].encode())
