"""The layout of the embedded target's database.

Both tables are open to other programs: ``document`` is JSON text in ASCII, so the `sqlite3`
command shows it and ``json_extract`` reads it.
"""

from __future__ import annotations

from leeward import json_text
from leeward.delivery.series import STATEMENT as SERIES
from leeward.delivery.store import CHANGES, STATEMENTS
from leeward.sqlite.schema import Schema

ITEMS = """CREATE TABLE items (
    name TEXT NOT NULL,          -- the table's name
    key TEXT NOT NULL,           -- JSON list of the key's values
    document TEXT NOT NULL,      -- the item, see leeward.items
    revision TEXT NOT NULL,
    expires_at REAL,             -- Unix seconds
    PRIMARY KEY (name, key)
)"""

SCHEMA = Schema(
    int.from_bytes(b"leew", "big"), 3, (ITEMS, *STATEMENTS, SERIES), {1: CHANGES, 2: (SERIES,)}
)

DEEPEST = 2 * json_text.DEEPEST
"""Of a document: leeward writes at most half of that, another program may have gone deeper."""
