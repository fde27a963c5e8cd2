"""Segments, and the manifest of a backup: what it holds, and what proves that.

An item is in the bucket that the first byte of its key's SHA-256 names, so that each item has its
place whatever else is in the table. In a bucket lines are in the order of their keys. A large one
is cut, mostly at lines whose keys' digests say so: an item more or less moves no other cut.
Equal lines make an equal text, and a segment is named by the digest of its text.

The manifest is written last: it is the commit. It is JSON of one object: the `body`, and the
`seal`, which is the SHA-256 of the body as it is written here, or its HMAC. What is read is checked
as distrustfully as if there were no seal.
"""

from __future__ import annotations

import gzip
import re
import zlib
from collections.abc import Iterable, Iterator
from hashlib import sha256
from typing import Any, Final, NamedTuple

from leeward import json_text
from leeward.values import Json
from leeward_backup.lines import Damaged
from leeward_backup.sealing import Digests, Keys, Sealing, is_sealed

BUCKETS: Final = 256

LEAST_BYTES: Final = 4 * 1024 * 1024
"""Of the text of a segment that another one of its bucket follows."""

MOST_BYTES: Final = 16 * 1024 * 1024  # of a text to which another line may be added

LEAST_LINE: Final = len(b'{"k":["a"],"v":{}}\n')
"""Bytes of the shortest line, with its end."""

_CUTS: Final = 4
"""Of the 256 values of a digest's second byte, those after whose lines a segment ends."""

_MODULUS: Final = 1 << 256

_LEVEL: Final = 6  # of zlib, from 1 to 9


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


FORMAT: Final = "leeward-backup/2"

FIRST_FORMAT: Final = "leeward-backup/1"
"""It names no place, and its keys are the same in every one; it is read, and not written."""

PER_ITEM: Final = "per_item"
"""Each item is as it was at one moment between start and end; not all at the same one."""
SNAPSHOT: Final = "snapshot"
"""All items are as they were at one moment."""

LARGEST_TEXT: Final = 4 * MOST_BYTES
"""Bytes; no more is unpacked, whatever a manifest says that anybody may have written."""

_LEAST_VALUE: Final = 20  # bytes of a value of a manifest and its name, on average, at least

_HEAD: Final = 4096  # bytes of what a manifest says beside its segments, about

TIME_END: Final = 253_402_300_800  # the year 10000, in Unix seconds: no time behind it has a name

_NAME: Final = re.compile(r"segments/([0-9a-f]{2})-[0-9a-f]{64}\.jsonl\.gz(\.enc)?")
_DIGEST: Final = re.compile("[0-9a-f]{64}")


class Segment(NamedTuple):
    """A segment, as a manifest has it.

    Attributes:
        name: of its object, below the table's own part of the bucket.
        items: how many.
        text_bytes: of its lines.
        text: the name that their digest gives, in hex.
        stored_bytes: of the object.
        stored: the SHA-256 of the object, in hex.
    """

    name: str
    items: int
    text_bytes: int
    text: str
    stored_bytes: int
    stored: str

    @property
    def bucket(self) -> int:
        """The bucket that its name names."""
        return int(self.name.removeprefix("segments/")[:2], 16)


class Manifest(NamedTuple):
    """What a backup holds.

    Attributes:
        id: of the backup.
        table: its logical name.
        target: where it was.
        key: the fields of its key.
        consistency: `SNAPSHOT` or `PER_ITEM`.
        started: the first read, in Unix seconds.
        ended: the last read.
        tool: what has written it.
        digest: the multiset digest of all lines, as the name that it gives, in hex.
        items: how many.
        parent: the id of the backup before; None for the first one.
        uploaded: segments that were new.
        key_id: which key proves it; None for none.
        segments: in order.
        at: by which backups are in order, and which their names have: when it was started, or just
            behind the backup before, if the clock says otherwise; in Unix seconds.
        place: bucket, prefix and table, where it was written; None in the first format.
        lost: what of items is in no line, such as ``its ttl``, and of how many.
    """

    id: str
    table: str
    target: str
    key: tuple[str, ...]
    consistency: str
    started: float
    ended: float
    tool: str
    digest: str
    items: int
    parent: str | None
    uploaded: int
    key_id: str | None
    segments: tuple[Segment, ...]
    at: float
    place: str | None
    lost: dict[str, int]

    @property
    def text_bytes(self) -> int:
        """The bytes of all lines."""
        return sum(segment.text_bytes for segment in self.segments)

    @property
    def stored_bytes(self) -> int:
        """The bytes of all segments as they are stored."""
        return sum(segment.stored_bytes for segment in self.segments)


def segment_name(bucket: int, text: str, suffix: str) -> str:
    """Return the name of a segment's object."""
    return f"segments/{bucket:02x}-{text}.jsonl.gz{suffix}"


