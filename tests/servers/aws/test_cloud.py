from __future__ import annotations

import json
from contextlib import closing
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from leeward_contract_tests.fixtures import COUNT, ECHO, EVENTS, FAIL, ITEMS, PAIRS, SEEN, SLOW
from tests.servers.aws.calls import invoke, refusal
from tests.servers.aws.clients import client
from tests.servers.aws.cloud import AwsCloud, faults_of, open_clouds
from tests.servers.certificates import Authority

SERVICES = ["lambda", "events", "dynamodb"]

THROTTLING = {
    "lambda": (429, "TooManyRequestsException"),
    "events": (400, "ThrottlingException"),
    "dynamodb": (400, "ThrottlingException"),
}


def _work(cloud: AwsCloud, service: str, name: str, caller: Any = None) -> object:
    """Do something that can be counted afterwards, through the proxy unless told otherwise."""
    caller = caller or cloud.boto3(service, proxied=True)
    if service == "lambda":
        return invoke(caller, COUNT, {"name": name})
    if service == "events":
        return caller.put_events(Entries=[_entry(name)])
    return caller.update_item(
        TableName=ITEMS,
        Key={"id": {"S": name}},
        UpdateExpression="ADD n :one",
        ExpressionAttributeValues={":one": {"N": "1"}},
    )


def _done(cloud: AwsCloud, service: str, name: str) -> int:
    """Give how often that was done."""
    if service == "lambda":
        return sum(name in str(each.payload) for each in cloud.functions.begun)
    if service == "events":
        return len(_seen(cloud, name))
    found = cloud.boto3("dynamodb").get_item(
        TableName=ITEMS, Key={"id": {"S": name}}, ConsistentRead=True
    )
    return int(found["Item"]["n"]["N"]) if "Item" in found else 0


def _entry(event_id: str, **more: object) -> dict[str, object]:
    detail = {"id": event_id, "data": {"n": 1}}
    return {
        "EventBusName": EVENTS,
        "Source": "urn:tests",
        "DetailType": "tests.happened",
        "Detail": json.dumps(detail),
    } | more


def _seen(cloud: AwsCloud, event_id: str) -> list[Any]:
    found: list[Any] = invoke(cloud.boto3("lambda"), SEEN, {"id": event_id}).value
    return found


def test_the_functions_of_the_contract_run(aws_cloud: AwsCloud) -> None:
    """Each does what the contract asks of it."""
    caller, name = aws_cloud.boto3("lambda"), uuid4().hex
    assert invoke(caller, ECHO, {"a": [None]}).value == {"a": [None]}
    assert invoke(caller, FAIL).error == "ContractFailure"
    assert invoke(caller, SLOW, {"seconds": 0}).value == "done"
    assert [invoke(caller, COUNT, {"name": name}).value for _ in range(3)] == [1, 2, 3]
    assert invoke(caller, SEEN, {"id": name}).value == []


def test_an_event_is_seen_as_it_was_published(aws_cloud: AwsCloud) -> None:
    """What the bus delivers is the detail of the entry."""
    event_id = uuid4().hex
    _work(aws_cloud, "events", event_id)
    assert _seen(aws_cloud, event_id) == [{"id": event_id, "data": {"n": 1}}]


def test_another_bus_is_not_seen(aws_cloud: AwsCloud) -> None:
    """AWS's own bus has no rule here, and one that is not there drops its events."""
    event_id = uuid4().hex
    for bus in ("default", "absent"):
        answer = aws_cloud.boto3("events").put_events(Entries=[_entry(event_id, EventBusName=bus)])
        assert answer["FailedEntryCount"] == 0
    assert _seen(aws_cloud, event_id) == []


def test_a_cloud_can_speak_tls() -> None:
    """The proxies show certificates that the given authority vouches for, and no one else."""
    authority = Authority()
    with open_clouds("us-east-1", tls=authority) as (cloud,):
        assert {proxy.url.partition(":")[0] for proxy in cloud.proxies.values()} == {"https"}
        bundle = Path(cloud.env["AWS_CA_BUNDLE"])
        assert bundle.read_bytes() == authority.pem == Path(cloud.options["ca_bundle"]).read_bytes()
        assert invoke(cloud.boto3("lambda", proxied=True), ECHO, 1).value == 1


def test_an_absent_bus_can_be_told(aws_cloud: AwsCloud) -> None:
    """PutEvents does not tell, but DescribeEventBus does."""
    events = aws_cloud.boto3("events")
    assert events.describe_event_bus(Name=EVENTS)["Name"] == EVENTS
    assert refusal(lambda: events.describe_event_bus(Name="absent")) == (
        400,
        "ResourceNotFoundException",
    )


