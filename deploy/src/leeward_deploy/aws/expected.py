"""What a stack says of its resources, by the words in which `leeward doctor` compares them."""

from __future__ import annotations

from collections.abc import Iterator
from types import MappingProxyType
from typing import Any, Final

from leeward.adapter.looking import NONE, Expected
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


def _name_of(value: Any, stack: Json) -> str:
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


def _of_function(has: Json, _: Json) -> tuple[str, str, Json]:
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


def _of_retries(has: Json, stack: Json) -> tuple[str, str, Json]:
    failed = has.get("DestinationConfig", {}).get("OnFailure", {}).get("Destination")
    return (
        "retries of the function",
        _name_of(has["FunctionName"], stack),
        {
            "retries": has.get("MaximumRetryAttempts"),
            "dead letters": None if failed is None else _name_of(failed, stack),
        },
    )


def _of_mapping(has: Json, stack: Json) -> tuple[str, str, Json]:
    queue, function = _name_of(has["EventSourceArn"], stack), _name_of(has["FunctionName"], stack)
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


def _of_queue(has: Json, stack: Json) -> tuple[str, str, Json]:
    redrive = has.get("RedrivePolicy", {})
    dead = redrive.get("deadLetterTargetArn")
    return (
        "queue",
        has["QueueName"],
        {
            "visibility timeout": has.get("VisibilityTimeout", 30),
            "retention": has.get("MessageRetentionPeriod", 345_600),
            "dead letters": None if dead is None else _name_of(dead, stack),
            "receives": redrive.get("maxReceiveCount"),
        },
    )


def _of_rule(has: Json, stack: Json) -> tuple[str, str, Json]:
    bus = _name_of(has.get("EventBusName", "default"), stack)
    targets = sorted(_name_of(each["Arn"], stack) for each in has.get("Targets", ()))
    pattern = digest_of(has.get("EventPattern"))
    return (
        "rule",
        has["Name"],
        {"bus": bus, "state": has.get("State", "ENABLED"), "pattern": pattern, "targets": targets},
    )


def _of_schedule(has: Json, stack: Json) -> tuple[str, str, Json]:
    return (
        "schedule",
        has["Name"],
        {
            "state": has.get("State", "ENABLED"),
            "expression": has["ScheduleExpression"],
            "time zone": has.get("ScheduleExpressionTimezone", "UTC"),
            "target": _name_of(has["Target"]["Arn"], stack),
        },
    )


def _of_machine(has: Json, _: Json) -> tuple[str, str, Json]:
    definition = has["Definition"]
    return (
        "state machine",
        has["StateMachineName"],
        {"type": has["StateMachineType"], "definition": digest_of(definition)},
    )


_TOLD: Final = MappingProxyType(
    {
        "Lambda::Function": _of_function,
        "Lambda::EventInvokeConfig": _of_retries,
        "Lambda::EventSourceMapping": _of_mapping,
        "SQS::Queue": _of_queue,
        "Events::Rule": _of_rule,
        "Scheduler::Schedule": _of_schedule,
        "StepFunctions::StateMachine": _of_machine,
    }
)
"""By type, without ``AWS::``."""
