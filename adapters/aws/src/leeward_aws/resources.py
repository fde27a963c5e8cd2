"""What there is of the resources of an exported stack, for `leeward doctor --exported`.

Nothing is changed by it, and nothing is called. Each kind is read by the API that tells how it is
set up, and compared by the words of `leeward_deploy.aws.export`.

Source: the API references of `GetFunctionConfiguration`, `GetFunctionConcurrency`,
`GetFunctionEventInvokeConfig`, `ListEventSourceMappings`, `GetQueueAttributes`, `DescribeRule`,
`ListTargetsByRule`, `GetSchedule` and `DescribeStateMachine`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Generator, Mapping
from hashlib import sha256
from types import MappingProxyType
from typing import Any, Final, TypeAlias

from leeward.adapter.looking import compare, unless_forbidden
from leeward.adapter.plans import Plan, Planner, Step, View
from leeward.adapter.service import as_look_up, exchange, misread, object_of
from leeward.adapter.wire import Request
from leeward.calls import Look, LookResult, Result
from leeward.errors import Outcome
from leeward.records import NamedTuple
from leeward.text import percent_encode
from leeward_aws.functions.messages import url_of
from leeward_aws.service import REQUEST_ID, Endpoint, endpoint_of
from leeward_aws.settings.endpoints import ServiceName
from leeward_aws.settings.options import Settings
from leeward_aws.workflows.runs import machine_arn

Json = dict[str, Any]

Reading: TypeAlias = Generator[Step, Any, "Json | Result[Any]"]


class Account(NamedTuple):
    """Who answers a look: the endpoints of the services, and the view of the plan."""

    endpoints: Mapping[str, Endpoint]
    view: View


def resources(settings: Settings) -> dict[str, Planner]:
    """Return the planner that compares resources."""
    services: tuple[ServiceName, ...] = ("lambda", "sqs", "events", "scheduler", "states")
    endpoints: dict[str, Endpoint] = {
        service: endpoint_of(service, settings) for service in services
    }

    def look_for(look: Look, view: View) -> Plan:
        kind = KINDS.get(look.type)
        if kind is None:
            return Result.ok(LookResult(None, f"a {look.type} is not compared", reached=False))
        found = yield from kind.read(look, Account(endpoints, view))
        if isinstance(found, Result):
            return found
        return Result.ok(compare(look.has, found, unseen=kind.unseen))

    return {"look_resource": look_for}


def digest_of(value: Any) -> str:
    """Return the beginning of the SHA-256 of a value as canonical JSON: it is long to be read."""
    return sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:12]


def _get(account: Account, service: str, path: str, right: str) -> Reading:
    """Read one thing by its path."""
    endpoint = account.endpoints[service]
    return (yield from _read(account, service, Request("GET", endpoint.origin, path), right))


def _post(account: Account, service: str, operation: str, document: Json) -> Reading:
    """Read one thing by an operation."""
    request = account.endpoints[service].request(operation, document)
    return (yield from _read(account, service, request, f"{service}:{operation}"))


def _read(account: Account, service: str, request: Request, right: str) -> Reading:
    steps = exchange(account.endpoints[service].service, request, account.view, effect=False)
    response, refusal = as_look_up((yield from steps))
    if refusal is not None:
        return unless_forbidden(refusal, response, right)
    try:
        return object_of(response) if response.body else {}
    except (ValueError, TypeError) as error:
        return misread(response, error, request_id=REQUEST_ID)


def _function(look: Look, account: Account) -> Reading:
    name = percent_encode(look.name)
    found = yield from _get(
        account,
        "lambda",
        f"/2015-03-31/functions/{name}/configuration",
        "lambda:GetFunctionConfiguration",
    )
    if isinstance(found, Result):
        return found
    limit = yield from _get(
        account,
        "lambda",
        f"/2019-09-30/functions/{name}/concurrency",
        "lambda:GetFunctionConcurrency",
    )
    if isinstance(limit, Result):
        return limit
    return {
        "handler": found.get("Handler"),
        "runtime": found.get("Runtime"),
        "architecture": (found.get("Architectures") or ["x86_64"])[0],
        "memory": found.get("MemorySize"),
        "timeout": found.get("Timeout"),
        "reserved concurrency": limit.get("ReservedConcurrentExecutions"),
        "variable": (found.get("Environment") or {}).get("Variables", {}),
    }


def _retries(look: Look, account: Account) -> Reading:
    path = f"/2019-09-25/functions/{percent_encode(look.name)}/event-invoke-config"
    found = yield from _get(account, "lambda", path, "lambda:GetFunctionEventInvokeConfig")
    if isinstance(found, Result):
        return found
    failed = (found.get("DestinationConfig") or {}).get("OnFailure", {}).get("Destination")
    return {
        "retries": found.get("MaximumRetryAttempts"),
        "dead letters": _end(failed),
    }


def _mapping(look: Look, account: Account) -> Reading:
    path = f"/2015-03-31/event-source-mappings/?FunctionName={percent_encode(look.name)}"
    found = yield from _get(account, "lambda", path, "lambda:ListEventSourceMappings")
    if isinstance(found, Result):
        return found
    for mapping in found.get("EventSourceMappings", ()):
        if _end(mapping.get("EventSourceArn")) == look.has["queue"]:
            return {
                "queue": look.has["queue"],
                "enabled": mapping.get("State") not in ("Disabled", "Disabling"),
                "batch": mapping.get("BatchSize"),
                "concurrency": (mapping.get("ScalingConfig") or {}).get("MaximumConcurrency"),
                "partial failures": "ReportBatchItemFailures"
                in (mapping.get("FunctionResponseTypes") or ()),
            }
    told = f"no mapping leads from the queue {look.has['queue']} to it"
    return Result(Outcome.NOT_FOUND, message=told)


def _queue(look: Look, account: Account) -> Reading:
    url = yield from url_of(account.endpoints["sqs"], look.name, account.view)
    if isinstance(url, Result):
        return url
    document = {"QueueUrl": url, "AttributeNames": ["All"]}
    found = yield from _post(account, "sqs", "GetQueueAttributes", document)
    if isinstance(found, Result):
        return found
    has = found.get("Attributes", {})
    redrive = json.loads(has.get("RedrivePolicy") or "{}")
    receives = redrive.get("maxReceiveCount")
    return {
        "visibility timeout": int(has.get("VisibilityTimeout", 30)),
        "retention": int(has.get("MessageRetentionPeriod", 345_600)),
        "dead letters": _end(redrive.get("deadLetterTargetArn")),
        "receives": None if receives is None else int(receives),
    }


def _rule(look: Look, account: Account) -> Reading:
    named = {"Name": look.name, "EventBusName": look.has["bus"]}
    found = yield from _post(account, "events", "DescribeRule", named)
    if isinstance(found, Result):
        return found
    of_bus = {"Rule": look.name, "EventBusName": look.has["bus"]}
    targets = yield from _post(account, "events", "ListTargetsByRule", of_bus)
    if isinstance(targets, Result):
        return targets
    pattern = found.get("EventPattern")
    return {
        "bus": look.has["bus"],
        "state": found.get("State"),
        "pattern": digest_of(None if pattern is None else json.loads(pattern)),
        "targets": sorted(str(_end(entry["Arn"])) for entry in targets.get("Targets", ())),
    }


def _schedule(look: Look, account: Account) -> Reading:
    path = f"/schedules/{percent_encode(look.name)}"
    found = yield from _get(account, "scheduler", path, "scheduler:GetSchedule")
    if isinstance(found, Result):
        return found
    return {
        "state": found.get("State"),
        "expression": found.get("ScheduleExpression"),
        "time zone": found.get("ScheduleExpressionTimezone") or "UTC",
        "target": _end((found.get("Target") or {}).get("Arn")),
    }


def _machine(look: Look, account: Account) -> Reading:
    arn = yield from machine_arn(account.endpoints["states"], look.name, account.view)
    if isinstance(arn, Result):
        return arn
    named = {"stateMachineArn": arn}
    found = yield from _post(account, "states", "DescribeStateMachine", named)
    if isinstance(found, Result):
        return found
    return {"type": found.get("type"), "definition": digest_of(json.loads(found["definition"]))}


def _end(arn: Any) -> str | None:
    """Return the name at the end of an ARN."""
    return None if arn is None else str(arn).rpartition(":")[2].rpartition("/")[2]


class Kind(NamedTuple):
    """How a kind of resource is read, and what of it nobody looks at."""

    read: Callable[[Look, Account], Reading]
    unseen: str = ""


KINDS: Final = MappingProxyType(
    {
        "settings of the function": Kind(_function, "code role permissions"),
        "retries of the function": Kind(_retries),
        "mapping of the function": Kind(_mapping),
        "queue": Kind(_queue, "policy"),
        "rule": Kind(_rule),
        "schedule": Kind(_schedule, "input role"),
        "state machine": Kind(_machine, "role"),
    }
)
