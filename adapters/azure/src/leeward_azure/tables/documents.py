"""An item as a document of Cosmos DB: where it is, what is in it, and which revision it has.

A container is made for a table by its key:

==========================  ============================  =========================================
key of the table            partition key path            a document's `id`
==========================  ============================  =========================================
``id``, or ``order``        ``/id``                       the key's value
``["customer", "order"]``   ``/customer``                 the second value; unique in its partition
==========================  ============================  =========================================

In an `id`, what Cosmos does not take is escaped (`leeward.adapter.items.escape_key`); letters,
digits and ``_ . -`` stand for themselves. The fields of the key stay attributes as well. Where a
field's name is one of Cosmos' own, its attribute is named like its escape: ``~id``, and so is a
partition key path of it: ``/"~id"``. A document that another program has made needs no ``~id``; its
`id` is then the field.

For an expiry, `DefaultTimeToLive` of the container has to be on (-1 is enough). Whether it is or
not, the expiry that leeward keeps in the document is the one that counts.

A revision is the document's `_etag`, and in front of it the expiry, where it has one. So a
condition on the revision of an item that has expired since is known not to hold without a look.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, Final, TypeAlias

from leeward.adapter.items import (
    DoubleModel,
    Profile,
    decode,
    encode,
    escape_key,
    escape_name,
    native_expiry,
    unescape_key,
)
from leeward.adapter.tables import Revision
from leeward.calls import Key, Store, Stored
from leeward.json_text import Undecodable
from leeward.masking import show_only
from leeward.records import NamedTuple

COSMOS: Final = Profile(
    name="Cosmos DB",
    numbers=DoubleModel(integers=range(-(2**53), 2**53 + 1), decimals=True),
    system_names=frozenset({"id", "ttl", "_etag", "_ts", "_rid", "_self", "_attachments", "_lsn"}),
    expiry="ttl",
)


Native: TypeAlias = dict[str, Any]
"""A document."""

DEEPEST: Final = 140
"""Of an answer's JSON: Cosmos takes documents of 128 levels, and a page has two more."""

_ETAG: Final = re.compile(r'"?[A-Za-z0-9_.:/+-]{1,256}"?')
"""No white space, comma or ``*``: as `If-Match`, those could mean several documents, or any."""


@show_only()  # not even the id and the partition: they are made of an item's key
class Location(NamedTuple):
    """Where a document is.

    Attributes:
        id: unique in its partition; safe in a path.
        partition: the value of the partition key.
    """

    id: str
    partition: str

    def header(self) -> str:
        """Return the value of ``x-ms-documentdb-partitionkey``: JSON, in ASCII."""
        return json.dumps([self.partition])


def location_of(key: Key) -> Location:
    """Return where the document of `key` is."""
    name = escape_key(key.values[-1])
    return Location(name, name if len(key.values) == 1 else key.values[0])


def document_of(call: Store) -> Native:
    """Return the document that stands for the item of `call`."""
    native = encode(call.item, COSMOS, write_id=call.write_id, expires_at=call.expires_at)
    expiry = native_expiry(COSMOS, call.expires_at, call.now)
    if expiry is not None:
        native[expiry[0]] = expiry[1]
    native["id"] = location_of(call.key).id
    return native


def stored_of(native: Native, *, exact: bool = False) -> Stored:
    """Read a document, expired or not.

    Args:
        native: the document.
        exact: as for `leeward.adapter.items.decode`.

    Raises:
        Undecodable: it lacks what Cosmos gives to every document.
        UnreadableItem: its attributes cannot be read by leeward.
    """
    name, etag = native.get("id"), etag_of(native)
    if not isinstance(name, str):
        raise Undecodable("a document has no id")
    decoded = decode(native, COSMOS, exact=exact)
    if decoded.write_id is None and escape_name("id", COSMOS, top=True) not in native:
        parts = unescape_key(name)
        decoded.item["id"] = parts[0] if parts is not None and len(parts) == 1 else name
    revision = Revision(etag, decoded.expires_at).text()
    stored = Stored(decoded.item, revision, decoded.write_id, decoded.expires_at, decoded.foreign)
    if not (exact and decoded.foreign):
        return stored
    lost = ("its ttl",) if decoded.expires_at is None and native.get("ttl") is not None else ()
    return stored._replace(name=name, lost=(*decoded.lost, *lost))


def revision_of(text: str) -> Revision | None:
    """Read a revision; None if no document ever has it."""
    return Revision.parse(text, _ETAG)


def etag_of(native: Mapping[str, Any], name: str = "_etag") -> str:
    """Return what Cosmos calls this state of a document.

    Raises:
        Undecodable: it is not there, or is something else.
    """
    etag = native.get(name)
    if not isinstance(etag, str) or not _ETAG.fullmatch(etag):
        raise Undecodable("a document has no etag")
    return etag
