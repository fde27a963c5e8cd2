"""Ids that sort by the time they were minted."""

from __future__ import annotations

from os import urandom


def new_id(now: float) -> str:
    """Mint a UUID of version 7 (RFC 9562, section 5.7). `now` is Unix seconds."""
    stamp = f"{int(now * 1000) & 0xFFFF_FFFF_FFFF:012x}"
    noise = urandom(10)
    text = noise.hex()
    variant = "89ab"[noise[9] & 3]
    return f"{stamp[:8]}-{stamp[8:]}-7{text[:3]}-{variant}{text[3:6]}-{text[6:18]}"
