"""The layout of the embedded target's database.

All tables are open to other programs: ``document`` is JSON text in ASCII, so the `sqlite3`
command shows it and ``json_extract`` reads it; an object is the pieces of its id, in order.
"""

from __future__ import annotations

from leeward import json_text
from leeward._delivery.sqlite_store import CHANGES, SERIES, STATEMENTS
from leeward._sqlite.database import Schema

ITEMS = """CREATE TABLE items (
    name TEXT NOT NULL,          -- the table's name
    key TEXT NOT NULL,           -- JSON list of the key's values
    document TEXT NOT NULL,      -- the item, see leeward._items
    revision TEXT NOT NULL,
    expires_at REAL,             -- Unix seconds
    PRIMARY KEY (name, key)
)"""

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

SCHEMA = Schema(
    int.from_bytes(b"leew", "big"),
    4,
    (ITEMS, *STATEMENTS, SERIES, *OBJECTS),
    {1: CHANGES, 2: (SERIES,), 3: OBJECTS},
)

QUEUED_CALL = ""
"""Stands in the place of the bus for a queued call of a function."""

DEEPEST = 2 * json_text.DEEPEST
"""Of a document: leeward writes at most half of that, another program may have gone deeper."""
