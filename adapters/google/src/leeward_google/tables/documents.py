"""An item as a document of Firestore: where it is, what is in it, and which revision it has.

A table is a collection at the top of a database. The id of a document is made of the key of its
item: the values of its fields, escaped (`leeward.adapter.items.escape_key`), with ``:`` between
two; plain letters, digits and ``_ . -`` stand for themselves. The fields of the key stay fields as
well. A document of another program has the fields that it was given, and no more.

A revision is the document's `updateTime`, and in front of it the expiry, where it has one. So a
condition on the revision of an item that has expired since is known not to hold without a look.

Sources: "Quotas and limits" in Firestore's documentation; `Document` in its REST reference.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final, TypeAlias

from leeward.adapter.items import decode, encode, escape_key, native_expiry
from leeward.adapter.tables import Revision, parse_revision
from leeward.calls import Key, Store, Stored
from leeward.errors import InvalidRequest
from leeward.json_text import Undecodable
from leeward_google.tables.profile import FIRESTORE

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
    return fields


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
    found = decode(native.get("fields", {}), FIRESTORE, exact=exact)
    revision = Revision(update_time, found.expires_at).text()
    told = Stored(found.item, revision, found.write_id, found.expires_at, found.foreign)
    if not (exact and found.foreign):
        return told
    return told._replace(name=str(native.get("name")).rpartition("/")[2], lost=found.lost)


def revision_of(text: str) -> Revision | None:
    """Read a revision; None if no document ever has it."""
    return parse_revision(text, _MOMENT)


def update_time_of(native: Mapping[str, Any]) -> str:
    """Return the time of the last change of a document, or that of a write's result.

    Raises:
        Undecodable: it is not there, or is something else.
    """
    found = native.get("updateTime")
    if not isinstance(found, str) or not _MOMENT.fullmatch(found):
        raise Undecodable("a document has no update time")
    return found
