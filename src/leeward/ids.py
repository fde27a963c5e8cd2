"""Ids that sort by the time they were minted."""

from __future__ import annotations

from os import urandom


def new_id(now: float) -> str:
    """Mint a UUID of version 7 (RFC 9562, section 5.7). `now` is Unix seconds."""
    stamp = int(now * 1000) & 0xFFFF_FFFF_FFFF
    tail = int.from_bytes(urandom(10), "big")
    version = 0x7000 | (tail >> 68)
    variant = 0x8000 | ((tail >> 54) & 0x3FFF)
    node = tail & 0xFFFF_FFFF_FFFF
    low, high = stamp & 0xFFFF, stamp >> 16
    return f"{high:08x}-{low:04x}-{version:04x}-{variant:04x}-{node:012x}"
