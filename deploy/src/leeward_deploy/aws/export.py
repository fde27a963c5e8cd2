"""The infrastructure of an app on AWS: one stack a region, for CloudFormation or for Terraform.

What a stack says of its resources is told in the words in which `leeward doctor` compares them.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from leeward.adapter.looking import Expected
from leeward.app.kit import Kind
from leeward.calls.looks import NONE
from leeward.errors import ConfigError
from leeward_aws.resources import digest_of
from leeward_aws.settings.endpoints import check_region
from leeward_deploy.aws import objects, yaml
from leeward_deploy.aws.alarms import HEALTH_ALARM, HEALTH_REGION
from leeward_deploy.aws.dashboard import dashboard_of
from leeward_deploy.aws.handlers import CODE, AwsRegion, Json, notes, resources_of
from leeward_deploy.aws.rules import RULES, errors_in
from leeward_deploy.aws.stack import headings, outputs, with_tags
from leeward_deploy.aws.surroundings import (
    buses_of,
    conditions,
    failover_of,
    parameters,
    resources_around,
)
from leeward_deploy.aws.terraform import DATA, LAYOUT, Stack
from leeward_deploy.hcl import module
from leeward_deploy.needs import of_kind, seconds_of, stem
from leeward_deploy.recipe import Deployment, PackageSpec, Site, Template
from leeward_deploy.terraform import Configuration, check, expected_file, schemas_in

_NAMES: Final = ("FunctionName", "QueueName", "Name", "StateMachineName", "BucketName")

PACKAGE: Final = "the path of the zip that leeward package --target aws makes"

BESIDE: Final = (
    f"the templates name {CODE} as a file beside them: write it there, by leeward package --target "
    "aws --out and their folder"
)

SIGNED: Final = (
    "callers of the domain sign their requests for one region, and the other region refuses them "
    "after a failover (an HTTP API takes no SigV4A): name issuer and audience in [deploy], so that "
    "they show a token; or let them sign again for the region that answers"
)

_HEADS: Final = {
    "alarms.tf": "Alarms. They tell the topic in var.alarm_topic; without one they only show.",
    "api.tf": "For callers without leeward: an API in each region, its health check, and DNS.",
    "data.tf": "What leeward.toml names: tables and buckets in their home, buses in each region.",
    "functions.tf": "A function for each handler, with its log.",
    "outputs.tf": "What the rest of a project may need.",
    "queues.tf": "Queues, and a queue of dead letters for each handler.",
    "roles.tf": "A role for each function: what its handler uses, and nothing else.",
    "triggers.tf": "What makes handlers run, and who may do that.",
    "variables.tf": "What you give. Everything else is in leeward.toml, under [deploy].",
    "versions.tf": "The provider. Its settings, such as credentials, are those of your project.",
    "workflows.tf": "Workflows, as state machines.",
}

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
            "concurrency": has.get("ScalingConfig", {}).get("MaximumConcurrency"),
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


def template(spec: PackageSpec) -> tuple[Template, ...]:
    """Return the template of the handlers alone, for the region that it is deployed in.

    Raises:
        ConfigError: a handler wants more time than Lambda gives.
    """
    resources = resources_of(AwsRegion(spec))
    resources["Dashboard"] = _dashboard(spec, resources)
    document = _document(spec, resources, parameters(None, spec.settings))
    told = (*notes(spec), *objects.notes(spec))
    return (_template("aws.template.yaml", spec, document, told),)


def cloudformation(spec: PackageSpec, deployment: Deployment) -> tuple[Template, ...]:
    """Return a template for each region.

    Raises:
        ConfigError: something in it is wrong.
    """
    stacks = _stacks(spec, deployment)
    _check(_configuration(spec, deployment, stacks))
    made, told = [], (*_notes_on(spec, deployment), *_alarms_elsewhere(stacks, deployment), BESIDE)
    for site, stack in zip(deployment.sites, stacks, strict=True):
        own = {id: e for id, e in stack.items() if id != HEALTH_ALARM or _has_its_alarm(site)}
        document = _document(spec, own, parameters(deployment, spec.settings))
        found = _template(f"{site.region}.template.yaml", spec, document, told)
        _check_template(found, site.region)
        made.append(found)
    return (*made, expected_file(_expectations(deployment, stacks)))


def terraform(spec: PackageSpec, deployment: Deployment) -> tuple[Template, ...]:
    """Return one configuration for all regions.

    Raises:
        ConfigError: something in it is wrong.
    """
    stacks = _stacks(spec, deployment)
    document = _configuration(spec, deployment, stacks)
    _check(document)
    made = module(document, schemas_in(SCHEMAS), LAYOUT, _HEADS)
    first = made[0]._replace(notes=_notes_on(spec, deployment), document=document)
    return (first, *made[1:], expected_file(_expectations(deployment, stacks)))


def _template(name: str, spec: PackageSpec, document: Json, told: tuple[str, ...]) -> Template:
    return Template(name, yaml.write(document, headings(spec.app)), told, document)


def _has_its_alarm(site: Site) -> bool:
    """Return whether the alarm of a health check can be in the template of its region."""
    return site.region == HEALTH_REGION


def _alarms_elsewhere(stacks: list[Json], deployment: Deployment) -> list[str]:
    """Return what is to be said of alarms of health checks that no template of theirs can have."""
    return [
        f"{site.region}: Route 53 has the metrics of health checks in {HEALTH_REGION} alone, so "
        f"make the alarm of this region's there: metric HealthCheckStatus of AWS/Route53, for the "
        "output HealthCheckId; the files of Terraform do so"
        for site, stack in zip(deployment.sites, stacks, strict=True)
        if HEALTH_ALARM in stack and not _has_its_alarm(site)
    ]


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
            buses_of(site.declared, spec.settings),
            deployment.away.union(n for n, there in buckets.items() if there != site.region),
            tuple(each for each in deployment.sites if each.region != site.region),
        )
        parts = (
            resources_of(region),
            resources_around(region, deployment),
            failover_of(region, deployment),
        )
        stack = _merge(parts)
        drawn = {id: each for id, each in stack.items() if id != HEALTH_ALARM}
        stack["Dashboard"] = _dashboard(spec, drawn)
        found.append(stack)
    return found


def _dashboard(spec: PackageSpec, resources: Json) -> Json:
    app = spec.app.name
    return dashboard_of(resources, app, spec.entry.options.get("emf"), spec.declared.prefix + app)


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
    made.variable("tags", "more tags of everything that takes some", type="map(string)", default={})
    schemas = schemas_in(SCHEMAS)
    told: Json = {}
    known: set[str] = set()
    for number, (site, resources) in enumerate(zip(deployment.sites, stacks, strict=True)):
        suffix = f"_{site.region.replace('-', '_')}" if number else ""
        stack = Stack(resources, site.region, suffix, stem(spec), schemas)
        for name, given in parameters(deployment, spec.settings).items():
            variable = stack.variable(name)
            text = given["Description"].replace("this region", site.region)
            if variable not in known:
                made.variable(variable, text, **({"default": ""} if "Default" in given else {}))
            known.add(variable)
        stack.add_to(made)
        told |= stack.outputs()
    document = made.document(DATA)
    tags = ", ".join(f"{json.dumps(n)} = {json.dumps(t)}" for n, t in spec.settings.tags.items())
    document["locals"] = {"tags": f"${{merge({{{tags}}}, var.tags)}}"}
    document["output"] = {name: {"value": value} for name, value in told.items()}
    return document


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


def _check_template(made: Template, region: str) -> None:
    """Check a template's size; and let cfn-lint look at it, where that is installed.

    Raises:
        ConfigError: it is too large, or something is wrong in it.
    """
    text, count = made.text, len(made.document["Resources"])
    if count > MOST_RESOURCES or len(text) > LARGEST:
        raise ConfigError(
            f"the template for {region} has {count} resources and {len(text):,} bytes, and "
            f"CloudFormation takes {MOST_RESOURCES} and {LARGEST:,}; make two apps, or export to "
            "Terraform"
        )
    found = errors_in(json.dumps(made.document), region)  # which it reads in half the time
    if found:
        raise ConfigError(f"the template for {region}: cfn-lint finds {found[0]}")


def _document(spec: PackageSpec, resources: Json, given: Json) -> Json:
    if not spec.app.handlers and not spec.app.workflows:
        raise ConfigError(
            f"the app {spec.app.name!r} has no handler and no workflow, so there is nothing to "
            "deploy: add one, such as @app.function(), in a module that the app's module imports"
        )
    if "{{resolve:" in json.dumps(resources):
        raise ConfigError(
            "something that becomes part of a template, such as a payload of a workflow, has "
            "'{{resolve:', and CloudFormation would put a secret or a parameter there; write it "
            "otherwise, or export to Terraform"
        )
    return {
        "AWSTemplateFormatVersion": "2010-09-09",
        "Description": f"The app {spec.app.name}; made by leeward export.",
        "Parameters": given,
        "Conditions": conditions(spec.settings),
        "Resources": with_tags(resources, spec.settings.tags),
        "Outputs": outputs(resources),
    }


def _notes_on(spec: PackageSpec, deployment: Deployment) -> tuple[str, ...]:
    here = spec._replace(declared=deployment.sites[0].declared)
    made = {each.name for each in deployment.buckets if not each.exists} | deployment.away
    told = [*notes(here), *objects.notes(here, made)]
    if not deployment.domain:
        told.append(
            "no domain in [export.aws]: no API, no health check and no DNS failover are made; "
            "leeward's own calls need none"
        )
    elif len(deployment.sites) > 1 and not spec.settings.issuer:
        told.append(SIGNED)
    if deployment.domain and any(
        seconds_of(each) > GATEWAY for each in of_kind(spec.app, Kind.CALL)
    ):
        told.append(f"a function that is called through the domain answers within {GATEWAY} s")
    return tuple(told)
