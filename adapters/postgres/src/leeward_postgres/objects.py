"""Objects: a row of `objects` for each, and its bytes in rows of `pieces`.

A small object is put by one statement. A larger one is put by a transaction, piece by piece: until
its commit was sent, nothing of it can take effect. Whoever reads sees the old object or the new
one, for each read is one statement.
"""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any, Final

from leeward import json_text
from leeward.calls import (
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
from leeward.errors import Outcome
from leeward.values import NOTHING
from leeward_postgres.items import original_of, text_of
from leeward_postgres.outcomes import Stage
from leeward_postgres.schema import quote
from leeward_postgres.schema.data import PIECE_BYTES
from leeward_postgres.statements import Plan, Statement, milliseconds, result_of_write

PAGE_OBJECTS: Final = 1000

_BEGIN: Final = Statement("BEGIN ISOLATION LEVEL READ COMMITTED", stage=Stage.OPEN)
_ROLLBACK: Final = Statement("ROLLBACK", stage=Stage.OPEN)
_COMMIT: Final = Statement("COMMIT")


class Objects:
    """Plans of the calls of objects. A bucket is there as soon as it holds an object.

    Args:
        schema: its name.
    """

    def __init__(self, schema: str) -> None:
        where = quote(schema)
        self._put = (
            f"SELECT {where}.put_object(%s, %s, %s, %s::bigint, %s, %s::json, %s::bytea, %s, "
            "%s::text, %s::integer)"
        )
        self._add = (
            f"INSERT INTO {where}.pieces (object, number, body) SELECT id, %s, %s::bytea "  # noqa: S608
            f"FROM {where}.objects WHERE bucket = %s AND name = %s"
        )
        columns = "size, revision, checksum, metadata::text"
        self._head = f"SELECT {columns} FROM {where}.objects WHERE bucket = %s AND name = %s"  # noqa: S608
        self._get = (
            f"SELECT {columns}, substring(body "  # noqa: S608 - a name that was checked
            f"FROM greatest(%s - number::bigint * {PIECE_BYTES}, 0)::integer + 1) "
            f"FROM {where}.objects LEFT JOIN {where}.pieces "
            "ON object = id AND number BETWEEN %s AND %s "
            "WHERE bucket = %s AND name = %s ORDER BY number"
        )
        self._list = (
            f"SELECT name, size, revision FROM {where}.objects "  # noqa: S608 - the same
            "WHERE bucket = %s AND name >= %s AND name > %s ORDER BY name LIMIT %s"
        )
        self._delete = f"SELECT {where}.delete_object(%s, %s, %s, %s::integer)"

    def put(self, call: PutObject, timeout: float) -> Plan:
        """Write an object whole; its write id is its revision."""
        body, size = memoryview(call.body), len(call.body)
        is_small = size <= PIECE_BYTES
        stage = Stage.COMMITTING if is_small else Stage.OPEN
        place = text_of(call.bucket), text_of(call.name)
        metadata = json.dumps(dict(call.metadata)) if call.metadata else None
        values = (
            *(call.write_id, *place, size, call.checksum, metadata, bytes(body[:PIECE_BYTES])),
            *(call.if_absent, call.if_revision, milliseconds(timeout)),
        )
        if not is_small:
            yield _BEGIN
        ((word,),) = yield Statement(self._put, values, stage)
        if is_small:
            return result_of_write(word, call.write_id)
        if word != "ok":
            yield _ROLLBACK
            return result_of_write(word, call.write_id)
        for number, start in enumerate(range(PIECE_BYTES, size, PIECE_BYTES), 1):
            piece = bytes(body[start : start + PIECE_BYTES])
            yield Statement(self._add, (number, piece, *place), Stage.OPEN)
        yield _COMMIT
        return Result.ok(call.write_id)

    def get(self, call: GetObject, timeout: float) -> Plan:
        """Read a range of an object."""
        del timeout
        first = call.start // PIECE_BYTES
        last = max(call.start + call.length - 1, call.start) // PIECE_BYTES
        place = text_of(call.bucket), text_of(call.name)
        values = (call.start, first, last, *place)
        rows = yield Statement(self._get, values, binary=True)
        current = rows[0][1] if rows else None
        if call.if_revision not in (None, current):
            return Result(Outcome.CONFLICT, message="the object has another revision")
        if not rows:
            return Result.ok(None)
        data = b"".join(row[4] for row in rows if row[4] is not None)
        return Result.ok(Piece(data[: call.length], _describe(call.name, *rows[0][:4])))

    def head(self, call: HeadObject, timeout: float) -> Plan:
        """Look at an object."""
        del timeout
        rows = yield Statement(self._head, (text_of(call.bucket), text_of(call.name)))
        return Result.ok(_describe(call.name, *rows[0]) if rows else None)

    def list(self, call: ListObjects, timeout: float) -> Plan:
        """List the next objects in the order of their names; the cursor is the last one's."""
        del timeout
        prefix, after = text_of(call.prefix), text_of(call.cursor or "")
        values = (text_of(call.bucket), prefix, after, PAGE_OBJECTS + 1)
        rows = yield Statement(self._list, values)
        # In order, so that all behind the first other one are others, too.
        named = [row for row in rows if row[0].startswith(prefix)]
        page, more = named[:PAGE_OBJECTS], len(named) > PAGE_OBJECTS
        objects = tuple(FoundObject(original_of(row[0]), *row[1:]) for row in page)
        return Result.ok(Listing(objects, objects[-1].name if more else None))

    def delete(self, call: DeleteObject, timeout: float) -> Plan:
        """Delete an object, there or not."""
        place = text_of(call.bucket), text_of(call.name)
        ((word,),) = yield Statement(self._delete, (call.write_id, *place, milliseconds(timeout)))
        return result_of_write(word, None)


def _describe(
    name: str, size: int, revision: str, checksum: str, metadata: str | None
) -> FoundObject:
    texts: Any = NOTHING
    if metadata is not None:
        with suppress(json_text.Undecodable):  # another program has changed it
            texts = json_text.decode(metadata)
    return FoundObject(name, size, revision, revision, f"sha256:{checksum}", texts)
