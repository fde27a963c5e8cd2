"""The handlers of an app in one region, as CloudFormation has them: functions, queues, triggers.

Buses, tables and buckets have lives of their own: here they are named, and not made. What has
failed in its last attempt is kept: of a queue in its dead-letter queue, of everything else in that
of the handler.

Sources: the CloudFormation reference of Lambda, SQS, EventBridge, Scheduler and IAM; in Lambda's
developer guide "Using Lambda with Amazon SQS" (the visibility timeout is six times that of the
function) and "Configuring error handling settings for asynchronous invocation".
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from leeward.app.kit import Handler, Kind
from leeward.errors import ConfigError
from leeward.values import NOTHING
from leeward_aws.runtime.call import OWN_SCHEDULE
from leeward_deploy.aws import objects
from leeward_deploy.aws.crontab import expression
from leeward_deploy.aws.names import (
    DEFAULT_BUS,
    bus_id,
    check_names,
    check_order,
    logical,
    own_name,
)
from leeward_deploy.aws.roles import (
    RECEIVE,
    allow,
    arn,
    function_role,
    may_scan,
    of_app,
    queue_arn,
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
    shortened,
)
from leeward_deploy.recipe import Site, Wish

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


class Region(NamedTuple):
    """An app in one region.

    Attributes:
        wish: with the app, and with the names of what it uses there.
        name: such as ``us-east-1``; empty for that of the stack.
        standby: it takes over, and runs no schedules until then.
        reserved: how many runs of a function are kept free for it; None for the account's pool.
        homes: the region of each table, by its own name, where that is another one.
        buses: own names of those that are made in the same template.
        elsewhere: own names of the buckets of other regions, which tell handlers there; and names
            of those of other providers.
        others: further regions that the app runs in, where its calls may go, too.
    """

    wish: Wish
    name: str = ""
    standby: bool = False
    reserved: int | None = None
    homes: Mapping[str, str] = NOTHING
    buses: tuple[str, ...] = ()
    elsewhere: frozenset[str] = frozenset()
    others: tuple[Site, ...] = ()


def resources_of(region: Region) -> Json:
    """Return what the handlers need, by logical ids.

    Raises:
        ConfigError: a handler wants more time than Lambda gives, or two would have one id.
    """
    found: Json = {}
    for each in region.wish.app.handlers.values():
        made = _of_handler(region, each)
        if found.keys() & made.keys():
            raise ConfigError(
                f"the name {each.name!r} is that of another handler, but for hyphens and capitals, "
                "which CloudFormation takes for the same; rename one"
            )
        found |= made
    check_names(found)
    return found


def resource(type: str, /, **properties: Any) -> Json:
    """Return a resource of CloudFormation; a property that is None is left out."""
    given = {name: value for name, value in properties.items() if value is not None}
    return {"Type": f"AWS::{type}", "Properties": given}


def arn_of(id: str) -> Json:
    """Return the ARN of a resource of the same template."""
    return {"Fn::GetAtt": [id, "Arn"]}


def _of_handler(region: Region, handler: Handler) -> Json:
    wish, seconds = region.wish, seconds_of(handler)
    if seconds > LONGEST:
        raise ConfigError(
            f"the handler {handler.name!r} has a timeout of {seconds} s, and Lambda gives "
            f"{LONGEST} s; make it a workflow, or run it elsewhere"
        )
    if is_queued(handler):
        found, statements = _queue(wish, handler, seconds)
    else:
        dead = _dead(wish, handler)
        check_order(dead, ordered=False, told=f"what Lambda cannot bring to {handler.name!r} keeps")
        found = {f"{logical(handler.name)}DeadQueue": _dead_sqs(dead)}
        statements = [allow(["sqs:SendMessage"], queue_arn(dead))]
        found |= _trigger(region, handler)
    id, function = logical(handler.name), own_name(wish, handler)
    is_told = bucket_of(wish.declared, handler) not in region.elsewhere
    if handler.kind is Kind.OBJECT and is_told:
        found |= objects.may_tell(wish, handler, id)
        statements += objects.rights(wish, handler)
    if handler.scans is not None:
        statements.append(may_scan(wish.declared, handler.scans, region.homes))
    rights = of_app(wish.declared, region.homes, region.others, _queues(wish))
    found[f"{id}Role"] = function_role(function, [*statements, *rights])
    found[id] = resource(
        "Lambda::Function",
        FunctionName=function,
        Code=CODE,
        Handler=HANDLER,
        Runtime=f"python{wish.python}",
        Architectures=[wish.arch],
        MemorySize=MEMORY,
        Timeout=seconds,
        Role=arn_of(f"{id}Role"),
        Environment={"Variables": _variables(wish, handler)},
        ReservedConcurrentExecutions=region.reserved,
    )
    found[f"{id}Retries"] = _asynchronous(handler)
    return found


def _queue(wish: Wish, handler: Handler, seconds: int) -> tuple[Json, list[Json]]:
    """Return the queues of a handler of messages with its trigger, and what it may do with them."""
    queue, id = handler.queue or handler.name, logical(handler.name)
    dead = dead_queue(handler, queue, wish.entry.options)
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
    return found, _queue_rights(queue, dead)


def _queue_rights(queue: str, dead: DeadQueue) -> list[Json]:
    if not dead.by_leeward:
        send = allow(["sqs:SendMessage"], queue_arn(dead.name))
        return [allow(RECEIVE, queue_arn(queue)), send]
    return [
        allow([*RECEIVE, "sqs:ChangeMessageVisibility", "sqs:GetQueueUrl"], queue_arn(queue)),
        allow(["sqs:SendMessage", "sqs:GetQueueUrl"], queue_arn(dead.name)),
    ]


def _trigger(region: Region, handler: Handler) -> Json:
    """Return what calls a handler: a schedule, a rule, or nothing."""
    if handler.kind is Kind.SCHEDULE:
        return _schedule(region, handler)
    return _rule(region, handler) if handler.kind is Kind.EVENT else {}


def _schedule(region: Region, handler: Handler) -> Json:
    """Return the schedule of a handler, and the role by which Scheduler calls it."""
    wish, id = region.wish, logical(handler.name)
    rights = [
        allow(["lambda:InvokeFunction"], arn("lambda", f"function:{own_name(wish, handler)}")),
        allow(["sqs:SendMessage"], queue_arn(_dead(wish, handler))),
    ]
    schedule = resource(
        "Scheduler::Schedule",
        Name=shortened(f"{wish.app.name}-{handler.name}", 64),
        ScheduleExpression=expression(str(handler.schedule)),
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


def _rule(region: Region, handler: Handler) -> Json:
    """Return the rule that hands events to a handler, and what it may do."""
    wish = region.wish
    id, dead = logical(handler.name), _dead(wish, handler)
    bus = wish.declared.buses.get(str(handler.bus), str(handler.bus))
    name = shortened(f"{wish.app.name}-{handler.name}", 64)
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
    may_call = resource(
        "Lambda::Permission",
        Action="lambda:InvokeFunction",
        FunctionName={"Ref": id},
        Principal="events.amazonaws.com",
        SourceArn=source,
    )
    return {
        f"{id}Event": rule,
        f"{id}EventPermission": may_call,
        f"{id}DeadQueuePolicy": _rule_may_send(f"{id}DeadQueue", dead, source),
    }


def _dead(wish: Wish, handler: Handler) -> str:
    """Return the queue of what a handler has failed with that Lambda calls."""
    return dead_queue(handler, handler.name, wish.entry.options).name


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


def _rule_may_send(id: str, queue: str, rule: Json) -> Json:
    """Return a policy of a queue: one rule may put there what it could not deliver."""
    statement = {
        "Effect": "Allow",
        "Principal": {"Service": "events.amazonaws.com"},
        "Action": "sqs:SendMessage",
        "Resource": queue_arn(queue),
        "Condition": {"ArnEquals": {"aws:SourceArn": rule}},
    }
    document = {"Version": "2012-10-17", "Statement": [statement]}
    return resource("SQS::QueuePolicy", Queues=[{"Ref": id}], PolicyDocument=document)


def _dead_sqs(name: str) -> Json:
    return _sqs(name, {"MessageRetentionPeriod": RETENTION})


def _sqs(name: str, properties: Json) -> Json:
    ordered = True if name.endswith(ORDERED) else None
    return resource(
        "SQS::Queue", QueueName=name, SqsManagedSseEnabled=True, FifoQueue=ordered, **properties
    )


def _variables(wish: Wish, handler: Handler) -> Json:
    found = {"LEEWARD_FUNCTION": handler.name}
    declared = wish.declared
    return found if declared.ordered else {**found, "CLOUD_PROVIDER": declared.order or "aws"}


def notes(wish: Wish) -> tuple[str, ...]:
    """Return what cannot be said of the handlers, and what clients have to know of them."""
    untold = sorted(_queues(wish) - {*wish.declared.queues})
    queues = [
        f"{each}: a client puts calls into this queue if it is opened with the app, or if "
        f"leeward.toml has `queue = true` in [functions.{each}]; any other client calls the Lambda "
        "function of this name, past the queue"
        for each in untold
    ]
    return (*queues, *_too_many_retries(wish))


def _queues(wish: Wish) -> set[str]:
    """Return the queues of messages, as leeward.toml or the app has them."""
    own = {each.queue for each in wish.app.handlers.values() if each.queue}
    return own | {*wish.declared.queues}


def _too_many_retries(wish: Wish) -> tuple[str, ...]:
    return tuple(
        f"{each.name}: {each.retries} retries are wanted, and an asynchronous call of Lambda has "
        f"{MOST_RETRIES} at most"
        for each in wish.app.handlers.values()
        if not is_queued(each) and (each.retries or 0) > MOST_RETRIES
    )
