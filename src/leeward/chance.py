"""Chance as a value that is handed in, like the time: for jitter, and nothing secret."""

from __future__ import annotations

from os import urandom


def chance() -> float:
    """Give a number in [0, 1), without the module `random`: a cold start would wait for it."""
    return int.from_bytes(urandom(4), "big") / 2**32
