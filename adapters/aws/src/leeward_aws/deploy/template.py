"""The SAM template of an app: a function for each handler, with its role, queues and triggers.

Buses, tables and buckets have lives of their own: they are named, and not made. What has failed in
its last attempt is kept: of a queue in its dead-letter queue, of everything else in that of the
handler.

Sources: "AWS SAM resources and properties"; the CloudFormation reference of SQS and IAM; in
Lambda's developer guide "Using Lambda with Amazon SQS" (the visibility timeout is six times that of
the function) and "Configuring error handling settings for asynchronous invocation".
"""

from __future__ import annotations

import json
import re
from typing import Any, Final

from leeward.adapter.packages import (
    ORDERED,
    DeadQueue,
    Template,
    Wish,
    dead_queue,
    is_queued,
    retries_of,
    seconds_of,
)
from leeward.app.kit import Handler, Kind
from leeward.errors import ConfigError
from leeward_aws.deploy import objects
from leeward_aws.deploy.crontab import expression
from leeward_aws.deploy.roles import RECEIVE, allow, arn, of_app, queue_arn, role
from leeward_aws.runtime.schedules import OWN

Json = dict[str, Any]

LONGEST: Final = 900
"""Seconds of a function. Source: "Lambda quotas"."""

MOST_RETRIES: Final = 2
"""Of an asynchronous call."""

RETENTION: Final = 14 * 24 * 3600
"""Seconds that a dead letter is kept: the longest that SQS does."""

MEMORY: Final = 256
"""Megabytes."""

INPUT: Final = {
    "source": OWN,
    "schedule": "",
    "time": "<aws.scheduler.scheduled-time>",
    "attempt": "<aws.scheduler.attempt-number>",
}
"""What a schedule tells its handler; Scheduler fills in what stands in angle brackets."""


def template(wish: Wish, handler_name: str) -> Template:
    """Return the template.

    Args:
        wish: with the app.
        handler_name: of the entry file.

    Raises:
        ConfigError: a handler wants more time than Lambda gives.
    """
    resources: Json = {}
    for each in wish.app.handlers.values():
        made = _resources(wish, each)
        if resources.keys() & made.keys():
            raise ConfigError(
                f"the name {each.name!r} is that of another handler, but for hyphens and capitals, "
                "which CloudFormation takes for the same; rename one"
            )
        resources |= made
    document = {
        "AWSTemplateFormatVersion": "2010-09-09",
        "Transform": "AWS::Serverless-2016-10-31",
        "Description": f"The handlers of {wish.app.name}; made by leeward package.",
        "Globals": {
            "Function": {
                "CodeUri": "aws.zip",
                "Handler": handler_name,
                "Runtime": f"python{wish.python}",
                "Architectures": [wish.arch],
                "MemorySize": MEMORY,
            }
        },
        "Resources": resources,
    }
    return Template("aws.template.json", json.dumps(document, indent=2) + "\n", _notes(wish))


def _resources(wish: Wish, handler: Handler) -> Json:
    """Return what one handler needs, by logical ids."""
    seconds = seconds_of(handler)
    if seconds > LONGEST:
        raise ConfigError(
            f"the handler {handler.name!r} has a timeout of {seconds} s, and Lambda gives "
            f"{LONGEST} s; make it a workflow, or run it elsewhere"
        )
    if is_queued(handler):
        found, events, statements = _queue(wish, handler, seconds)
    else:
        found, events = _triggers(wish, handler)
        statements = [allow(["sqs:SendMessage"], queue_arn(_dead(wish, handler)))]
    id, function = _id(handler.name), own_name(wish, handler)
    if handler.kind is Kind.OBJECT:
        found |= objects.may_tell(wish, handler, id)
        statements += objects.rights(wish, handler)
    found[f"{id}Role"] = role(function, [*statements, *of_app(wish.declared)])
    found[id] = {
        "Type": "AWS::Serverless::Function",
        "Properties": {
            "FunctionName": function,
            "Timeout": seconds,
            "Role": {"Fn::GetAtt": [f"{id}Role", "Arn"]},
            "Environment": {"Variables": _variables(wish, handler)},
            "EventInvokeConfig": _asynchronous(handler),
            **({"Events": events} if events else {}),
        },
    }
    return found


def _queue(wish: Wish, handler: Handler, seconds: int) -> tuple[Json, Json, list[Json]]:
    """Return the queues of a handler of messages, its trigger, and what it may do with them."""
    queue, id = handler.queue or handler.name, _id(handler.name)
    dead = dead_queue(handler, queue, wish.entry.options)
    own: Json = {
        "VisibilityTimeout": 6 * seconds,
        "RedrivePolicy": {
            "deadLetterTargetArn": {"Fn::GetAtt": [f"{id}DeadQueue", "Arn"]},
            "maxReceiveCount": dead.deliveries,
        },
    }
    found = {f"{id}Queue": _sqs(queue, own), f"{id}DeadQueue": _dead_sqs(dead.name)}
    source = {"Fn::GetAtt": [f"{id}Queue", "Arn"]}
    events = {
        "Messages": {
            "Type": "SQS",
            "Properties": {
                "Queue": source,
                "BatchSize": 10,
                # Without this, messages that have failed are taken for done, and are gone.
                "FunctionResponseTypes": ["ReportBatchItemFailures"],
            },
        }
    }
    return found, events, _queue_rights(queue, dead)


