"""The calls of objects, and what comes back for them.

An object is a name in a bucket, with bytes behind it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from leeward.masking import show_only
from leeward.records import NamedTuple
from leeward.values import NOTHING


@show_only("bucket name checksum write_id if_absent if_revision verb")
class PutObject(NamedTuple):
    """Write an object whole. The value of an OK result is its new revision.

    Attributes:
        body: all of it.
        checksum: the SHA-256 of `body`, in hex. It is kept with the object.
        write_id: unique for this call and the same on every attempt. It is kept with the object,
            so that a read-back shows whether a write without an answer took place.
        if_absent: CONFLICT unless no object has this name.
        if_revision: CONFLICT unless the object that is there has this revision.
        metadata: texts that are kept beside the bytes; none of a name that begins with ``leeward``.
    """

    bucket: str
    name: str
    body: bytes
    checksum: str
    write_id: str
    if_absent: bool = False
    if_revision: str | None = None
    metadata: Mapping[str, str] = NOTHING
    verb: Literal["put_object"] = "put_object"


class GetObject(NamedTuple):
    """Read a range of an object. The value is a `Piece`, or None if there is no object.

    Attributes:
        start: the first byte, from 0.
        length: bytes at most; a `Piece` ends where the object does.
        if_revision: CONFLICT unless the object still has this revision.
    """

    bucket: str
    name: str
    start: int
    length: int
    if_revision: str | None = None
    verb: Literal["get_object"] = "get_object"


class HeadObject(NamedTuple):
    """Look at an object without reading it. The value is a `FoundObject`, or None."""

    bucket: str
    name: str
    verb: Literal["head_object"] = "head_object"


class ListObjects(NamedTuple):
    """List one page of the objects whose names begin with `prefix`. The value is a `Listing`.

    Attributes:
        cursor: the `cursor` of the page before; None for the first page.
    """

    bucket: str
    prefix: str = ""
    cursor: str | None = None
    verb: Literal["list_objects"] = "list_objects"


class DeleteObject(NamedTuple):
    """Delete an object. It is OK if there is none.

    Attributes:
        write_id: as of `leeward.calls.Delete`.
    """

    bucket: str
    name: str
    write_id: str = ""
    verb: Literal["delete_object"] = "delete_object"


@show_only("name size revision write_id checksum")
class FoundObject(NamedTuple):
    """An object as a driver finds it.

    Attributes:
        name: of the object.
        size: bytes.
        revision: opaque; changes whenever other bytes are written.
        write_id: of the `PutObject` that wrote it; None if another program did, and in listings.
        checksum: ``sha256:`` or ``md5:`` and the digest in hex; None where nobody knows it, and in
            listings.
        metadata: that was put with it, or by another program; none in listings, and beside a
            `Piece` where the service does not tell.
    """

    name: str
    size: int
    revision: str
    write_id: str | None = None
    checksum: str | None = None
    metadata: Mapping[str, str] = NOTHING


@show_only("found")
class Piece(NamedTuple):
    """A range of an object.

    Attributes:
        data: the bytes; none if the range begins at the end of the object, or behind it.
        found: the whole object; None if the service says nothing of it beside an empty range.
    """

    data: bytes
    found: FoundObject | None


class Listing(NamedTuple):
    """A page of a list. `cursor` is None on the last page."""

    objects: tuple[FoundObject, ...]
    cursor: str | None = None
