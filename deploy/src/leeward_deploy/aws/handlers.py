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
from leeward_deploy.aws import alarms, objects
from leeward_deploy.aws.roles import (
    DEFAULT_BUS,
    RECEIVE,
    allow,
    arn,
    arn_for,
    arn_of,
    bus_id,
    check_names,
    check_order,
    function_role,
    logical,
    may_invoke,
    may_send,
    of_app,
    own_name,
    queue_arn,
    resource,
    role,
)
from leeward_deploy.needs import (
    ORDERED,
    DeadQueue,
    bucket_of,
    dead_queue,
    is_queued,
    retries_of,
    seconds_of,
    shorten,
    stem,
)
from leeward_deploy.recipe import PackageSpec, Rights, Site, rights_for, widenings

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
        reserved: how many runs of each function that is called are kept free for it; None for the
            account's pool.
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
    id = logical(handler.name)
    if is_queued(handler):
        found, statements = _queue(spec, handler, seconds)
    else:
        dead = _dead(spec, handler)
        check_order(dead, ordered=False, told=f"what Lambda cannot bring to {handler.name!r} keeps")
        found = {f"{id}DeadQueue": _dead_sqs(dead)}
        statements = [allow(["sqs:SendMessage"], queue_arn(dead))]
        if handler.kind is Kind.SCHEDULE:
            found |= _schedule(region, handler)
        elif handler.kind is Kind.EVENT:
            found |= _rule(region, handler)
    is_told = bucket_of(spec.declared, handler) not in region.elsewhere
    if handler.kind is Kind.OBJECT and is_told:
        found |= objects.may_tell(spec, handler, id)
        statements += objects.rights(spec, handler)
    if table := handler.uses.get("scans"):
        own = spec.declared.tables.get(table) or spec.declared.usual(table)
        scanned = arn_for("dynamodb", "table/", own, region.homes)
        statements.append(allow(["dynamodb:Scan"], scanned))
    rights = _with_prefixes(rights_for(spec, handler.name), handler)
    calls = of_app(rights, spec.declared, region.homes, region.others, queues_of(spec))
    found |= function_of(
        region,
        Lambda(id, own_name(spec, handler), handler.name, seconds, _reserve(region, handler)),
        [*statements, *calls],
    )
    found[f"{id}Retries"] = _asynchronous(handler)
    if spec.settings.alarms:
        found |= alarms.dead_letter_alarm(f"{id}DeadQueue", _title(spec, handler.name))
    return found


def _with_prefixes(rights: Rights, handler: Handler) -> Rights:
    """Return rights without those to write where the app says under which prefix it does.

    There it may also read, by a right of its own; elsewhere in the bucket it may if its code does.
    """
    places = frozenset(each.bucket for each in handler.writes)
    return rights._replace(puts=rights.puts - places)


class Lambda(NamedTuple):
    """A function that is to be made.

    Attributes:
        id: its logical one.
        name: by which it is called.
        deployment: what runs in it: a handler, or the answer for the health.
        seconds: that it may take.
        reserved: runs at one time that are kept free for it, and are its limit; None for none.
    """

    id: str
    name: str
    deployment: str
    seconds: int
    reserved: int | None = None


def function_of(region: AwsRegion, made: Lambda, statements: list[Json]) -> Json:
    """Return a function with its log, its role and its alarms."""
    spec, own, id = region.spec, region.spec.settings.of(made.deployment), made.id
    role = spec.settings.role_of(made.deployment, arn=True)
    variables = {"LEEWARD_FUNCTION": made.deployment}
    if not spec.declared.ordered:
        variables["CLOUD_PROVIDER"] = spec.declared.order or "aws"
    if spec.settings.stage:
        variables["LEEWARD_STAGE"] = spec.settings.stage
    found: Json = {f"{id}Log": alarms.log_group(f"/aws/lambda/{made.name}", spec.settings.log_days)}
    if role is None:
        found[f"{id}Role"] = function_role(made.name, statements, traces=spec.settings.tracing)
    found[id] = resource(
        "Lambda::Function",
        FunctionName=made.name,
        Description=f"{made.deployment} of the app {spec.app.name}",
        Code=CODE,
        Handler=HANDLER,
        Runtime=f"python{spec.python}",
        Architectures=[spec.arch],
        MemorySize=own.memory or MEMORY,
        Timeout=made.seconds,
        Role=role or arn_of(f"{id}Role"),
        Environment={"Variables": variables},
        LoggingConfig={"LogFormat": "Text", "LogGroup": {"Ref": f"{id}Log"}},
        TracingConfig={"Mode": "Active"} if spec.settings.tracing else None,
        ReservedConcurrentExecutions=made.reserved,
    )
    if spec.settings.alarms:
        found |= alarms.function_alarms(id, _title(spec, made.deployment))
    return found


