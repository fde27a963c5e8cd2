"""The layout of the database, and how a connection is set up for it.

Both tables are open to other programs: ``document`` is JSON text in ASCII, so the `sqlite3`
command shows it and ``json_extract`` reads it.
"""

from __future__ import annotations

import sqlite3

from leeward.errors import ConfigError

APPLICATION = int.from_bytes(b"leew", "big")
"""Marks the file as leeward's (https://sqlite.org/pragma.html#pragma_application_id)."""

VERSION = 1

_SETTINGS = (
    # Never WAL: a rare loss of committed pages (the "WAL-reset bug") is fixed in SQLite 3.51.3
    # and not before, and Python runs with whatever SQLite the machine has.
    "PRAGMA journal_mode = TRUNCATE",
    "PRAGMA synchronous = FULL",
    # On macOS a plain fsync leaves data in the drive's cache; elsewhere this does nothing.
    "PRAGMA fullfsync = 1",
)

_TABLES = (
    """CREATE TABLE items (
        name TEXT NOT NULL,          -- the table's name
        key TEXT NOT NULL,           -- JSON list of the key's values
        document TEXT NOT NULL,      -- the item, see leeward.items
        revision TEXT NOT NULL,
        expires_at REAL,             -- Unix seconds
        PRIMARY KEY (name, key)
    )""",
    """CREATE TABLE deliveries (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        bus TEXT NOT NULL,           -- empty for a queued call of a function
        subscriber TEXT NOT NULL,    -- name of the subscription or function
        lane TEXT,                   -- the ordering key
        idempotency_key TEXT NOT NULL,
        document TEXT NOT NULL,      -- a CloudEvent, or the payload
        attempts INTEGER NOT NULL DEFAULT 0,
        due REAL NOT NULL DEFAULT 0, -- Unix seconds: not before; while leased, the lease's end
        lease TEXT,                  -- of the attempt under way
        error TEXT,                  -- class name of the last exception
        dead INTEGER NOT NULL DEFAULT 0
    )""",
    """CREATE INDEX deliveries_by_lane ON deliveries (bus, subscriber, lane, id, due)
        WHERE NOT dead""",
    "CREATE INDEX deliveries_by_due ON deliveries (due) WHERE NOT dead",
)

_SET_MARKS = (f"PRAGMA application_id = {APPLICATION}", f"PRAGMA user_version = {VERSION}")


def prepare(connection: sqlite3.Connection, where: str) -> None:
    """Set the connection up, and make the tables where there are none.

    Raises:
        ConfigError: the file holds another program's data, or that of a newer leeward.
        sqlite3.Error: it cannot be read or written; nothing was changed then.
    """
    for setting in _SETTINGS:
        connection.execute(setting).fetchall()
    if _marks(connection) == (APPLICATION, VERSION):
        return
    # Only under the lock do several reads speak of one moment: another process may be here too.
    connection.execute("BEGIN EXCLUSIVE")
    if not _is_ready(connection, where):
        for statement in (*_TABLES, *_SET_MARKS):
            connection.execute(statement)
    connection.execute("COMMIT")


def _is_ready(connection: sqlite3.Connection, where: str) -> bool:
    application, version = _marks(connection)
    if application != APPLICATION:
        if _number(connection, "SELECT count(*) FROM sqlite_master"):
            raise ConfigError(
                f"the database {where} holds another program's tables; set `path` to a file that "
                f"is leeward's own"
            )
        return False
    if version != VERSION:
        raise ConfigError(
            f"the database {where} has layout {version} and this leeward knows {VERSION}; "
            f"use the leeward that wrote it, or set `path` to a new file"
        )
    return True


def _marks(connection: sqlite3.Connection) -> tuple[int, int]:
    return (
        _number(connection, "PRAGMA application_id"),
        _number(connection, "PRAGMA user_version"),
    )


def _number(connection: sqlite3.Connection, statement: str) -> int:
    return int(connection.execute(statement).fetchone()[0])
