"""Objects: rows of the target's own database, in pieces.

An object is written in one transaction with the rows that tell handlers of it. So a crash leaves
the old object or the new one, whoever reads sees one of them whole, and nothing is told of an
object that is not there. Its bytes lie in pieces, so that a range of a large one is read by itself.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from leeward import json_text
from leeward._sqlite.database import Database
from leeward.calls import (
    Call,
    DeleteObject,
    FoundObject,
    GetObject,
    HeadObject,
    Listing,
    ListObjects,
    Piece,
    PutObject,
    Result,
)
from leeward.errors import ConfigError, Outcome
from leeward.local.settlements import LATE_WRITE, is_settled, keep_write
from leeward.values import NOTHING

PAGE_OBJECTS: Final = 1000

PIECE_BYTES: Final = 1024 * 1024  # of a piece; the last one of an object has what is left.

_FIND: Final = """SELECT id, size, write_id, checksum, metadata FROM objects
    WHERE bucket = ? AND name = ?"""
_READ: Final = """SELECT id, size, write_id, checksum, metadata, number, body FROM objects
    LEFT JOIN pieces ON pieces.object = objects.id AND number BETWEEN ? AND ?
    WHERE bucket = ? AND name = ? ORDER BY number"""
_LIST: Final = """SELECT name, size, write_id FROM objects
    WHERE bucket = ? AND name >= ? AND name > ? ORDER BY name LIMIT ?"""
_PUT: Final = """INSERT INTO objects (bucket, name, size, write_id, checksum, metadata)
    VALUES (?, ?, ?, ?, ?, ?)"""
_PUT_PIECE: Final = "INSERT INTO pieces VALUES (?, ?, ?)"
_DELETE: Final = "DELETE FROM objects WHERE id = ?"
_DELETE_PIECES: Final = "DELETE FROM pieces WHERE object = ?"

Announce = Callable[[sqlite3.Connection, PutObject | DeleteObject], None]


class Objects:
    """Put, get, head, list and delete. A bucket is there as soon as it holds an object.

    Args:
        announce: is called for each put and delete, in the transaction that makes it.

    Raises:
        DatabaseFault: by each method; the database could not do it.
    """

    def __init__(self, database: Database, announce: Announce) -> None:
        self._database = database
        self._announce = announce
        self._is_checked = False

    def perform(self, call: Call, timeout: float) -> Result[Any]:
        """Make one attempt at a call of objects."""
        if not self._is_checked:
            _check_folder(self._database.path)
            self._is_checked = True
        match call:
            case PutObject():
                return self._put(call, timeout)
            case GetObject():
                return self._get(call, timeout)
            case HeadObject():
                return Result.ok(self.find(call.bucket, call.name, timeout))
            case ListObjects():
                return self._list(call, timeout)
            case DeleteObject():
                return self._delete(call, timeout)
        raise AssertionError(f"{call.verb} is not a call of objects")

    def find(self, bucket: str, name: str, timeout: float) -> FoundObject | None:
        """Return what is known of an object; None if it is not there."""
        with self._database.read(timeout) as connection:
            row = connection.execute(_FIND, (bucket, name)).fetchone()
        return None if row is None else _describe(name, *row[1:])

    def _put(self, call: PutObject, timeout: float) -> Result[Any]:
        metadata = json.dumps(dict(call.metadata)) if call.metadata else None
        with self._database.write(timeout) as connection:
            if is_settled(connection, call.write_id):
                return LATE_WRITE
            row = connection.execute(_FIND, (call.bucket, call.name)).fetchone()
            before, current = (None, None) if row is None else (row[0], row[2])
            if current == call.write_id:
                return Result.ok(call.write_id)
            if not _condition_holds(call, current):
                problem = "an object is there, or has another revision"
                return Result(Outcome.CONFLICT, message=problem)
            connection.execute(_DELETE, (before,))
            values = call.bucket, call.name, len(call.body), call.write_id, call.checksum, metadata
            id = connection.execute(_PUT, values).lastrowid
            body = memoryview(call.body)
            connection.executemany(
                _PUT_PIECE,
                (
                    (id, number, body[start : start + PIECE_BYTES])
                    for number, start in enumerate(range(0, len(body), PIECE_BYTES))
                ),
            )
            # Last: SQLite copies a page to its journal that one transaction empties and fills.
            connection.execute(_DELETE_PIECES, (before,))
            self._announce(connection, call)
        return Result.ok(call.write_id)

    def _get(self, call: GetObject, timeout: float) -> Result[Any]:
        first, end = call.start // PIECE_BYTES, call.start + call.length
        numbers = first, max(end - 1, call.start) // PIECE_BYTES
        with self._database.read(timeout) as connection:
            rows = connection.execute(_READ, (*numbers, call.bucket, call.name)).fetchall()
        current = rows[0][2] if rows else None
        if call.if_revision not in (None, current):
            return Result(Outcome.CONFLICT, message="the object has another revision")
        if not rows:
            return Result.ok(None)
        info = _describe(call.name, *rows[0][1:5])
        data = b"".join(row[6] for row in rows if row[6] is not None)
        offset = call.start - first * PIECE_BYTES
        return Result.ok(Piece(data[offset : offset + call.length], info))

    def _list(self, call: ListObjects, timeout: float) -> Result[Any]:
        where = call.bucket, call.prefix, call.cursor or "", PAGE_OBJECTS + 1
        with self._database.read(timeout) as connection:
            rows = connection.execute(_LIST, where).fetchall()
        # In order, so that all behind the first other one are others, too.
        named = [row for row in rows if row[0].startswith(call.prefix)]
        page, more = named[:PAGE_OBJECTS], len(named) > PAGE_OBJECTS
        objects = tuple(FoundObject(name, size, write_id) for name, size, write_id in page)
        return Result.ok(Listing(objects, page[-1][0] if more else None))

    def _delete(self, call: DeleteObject, timeout: float) -> Result[Any]:
        with self._database.write(timeout) as connection:
            if is_settled(connection, call.write_id):
                return LATE_WRITE
            row = connection.execute(_FIND, (call.bucket, call.name)).fetchone()
            if row is not None:  # else it has no effect, and makes none to settle
                connection.execute(_DELETE, row[:1])
                connection.execute(_DELETE_PIECES, row[:1])
                keep_write(connection, call.write_id)
            self._announce(connection, call)
        return Result.ok(None)


def _condition_holds(call: PutObject, current: str | None) -> bool:
    if call.if_absent:
        return current is None
    return call.if_revision in (None, current)


def _describe(
    name: str, size: int, write_id: str, checksum: str, metadata: str | None
) -> FoundObject:
    texts: Any = NOTHING
    if metadata is not None:
        with suppress(json_text.Undecodable):  # another program has changed it
            texts = json_text.decode(metadata)
    return FoundObject(name, size, write_id, write_id, f"sha256:{checksum}", texts)


def _check_folder(file: Path | None) -> None:
    """Refuse to lose sight of objects that an earlier version has kept beside the database."""
    if file is None:
        return
    folder = file.parent / f"{file.stem}-objects"
    if folder.is_dir() and any(folder.iterdir()):
        raise ConfigError(
            f"the folder {folder} has objects of an earlier version, and this one keeps them in "
            f"{file}; get them with that version and put them with this one, or move the folder"
        )
