"""The operations of objects as values, as `leeward._operations.operations` has the others."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final, cast

from leeward._operations import arguments
from leeward._operations.downloads import Download, info_of
from leeward._operations.results import Operation, target_of, write_receipt
from leeward.calls import Call, DeleteObject, HeadObject, Listing, ListObjects, PutObject, Result
from leeward.config.model import BucketConfig
from leeward.entropy import new_id
from leeward.errors import InvalidRequest
from leeward.text import is_printable
from leeward.values import NOTHING, StoreReceipt
from leeward.values.objects import ObjectInfo, ObjectPage
from leeward.watching import OBJECT_PUTS

if TYPE_CHECKING:
    from leeward._operations.arguments import OrderLimits
    from leeward.clock import Clock


MOST_CHARACTERS: Final = 1024
"""Of all names and values together. S3 keeps 2 KiB, with those of leeward's own."""

OWN: Final = "leeward"  # how the names begin under which leeward keeps what it needs

_NAME: Final = re.compile(r"[a-z][a-z0-9_]{0,63}")
_VALUE: Final = re.compile(r"[!-~](?:[ -~]*[!-~])?")

OBJECT_TIMEOUT: Final = 60.0
"""Seconds: the deadline of a request that names none. A put may carry many megabytes."""

_ANY_BUCKET: Final = BucketConfig()


class ObjectOperations:
    """The operations of one client on objects."""

    def __init__(
        self,
        buckets: Mapping[str, BucketConfig],
        limits: OrderLimits,
        clock: Clock,
        check: Callable[[Call], None],
    ) -> None:
        self._buckets = buckets
        self._limits = limits
        self._clock = clock
        self._check = check

    def put_object(
        self,
        bucket: str,
        name: str,
        data: bytes,
        *,
        if_absent: bool,
        if_revision: str | None,
        metadata: Mapping[str, str] | None,
        timeout: float | None,
    ) -> Operation[PutObject, StoreReceipt]:
        """Write an object whole."""
        revision = arguments.check_condition(if_absent, if_revision)
        may_put = OBJECT_PUTS.get()
        if may_put is not None:
            may_put(bucket, name)
        body = self._body(data)
        call = PutObject(
            arguments.check_name(bucket, "bucket"),
            self._name(name),
            body,
            sha256(body).hexdigest(),
            new_id(self._clock.now()),
            if_absent,
            revision,
            check_metadata(metadata),
        )
        self._check(call)
        return call, self._seconds(bucket, timeout), write_receipt

    def get_object(
        self, bucket: str, name: str, *, start: int, length: int | None, timeout: float | None
    ) -> Download:
        """Read an object, or a range of one."""
        first = _whole(start, "start", 0)
        count = None if length is None else _whole(length, "length", 1)
        checked = arguments.check_name(bucket, "bucket")
        seconds = self._seconds(bucket, timeout)
        download = Download(checked, self._name(name), first, count, seconds)
        self._check(download.first)
        return download

    def head_object(
        self, bucket: str, name: str, timeout: float | None
    ) -> Operation[HeadObject, ObjectInfo | None]:
        """Look at an object."""
        call = HeadObject(arguments.check_name(bucket, "bucket"), self._name(name))
        self._check(call)
        return call, self._seconds(bucket, timeout), _info_or_none

    def list_objects(
        self, bucket: str, prefix: str, cursor: str | None, timeout: float | None
    ) -> Operation[ListObjects, ObjectPage]:
        """List one page of a bucket."""
        checked = arguments.check_name(bucket, "bucket")
        if prefix != "":
            self._printable(prefix, "prefix")
        if cursor is not None and (
            type(cursor) is not str or not is_printable(cursor) or not cursor
        ):
            raise InvalidRequest(
                "cursor must be the one of the previous page, or None for the first page",
                field="cursor",
            )
        call = ListObjects(checked, prefix, cursor)
        self._check(call)
        return call, self._seconds(bucket, timeout), _page_of

    def delete_object(
        self, bucket: str, name: str, timeout: float | None
    ) -> Operation[DeleteObject, StoreReceipt]:
        """Delete an object."""
        id = new_id(self._clock.now())
        call = DeleteObject(arguments.check_name(bucket, "bucket"), self._name(name), id)
        self._check(call)
        return call, self._seconds(bucket, timeout), write_receipt

    def _body(self, data: Any) -> bytes:
        if not isinstance(data, bytes | bytearray | memoryview):
            raise InvalidRequest(
                f"data must be bytes, not {type(data).__name__}; encode it first", field="data"
            )
        body = bytes(data)
        remedy = " in an object; split it into several"
        self._limits.check(len(body), "object_bytes", "data has", remedy, field="data")
        return body

    def _name(self, name: Any) -> str:
        """Check an object's name: what every store keeps as it is, and no path leads astray by."""
        text = self._printable(name, "name")
        parts = text.split("/")
        if "\\" in text or any(not part or part.endswith(".") for part in parts):
            raise InvalidRequest(
                "name has a backslash, or a part between slashes that is empty or ends with a "
                "dot, which some stores do not keep; use another name",
                field="name",
            )
        return text

    def _printable(self, value: Any, field: str) -> str:
        limits = self._limits
        if not isinstance(value, str) or not value or not value.isprintable():
            raise InvalidRequest(
                f"{field} must be a text that is not empty, without control characters", field=field
            )
        if len(value.encode()) > limits.smallest.object_name_bytes:
            raise InvalidRequest(
                f"{field} has {len(value.encode())} bytes in UTF-8, and "
                f"{limits.takes('object_name_bytes')}; use a hash of it",
                field=field,
            )
        return value

    def _seconds(self, bucket: str, timeout: float | None) -> float:
        if timeout is not None:
            return arguments.check_timeout(timeout)
        return (self._buckets.get(bucket) or _ANY_BUCKET).timeout or OBJECT_TIMEOUT


