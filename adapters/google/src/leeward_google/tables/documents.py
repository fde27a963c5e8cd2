"""An item as a document of Firestore: where it is, what is in it, and which revision it has.

A table is a collection at the top of a database. The id of a document is made of the key of its
item: the values of its fields, escaped (`leeward.adapter.items.escape_key`), with ``:`` between
two; plain letters, digits and ``_ . -`` stand for themselves. The fields of the key stay fields as
well. A document of another program has the fields that it was given, and no more. What keeps the
order of a partition stands in `lists`.

A revision is the document's `updateTime`, and in front of it the expiry, where it has one. So a
condition on the revision of an item that has expired since is known not to hold without a look.

Integers are strings in JSON, binary is base64, times are RFC 3339 in UTC, and an empty list or map
may come without its member.

Sources: "Quotas and limits" in Firestore's documentation; `Document` and `Value` in its REST
reference.
"""

from __future__ import annotations

import re
from binascii import a2b_base64, b2a_base64
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final, TypeAlias

from leeward.adapter.items import (
    DoubleModel,
    Profile,
    TypedJson,
    decode,
    encode,
    escape_key,
    native_expiry,
)
from leeward.adapter.tables import Revision
from leeward.calls import Key, Store, Stored, UnreadableItem
from leeward.errors import InvalidRequest
from leeward.json_text import Undecodable
from leeward_google.tables.lists import order_of


def _read_integer(value: Any) -> int:
    if type(value) is int or (type(value) is str and len(value) <= _LONGEST_INTEGER):
        return int(value)
    raise UnreadableItem("an integer of the document has more than 64 bits")


def _read_time(text: Any) -> datetime:
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise UnreadableItem("a time of the document has no offset")
    return moment.astimezone(UTC)


def _read_point(value: Any) -> dict[str, float]:
    if type(value) is not dict:
        raise UnreadableItem("a point of the document is not an object")
    return {name: float(value.get(name, 0)) for name in ("latitude", "longitude")}


def _keep_time(raw: Any, _: Any) -> Any:
    """Keep a time with more digits than a datetime has."""
    digits = re.search(r"\.([0-9]+)", raw)
    return raw if digits is not None and digits[1][_MICROSECONDS:].strip("0") else None


def _member(value: Any, name: str, kind: type) -> Any:
    member = value.get(name, kind()) if type(value) is dict else None
    if type(member) is not kind:
        raise UnreadableItem(f"the {name} of an array or map of the document are something else")
    return member


_LONGEST_INTEGER: Final = len(str(-(2**63)))

_MICROSECONDS: Final = 6
"""Digits of a second."""

FIRESTORE: Final = Profile(
    name="Firestore",
    numbers=DoubleModel(integers=range(-(2**63), 2**63), decimals=True),
    typed_json=TypedJson(
        write={
            type(None): ("nullValue", None),
            bool: ("booleanValue", None),
            int: ("integerValue", str),
            float: ("doubleValue", None),
            datetime: (
                "timestampValue",
                lambda value: value.replace(tzinfo=None).isoformat() + "Z",
            ),
            str: ("stringValue", None),
            bytes: ("bytesValue", lambda value: b2a_base64(value, newline=False).decode("ascii")),
            list: ("arrayValue", lambda values: {"values": values}),
            dict: ("mapValue", lambda fields: {"fields": fields}),
        },
        same={"booleanValue": bool, "stringValue": str, "referenceValue": str},
        read={
            "nullValue": lambda _: None,
            "integerValue": _read_integer,
            "doubleValue": float,
            "timestampValue": _read_time,
            "bytesValue": a2b_base64,
            "geoPointValue": _read_point,
            "arrayValue": lambda value: _member(value, "values", list),
            "mapValue": lambda value: _member(value, "fields", dict),
        },
        kept={
            "geoPointValue": lambda _, plain: plain,
            "referenceValue": lambda raw, _: raw,
            "timestampValue": _keep_time,
        },
    ),
    binary=True,
    timestamps=True,
    nested_lists=False,
    dunder_names_reserved=True,
    expiry="timestamp",
)


Native: TypeAlias = dict[str, Any]
"""A document in Firestore's JSON."""

DEEPEST: Final = 100
"""Of an answer's JSON: Firestore takes documents of 20 levels and spells each by three, with some
five around and inside. Its emulator takes more than 20."""

LONGEST_ID: Final = 1500
"""Bytes of the id of a collection, or of a document."""

_FORBIDDEN_ID: Final = re.compile(r"\.\.?|__.*__|.*/.*", re.DOTALL)

_MOMENT: Final = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,9})?Z"
)
"""As Firestore writes an `updateTime`."""


def check_collection(table: str) -> None:
    """Check the name of a table.

    Raises:
        InvalidRequest: no collection can have it.
    """
    if _FORBIDDEN_ID.fullmatch(table):
        raise InvalidRequest(
            f"table {table!r} cannot be the name of a Firestore collection, which may not "
            "hold '/', be '.' or '..', or begin and end with '__'; choose another, or map it in "
            "[tables] of leeward.toml",
            field="table",
        )
    if len(table.encode()) > LONGEST_ID:
        raise InvalidRequest(
            f"table has a name of {len(table.encode())} bytes, and Firestore takes at most "
            f"{LONGEST_ID}; shorten it",
            field="table",
        )


def id_of(key: Key) -> str:
    """Return the id of the document of `key`; at most 512 characters, safe anywhere."""
    return escape_key(*key.values)


def fields_of(call: Store) -> Native:
    """Return the fields of the document that stands for the item of `call`."""
    fields = encode(call.item, FIRESTORE, write_id=call.write_id, expires_at=call.expires_at)
    expiry = native_expiry(FIRESTORE, call.expires_at, call.now)
    if expiry is not None:
        fields[expiry[0]] = expiry[1]
    return fields | order_of(call.key)


def stored_of(native: Native, *, exact: bool = False) -> Stored:
    """Read a document, expired or not.

    Args:
        native: the document.
        exact: as for `leeward.adapter.items.decode`.

    Raises:
        Undecodable: it lacks what Firestore gives to every document.
        UnreadableItem: its fields cannot be read by leeward.
    """
    update_time = update_time_of(native)
    decoded = decode(native.get("fields", {}), FIRESTORE, exact=exact)
    revision = Revision(update_time, decoded.expires_at).text()
    stored = Stored(decoded.item, revision, decoded.write_id, decoded.expires_at, decoded.foreign)
    if not (exact and decoded.foreign):
        return stored
    return stored._replace(name=str(native.get("name")).rpartition("/")[2], lost=decoded.lost)


def revision_of(text: str) -> Revision | None:
    """Read a revision; None if no document ever has it."""
    return Revision.parse(text, _MOMENT)


def update_time_of(native: Mapping[str, Any]) -> str:
    """Return the time of the last change of a document, or that of a write's result.

    Raises:
        Undecodable: it is not there, or is something else.
    """
    time = native.get("updateTime")
    if not isinstance(time, str) or not _MOMENT.fullmatch(time):
        raise Undecodable("a document has no update time")
    return time
