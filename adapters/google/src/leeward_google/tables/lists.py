"""Lists of a partition: what keeps their order in Firestore, and how a page is read.

A document's name does not keep the order of keys: escapes come behind plain characters, and a long
key ends with a hash. So each document of a table with two key fields has the field ``_leeward_key``
besides: a mark of its partition, and the bytes of the sort value. Firestore has an index of every
single field, by which one query gives a partition in order.

A document of another program, or of an earlier leeward, may have no such field. So the first page
of a list counts the documents of the partition twice, as of one moment: by their names, and by the
field. Where the counts differ, this list reads the names of the whole partition for each of its
pages, and puts the keys in order here.

Sources: "Index definition" and "Quotas and limits" in Firestore's documentation; the REST
reference: `documents.runQuery` and `documents.runAggregationQuery`.
"""

from __future__ import annotations

from binascii import a2b_base64, b2a_base64
from hashlib import sha256
from typing import Any, Final, TypeAlias

from leeward.adapter.items import RESERVED, escape_key, unescape_key
from leeward.adapter.tables import wrong_cursor
from leeward.calls import Key, ListItems, Result
from leeward.errors import Outcome
from leeward.masking import show_only
from leeward.records import NamedTuple

ORDER: Final = f"{RESERVED}_key"
"""The field that keeps the order."""

MOST_INDEXED: Final = 1500
"""Bytes of a value that an index keeps; of a longer one it is cut off, and its order is lost."""

MOST_UNORDERED: Final = 2000
"""Documents of a partition of which some have no `ORDER`. Their names and keys have at most 10 MB
of JSON."""

_MARK: Final = 16
"""Bytes of SHA-256 that stand for a partition: those of two are never the same."""

_BEHIND: Final = b"\xff"
"""Is in no UTF-8: behind every sort value."""

_KEPT: Final = 446
"""Characters of the names of long keys before their hash: see `leeward._items.names`."""

_AFTER_NAMES: Final = "\x7f"
"""Behind every character of a name."""

Native: TypeAlias = dict[str, Any]


@show_only("by_names")
class Position(NamedTuple):
    """Where a list stands.

    Attributes:
        last: the sort value of the last item that was looked at.
        by_names: the partition has documents without `ORDER`.
    """

    last: str
    by_names: bool

    def text(self) -> str:
        """Return the cursor of a page."""
        return f"{_BY_NAMES if self.by_names else _BY_FIELD}{self.last}"


_BY_FIELD: Final = "="
_BY_NAMES: Final = "*"


def read_position(cursor: str) -> Position:
    """Read what `Position.text` returned.

    Raises:
        InvalidRequest: it did not.
    """
    if len(cursor) < 2 or cursor[0] not in (_BY_FIELD, _BY_NAMES):
        raise wrong_cursor()
    return Position(cursor[1:], cursor[0] == _BY_NAMES)


def order_of(key: Key) -> Native:
    """Return the field that keeps the order of an item; none of a key that needs none.

    Nor has a key one which an index would cut off.
    """
    if len(key.values) != 2:
        return {}
    value = _order(*key.values)
    return {} if len(value) > MOST_INDEXED else {ORDER: _bytes(value)}


def sort_value_of(native: Native) -> str | None:
    """Return the sort value that the order of a document is by; None for nonsense."""
    try:
        return a2b_base64(native["fields"][ORDER]["bytesValue"])[_MARK:].decode()
    except (KeyError, TypeError, ValueError):
        return None


def by_field(call: ListItems, size: int | None = None) -> Native:
    """Return the query of a part of a partition, in order, by `ORDER`."""
    low = _order(call.partition, call.low)
    mark = _order(call.partition, "")
    high = mark + _BEHIND if call.high is None else _order(call.partition, call.high)
    if call.descending:
        start, end = _cursor(_bytes(high), before=False), _cursor(_bytes(low), before=call.above)
    else:
        start, end = _cursor(_bytes(low), before=not call.above), _cursor(_bytes(high), before=True)
    return _query(call.table, ORDER, start, end, size, descending=call.descending)


def by_names(call: ListItems, collection: str, size: int | None = None) -> Native:
    """Return the query of a whole partition, by the names of its documents.

    Where it is a long one, others may be among them.

    Args:
        call: the list.
        collection: the name of the table's collection in full.
        size: documents, at most; None for all.
    """
    first = f"{escape_key(call.partition)}:"[:_KEPT]
    names = (f"{collection}/{first}", f"{collection}/{first}{_AFTER_NAMES}")
    start, end = (_cursor({"referenceValue": name}, before=True) for name in names)
    query = _query(call.table, "__name__", start, end, size)
    if size is None:
        return query
    paths = [{"fieldPath": _path(field)} for field in call.fields]
    return query | {"select": {"fields": paths}}


def counting(query: Native, read_time: str | None) -> Native:
    """Return the body that asks how many documents a query gives, now or as of a moment."""
    body = {
        "structuredAggregationQuery": {
            "structuredQuery": query,
            "aggregations": [{"alias": "count", "count": {}}],
        }
    }
    return body if read_time is None else body | {"readTime": read_time}


def key_of(native: Native, fields: tuple[str, str]) -> tuple[str, str] | None:
    """Return the key of a document: what its name says, or its fields where that is cut off.

    None if it is not the document of a key of two fields.
    """
    name = str(native.get("name")).rpartition("/")[2]
    parts = unescape_key(name)
    if parts is None:
        fields_ = native.get("fields") or {}
        values = [(fields_.get(field) or {}).get("stringValue") for field in fields]
        parts = tuple(str(value) for value in values)
        if None in values or escape_key(*parts) != name:
            return None
    return (parts[0], parts[1]) if len(parts) == 2 else None


TOO_MANY: Final = Result[Any](
    Outcome.UNUSABLE,
    reason="unordered",
    message=f"the partition has documents without the field {ORDER}, of an earlier leeward or of "
    f"another program, and has more than {MOST_UNORDERED} in all, so it cannot be put in order; "
    "store those items again, or restore the table from a backup",
)


def _order(partition: str, sort: str) -> bytes:
    return sha256(partition.encode()).digest()[:_MARK] + sort.encode()


def _bytes(value: bytes) -> Native:
    return {"bytesValue": b2a_base64(value, newline=False).decode("ascii")}


def _cursor(value: Native, *, before: bool) -> Native:
    return {"values": [value], "before": before}


def _query(
    table: str, path: str, start: Native, end: Native, size: int | None, *, descending: bool = False
) -> Native:
    direction = "DESCENDING" if descending else "ASCENDING"
    query = {
        "from": [{"collectionId": table}],
        "orderBy": [{"field": {"fieldPath": path}, "direction": direction}],
        "startAt": start,
        "endAt": end,
    }
    return query if size is None else query | {"limit": size}


def _path(field: str) -> str:
    """Return the path of a field, in backticks, as any name may be."""
    escaped = field.replace("\\", "\\\\").replace("`", "\\`")
    return f"`{escaped}`"