def _whole(value: Any, field: str, least: int) -> int:
    if type(value) is not int or not least <= value < 1 << 60:
        raise InvalidRequest(
            f"{field} must be a whole number of bytes, {least} or more", field=field
        )
    return value


def _info_or_none(call: HeadObject, result: Result[Any]) -> ObjectInfo | None:
    """Return what `head_object` returns, or raise the call's error."""
    target = target_of(call, result)
    return (
        None
        if result.value is None
        else info_of(result.value, target)._replace(attempts=result.attempts)
    )


def _page_of(call: ListObjects, result: Result[Any]) -> ObjectPage:
    """Return the page of `list_objects`, or raise the call's error."""
    target = target_of(call, result)
    listing = cast("Listing", result.value)
    objects = tuple(info_of(found_object, target) for found_object in listing.objects)
    return ObjectPage(objects, listing.cursor, target, result.attempts)


def check_metadata(metadata: Any) -> Mapping[str, str]:
    """Check the metadata of an object; None is for none."""
    if metadata is None:
        return NOTHING
    if not isinstance(metadata, Mapping):
        raise InvalidRequest("metadata must be a mapping of texts", field="metadata")
    pairs = dict(metadata)
    for name, value in pairs.items():
        if not isinstance(name, str) or not _NAME.fullmatch(name) or name.startswith(OWN):
            raise InvalidRequest(
                "a name in metadata has 1 to 64 of a-z, 0-9 and underscores, a letter first, and "
                f"does not begin with {OWN!r}; rename it",
                field="metadata",
            )
        if not isinstance(value, str) or not _VALUE.fullmatch(value):
            raise InvalidRequest(
                f"metadata[{name!r}] must be a text of printable ASCII without blanks around it; "
                "escape what is not",
                field="metadata",
            )
    if sum(len(name) + len(value) for name, value in pairs.items()) > MOST_CHARACTERS:
        raise InvalidRequest(
            f"metadata has more than {MOST_CHARACTERS} characters; put it into the object",
            field="metadata",
        )
    return pairs
