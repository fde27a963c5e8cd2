"""What a root has applied, on a server of AWS's APIs, as Terraform's provider would make it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing
from typing import Any, Final

from leeward.values import NOTHING
from tests.packages.roots import Root, inside
from tests.servers.aws.clients import client
from tests.servers.aws.keys import AccessKey, key_with
from tests.servers.aws.ministack import ACCOUNT, Ministack

HERE: Final = "123456789012"
"""The account of the stand-in provider."""


def resources_of(root: Root) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Yield what has been applied, for the server's account: type, address, and attributes."""
    for address, has in root.state().items():
        own = json.loads(json.dumps(has).replace(HERE, ACCOUNT))
        yield inside(address).partition(".")[0], address, own


def key_of(server: Ministack, root: Root, region: str, handler: str) -> AccessKey:
    """Give a key that may do what the role of a handler allows, and nothing else."""
    wanted = f'module.app["{region}"].aws_iam_role_policy.role["{handler}"]'
    policy = next(has["policy"] for _, address, has in resources_of(root) if address == wanted)
    return key_with(server, json.loads(policy))


def apply(
    server: Ministack, root: Root, code: bytes, variables: Mapping[str, Any] = NOTHING
) -> None:
    """Make what a root has applied.

    Args:
        server: where.
        root: that has been applied to the stand-in.
        code: of each function: the zip.
        variables: more of those of each function, by its name.
    """
    found = [each for each in resources_of(root) if each[0] in _MAKE]
    with ExitStack() as stack:
        known: dict[tuple[str, str], Any] = {}

        def of(service: str, has: Mapping[str, Any]) -> Any:
            place = (service, has.get("region") or "us-east-1")
            if place not in known:
                known[place] = stack.enter_context(closing(client(service, server.url, place[1])))
            return known[place]

        # A queue names the one of its dead letters, so that is there first.
        found.sort(key=lambda each: (_ORDER.index(each[0]), bool(each[2].get("redrive_policy"))))
        for type, _, has in found:
            if type == "aws_lambda_function":
                make_function(of("lambda", has), has, code, variables)
            else:
                service, make = _MAKE[type]
                make(of(service, has), has)


def make_function(
    functions: Any, has: Mapping[str, Any], code: bytes, variables: Mapping[str, Any]
) -> None:
    """Make a function."""
    name, environment = has["function_name"], has["environment"][0]["variables"]
    functions.create_function(
        FunctionName=name,
        Runtime=has["runtime"],
        Handler=has["handler"],
        Role=has["role"],
        MemorySize=int(has["memory_size"]),
        Timeout=int(has["timeout"]),
        Architectures=has["architectures"],
        Environment={"Variables": environment | variables.get(name, {})},
        Code={"ZipFile": code},
    )


def _queue(queues: Any, has: Any) -> None:
    attributes = {
        "VisibilityTimeout": has["visibility_timeout_seconds"],
        "MessageRetentionPeriod": has["message_retention_seconds"],
        "RedrivePolicy": has["redrive_policy"],
        "Policy": has["policy"],
    }
    given = {n: str(int(v)) if not isinstance(v, str) else v for n, v in attributes.items() if v}
    queues.create_queue(QueueName=has["name"], Attributes=given)


def _table(tables: Any, has: Any) -> None:
    key = [each for each in (has["hash_key"], has["range_key"]) if each]
    kinds = zip(key, ("HASH", "RANGE"), strict=False)
    tables.create_table(
        TableName=has["name"],
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": each, "AttributeType": "S"} for each in key],
        KeySchema=[{"AttributeName": each, "KeyType": kind} for each, kind in kinds],
        DeletionProtectionEnabled=has["deletion_protection_enabled"],
    )
    expiry = {"Enabled": True, "AttributeName": has["ttl"][0]["attribute_name"]}
    tables.update_time_to_live(TableName=has["name"], TimeToLiveSpecification=expiry)
    recovery = {"PointInTimeRecoveryEnabled": has["point_in_time_recovery"][0]["enabled"]}
    tables.update_continuous_backups(
        TableName=has["name"], PointInTimeRecoverySpecification=recovery
    )


def _retries(functions: Any, has: Any) -> None:
    failed = [each["on_failure"][0]["destination"] for each in has["destination_config"]]
    more = {"DestinationConfig": {"OnFailure": {"Destination": failed[0]}}} if failed else {}
    functions.put_function_event_invoke_config(
        FunctionName=has["function_name"],
        MaximumRetryAttempts=int(has["maximum_retry_attempts"]),
        **more,
    )


