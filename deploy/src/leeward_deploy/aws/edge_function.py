"""A function for Lambda@Edge: its package, template and limits, and how a distribution calls it.

Two tables of limits are in circulation. The strict one counts unless the other is asked for. What
Lambda@Edge does not run is found in the text of the function, where it is written in full.

`UpdateDistribution` replaces everything by what it is given, and wants the ETag of what was read,
so that nobody else's change is lost. So the configuration is read whole, changed in one place, and
written whole. There is one configuration for all edge locations.

Sources: "Restrictions on Lambda@Edge" and "Quotas on Lambda@Edge" in CloudFront's developer guide,
older and of 2026; "Set up IAM permissions and roles for Lambda@Edge"; `UpdateDistribution` in
CloudFront's API reference.
"""

from __future__ import annotations

import ast
import json
import re
import shlex
from collections.abc import Iterator, Mapping
from copy import deepcopy
from functools import partial
from typing import Any, Final, NamedTuple

from leeward.errors import ConfigError
from leeward_deploy.aws.roles import LOGS, allow, role
from leeward_deploy.edge.exports import Association, FunctionSpec, Trigger
from leeward_deploy.recipe import Command, Limit, Recipe, System, Template

ENVIRONMENT = ("environ", "environb", "getenv", "getenvb", "putenv")
STATUS = ("status", "statusDescription")

_NO_BODY = (
    "the body of the request is not there unless the association asks for it",
    "add --body, or leave it alone",
)

Json = dict[str, Any]

EVENTS: Final = ("viewer-request", "viewer-response", "origin-request", "origin-response")

PYTHONS: Final = ("3.11", "3.12", "3.13", "3.14")

REGION: Final = "us-east-1"

TEMPLATE: Final = "edge.template.json"

_NEVER: Final = re.compile(
    r"connection|expect|keep-alive|proxy-.*|trailer|upgrade"
    r"|x-accel-(?:buffering|charset|limit-rate|redirect)|x-amz-cf-.*|x-amzn-.*|x-cache|x-edge-.*"
    r"|x-forwarded-proto|x-real-ip",
    re.IGNORECASE,
)

_AT: Final = {
    "request": ("content-length", "host", "transfer-encoding", "via"),
    "response": ("content-encoding", "content-length", "transfer-encoding", "warning", "via"),
}
"""Besides, in what a viewer sends and in what it gets. Source: "Restrictions on edge functions"."""

CONFIGURATION: Final = "distribution.json"

WHOLE: Final = ("CallerReference", "Origins", "DefaultCacheBehavior", "Comment", "Enabled")
"""What every configuration has."""

LAMBDA_LIST: Final = "LambdaFunctionAssociations"

FUNCTION_LIST: Final = "FunctionAssociations"

AGAIN: Final = (
    "after PreconditionFailed, or an answer that did not come: read the configuration again, and "
    "run this again; it says so if the function is there already"
)

_LAMBDA_ARN: Final = re.compile(
    r"arn:aws[a-z-]*:lambda:([a-z0-9-]+):\d{12}:function:([A-Za-z0-9_-]+)(?::([A-Za-z0-9$_-]+))?"
)

_FUNCTION_ARN: Final = re.compile(r"arn:aws[a-z-]*:cloudfront::\d{12}:function/[A-Za-z0-9_-]+")


class Flaw(NamedTuple):
    """Something that would fail at the edge."""

    line: int
    what: str
    remedy: str


def check_sources(sources: Mapping[str, str], event: str, *, body: bool) -> None:
    """Check the texts of modules.

    Raises:
        ConfigError: one does what cannot be done there; file, line and remedy are told.
    """
    for file, text in sources.items():
        try:
            tree = ast.parse(text)
        except (SyntaxError, ValueError) as error:
            raise ConfigError(f"{file} is not Python; correct it") from error
        for line, what, remedy in sorted(_flaws(tree, event, body)):
            raise ConfigError(f"{file}, line {line}: {what}; {remedy}")


def _flaws(tree: ast.AST, event: str, body: bool) -> Iterator[Flaw]:
    for node in ast.walk(tree):
        if _is_environment(node):
            yield Flaw(
                getattr(node, "lineno", 0),
                "Lambda@Edge has no environment variables",
                "give the value with --set NAME=VALUE, and import edge_settings",
            )
        elif isinstance(node, ast.Subscript):
            yield from _subscript(node, event, body)
        elif (
            not body
            and event.endswith("request")
            and isinstance(node, ast.Call)
            and isinstance(node.func, ast.Attribute)
            and node.func.attr == "get"
            and _name_in(node.func.value) == "request"
            and bool(node.args)
            and isinstance(node.args[0], ast.Constant)
            and node.args[0].value == "body"
        ):
            yield Flaw(getattr(node, "lineno", 0), *_NO_BODY)


