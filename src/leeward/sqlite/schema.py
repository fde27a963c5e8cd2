"""The layout of a database: its tables, and how a connection is set up for them."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from typing import NamedTuple

from leeward.errors import ConfigError

_SETTINGS = (
    # Never WAL: a rare loss of committed pages (the "WAL-reset bug") is fixed in SQLite 3.51.3
    # and not before, and Python runs with whatever SQLite the machine has.
    "PRAGMA journal_mode = TRUNCATE",
    "PRAGMA synchronous = FULL",
    # On macOS a plain fsync leaves data in the drive's cache; elsewhere this does nothing.
    "PRAGMA fullfsync = 1",
    # Zeros in the place of what is deleted, but not in pages that become free: to empty a large
    # object would write as much as to fill it. Builds of SQLite differ in what they do unasked.
    "PRAGMA secure_delete = FAST",
)


class Schema(NamedTuple):
    """What a database has to hold.

    Attributes:
        application: 32 bits that mark the file as leeward's
            (https://sqlite.org/pragma.html#pragma_application_id).
        version: of the layout.
        statements: they make the tables and indexes in an empty database.
        changes: by an older version, what makes the next one of it.
    """

    application: int
    version: int
    statements: tuple[str, ...]
    changes: Mapping[int, tuple[str, ...]] = {}


def prepare(connection: sqlite3.Connection, schema: Schema, where: str) -> None:
    """Set the connection up, and make the tables where there are none.

    Raises:
        ConfigError: the file `where` holds another program's data, or that of a newer leeward.
        sqlite3.Error: it cannot be read or written; nothing was changed then.
    """
    for setting in _SETTINGS:
        connection.execute(setting).fetchall()
    if marks_of(connection) == (schema.application, schema.version):
        return
    # Only under the lock do several reads speak of one moment: another process may be here too.
    connection.execute("BEGIN EXCLUSIVE")
    if not _is_ready(connection, schema, where):
        for statement in _missing(connection, schema):
            connection.execute(statement)
        connection.execute(f"PRAGMA application_id = {schema.application}")
        connection.execute(f"PRAGMA user_version = {schema.version}")
    connection.execute("COMMIT")


def marks_of(connection: sqlite3.Connection) -> tuple[int, int]:
    """Return the application and the version that a database is marked with; zeros for none."""
    return (
        _number(connection, "PRAGMA application_id"),
        _number(connection, "PRAGMA user_version"),
    )


def _is_ready(connection: sqlite3.Connection, schema: Schema, where: str) -> bool:
    application, version = marks_of(connection)
    if application != schema.application:
        if _number(connection, "SELECT count(*) FROM sqlite_master"):
            raise ConfigError(
                f"the database {where} holds another program's tables; set `path` to a file that "
                f"is leeward's own"
            )
        return False
    if version in schema.changes:
        return False
    if version != schema.version:
        raise ConfigError(
            f"the database {where} has layout {version} and this leeward knows {schema.version}; "
            f"use the leeward that wrote it, or set `path` to a new file"
        )
    return True


def _missing(connection: sqlite3.Connection, schema: Schema) -> list[str]:
    """Return the statements that make an empty or an older database one of this version."""
    application, version = marks_of(connection)
    if application != schema.application:
        return list(schema.statements)
    steps = range(version, schema.version)
    return [statement for step in steps for statement in schema.changes[step]]


def _number(connection: sqlite3.Connection, statement: str) -> int:
    return int(connection.execute(statement).fetchone()[0])