def _permission(functions: Any, has: Any) -> None:
    functions.add_permission(
        FunctionName=has["function_name"],
        StatementId=has["principal"].partition(".")[0],
        Action=has["action"],
        Principal=has["principal"],
        SourceArn=has["source_arn"],
    )


def _mapping(functions: Any, has: Any) -> None:
    functions.create_event_source_mapping(
        EventSourceArn=has["event_source_arn"],
        FunctionName=has["function_name"],
        BatchSize=int(has["batch_size"]),
        FunctionResponseTypes=has["function_response_types"],
    )


def _schedule(schedules: Any, has: Any) -> None:
    target = has["target"][0]
    schedules.create_schedule(
        Name=has["name"],
        ScheduleExpression=has["schedule_expression"],
        ScheduleExpressionTimezone=has["schedule_expression_timezone"],
        State=has["state"],
        FlexibleTimeWindow={"Mode": "OFF"},
        Target={"Arn": target["arn"], "RoleArn": target["role_arn"], "Input": target["input"]},
    )


def _notification(buckets: Any, has: Any) -> None:
    found: dict[str, list[Any]] = {}
    for block, kind, arn in (
        ("queue", "QueueConfigurations", "QueueArn"),
        ("lambda_function", "LambdaFunctionConfigurations", "LambdaFunctionArn"),
    ):
        for each in has[block]:
            place = each["queue_arn" if block == "queue" else "lambda_function_arn"]
            told: dict[str, Any] = {arn: place, "Events": each["events"]}
            if each["filter_prefix"]:
                rule = {"Name": "prefix", "Value": each["filter_prefix"]}
                told["Filter"] = {"Key": {"FilterRules": [rule]}}
            found.setdefault(kind, []).append(told)
    buckets.put_bucket_notification_configuration(
        Bucket=has["bucket"], NotificationConfiguration=found
    )


_MAKE: Final[dict[str, tuple[str, Any]]] = {
    "aws_iam_role": (
        "iam",
        lambda iam, has: iam.create_role(
            RoleName=has["name"], AssumeRolePolicyDocument=has["assume_role_policy"]
        ),
    ),
    "aws_sqs_queue": ("sqs", _queue),
    "aws_dynamodb_table": ("dynamodb", _table),
    "aws_s3_bucket": ("s3", lambda s3, has: s3.create_bucket(Bucket=has["bucket"])),
    "aws_s3_bucket_versioning": (
        "s3",
        lambda s3, has: s3.put_bucket_versioning(
            Bucket=has["bucket"], VersioningConfiguration={"Status": "Enabled"}
        ),
    ),
    "aws_s3_bucket_public_access_block": (
        "s3",
        lambda s3, has: s3.put_public_access_block(
            Bucket=has["bucket"],
            PublicAccessBlockConfiguration={
                "BlockPublicAcls": has["block_public_acls"],
                "IgnorePublicAcls": has["ignore_public_acls"],
                "BlockPublicPolicy": has["block_public_policy"],
                "RestrictPublicBuckets": has["restrict_public_buckets"],
            },
        ),
    ),
    "aws_cloudwatch_event_bus": (
        "events",
        lambda events, has: events.create_event_bus(Name=has["name"]),
    ),
    "aws_lambda_function": ("lambda", None),
    "aws_lambda_function_event_invoke_config": ("lambda", _retries),
    "aws_lambda_permission": ("lambda", _permission),
    "aws_lambda_event_source_mapping": ("lambda", _mapping),
    "aws_cloudwatch_event_rule": (
        "events",
        lambda events, has: events.put_rule(
            Name=has["name"],
            EventBusName=has["event_bus_name"],
            EventPattern=has["event_pattern"],
            State="ENABLED",
        ),
    ),
    "aws_cloudwatch_event_target": (
        "events",
        lambda events, has: events.put_targets(
            Rule=has["rule"],
            EventBusName=has["event_bus_name"],
            Targets=[{"Id": has["target_id"], "Arn": has["arn"]}],
        ),
    ),
    "aws_scheduler_schedule": ("scheduler", _schedule),
    "aws_sfn_state_machine": (
        "stepfunctions",
        lambda machines, has: machines.create_state_machine(
            name=has["name"], definition=has["definition"], roleArn=has["role_arn"]
        ),
    ),
    "aws_s3_bucket_notification": ("s3", _notification),
}
"""In the order in which one refers to another: the service, and what makes one."""

_ORDER: Final = [*_MAKE]
