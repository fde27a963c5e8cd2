"""DynamoDB: store many items by one request.

`BatchWriteItem` knows no conditions: it stores what replaces whatever is there, and nothing else. A
transaction would know them, at twice the price of each write.

Source: the API reference of `BatchWriteItem`.
"""

from __future__ import annotations

from functools import partial
from typing import Any, Final

from leeward.adapter import Result, Store, StoreMany
from leeward.adapter.exchange import exchange, misread, object_of
from leeward.adapter.json_text import Undecodable
from leeward.adapter.plans import Plan, Planner, View
from leeward.errors import Outcome, Unsupported
from leeward_aws.exchange import REQUEST_ID, Endpoint, endpoint_of
from leeward_aws.settings.options import Settings
from leeward_aws.tables.conditions import Native
from leeward_aws.tables.plans import DEEPEST, headers_of, key_of, native_of, request_of

_BATCH: Final = headers_of("BatchWriteItem")


def batches(settings: Settings) -> dict[str, Planner]:
    """Return the planner of ``store_many``."""
    return {"store_many": partial(store_many, endpoint_of("dynamodb", settings))}


def store_many(endpoint: Endpoint, call: StoreMany, view: View) -> Plan:
    """Replace items; the value of each result is its revision, the write id.

    Raises:
        Unsupported: one of them has a condition; before anything is sent.
    """
    if any(each.if_absent or each.if_revision is not None for each in call.calls):
        raise Unsupported("BatchWriteItem of DynamoDB has no conditions")
    table = call.calls[0].table
    puts = [{"PutRequest": {"Item": native_of(each)}} for each in call.calls]
    request = request_of(endpoint, _BATCH, {"RequestItems": {table: puts}})
    response, refusal = yield from exchange(endpoint.service, request, view)
    if refusal is not None:
        return refusal
    try:
        left = _read_unprocessed(object_of(response, DEEPEST), table)
    except Undecodable as error:
        return misread(response, error, request_id=REQUEST_ID)
    return Result.ok(
        [_BACK if _is_in(left, each) else Result.ok(each.write_id) for each in call.calls]
    )


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
