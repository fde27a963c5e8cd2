"""DynamoDB: store, load, delete and scan single items, list a partition, and store many at once.

A table's key attributes are strings, named like the key's fields. A field whose name leeward
escapes (one that begins with ``~`` or ``_leeward``) has an attribute named like its escape.

Reads are strong. Where a table has a time to live on the attribute ``_leeward_expires``, DynamoDB
collects expired items.

`BatchWriteItem` knows no conditions: it replaces whatever is there. A transaction would know them,
at twice the price of each write.

A partition is listed in DynamoDB's own order, by the bytes of UTF-8.

Source: the API references of `PutItem`, `GetItem`, `DeleteItem`, `Scan`, `Query` and
`BatchWriteItem`.
"""

from __future__ import annotations

from collections.abc import Generator
from functools import partial
from typing import Any, Final

from leeward import json_text
from leeward.adapter.items import decode as decode_item
from leeward.adapter.items import encode, escape_name, native_expiry
from leeward.adapter.plans import Plan, Planner, Step, View, planners_of
from leeward.adapter.service import UNDECODABLE, ambiguous, misread, object_of
from leeward.adapter.tables import another_revision, wrong_cursor
from leeward.adapter.wire import Request, Response
from leeward.calls import (
    Delete,
    Key,
    ListItems,
    Load,
    Page,
    Result,
    Scan,
    Store,
    Stored,
    StoreMany,
    UnreadableItem,
)
from leeward.errors import Outcome, Unsupported
from leeward.json_text import Undecodable, decode, decode_apart
from leeward.masking import show_only
from leeward.records import NamedTuple
from leeward_aws.service import REQUEST_ID, Endpoint, endpoint_of
from leeward_aws.settings.options import Settings
from leeward_aws.tables.conditions import (
    FOREIGN,
    Condition,
    Native,
    has_write_id,
    is_absent,
    is_unchanged,
    revision_of,
)
from leeward_aws.tables.profile import DYNAMODB

PAGE_ITEMS: Final = 100
"""Items of a page, at most; DynamoDB ends a page at 1 MB too."""

DEEPEST: Final = 80
"""Of an answer's JSON: DynamoDB takes items of 32 levels, and spells each by two."""

_ALL_OLD: Final = {"ReturnValuesOnConditionCheckFailure": "ALL_OLD"}
"""Have the item that was in the way come with the refusal; that costs no read."""


LONGEST_SORT: Final = 1024
"""Bytes of the value of a sort key; a bound that is longer is not taken."""


def tables(settings: Settings) -> dict[str, Planner]:
    """Return the planners of ``store``, ``load``, ``delete``, ``scan`` and ``list_items``."""
    endpoint = endpoint_of("dynamodb", settings)
    return planners_of(
        endpoint, store=store, load=load, delete=delete, scan=scan, list_items=list_items
    )


def store(endpoint: Endpoint, call: Store, view: View) -> Plan:
    """Replace an item; the value is its revision, the write id.

    A conflict with an item that bears this very write id is the echo of an earlier attempt whose
    answer was lost: it is OK.
    """
    body: dict[str, Any] = {"TableName": call.table, "Item": native_of(call)}
    if call.if_absent:
        key = escape_name(call.key.fields[0], DYNAMODB, top=True)
        body |= is_absent(key, call.now) | _ALL_OLD
    elif call.if_revision is not None:
        condition = yield from _condition(endpoint, call, view)
        if isinstance(condition, Result):
            return condition
        body |= condition | _ALL_OLD
    request = endpoint.request("PutItem", body)
    response, refusal = yield from endpoint.service.exchange(request, view)
    if refusal is not None and refusal.outcome is Outcome.CONFLICT:
        echo = _is_echo(response, call.write_id)
        return Result.ok(call.write_id, request_id=refusal.request_id) if echo else refusal
    return refusal or _conclude_write(response, call.write_id)


def load(endpoint: Endpoint, call: Load, view: View) -> Plan:
    """Read an item, expired or not, with everything that was written before."""
    request = _get(endpoint, call.table, call.key)
    response, refusal = yield from endpoint.service.exchange(request, view)
    row = refusal or _read_item(response, exact=call.exact)
    if isinstance(row, Result):
        return row
    return Result.ok(row and row.stored, request_id=response.headers.get(REQUEST_ID))


def delete(endpoint: Endpoint, call: Delete, view: View) -> Plan:
    """Delete an item, there or not, unless a revision is asked for."""
    body: dict[str, Any] = {"TableName": call.table, "Key": key_of(call.key)}
    if call.if_revision is not None:
        condition = yield from _condition(endpoint, call, view)
        if isinstance(condition, Result):
            return condition
        body |= condition
    request = endpoint.request("DeleteItem", body)
    response, refusal = yield from endpoint.service.exchange(request, view)
    return refusal or _conclude_write(response, None)


