"""What is around the handlers in one region, as CloudFormation has it: what ``leeward.toml`` names.

Buses and state machines are in every region, tables and buckets in that of their home. What holds
data is kept when it is taken out of the template.

Sources: the CloudFormation reference of EventBridge, DynamoDB, S3 and Step Functions.
"""

from __future__ import annotations

import json
from typing import Any, Final

from leeward_deploy.aws import objects
from leeward_deploy.aws.flows.export import export
from leeward_deploy.aws.handlers import Json, AwsRegion, arn_of, resource
from leeward_deploy.aws.names import DEFAULT_BUS, bus_id, logical
from leeward_deploy.aws.roles import allow, arn_for, role
from leeward_deploy.recipe import Bucket, Declared, Deployment, Table
from leeward_deploy.terraform import unique

PARTS: Final = 7
"""Days after which the parts of an upload that was never finished are deleted."""

EXPIRES: Final = "_leeward_expires"
"""The attribute with the time at which an item expires; DynamoDB collects it then."""

_TYPES: Final = {"AttributeType": "S"}


def buses_of(declared: Declared) -> tuple[str, ...]:
    """Return the buses to be made: not those of elsewhere, nor the one of every account."""
    names = unique(declared.buses.values())
    return tuple(each for each in names if not each.startswith("arn:") and each != DEFAULT_BUS)


def resources_around(region: AwsRegion, deployment: Deployment) -> Json:
    """Return them, by logical ids."""
    found: Json = {}
    for bus in region.buses:
        found[bus_id(bus)] = resource("Events::EventBus", Name=bus)
    for table in deployment.tables:
        if table.region == region.name and not table.name.startswith("arn:"):
            found[f"{logical(table.name)}Table"] = _table(table)
    for bucket in deployment.buckets:
        if bucket.region == region.name:
            made = _bucket(bucket, deployment.retention_days)
            found[f"{logical(bucket.name)}Bucket"] = objects.with_notifications(
                made, region.spec, bucket.name
            )
    for definition in region.spec.app.workflows:
        found |= _machine(region, definition)
    return found


def _table(table: Table) -> Json:
    kinds = ("HASH", "RANGE")
    made = resource(
        "DynamoDB::Table",
        TableName=table.name,
        AttributeDefinitions=[{"AttributeName": each, **_TYPES} for each in table.key],
        KeySchema=[
            {"AttributeName": each, "KeyType": kind}
            for each, kind in zip(table.key, kinds, strict=False)
        ],
        BillingMode="PAY_PER_REQUEST",
        DeletionProtectionEnabled=True,
        # Where the file does not say so, an apply would turn it off again.
        TimeToLiveSpecification={"AttributeName": EXPIRES, "Enabled": True},
        PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": True},
    )
    return _retain(made)


def _bucket(bucket: Bucket, days: int) -> Json:
    rule = {
        "Id": "retention",
        "Status": "Enabled",
        "NoncurrentVersionExpiration": {"NoncurrentDays": days},
        "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": PARTS},
    }
    made = resource(
        "S3::Bucket",
        BucketName=bucket.name,
        VersioningConfiguration={"Status": "Enabled"},
        LifecycleConfiguration={"Rules": [rule]},
        PublicAccessBlockConfiguration={
            "BlockPublicAcls": True,
            "BlockPublicPolicy": True,
            "IgnorePublicAcls": True,
            "RestrictPublicBuckets": True,
        },
    )
    return _retain(made)


def _machine(region: AwsRegion, definition: Any) -> Json:
    """Return a state machine, and the role by which it calls functions."""
    id = logical(definition.name)
    own = region.spec.declared.workflows.get(definition.name, definition.name)
    (text,) = export(definition, region.spec.declared.functions).files.values()
    machine = json.loads(text)
    functions = unique(_functions_in(machine))
    rights = [allow(["lambda:InvokeFunction"], *(_function_arn(each) for each in functions))]
    return {
        f"{id}MachineRole": role("states.amazonaws.com", rights, of_account=True),
        f"{id}Machine": resource(
            "StepFunctions::StateMachine",
            StateMachineName=own.rpartition(":")[2],
            StateMachineType="STANDARD",
            Definition=machine,
            RoleArn=arn_of(f"{id}MachineRole"),
        ),
    }


def _function_arn(name: str) -> Json | str:
    return arn_for("lambda", "function:", name)


def _functions_in(value: Any) -> list[str]:
    """Return the names of the functions that a machine calls."""
    if isinstance(value, list):
        return [name for each in value for name in _functions_in(each)]
    if not isinstance(value, dict):
        return []
    found = [each for name, each in value.items() if name == "FunctionName"]
    return found + [name for each in value.values() for name in _functions_in(each)]


def _retain(made: Json) -> Json:
    return {**made, "DeletionPolicy": "Retain", "UpdateReplacePolicy": "Retain"}
