"""The infrastructure of an app on AWS: one stack a region, for CloudFormation or for Terraform.

What a stack says of its resources is told in the words in which `leeward doctor` compares them.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from leeward.adapter.looking import EXPECTED, Expected
from leeward.app.kit import Kind
from leeward.calls.looks import NONE
from leeward.errors import ConfigError
from leeward_aws.resources import digest_of
from leeward_aws.settings.endpoints import check_region
from leeward_deploy.aws import objects
from leeward_deploy.aws.dashboard import dashboard_of
from leeward_deploy.aws.handlers import CODE, AwsRegion, Json, notes, resources_of
from leeward_deploy.aws.rules import RULES, errors_in
from leeward_deploy.aws.surroundings import buses_of, failover_of, parameters, resources_around
from leeward_deploy.aws.terraform import DATA, Stack
from leeward_deploy.needs import of_kind, seconds_of
from leeward_deploy.recipe import Deployment, PackageSpec, Template
from leeward_deploy.terraform import Configuration, check, entries_of, schemas_in, text_of

_NAMES: Final = ("FunctionName", "QueueName", "Name", "StateMachineName", "BucketName")

PACKAGE: Final = "the path of the zip that leeward package --target aws makes"

BESIDE: Final = (
    f"the templates name {CODE} as a file beside them: write it there, by leeward package --target "
    "aws --out and their folder"
)

GATEWAY: Final = 30
"""Seconds that an HTTP API waits for a function. Source: its quotas."""

MOST_RESOURCES: Final = 500

LARGEST: Final = 1_000_000
"""Resources and bytes of a template. Source: "Understand CloudFormation quotas"."""

VERSION: Final = ">= 6.0"
"""Since then a resource has a region of its own."""


def resources_in(stack: Json, target: str) -> Iterator[Expected]:
    """Yield what a target has once a stack has been made, as far as it can be compared."""
    for each in stack.values():
        told = _TOLD.get(each["Type"].removeprefix("AWS::"))
        if told is not None:
            type, name, has = told(each["Properties"], stack)
            # cfn-lint takes no null in the metadata of a template.
            given = {each: NONE if value is None else value for each, value in has.items()}
            yield Expected("resource", name, target, type, given)


def _name_of(value: Any, stack: Json) -> str:
    """Return the name of what a value refers to; the end of an ARN, or of a text."""
    if isinstance(value, dict):
        id = value.get("Ref") or value.get("Fn::GetAtt", [""])[0]
        if id in stack:
            properties = stack[id]["Properties"]
            names = (text for name, text in properties.items() if name in _NAMES)
            return str(next(names, ""))
        value = value.get("Fn::Sub", "")
    return str(value).rpartition(":")[2]


def _of_function(has: Json, _: Json) -> tuple[str, str, Json]:
    variables = has.get("Environment", {}).get("Variables", {})
    return (
        "settings of the function",
        has["FunctionName"],
        {
            "handler": has["Handler"],
            "runtime": has["Runtime"],
            "architecture": has["Architectures"][0],
            "memory": has["MemorySize"],
            "timeout": has["Timeout"],
            "reserved concurrency": has.get("ReservedConcurrentExecutions"),
            "variable": {name: text for name, text in variables.items() if isinstance(text, str)},
        },
    )


def _of_retries(has: Json, stack: Json) -> tuple[str, str, Json]:
    failed = has.get("DestinationConfig", {}).get("OnFailure", {}).get("Destination")
    return (
        "retries of the function",
        _name_of(has["FunctionName"], stack),
        {
            "retries": has.get("MaximumRetryAttempts"),
            "dead letters": None if failed is None else _name_of(failed, stack),
        },
    )


def _of_mapping(has: Json, stack: Json) -> tuple[str, str, Json]:
    queue, function = _name_of(has["EventSourceArn"], stack), _name_of(has["FunctionName"], stack)
    return (
        "mapping of the function",
        function,
        {
            "queue": queue,
            "enabled": has.get("Enabled", True),
            "batch": has.get("BatchSize"),
            "partial failures": "ReportBatchItemFailures" in has.get("FunctionResponseTypes", ()),
        },
    )


def _of_queue(has: Json, stack: Json) -> tuple[str, str, Json]:
    redrive = has.get("RedrivePolicy", {})
    dead = redrive.get("deadLetterTargetArn")
    return (
        "queue",
        has["QueueName"],
        {
            "visibility timeout": has.get("VisibilityTimeout", 30),
            "retention": has.get("MessageRetentionPeriod", 345_600),
            "dead letters": None if dead is None else _name_of(dead, stack),
            "receives": redrive.get("maxReceiveCount"),
        },
    )


def _of_rule(has: Json, stack: Json) -> tuple[str, str, Json]:
    bus = _name_of(has.get("EventBusName", "default"), stack)
    targets = sorted(_name_of(target["Arn"], stack) for target in has.get("Targets", ()))
    pattern = digest_of(has.get("EventPattern"))
    return (
        "rule",
        has["Name"],
        {"bus": bus, "state": has.get("State", "ENABLED"), "pattern": pattern, "targets": targets},
    )


def _of_schedule(has: Json, stack: Json) -> tuple[str, str, Json]:
    return (
        "schedule",
        has["Name"],
        {
            "state": has.get("State", "ENABLED"),
            "expression": has["ScheduleExpression"],
            "time zone": has.get("ScheduleExpressionTimezone", "UTC"),
            "target": _name_of(has["Target"]["Arn"], stack),
        },
    )


def _of_machine(has: Json, _: Json) -> tuple[str, str, Json]:
    definition = has["Definition"]
    return (
        "state machine",
        has["StateMachineName"],
        {"type": has["StateMachineType"], "definition": digest_of(definition)},
    )


_TOLD: Final = MappingProxyType(
    {
        "Lambda::Function": _of_function,
        "Lambda::EventInvokeConfig": _of_retries,
        "Lambda::EventSourceMapping": _of_mapping,
        "SQS::Queue": _of_queue,
        "Events::Rule": _of_rule,
        "Scheduler::Schedule": _of_schedule,
        "StepFunctions::StateMachine": _of_machine,
    }
)
"""By type, without ``AWS::``."""


SCHEMAS: Final = Path(__file__).with_name("terraform_schemas.json")


def template(spec: PackageSpec) -> Template:
    """Return the template of the handlers alone, for the region that it is deployed in.

    Raises:
        ConfigError: a handler wants more time than Lambda gives.
    """
    resources = resources_of(AwsRegion(spec))
    resources["Dashboard"] = dashboard_of(resources, spec.app.name, spec.entry.options.get("emf"))
    document = _document(spec, resources, {})
    told = (*notes(spec), *objects.notes(spec))
    return Template("aws.template.json", text_of(document), told)


def cloudformation(spec: PackageSpec, deployment: Deployment) -> tuple[Template, ...]:
    """Return a template for each region.

    Raises:
        ConfigError: something in it is wrong.
    """
    stacks = _stacks(spec, deployment)
    _check(_configuration(spec, deployment, stacks))
    made, told = [], (*_notes_on(spec, deployment), BESIDE)
    for site, stack in zip(deployment.sites, stacks, strict=True):
        document = _document(spec, stack, parameters(deployment))
        document["Metadata"] = {EXPECTED: entries_of(_expectations(deployment, stacks))}
        name = f"{site.region}.template.json"
        _check_template(document, site.region)
        made.append(Template(name, text_of(document), told))
    return tuple(made)


def terraform(spec: PackageSpec, deployment: Deployment) -> tuple[Template, ...]:
    """Return one configuration for all regions.

    Raises:
        ConfigError: something in it is wrong.
    """
    document = _configuration(spec, deployment, _stacks(spec, deployment))
    _check(document)
    return (Template("leeward.tf.json", text_of(document), _notes_on(spec, deployment)),)


def _stacks(spec: PackageSpec, deployment: Deployment) -> list[Json]:
    """Return the resources of each region, by logical ids."""
    found = []
    homes = {table.name: table.region for table in deployment.tables}
    buckets = {bucket.name: bucket.region for bucket in deployment.buckets}
    for number, site in enumerate(deployment.sites):
        check_region(site.region)
        region = AwsRegion(
            spec._replace(declared=site.declared),
            site.region,
            number > 0,
            deployment.standby_instances if number else None,
            homes,
            buses_of(site.declared),
            deployment.away.union(n for n, there in buckets.items() if there != site.region),
            tuple(each for each in deployment.sites if each.region != site.region),
        )
        parts = (
            resources_of(region),
            resources_around(region, deployment),
            failover_of(region, deployment),
        )
        stack = _merge(parts)
        stack["Dashboard"] = dashboard_of(stack, spec.app.name, spec.entry.options.get("emf"))
        found.append(stack)
    return found


def _merge(parts: tuple[Json, ...]) -> Json:
    found: Json = {}
    for part in parts:
        twice = sorted(found.keys() & part.keys())
        if twice:
            raise ConfigError(
                f"two things would be {twice[0]} in the template; give a handler, a bus, a table "
                "or a bucket another name, in the app or in leeward.toml"
            )
        found |= part
    return found


def _configuration(spec: PackageSpec, deployment: Deployment, stacks: list[Json]) -> Json:
    """Return the resources of all regions as Terraform has them."""
    made = Configuration("hashicorp/aws", VERSION, {"package": PACKAGE})
    for number, (site, stack) in enumerate(zip(deployment.sites, stacks, strict=True)):
        suffix = f"_{site.region.replace('-', '_')}" if number else ""
        for name, given in parameters(deployment).items():
            text = given["Description"].replace("this region", site.region)
            made.variable(f"{name.lower()}{suffix}", text)
        Stack(stack, site.region, suffix).add_to(made)
    return made.document(DATA, _expectations(deployment, stacks))


def _expectations(deployment: Deployment, stacks: list[Json]) -> list[Expected]:
    """Return what is there when the files have been applied, with what they say of it.

    A queue of the app is a resource; whoever may call a function may queue the call.
    """
    found = [each for each in deployment.expected if each.kind != "queue"]
    for site, stack in zip(deployment.sites, stacks, strict=True):
        found += resources_in(stack, site.target)
    return found


def _check(document: Json) -> None:
    check(document, schemas_in(SCHEMAS), RULES, "AWS")


def _check_template(document: Json, region: str) -> None:
    """Check a template's size; and let cfn-lint look at it, where that is installed.

    Raises:
        ConfigError: it is too large, or something is wrong in it.
    """
    text, count = text_of(document), len(document["Resources"])
    if count > MOST_RESOURCES or len(text) > LARGEST:
        raise ConfigError(
            f"the template for {region} has {count} resources and {len(text):,} bytes, and "
            f"CloudFormation takes {MOST_RESOURCES} and {LARGEST:,}; make two apps, or export to "
            "Terraform"
        )
    found = errors_in(text, region)
    if found:
        raise ConfigError(f"the template for {region}: cfn-lint finds {found[0]}")


def _document(spec: PackageSpec, resources: Json, given: Json) -> Json:
    if "{{resolve:" in json.dumps(resources):
        raise ConfigError(
            "something that becomes part of a template, such as a payload of a workflow, has "
            "'{{resolve:', and CloudFormation would put a secret or a parameter there; write it "
            "otherwise, or export to Terraform"
        )
    found: Json = {
        "AWSTemplateFormatVersion": "2010-09-09",
        "Description": f"The app {spec.app.name}; made by leeward.",
    }
    return {**found, **({"Parameters": given} if given else {}), "Resources": resources}


def _notes_on(spec: PackageSpec, deployment: Deployment) -> tuple[str, ...]:
    here = spec._replace(declared=deployment.sites[0].declared)
    made = {bucket.name for bucket in deployment.buckets} | deployment.away
    told = [*notes(spec), *objects.notes(here, made)]
    if not deployment.domain:
        told.append(
            "no domain in [export.aws]: no API, no health check and no DNS failover are made; "
            "leeward's own calls need none"
        )
    elif any(seconds_of(each) > GATEWAY for each in of_kind(spec.app, Kind.CALL)):
        told.append(f"a function that is called through the domain answers within {GATEWAY} s")
    return tuple(told)