def test_the_tables_of_the_contract_have_its_keys(aws_cloud: AwsCloud) -> None:
    """One has a partition key, the other a sort key too."""
    tables = aws_cloud.boto3("dynamodb")
    keys = {
        table: [each["AttributeName"] for each in schema]
        for table in (ITEMS, PAIRS)
        for schema in [tables.describe_table(TableName=table)["Table"]["KeySchema"]]
    }
    assert keys == {ITEMS: ["id"], PAIRS: ["customer", "order"]}


def test_regions_share_what_functions_remember_and_nothing_else(
    aws_clouds: tuple[AwsCloud, ...],
) -> None:
    """A counter and an event are seen from both; an item and an invocation are of one region."""
    here, there = aws_clouds
    name = uuid4().hex
    for service in SERVICES:
        _work(here, service, name)
    assert invoke(there.boto3("lambda"), COUNT, {"name": name}).value == 2
    assert [_done(cloud, "lambda", name) for cloud in aws_clouds] == [1, 1]
    assert [_done(cloud, "events", name) for cloud in aws_clouds] == [1, 1]
    assert [_done(cloud, "dynamodb", name) for cloud in aws_clouds] == [1, 0]


@pytest.mark.parametrize("service", SERVICES)
def test_a_wrong_key_is_refused_by_every_service(aws_cloud: AwsCloud, service: str) -> None:
    """Each recomputes the signature, and nothing is done."""
    url = aws_cloud.env[f"AWS_ENDPOINT_URL_{service.upper().replace('EVENTS', 'EVENTBRIDGE')}"]
    name = uuid4().hex
    for key, code in (
        (("nobody", "test"), "UnrecognizedClientException"),
        ((aws_cloud.key.name, "wrong"), "InvalidSignatureException"),
    ):
        with closing(client(service, url, aws_cloud.region, *key)) as caller:
            _, found = refusal(lambda: _work(aws_cloud, service, name, caller))
        assert found == code
    assert _done(aws_cloud, service, name) == 0


def test_a_key_may_be_good_for_some_actions_only(aws_cloud: AwsCloud) -> None:
    """Who may publish need not be allowed to look whether the bus is there."""
    key = aws_cloud.make_key("events:PutEvents")
    url = aws_cloud.env["AWS_ENDPOINT_URL_EVENTBRIDGE"]
    with closing(client("events", url, aws_cloud.region, *key)) as events:
        assert events.put_events(Entries=[_entry("e")])["FailedEntryCount"] == 0
        _, code = refusal(lambda: events.describe_event_bus(Name=EVENTS))
    assert code == "AccessDeniedException"


@pytest.mark.parametrize("service", SERVICES)
def test_throttling_speaks_the_service_s_words(aws_cloud: AwsCloud, service: str) -> None:
    """boto3 understands the refusal, nothing is done, and all is well afterwards."""
    name = uuid4().hex
    with aws_cloud.faults().throttle():
        for _ in range(2):
            assert refusal(lambda: _work(aws_cloud, service, name)) == THROTTLING[service]
    assert _done(aws_cloud, service, name) == 0
    _work(aws_cloud, service, name)
    assert _done(aws_cloud, service, name) == 1


@pytest.mark.parametrize("service", SERVICES)
def test_a_lost_answer_leaves_the_work_done(aws_cloud: AwsCloud, service: str) -> None:
    """Each service loses as many answers as were asked for, and does the work every time."""
    name = uuid4().hex
    with aws_cloud.faults().lose_answers(2):
        for _ in range(2):
            assert _breaks(lambda: _work(aws_cloud, service, name)) == "ConnectionClosedError"
        _work(aws_cloud, service, name)
    assert _done(aws_cloud, service, name) == 3


@pytest.mark.parametrize("service", SERVICES)
def test_a_refusal_lets_no_connection_come_about(
    aws_clouds: tuple[AwsCloud, ...], service: str
) -> None:
    """The faults of two clouds stop both, on kept connections too, until the block ends."""
    name = uuid4().hex
    for cloud in aws_clouds:
        _work(cloud, service, uuid4().hex)
    with faults_of(*aws_clouds).refuse():
        for cloud in aws_clouds:
            assert _breaks(lambda: _work(cloud, service, name)) == "EndpointConnectionError"  # noqa: B023
    assert [_done(cloud, service, name) for cloud in aws_clouds] == [0, 0]
    for cloud in aws_clouds:
        _work(cloud, service, name)


def _breaks(call: Any) -> str:
    """Give the class of what boto3 raises without an answer."""
    with pytest.raises(Exception) as raised:  # noqa: PT011 - botocore's classes have no types
        call()
    return type(raised.value).__name__
