"""The kit of a runtime: what it needs of the function side, and of the rooms below.

A runtime of an adapter imports this, the vocabulary, and nothing else of leeward. What only some
events need loads on first use: a function that gets one kind of events starts without the rest.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

from leeward.app.answers import (
    RESPONSE_TOO_LARGE,
    Answer,
    HandlerFailure,
    InvalidInput,
    Problem,
    failure_answer,
    failure_of,
    refusal_answer,
)
from leeward.app.app import App
from leeward.app.checks import check_queues
from leeward.app.context import Context
from leeward.app.handlers import Handler
from leeward.app.host import (
    HEALTH,
    HEALTH_PATH,
    Host,
    HttpAnswer,
    HttpRequest,
    answer_upkeep,
    headers_of,
    http_answer,
    serve,
)
from leeward.app.runtimes import Ran
from leeward.app.triggers import (
    Delivery,
    Kind,
    LogStyle,
    Message,
    ObjectEvent,
    Platform,
    event_key,
    parse_time,
)
from leeward.clock import SystemClock
from leeward.entropy import new_id
from leeward.watching import trace_ids

if TYPE_CHECKING:
    from leeward import otel
    from leeward.app.dead_letters import (
        DeadLetters,
        Letter,
        Perform,
        dead_letter_names,
        dead_letters_at,
        fails_as_one,
    )
    from leeward.app.events import event_of, events_in, is_event
    from leeward.app.schedules import tick_time

__all__ = [
    "HEALTH",
    "HEALTH_PATH",
    "RESPONSE_TOO_LARGE",
    "Answer",
    "App",
    "Context",
    "DeadLetters",
    "Delivery",
    "Handler",
    "HandlerFailure",
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
    "answer_upkeep",
    "check_queues",
    "dead_letter_names",
    "dead_letters_at",
    "event_key",
    "event_of",
    "events_in",
    "fails_as_one",
    "failure_answer",
    "failure_of",
    "headers_of",
    "http_answer",
    "is_event",
    "new_id",
    "otel",
    "parse_time",
    "refusal_answer",
    "serve",
    "tick_time",
    "trace_ids",
]

_LAZY: Final = {
    "leeward.app.dead_letters": (
        "DeadLetters Letter Perform dead_letter_names dead_letters_at fails_as_one"
    ),
    "leeward.app.events": "event_of events_in is_event",
    "leeward.app.schedules": "tick_time",
}
"""The names that load on first use, by module; `otel` is a module itself."""


def __getattr__(name: str) -> Any:
    if name == "otel":
        return import_module("leeward.otel")
    for module, names in _LAZY.items():
        if name in names.split():
            return getattr(import_module(module), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
