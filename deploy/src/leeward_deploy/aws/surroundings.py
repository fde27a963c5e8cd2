"""What is around the handlers in one region, as CloudFormation has it.

What ``leeward.toml`` names: buses and state machines are in every region, tables and buckets in
that of their home. What holds data is kept when it is taken out of the template.

And how others than leeward reach the app: an API in each region, health checks, and DNS. The API
asks for signed requests, but for ``GET /health``. Route 53 answers with the first region as long as
its checks go well, and then with the second; if that is ill as well, with the first.

Sources: the CloudFormation reference of EventBridge, DynamoDB, S3, Step Functions, API Gateway and
Route 53; "How Amazon Route 53 determines whether a health check is healthy" and "Failover routing"
in Route 53's developer guide.
"""

from __future__ import annotations

import json
from typing import Any, Final

from leeward.app.kit import HEALTH_PATH, Kind
from leeward.errors import ConfigError
from leeward_deploy.aws import objects
from leeward_deploy.aws.flows.export import export
from leeward_deploy.aws.handlers import AwsRegion, Json
from leeward_deploy.aws.roles import (
    DEFAULT_BUS,
    allow,
    arn,
    arn_for,
    arn_of,
    bus_id,
    logical,
    may_invoke,
    resource,
    role,
)
from leeward_deploy.needs import of_kind
from leeward_deploy.recipe import Bucket, Declared, Deployment, Table
from leeward_deploy.terraform import unique

PARTS: Final = 7
"""Days after which the parts of an upload that was never finished are deleted."""

EXPIRES: Final = "_leeward_expires"
"""The attribute with the time at which an item expires; DynamoDB collects it then."""

_TYPES: Final = {"AttributeType": "S"}

TTL: Final = 60
"""Seconds that a resolver keeps an answer."""

REGIONS: Final = 2
"""That a failover record of Route 53 may have: a primary and a secondary."""

CERTIFICATE: Final = "Certificate"
"""The parameter with the certificate of the domain, which is one of the region."""


def buses_of(declared: Declared) -> tuple[str, ...]:
    """Return the buses to be made: not those of elsewhere, nor the one of every account."""
    names = unique(declared.buses.values())
    return tuple(name for name in names if not name.startswith("arn:") and name != DEFAULT_BUS)


def resources_around(region: AwsRegion, deployment: Deployment) -> Json:
    """Return them, by logical ids."""
    found: Json = {}
    for bus in region.buses:
        found[bus_id(bus)] = resource("Events::EventBus", Name=bus)
    for table in deployment.tables:
        if table.region == region.name and not table.name.startswith("arn:"):
            found[f"{logical(table.name)}Table"] = _retain(_table(table))
    for bucket in deployment.buckets:
        if bucket.region == region.name:
            made = _retain(_bucket(bucket, deployment.retention_days))
            found[f"{logical(bucket.name)}Bucket"] = objects.with_notifications(
                made, region.spec, bucket.name
            )
    for definition in region.spec.app.workflows:
        found |= _machine(region, definition)
    return found