def is_segment_name(name: str) -> bool:
    """Return whether an object below the table's own part of the bucket is named as a segment."""
    return _NAME.fullmatch(name) is not None


def encode_manifest(manifest: Manifest, sealing: Sealing) -> bytes:
    """Return a manifest as it is stored."""
    body: dict[str, Json] = {"format": FORMAT, **manifest._asdict()}
    body["key"] = list(manifest.key)
    body["segments"] = [dict(segment._asdict()) for segment in manifest.segments]
    return json_text.encode({"body": body, "seal": sealing.seal(json_text.encode(body))})


def decode_manifest(data: bytes, keys: Keys) -> Manifest:
    """Read a manifest.

    Raises:
        Damaged: it is something else, or not as it was written, or its key is not known.
    """
    body, seal = _parts(data)
    place = body.get("place")
    sealing = keys.find(body.get("key_id"), place if isinstance(place, str) else None)
    if sealing is None:
        raise Damaged(_NEEDS_KEY if isinstance(keys.current, Digests) else _WRONG_KEY)
    if not is_sealed(sealing, json_text.encode(body), seal):
        raise Damaged("its seal does not fit what it says")
    return _manifest(body)


def segments_named_in(data: bytes) -> set[str] | None:
    """Return the segments that a manifest names, whoever has written it; None if nobody can tell.

    It is for a prune alone, which spares more by it and never less.
    """
    try:
        segments = _parts(data)[0]["segments"]
        names = {segment["name"] for segment in segments}
    except (Damaged, KeyError, TypeError):
        return None
    return names if all(isinstance(name, str) for name in names) else None


def _parts(data: bytes) -> tuple[dict[str, Any], Any]:
    """Return the body of a manifest, and its seal."""
    # No manifest has so many values in so few bytes; they would fill the memory.
    if data.count(b",") * _LEAST_VALUE > len(data) + _HEAD or data.count(b"[") > _HEAD:
        raise Damaged("it is not JSON of a manifest")
    try:
        document: Any = json_text.decode(data)
    except json_text.Undecodable as error:
        raise Damaged(f"it is not JSON: {error}") from None
    body = document.get("body") if isinstance(document, dict) else None
    if not isinstance(body, dict) or body.get("format") not in (FORMAT, FIRST_FORMAT):
        raise Damaged(f"it is not a manifest of the format {FORMAT}")
    return body, document.get("seal")


_WRONG_KEY: Final = "it was written without a key, or with another one"
_NEEDS_KEY: Final = "it was written with a key; name the file that holds it"


def _manifest(body: dict[str, Any]) -> Manifest:
    try:
        if body["format"] == FIRST_FORMAT:
            body = {"at": body["started"], "lost": {}, **body, "place": None}
        fields = {name: body[name] for name in Manifest._fields}
        fields["key"] = tuple(fields["key"])
        fields["segments"] = tuple(Segment(**segment) for segment in fields["segments"])
        manifest = Manifest(**fields)
    except (KeyError, TypeError):
        raise Damaged("it lacks what a manifest says") from None
    for field, value in zip(manifest._fields, manifest, strict=True):
        if not _fits(field, value):
            raise Damaged(f"its {field} cannot be that of a manifest")
    if manifest.items != sum(segment.items for segment in manifest.segments):
        raise Damaged("its segments hold another number of items")
    return manifest


def _fits(field: str, value: Any) -> bool:
    match field:
        case "segments":
            return all(map(_is_segment, value)) and len({part.name for part in value}) == len(value)
        case "key":
            return 1 <= len(value) <= 2 and all(isinstance(part, str) and part for part in value)
        case "items" | "uploaded":
            return _is_count(value)
        case "started" | "ended" | "at":
            return type(value) in (int, float) and 0 <= value < TIME_END
        case "digest":
            return isinstance(value, str) and _DIGEST.fullmatch(value) is not None
        case "consistency":
            return value in (SNAPSHOT, PER_ITEM)
        case "lost":
            return type(value) is dict and all(map(_is_count, value.values()))
        case "place" | "parent" | "key_id":
            return value is None or isinstance(value, str)
        case _:
            return isinstance(value, str) and value != ""


def _is_segment(segment: Any) -> bool:
    digests = (segment.text, segment.stored)
    if not all(isinstance(digest, str) and _DIGEST.fullmatch(digest) for digest in digests):
        return False
    named = isinstance(segment.name, str) and _NAME.fullmatch(segment.name)
    counts = (segment.items, segment.text_bytes, segment.stored_bytes)
    if not named or not all(map(_is_count, counts)):
        return False
    suffix = named[2] or ""
    if segment.text_bytes > LARGEST_TEXT:
        return False
    fits = segment.name == segment_name(int(named[1], 16), segment.text, suffix)
    return bool(fits) and segment.bucket < BUCKETS


def _is_count(value: Any) -> bool:
    return type(value) is int and 0 <= value < 1 << 53
