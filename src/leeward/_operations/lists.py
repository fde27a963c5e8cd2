"""Lists page by page: of a partition, with cursors of their own, and of whatever else has pages."""

from __future__ import annotations

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final

from leeward._operations import arguments
from leeward._operations.results import Operation, another_item, record_from, target_of, with_hint
from leeward.calls import ListItems, Result
from leeward.errors import InvalidRequest
from leeward.records import NamedTuple
from leeward.registry import PAGE_READER, import_room
from leeward.text import text_behind
from leeward.values import ItemPage

if TYPE_CHECKING:
    from leeward._operations.operations import Operations


MOST: Final = 1000  # items of a page, at most
_FORM: Final = "l1."  # how a cursor begins: it says the form of the rest


class CursorScope(NamedTuple):
    """What a cursor belongs to; key values are digests."""

    table: str
    target: str
    partition: str
    direction: str
    bounds: str


_DIFFERS: Final = {
    "table": "of the table {0!r}, and this one is of {1!r}",
    "target": "at {0!r}, and the home of the table is {1!r} now",
    "partition": "of another partition",
    "direction": "in the other direction",
    "bounds": "with other bounds (begins, after, before)",
}


def list_data(
    operations: Operations,
    table: str,
    partition: str,
    *,
    begins: str | None,
    after: str | None,
    before: str | None,
    descending: bool,
    limit: int,
    cursor: str | None,
    as_: object,
    timeout: float | None,
) -> Operation[ListItems, ItemPage]:
    """List one page of a partition; see `leeward.Client.list_data`."""
    read = None if as_ is None else import_room(PAGE_READER)(as_)
    rules, limits = operations.table(table), operations.limits
    if len(rules.key) != 2:
        raise InvalidRequest(
            f"table {table!r} has a key of one field, and so no partitions to list; set key to "
            f"a partition and a sort field in [tables.{table}] of leeward.toml",
            field="table",
        )
    arguments.check_key_value(partition, "partition", limits)
    if type(descending) is not bool:
        raise InvalidRequest(
            f"descending must be True or False, not {arguments.display(descending)}",
            field="descending",
        )
    arguments.check_limit(limit, MOST)
    for field, value in (("begins", begins), ("after", after), ("before", before)):
        if value is not None and value != "":
            arguments.check_key_value(value, field, limits)
    seconds = rules.seconds if timeout is None else arguments.check_timeout(timeout)
    everything = ListItems(table, rules.key, partition, descending=descending, limit=limit)
    call = within(everything, begins or "", after or "", before)
    operations.check(call)
    scope = CursorScope(
        table,
        operations.router.candidates(call)[0],
        _digest(call.fields, partition),
        "descending" if descending else "ascending",
        _digest(call.low, call.above, call.high),
    )
    if cursor is not None:
        call = call._replace(cursor=read_cursor(cursor, scope))

    def conclude(call: ListItems, result: Result[Any]) -> ItemPage:
        page = _page_of(call, result, scope, operations.clock.now())
        return page if read is None else read(page)

    tables = operations.config.tables
    return call, seconds, with_hint(conclude, table, tables)


def within(call: ListItems, begins: str, after: str, before: str | None) -> ListItems:
    """Return a list with the one range that its arguments describe; refuse one that is empty."""
    low, above, high = begins, False, text_behind(begins)
    if after and after >= low:
        low, above = after, True
        if high is not None and low >= high:
            raise InvalidRequest(
                "no key that comes after `after` begins with `begins`; leave one of them out",
                field="after",
            )
    if before is not None and (high is None or before < high):
        high = before
        if high <= low:
            other = f"`{'after' if above else 'begins'}`" if low else "every key"
            raise InvalidRequest(
                f"before does not come after {other}, so no key lies between; leave it out",
                field="before",
            )
    return call._replace(low=low, above=above, high=high)


def write_cursor(cursor: str, scope: CursorScope) -> str:
    """Return the cursor that callers get, for the driver's own."""
    text = json.dumps([*scope, cursor], separators=(",", ":"))
    return _FORM + urlsafe_b64encode(text.encode()).decode().rstrip("=")


def read_cursor(text: Any, scope: CursorScope) -> str:
    """Return the driver's own cursor; raise `InvalidRequest` for that of another list."""
    try:
        body = text.removeprefix(_FORM)
        *parts, cursor = json.loads(urlsafe_b64decode(body.encode("ascii") + b"=="))
        if body == text or any(type(part) is not str for part in (*parts, cursor)):
            raise ValueError(body)
        given = CursorScope(*parts)
    except (AttributeError, TypeError, ValueError, RecursionError):
        raise InvalidRequest(
            "cursor must be the one of the previous page, or None for the first page",
            field="cursor",
        ) from None
    for theirs, ours, differs in zip(given, scope, _DIFFERS.values(), strict=True):
        if theirs != ours:
            raise InvalidRequest(
                f"cursor was given by a list {differs.format(theirs, ours)}; pass None, or the "
                "arguments of that list",
                field="cursor",
            )
    assert isinstance(cursor, str), "it was checked"
    return cursor


def _page_of(call: ListItems, result: Result[Any], scope: CursorScope, now: float) -> ItemPage:
    """Return the page of `list_data`, without items that have expired by `now` (Unix seconds)."""
    target = target_of(call, result)
    page: Any = result.value
    partition, sort = call.fields
    for stored in page.items:
        item = stored.item
        if not stored.foreign and not (
            item.get(partition) == call.partition and call.holds(str(item.get(sort)))
        ):
            raise another_item(call, result)
    records = [record_from(stored, target, now) for stored in page.items]
    cursor = None if page.cursor is None else write_cursor(page.cursor, scope)
    items = tuple(record for record in records if record is not None)
    return ItemPage(items, cursor, target, result.attempts)


def _digest(*values: Any) -> str:
    return sha256(json.dumps(values).encode()).hexdigest()[:16]
