"""What there is of the resources of an app, for `leeward doctor --exported`.

Nothing is changed by it, and nothing is called. Each kind is read by the API that tells how it is
set up, and compared by the words of `leeward_deploy.aws.expectations`.

Source: the API references of `GetFunctionConfiguration`, `GetFunctionConcurrency`, `GetPolicy`,
`GetFunctionEventInvokeConfig`, `ListEventSourceMappings`, `GetQueueAttributes`, `DescribeRule`,
`ListTargetsByRule`, `GetSchedule`, `DescribeStateMachine`, `DescribeTable`, `DescribeTimeToLive`,
`DescribeContinuousBackups`, `GetBucketVersioning`, `GetPublicAccessBlock` and
`GetBucketNotificationConfiguration`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Generator, Mapping
from hashlib import sha256
from types import MappingProxyType
from typing import Any, Final, TypeAlias

from leeward.adapter.looking import compare, unless_forbidden
from leeward.adapter.plans import Plan, Planner, Step, View
from leeward.adapter.service import document_in, misread, object_of
from leeward.adapter.wire import Request, Response
from leeward.calls import Look, LookResult, Result
from leeward.errors import Outcome
from leeward.records import NamedTuple
from leeward.text import percent_encode
from leeward_aws.functions.messages import url_of
from leeward_aws.objects.plans import NO_BODY
from leeward_aws.service import REQUEST_ID, Endpoint, endpoint_of
from leeward_aws.settings.endpoints import ServiceName
from leeward_aws.settings.options import Settings
from leeward_aws.workflows.runs import machine_arn

Json = dict[str, Any]

Reading: TypeAlias = Generator[Step, Any, Any]

SERVICES: Final[tuple[ServiceName, ...]] = (
    *("lambda", "sqs", "events", "scheduler", "states", "dynamodb", "s3"),
)


class Unread(Exception):
    """A reading that a refusal has ended: what `leeward doctor` is to say of it."""

    def __init__(self, result: Result[Any]) -> None:
        super().__init__(result.message)
        self.result = result


class Account(NamedTuple):
    """Who answers a look: the endpoints of the services, and the view of the plan."""

    endpoints: Mapping[str, Endpoint]
    view: View


def resources(settings: Settings) -> dict[str, Planner]:
    """Return the planner that compares resources."""
    endpoints: dict[str, Endpoint] = {name: endpoint_of(name, settings) for name in SERVICES}

    def look_for(look: Look, view: View) -> Plan:
        kind = KINDS.get(look.type)
        if kind is None:
            return Result.ok(LookResult(None, f"a {look.type} is not compared", reached=False))
        try:
            properties = yield from kind.read(look, Account(endpoints, view))
        except Unread as ended:
            return ended.result
        return Result.ok(compare(look.has, properties, unseen=kind.unseen))

    return {"look_resource": look_for}


def digest_of(value: Any) -> str:
    """Return the beginning of the SHA-256 of a value as canonical JSON: it is long to be read."""
    return sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:12]


def _get(account: Account, service: str, path: str, right: str) -> Reading:
    """Read one thing by its path."""
    request = Request("GET", account.endpoints[service].origin, path)
    return (yield from _read(account, service, request, f"{service}:{right}"))


def _post(account: Account, service: str, operation: str, **document: Any) -> Reading:
    """Read one thing by an operation."""
    request = account.endpoints[service].request(operation, document)
    return (yield from _read(account, service, request, f"{service}:{operation}"))


def _read(
    account: Account,
    service: str,
    request: Request,
    right: str,
    read: Callable[[Response], Any] = object_of,
) -> Reading:
    steps = account.endpoints[service].service.exchange(request, account.view, effect=False)
    response, refusal = (yield from steps).as_look_up()
    if refusal is not None:
        raise Unread(unless_forbidden(refusal, response, right))
    try:
        return read(response) if response.body else {}
    except (ValueError, TypeError) as error:
        raise Unread(misread(response, error, request_id=REQUEST_ID)) from error


def _unwrap(answer: Any) -> Any:
    """Return what a step of another plan says; end the reading by its refusal."""
    if isinstance(answer, Result):
        raise Unread(answer)
    return answer


def _function(look: Look, account: Account) -> Reading:
    name = percent_encode(look.name)
    path = f"/2015-03-31/functions/{name}/configuration"
    function = yield from _get(account, "lambda", path, "GetFunctionConfiguration")
    path = f"/2019-09-30/functions/{name}/concurrency"
    limit = yield from _get(account, "lambda", path, "GetFunctionConcurrency")
    try:
        path = f"/2015-03-31/functions/{name}/policy"
        allowed = yield from _get(account, "lambda", path, "GetPolicy")
    except Unread as ended:
        if ended.result.code != "ResourceNotFoundException":
            raise
        allowed = {}
    statements = json.loads(allowed.get("Policy") or "{}").get("Statement", ())
    return {
        "handler": function.get("Handler"),
        "runtime": function.get("Runtime"),
        "architecture": (function.get("Architectures") or ["x86_64"])[0],
        "memory": function.get("MemorySize"),
        "timeout": function.get("Timeout"),
        "reserved concurrency": limit.get("ReservedConcurrentExecutions"),
        "role": _end(function.get("Role")),
        "callers": sorted({str(statement["Principal"].get("Service")) for statement in statements}),
        "variable": (function.get("Environment") or {}).get("Variables", {}),
    }


def _retries(look: Look, account: Account) -> Reading:
    path = f"/2019-09-25/functions/{percent_encode(look.name)}/event-invoke-config"
    document = yield from _get(account, "lambda", path, "GetFunctionEventInvokeConfig")
    failed = (document.get("DestinationConfig") or {}).get("OnFailure", {}).get("Destination")
    return {"retries": document.get("MaximumRetryAttempts"), "dead letters": _end(failed)}


def _mapping(look: Look, account: Account) -> Reading:
    path = f"/2015-03-31/event-source-mappings/?FunctionName={percent_encode(look.name)}"
    document = yield from _get(account, "lambda", path, "ListEventSourceMappings")
    for mapping in document.get("EventSourceMappings", ()):
        if _end(mapping.get("EventSourceArn")) == look.has["queue"]:
            types = mapping.get("FunctionResponseTypes") or ()
            return {
                "queue": look.has["queue"],
                "enabled": mapping.get("State") not in ("Disabled", "Disabling"),
                "batch": mapping.get("BatchSize"),
                "concurrency": (mapping.get("ScalingConfig") or {}).get("MaximumConcurrency"),
                "partial failures": "ReportBatchItemFailures" in types,
            }
    problem = f"no mapping leads from the queue {look.has['queue']} to it"
    raise Unread(Result(Outcome.NOT_FOUND, message=problem))


def _queue(look: Look, account: Account) -> Reading:
    url = _unwrap((yield from url_of(account.endpoints["sqs"], look.name, account.view)))
    named = {"QueueUrl": url, "AttributeNames": ["All"]}
    document = yield from _post(account, "sqs", "GetQueueAttributes", **named)
    has = document.get("Attributes", {})
    redrive = json.loads(has.get("RedrivePolicy") or "{}")
    receives = redrive.get("maxReceiveCount")
    policy = json.loads(has.get("Policy") or "{}").get("Statement", ())
    denied = [statement.get("Action") for statement in policy if statement.get("Effect") == "Deny"]
    return {
        "visibility timeout": int(has.get("VisibilityTimeout", 30)),
        "retention": int(has.get("MessageRetentionPeriod", 345_600)),
        "dead letters": _end(redrive.get("deadLetterTargetArn")),
        "receives": None if receives is None else int(receives),
        "deletion denied": "sqs:DeleteQueue" in denied,
    }


def _rule(look: Look, account: Account) -> Reading:
    bus = look.has["bus"]
    rule = yield from _post(account, "events", "DescribeRule", Name=look.name, EventBusName=bus)
    named = {"Rule": look.name, "EventBusName": bus}
    targets = yield from _post(account, "events", "ListTargetsByRule", **named)
    pattern = rule.get("EventPattern")
    return {
        "bus": bus,
        "state": rule.get("State"),
        "pattern": digest_of(None if pattern is None else json.loads(pattern)),
        "targets": sorted(str(_end(entry["Arn"])) for entry in targets.get("Targets", ())),
    }


def _schedule(look: Look, account: Account) -> Reading:
    path = f"/schedules/{percent_encode(look.name)}"
    schedule = yield from _get(account, "scheduler", path, "GetSchedule")
    return {
        "state": schedule.get("State"),
        "expression": schedule.get("ScheduleExpression"),
        "time zone": schedule.get("ScheduleExpressionTimezone") or "UTC",
        "target": _end((schedule.get("Target") or {}).get("Arn")),
    }


def _machine(look: Look, account: Account) -> Reading:
    arn = _unwrap((yield from machine_arn(account.endpoints["states"], look.name, account.view)))
    machine = yield from _post(account, "states", "DescribeStateMachine", stateMachineArn=arn)
    return {"type": machine.get("type"), "definition": digest_of(json.loads(machine["definition"]))}


def _table(look: Look, account: Account) -> Reading:
    named = {"TableName": look.name}
    table = (yield from _post(account, "dynamodb", "DescribeTable", **named))["Table"]
    expiry = yield from _post(account, "dynamodb", "DescribeTimeToLive", **named)
    backups = yield from _post(account, "dynamodb", "DescribeContinuousBackups", **named)
    described = expiry.get("TimeToLiveDescription", {})
    is_on = described.get("TimeToLiveStatus") in ("ENABLED", "ENABLING")
    recovery = backups["ContinuousBackupsDescription"].get("PointInTimeRecoveryDescription", {})
    return {
        "key": [field["AttributeName"] for field in table["KeySchema"]],
        "expiry": described.get("AttributeName") if is_on else None,
        "deletion protection": bool(table.get("DeletionProtectionEnabled")),
        "point-in-time recovery": recovery.get("PointInTimeRecoveryStatus") == "ENABLED",
    }


def _bucket(look: Look, account: Account) -> Reading:
    def ask(what: str, right: str) -> Reading:
        target = f"/{percent_encode(look.name)}?{what}"
        request = Request("GET", account.endpoints["s3"].origin, target, (NO_BODY,))
        read = yield from _read(account, "s3", request, right, lambda got: document_in(got.body))
        return read

    versioning = yield from ask("versioning", "s3:GetBucketVersioning")
    nodes = yield from ask("notification", "s3:GetBucketNotification")
    try:
        public = yield from ask("publicAccessBlock", "s3:GetBucketPublicAccessBlock")
        blocks = [node.text for node in public]
    except Unread as ended:
        if ended.result.code != "NoSuchPublicAccessBlockConfiguration":
            raise
        blocks = []
    return {
        "versioning": versioning.findtext("Status"),
        "public access": "blocked" if blocks == ["true"] * 4 else "open",
        "notifications": sorted(
            f"{node.findtext('Filter/S3Key/FilterRule/Value') or ''}* to "
            f"{_end(node.findtext('Queue') or node.findtext('CloudFunction'))}"
            for node in nodes
        ),
    }


def _end(arn: Any) -> str | None:
    """Return the name at the end of an ARN."""
    return None if arn is None else str(arn).rpartition(":")[2].rpartition("/")[2]


class Kind(NamedTuple):
    """How a kind of resource is read, and what of it nobody looks at."""

    read: Callable[[Look, Account], Reading]
    unseen: str = ""


KINDS: Final = MappingProxyType(
    {
        "settings of the function": Kind(_function, "code permissions"),
        "retries of the function": Kind(_retries),
        "mapping of the function": Kind(_mapping),
        "queue": Kind(_queue),
        "rule": Kind(_rule),
        "schedule": Kind(_schedule, "input role"),
        "state machine": Kind(_machine, "role"),
        "settings of the table": Kind(_table),
        "settings of the bucket": Kind(_bucket),
    }
)
