"""The template for AWS says what handlers need: triggers, attempts, dead letters, rights."""

from __future__ import annotations

import json
from typing import Any

import pytest

from leeward import App, Client, ConfigError
from leeward_backup import schedule_backup
from leeward_contract_tests.rows import each_row
from leeward_deploy.aws import objects
from leeward_deploy.aws.handlers import notes as notes_of
from leeward_deploy.aws.handlers import scheduler_expression
from leeward_deploy.aws.roles import of_app
from leeward_deploy.aws.rules import errors_in
from leeward_deploy.recipe import Declared, Entry, PackageSpec, Rights
from tests.packages.everything import document, notes, spec


@each_row(
    "crontab, wanted",
    [
        ("*/5 * * * *", "cron(0/5 * * * ? *)"),
        ("* * * * *", "cron(* * * * ? *)"),
        ("30 6 * * 1-5", "cron(30 6 ? * 2-6 *)"),
        ("0 0 * * 0", "cron(0 0 ? * 1 *)"),
        ("0 0 * * 0,3,6", "cron(0 0 ? * 1,4,7 *)"),
        ("0 9 * * 1,3,5", "cron(0 9 ? * 2,4,6 *)"),
        ("0 0 1,15 */3 *", "cron(0 0 1,15 1/3 ? *)"),
        ("5-7,20 9-17/4 * * *", "cron(5-7,20 9,13,17 * * ? *)"),
    ],
)
def test_a_crontab_is_written_as_scheduler_reads_it(crontab: str, wanted: str) -> None:
    """Days of the week begin with 1, for Sunday, and take no steps; of the two kinds of days one is
    left open."""
    assert scheduler_expression(crontab) == wanted


