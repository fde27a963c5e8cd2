"""Tables: one SQLite row per item, conditions judged in the transaction that writes."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from typing import Any, TypeAlias

from leeward import json_text
from leeward._items.decoding import decode
from leeward._items.encoding import encode
from leeward._items.profile import EMBEDDED
from leeward._operations.settling_looks import SURELY_OLDER
from leeward._sqlite.commits import SharedWrites
from leeward._sqlite.database import Database
from leeward.calls import Delete, ListItems, Load, Page, Result, Scan, Store, Stored
from leeward.entropy import new_id
from leeward.errors import Outcome
from leeward.leases.faults import DatabaseFault
from leeward.local.schema import DEEPEST, IN_PARTITION, SORT_VALUE, key_text
from leeward.local.settlements import (
    LATE_WRITE,
    is_settled,
    is_time_to_prune,
    keep_write,
    prune_writes,
)

PAGE_ITEMS = 100

_FIND = """SELECT revision, expires_at FROM items WHERE name = ? AND key = ?
    UNION ALL SELECT NULL, NULL FROM settlements WHERE id = ?"""
"""The item, if there is one; then a row without a revision, if the write was settled before."""

# Never INSERT OR REPLACE: it tells the triggers of `leeward.local.schema` nothing of the old row.
_ADD = "INSERT INTO items VALUES (?, ?, ?, ?, ?)"
_REPLACE = """UPDATE items SET document = ?, revision = ?, expires_at = ?
    WHERE name = ? AND key = ?"""
_READ = "SELECT document, revision, expires_at FROM items WHERE name = ? AND key = ?"
_DELETE = """DELETE FROM items WHERE name = ? AND key = ?
    AND NOT EXISTS (SELECT 1 FROM settlements WHERE id = ?)"""
_DELETE_REVISION = f"{_DELETE} AND revision = ? AND (expires_at IS NULL OR expires_at > ?)"
_FORGET = "UPDATE writes SET id = max(id, ?) WHERE number = 0"
"""From then on nobody knows which writes before this id took place, but for those that are seen."""
_PAGE = """SELECT document, revision, expires_at, key FROM items
    WHERE name = ? AND key > ? ORDER BY key LIMIT ?"""
_LIST = f"SELECT document, revision, expires_at, {SORT_VALUE} FROM items WHERE {IN_PARTITION}"  # noqa: S608

_Row: TypeAlias = tuple[str, str, str, str, float | None]


class Tables:
    """Store, load, delete and scan. A table is there as soon as it holds an item."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._writes = SharedWrites(database)

    def store(self, call: Store, timeout: float) -> Result[str]:
        """Replace an item; its write id is its revision."""
        row = _row(call)
        return self._writes.apply(lambda connection: _store(connection, call, row), timeout)

    def store_many(self, calls: Sequence[Store], timeout: float) -> list[Result[Any]]:
        """Replace items, in one transaction."""
        pairs = [(call, _row(call)) for call in calls]
        return self._writes.apply(
            lambda connection: [_store(connection, *pair) for pair in pairs], timeout
        )

    def load(self, call: Load, timeout: float) -> Result[Stored | None]:
        """Read an item, expired or not."""
        with self._database.read(timeout) as connection:
            rows = connection.execute(_READ, (call.table, key_text(call.key))).fetchall()
        if not rows:
            return Result.ok(None)
        try:
            return Result.ok(_read_item(*rows[0], exact=call.exact))
        except ValueError as error:
            return _undecodable(call.table, error)

    def delete(self, call: Delete, timeout: float) -> Result[None]:
        """Delete an item, there or not, unless a revision is asked for."""
        return self._writes.apply(lambda connection: _delete(connection, call), timeout)

    def scan(self, call: Scan, timeout: float) -> Result[Page]:
        """Read the next items in the order of their keys; the cursor is the last one's key.

        A store that is not there has none, and a look makes none.
        """
        if not self._database.is_there:
            return Result.ok(Page((), None))
        limit = call.most or PAGE_ITEMS
        with self._database.read(timeout) as connection:
            rows = connection.execute(_PAGE, (call.table, call.cursor or "", limit + 1)).fetchall()
        return _page_of(call.table, rows, limit, exact=call.exact)

    def list(self, call: ListItems, timeout: float) -> Result[Page]:
        """Read the next items of a partition; the cursor is the last one's sort value."""
        rest = call if call.cursor is None else call.following(call.cursor)
        upper = "" if rest.high is None else f" AND {SORT_VALUE} < ?"
        statement = (
            f"{_LIST} AND {SORT_VALUE} {'>' if rest.above else '>='} ?{upper} "
            f"ORDER BY {SORT_VALUE} {'DESC' if rest.descending else 'ASC'} LIMIT ?"
        )
        bounds = (rest.low,) if rest.high is None else (rest.low, rest.high)
        with self._database.read(timeout) as connection:
            rows = connection.execute(
                statement, (call.table, call.partition, *bounds, call.limit + 1)
            ).fetchall()
        return _page_of(call.table, rows, call.limit)


