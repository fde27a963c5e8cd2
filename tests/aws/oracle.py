"""What botocore does, as plain functions to compare with. It has no types, so none leave here."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache
from importlib import import_module
from typing import Any
from unittest import mock

from leeward._http.messages import Request
from leeward_aws.identity.credentials import Credentials
from leeward_aws.identity.signing import Scope

MODELS = {"states": "stepfunctions"}
"""What botocore calls a service, where not by the name in its hosts."""


@cache
def _session() -> Any:
    return import_module("botocore.session").get_session()


@cache
def partitions() -> list[dict[str, Any]]:
    """Give the partitions: `id`, `regionRegex`, `regions`."""
    found: list[dict[str, Any]] = _load("partitions")["partitions"]
    return found


def _load(name: str) -> dict[str, Any]:
    found: dict[str, Any] = _session().get_component("data_loader").load_data(name)
    return found


@cache
def _rules(service: str) -> Any:
    loader = _session().get_component("data_loader")
    rules = loader.load_service_model(MODELS.get(service, service), "endpoint-rule-set-1")
    return import_module("botocore.endpoint_provider").EndpointProvider(rules, _load("partitions"))


def endpoint(service: str, region: str, fips: bool, dualstack: bool) -> str | None:
    """Give the URL to which the rule set of `service` leads; None if it refuses."""
    facts = {"Region": region, "UseFIPS": fips, "UseDualStack": dualstack}
    if service == "sts":
        facts["UseGlobalEndpoint"] = False
    try:
        url: str = _rules(service).resolve_endpoint(**facts).url
    except import_module("botocore.exceptions").EndpointResolutionError:
        assert service == "s3"  # of which some partitions have no such hosts
        return None
    return url


def configured_endpoint(service: str, env: Mapping[str, str]) -> str | None:
    """Give the endpoint that the variables of `env` name for a service."""
    provider = import_module("botocore.configprovider").ConfiguredEndpointProvider
    found: str | None = provider({}, {}, service, environ=env).provide()
    return found


def session_token(env: Mapping[str, str]) -> str | None:
    """Give the session token that botocore takes from the environment."""
    found = import_module("botocore.credentials").EnvProvider(env).load()
    token: str | None = found.token
    return token


def first_credential_source(profile: str | None) -> str:
    """Give the name of the source that is asked first, with this process's environment."""
    session = import_module("botocore.session").Session(profile=profile)
    return str(session.get_component("credential_provider").providers[0].METHOD)


def named_errors(service: str, operations: list[str]) -> set[str]:
    """Give the error codes that the service's model names for some operations."""
    model = _session().get_service_model(MODELS.get(service, service))
    return {
        shape.metadata.get("error", {}).get("code", shape.name)
        for operation in operations
        for shape in model.operation_model(operation).error_shapes
    }


def error_code(protocol: str, headers: Mapping[str, str], body: bytes) -> str:
    """Give the code that the parser of `protocol` finds in an answer with status 400."""
    parser = import_module("botocore.parsers").create_parser(protocol)
    answer = {"status_code": 400, "headers": headers, "body": body}
    return str(parser.parse(answer, None)["Error"]["Code"])


def signed_headers(
    request: Request, credentials: Credentials, scope: Scope, now: float
) -> dict[str, str]:
    """Give all headers of `request` after botocore has signed it, of S3 as it does for S3."""
    theirs = import_module("botocore.awsrequest").AWSRequest(
        request.method, request.origin + request.target, data=request.body
    )
    for name, value in request.headers:
        theirs.headers.add_header(name, value)
    keys = import_module("botocore.credentials").Credentials(*credentials[:3])
    moment = datetime.fromtimestamp(int(now), UTC)
    kind = "S3SigV4Auth" if scope.service == "s3" else "SigV4Auth"
    signer = getattr(import_module("botocore.auth"), kind)(keys, scope.service, scope.region)
    with mock.patch("botocore.auth.get_current_datetime", return_value=moment):
        signer.add_auth(theirs)
    return dict(theirs.headers.items())
