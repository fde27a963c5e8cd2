"""The handlers of an app in one region, as CloudFormation has them: functions, queues, triggers.

Buses, tables and buckets have lives of their own: here they are named, and not made. What has
failed in its last attempt is kept: of a queue in its dead-letter queue, of everything else in that
of the handler.

Sources: the CloudFormation reference of Lambda, SQS, EventBridge, Scheduler and IAM; in Lambda's
developer guide "Using Lambda with Amazon SQS" (the visibility timeout is six times that of the
function) and "Configuring error handling settings for asynchronous invocation"; "Schedule types in
EventBridge Scheduler".
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any, Final, NamedTuple

from leeward.app.kit import Handler, Kind, parse_schedule
from leeward.errors import ConfigError
from leeward.values import NOTHING
from leeward_aws.runtime.call import OWN_SCHEDULE
from leeward_deploy.aws import objects
from leeward_deploy.aws.roles import (
    DEFAULT_BUS,
    RECEIVE,
    allow,
    arn,
    arn_of,
    bus_id,
    check_names,
    check_order,
    function_role,
    logical,
    may_invoke,
    may_scan,
    may_send,
    of_app,
    own_name,
    queue_arn,
    resource,
    role,
)
from leeward_deploy.needs import (
    ORDERED,
    bucket_of,
    dead_queue,
    is_queued,
    retries_of,
    seconds_of,
    shorten,
)
from leeward_deploy.recipe import PackageSpec, Site

Json = dict[str, Any]

LONGEST: Final = 900
"""Seconds of a function. Source: "Lambda quotas"."""

MOST_RETRIES: Final = 2
"""Of an asynchronous call."""

RETENTION: Final = 14 * 24 * 3600
"""Seconds that a dead letter is kept: the longest that SQS does."""

MEMORY: Final = 256
"""Megabytes."""

CODE: Final = "aws.zip"
"""The package, beside the template, from where it is uploaded."""

HANDLER: Final = "handler.lambda_handler"

INPUT: Final = {
    "source": OWN_SCHEDULE,
    "schedule": "",
    "time": "<aws.scheduler.scheduled-time>",
    "attempt": "<aws.scheduler.attempt-number>",
}
"""What a schedule tells its handler; Scheduler fills in what stands in angle brackets."""


def scheduler_expression(text: str) -> str:
    """Return a crontab's line as an expression of Scheduler."""
    found = parse_schedule(text)
    days = _crontab_field(found.days, 1, 31)
    weekdays = _crontab_field({weekday + 1 for weekday in found.weekdays}, 1, 7, steps=False)
    if weekdays == "*":
        weekdays = "?"
    else:
        days = "?"
    parts = (
        _crontab_field(found.minutes, 0, 59),
        _crontab_field(found.hours, 0, 23),
        days,
        _crontab_field(found.months, 1, 12),
        weekdays,
        "*",
    )
    return f"cron({' '.join(parts)})"


def _crontab_field(values: Iterable[int], first: int, last: int, *, steps: bool = True) -> str:
    """Return values as a field: all, steps to the end, or a list of single ones and ranges."""
    ordered = sorted(values)
    if ordered == [*range(first, last + 1)]:
        return "*"
    if steps and len(ordered) > 2:
        begin, step = ordered[0], ordered[1] - ordered[0]
        if step > 1 and ordered == [*range(begin, last + 1, step)]:
            return f"{begin}/{step}"
    runs: list[list[int]] = []
    for each in ordered:
        if runs and each == runs[-1][-1] + 1:
            runs[-1].append(each)
        else:
            runs.append([each])
    return ",".join(f"{run[0]}-{run[-1]}" if len(run) > 1 else str(run[0]) for run in runs)


class AwsRegion(NamedTuple):
    """An app in one region.

    Attributes:
        spec: with the app, and with the names of what it uses there.
        name: such as ``us-east-1``; empty for that of the stack.
        standby: it takes over, and runs no schedules until then.
        reserved: how many runs of a function are kept free for it; None for the account's pool.
        homes: the region of each table, by its own name, where that is another one.
        buses: own names of those that are made in the same template.
        elsewhere: own names of the buckets of other regions, which tell handlers there; and names
            of those of other providers.
        others: further regions that the app runs in, where its calls may go, too.
    """

    spec: PackageSpec
    name: str = ""
    standby: bool = False
    reserved: int | None = None
    homes: Mapping[str, str] = NOTHING
    buses: tuple[str, ...] = ()
    elsewhere: frozenset[str] = frozenset()
    others: tuple[Site, ...] = ()


