"""Objects as callers get them. All are immutable, except the readers."""

from __future__ import annotations

from collections.abc import Mapping

from leeward.errors import Attempt
from leeward.masking import show_data
from leeward.records import NamedTuple
from leeward.values import NOTHING


@show_data("name size revision target checksum attempts")
class ObjectInfo(NamedTuple):
    """An object, without its bytes.

    Attributes:
        name: in its bucket.
        size: bytes.
        revision: opaque, for `if_revision`.
        target: where it is.
        checksum: ``sha256:`` or ``md5:`` and the digest of all bytes in hex; None in lists, and if
            unknown.
        metadata: of the put. Only `head_object` returns it on every cloud; lists never do.
    """

    name: str
    size: int
    revision: str
    target: str
    checksum: str | None = None
    attempts: tuple[Attempt, ...] = ()
    metadata: Mapping[str, str] = NOTHING


class ObjectPage(NamedTuple):
    """A page of a list of objects.

    Attributes:
        objects: in the order of the target.
        cursor: for the next page; None on the last one.
    """

    objects: tuple[ObjectInfo, ...]
    cursor: str | None
    target: str
    attempts: tuple[Attempt, ...] = ()
