"""The kit of a runtime: what it needs of the function side, and of the rooms below that.

A runtime of an adapter imports this, the vocabulary, and nothing else of leeward.
"""

from __future__ import annotations

from leeward import otel
from leeward.app.answers import Answer, failed
from leeward.app.app import App
from leeward.app.context import Context
from leeward.app.dead_letters import (
    ATTRIBUTE,
    DeadLetters,
    Letter,
    Perform,
    checked_queues,
    dead_letters_at,
)
from leeward.app.events import event_in_headers, event_of, events_in, is_event
from leeward.app.handlers import Handler
from leeward.app.host import Host, event_key, tick_time
from leeward.app.http import (
    HEALTH,
    HEALTH_PATH,
    HttpAnswer,
    HttpRequest,
    delivery_of,
    headers_of,
    http_answer,
    serve,
    upkeep,
)
from leeward.app.problem import (
    RESPONSE_TOO_LARGE,
    Failure,
    InvalidInput,
    Problem,
    failure_of,
    refused,
)
from leeward.app.schedules import parse as parse_schedule
from leeward.app.schedules import time_told
from leeward.app.settling import fails_as_one
from leeward.app.traces import trace_ids
from leeward.app.trial import Ran
from leeward.app.triggers import Delivery, Kind, LogStyle, Message, ObjectEvent, Platform
from leeward.clock import SystemClock
from leeward.entropy import new_id
from leeward.json_text import Undecodable, decode, encode
from leeward.logs import log_event

__all__ = [
    "ATTRIBUTE",
    "HEALTH",
    "HEALTH_PATH",
    "RESPONSE_TOO_LARGE",
    "Answer",
    "App",
    "Context",
    "DeadLetters",
    "Delivery",
    "Failure",
    "Handler",
    "Host",
    "HttpAnswer",
    "HttpRequest",
    "InvalidInput",
    "Kind",
    "Letter",
    "LogStyle",
    "Message",
    "ObjectEvent",
    "Perform",
    "Platform",
    "Problem",
    "Ran",
    "SystemClock",
    "Undecodable",
    "checked_queues",
    "dead_letters_at",
    "decode",
    "delivery_of",
    "encode",
    "event_in_headers",
    "event_key",
    "event_of",
    "events_in",
    "failed",
    "fails_as_one",
    "failure_of",
    "headers_of",
    "http_answer",
    "is_event",
    "log_event",
    "new_id",
    "otel",
    "parse_schedule",
    "refused",
    "serve",
    "tick_time",
    "time_told",
    "trace_ids",
    "upkeep",
]