def _is_environment(node: ast.AST) -> bool:
    if isinstance(node, ast.Attribute):
        return (
            isinstance(node.value, ast.Name) and node.value.id == "os" and node.attr in ENVIRONMENT
        )
    return (
        isinstance(node, ast.ImportFrom)
        and node.module == "os"
        and any(name.name in ENVIRONMENT for name in node.names)
    )


def _subscript(node: ast.Subscript, event: str, body: bool) -> Iterator[Flaw]:
    if not isinstance(node.slice, ast.Constant) or not isinstance(node.slice.value, str):
        return
    key, line = node.slice.value, node.lineno
    is_read = isinstance(node.ctx, ast.Load)
    if event == "viewer-response" and not is_read and key in (*STATUS, "body"):
        yield Flaw(
            line,
            f"a function for viewer-response cannot change the {key} of an answer",
            "package it for origin-response",
        )
    if is_read and key == "body" and event.endswith("request") and not body:
        yield Flaw(line, *_NO_BODY)
    if not is_read and _name_in(node.value) == "headers":
        of = event.rpartition("-")[2]
        if is_forbidden(key, of):
            yield Flaw(
                line,
                f"CloudFront does not let a function change {key} in a {of}",
                "choose another header, or change it at the origin",
            )


def _name_in(node: ast.expr) -> object:
    """Return what a value is called: a name, an attribute, or a key."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        return node.attr
    if isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Constant):
        return node.slice.value
    return None


def is_forbidden(name: str, of: str) -> bool:
    """Return whether a header cannot be changed in a ``request`` or a ``response``."""
    return bool(_NEVER.fullmatch(name)) or name.lower() in _AT[of]


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
    lines = [f"{name} = {value!r}\n" for name, value in sorted(spec.settings.items())]
    return Recipe(
        entry="edge_handler.py",
        statement="lambda_handler = {app}",
        requires=(),
        system=System(
            f"Lambda@Edge's python{spec.python}",
            (2, 26) if spec.python == "3.11" else (2, 34),
            "choose an older version",
        ),
        files={
            "edge_settings.py": (
                '"""Written by leeward edge package; Lambda@Edge has no variables."""\n\n'
                + "".join(lines)
            )
        },
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


def template(spec: FunctionSpec) -> tuple[Template, ...]:
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
    return (Template(TEMPLATE, json.dumps(document, indent=2) + "\n", notes, document),)


def _edge_role(name: str) -> Json:
    # It writes its log where it runs, under this name.
    group = f"log-group:/aws/lambda/{REGION}.{name}"
    place = "arn:${AWS::Partition}:logs:*:${AWS::AccountId}"
    logs = [{"Fn::Sub": f"{place}:{each}"} for each in (group, f"{group}:*")]
    # No template can make the logs: they are in whatever region it runs.
    rights = [allow(["logs:CreateLogGroup", *LOGS], *logs)]
    return role(["lambda.amazonaws.com", "edgelambda.amazonaws.com"], rights, bounded=False)


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


def associate(document: Mapping[str, Any], trigger: Trigger) -> Association:
    """Return a configuration with a function in it.

    Raises:
        ConfigError: the document is not whole, the function is not one that CloudFront takes, or
            another one is there.
    """
    config, etag = document.get("DistributionConfig"), document.get("ETag")
    if not isinstance(config, dict) or not isinstance(etag, str):
        raise ConfigError(
            "the file has no DistributionConfig and ETag; write it with `aws cloudfront "
            "get-distribution-config --id ID > current.json`"
        )
    missing = [name for name in WHOLE if name not in config]
    if missing:
        raise ConfigError(
            f"the configuration lacks {', '.join(missing)}, and would replace the whole one; read "
            "all of it"
        )
    key, wanted = _item_for(trigger)
    made = deepcopy(config)
    behaviour = _behaviour(made, trigger.path)
    before = _items(behaviour, key)
    _check_others(behaviour, key, trigger, wanted)
    same_event = [each for each in before if each["EventType"] == trigger.event]
    if any(
        (
            _arn(each) == _arn(wanted)
            and (each.get("IncludeBody", False) == wanted.get("IncludeBody", False))
        )
        for each in same_event
    ):
        return Association(
            "", CONFIGURATION, ("it is there already; nothing is to be written",), ()
        )
    others = [each for each in before if each["EventType"] != trigger.event]
    items = [*others, wanted]
    behaviour[key] = {"Quantity": len(items), "Items": items}
    return Association(
        json.dumps(made, indent=2) + "\n",
        CONFIGURATION,
        (AGAIN,),
        (
            Command(
                "aws",
                f"aws cloudfront update-distribution --id ID --if-match {shlex.quote(etag)} "
                f"--distribution-config file://{CONFIGURATION}",
                "the same ID as it was read from",
            ),
        ),
    )


def _item_for(trigger: Trigger) -> tuple[str, dict[str, Any]]:
    """Return which list a function belongs to, and what is written there."""
    if trigger.event not in EVENTS:
        raise ConfigError(f"--event is {trigger.event!r}; known: {', '.join(EVENTS)}")
    if _FUNCTION_ARN.fullmatch(trigger.function):
        if not trigger.event.startswith("viewer-"):
            raise ConfigError(
                "a CloudFront Function is called for viewer events alone; see --event"
            )
        if trigger.body:
            raise ConfigError("a CloudFront Function gets no body; leave --body out")
        return FUNCTION_LIST, {"FunctionARN": trigger.function, "EventType": trigger.event}
    found = _LAMBDA_ARN.fullmatch(trigger.function)
    if found is None:
        raise ConfigError(
            "--function must be the ARN of a version of a Lambda function, or of a CloudFront "
            "Function"
        )
    if found[1] != REGION:
        raise ConfigError(
            f"the function is in {found[1]}, and Lambda@Edge takes those of {REGION}; deploy it "
            "there"
        )
    if found[3] is None or not found[3].isdigit():
        told = "no version" if found[3] is None else f"the version {found[3]}"
        raise ConfigError(
            f"the ARN has {told}, and CloudFront wants a number: it takes neither $LATEST nor an "
            "alias; publish a version, and add :NUMBER"
        )
    if trigger.body and not trigger.event.endswith("request"):
        raise ConfigError(f"{trigger.event} has no body of a request; leave --body out")
    return LAMBDA_LIST, {
        "LambdaFunctionARN": trigger.function,
        "EventType": trigger.event,
        "IncludeBody": trigger.body,
    }


def _behaviour(config: dict[str, Any], path: str) -> dict[str, Any]:
    """Return the cache behaviour of a pattern, or the default one."""
    if not path:
        found: dict[str, Any] = config["DefaultCacheBehavior"]
        return found
    known: list[dict[str, Any]] = config.get("CacheBehaviors", {}).get("Items") or []
    for each in known:
        if each["PathPattern"] == path:
            return each
    named = ", ".join(each["PathPattern"] for each in known) or "none"
    raise ConfigError(f"no cache behaviour has the pattern {path!r}; known: {named}")


def _items(behaviour: Mapping[str, Any], key: str) -> list[dict[str, Any]]:
    return [*(behaviour.get(key, {}).get("Items") or [])]


def _check_others(
    behaviour: Mapping[str, Any], key: str, trigger: Trigger, wanted: Mapping[str, Any]
) -> None:
    """Check that no function of somebody else is there."""
    for item in _items(behaviour, key):
        if item["EventType"] == trigger.event and _without_version(item) != _without_version(
            wanted
        ):
            raise ConfigError(
                f"{_arn(item)} is at {trigger.event} already; take it out of the file first, if "
                "this function is to replace it"
            )
    for item in _items(behaviour, FUNCTION_LIST if key == LAMBDA_LIST else LAMBDA_LIST):
        if item["EventType"].startswith("viewer-") and trigger.event.startswith("viewer-"):
            raise ConfigError(
                f"{_arn(item)} is at {item['EventType']}, and CloudFront takes only one kind of "
                "function for viewer events; take it out of the file first, or choose an origin "
                "event"
            )


def _arn(item: Mapping[str, Any]) -> str:
    found: str = item.get("LambdaFunctionARN") or item["FunctionARN"]
    return found


def _without_version(item: Mapping[str, Any]) -> str:
    arn = _arn(item)
    return ":".join(arn.split(":")[:7]) if ":lambda:" in arn else arn