def resources_of(region: AwsRegion) -> Json:
    """Return what the handlers need, by logical ids.

    Raises:
        ConfigError: a handler wants more time than Lambda gives, or two would have one id.
    """
    found: Json = {}
    for handler in region.spec.app.handlers.values():
        made = _of_handler(region, handler)
        if found.keys() & made.keys():
            raise ConfigError(
                f"the name {handler.name!r} is that of another handler, but for hyphens and "
                "capitals, "
                "which CloudFormation takes for the same; rename one"
            )
        found |= made
    check_names(found)
    return found


def _of_handler(region: AwsRegion, handler: Handler) -> Json:
    spec, seconds = region.spec, seconds_of(handler)
    if seconds > LONGEST:
        raise ConfigError(
            f"the handler {handler.name!r} has a timeout of {seconds} s, and Lambda gives "
            f"{LONGEST} s; make it a workflow, or run it elsewhere"
        )
    if is_queued(handler):
        found, statements = _queue(spec, handler, seconds)
    else:
        dead = _dead(spec, handler)
        check_order(dead, ordered=False, told=f"what Lambda cannot bring to {handler.name!r} keeps")
        found = {f"{logical(handler.name)}DeadQueue": _dead_sqs(dead)}
        statements = [allow(["sqs:SendMessage"], queue_arn(dead))]
        if handler.kind is Kind.SCHEDULE:
            found |= _schedule(region, handler)
        elif handler.kind is Kind.EVENT:
            found |= _rule(region, handler)
    id, function = logical(handler.name), own_name(spec, handler)
    is_told = bucket_of(spec.declared, handler) not in region.elsewhere
    if handler.kind is Kind.OBJECT and is_told:
        found |= objects.may_tell(spec, handler, id)
        statements += objects.rights(spec, handler)
    if handler.scans is not None:
        statements.append(may_scan(spec.declared, handler.scans, region.homes))
    rights = of_app(spec.declared, region.homes, region.others, _queues(spec))
    found[f"{id}Role"] = function_role(function, [*statements, *rights])
    variables = {"LEEWARD_FUNCTION": handler.name}
    if not spec.declared.ordered:
        variables["CLOUD_PROVIDER"] = spec.declared.order or "aws"
    found[id] = resource(
        "Lambda::Function",
        FunctionName=function,
        Code=CODE,
        Handler=HANDLER,
        Runtime=f"python{spec.python}",
        Architectures=[spec.arch],
        MemorySize=MEMORY,
        Timeout=seconds,
        Role=arn_of(f"{id}Role"),
        Environment={"Variables": variables},
        ReservedConcurrentExecutions=region.reserved,
    )
    found[f"{id}Retries"] = _asynchronous(handler)
    return found


def _queue(spec: PackageSpec, handler: Handler, seconds: int) -> tuple[Json, list[Json]]:
    """Return the queues of a handler of messages with its trigger, and what it may do with them."""
    queue, id = handler.queue or handler.name, logical(handler.name)
    dead = dead_queue(handler, queue, spec.entry.options)
    check_order(dead.name, ordered=queue.endswith(ORDERED), told=f"the queue {queue!r} keeps")
    own: Json = {
        "VisibilityTimeout": 6 * seconds,
        "RedrivePolicy": {
            "deadLetterTargetArn": arn_of(f"{id}DeadQueue"),
            "maxReceiveCount": dead.deliveries,
        },
    }
    found = {f"{id}Queue": _sqs(queue, own), f"{id}DeadQueue": _dead_sqs(dead.name)}
    found[f"{id}Messages"] = resource(
        "Lambda::EventSourceMapping",
        EventSourceArn=arn_of(f"{id}Queue"),
        FunctionName={"Ref": id},
        BatchSize=10,
        # Without this, messages that have failed are taken for done, and are gone.
        FunctionResponseTypes=["ReportBatchItemFailures"],
    )
    later = ["sqs:ChangeMessageVisibility"] if dead.by_leeward else []
    find = ["sqs:GetQueueUrl"] if dead.by_leeward else []
    return found, [
        allow([*RECEIVE, *later, *find], queue_arn(queue)),
        allow(["sqs:SendMessage", *find], queue_arn(dead.name)),
    ]


