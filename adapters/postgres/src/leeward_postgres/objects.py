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
from leeward_postgres.schema.data import PIECE_BYTES
from leeward_postgres.statements import Plan, Statement, milliseconds, result_of_write

PAGE_OBJECTS: Final = 1000

_BEGIN: Final = Statement("BEGIN ISOLATION LEVEL READ COMMITTED", stage=Stage.OPEN)
_ROLLBACK: Final = Statement("ROLLBACK", stage=Stage.OPEN)
_COMMIT: Final = Statement("COMMIT")

_COLUMNS: Final = "size, revision, checksum, metadata::text"

_PUT: Final = """SELECT @.put_object(
    %s, %s, %s, %s::bigint, %s, %s::json, %s::bytea, %s, %s::text, %s::integer)"""
_ADD: Final = """INSERT INTO @.pieces (object, number, body)
    SELECT id, %s, %s::bytea FROM @.objects WHERE bucket = %s AND name = %s"""
_HEAD: Final = f"SELECT {_COLUMNS} FROM @.objects WHERE bucket = %s AND name = %s"  # noqa: S608 - made of constants, as below
_GET: Final = f"""SELECT {_COLUMNS},
        substring(body FROM greatest(%s - number::bigint * {PIECE_BYTES}, 0)::integer + 1)
    FROM @.objects LEFT JOIN @.pieces ON object = id AND number BETWEEN %s AND %s
    WHERE bucket = %s AND name = %s ORDER BY number"""  # noqa: S608
_LIST: Final = """SELECT name, size, revision FROM @.objects
    WHERE bucket = %s AND name >= %s AND name > %s ORDER BY name LIMIT %s"""
_DELETE: Final = "SELECT @.delete_object(%s, %s, %s, %s::integer)"


def put_object(call: PutObject, timeout: float) -> Plan:
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
    ((word,),) = yield Statement(_PUT, values, stage)
    if is_small or word != "ok":
        if not is_small:
            yield _ROLLBACK
        return result_of_write(word, call.write_id)
    for number, start in enumerate(range(PIECE_BYTES, size, PIECE_BYTES), 1):
        piece = bytes(body[start : start + PIECE_BYTES])
        yield Statement(_ADD, (number, piece, *place), Stage.OPEN)
    yield _COMMIT
    return Result.ok(call.write_id)


def get_object(call: GetObject, timeout: float) -> Plan:
    """Read a range of an object."""
    del timeout
    first = call.start // PIECE_BYTES
    last = max(call.start + call.length - 1, call.start) // PIECE_BYTES
    place = text_of(call.bucket), text_of(call.name)
    rows = yield Statement(_GET, (call.start, first, last, *place), binary=True)
    current = rows[0][1] if rows else None
    if call.if_revision not in (None, current):
        return Result(Outcome.CONFLICT, message="the object has another revision")
    if not rows:
        return Result.ok(None)
    data = b"".join(row[4] for row in rows if row[4] is not None)
    return Result.ok(Piece(data[: call.length], _describe(call.name, *rows[0][:4])))


def head_object(call: HeadObject, timeout: float) -> Plan:
    """Look at an object."""
    del timeout
    rows = yield Statement(_HEAD, (text_of(call.bucket), text_of(call.name)))
    return Result.ok(_describe(call.name, *rows[0]) if rows else None)


def list_objects(call: ListObjects, timeout: float) -> Plan:
    """List the next objects in the order of their names; the cursor is the last one's."""
    del timeout
    prefix, after = text_of(call.prefix), text_of(call.cursor or "")
    rows = yield Statement(_LIST, (text_of(call.bucket), prefix, after, PAGE_OBJECTS + 1))
    # In order, so that all behind the first other one are others, too.
    named = [row for row in rows if row[0].startswith(prefix)]
    page, more = named[:PAGE_OBJECTS], len(named) > PAGE_OBJECTS
    objects = tuple(FoundObject(original_of(row[0]), *row[1:]) for row in page)
    return Result.ok(Listing(objects, objects[-1].name if more else None))


def delete_object(call: DeleteObject, timeout: float) -> Plan:
    """Delete an object, there or not."""
    place = text_of(call.bucket), text_of(call.name)
    ((word,),) = yield Statement(_DELETE, (call.write_id, *place, milliseconds(timeout)))
    return result_of_write(word, None)


def _describe(
    name: str, size: int, revision: str, checksum: str, metadata: str | None
) -> FoundObject:
    texts: Any = NOTHING
    if metadata is not None:
        with suppress(json_text.Undecodable):  # another program has changed it
            texts = json_text.decode(metadata)
    return FoundObject(name, size, revision, revision, f"sha256:{checksum}", texts)