def test_on_aws_failed_messages_are_not_taken_for_done() -> None:
    """The mapping asks for the answer by message; queues wait, count, and keep what has failed."""
    resources = document("aws")["Resources"]
    properties = {name: each["Properties"] for name, each in resources.items()}
    assert properties["SendMessages"]["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
    queue = properties["SendQueue"]
    assert queue["VisibilityTimeout"] == 6 * properties["Send"]["Timeout"] == 240
    # Seven attempts of its own, and some to spare: leeward gives up first.
    assert queue["RedrivePolicy"]["maxReceiveCount"] == 12
    assert properties["SendDeadQueue"]["QueueName"] == "parcels-gone"
    assert properties["PayQueue"]["RedrivePolicy"]["maxReceiveCount"] == 10
    assert properties["PayDeadQueue"]["QueueName"] == "bills-dead"
    assert properties["RememberDeadQueue"]["QueueName"] == "memories"
    assert properties["PayDeadQueue"]["MessageRetentionPeriod"] == 14 * 86_400


def test_on_aws_what_lambda_calls_is_tried_again_and_kept() -> None:
    """As often as the handler says, twice at most; an unsafe function never by itself."""
    properties = {name: each["Properties"] for name, each in document("aws")["Resources"].items()}
    retries = {
        name.removesuffix("Retries"): each["MaximumRetryAttempts"]
        for name, each in properties.items()
        if "MaximumRetryAttempts" in each
    }
    assert retries == {
        "Make": 0,
        "Count": 1,
        "Remember": 2,
        "WatchAll": 2,
        "Sweep": 2,
        "Send": 2,
        "Pay": 2,
        "Clean": 2,
        "Shrink": 2,
    }
    for name in retries:
        target = properties[f"{name}Retries"]["DestinationConfig"]["OnFailure"]
        assert target == {"Destination": {"Fn::GetAtt": [f"{name}DeadQueue", "Arn"]}}
    rule = properties["RememberEvent"]
    assert (rule["EventBusName"], rule["EventPattern"]) == (
        "orders-events",
        {"detail-type": ["order.created"]},
    )
    assert properties["WatchAllEvent"]["EventPattern"] == {"source": [{"prefix": ""}]}
    schedule = properties["SweepSchedule"]
    told = json.loads(schedule["Target"]["Input"])
    assert (told["source"], told["schedule"]) == ("leeward.schedule", "sweep")
    assert properties["Make"]["FunctionName"] == "make-it"
    assert properties["Make"]["Timeout"] == 3
    assert properties["Make"]["Environment"]["Variables"] == {
        "LEEWARD_FUNCTION": "make",
        "CLOUD_PROVIDER": "aws",
    }
    assert "remember: 4 retries are wanted" in notes("aws")


def test_on_aws_a_rule_of_the_bus_of_every_account_may_call() -> None:
    """Such a rule has no bus in its ARN; what may call names that, and so does who may send."""
    made = App("shop")
    made.on_event("orders", "paid")(print)
    known = Declared(buses={"orders": "default"})
    resources = document(
        "aws", PackageSpec(made, Entry("shop", "app"), "3.13", "x86_64", {}, known)
    )
    found = resources["Resources"]
    rule = {
        "Fn::Sub": "arn:${AWS::Partition}:events:${AWS::Region}:${AWS::AccountId}:rule/shop-print"
    }
    assert found["PrintEventPermission"]["Properties"]["SourceArn"] == rule
    (statement,) = found["PrintDeadQueuePolicy"]["Properties"]["PolicyDocument"]["Statement"]
    assert statement["Condition"] == {"ArnEquals": {"aws:SourceArn": rule}}


def test_on_aws_a_role_may_put_calls_into_the_queues_of_messages() -> None:
    """As leeward.toml or the app has them; of those it does not name the report speaks."""
    declared = Declared({"parcels": "parcels-prod", "mails": "mails", "f": "f"}, queues=("mails",))
    used = Rights(calls=frozenset(declared.functions))
    (calls, puts) = of_app(used, declared, queues={"parcels", "mails"})
    assert calls["Action"] == ["lambda:InvokeFunction"]
    assert [each["Fn::Sub"].rpartition(":")[2] for each in calls["Resource"]] == ["f"]
    assert puts["Action"] == ["sqs:SendMessage", "sqs:GetQueueUrl"]
    names = [each["Fn::Sub"].rpartition(":")[2] for each in puts["Resource"]]
    assert names == ["mails", "parcels-prod"]
    told = notes("aws")
    assert "parcels: a client puts calls into this queue if it is opened with the app" in told
    named = spec(declared=declared._replace(queues=("parcels", "bills", "mails")))
    assert not [each for each in notes_of(named) if "past the queue" in each]


@each_row(
    "rights, actions",
    {
        "reads": ({"reads"}, "GetItem Query"),
        "stores": ({"stores"}, "GetItem PutItem"),
        "deletes": ({"removes"}, "GetItem DeleteItem"),
        "stores and deletes": ({"stores", "removes"}, "GetItem PutItem DeleteItem"),
        "stores and reads": ({"reads", "stores"}, "GetItem PutItem Query"),
        "keeps records": ({"stores", "writes"}, "GetItem PutItem DeleteItem Query"),
    },
)
def test_on_aws_a_role_has_the_verbs_that_are_used(rights: set[str], actions: str) -> None:
    """And for each table its own: one that is only read beside it is only read."""
    used = Rights(**dict.fromkeys(rights, frozenset({"orders"})))
    found = of_app(used | Rights(reads=frozenset({"stock"})), Declared(tables=TABLES))
    allowed = {
        resource["Fn::Sub"].rpartition("/")[2]: [each.partition(":")[2] for each in one["Action"]]
        for one in found
        for resource in one["Resource"]
    }
    assert allowed == {"orders-table": actions.split(), "stock": ["GetItem", "Query"]}


TABLES = {"orders": "orders-table", "stock": "stock"}


def test_on_aws_a_prefix_bounds_what_a_handler_reads_and_writes() -> None:
    """A put alone gives no right to read the bucket; what no prefix bounds is told."""
    for more, whole in ({}, False), ({"gets": SCANS}, True):
        asked = spec()._replace(rights={"clean": Rights(puts=SCANS, **more)})
        role = document("aws", asked)["Resources"]["CleanRole"]["Properties"]
        allowed = {
            (action, resource["Fn::Sub"].rpartition(":::")[2])
            for one in role["Policies"][0]["PolicyDocument"]["Statement"]
            for action in one["Action"]
            for resource in one["Resource"]
            if action in ("s3:GetObject", "s3:PutObject", "s3:DeleteObject")
        }
        bounded = {("s3:GetObject", "scans-of-ours/in/*")}
        bounded |= {(f"s3:{each}", "scans-of-ours/out/*") for each in ("GetObject", "PutObject")}
        rest = {("s3:GetObject", "scans-of-ours/*")} if whole else set()
        assert allowed == bounded | rest
        told = any(
            "clean: its calls name objects of scans that no prefix" in n for n in notes_of(asked)
        )
        assert told is whole


SCANS = frozenset({"scans"})


def test_on_aws_a_role_names_what_it_may_touch() -> None:
    """No star for a service or a resource; a handler may do nothing with another one's queue."""
    resources = document("aws")["Resources"]
    allowed = {
        name.removesuffix("Role"): {
            (action, resource["Fn::Sub"].rpartition("}:")[2])
            for statement in each["Properties"]["Policies"][0]["PolicyDocument"]["Statement"]
            for action in statement["Action"]
            for resource in statement["Resource"]
            # X-Ray knows no right that is narrower.
            if (action.partition(":")[0], resource) != ("xray", "*")
        }
        for name, each in resources.items()
        if each["Type"] == "AWS::IAM::Role" and "Schedule" not in name
    }
    common = {("dynamodb:GetItem", f"table/{each}") for each in ("orders-table", "stock")}
    common |= {("events:PutEvents", "event-bus/orders-events")}
    common |= {("lambda:InvokeFunction", f"function:{each}") for each in ("bank-charge", "make-it")}
    for name, rights in allowed.items():
        assert common <= rights, name
        for action, resource in rights:
            assert "*" not in action
            assert resource.rstrip("*").rstrip(":/")
    sending = {("sqs:SendMessage", "parcels-gone"), ("sqs:ChangeMessageVisibility", "parcels")}
    assert sending <= allowed["Send"]
    assert ("sqs:ReceiveMessage", "bills") in allowed["Pay"]
    assert not {each for each in allowed["Pay"] if "parcels" in each[1]}
    sent = {each[1] for each in allowed["Pay"] if each[0] == "sqs:SendMessage"}
    assert sent == {"bills-dead"}
    logs = [each[1] for each in allowed["Pay"] if each[0].startswith("logs:")]
    assert all(each.startswith("log-group:/aws/lambda/pay") for each in logs)


def test_on_aws_a_scheduled_backup_is_two_handlers() -> None:
    """One has the schedule, with its retries and its queue of what failed; both may scan."""
    made = App("shop")
    schedule_backup(made, "0 2 * * *", "orders", "backups/shop", client=Client)
    declared = Declared(
        functions={"back-up-orders-rest": "rest"},
        tables={"orders": "orders-table", "stock": "stock"},
        buckets={"backups": "backups-of-ours"},
    )
    made_of = PackageSpec(made, Entry("shop", "app"), "3.13", "x86_64", {}, declared)
    resources = document("aws", made_of)["Resources"]
    target = resources["BackUpOrdersSchedule"]["Properties"]["Target"]
    assert target["RetryPolicy"]["MaximumRetryAttempts"] > 0
    assert target["DeadLetterConfig"] == {"Arn": {"Fn::GetAtt": ["BackUpOrdersDeadQueue", "Arn"]}}
    for name in ("BackUpOrders", "BackUpOrdersRest"):
        policy = resources[f"{name}Role"]["Properties"]["Policies"][0]["PolicyDocument"]
        allowed = {
            (action, resource["Fn::Sub"].rpartition(":")[2])
            for statement in policy["Statement"]
            for action in statement["Action"]
            for resource in statement["Resource"]
            if resource != "*"
        }
        scanned = {resource for action, resource in allowed if action == "dynamodb:Scan"}
        assert scanned == {"table/orders-table"}
        assert ("lambda:InvokeFunction", "rest") in allowed
        assert ("s3:PutObject", "backups-of-ours/*") in allowed


def test_on_aws_a_bucket_may_tell_a_queue_or_a_function() -> None:
    """One bucket alone; a note has the command that sets its notifications, with the prefix."""
    resources = document("aws")["Resources"]
    (statement,) = resources["CleanQueuePolicy"]["Properties"]["PolicyDocument"]["Statement"]
    assert statement["Principal"] == {"Service": "s3.amazonaws.com"}
    assert statement["Resource"]["Fn::Sub"].endswith(":clean")
    bucket = {"Fn::Sub": "arn:${AWS::Partition}:s3:::scans-of-ours"}
    assert statement["Condition"] == {
        "ArnEquals": {"aws:SourceArn": bucket},
        "StringEquals": {"aws:SourceAccount": {"Ref": "AWS::AccountId"}},
    }
    mapping = resources["CleanMessages"]["Properties"]
    assert mapping["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
    permission = resources["ShrinkPermission"]["Properties"]
    assert (permission["Principal"], permission["FunctionName"]) == (
        "s3.amazonaws.com",
        {"Ref": "Shrink"},
    )
    assert permission["SourceArn"]["Fn::Sub"].endswith(":photos")
    text = json.dumps(resources["CleanRole"])
    put = text.partition('"s3:PutObject"], "Resource": [')[2].partition("]")[0]
    assert put == '{"Fn::Sub": "arn:${AWS::Partition}:s3:::scans-of-ours/out/*"}'
    assert "photos" not in text
    commands = [each for each in notes("aws").splitlines() if "put-bucket-not" in each]
    told = [each.partition("-configuration '")[2].rstrip("'") for each in commands]
    photos, scans = map(json.loads, told)
    (clean,) = scans["QueueConfigurations"]
    assert clean == {
        "Id": "clean",
        "Events": ["s3:ObjectCreated:*"],
        "Filter": {"Key": {"FilterRules": [{"Name": "prefix", "Value": "in/"}]}},
        "QueueArn": "arn:aws:sqs:REGION:ACCOUNT:clean",
    }
    assert "--bucket photos " in commands[0]
    assert photos["LambdaFunctionConfigurations"][0]["Id"] == "shrink"
    twice = App("twice")
    for name, prefix in (("a", "in/"), ("b", "in/x")):
        twice.on_object("scans", prefix=prefix, name=name)(print)
    with pytest.raises(ConfigError, match="'a' and 'b' would both be told of the same objects"):
        document("aws", PackageSpec(twice, Entry("m", "a"), "3.13", "x86_64"))


def test_on_aws_a_prefix_is_told_to_a_bucket_as_keys_are_encoded() -> None:
    """S3 compares it with nothing else, and says nothing of objects that begin otherwise."""
    found = App("found")
    found.on_object("scans", prefix="in/year=2026/a b+c~/é'", name="clean")(print)
    asked = PackageSpec(found, Entry("m", "a"), "3.13", "x86_64")
    (note,) = (each for each in objects.notes(asked) if "put-bucket-notification" in each)
    told = json.loads(note.partition("-configuration '")[2].rstrip("'"))
    (rule,) = told["QueueConfigurations"][0]["Filter"]["Key"]["FilterRules"]
    assert rule["Value"] == "in/year%3D2026/a+b%2Bc%7E/%C3%A9%27"
    made = objects.with_notifications({"Properties": {}}, asked, "scans")
    (queue,) = made["Properties"]["NotificationConfiguration"]["QueueConfigurations"]
    assert queue["Filter"]["S3Key"]["Rules"] == [{"Name": "prefix", "Value": rule["Value"]}]


def test_on_aws_what_is_known_by_an_arn_is_named_by_it() -> None:
    """A bus, a table and a function of elsewhere; and a function of the app, by its alias."""
    place = "us-east-1:111122223333"
    declared = Declared(
        {"make": f"arn:aws:lambda:{place}:function:made:live", "bank": "bank:live"},
        {"orders": f"arn:aws:events:{place}:event-bus/orders"},
        {"stock": f"arn:aws:dynamodb:{place}:table/stock"},
    )
    resources = document("aws", spec(declared=declared))["Resources"]
    assert resources["Make"]["Properties"]["FunctionName"] == "made"
    text = json.dumps(resources["PayRole"])
    for name in (declared.functions["make"], declared.buses["orders"], declared.tables["stock"]):
        assert f'"{name}"' in text
    assert "function:bank:live" in text
    assert ":rule/orders/Shop-remember" in json.dumps(resources["RememberDeadQueuePolicy"])


def test_on_aws_the_linter_takes_the_template() -> None:
    """cfn-lint finds nothing in it; what it does find, test_exports_refused.py shows."""
    ordered = App("Shop")

    @ordered.on_message("parcels.fifo")
    def send(parcel: dict[str, Any]) -> None: ...

    fifo = document("aws", PackageSpec(ordered, Entry("shop", "app"), "3.12", "arm64"))
    found = [errors_in(json.dumps(each), "eu-west-1") for each in (document("aws"), fifo)]
    assert found == [(), ()]
    queues = [each["Properties"] for each in fifo["Resources"].values()]
    names = {each["QueueName"]: each["FifoQueue"] for each in queues if "QueueName" in each}
    assert names == {"parcels.fifo": True, "parcels-dead.fifo": True}
