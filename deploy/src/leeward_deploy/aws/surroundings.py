"""What is around the handlers in one region, as CloudFormation has it.

What ``leeward.toml`` names: buses and state machines are in every region, tables and buckets in
that of their home. What holds data is kept when it is taken out of the template.

And how others than leeward reach the app: an API in each region, health checks, and DNS. The API
asks for tokens, or for signed requests, but for ``GET /health``. Route 53 answers with the first
region as long as its checks go well, and then with the second; if that is ill as well, with the
first.

Sources: the CloudFormation reference of EventBridge, DynamoDB, S3, Step Functions, API Gateway and
Route 53; "How Amazon Route 53 determines whether a health check is healthy" and "Failover routing"
in Route 53's developer guide.
"""

from __future__ import annotations

import json
from typing import Any, Final

from leeward.app.kit import HEALTH, HEALTH_PATH, Kind
from leeward.errors import ConfigError
from leeward_deploy.aws import objects
from leeward_deploy.aws.alarms import (
    HAS_TOPIC,
    TOPIC,
    health_alarm,
    log_group,
    machine_alarm,
)
from leeward_deploy.aws.flows.export import export
from leeward_deploy.aws.handlers import AwsRegion, Json, Lambda, function_of
from leeward_deploy.aws.roles import (
    BOUNDARY,
    DEFAULT_BUS,
    HAS_BOUNDARY,
    TRACES,
    allow,
    arn,
    arn_for,
    arn_of,
    bus_id,
    logical,
    may_invoke,
    of_app,
    resource,
    role,
)
from leeward_deploy.needs import of_kind, own_functions, stem
from leeward_deploy.recipe import Bucket, Declared, Deployment, Table
from leeward_deploy.settings import DeploySettings
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

HEALTH_ID: Final = "HttpHealth"

HEALTH_SECONDS: Final = 10
"""Route 53 waits for four seconds to connect, and for two for the answer."""

HEALTH_LIMIT: Final = {"ThrottlingBurstLimit": 50, "ThrottlingRateLimit": 25}
"""Requests at once and in a second. Route 53 asks from about 16 places, each in 10 or 30 s."""

SAMPLES: Final = [*TRACES, "xray:GetSamplingRules", "xray:GetSamplingTargets"]
"""What a state machine may do with X-Ray, which knows nothing narrower."""

CERTIFICATE: Final = "Certificate"
"""The parameter with the certificate of the domain, which is one of the region."""


def buses_of(declared: Declared, settings: DeploySettings) -> tuple[str, ...]:
    """Return the buses to be made: not those that are there, nor the one of every account."""
    names = unique(
        own for name, own in declared.buses.items() if not settings.is_there("buses", name)
    )
    return tuple(name for name in names if not name.startswith("arn:") and name != DEFAULT_BUS)


def resources_around(region: AwsRegion, deployment: Deployment) -> Json:
    """Return them, by logical ids."""
    found: Json = {}
    for bus in region.buses:
        found[bus_id(bus)] = resource("Events::EventBus", Name=bus)
    for table in deployment.tables:
        is_made = not table.exists and not table.name.startswith("arn:")
        if is_made and table.region == region.name:
            found[f"{logical(table.name)}Table"] = _retain(_table(table))
    for bucket in deployment.buckets:
        if bucket.region == region.name and not bucket.exists:
            made = _retain(_bucket(bucket, deployment.retention_days))
            found[f"{logical(bucket.name)}Bucket"] = objects.with_notifications(
                made, region.spec, bucket.name
            )
    for definition in region.spec.app.workflows:
        if not region.spec.settings.is_there("workflows", definition.name):
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
    """Return a state machine, the role by which it calls functions, and its alarm."""
    id, spec = logical(definition.name), region.spec
    declared, settings = spec.declared, spec.settings
    own = declared.workflows.get(definition.name) or declared.usual(definition.name)
    names = own_functions(definition, declared)
    (text,) = export(definition, names).files.values()
    machine = json.loads(text)
    called = [arn_for("lambda", "function:", each) for each in unique(names.values())]
    rights = [allow(["lambda:InvokeFunction"], *called)]
    rights += [allow(SAMPLES, "*")] if settings.tracing else []
    name = own.rpartition(":")[2]
    return {
        f"{id}MachineRole": role("states.amazonaws.com", rights, of_account=True),
        f"{id}Machine": resource(
            "StepFunctions::StateMachine",
            StateMachineName=name,
            StateMachineType="STANDARD",
            Definition=machine,
            RoleArn=arn_of(f"{id}MachineRole"),
            TracingConfiguration={"Enabled": True} if settings.tracing else None,
        ),
        **(machine_alarm(f"{id}Machine", name) if settings.alarms else {}),
    }


def _retain(made: Json) -> Json:
    return {**made, "DeletionPolicy": "Retain", "UpdateReplacePolicy": "Retain"}


