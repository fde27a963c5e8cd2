"""Randomness of the operating system: numbers for jitter, and ids. Nothing secret."""

from __future__ import annotations

from os import urandom


def random_unit() -> float:
    """Return a number in [0, 1), without the module `random`: a cold start would wait for it."""
    return int.from_bytes(urandom(4), "big") / 2**32


def new_id(now: float) -> str:
    """Mint a UUID of version 7 (RFC 9562, section 5.7). `now` is Unix seconds."""
    stamp = f"{int(now * 1000) & 0xFFFF_FFFF_FFFF:012x}"
    noise = urandom(10)
    text = noise.hex()
    variant = "89ab"[noise[9] & 3]
    return f"{stamp[:8]}-{stamp[8:]}-7{text[:3]}-{variant}{text[3:6]}-{text[6:18]}"
