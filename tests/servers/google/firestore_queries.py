"""Queries of Firestore by one collection: in the order of names, or of one field of bytes.

Source: the REST reference of `StructuredQuery`; "Index definition" and "Quotas and limits" in
Firestore's documentation: a document without the field of an order is not in its index, and of a
value the first 1,500 bytes are.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from importlib import import_module
from typing import Any, Final

from tests.servers.google.firestore_store import Store, copy_fields, simple_path
from tests.servers.google.refused import Refused, refuse_fields

INDEXED_BYTES: Final = 1500

_NAME: Final = "__name__"

_DESCENDING: Final = 2
"""0 stands for ascending where nothing is said, 1 for ascending."""


def documents_of(store: Store, parent: str, query: Any, moment: Any = None) -> list[Any]:
    """Return the documents of a query, as they are now, or were at a moment.

    Args:
        store: what is asked.
        parent: the name of what the collection is in.
        query: a bare `StructuredQuery`.
        moment: a bare `Timestamp`.

    Raises:
        Refused: the query is wrong, or one that this stub does not know.
    """
    refuse_fields(query, "where", "offset", "find_nearest")
    if len(query.from_) != 1 or query.from_[0].all_descendants or len(query.order_by) > 1:
        raise Refused("UNIMPLEMENTED", "This stub knows queries by one collection, in one order.")
    if query.limit.value < 0:
        raise Refused("INVALID_ARGUMENT", "limit may not be negative.")
    ends = [name for name in ("start_at", "end_at") if query.HasField(name)]
    if ends and not query.order_by:
        raise Refused("INVALID_ARGUMENT", "A cursor has too many values.")
    order = query.order_by[0] if query.order_by else None
    path = order.field.field_path if order else _NAME
    entries = _index(store.collection(parent, query.from_[0].collection_id, moment), path)
    keys = [key for key, _ in entries]
    is_descending = order is not None and order.direction == _DESCENDING
    bounds = {name: _position(keys, path, getattr(query, name), is_descending) for name in ends}
    first, behind = ("end_at", "start_at") if is_descending else ("start_at", "end_at")
    found = [document for _, document in entries[bounds.get(first) : bounds.get(behind)]]
    if is_descending:
        found.reverse()
    most = query.limit.value if query.HasField("limit") else None
    return _with_fields(found[:most], query)


def _index(documents: Sequence[Any], path: str) -> list[tuple[Any, Any]]:
    """Return the entries of the index of one field, in its order."""
    if path == _NAME:
        # Code points have the same order as the bytes of their UTF-8.
        return [(each.name, each) for each in documents]
    name = simple_path(path)
    entries = [
        (bytes(each.fields[name].bytes_value)[:INDEXED_BYTES], each)
        for each in documents
        if name in each.fields
    ]
    if any(each.fields[name].WhichOneof("value_type") != "bytes_value" for _, each in entries):
        raise Refused("UNIMPLEMENTED", "This stub knows the order of bytes only.")
    return sorted(entries, key=lambda entry: (entry[0], entry[1].name))


def _position(keys: Sequence[Any], path: str, cursor: Any, is_descending: bool) -> int:
    """Return where in the index a cursor stands."""
    kind = "reference_value" if path == _NAME else "bytes_value"
    if len(cursor.values) != 1 or cursor.values[0].WhichOneof("value_type") != kind:
        raise Refused("INVALID_ARGUMENT", "The cursor of a name must be a reference.")
    # Before an entry in descending order is behind it in the index.
    look = bisect_left if cursor.before != is_descending else bisect_right
    return look(keys, getattr(cursor.values[0], kind))


def _with_fields(documents: list[Any], query: Any) -> list[Any]:
    """Return documents with the fields that a query selects; all if it selects none."""
    if not query.HasField("select"):
        return documents
    names = [simple_path(each.field_path) for each in query.select.fields]
    parts = []
    for each in documents:
        part = import_module("google.cloud.firestore_v1.types").Document.pb()()
        part.name = each.name
        copy_fields(part.fields, each.fields, names)
        part.create_time.CopyFrom(each.create_time)
        part.update_time.CopyFrom(each.update_time)
        parts.append(part)
    return parts
