"""The exported shop, applied to a server of AWS's APIs: all of it is there, and may do its work."""

from __future__ import annotations

import contextlib
import io
import json
import os
import time
from collections.abc import Iterator
from contextlib import closing
from typing import Any, NamedTuple
from zipfile import ZipFile

import pytest
from botocore.exceptions import ClientError  # type: ignore[import-untyped]

from leeward import AuthError, Client
from leeward.adapter import TargetConfig
from leeward.calls import PutMessage
from leeward.cli.commands.doctor import examine, read_exported
from leeward.cli.findings import CheckState, Finding
from leeward.config import Config
from leeward.errors import Outcome
from leeward_aws.driver import open_driver
from leeward_deploy.commands.package import declared_for
from tests.packages.applied import apply, key_of
from tests.packages.exported import ORDERS, SHOP, config_of, example
from tests.packages.roots import NEEDS_CORE, Root
from tests.servers.aws.clients import client
from tests.servers.aws.keys import make_key
from tests.servers.aws.ministack import ACCOUNT, Ministack

pytestmark = NEEDS_CORE

REGIONS = ("us-east-1", "us-west-2")


class Applied(NamedTuple):
    """The shop in two regions: where it was applied, its root, and its configuration."""

    server: Ministack
    root: Root
    config: Config


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Applied]:
    """Give a server of its own with everything that the module makes of the shop's facts."""
    folder = tmp_path_factory.mktemp("shop")
    zipped = io.BytesIO()
    with ZipFile(zipped, "w") as archive:
        archive.writestr("handler.py", "def lambda_handler(event, context):\n    return None\n")
    with Ministack() as server:
        text = f'cloud_provider = "{ORDERS["aws"]}"\ndata_target = "aws:us-east-1"\n'
        text += f'[targets.aws]\nendpoint_url = "{server.url}"\n'
        text += (SHOP / "leeward.toml").read_text() + "[buckets.scans]\n"
        root, spec = Root("aws", folder), example("aws")
        config = config_of(folder, text)
        declared = declared_for(config, config.order[0])
        spec.app.on_object("scans", prefix="in/", writes="scans/out/", name="clean")(len)
        root.export(spec._replace(declared=declared), text)
        root.apply()
        apply(server, root, zipped.getvalue())
        yield Applied(server, root, config)


def told(findings: list[Finding], state: CheckState) -> set[tuple[str, str]]:
    """Give what the doctor says of the exported files, in one state."""
    return {
        (each.target, each.check.removeprefix("exported "))
        for each in findings
        if each.check.startswith("exported") and each.state is state
    }


def test_what_was_applied_is_found_and_what_is_gone_is_told(shop: Applied) -> None:
    """Every function, bus and table, each in its region; one that is deleted is a fault."""
    key = make_key(shop.server, "*")
    expected = read_exported(shop.root.out)
    found = examine(shop.config, key.env, time.time, expected=expected)
    assert told(found, CheckState.FAULT) == told(found, CheckState.NOTE) == set()
    names = {(each.target, f"{each.type or each.kind} {each.name}") for each in expected}
    assert told(found, CheckState.OK) == names
    assert ("aws:us-west-2", "function charge") in names
    assert ("aws:us-east-1", "table orders") in names
    with closing(client("lambda", shop.server.url, REGIONS[1])) as functions:
        functions.delete_function(FunctionName="charge")
    found = examine(shop.config, key.env, time.time, expected=expected)
    gone = {f"{what}function charge" for what in ("", "settings of the ", "retries of the ")}
    assert told(found, CheckState.FAULT) == {("aws:us-west-2", each) for each in gone}


