"""What AWS adds to the facts of an app, and what it refuses."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from itertools import combinations
from typing import Any, Final

from leeward.app.kit import Kind
from leeward.errors import ConfigError
from leeward.workflow.kit import Definition
from leeward_aws.settings.endpoints import check_region
from leeward_deploy.aws.export import GATEWAY, SIGNED
from leeward_deploy.aws.flows.export import export
from leeward_deploy.aws.handlers import LONGEST, MOST_RETRIES, notes, scheduler_expression
from leeward_deploy.aws.objects import key_filter
from leeward_deploy.aws.objects import notes as notes_on_objects
from leeward_deploy.aws.roles import check_order
from leeward_deploy.aws.surroundings import REGIONS
from leeward_deploy.facts import Cloud, Facts
from leeward_deploy.needs import of_kind, seconds_of
from leeward_deploy.recipe import Deployment, PackageSpec

ADDRESSES: Final = {
    "queues": ("aws_sqs_queue.queue",),
    "dead_letters": ("aws_sqs_queue.dead",),
    "tables": ("aws_dynamodb_table.table",),
    "buckets": (
        *("aws_s3_bucket.bucket", "aws_s3_bucket_versioning.bucket"),
        "aws_s3_bucket_lifecycle_configuration.bucket",
        "aws_s3_bucket_public_access_block.bucket",
    ),
    "buses": ("aws_cloudwatch_event_bus.bus",),
}

IDENTITY: Final = {
    "aws_apigatewayv2_api": ("name",),
    "aws_apigatewayv2_api_mapping": ("domain_name",),
    "aws_apigatewayv2_authorizer": ("name",),
    "aws_apigatewayv2_domain_name": ("domain_name",),
    "aws_apigatewayv2_route": ("route_key",),
    "aws_apigatewayv2_stage": ("name",),
    "aws_cloudwatch_dashboard": ("dashboard_name",),
    "aws_cloudwatch_event_bus": ("name",),
    "aws_cloudwatch_event_rule": ("name", "event_bus_name"),
    "aws_cloudwatch_event_target": ("rule", "event_bus_name"),
    "aws_cloudwatch_log_group": ("name",),
    "aws_cloudwatch_metric_alarm": ("alarm_name",),
    "aws_dynamodb_table": ("name",),
    "aws_iam_role": ("name",),
    "aws_iam_role_policy": ("role",),
    "aws_lambda_event_source_mapping": ("function_name",),
    "aws_lambda_function": ("function_name",),
    "aws_lambda_function_event_invoke_config": ("function_name",),
    "aws_lambda_permission": ("function_name", "principal"),
    "aws_route53_record": ("name", "set_identifier"),
    "aws_s3_bucket": ("bucket",),
    "aws_s3_bucket_lifecycle_configuration": ("bucket",),
    "aws_s3_bucket_notification": ("bucket",),
    "aws_s3_bucket_public_access_block": ("bucket",),
    "aws_s3_bucket_versioning": ("bucket",),
    "aws_scheduler_schedule": ("name",),
    "aws_sfn_state_machine": ("name",),
    "aws_sqs_queue": ("name",),
}


def _flow(definition: Definition, functions: Mapping[str, str]) -> str:
    (text,) = export(definition, functions).files.values()
    return text


def check(facts: Facts) -> None:
    """Check what SQS, S3, IAM and Route 53 do not take.

    Raises:
        ConfigError: they do not take something; the message says what, and what helps.
    """
    for region in facts["regions"]:
        check_region(region)
    for name, queue in facts["queues"].items():
        if "dead_letters" in queue:
            check_order(
                queue["dead_letters"], ordered=queue.get("ordered", False), told=f"{name!r} keeps"
            )
    for name, handler in facts["handlers"].items():
        if "queue" not in handler:
            told = f"what Lambda cannot bring to {name!r} keeps"
            check_order(handler["dead_letters"], ordered=False, told=told)
        for place in (each for verb in ("gets", "puts") for each in _places(handler, verb)):
            prefix = place.get("prefix", "")
            if re.search(r"[*?]|[$%]\{", prefix):
                raise ConfigError(
                    f"the prefix {prefix!r} of {name!r} is a pattern where a role on AWS names it; "
                    "choose one without *, ?, ${ and %{"
                )
    _check_names(facts)
    _check_prefixes(facts)
    if facts.get("entrance") and len(facts["regions"]) > REGIONS:
        raise ConfigError(
            f"Route 53 fails over from one region to a second, and the order has "
            f"{len(facts['regions'])} of AWS; take one out of cloud_provider in leeward.toml"
        )


def _places(handler: Facts, verb: str) -> list[Facts]:
    return list(handler.get("rights", {}).get(verb, ()))


def _check_names(facts: Facts) -> None:
    """Check that no two functions or queues would have one name."""
    for sections in (("handlers",), ("queues", "dead_letters")):
        known: dict[str, str] = {}
        for section in sections:
            for name, fact in facts[section].items():
                if known.setdefault(fact["name"], name) != name:
                    raise ConfigError(
                        f"{known[fact['name']]} and {name} would both be {fact['name']!r}; give "
                        "one of them another name, in the app, in dead_letters of the entry file, "
                        "or in leeward.toml"
                    )


def _check_prefixes(facts: Facts) -> None:
    """Check that S3 tells one handler alone of an object: it takes no prefixes that overlap."""
    told: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for name, handler in facts["handlers"].items():
        if handler["kind"] == "object":
            told[handler["bucket"]].append((name, handler.get("prefix", "")))
    for bucket, handlers in told.items():
        for (one, first), (other, second) in combinations(handlers, 2):
            if first.startswith(second) or second.startswith(first):
                raise ConfigError(
                    f"{one!r} and {other!r} would both be told of the same objects of {bucket!r}, "
                    "which S3 does not do; give them prefixes of which none begins with the other, "
                    "or let one handler do both"
                )


def _notes(spec: PackageSpec, deployment: Deployment) -> Iterator[str]:
    """Yield what a person has to know, or to do, besides applying the module."""
    here = spec._replace(declared=deployment.sites[0].declared)
    made = {each.name for each in deployment.buckets if not each.exists} | deployment.away
    yield from notes(here)
    yield from notes_on_objects(here, made)
    if not deployment.domain:
        yield (
            "no domain in [export.aws]: no API, no health check and no DNS failover are made; "
            "leeward's own calls need none"
        )
    elif len(deployment.sites) > 1 and not spec.settings.issuer:
        yield SIGNED
    called = of_kind(spec.app, Kind.CALL)
    if deployment.domain and any(seconds_of(each) > GATEWAY for each in called):
        yield f"a function that is called through the domain answers within {GATEWAY} s"


def _settings(spec: PackageSpec, deployment: Deployment) -> dict[str, Any]:
    """Return the prefixes of objects as S3 filters by them, and the name of the health's function.

    Without a domain there is none.
    """
    objects = of_kind(spec.app, Kind.OBJECT)
    filters = {each.name: key_filter(each.prefix) for each in objects if each.prefix}
    if not deployment.domain:
        return {"filters": filters}
    prefix = deployment.sites[0].declared.prefix or f"{spec.app.name}-"
    taken = {deployment.sites[0].declared.own(each) for each in spec.app.handlers}
    name = f"{prefix}health"
    return {"filters": filters, "health": f"{name}-check" if name in taken else name}


CLOUD: Final = Cloud(
    name="aws",
    keeps=tuple(ADDRESSES),
    addresses=ADDRESSES,
    identity=IDENTITY,
    longest=LONGEST,
    most_retries=MOST_RETRIES,
    schedule=scheduler_expression,
    flow=_flow,
    check=check,
    settings=_settings,
    notes=_notes,
    arn_roles=True,
)
