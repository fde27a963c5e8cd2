"""Tables: a row of `items` for each item; conditions are judged by the statement that writes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from leeward import json_text
from leeward.calls import Delete, ListItems, Load, Page, Result, Scan, Store
from leeward.errors import Outcome
from leeward_postgres.items import key_values, original_of, row_of, stored_of, text_of
from leeward_postgres.statements import Plan, Statement, milliseconds, result_of_write

PAGE_ITEMS: Final = 100

_COLUMNS: Final = "item::text, leeward::text, revision, expires_at"

_OP: Final = "OPERATOR(pg_catalog."
"""Arrays have no operators that are nearer than what somebody may put into `public`."""

_STORE: Final = """SELECT @.store_item(%s, %s, %s::text[], %s::jsonb, %s::jsonb,
    %s::double precision, %s::double precision, %s, %s::text, %s::integer)"""
_STORE_MANY: Final = """SELECT @.store_item(
        id, name, ARRAY(SELECT jsonb_array_elements_text(key)), item, leeward, expires, now, absent,
        revision, %s::integer)
    FROM unnest(%s::text[], %s::text[], %s::jsonb[], %s::jsonb[], %s::jsonb[],
        %s::double precision[], %s::double precision[], %s::boolean[], %s::text[]) WITH ORDINALITY
        AS many (id, name, key, item, leeward, expires, now, absent, revision, number)
    ORDER BY number"""
_DELETE: Final = """SELECT @.delete_item(
    %s, %s, %s::text[], %s::double precision, %s::text, %s::integer)"""
_LOAD: Final = f"SELECT {_COLUMNS} FROM @.items WHERE name = %s AND key {_OP}=) %s::text[]"  # noqa: S608 - made of constants, as those below
_LIST: Final = f"SELECT {_COLUMNS}, key FROM @.items WHERE name = %s AND key {_OP}"  # noqa: S608
_SCAN: Final = f"{_LIST}>) %s::text[] ORDER BY key LIMIT %s"


def store_item(call: Store, timeout: float) -> Plan:
    """Replace an item; its write id is its revision."""
    place = call.write_id, text_of(call.table), key_values(call.key)
    terms = call.expires_at, call.now, call.if_absent, call.if_revision, milliseconds(timeout)
    ((word,),) = yield Statement(_STORE, (*place, *row_of(call), *terms))
    return result_of_write(word, call.write_id)


def store_items(calls: Sequence[Store], timeout: float) -> Plan:
    """Replace items, by one statement; the value of the result is that of each.

    It is None where nothing was done, because one of the writes came before, or was settled.
    """
    columns = zip(
        *(
            (
                *(call.write_id, text_of(call.table)),
                *(json_text.encode(key_values(call.key)).decode(), *row_of(call)),
                *(call.expires_at, call.now, call.if_absent, call.if_revision),
            )
            for call in calls
        ),
        strict=True,
    )
    rows = yield Statement(_STORE_MANY, (milliseconds(timeout), *map(list, columns)))
    if rows[0][0] in ("repeated", "settled") and len(rows) < len(calls):
        return Result.ok(None)
    return Result.ok(
        [result_of_write(row[0], call.write_id) for row, call in zip(rows, calls, strict=True)]
    )


def load_item(call: Load, timeout: float) -> Plan:
    """Read an item, expired or not."""
    del timeout
    rows = yield Statement(_LOAD, (text_of(call.table), key_values(call.key)))
    if not rows:
        return Result.ok(None)
    try:
        return Result.ok(stored_of(*rows[0], exact=call.exact))
    except ValueError as error:
        return _undecodable(call.table, error)


def delete_item(call: Delete, timeout: float) -> Plan:
    """Delete an item, there or not, unless a revision is asked for."""
    place = call.write_id, text_of(call.table), key_values(call.key)
    terms = call.now, call.if_revision, milliseconds(timeout)
    ((word,),) = yield Statement(_DELETE, (*place, *terms))
    return result_of_write(word, None)


def scan_items(call: Scan, timeout: float) -> Plan:
    """Read the next items in the order of their keys; the cursor is the last one's key."""
    del timeout
    limit = call.most or PAGE_ITEMS
    after = json_text.decode(call.cursor) if call.cursor else []
    rows = yield Statement(_SCAN, (text_of(call.table), after, limit + 1))
    cursor = json_text.encode(rows[limit - 1][4]).decode() if len(rows) > limit else None
    return _page_of(call.table, rows[:limit], cursor, exact=call.exact)


def list_items(call: ListItems, timeout: float) -> Plan:
    """Read the next items of a partition; the cursor is the last one's sort value.

    They are a range of keys: behind all keys of a partition comes that of the least text which
    is greater than its value.
    """
    del timeout
    rest = call if call.cursor is None else call.following(call.cursor)
    partition, limit = text_of(call.partition), call.limit
    high = [f"{partition}\x01"] if rest.high is None else [partition, text_of(rest.high)]
    rows = yield Statement(
        f"{_LIST}{'>' if rest.above else '>='}) %s::text[] AND key {_OP}<) %s::text[] "
        f"ORDER BY key {'DESC' if rest.descending else 'ASC'} LIMIT %s",
        (text_of(call.table), [partition, text_of(rest.low)], high, limit + 1),
    )
    cursor = original_of(rows[limit - 1][4][1]) if len(rows) > limit else None
    return _page_of(call.table, rows[:limit], cursor)


def _page_of(
    table: str, rows: Sequence[Any], cursor: str | None, *, exact: bool = False
) -> Result[Any]:
    try:
        items = tuple(stored_of(*row[:4], exact=exact) for row in rows)
    except ValueError as error:
        return _undecodable(table, error)
    return Result.ok(Page(items, cursor))


def _undecodable(table: str, error: ValueError) -> Result[Any]:
    return Result(
        Outcome.UNUSABLE,
        message=f"a row of table {table!r} is no longer one that leeward can read; another program "
        "has changed it",
        reason="undecodable",
        cause=error,
    )
