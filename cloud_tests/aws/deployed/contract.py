"""The functions of the contract on Lambda, and the one that hears the bus.

What they remember is in the DynamoDB table that the variable `MEMORY` names, with the key `id` and
`at`. botocore is in the runtime, as a part of boto3.
"""

from __future__ import annotations

import json
import os
import time
from functools import cache
from typing import Any


class ContractFailure(Exception):
    """What `fail` raises."""


def echo(event: Any, _context: object) -> Any:
    """Return the payload."""
    return event


def fail(_event: object, _context: object) -> None:
    """Raise."""
    raise ContractFailure("on purpose")


def count(event: Any, _context: object) -> int:
    """Add 1 to the counter that the payload names; return what it is then."""
    answer = _dynamodb().update_item(
        TableName=os.environ["MEMORY"],
        Key={"id": {"S": f"counter {event['name']}"}, "at": {"S": "-"}},
        UpdateExpression="ADD runs :one",
        ExpressionAttributeValues={":one": {"N": "1"}},
        ReturnValues="UPDATED_NEW",
    )
    return int(answer["Attributes"]["runs"]["N"])


def remember(event: Any, context: Any) -> None:
    """Take in one delivery of the bus: an entry of EventBridge, whose detail is the CloudEvent."""
    detail = event["detail"]
    _dynamodb().put_item(
        TableName=os.environ["MEMORY"],
        Item={
            "id": {"S": f"event {detail['id']}"},
            "at": {"S": f"{time.time_ns():020d} {context.aws_request_id}"},
            "document": {"S": json.dumps(detail)},
        },
    )


def seen(event: Any, _context: object) -> list[Any]:
    """Return the events of an id that were delivered so far, in the order of delivery."""
    pages = (
        _dynamodb()
        .get_paginator("query")
        .paginate(
            TableName=os.environ["MEMORY"],
            ConsistentRead=True,
            KeyConditionExpression="id = :id",
            ExpressionAttributeValues={":id": {"S": f"event {event['id']}"}},
        )
    )
    return [json.loads(item["document"]["S"]) for page in pages for item in page["Items"]]


@cache
def _dynamodb() -> Any:
    from botocore.session import get_session  # type: ignore[import-untyped]

    return get_session().create_client("dynamodb")
