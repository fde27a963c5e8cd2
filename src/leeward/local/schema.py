"""The layout of the embedded target's database.

A write whose answer was lost can be settled for good: `SETTLEMENTS` keeps what that takes.

All tables are open to other programs: ``document`` is JSON text in ASCII, so the `sqlite3`
command shows it and ``json_extract`` reads it; an object is the pieces of its id, in order.
"""

from __future__ import annotations

import json
from typing import Final

from leeward import json_text
from leeward._delivery.sqlite_store import SERIES, STATEMENTS
from leeward._sqlite.database import Schema
from leeward.calls import Key

ITEMS = """CREATE TABLE items (
    name TEXT NOT NULL,          -- the table's name
    key TEXT NOT NULL,           -- JSON list of the key's values
    document TEXT NOT NULL,      -- the item, see leeward._items
    revision TEXT NOT NULL,
    expires_at REAL,             -- Unix seconds
    PRIMARY KEY (name, key)
)"""

_IS_PAIR: Final = "CASE WHEN json_valid(key) THEN json_array_length(key) END = 2"
_VALUES: Final = ("json_extract(key, '$[0]')", "json_extract(key, '$[1]')")

ITEMS_ORDER: Final = (
    f"CREATE INDEX items_order ON items (name, {', '.join(_VALUES)}) WHERE {_IS_PAIR}"
)
"""Of the items whose key has two fields: texts are in the order of their bytes in UTF-8, which the
JSON of a key is not."""

IN_PARTITION: Final = f"{_IS_PAIR} AND name = ? AND {_VALUES[0]} = ?"
"""The condition that an item is in a partition, in the words of the index."""

SORT_VALUE: Final = _VALUES[1]  # the value of the sort field, written the same way

OBJECTS = (
    """CREATE TABLE objects (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    bucket TEXT NOT NULL,
    name TEXT NOT NULL,
    size INTEGER NOT NULL,       -- bytes
    write_id TEXT NOT NULL,      -- the revision
    checksum TEXT NOT NULL,      -- SHA-256, in hex
    metadata TEXT,               -- JSON, if there is any
    UNIQUE (bucket, name)
)""",
    """CREATE TABLE pieces (
    object INTEGER NOT NULL,     -- its id
    number INTEGER NOT NULL,     -- from 0
    body BLOB NOT NULL,
    PRIMARY KEY (object, number)
)""",
)

_KEEP_WRITE: Final = "INSERT INTO writes (id) VALUES (OLD.{})"

SETTLEMENTS: Final = (
    # Ids of writes that took place and can be seen nowhere else, for another write came after them.
    # They are in the order in which that happened, so that keeping one costs little; a look-up is
    # rare and reads all of them. Row 0 has the greatest id of those that were pruned, if any were.
    "CREATE TABLE writes (number INTEGER PRIMARY KEY, id TEXT NOT NULL)",
    "INSERT INTO writes VALUES (0, '')",
    """CREATE TABLE settlements (
    id TEXT PRIMARY KEY,         -- of a write that does not take place any more
    ran INTEGER,                 -- 1: it took place before; 0: it did not; NULL: not known
    time REAL NOT NULL           -- Unix seconds
) WITHOUT ROWID""",
    # Triggers, so that what other programs do with these tables is kept as well.
    f"""CREATE TRIGGER item_replaced AFTER UPDATE OF revision ON items
    BEGIN {_KEEP_WRITE.format("revision")}; END""",
    f"""CREATE TRIGGER item_deleted AFTER DELETE ON items
    BEGIN {_KEEP_WRITE.format("revision")}; END""",
    f"""CREATE TRIGGER object_deleted AFTER DELETE ON objects
    BEGIN {_KEEP_WRITE.format("write_id")}; END""",
)

SCHEMA = Schema(
    int.from_bytes(b"leew", "big"),
    8,
    (ITEMS, *STATEMENTS, SERIES, *OBJECTS, *SETTLEMENTS, ITEMS_ORDER),
)


def key_text(key: Key) -> str:
    """Write the values of a key as one text, different for different values."""
    return json.dumps(key.values)


DEEPEST = 2 * json_text.DEEPEST
"""Of a document: leeward writes at most half of that, another program may have gone deeper."""
