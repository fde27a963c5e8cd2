"""What a handler may do on AWS: its own log, its own queues, and what ``leeward.toml`` names.

Source: the tables of actions in the service authorization reference; docs/aws.md, "Permissions".
"""

from __future__ import annotations

from typing import Any, Final

from leeward.adapter.packages import (
    Declared,
)

Json = dict[str, Any]

LOGS: Final = ["logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents"]
TABLE: Final = ["dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:DeleteItem"]
BUS: Final = ["events:PutEvents", "events:DescribeEventBus"]
OBJECTS: Final = ["s3:GetObject", "s3:PutObject", "s3:DeleteObject"]
RECEIVE: Final = ["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"]
"""What Lambda does with a queue in the name of the function."""


def arn(service: str, resource: str) -> Json:
    """Return the ARN of something in the account and the region of the stack."""
    place = "${AWS::Region}:${AWS::AccountId}"
    return {"Fn::Sub": f"arn:${{AWS::Partition}}:{service}:{place}:{resource}"}


def named(service: str, kind: str, name: str) -> Json | str:
    """Return the ARN of what ``leeward.toml`` names: there, too, it may be an ARN."""
    return name if name.startswith("arn:") else arn(service, f"{kind}{name}")


def queue_arn(queue: str) -> Json:
    """Return the ARN of a queue."""
    return arn("sqs", queue)


def allow(actions: list[str], *resources: Json | str) -> Json:
    """Return a statement of a policy."""
    return {"Effect": "Allow", "Action": actions, "Resource": list(resources)}


def of_app(declared: Declared) -> list[Json]:
    """Return statements for what the app's own calls need."""
    found = []
    if declared.tables:
        found.append(
            allow(TABLE, *(named("dynamodb", "table/", each) for each in _own(declared.tables)))
        )
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


def role(function: str, statements: list[Json]) -> Json:
    """Return the role of a function, which may write its own log besides."""
    group = f"log-group:/aws/lambda/{function}"
    logs = allow(LOGS, arn("logs", group), arn("logs", f"{group}:*"))
    return {
        "Type": "AWS::IAM::Role",
        "Properties": {
            "AssumeRolePolicyDocument": {
                "Version": "2012-10-17",
                "Statement": [
                    {
                        "Effect": "Allow",
                        "Principal": {"Service": "lambda.amazonaws.com"},
                        "Action": "sts:AssumeRole",
                    }
                ],
            },
            "Policies": [
                {
                    "PolicyName": "leeward",
                    "PolicyDocument": {"Version": "2012-10-17", "Statement": [logs, *statements]},
                }
            ],
        },
    }


def _own(names: Any) -> list[str]:
    return sorted(set(names.values()))
