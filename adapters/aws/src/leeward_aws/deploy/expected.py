"""What a stack says of its resources, by the words in which `leeward doctor` compares them."""

from __future__ import annotations

from collections.abc import Iterator
from types import MappingProxyType
from typing import Any, Final

from leeward.adapter.packages import Expected
from leeward.calls.looks import NONE
from leeward_aws.resources import digest_of

Json = dict[str, Any]


def resources_in(stack: Json, target: str) -> Iterator[Expected]:
    """Yield what a target has once a stack has been made, as far as it can be compared."""
    for each in stack.values():
        told = _TOLD.get(each["Type"].removeprefix("AWS::"))
        if told is not None:
            type, name, has = told(each["Properties"], stack)
            # cfn-lint takes no null in the metadata of a template.
            given = {each: NONE if value is None else value for each, value in has.items()}
            yield Expected("resource", name, target, type, given)


def _name(value: Any, stack: Json) -> str:
    """Return the name of what a value refers to; the end of an ARN, or of a text."""
    if isinstance(value, dict):
        id = value.get("Ref") or value.get("Fn::GetAtt", [""])[0]
        if id in stack:
            properties = stack[id]["Properties"]
            names = (text for name, text in properties.items() if name in _NAMES)
            return str(next(names, ""))
        value = value.get("Fn::Sub", "")
    return str(value).rpartition(":")[2]


_NAMES: Final = ("FunctionName", "QueueName", "Name", "StateMachineName", "BucketName")


def _function(has: Json, _: Json) -> tuple[str, str, Json]:
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


def _retries(has: Json, stack: Json) -> tuple[str, str, Json]:
    failed = has.get("DestinationConfig", {}).get("OnFailure", {}).get("Destination")
    return (
        "retries of the function",
        _name(has["FunctionName"], stack),
        {
            "retries": has.get("MaximumRetryAttempts"),
            "dead letters": None if failed is None else _name(failed, stack),
        },
    )


def _mapping(has: Json, stack: Json) -> tuple[str, str, Json]:
    queue, function = _name(has["EventSourceArn"], stack), _name(has["FunctionName"], stack)
    return (
        "mapping of the function",
        function,
        {
            "queue": queue,
            "enabled": has.get("Enabled", True),
            "batch": has.get("BatchSize"),
            "partial failures": "ReportBatchItemFailures" in has.get("FunctionResponseTypes", ()),
        },
    )


def _queue(has: Json, stack: Json) -> tuple[str, str, Json]:
    redrive = has.get("RedrivePolicy", {})
    dead = redrive.get("deadLetterTargetArn")
    return (
        "queue",
        has["QueueName"],
        {
            "visibility timeout": has.get("VisibilityTimeout", 30),
            "retention": has.get("MessageRetentionPeriod", 345_600),
            "dead letters": None if dead is None else _name(dead, stack),
            "receives": redrive.get("maxReceiveCount"),
        },
    )


def _rule(has: Json, stack: Json) -> tuple[str, str, Json]:
    bus = _name(has.get("EventBusName", "default"), stack)
    targets = sorted(_name(each["Arn"], stack) for each in has.get("Targets", ()))
    pattern = digest_of(has.get("EventPattern"))
    return (
        "rule",
        has["Name"],
        {"bus": bus, "state": has.get("State", "ENABLED"), "pattern": pattern, "targets": targets},
    )


def _schedule(has: Json, stack: Json) -> tuple[str, str, Json]:
    return (
        "schedule",
        has["Name"],
        {
            "state": has.get("State", "ENABLED"),
            "expression": has["ScheduleExpression"],
            "time zone": has.get("ScheduleExpressionTimezone", "UTC"),
            "target": _name(has["Target"]["Arn"], stack),
        },
    )


def _machine(has: Json, _: Json) -> tuple[str, str, Json]:
    definition = has["Definition"]
    return (
        "state machine",
        has["StateMachineName"],
        {"type": has["StateMachineType"], "definition": digest_of(definition)},
    )


_TOLD: Final = MappingProxyType(
    {
        "Lambda::Function": _function,
        "Lambda::EventInvokeConfig": _retries,
        "Lambda::EventSourceMapping": _mapping,
        "SQS::Queue": _queue,
        "Events::Rule": _rule,
        "Scheduler::Schedule": _schedule,
        "StepFunctions::StateMachine": _machine,
    }
)
"""By type, without ``AWS::``."""
