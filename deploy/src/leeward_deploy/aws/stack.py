"""What a stack has besides its resources: tags, parameters, conditions, outputs, parts."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from leeward.app.app import App
from leeward.app.triggers import Kind
from leeward_deploy.aws.roles import logical

Json = dict[str, Any]

LISTED: Final = frozenset(
    {
        "CloudWatch::Alarm",
        "DynamoDB::Table",
        "Events::EventBus",
        "Events::Rule",
        "IAM::Role",
        "Lambda::EventSourceMapping",
        "Lambda::Function",
        "Logs::LogGroup",
        "S3::Bucket",
        "SQS::Queue",
        "StepFunctions::StateMachine",
    }
)
"""Resources whose tags are a list, by type without ``AWS::``."""

MAPPED: Final = frozenset({"ApiGatewayV2::Api", "ApiGatewayV2::DomainName", "ApiGatewayV2::Stage"})
"""Those whose tags are a mapping."""

HEALTH_CHECK: Final = "Route53::HealthCheck"

API: Final = "For callers without leeward: the API of this region, its health, and DNS"

_KINDS: Final = {
    Kind.CALL: "is called",
    Kind.EVENT: "events of {0.bus}",
    Kind.MESSAGE: "messages of {0.queue}",
    Kind.SCHEDULE: "schedule {0.schedule}",
    Kind.OBJECT: "objects of {0.bucket}",
}


def with_tags(resources: Json, tags: Mapping[str, str]) -> Json:
    """Return resources with the tags of ``[deploy]``, those that take some."""
    if not tags:
        return resources
    listed = [{"Key": name, "Value": text} for name, text in tags.items()]
    found = {}
    for id, each in resources.items():
        type = each["Type"].removeprefix("AWS::")
        more: Json = {}
        if type in LISTED:
            more = {"Tags": listed}
        elif type in MAPPED:
            more = {"Tags": dict(tags)}
        elif type == HEALTH_CHECK:
            more = {"HealthCheckTags": listed}
        found[id] = {**each, "Properties": {**each["Properties"], **more}} if more else each
    return found


_OUTPUTS: Final = {
    "Lambda::Function": ("Arn", "Arn", "the function {}"),
    "SQS::Queue": ("Url", None, "the queue {}"),
    "StepFunctions::StateMachine": ("Arn", None, "the state machine {}"),
    "ApiGatewayV2::Api": ("Endpoint", "ApiEndpoint", "the API of this region {}"),
    "Route53::HealthCheck": ("Id", None, "the health check of this region {}"),
}
"""What is told of a resource by its type: the end of the output's name, the attribute that it is,
or None for the reference, and words for it."""

_NAMES: Final = ("FunctionName", "QueueName", "StateMachineName", "Name")


def outputs(resources: Json) -> Json:
    """Return what a stack tells others, by name."""
    found: Json = {}
    for id, each in resources.items():
        known = _OUTPUTS.get(each["Type"].removeprefix("AWS::"))
        if known is not None and not id.endswith("DeadQueue"):
            ending, attribute, words = known
            name = next((each["Properties"][n] for n in _NAMES if n in each["Properties"]), "")
            value = {"Ref": id} if attribute is None else {"Fn::GetAtt": [id, attribute]}
            found[f"{id}{ending}"] = {"Description": words.format(name).strip(), "Value": value}
    return found


def headings(app: App) -> Callable[[str], str]:
    """Return what tells the part of a template that a resource belongs to, by its logical id."""
    handlers = sorted(app.handlers.values(), key=lambda each: -len(logical(each.name)))
    machines = [logical(each.name) for each in app.workflows]

    def heading(id: str) -> str:
        if any(id.startswith(f"{each}Machine") for each in machines):
            return "The workflows"
        if id.endswith(("Integration", "ApiPermission", "Route")):
            return API
        for each in handlers:
            if id.startswith(logical(each.name)) and not id.endswith(("Table", "Bucket", "Bus")):
                return f"{each.name}: {_KINDS[each.kind].format(each)}"
        is_data = id.endswith(("Table", "Bucket", "Bus"))
        return "What leeward.toml names" if is_data else API

    return heading