def scan(endpoint: Endpoint, call: Scan, view: View) -> Plan:
    """Read one page; its cursor is the key of the last item that was looked at.

    Raises:
        InvalidRequest: the cursor was not given by a page; before anything is sent.
    """
    limit = call.most or PAGE_ITEMS
    body: dict[str, Any] = {"TableName": call.table, "ConsistentRead": True, "Limit": limit}
    if call.cursor is not None:
        try:
            start = decode(call.cursor.encode("utf-8", "replace"))
        except Undecodable:
            start = None
        if not isinstance(start, dict) or not start:
            raise wrong_cursor()
        body["ExclusiveStartKey"] = start

    def read(response: Response) -> Page:
        items, last = _read_page(response, exact=call.exact)
        return Page(tuple(items), json_text.encode(last).decode() if last else None)

    request = endpoint.request("Scan", body)
    answer = yield from endpoint.service.exchange(request, view)
    return endpoint.service.read_answer(answer, read)


def list_items(endpoint: Endpoint, call: ListItems, view: View) -> Plan:
    """Read one page of a partition; its cursor is the sort value of the last item looked at.

    `Query` takes one condition on the sort key, which knows no range that excludes an end. So the
    end at which a page begins is its `ExclusiveStartKey`, which need not be that of an item, and
    the condition says the other one. A start key has to satisfy the condition.
    """
    rest = call if call.cursor is None else call.following(call.cursor)
    partition, sort = (escape_name(field, DYNAMODB, top=True) for field in call.fields)
    is_long = rest.high is not None and len(rest.high.encode()) > LONGEST_SORT
    query = rest._replace(high=None) if is_long else rest  # `holds` sees to it
    condition, values = _range_of(query)
    last = query.high or call.cursor  # behind a long bound, a page may end before it begins
    begin = last if query.descending else query.low if query.above else None
    body: dict[str, Any] = {
        "TableName": call.table,
        "ConsistentRead": True,
        "Limit": call.limit,
        "ScanIndexForward": not call.descending,
        "KeyConditionExpression": f"#p = :p{condition}",
        "ExpressionAttributeNames": {"#p": partition, **({"#s": sort} if condition else {})},
        "ExpressionAttributeValues": {
            name: {"S": value} for name, value in ({":p": call.partition} | values).items()
        },
    }
    if begin is not None:
        body["ExclusiveStartKey"] = {partition: {"S": call.partition}, sort: {"S": begin}}

    def read(response: Response) -> Page:
        items, last = _read_page(response)
        at = None if last is None else _text_of(last, sort)
        held = tuple(item for item in items if rest.holds(str(item.item.get(call.fields[1]))))
        # A page may end with the last item that the bounds leave, and no start key lies behind it.
        left = rest if at is None else rest.following(at)
        is_over = at is None or (left.high is not None and left.high <= left.low)
        return Page(held, None if is_over else at)

    request = endpoint.request("Query", body)
    answer = yield from endpoint.service.exchange(request, view)
    return endpoint.service.read_answer(answer, read)


def _range_of(call: ListItems) -> tuple[str, dict[str, str]]:
    """Return the condition on the sort key of all that may come behind the start key."""
    low, high = call.low, call.high
    if call.descending:
        above = ">" if call.above else ">="
        return (f" AND #s {above} :low", {":low": low}) if low else ("", {})
    if call.above or not low:
        return ("", {}) if high is None else (" AND #s < :high", {":high": high})
    if high is None:
        return " AND #s >= :low", {":low": low}
    return " AND #s BETWEEN :low AND :high", {":low": low, ":high": high}


def _read_page(response: Response, *, exact: bool = False) -> tuple[list[Stored], Native | None]:
    """Read the answer to `Scan` or `Query`: the items, and the key of the last one looked at.

    Raises:
        Undecodable: it is something else.
        UnreadableItem: leeward cannot read an item.
    """
    read = partial(_stored_in, exact=exact)
    document = decode_apart(response.body, "Items", read, deepest=DEEPEST)
    if not isinstance(document, dict) or not isinstance(document.get("Items"), list):
        raise Undecodable("the answer has no list of items")
    last = document.get("LastEvaluatedKey")
    if last is not None and not isinstance(last, dict):
        raise Undecodable("the last key of the answer is not an object")
    return document["Items"], last or None


def _text_of(key: Native, name: str) -> str:
    value = key.get(name)
    text = value.get("S") if isinstance(value, dict) else None
    if not isinstance(text, str):
        raise Undecodable("the last key of the answer has no sort value")
    return text


def _get(endpoint: Endpoint, table: str, key: Key) -> Request:
    body = {"TableName": table, "Key": key_of(key), "ConsistentRead": True}
    return endpoint.request("GetItem", body)


def key_of(key: Key) -> Native:
    """Return the attributes of a key."""
    return {
        escape_name(field, DYNAMODB, top=True): {"S": value}
        for field, value in zip(key.fields, key.values, strict=True)
    }


def native_of(call: Store) -> Native:
    """Return the item of a store, as DynamoDB keeps it."""
    native = encode(call.item, DYNAMODB, write_id=call.write_id, expires_at=call.expires_at)
    expiry = native_expiry(DYNAMODB, call.expires_at, call.now)
    if expiry is not None:
        native[expiry[0]] = expiry[1]
    return native