def parameters(deployment: Deployment | None, settings: DeploySettings) -> Json:
    """Return what the user gives, by name."""
    found: Json = {}
    if settings.alarms:
        found[TOPIC] = _optional("the ARN of the topic of SNS, in this region, that alarms go to")
    found[BOUNDARY] = _optional("the ARN of the policy that bounds every role")
    if deployment is not None and deployment.domain:
        text = f"the ARN of the certificate for {deployment.domain}, in this region"
        found[CERTIFICATE] = {"Type": "String", "Description": text}
    return found


def _optional(text: str) -> Json:
    return {"Type": "String", "Default": "", "Description": f"{text}; empty for none"}


def conditions(settings: DeploySettings) -> Json:
    """Return the conditions of a template, by name: whether an optional parameter is given."""
    given = {HAS_BOUNDARY: BOUNDARY} | ({HAS_TOPIC: TOPIC} if settings.alarms else {})
    return {name: {"Fn::Not": [{"Fn::Equals": [{"Ref": of}, ""]}]} for name, of in given.items()}


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
    spec, settings = region.spec, region.spec.settings
    name = spec.declared.prefix.rstrip("-") or spec.app.name
    found = {"HttpApi": resource("ApiGatewayV2::Api", Name=name, ProtocolType="HTTP")}
    if settings.access_logs:
        found["HttpApiLog"] = log_group(f"/aws/vendedlogs/apis/{name}", settings.log_days)
    if settings.issuer:
        found["HttpApiAuthorizer"] = resource(
            "ApiGatewayV2::Authorizer",
            ApiId={"Ref": "HttpApi"},
            Name="tokens",
            AuthorizerType="JWT",
            IdentitySource=["$request.header.Authorization"],
            JwtConfiguration={"Issuer": settings.issuer, "Audience": list(settings.audience)},
        )
    found["HttpApiStage"] = _stage(settings)
    for handler in of_kind(spec.app, Kind.CALL):
        found |= _integration(logical(handler.name))
        found |= _route_to(logical(handler.name), f"POST /{handler.name}", settings)
    found |= _health(region)
    found |= _domain(deployment) | _record(region, deployment)
    if settings.alarms:
        found |= health_alarm(stem(spec), region.name)
    return found


def _stage(settings: DeploySettings) -> Json:
    """Return the stage of an API: with its access log, and a limit of what asks for the health."""
    fields = "requestId ip requestTime routeKey status responseLength integrationErrorMessage"
    log = {name: f"$context.{_CONTEXT.get(name, name)}" for name in fields.split()}
    return resource(
        "ApiGatewayV2::Stage",
        ApiId={"Ref": "HttpApi"},
        StageName="$default",
        AutoDeploy=True,
        AccessLogSettings={"DestinationArn": arn_of("HttpApiLog"), "Format": json.dumps(log)}
        if settings.access_logs
        else None,
        RouteSettings={f"GET {HEALTH_PATH}": HEALTH_LIMIT},
    )


_CONTEXT: Final = {"ip": "identity.sourceIp"}


def _health(region: AwsRegion) -> Json:
    """Return the function that answers for the health of a region, with its route.

    Anybody may call it, so it runs no handler, and has no right but to make what handlers share.
    """
    spec = region.spec
    name = f"{stem(spec)}health"
    if name in (spec.declared.own(each) for each in spec.app.handlers):
        name = f"{name}-check"
    rights = of_app(spec.warm, spec.declared, region.homes, region.others)
    made = Lambda(HEALTH_ID, name, HEALTH, HEALTH_SECONDS, region.reserved)
    found = function_of(region, made, rights)
    # That it fails is what the health check tells.
    found = {id: each for id, each in found.items() if not id.endswith("Alarm")}
    found |= _integration(HEALTH_ID)
    found["HttpApiHealth"] = _to(HEALTH_ID, f"GET {HEALTH_PATH}", {"AuthorizationType": "NONE"})
    return found


def _integration(id: str) -> Json:
    """Return what lets the API call a function."""
    source = arn("execute-api", "${HttpApi}/*/*/*")
    return {
        f"{id}Integration": resource(
            "ApiGatewayV2::Integration",
            ApiId={"Ref": "HttpApi"},
            IntegrationType="AWS_PROXY",
            IntegrationUri=arn_of(id),
            PayloadFormatVersion="2.0",
        ),
        f"{id}ApiPermission": may_invoke(id, "apigateway.amazonaws.com", source),
    }


def _route_to(id: str, key: str, settings: DeploySettings) -> Json:
    """Return the way from the API to a function: for a token, else for a signed request."""
    tokens = {"AuthorizationType": "JWT", "AuthorizerId": {"Ref": "HttpApiAuthorizer"}}
    return {
        f"{id}Route": _to(id, key, tokens if settings.issuer else {"AuthorizationType": "AWS_IAM"})
    }


def _to(id: str, key: str, authorization: Json) -> Json:
    return resource(
        "ApiGatewayV2::Route",
        ApiId={"Ref": "HttpApi"},
        RouteKey=key,
        **authorization,
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