def _table(table: Table) -> Json:
    kinds = ("HASH", "RANGE")
    return resource(
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


def _bucket(bucket: Bucket, days: int) -> Json:
    rule = {
        "Id": "retention",
        "Status": "Enabled",
        "NoncurrentVersionExpiration": {"NoncurrentDays": days},
        "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": PARTS},
    }
    return resource(
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


def _machine(region: AwsRegion, definition: Any) -> Json:
    """Return a state machine, and the role by which it calls functions."""
    id = logical(definition.name)
    own = region.spec.declared.workflows.get(definition.name, definition.name)
    (text,) = export(definition, region.spec.declared.functions).files.values()
    machine = json.loads(text)
    functions = unique(_functions_in(machine))
    rights = [
        allow(
            ["lambda:InvokeFunction"],
            *(arn_for("lambda", "function:", function) for function in functions),
        )
    ]
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


def parameters(deployment: Deployment) -> Json:
    """Return what the user gives, by name."""
    if not deployment.domain:
        return {}
    text = f"the ARN of the certificate for {deployment.domain}, in this region"
    return {CERTIFICATE: {"Type": "String", "Description": text}}


def failover_of(region: AwsRegion, deployment: Deployment) -> Json:
    """Return the API of a region with its health check and its record, by logical ids.

    Raises:
        ConfigError: there are more regions than two.
    """
    if not deployment.domain:
        return {}
    if len(deployment.sites) > REGIONS:
        raise ConfigError(
            f"Route 53 fails over from one region to a second, and the order has "
            f"{len(deployment.sites)} of AWS; take one out of cloud_provider in leeward.toml"
        )
    functions = [logical(each.name) for each in of_kind(region.spec.app, Kind.CALL)]
    found = {
        "HttpApi": resource("ApiGatewayV2::Api", Name=region.spec.app.name, ProtocolType="HTTP"),
        "HttpApiStage": resource(
            "ApiGatewayV2::Stage", ApiId={"Ref": "HttpApi"}, StageName="$default", AutoDeploy=True
        ),
    }
    for handler in of_kind(region.spec.app, Kind.CALL):
        found |= _route_to(logical(handler.name), f"POST /{handler.name}")
    # Any function answers for the health of the app, without running its handler.
    found["HttpApiHealth"] = _to(functions[0], f"GET {HEALTH_PATH}", "NONE")
    return found | _domain(deployment) | _record(region, deployment)


def _route_to(id: str, key: str) -> Json:
    """Return the way from the API to a function."""
    source = arn("execute-api", "${HttpApi}/*/*/*")
    return {
        f"{id}Integration": resource(
            "ApiGatewayV2::Integration",
            ApiId={"Ref": "HttpApi"},
            IntegrationType="AWS_PROXY",
            IntegrationUri=arn_of(id),
            PayloadFormatVersion="2.0",
        ),
        f"{id}Route": _to(id, key, "AWS_IAM"),
        f"{id}ApiPermission": may_invoke(id, "apigateway.amazonaws.com", source),
    }


def _to(id: str, key: str, authorization: str) -> Json:
    return resource(
        "ApiGatewayV2::Route",
        ApiId={"Ref": "HttpApi"},
        RouteKey=key,
        AuthorizationType=authorization,
        Target={"Fn::Sub": f"integrations/${{{id}Integration}}"},
    )


def _domain(deployment: Deployment) -> Json:
    """Return the domain as the API of this region answers for it."""
    certificate = {
        "CertificateArn": {"Ref": CERTIFICATE},
        "EndpointType": "REGIONAL",
        "SecurityPolicy": "TLS_1_2",
    }
    return {
        "HttpDomain": resource(
            "ApiGatewayV2::DomainName",
            DomainName=deployment.domain,
            DomainNameConfigurations=[certificate],
        ),
        "HttpDomainMapping": resource(
            "ApiGatewayV2::ApiMapping",
            ApiId={"Ref": "HttpApi"},
            DomainName={"Ref": "HttpDomain"},
            Stage={"Ref": "HttpApiStage"},
        ),
    }


def _record(region: AwsRegion, deployment: Deployment) -> Json:
    """Return the health check of a region, and its record in DNS."""
    check = {
        "Type": "HTTPS_STR_MATCH",
        "FullyQualifiedDomainName": {
            "Fn::Sub": "${HttpApi}.execute-api.${AWS::Region}.${AWS::URLSuffix}"
        },
        "Port": 443,
        "ResourcePath": HEALTH_PATH,
        "SearchString": '"status":"ok"',
        "RequestInterval": deployment.interval,
        "FailureThreshold": deployment.failures,
        "EnableSNI": True,
    }
    return {
        "HealthCheck": resource("Route53::HealthCheck", HealthCheckConfig=check),
        "DnsRecord": resource(
            "Route53::RecordSet",
            HostedZoneId=deployment.zone,
            Name=deployment.domain,
            Type="CNAME",
            TTL=str(TTL),
            SetIdentifier=region.name,
            Failover="SECONDARY" if region.standby else "PRIMARY",
            HealthCheckId={"Ref": "HealthCheck"},
            ResourceRecords=[{"Fn::GetAtt": ["HttpDomain", "RegionalDomainName"]}],
        ),
    }
