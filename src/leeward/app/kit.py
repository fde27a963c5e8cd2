"""The kit of a runtime: what it needs of the function side, and of the rooms below that.

A runtime of an adapter imports this, the vocabulary, and nothing else of leeward. Names load on
first use: a function that gets one kind of events starts without the rest.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from leeward import otel
    from leeward.app.answers import Answer, failed
    from leeward.app.app import App
    from leeward.app.checks import check_queues
    from leeward.app.context import Context
    from leeward.app.dead_letters import (
        DeadLetters,
        Letter,
        Perform,
        checked_queues,
        dead_letters_at,
    )
    from leeward.app.events import event_of, events_in, is_event
    from leeward.app.handlers import Handler
    from leeward.app.host import Host, event_key, tick_time
    from leeward.app.http import (
        HEALTH,
        HEALTH_PATH,
        HttpAnswer,
        HttpRequest,
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
    from leeward.app.schedules import parse_schedule, time_told
    from leeward.app.settling import fails_as_one
    from leeward.app.trial import Ran
    from leeward.app.triggers import Delivery, Kind, LogStyle, Message, ObjectEvent, Platform
    from leeward.clock import SystemClock
    from leeward.entropy import new_id
    from leeward.traces import trace_ids

__all__ = [
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
    "check_queues",
    "checked_queues",
    "dead_letters_at",
    "event_key",
    "event_of",
    "events_in",
    "failed",
    "fails_as_one",
    "failure_of",
    "headers_of",
    "http_answer",
    "is_event",
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

_NAMES: Final = {
    "leeward.app.answers": "Answer failed",
    "leeward.app.app": "App",
    "leeward.app.checks": "check_queues",
    "leeward.app.context": "Context",
    "leeward.app.dead_letters": ("DeadLetters Letter Perform checked_queues dead_letters_at"),
    "leeward.app.events": "event_of events_in is_event",
    "leeward.app.handlers": "Handler",
    "leeward.app.host": "Host event_key tick_time",
    "leeward.app.http": (
        "HEALTH HEALTH_PATH HttpAnswer HttpRequest headers_of http_answer serve upkeep"
    ),
    "leeward.app.problem": "RESPONSE_TOO_LARGE Failure InvalidInput Problem failure_of refused",
    "leeward.app.schedules": "parse_schedule time_told",
    "leeward.app.settling": "fails_as_one",
    "leeward.traces": "trace_ids",
    "leeward.app.trial": "Ran",
    "leeward.app.triggers": "Delivery Kind LogStyle Message ObjectEvent Platform",
    "leeward.clock": "SystemClock",
    "leeward.entropy": "new_id",
}
"""What there is, by the module that has it; modules themselves are not among them."""

_MODULES: Final = {name: module for module, names in _NAMES.items() for name in names.split()}


def __getattr__(name: str) -> Any:
    if name == "otel":
        return import_module("leeward.otel")
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_MODULES[name]), name)
