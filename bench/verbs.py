"""The verbs of both sides, to be called without arguments: the same work, the same answers read."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TypeAlias

from bench.cloud import Cloud, boto3_client, boto3_table
from bench.work import (
    BUS,
    DATA,
    EVENT_TYPE,
    FUNCTION,
    ITEM,
    PAYLOAD,
    SOURCE,
    TABLE,
)
from leeward import Client, Event

Verb: TypeAlias = Callable[[], object]

BATCH = 100
"""Events of a batch."""


def of_leeward(client: Client) -> dict[str, Verb]:
    """Give leeward's verbs by name."""
    return {
        "invoke": lambda: client.invoke(FUNCTION, PAYLOAD).value,
        "publish_event": lambda: client.publish_event(BUS, EVENT_TYPE, DATA),
        "store_data": lambda: client.store_data(TABLE, ITEM),
        "load_data": lambda: client.load_data(TABLE, "o-42"),
    }


def of_boto3(cloud: Cloud, url: str) -> dict[str, Verb]:
    """Give what stands in for them with boto3.

    Tables are boto3's resource `Table`, which takes and gives Python's own values as leeward does.
    """
    functions, events = (boto3_client(cloud, url, name) for name in ("lambda", "events"))
    table = boto3_table(cloud, url)
    entry = {"Source": SOURCE, "DetailType": EVENT_TYPE, "EventBusName": BUS}

    def invoke() -> object:
        payload = json.dumps(PAYLOAD).encode()
        answer = functions.invoke(FunctionName=FUNCTION, Payload=payload)
        return json.loads(answer["Payload"].read())

    return {
        "invoke": invoke,
        "publish_event": lambda: events.put_events(Entries=[entry | {"Detail": json.dumps(DATA)}]),
        "store_data": lambda: table.put_item(Item=ITEM),
        "load_data": lambda: table.get_item(Key={"id": "o-42"}, ConsistentRead=True),
    }


def publish_batch(client: Client) -> Verb:
    """Give the publication of `BATCH` events at once by leeward."""

    def publish() -> object:
        report = client.publish_events(BUS, [Event(EVENT_TYPE, DATA) for _ in range(BATCH)])
        report.raise_if_failed()
        return report

    return publish