def _reserve(region: AwsRegion, handler: Handler) -> int | None:
    """Return the runs that are kept free for a function, and are its limit.

    A consumer has its limit at the queue: what is reserved would starve the others, and throttled
    messages would use up their attempts.
    """
    settings = region.spec.settings
    if is_queued(handler):
        return None
    own = settings.of(handler.name).concurrency or settings.limit
    return region.reserved if own is None and handler.kind is Kind.CALL else own


def _queue(spec: PackageSpec, handler: Handler, seconds: int) -> tuple[Json, list[Json]]:
    """Return the queues of a handler of messages with its trigger, and what it may do with them."""
    queue, id, settings = handler.queue or handler.name, logical(handler.name), spec.settings
    dead = _dead_of(spec, handler, queue)
    own = spec.declared.own(queue)
    is_there = settings.is_there("queues", queue)
    check_order(dead.name, ordered=queue.endswith(ORDERED), told=f"the queue {queue!r} keeps")
    has: Json = {
        "VisibilityTimeout": 6 * seconds,
        "RedrivePolicy": {
            "deadLetterTargetArn": arn_of(f"{id}DeadQueue"),
            "maxReceiveCount": dead.deliveries,
        },
    }
    source = queue_arn(own) if is_there else arn_of(f"{id}Queue")
    found = {} if is_there else {f"{id}Queue": _sqs(own, has)}
    found[f"{id}DeadQueue"] = _dead_sqs(dead.name)
    most = settings.of(handler.name).concurrency or settings.concurrency
    found[f"{id}Messages"] = resource(
        "Lambda::EventSourceMapping",
        EventSourceArn=source,
        FunctionName={"Ref": id},
        BatchSize=10,
        # Without this, messages that have failed are taken for done, and are gone.
        FunctionResponseTypes=["ReportBatchItemFailures"],
        ScalingConfig=None if most is None else {"MaximumConcurrency": most},
    )
    if settings.alarms:
        name = own if is_there else {"Fn::GetAtt": [f"{id}Queue", "QueueName"]}
        found |= alarms.age_alarm(id, _title(spec, handler.name), name, 2 * 6 * seconds)
    later = ["sqs:ChangeMessageVisibility"] if dead.by_leeward else []
    find = ["sqs:GetQueueUrl"] if dead.by_leeward else []
    return found, [
        allow([*RECEIVE, *later, *find], queue_arn(own)),
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
        Name=shorten(_title(spec, handler.name), 64),
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
    bus = spec.declared.buses.get(str(handler.bus)) or spec.declared.usual(str(handler.bus))
    name = shorten(_title(spec, handler.name), 64)
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


def _title(spec: PackageSpec, handler: str) -> str:
    """Return the name of a trigger or an alarm of a handler: nobody but people need it."""
    return f"{stem(spec)}{handler}"


def _dead(spec: PackageSpec, handler: Handler) -> str:
    """Return the queue of what a handler has failed with that Lambda calls."""
    return _dead_of(spec, handler, handler.name).name


def _dead_of(spec: PackageSpec, handler: Handler, queue: str) -> DeadQueue:
    """Return the queue of dead letters; one that the entry file names by its URL is called so."""
    named = spec.entry.options.get("dead_letters") or {}
    found = dead_queue(handler, queue, spec.entry.options)
    own = str(named.get(handler.name) or named.get(queue))
    return found if ":" in own else found._replace(name=spec.declared.usual(found.name))


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
    untold = sorted(queues_of(spec) - {*spec.declared.queues})
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
    roles = (
        f"{name}: runs as {role}, which is yours: it has to allow what the handler uses, its "
        "log and its queue of dead letters"
        for name in spec.settings.handlers
        if (role := spec.settings.role_of(name, arn=True))
    )
    there = (
        f"{queue}: is there already, so its visibility timeout has to be "
        f"{6 * seconds_of(handler)} s at least, and its dead letters go where it says"
        for handler in spec.app.handlers.values()
        for queue in [handler.queue or handler.name]
        if is_queued(handler) and spec.settings.is_there("queues", queue)
    )
    return (*queues, *retries, *roles, *there, *widenings(spec), *spec.notes)


def queues_of(spec: PackageSpec) -> set[str]:
    """Return the queues of messages, as leeward.toml or the app has them."""
    own = {handler.queue for handler in spec.app.handlers.values() if handler.queue}
    return own | {*spec.declared.queues}
