"""Segments: the lines of a backup, in buckets, cut where their content says so.

An item is in the bucket that the first byte of its key's SHA-256 names, so that each item has its
place whatever else is in the table. In a bucket lines are in the order of their keys. A large one
is cut, mostly at lines whose keys' digests say so: an item more or less moves no other cut.
Equal lines make an equal text, and a segment is named by the digest of its text.
"""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterable, Iterator
from hashlib import sha256
from typing import Final, NamedTuple

from leeward_backup.lines import Damaged

BUCKETS: Final = 256

LEAST_BYTES: Final = 4 * 1024 * 1024
"""Of the text of a segment that another one of its bucket follows."""

MOST_BYTES: Final = 16 * 1024 * 1024
"""Of a text to which another line may be added."""

LEAST_LINE: Final = len(b'{"k":["a"],"v":{}}\n')
"""Bytes of the shortest line, with its end."""

_CUTS: Final = 4
"""Of the 256 values of a digest's second byte, those after whose lines a segment ends."""

_MODULUS: Final = 1 << 256

_LEVEL: Final = 6
"""Of zlib, from 1 to 9."""


class Multiset:
    """A count of lines, and their multiset digest: the same for the same lines in any order.

    The digest is the sum of the lines' SHA-256 modulo 2^256.

    Attributes:
        items: how many lines.
        total: the sum, which may exceed the modulus.
    """

    def __init__(self, items: int = 0, total: int = 0) -> None:
        self.items = items
        self.total = total

    def add(self, line: bytes) -> None:
        """Count a line."""
        self.items += 1
        self.total += int.from_bytes(sha256(line).digest(), "big")

    def join(self, other: Multiset) -> None:
        """Count all lines of another one."""
        self.items += other.items
        self.total += other.total

    @property
    def digest(self) -> bytes:
        """The multiset digest, 32 bytes."""
        return (self.total % _MODULUS).to_bytes(32, "big")

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Multiset):
            return NotImplemented
        return (self.items, self.digest) == (other.items, other.digest)

    def __hash__(self) -> int:
        return hash((self.items, self.digest))

    def __repr__(self) -> str:
        return f"Multiset({self.items} items, {self.digest.hex()[:16]})"


class Draft(NamedTuple):
    """A segment that is not written yet.

    Attributes:
        bucket: 0 to 255.
        text: its lines, each with its end.
        items: how many.
    """

    bucket: int
    text: bytes
    items: int


def bucket_of(key: bytes) -> int:
    """Return the bucket of a key, from its text."""
    return sha256(key).digest()[0]


def drafts(lines: Iterable[tuple[int, bytes, bytes]]) -> Iterator[Draft]:
    """Cut lines into segments.

    Args:
        lines: bucket, key's text and line of each item, in order.
    """
    kept: list[bytes] = []
    size, current = 0, -1
    for bucket, key, line in lines:
        if kept and bucket != current:
            yield _draft(current, kept)
            kept, size = [], 0
        current = bucket
        kept.append(line)
        size += len(line) + 1
        if size >= LEAST_BYTES and (size >= MOST_BYTES or sha256(key).digest()[1] < _CUTS):
            yield _draft(current, kept)
            kept, size = [], 0
    if kept:
        yield _draft(current, kept)


def _draft(bucket: int, lines: list[bytes]) -> Draft:
    return Draft(bucket, b"\n".join((*lines, b"")), len(lines))


def pack(text: bytes) -> bytes:
    """Compress a text as gzip does."""
    return gzip.compress(text, _LEVEL, mtime=0)


def unpack(data: bytes, size: int) -> bytes:
    """Return the text of what `packed` returned.

    Args:
        data: the compressed text.
        size: of the text, in bytes; no more is unpacked, whatever was packed.

    Raises:
        Damaged: it is something else, or has another size.
    """
    reader = zlib.decompressobj(zlib.MAX_WBITS | 16)
    try:
        text = reader.decompress(data, size + 1)
    except zlib.error:
        raise Damaged("it is not compressed as it should be") from None
    if len(text) != size or not reader.eof or reader.unused_data:
        raise Damaged("its text has another length")
    return text


def lines_in(text: bytes, bucket: int, items: int) -> Iterator[bytes]:
    """Return the lines of a segment's text, cut off one by one: there may be millions.

    Raises:
        Damaged: they are not so many, or shorter than lines are.
    """
    many = text.count(b"\n")
    ends = text.endswith(b"\n") or not text
    if many != items or not ends or len(text) < items * LEAST_LINE or not 0 <= bucket < BUCKETS:
        raise Damaged("it has another number of lines")
    return cut_lines(text)


def cut_lines(text: bytes, start: int = 0) -> Iterator[bytes]:
    """Yield the lines of a text, each of which has its end."""
    while start < len(text):
        end = text.index(b"\n", start)
        yield text[start:end]
        start = end + 1
