"""JSON as leeward writes it: compact, in UTF-8."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

from leeward.values import Json


def encode(value: Json) -> bytes:
    """Write a value that has been checked."""
    return _encoder()(value).encode()


@cache
def _encoder() -> Callable[[Json], str]:
    """Give one encoder for all: making one costs as much as a small document does."""
    from json import JSONEncoder

    return JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode
