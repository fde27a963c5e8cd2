"""How others than leeward reach an app on AWS: an API in each region, health checks, and DNS.

The API asks for signed requests, but for ``GET /health``. Route 53 answers with the first region as
long as its checks go well, and then with the second; if that is ill as well, with the first.

Sources: the CloudFormation reference of API Gateway and Route 53; "How Amazon Route 53 determines
whether a health check is healthy" and "Failover routing" in Route 53's developer guide.
"""

from __future__ import annotations

from typing import Final

from leeward.app.kit import HEALTH_PATH, Kind
from leeward.errors import ConfigError
from leeward_deploy.aws.handlers import Json, AwsRegion, resource
from leeward_deploy.aws.names import logical
from leeward_deploy.aws.roles import arn
from leeward_deploy.needs import of_kind
from leeward_deploy.recipe import Deployment

TTL: Final = 60
"""Seconds that a resolver keeps an answer."""

REGIONS: Final = 2
"""That a failover record of Route 53 may have: a primary and a secondary."""

CERTIFICATE: Final = "Certificate"
"""The parameter with the certificate of the domain, which is one of the region."""


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
            IntegrationUri={"Fn::GetAtt": [id, "Arn"]},
            PayloadFormatVersion="2.0",
        ),
        f"{id}Route": _to(id, key, "AWS_IAM"),
        f"{id}ApiPermission": resource(
            "Lambda::Permission",
            Action="lambda:InvokeFunction",
            FunctionName={"Ref": id},
            Principal="apigateway.amazonaws.com",
            SourceArn=source,
        ),
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