def _queue_rights(queue: str, dead: DeadQueue) -> list[Json]:
    if not dead.by_leeward:
        send = allow(["sqs:SendMessage"], queue_arn(dead.name))
        return [allow(RECEIVE, queue_arn(queue)), send]
    return [
        allow([*RECEIVE, "sqs:ChangeMessageVisibility", "sqs:GetQueueUrl"], queue_arn(queue)),
        allow(["sqs:SendMessage", "sqs:GetQueueUrl"], queue_arn(dead.name)),
    ]


def _triggers(wish: Wish, handler: Handler) -> tuple[Json, Json]:
    """Return the dead-letter queue of a handler that Lambda calls, and what calls it."""
    id, dead = _id(handler.name), _dead(wish, handler)
    found = {f"{id}DeadQueue": _dead_sqs(dead)}
    letters = {"Arn": {"Fn::GetAtt": [f"{id}DeadQueue", "Arn"]}}
    if handler.kind is Kind.SCHEDULE:
        told = json.dumps({**INPUT, "schedule": handler.name})
        schedule = {
            "Name": f"{wish.app.name}-{handler.name}"[:64],
            "ScheduleExpression": expression(str(handler.schedule)),
            "ScheduleExpressionTimezone": "UTC",
            "Input": told,
            "RetryPolicy": {"MaximumRetryAttempts": 3, "MaximumEventAgeInSeconds": 3600},
            "DeadLetterConfig": letters,
        }
        return found, {"Schedule": {"Type": "ScheduleV2", "Properties": schedule}}
    if handler.kind in (Kind.CALL, Kind.OBJECT):
        return found, {}
    bus = wish.declared.buses.get(str(handler.bus), str(handler.bus))
    rule = f"{wish.app.name}-{handler.name}"[:64]
    found[f"{id}DeadQueuePolicy"] = _rule_may_send(
        f"{id}DeadQueue", dead, f"{bus.rpartition('/')[2]}/{rule}"
    )
    # The source is never empty, so this prefix is that of every event.
    pattern = {"detail-type": [handler.type]} if handler.type else {"source": [{"prefix": ""}]}
    properties = {
        "RuleName": rule,
        "EventBusName": bus,
        "Pattern": pattern,
        "DeadLetterConfig": letters,
    }
    return found, {"Event": {"Type": "EventBridgeRule", "Properties": properties}}


def _dead(wish: Wish, handler: Handler) -> str:
    """Return the queue of what a handler has failed with that Lambda calls."""
    return dead_queue(handler, handler.name, wish.entry.options).name


def _asynchronous(handler: Handler) -> Json:
    """Return how often Lambda runs a handler again, and where it puts what has failed.

    That holds for a handler of messages too: calls that clients queue come this way.
    """
    found: Json = {"MaximumRetryAttempts": retries_of(handler, MOST_RETRIES)}
    if not str(handler.queue).endswith(ORDERED):  # a queue that keeps an order cannot be one
        dead = {"Fn::GetAtt": [f"{_id(handler.name)}DeadQueue", "Arn"]}
        found["DestinationConfig"] = {"OnFailure": {"Type": "SQS", "Destination": dead}}
    return found


def _rule_may_send(id: str, queue: str, rule: str) -> Json:
    """Return a policy of a queue: one rule may put there what it could not deliver."""
    return {
        "Type": "AWS::SQS::QueuePolicy",
        "Properties": {
            "Queues": [{"Ref": id}],
            "PolicyDocument": {
                "Version": "2012-10-17",
                "Statement": [
                    {
                        "Effect": "Allow",
                        "Principal": {"Service": "events.amazonaws.com"},
                        "Action": "sqs:SendMessage",
                        "Resource": queue_arn(queue),
                        "Condition": {
                            "ArnEquals": {"aws:SourceArn": arn("events", f"rule/{rule}")}
                        },
                    }
                ],
            },
        },
    }


def _dead_sqs(name: str) -> Json:
    return _sqs(name, {"MessageRetentionPeriod": RETENTION})


def _sqs(name: str, properties: Json) -> Json:
    ordered = {"FifoQueue": True} if name.endswith(ORDERED) else {}
    return {
        "Type": "AWS::SQS::Queue",
        "Properties": {"QueueName": name, "SqsManagedSseEnabled": True, **ordered, **properties},
    }


def _variables(wish: Wish, handler: Handler) -> Json:
    found = {"LEEWARD_FUNCTION": handler.name}
    return found if wish.declared.ordered else {**found, "CLOUD_PROVIDER": "aws"}


def own_name(wish: Wish, handler: Handler) -> str:
    """Return the name of a handler's function: that by which clients call it.

    They may know it by an ARN, and by one of its versions or aliases.
    """
    known = wish.declared.functions.get(handler.name, handler.name)
    return known.rpartition(":function:")[2].partition(":")[0]


def _notes(wish: Wish) -> tuple[str, ...]:
    """Return what the template cannot say."""
    return *objects.notes(wish, own_name), *(
        f"{each.name}: {each.retries} retries are wanted, and an asynchronous call of Lambda has "
        f"{MOST_RETRIES} at most"
        for each in wish.app.handlers.values()
        if not is_queued(each) and (each.retries or 0) > MOST_RETRIES
    )


def _id(name: str) -> str:
    """Return the logical id of a handler: letters and digits."""
    words = re.split(r"[^A-Za-z0-9]+", name)
    return "".join(word[:1].upper() + word[1:] for word in words)
