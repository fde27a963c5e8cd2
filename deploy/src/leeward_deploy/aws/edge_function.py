"""A function for Lambda@Edge: its package, its template, and the limits that count.

Two tables of limits are in circulation. The strict one counts unless the other is asked for.

Sources: "Restrictions on Lambda@Edge" and "Quotas on Lambda@Edge" in CloudFront's developer guide,
older and of 2026; "Set up IAM permissions and roles for Lambda@Edge".
"""

from __future__ import annotations

import json
from functools import partial
from typing import Any, Final, NamedTuple

from leeward.errors import ConfigError
from leeward_deploy.aws.edge_source import check_sources
from leeward_deploy.aws.roles import LOGS, allow
from leeward_deploy.edge.exports import FunctionSpec
from leeward_deploy.recipe import Command, Limit, Recipe, System, Template

Json = dict[str, Any]

EVENTS: Final = ("viewer-request", "viewer-response", "origin-request", "origin-response")

PYTHONS: Final = ("3.11", "3.12", "3.13", "3.14")

REGION: Final = "us-east-1"

TEMPLATE: Final = "edge.template.json"


class Quota(NamedTuple):
    """What a function may take."""

    seconds: int
    megabytes: int
    zip_megabytes: int


LAMBDA: Final = Quota(30, 10_240, 50)

QUOTAS: Final = {
    "strict": {"viewer": Quota(5, 128, 1), "origin": LAMBDA},
    "2026": {"viewer": LAMBDA, "origin": LAMBDA},
}
"""By the table, and by what calls the function."""


def function_recipe(spec: FunctionSpec) -> Recipe:
    """Return what Lambda@Edge wants of a function.

    Raises:
        ConfigError: it does not run such a function; what to do instead is told.
    """
    limits = spec.limits or "strict"
    if spec.event not in EVENTS:
        raise ConfigError(f"--event is {spec.event!r}; known: {', '.join(EVENTS)}")
    if limits not in QUOTAS:
        raise ConfigError(f"--limits is {limits!r}; known: {', '.join(QUOTAS)}")
    if spec.python not in PYTHONS:
        raise ConfigError(
            f"Lambda@Edge has no Python {spec.python}; --python may be {', '.join(PYTHONS)}"
        )
    if spec.body and not spec.event.endswith("request"):
        raise ConfigError(f"{spec.event} has no body of a request; leave --body out")
    quota = QUOTAS[limits][spec.event.partition("-")[0]]
    _check_size("--seconds", spec.seconds, quota.seconds, limits)
    _check_size("--memory", spec.megabytes, quota.megabytes, limits)
    check_sources(spec.sources, spec.event, body=spec.body)
    return Recipe(
        entry="edge_handler.py",
        statement="lambda_handler = {app}",
        requires=(),
        system=System(
            f"Lambda@Edge's python{spec.python}",
            (2, 26) if spec.python == "3.11" else (2, 34),
            "choose an older version",
        ),
        files={"edge_settings.py": _settings(spec)},
        limits=(
            Limit(
                "zip",
                quota.zip_megabytes * 1024 * 1024,
                f"quotas on Lambda@Edge: {quota.zip_megabytes} MB zipped, by the {limits} table",
                _remedy(limits, "leave something out with --exclude"),
            ),
        ),
        commands=partial(_commands, spec),
        template=partial(template, spec),
    )


def _check_size(option: str, value: int, most: int, limits: str) -> None:
    if not 1 <= value <= most:
        raise ConfigError(
            f"{option} must be from 1 to {most}, by the {limits} table of Lambda@Edge; "
            + _remedy(limits, "choose less")
        )


def _remedy(limits: str, remedy: str) -> str:
    """Return a remedy, and how the newer table is chosen where the older one counts."""
    newer = ", or, if your account has the limits of 2026, add --limits 2026"
    return remedy + (newer if limits == "strict" else "")


def _settings(spec: FunctionSpec) -> str:
    lines = [f"{name} = {value!r}\n" for name, value in sorted(spec.settings.items())]
    return '"""Written by leeward edge package; Lambda@Edge has no variables."""\n\n' + "".join(
        lines
    )


def template(spec: FunctionSpec) -> Template:
    """Return the SAM template: the function, with a numbered version, and its role."""
    document = {
        "AWSTemplateFormatVersion": "2010-09-09",
        "Transform": "AWS::Serverless-2016-10-31",
        "Description": f"{spec.name} at the edge; made by leeward edge package.",
        "Rules": {
            "Region": {
                "Assertions": [
                    {
                        "Assert": {"Fn::Equals": [{"Ref": "AWS::Region"}, REGION]},
                        "AssertDescription": f"Lambda@Edge takes functions of {REGION} alone",
                    }
                ]
            }
        },
        "Globals": {"Function": {"CodeUri": "edge.zip"}},
        "Resources": {
            "EdgeRole": _edge_role(spec.name),
            "Edge": {
                "Type": "AWS::Serverless::Function",
                "Properties": {
                    "FunctionName": spec.name,
                    "Handler": "edge_handler.lambda_handler",
                    "Runtime": f"python{spec.python}",
                    "Architectures": ["x86_64"],
                    "MemorySize": spec.megabytes,
                    "Timeout": spec.seconds,
                    "Role": {"Fn::GetAtt": ["EdgeRole", "Arn"]},
                    # Publishes a version for each code; CloudFront takes no alias.
                    "AutoPublishAlias": "latest",
                },
            },
        },
        "Outputs": {"Version": {"Value": {"Ref": "Edge.Version"}}},
    }
    notes = (
        "the function can be deleted hours after the last distribution has let it go, not before",
    )
    return Template(TEMPLATE, json.dumps(document, indent=2) + "\n", notes)


def _edge_role(name: str) -> Json:
    # It writes its log where it runs, under this name.
    group = f"log-group:/aws/lambda/{REGION}.{name}"
    place = "arn:${AWS::Partition}:logs:*:${AWS::AccountId}"
    logs = [{"Fn::Sub": f"{place}:{each}"} for each in (group, f"{group}:*")]
    return {
        "Type": "AWS::IAM::Role",
        "Properties": {
            "AssumeRolePolicyDocument": {
                "Version": "2012-10-17",
                "Statement": [
                    {
                        "Effect": "Allow",
                        "Principal": {
                            "Service": ["lambda.amazonaws.com", "edgelambda.amazonaws.com"]
                        },
                        "Action": "sts:AssumeRole",
                    }
                ],
            },
            "Policies": [
                {
                    "PolicyName": "leeward",
                    "PolicyDocument": {"Version": "2012-10-17", "Statement": [allow(LOGS, *logs)]},
                }
            ],
        },
    }


def _commands(spec: FunctionSpec, out: str) -> tuple[Command, ...]:
    body = " --body" if spec.body else ""
    return (
        Command(
            "SAM",
            f"sam deploy --guided --region {REGION} --template-file {out}/{TEMPLATE}",
            "without `sam build`; its output Version is the ARN with a number",
        ),
        Command(
            "aws",
            "aws cloudfront get-distribution-config --id ID > current.json",
            "reads the whole configuration, and its ETag",
        ),
        Command(
            "leeward",
            f"leeward edge associate current.json --to aws --function ARN "
            f"--event {spec.event}{body}",
            "changes the one association, and prints the command that writes all of it back",
        ),
    )