def _schedule(region: AwsRegion, handler: Handler) -> Json:
    """Return the schedule of a handler, and the role by which Scheduler calls it."""
    spec, id = region.spec, logical(handler.name)
    rights = [
        allow(["lambda:InvokeFunction"], arn("lambda", f"function:{own_name(spec, handler)}")),
        allow(["sqs:SendMessage"], queue_arn(_dead(spec, handler))),
    ]
    schedule = resource(
        "Scheduler::Schedule",
        Name=shorten(f"{spec.app.name}-{handler.name}", 64),
        ScheduleExpression=scheduler_expression(str(handler.schedule)),
        ScheduleExpressionTimezone="UTC",
        FlexibleTimeWindow={"Mode": "OFF"},
        # Two regions would do everything twice.
        State="DISABLED" if region.standby else "ENABLED",
        Target={
            "Arn": arn_of(id),
            "RoleArn": arn_of(f"{id}ScheduleRole"),
            "Input": json.dumps({**INPUT, "schedule": handler.name}),
            "RetryPolicy": {"MaximumRetryAttempts": 3, "MaximumEventAgeInSeconds": 3600},
            "DeadLetterConfig": {"Arn": arn_of(f"{id}DeadQueue")},
        },
    )
    return {
        f"{id}Schedule": schedule,
        f"{id}ScheduleRole": role("scheduler.amazonaws.com", rights, of_account=True),
    }


def _rule(region: AwsRegion, handler: Handler) -> Json:
    """Return the rule that hands events to a handler, and what it may do."""
    spec = region.spec
    id, dead = logical(handler.name), _dead(spec, handler)
    bus = spec.declared.buses.get(str(handler.bus), str(handler.bus))
    name = shorten(f"{spec.app.name}-{handler.name}", 64)
    own = bus.rpartition("/")[2]
    # In the ARN of a rule, the bus that every account has is not named.
    source = arn("events", f"rule/{name}" if own == DEFAULT_BUS else f"rule/{own}/{name}")
    # The source is never empty, so this prefix is that of every event.
    pattern = {"detail-type": [handler.type]} if handler.type else {"source": [{"prefix": ""}]}
    rule = resource(
        "Events::Rule",
        Name=name,
        EventBusName={"Ref": bus_id(bus)} if bus in region.buses else bus,
        EventPattern=pattern,
        Targets=[
            {
                "Id": "handler",
                "Arn": arn_of(id),
                "DeadLetterConfig": {"Arn": arn_of(f"{id}DeadQueue")},
            }
        ],
    )
    condition = {"ArnEquals": {"aws:SourceArn": source}}
    return {
        f"{id}Event": rule,
        f"{id}EventPermission": may_invoke(id, "events.amazonaws.com", source),
        f"{id}DeadQueuePolicy": may_send(f"{id}DeadQueue", "events.amazonaws.com", dead, condition),
    }


def _dead(spec: PackageSpec, handler: Handler) -> str:
    """Return the queue of what a handler has failed with that Lambda calls."""
    return dead_queue(handler, handler.name, spec.entry.options).name


def _asynchronous(handler: Handler) -> Json:
    """Return how often Lambda runs a handler again, and where it puts what has failed.

    That holds for a handler of messages too: calls come this way from clients that do not know of
    its queue.
    """
    letters = None
    if not str(handler.queue).endswith(ORDERED):  # a queue that keeps an order cannot be one
        dead = arn_of(f"{logical(handler.name)}DeadQueue")
        letters = {"OnFailure": {"Destination": dead}}
    return resource(
        "Lambda::EventInvokeConfig",
        FunctionName={"Ref": logical(handler.name)},
        Qualifier="$LATEST",
        MaximumRetryAttempts=retries_of(handler, MOST_RETRIES),
        DestinationConfig=letters,
    )


def _dead_sqs(name: str) -> Json:
    return _sqs(name, {"MessageRetentionPeriod": RETENTION})


def _sqs(name: str, properties: Json) -> Json:
    ordered = True if name.endswith(ORDERED) else None
    return resource(
        "SQS::Queue", QueueName=name, SqsManagedSseEnabled=True, FifoQueue=ordered, **properties
    )


def notes(spec: PackageSpec) -> tuple[str, ...]:
    """Return what cannot be said of the handlers, and what clients have to know of them."""
    untold = sorted(_queues(spec) - {*spec.declared.queues})
    queues = (
        f"{each}: a client puts calls into this queue if it is opened with the app, or if "
        f"leeward.toml has `queue = true` in [functions.{each}]; any other client calls the Lambda "
        "function of this name, past the queue"
        for each in untold
    )
    retries = (
        f"{handler.name}: {handler.retries} retries are wanted, and an asynchronous call of "
        f"Lambda has {MOST_RETRIES} at most"
        for handler in spec.app.handlers.values()
        if not is_queued(handler) and (handler.retries or 0) > MOST_RETRIES
    )
    return (*queues, *retries)


def _queues(spec: PackageSpec) -> set[str]:
    """Return the queues of messages, as leeward.toml or the app has them."""
    own = {handler.queue for handler in spec.app.handlers.values() if handler.queue}
    return own | {*spec.declared.queues}
