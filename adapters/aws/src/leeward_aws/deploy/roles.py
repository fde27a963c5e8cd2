"""What a handler may do on AWS: its own log, its own queues, and what ``leeward.toml`` names.

Source: the tables of actions in the service authorization reference; docs/aws.md, "Permissions".
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from leeward.adapter.packages import Declared
from leeward.values import NOTHING

Json = dict[str, Any]

LOGS: Final = ["logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents"]
TABLE: Final = ["dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:DeleteItem"]
BUS: Final = ["events:PutEvents", "events:DescribeEventBus"]
OBJECTS: Final = ["s3:GetObject", "s3:PutObject", "s3:DeleteObject"]
RECEIVE: Final = ["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"]
"""What Lambda does with a queue in the name of the function."""


def arn(service: str, resource: str, region: str = "${AWS::Region}") -> Json:
    """Return the ARN of something in the account, in the region of the stack or another one."""
    place = f"{region}:${{AWS::AccountId}}"
    return {"Fn::Sub": f"arn:${{AWS::Partition}}:{service}:{place}:{resource}"}


def named(service: str, kind: str, name: str, homes: Mapping[str, str] = NOTHING) -> Json | str:
    """Return the ARN of what ``leeward.toml`` names: there, too, it may be an ARN."""
    if name.startswith("arn:"):
        return name
    return arn(service, f"{kind}{name}", homes.get(name) or "${AWS::Region}")


def queue_arn(queue: str) -> Json:
    """Return the ARN of a queue."""
    return arn("sqs", queue)


def allow(actions: list[str], *resources: Json | str) -> Json:
    """Return a statement of a policy."""
    return {"Effect": "Allow", "Action": actions, "Resource": list(resources)}


def of_app(declared: Declared, homes: Mapping[str, str] = NOTHING) -> list[Json]:
    """Return statements for what the app's own calls need.

    Args:
        declared: what ``leeward.toml`` names.
        homes: the region of each table, where that is another one.
    """
    found = []
    if declared.tables:
        tables = (named("dynamodb", "table/", each, homes) for each in _own(declared.tables))
        found.append(allow(TABLE, *tables))
    if declared.buses:
        buses = _own(declared.buses)
        found.append(allow(BUS, *(named("events", "event-bus/", each) for each in buses)))
    if declared.functions:
        names = _own(declared.functions)
        found.append(
            allow(
                ["lambda:InvokeFunction"], *(named("lambda", "function:", each) for each in names)
            )
        )
    if declared.buckets:
        buckets = [
            {"Fn::Sub": f"arn:${{AWS::Partition}}:s3:::{each}"} for each in _own(declared.buckets)
        ]
        found.append(allow(["s3:ListBucket"], *buckets))
        found.append(allow(OBJECTS, *({"Fn::Sub": f"{each['Fn::Sub']}/*"} for each in buckets)))
    return found


def function_role(function: str, statements: list[Json]) -> Json:
    """Return the role of a function, which may write its own log besides."""
    group = f"log-group:/aws/lambda/{function}"
    logs = allow(LOGS, arn("logs", group), arn("logs", f"{group}:*"))
    return role("lambda.amazonaws.com", [logs, *statements])


def role(service: str, statements: list[Json], *, of_account: bool = False) -> Json:
    """Return a role that a service of AWS takes on.

    Args:
        service: such as ``lambda.amazonaws.com``.
        statements: what it may do.
        of_account: only in the name of this account.
    """
    trust: Json = {
        "Effect": "Allow",
        "Principal": {"Service": service},
        "Action": "sts:AssumeRole",
    }
    if of_account:
        trust["Condition"] = {"StringEquals": {"aws:SourceAccount": {"Ref": "AWS::AccountId"}}}
    policy = {"Version": "2012-10-17", "Statement": statements}
    return {
        "Type": "AWS::IAM::Role",
        "Properties": {
            "AssumeRolePolicyDocument": {"Version": "2012-10-17", "Statement": [trust]},
            "Policies": [{"PolicyName": "leeward", "PolicyDocument": policy}],
        },
    }


def _own(names: Any) -> list[str]:
    return sorted(set(names.values()))
