"""JSON as leeward writes it: compact, in UTF-8."""

from __future__ import annotations

from leeward.values import Json


def encode(value: Json) -> bytes:
    """Write a value that has been checked."""
    from json import dumps

    return dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()
