"""leeward and boto3 at the same servers: each reads what the other wrote."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest

from leeward import AuthError, Client
from leeward.adapter import TargetConfig
from leeward.clock import SystemClock
from leeward.config import Config
from leeward_aws.driver import open_driver
from leeward_contract_tests.fixtures import ECHO, EVENTS, ITEMS, SEEN
from tests.servers.aws.cloud import AwsCloud
from tests.servers.aws.function import Function

ITEM = {
    "total": Decimal("9.90"),
    "ratio": 0.5,
    "count": 3,
    "name": "Zoë",
    "paid": True,
    "note": None,
    "raw": b"\x00\xff",
    "when": datetime(2026, 1, 2, 3, 4, 5, 678901, UTC),
    "lines": [{"sku": "a", "n": 1}, []],
}


def client_of(cloud: AwsCloud, **env: str) -> Client:
    """Open a client on `cloud`."""
    config = TargetConfig(cloud.target, "aws", cloud.region, {}, cloud.env | env)
    return Client(open_driver(config), config=Config(source="/tests"))


@pytest.fixture
def client(aws_cloud: AwsCloud) -> Iterator[Client]:
    with client_of(aws_cloud) as client:
        yield client


@pytest.fixture
def key() -> str:
    return str(uuid4())


def test_boto3_reads_what_leeward_stored(client: Client, aws_cloud: AwsCloud, key: str) -> None:
    """Native types where DynamoDB has them, and one attribute that is leeward's."""
    client.store_data(ITEMS, {"id": key, **ITEM})
    item = aws_cloud.boto3("dynamodb").get_item(TableName=ITEMS, Key={"id": {"S": key}})["Item"]
    assert item.pop("_leeward")["M"].keys() >= {"w", "d"}
    assert item["total"] == {"N": "9.90"} or item["total"] == {"N": "9.9"}
    assert item["name"] == {"S": "Zoë"}
    assert item["paid"] == {"BOOL": True}
    assert item["note"] == {"NULL": True}
    assert item["raw"] == {"B": b"\x00\xff"}
    assert item["lines"] == {"L": [{"M": {"sku": {"S": "a"}, "n": {"N": "1"}}}, {"L": []}]}
    record = client.load_data(ITEMS, key)
    assert record is not None
    assert (record.item, record.foreign) == ({"id": key, **ITEM}, False)


def test_leeward_reads_what_boto3_stored(client: Client, aws_cloud: AwsCloud, key: str) -> None:
    """Such an item is foreign; numbers are int where integral."""
    aws_cloud.boto3("dynamodb").put_item(
        TableName=ITEMS,
        Item={"id": {"S": key}, "n": {"N": "3"}, "x": {"N": "1.5"}, "tags": {"SS": ["b", "a"]}},
    )
    record = client.load_data(ITEMS, key)
    assert record is not None
    assert record.foreign
    assert record.item == {"id": key, "n": 3, "x": Decimal("1.5"), "tags": ["a", "b"]}


def test_a_change_by_boto3_is_noticed(client: Client, aws_cloud: AwsCloud, key: str) -> None:
    """The digest no longer fits, so the item is foreign from then on."""
    client.store_data(ITEMS, {"id": key, "ratio": 0.5})
    aws_cloud.boto3("dynamodb").update_item(
        TableName=ITEMS,
        Key={"id": {"S": key}},
        UpdateExpression="SET ratio = :r",
        ExpressionAttributeValues={":r": {"N": "0.75"}},
    )
    record = client.load_data(ITEMS, key)
    assert record is not None
    assert (record.item["ratio"], record.foreign) == (Decimal("0.75"), True)


def test_the_native_client_is_boto3_on_the_same_settings(
    client: Client, aws_cloud: AwsCloud, key: str
) -> None:
    """It goes to the same endpoint with the same credentials."""
    client.store_data(ITEMS, {"id": key})
    native: Any = client.native(aws_cloud.target, "dynamodb")
    assert native.get_item(TableName=ITEMS, Key={"id": {"S": key}})["Item"]["id"] == {"S": key}
    native.close()


def test_a_function_finds_the_key_in_its_client_context(
    client: Client, aws_cloud: AwsCloud
) -> None:
    """The idempotency key and the deadline travel beside the payload."""
    aws_cloud.functions.deploy(Function("context", "odd.context"))
    result = client.invoke("context", {}, idempotency_key="key-1", timeout=30)
    custom = json.dumps(result.value)
    assert "key-1" in custom
    assert "x-leeward-deadline-ms" in custom


def test_who_may_only_publish_can_publish(aws_cloud: AwsCloud, client: Client, key: str) -> None:
    """Without the permission to look for the bus, the look is left out."""
    allowed = aws_cloud.make_key("events:PutEvents")
    with client_of(aws_cloud, **allowed.env) as publisher:
        for _ in range(2):
            publisher.publish_event(EVENTS, "order.created", {"n": 1}, id=key)
        with pytest.raises(AuthError):
            publisher.load_data(ITEMS, "any")
    asked = [each for each in aws_cloud.proxies["events"].requests if each.toxic is None]
    assert asked
    assert [event["data"] for event in client.invoke(SEEN, {"id": key}).value] == [{"n": 1}] * 2


def test_a_clock_that_is_wrong_by_a_day_is_corrected(
    aws_cloud: AwsCloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first request is refused, and signed again by the service's own time; later ones fit."""
    real = SystemClock.now
    monkeypatch.setattr(SystemClock, "now", staticmethod(lambda: real() - 86_400))
    before = len(aws_cloud.proxies["lambda"].requests)
    with client_of(aws_cloud) as client:
        first = client.invoke(ECHO, 1)
        second = client.invoke(ECHO, 2)
    assert (first.value, second.value) == (1, 2)
    assert [len(each.attempts) for each in (first, second)] == [1, 1]
    assert len(aws_cloud.proxies["lambda"].requests) - before == 3
