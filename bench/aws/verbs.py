"""boto3's verbs, to be called without arguments, and the floor's requests: leeward's work."""

from __future__ import annotations

import json

from bench.aws.answers import STORED
from bench.aws.sides import boto3_client, boto3_table
from bench.bare import Wanted
from bench.calls import Verb
from bench.cloud import Cloud
from bench.work import BUS, DATA, EVENT_TYPE, FUNCTION, ITEM, PAYLOAD, SOURCE, TABLE


def of_boto3(cloud: Cloud, url: str) -> dict[str, Verb]:
    """Return boto3's verbs by leeward's names.

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


def _asking(target: str, version: str, document: object) -> Wanted:
    headers = f"X-Amz-Target: {target}", f"Content-Type: application/x-amz-json-{version}"
    return Wanted("/", headers, json.dumps(document).encode())


def _publishing(count: int) -> Wanted:
    entry = {"Source": SOURCE, "DetailType": EVENT_TYPE, "EventBusName": BUS}
    entries = [entry | {"Detail": json.dumps(DATA)}] * count
    return _asking("AWSEvents.PutEvents", "1.1", {"Entries": entries})


WANTED = {
    "invoke": Wanted(
        f"/2015-03-31/functions/{FUNCTION}/invocations",
        ("Content-Type: application/json",),
        json.dumps(PAYLOAD).encode(),
    ),
    "publish_event": _publishing(1),
    "store_data": _asking("DynamoDB_20120810.PutItem", "1.0", {"TableName": TABLE, "Item": STORED}),
    "load_data": _asking(
        "DynamoDB_20120810.GetItem", "1.0", {"TableName": TABLE, "Key": {"id": {"S": "o-42"}}}
    ),
}
"""The same requests for the floor."""

MOST_ENTRIES = 10
"""Of one request to EventBridge."""

WANTED_BATCH = _publishing(MOST_ENTRIES)
