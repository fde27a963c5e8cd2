"""The body of an answer, unpacked within bounds. Pure."""

from __future__ import annotations

from typing import Final

_SLICE: Final = 16 * 1024
_MOST: Final = 1024 * 1024
"""Bytes that are unpacked at once, before and after: all at once would hold the body twice."""

UNREADABLE: Final = "content_encoding"
TOO_LARGE: Final = "body_too_large"


def decoded(coding: str, body: bytes, limit: int) -> bytes | str:
    """Return `body` unpacked; `UNREADABLE` or `TOO_LARGE` in its place.

    Args:
        coding: what the header `Content-Encoding` says.
        body: as it has come.
        limit: bytes that it may have when it is unpacked.
    """
    coding = coding.lower()
    if coding == "identity":
        return body
    if coding not in {"gzip", "x-gzip"}:
        return UNREADABLE
    import zlib
    from io import BytesIO

    unpacker = zlib.decompressobj(wbits=16 + zlib.MAX_WBITS)
    unpacked = BytesIO()
    try:
        for start in range(0, len(body), _SLICE):
            packed = body[start : start + _SLICE]
            while packed and unpacked.tell() <= limit:
                unpacked.write(unpacker.decompress(packed, _MOST))
                packed = unpacker.unconsumed_tail
    except zlib.error:
        return UNREADABLE
    if unpacked.tell() > limit:
        return TOO_LARGE
    return unpacked.getvalue() if unpacker.eof and not unpacker.unused_data else UNREADABLE
