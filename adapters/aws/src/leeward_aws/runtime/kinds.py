"""Which kind of event has come, as far as its shape tells: nothing in one says it for certain."""

from __future__ import annotations

from typing import Any, Final

SQS: Final = "aws:sqs"
SNS: Final = "aws:sns"
S3: Final = "aws:s3"

OWN_SCHEDULE: Final = "leeward.schedule"
"""The ``source`` in the input that a schedule is given by leeward's own templates:
``{"source": "leeward.schedule", "schedule": NAME, "time": "<aws.scheduler.scheduled-time>"}``."""

_SCHEDULER: Final = "aws.scheduler"
_RULE: Final = ("aws.events", "Scheduled Event")


def is_request(event: Any) -> bool:
    """Return whether an event is a request: in form 2.0, or in form 1.0."""
    if not isinstance(event, dict) or not isinstance(event.get("requestContext"), dict):
        return False
    return isinstance(event["requestContext"].get("http"), dict) or "httpMethod" in event


def is_batch(event: Any) -> bool:
    """Return whether an event is a batch of messages of SQS."""
    return source_of(event) == SQS


def is_tick(event: Any) -> bool:
    """Return whether an event comes from a schedule, as far as that can be seen."""
    if not isinstance(event, dict):
        return False
    source = event.get("source")
    return (source, event.get("detail-type")) == _RULE or source in (_SCHEDULER, OWN_SCHEDULE)


def has_events(event: Any) -> bool:
    """Return whether something is an event of EventBridge, or records of SNS or S3."""
    return is_bus_event(event) or source_of(event) in (SNS, S3)


def is_bus_event(event: Any) -> bool:
    """Return whether something is an event of EventBridge."""
    return (
        isinstance(event, dict)
        and isinstance(event.get("detail-type"), str)
        and isinstance(event.get("source"), str)
        and "detail" in event
    )


def source_of(event: Any) -> str | None:
    """Return which service the records of an event are of; None if it has no records."""
    records = event.get("Records") if isinstance(event, dict) else None
    if not isinstance(records, list) or not records:
        return None
    if not all(isinstance(each, dict) for each in records):
        return None
    source = records[0].get("eventSource") or records[0].get("EventSource")
    return source if isinstance(source, str) else None