def _condition(
    endpoint: Endpoint, call: Store | Delete, view: View
) -> Generator[Step, Any, Condition | Result[Any]]:
    """Return the condition that stands for `if_revision`, or how the call ends without a write."""
    revision = call.if_revision or ""
    if not revision.startswith(FOREIGN):
        return has_write_id(revision, call.now)
    request = _get(endpoint, call.table, call.key)
    steps = endpoint.service.exchange(request, view, effect=False)
    response, refusal = (yield from steps).as_look_up()
    return refusal or _compare(call, response)


def _compare(call: Store | Delete, response: Response) -> Condition | Result[Any]:
    """Compare the item that was read with the one that is asked for."""
    row = _read_item(response)
    if isinstance(row, Result):
        return row._replace(outcome=Outcome.NOT_SENT, executed=None) if row.executed else row
    if row is not None:
        native, stored = row
        if isinstance(call, Store) and stored.write_id == call.write_id:
            return Result.ok(call.write_id, request_id=response.headers.get(REQUEST_ID))
        expired = stored.expires_at is not None and stored.expires_at <= call.now
        if stored.revision == call.if_revision and not expired:
            return is_unchanged(native)
    return another_revision(response.headers.get(REQUEST_ID))


@show_only()
class _Found(NamedTuple):
    native: Native
    stored: Stored


def _read_item(response: Response, *, exact: bool = False) -> _Found | Result[Any] | None:
    """Read the answer to `GetItem`: an item, none, or something that cannot be read."""
    try:
        native = object_of(response, DEEPEST).get("Item")
        if native is not None and not isinstance(native, dict):
            raise Undecodable("the item of the answer is not an object")
        return None if native is None else _Found(native, stored_of(native, exact=exact))
    except (Undecodable, UnreadableItem) as error:
        return misread(response, error, request_id=REQUEST_ID)


def stored_of(native: Native, *, exact: bool = False) -> Stored:
    """Return an item as DynamoDB keeps it; `exact` as for `leeward.adapter.items.decode`.

    Raises:
        UnreadableItem: leeward cannot read it.
    """
    decoded = decode_item(native, DYNAMODB, exact=exact)
    revision = revision_of(native, decoded)
    stored = Stored(decoded.item, revision, decoded.write_id, decoded.expires_at, decoded.foreign)
    return stored._replace(lost=decoded.lost) if exact else stored


def _conclude_write(response: Response, revision: str | None) -> Result[Any]:
    """Accept a success only if the service's own JSON says so, and no page of a proxy."""
    if response.body != b"{}":
        try:
            object_of(response, DEEPEST)
        except Undecodable as error:
            return ambiguous(response, UNDECODABLE, error, request_id=REQUEST_ID)
    return Result(Outcome.OK, revision, request_id=response.headers.get(REQUEST_ID))


def _is_echo(response: Response, write_id: str) -> bool:
    """Return whether the item in the way of a write is its own, as an earlier attempt wrote it."""
    try:
        native = object_of(response, DEEPEST).get("Item")
        return isinstance(native, dict) and decode_item(native, DYNAMODB).write_id == write_id
    except (Undecodable, UnreadableItem):  # what cannot be read is not known to be ours
        return False


def _stored_in(native: Any, *, exact: bool) -> Stored:
    if not isinstance(native, dict):
        raise Undecodable("the answer has an item that is not an object")
    return stored_of(native, exact=exact)


def batches(settings: Settings) -> dict[str, Planner]:
    """Return the planner of ``store_many``."""
    return {"store_many": partial(store_many, endpoint_of("dynamodb", settings))}


def store_many(endpoint: Endpoint, call: StoreMany, view: View) -> Plan:
    """Replace items; the value of each result is its revision, the write id.

    Raises:
        Unsupported: one of them has a condition; before anything is sent.
    """
    if any(call.if_absent or call.if_revision is not None for call in call.calls):
        raise Unsupported("BatchWriteItem of DynamoDB has no conditions")
    table = call.calls[0].table
    puts = [{"PutRequest": {"Item": native_of(call)}} for call in call.calls]
    request = endpoint.request("BatchWriteItem", {"RequestItems": {table: puts}})
    answer = yield from endpoint.service.exchange(request, view)

    def read(response: Response) -> list[Result[Any]]:
        left = _read_unprocessed(object_of(response, DEEPEST), table)
        return [_BACK if _is_in(left, call) else Result.ok(call.write_id) for call in call.calls]

    return endpoint.service.read_answer(answer, read)


_BACK: Final[Result[Any]] = Result(
    Outcome.REJECTED, code="unprocessed", message="the table is throttled; store it again"
)
"""Of an item that DynamoDB has not stored, and gives back."""


def _read_unprocessed(document: Native, table: str) -> list[Native]:
    """Return the items that were not stored."""
    try:
        return [put["PutRequest"]["Item"] for put in document["UnprocessedItems"].get(table, ())]
    except (AttributeError, TypeError, KeyError):
        raise Undecodable("the answer does not say what was stored") from None


def _is_in(items: list[Native], call: Store) -> bool:
    key = key_of(call.key)
    return any({name: item.get(name) for name in key} == key for item in items)