def _page_of(table: str, rows: list[Any], limit: int, *, exact: bool = False) -> Result[Page]:
    """Return the first `limit` of the rows as a page; its cursor is the last column of the last."""
    page, more = rows[:limit], len(rows) > limit
    try:
        items = tuple(_read_item(*row[:3], exact=exact) for row in page)
    except ValueError as error:
        return _undecodable(table, error)
    return Result.ok(Page(items, page[-1][3] if more else None))


def _row(call: Store) -> _Row:
    native = encode(call.item, EMBEDDED, write_id=call.write_id, expires_at=call.expires_at)
    document = json.dumps(native, allow_nan=False)
    return call.table, key_text(call.key), document, call.write_id, call.expires_at


def _store(connection: sqlite3.Connection, call: Store, row: _Row) -> Result[Any]:
    rows = connection.execute(_FIND, (*row[:2], call.write_id)).fetchall()
    if rows and rows[-1][0] is None:
        return LATE_WRITE
    current = _revision_in(rows, call.now)
    if call.if_absent and current is not None:
        return _conflict("an item with this key is there")
    if call.if_revision is not None and current != call.if_revision:
        return _conflict("the item has another revision, or is gone")
    if rows:
        connection.execute(_REPLACE, (*row[2:], *row[:2]))
    else:
        connection.execute(_ADD, row)
    if call.write_id.startswith("restore-"):  # leeward-backup's; it brings back no ids of writes
        connection.execute(_FORGET, (new_id(call.now + SURELY_OLDER),))
    if rows and is_time_to_prune(call.write_id):
        prune_writes(connection)
    return Result.ok(call.write_id)


def _delete(connection: sqlite3.Connection, call: Delete) -> Result[None]:
    delete = _DELETE
    row: tuple[Any, ...] = (call.table, key_text(call.key), call.write_id)
    if call.if_revision is not None:
        delete, row = _DELETE_REVISION, (*row, call.if_revision, call.now)
    if connection.execute(delete, row).rowcount:
        keep_write(connection, call.write_id)
        return Result.ok(None)
    # It has had no effect, and has none to settle.
    if is_settled(connection, call.write_id):
        return LATE_WRITE
    if call.if_revision is not None:
        return _conflict("the item has another revision, or is gone")
    return Result.ok(None)


def _revision_in(rows: list[Any], now: float) -> str | None:
    """Return the revision of the item that `_FIND` has found; None of one that has expired."""
    if not rows:
        return None
    revision, expires_at = rows[0]
    expired = expires_at is not None and expires_at <= now
    return None if expired else str(revision)


def _read_item(document: str, revision: str, expires_at: float | None, *, exact: bool) -> Stored:
    native = json_text.decode(document, deepest=DEEPEST)
    if not isinstance(native, dict):
        raise ValueError("the document is not a JSON object")
    decoded = decode(native, EMBEDDED, exact=exact)
    stored = Stored(decoded.item, revision, decoded.write_id, expires_at, decoded.foreign)
    return stored._replace(lost=decoded.lost) if exact else stored


def _conflict(message: str) -> Result[Any]:
    return Result(Outcome.CONFLICT, message=message)


def _undecodable(table: str, error: ValueError) -> Result[Any]:
    return Result(
        Outcome.UNUSABLE,
        message=f"a document of table {table!r} is no longer one that leeward can read; "
        f"another program has changed it",
        reason="undecodable",
        cause=error,
    )


def result_of(fault: DatabaseFault, database: Database) -> Result[Any]:
    """Return the result of a call that the database could not do."""
    message = f"{fault}: {database}" if fault.outcome is Outcome.UNUSABLE else str(fault)
    return Result(fault.outcome, message=message, reason=fault.reason, cause=fault.__cause__)