def test_a_standby_may_do_what_its_code_does(
    shop: Applied, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the role of its template alone: calls of the first region, data, its dead letters.

    What another handler does, it may not; and it stores, and may not delete.
    """
    for name, value in key_of(shop.server, shop.root, REGIONS[1], "take-payment").env.items():
        monkeypatch.setenv(name, value)
    with Client(config=shop.config) as cloud:
        assert cloud.invoke("charge", {"order": "1"}).target == "aws:us-east-1"
        cloud.publish_event("orders", "order.created", {"id": "1"})
        cloud.store_data("orders", {"id": "1"}, if_absent=True)
        found = cloud.load_data("orders", "1")
        assert found is not None
        with pytest.raises(AuthError):
            cloud.delete_data("orders", "1", if_revision=found.revision)
        with pytest.raises(AuthError):
            cloud.load_data("nobodys", "1")
    for name, value in key_of(shop.server, shop.root, REGIONS[1], "create-order").env.items():
        monkeypatch.setenv(name, value)
    with Client(config=shop.config) as cloud, pytest.raises(AuthError):
        cloud.invoke("charge", {"order": "1"})
    options = {"endpoint_url": shop.server.url}
    driver = open_driver(TargetConfig("aws:us-west-2", "aws", "us-west-2", options, os.environ))
    with closing(driver):
        sent = driver.perform(PutMessage("orders-dead", b"{}"), 10)
        assert sent.outcome is Outcome.OK
        assert driver.perform(PutMessage("place-order-dead", b"{}"), 10).outcome is Outcome.AUTH


def test_a_handler_of_objects_may_read_its_prefix_and_write_what_it_names(
    shop: Applied, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that is not there is told so; nothing is written where the handler takes from."""
    for name, value in key_of(shop.server, shop.root, REGIONS[0], "clean").env.items():
        monkeypatch.setenv(name, value)
    with closing(client("s3", shop.server.url, REGIONS[0])) as s3:
        s3.put_object(Bucket="scans", Key="in/there", Body=b"1")
    with Client(config=shop.config) as cloud:
        assert cloud.get_object("scans", "in/absent") is None
        reader = cloud.get_object("scans", "in/there")
        assert reader is not None
        assert reader.read() == b"1"
        assert cloud.head_object("scans", "out/there") is None
        cloud.put_object("scans", "out/there", b"2", if_absent=True)
        with pytest.raises(AuthError):
            cloud.put_object("scans", "in/another", b"3")


def planted(shop: Applied) -> Iterator[tuple[str, str]]:  # noqa: PLR0915 - one after the other
    """Change one thing after the other in the first region; yield what must be told of it."""
    with contextlib.ExitStack() as clients:

        def of(service: str) -> Any:
            return clients.enter_context(closing(client(service, shop.server.url, REGIONS[0])))

        functions, queues, events = of("lambda"), of("sqs"), of("events")
        schedules, machines = of("scheduler"), of("stepfunctions")
        tables, buckets = of("dynamodb"), of("s3")

        def settings(name: str, **change: Any) -> None:
            functions.update_function_configuration(FunctionName=name, **change)

        def variables(name: str) -> dict[str, str]:
            found = functions.get_function_configuration(FunctionName=name)
            return dict(found.get("Environment", {}).get("Variables", {}))

        of_function = "settings of the function"
        settings("place-order", Timeout=77)
        yield f"{of_function} place-order", "timeout is 77, and the files have"
        settings("create-order", MemorySize=1024)
        yield f"{of_function} create-order", "memory is 1024"
        settings("charge", Role=f"arn:aws:iam::{ACCOUNT}:role/shop-refund-role-us-east-1")
        yield f"{of_function} charge", "role is shop-refund-role-us-east-1"
        settings("notify", Handler="other.handler")
        yield f"{of_function} notify", "handler is other.handler"
        settings("get-order", Runtime="python3.12")
        yield f"{of_function} get-order", "runtime is python3.12"
        changed = variables("get-stock") | {"LEEWARD_FUNCTION": "other"}
        settings("get-stock", Environment={"Variables": changed})
        yield f"{of_function} get-stock", "variable LEEWARD_FUNCTION"
        settings("refund", Environment={"Variables": {}})
        yield f"{of_function} refund", "variable LEEWARD_FUNCTION"
        added = variables("ship-order") | {"PASSWORD": "secret"}
        settings("ship-order", Environment={"Variables": added})
        yield f"{of_function} ship-order", "variable PASSWORD"
        functions.put_function_concurrency(FunctionName="charge", ReservedConcurrentExecutions=0)
        yield f"{of_function} charge", "reserved concurrency is 0"
        functions.put_function_event_invoke_config(FunctionName="notify", MaximumRetryAttempts=2)
        yield "retries of the function notify", "dead letters is none"
        functions.delete_function_event_invoke_config(FunctionName="refund")
        yield "retries of the function refund", "is not there"
        functions.remove_permission(FunctionName="take-payment", StatementId="events")
        yield f"{of_function} take-payment", "callers is []"
        functions.delete_function(FunctionName="tell-operators")
        yield "function tell-operators", "is not there"
        (mapping,) = functions.list_event_source_mappings(FunctionName="create-order")[
            "EventSourceMappings"
        ]
        queue = mapping["EventSourceArn"].rpartition(":")[2]
        functions.update_event_source_mapping(UUID=mapping["UUID"], Enabled=False, BatchSize=1)
        yield "mapping of the function create-order", "enabled is False"
        yield "mapping of the function create-order", "batch is 1"
        url = queues.get_queue_url(QueueName=queue)["QueueUrl"]
        queues.set_queue_attributes(
            QueueUrl=url, Attributes={"VisibilityTimeout": "7", "RedrivePolicy": ""}
        )
        yield f"queue {queue}", "visibility timeout is 7"
        yield f"queue {queue}", "dead letters is none"
        dead = queues.get_queue_url(QueueName=f"{queue}-dead")["QueueUrl"]
        with pytest.raises(ClientError, match="AccessDenied"):
            queues.delete_queue(QueueUrl=dead)
        queues.set_queue_attributes(QueueUrl=dead, Attributes={"Policy": ""})
        queues.delete_queue(QueueUrl=dead)
        yield f"queue {queue}-dead", "is not there"
        (other,) = queues.list_queues(QueueNamePrefix="clean-dead")["QueueUrls"]
        queues.set_queue_attributes(QueueUrl=other, Attributes={"Policy": ""})
        yield "queue clean-dead", "deletion denied is False"
        rules = events.list_rules(EventBusName="orders")["Rules"]
        first, second, third = (each["Name"] for each in rules)
        events.disable_rule(Name=first, EventBusName="orders")
        yield f"rule {first}", "state is DISABLED"
        pattern = json.dumps({"detail-type": ["nothing"]})
        events.put_rule(Name=second, EventBusName="orders", EventPattern=pattern)
        yield f"rule {second}", "pattern is"
        events.remove_targets(Rule=second, EventBusName="orders", Ids=["handler"])
        yield f"rule {second}", "targets is []"
        events.remove_targets(Rule=third, EventBusName="orders", Ids=["handler"])
        events.delete_rule(Name=third, EventBusName="orders")
        yield f"rule {third}", "is not there"
        (machine,) = machines.list_state_machines()["stateMachines"]
        other = {"StartAt": "a", "States": {"a": {"Type": "Succeed"}}}
        machines.update_state_machine(
            stateMachineArn=machine["stateMachineArn"], definition=json.dumps(other)
        )
        yield "state machine order", "definition is"
        tables.update_table(TableName="orders", DeletionProtectionEnabled=False)
        yield "settings of the table orders", "deletion protection is False"
        tables.update_time_to_live(
            TableName="orders",
            TimeToLiveSpecification={"Enabled": False, "AttributeName": "_leeward_expires"},
        )
        yield "settings of the table orders", "expiry is none"
        tables.update_continuous_backups(
            TableName="orders",
            PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": False},
        )
        yield "settings of the table orders", "point-in-time recovery is False"
        buckets.put_bucket_versioning(
            Bucket="scans", VersioningConfiguration={"Status": "Suspended"}
        )
        yield "settings of the bucket scans", "versioning is Suspended"
        buckets.put_bucket_notification_configuration(Bucket="scans", NotificationConfiguration={})
        yield "settings of the bucket scans", "notifications is []"
        buckets.delete_public_access_block(Bucket="scans")
        yield "settings of the bucket scans", "public access is open"
        (schedule,) = schedules.list_schedules()["Schedules"]
        had = schedules.get_schedule(Name=schedule["Name"])
        kept = {name: had[name] for name in ("FlexibleTimeWindow", "Target", "Name")}
        schedules.update_schedule(ScheduleExpression="rate(9 days)", **kept)
        yield f"schedule {schedule['Name']}", "expression is rate(9 days)"
    with closing(client("scheduler", shop.server.url, REGIONS[1])) as standby:
        had = standby.get_schedule(Name=schedule["Name"])
        kept = {
            name: had[name]
            for name in ("FlexibleTimeWindow", "Target", "Name", "ScheduleExpression")
        }
        standby.update_schedule(State="ENABLED", **kept)
        yield f"schedule {schedule['Name']}", "state is ENABLED"


def test_what_was_changed_since_is_told(shop: Applied, subtests: pytest.Subtests) -> None:
    """By name, with what the files have; a value of a variable is never told."""
    changes = list(planted(shop))
    assert len(changes) >= 31
    key = make_key(shop.server, "*")
    found = examine(shop.config, key.env, time.time, expected=read_exported(shop.root.out))
    faults = {
        (each.check.removeprefix("exported "), each.message)
        for each in found
        if each.state is CheckState.FAULT
    }
    for check, words in changes:
        with subtests.test(f"{check}: {words}"):
            assert any(check == name and words in message for name, message in faults)
    assert "secret" not in str(found)
    well = next(each for each in found if each.check.endswith("settings of the function get-stock"))
    assert well.message.endswith("not looked at: code, permissions")
