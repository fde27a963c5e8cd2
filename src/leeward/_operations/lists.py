"""Lists of a partition: the bounds of a list, and cursors that belong to it alone."""

from __future__ import annotations

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final, cast

from leeward._operations import arguments
from leeward._operations.results import record_from, target_of, with_hint
from leeward.calls import ListItems, Page, Result
from leeward.errors import InvalidRequest, PayloadTooLarge
from leeward.records import NamedTuple
from leeward.values import ItemPage, Record

if TYPE_CHECKING:
    from leeward._operations.arguments import OrderLimits
    from leeward._operations.operations import Operations
    from leeward._operations.results import Operation

MOST: Final = 1000
"""Items of a page, at most. Where services end a page by bytes, few have more."""

_FORM: Final = "l1"
"""The first part of a cursor, before what it holds: which form that has."""

_DIGEST: Final = 16
"""Hex digits: two lists that differ agree in one of 2**64 cases, and nothing is lost then but a
clear refusal."""

_LAST: Final = 0x10FFFF
_BEFORE_SURROGATES: Final = 0xD7FF
_BEHIND_SURROGATES: Final = 0xE000


class Bounds(NamedTuple):
    """Where a list begins and ends, as of `leeward.calls.ListItems`."""

    low: str
    above: bool
    high: str | None


class CursorScope(NamedTuple):
    """What a cursor belongs to; all but the target and the table as digests.

    Attributes:
        target: the home of the table.
        table: its logical name.
        partition: of the partition's value, and of the key's fields.
        bounds: of the bounds.
        direction: ``a`` for ascending, ``d`` for descending.
    """

    target: str
    table: str
    partition: str
    bounds: str
    direction: str


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
    timeout: float | None,
) -> Operation[ListItems, ItemPage]:
    """List one page of a partition.

    Raises:
        InvalidRequest: the table has no partitions, an argument is wrong, or the cursor is that of
            another list.
    """
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
    if type(limit) is not int or not 1 <= limit <= MOST:
        raise InvalidRequest(
            f"limit must be a whole number from 1 to {MOST}; go on by the page's cursor for more",
            field="limit",
        )
    bounds = bounds_of(
        _check_bound(begins, "begins", limits),
        _check_bound(after, "after", limits),
        _check_bound(before, "before", limits),
    )
    seconds = rules.seconds if timeout is None else arguments.check_timeout(timeout)
    call = ListItems(table, rules.key, partition, *bounds, descending, limit)
    operations.check(call)
    scope = scope_of(call, operations.router.candidates(call)[0])
    if cursor is not None:
        call = call._replace(cursor=read_cursor(cursor, scope))

    def conclude(call: ListItems, result: Result[Any]) -> ItemPage:
        return page_of(call, result, scope, operations.clock.now())

    known = operations.config.tables
    return call, seconds, conclude if rules.is_known else with_hint(conclude, table, known)


def bounds_of(begins: str | None, after: str | None, before: str | None) -> Bounds:
    """Return the one range that the arguments of a list describe.

    Raises:
        InvalidRequest: nothing can lie in it.
    """
    if before == "":
        raise InvalidRequest(
            "before is empty, and no key comes before that; leave it out", field="before"
        )
    low, above, high = begins or "", False, text_behind(begins or "")
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
            other = "after" if above else "begins"
            raise InvalidRequest(
                f"before comes before `{other}`, or is the same, so no key lies between them; "
                "leave one of them out",
                field="before",
            )
    return Bounds(low, above, high)


def text_behind(prefix: str) -> str | None:
    """Return the least text that is greater than every text which begins with `prefix`.

    None if there is none: for the empty one, and for one of the last code point alone.
    """
    kept = prefix.rstrip(chr(_LAST))
    if not kept:
        return None
    last = ord(kept[-1])
    return kept[:-1] + chr(_BEHIND_SURROGATES if last == _BEFORE_SURROGATES else last + 1)


def scope_of(call: ListItems, target: str) -> CursorScope:
    """Return what the cursors of a list at `target` belong to."""
    return CursorScope(
        target,
        call.table,
        _digest(call.fields, call.partition),
        _digest(call.low, call.above, call.high),
        "d" if call.descending else "a",
    )


def write_cursor(own: str | None, scope: CursorScope) -> str | None:
    """Return the cursor that callers get; None on the last page.

    Args:
        own: the driver's.
        scope: what it belongs to.
    """
    if own is None:
        return None
    text = json.dumps([*scope, own], separators=(",", ":"))
    return f"{_FORM}.{urlsafe_b64encode(text.encode()).decode().rstrip('=')}"


def read_cursor(text: Any, scope: CursorScope) -> str:
    """Return the driver's own cursor.

    Raises:
        InvalidRequest: it is the cursor of another list, or none at all.
    """
    try:
        form, _, body = text.partition(".")
        *parts, own = json.loads(urlsafe_b64decode(body.encode("ascii") + b"=="))
        given = CursorScope(*parts)
        if form != _FORM or type(own) is not str or any(type(each) is not str for each in given):
            raise ValueError(form)
    except (AttributeError, TypeError, ValueError, RecursionError):
        raise InvalidRequest(
            "cursor must be that of the page before, or None for the first page", field="cursor"
        ) from None
    for part, differs in _DIFFERS.items():
        if getattr(given, part) != getattr(scope, part):
            raise InvalidRequest(
                f"cursor was given by a list {differs.format(given, scope)}; begin this one with "
                "None, or pass the arguments with which that one began",
                field="cursor",
            )
    return own


_DIFFERS: Final = {
    "table": "of the table {0.table!r}, and this one is of {1.table!r}",
    "target": "at {0.target!r}, and the home of the table is {1.target!r} now",
    "partition": "of another partition",
    "direction": "in the other direction",
    "bounds": "with other bounds (begins, after, before)",
}


def page_of(call: ListItems, result: Result[Any], scope: CursorScope, now: float) -> ItemPage:
    """Conclude `list_data`. What has expired by `now` (Unix seconds) is left out."""
    target = target_of(call, result)
    page = cast("Page", result.value)
    records = (record_from(each, target, now) for each in page.items)
    items: tuple[Record, ...] = tuple(each for each in records if each is not None)
    return ItemPage(items, write_cursor(page.cursor, scope), target, result.attempts)


def _check_bound(value: Any, field: str, limits: OrderLimits) -> str | None:
    """Check a bound: as a key, but it may be empty, and need not be all of one."""
    if value is None or value == "":
        return cast("str | None", value)
    try:
        arguments.check_key_value(value, field, limits)
    except PayloadTooLarge as error:
        raise InvalidRequest(str(error), field=field) from None
    return cast("str", value)


def _digest(*values: Any) -> str:
    return sha256(json.dumps(values).encode()).hexdigest()[:_DIGEST]
