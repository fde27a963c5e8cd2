"""Randomness of the operating system: numbers for jitter, and ids."""

from __future__ import annotations

from os import urandom


def random_unit() -> float:
    """Return a number in [0, 1), without the module `random`: a cold start would wait for it."""
    return int.from_bytes(urandom(4), "big") / 2**32


def new_id(now: float) -> str:
    """Mint a UUID of version 7 (RFC 9562, section 5.7). `now` is Unix seconds."""
    return _format(_beginning(now), urandom(10).hex())


def new_ids(now: float, count: int) -> list[str]:
    """Mint `count` ids of one moment, for which the operating system is asked once."""
    beginning, noise = _beginning(now), urandom(10 * count).hex()
    return [_format(beginning, noise[at : at + 20]) for at in range(0, len(noise), 20)]


def time_of_id(id: str) -> float | None:
    """Return the Unix seconds when an id of version 7 was minted; None for any other text."""
    digits = id.replace("-", "")
    is_one = len(id) == 36 and len(digits) == 32 and digits[12] == "7"
    try:
        return int(digits[:12], 16) / 1000 if is_one else None
    except ValueError:
        return None


def _beginning(now: float) -> str:
    stamp = f"{int(now * 1000) & 0xFFFF_FFFF_FFFF:012x}"
    return f"{stamp[:8]}-{stamp[8:]}-7"


def _format(beginning: str, noise: str) -> str:
    return f"{beginning}{noise[:3]}-{_VARIANT[noise[19]]}{noise[3:6]}-{noise[6:18]}"


_VARIANT = dict(zip("0123456789abcdef", "89ab" * 4, strict=True))
"""Two random bits, as the digit that says which kind of UUID it is."""
