"""The function of Cloud Run functions: every delivery is a request, and says in its own way what.

The framework's own decoding is not used: it invents a missing time, refuses batches of events and
messages without data, and drops how often a message was delivered. So the function is served as one
of HTTP, whatever a deployment's trigger says.

Sources: functions-framework for Python; "Push subscriptions" and "Payload unwrapping" of Pub/Sub;
"Retry events" of Eventarc; "Structured logging" and "Link log entries with traces" of Cloud
Logging.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any, Final

from leeward.adapter import TargetConfig
from leeward.app.kit import (
    Answer,
    App,
    Context,
    DeadLetters,
    Handler,
    Host,
    HttpAnswer,
    HttpRequest,
    InvalidInput,
    Kind,
    LogStyle,
    Perform,
    Platform,
    SystemClock,
    answer_upkeep,
    check_queues,
    dead_letters_at,
    events_in,
    headers_of,
    http_answer,
    new_id,
    refusal_answer,
    serve,
    trace_ids,
)
from leeward.errors import ConfigError
from leeward.json_text import Undecodable
from leeward_google.runtime import pushes, schedules
from leeward_google.runtime.call import Run, answer_sender


def open_dead_letters(topics: Mapping[str, str] | None) -> DeadLetters:
    """Return the dead-letter topics of an app; the target is opened when one is first needed."""

    def target() -> Perform:
        from leeward_google.driver import open_driver

        return open_driver(TargetConfig("google", "google", None, {}, os.environ)).perform

    return dead_letters_at(topics, target, staged=True)


_NAMES: Final = "logging.googleapis.com/"


def make_fields(call: Context) -> Mapping[str, Any]:
    """Return the fields of a line that is logged in a call.

    A trace has the project in its name, which the environment tells only where somebody has set it.
    """
    fields: dict[str, Any] = {f"{_NAMES}labels": {"execution_id": call.call_id}}
    ids = trace_ids(call.trace)
    if ids is not None:
        project = os.environ.get("GOOGLE_CLOUD_PROJECT")
        fields[f"{_NAMES}spanId"] = ids.span
        fields[f"{_NAMES}trace_sampled"] = ids.sampled
        if project:
            fields[f"{_NAMES}trace"] = f"projects/{project}/traces/{ids.trace}"
    return fields


ANSWER_BYTES: Final = 32 * 1024 * 1024
"""Of an answer over HTTP/1. Source: Cloud Run's quotas."""

SECONDS: Final = 60.0
"""What a function may take if nothing else is set. Source: Cloud Run functions' quotas."""

WebFunction = Callable[[Any], tuple[bytes, int, list[tuple[str, str]]]]


def handler(
    app: App,
    *,
    target: str | None = None,
    dead_letters: Mapping[str, str] | None = None,
    **options: Any,
) -> WebFunction:
    """Return the function to serve; the entry point ``google`` of ``leeward.runtimes``.

    Args:
        app: with the handlers.
        target: the name that it is served by; by default that of the deployment, else ``main``.
        dead_letters: for a subscription, topic or handler, the topic of this project that gets
            what is given up.
        options: none other.

    Raises:
        ConfigError: an option is not known.
    """
    if options:
        raise ConfigError(
            f"the runtime of Google Cloud has no option {next(iter(options))!r}; "
            "known: dead_letters, target"
        )
    check_queues(app.handlers, dead_letters, "dead_letters")
    region = os.environ.get("FUNCTION_REGION") or os.environ.get("GOOGLE_CLOUD_REGION")
    logs = LogStyle("time", make_fields)
    host = Host(
        app, Platform("google", region, SystemClock(), ANSWER_BYTES, logs, flush=True, cloud="gcp")
    )

    kept = open_dead_letters(dead_letters)

    def main(request: Any) -> tuple[bytes, int, list[tuple[str, str]]]:
        headers = headers_of(request.headers.items())
        request_ = HttpRequest(request.method, request.path, headers, request.get_data())
        answer = _answer(host, request_, kept)
        return answer.body, answer.status, list(answer.headers)

    # The framework looks for the way to serve a function under its name.
    main.__name__ = target or os.environ.get("FUNCTION_TARGET") or "main"
    with suppress(ImportError):
        from functions_framework import http  # type: ignore[import-not-found]

        http(main)
    return main


def _answer(host: Host, request: HttpRequest, kept: DeadLetters) -> HttpAnswer:
    kept_up = answer_upkeep(host, request)
    if kept_up is not None:
        return kept_up
    run = Run(
        host,
        request,
        request.headers.get("function-execution-id") or new_id(SystemClock.now()),
        _seconds(),
        kept,
    )
    named = host.dedicated_handler(os.environ.get("K_SERVICE")) or host.app.handlers.get(
        request.path.rstrip("/").rpartition("/")[2]
    )
    try:
        if named is None or not named.is_call or named.queued:
            response = _deliver(run, named)
            if response is not None:
                return answer_sender(response)
        return serve(host, named, request, run.id, run.seconds)
    except InvalidInput as error:
        return http_answer(refusal_answer(error))
    except Undecodable:
        return http_answer(refusal_answer(InvalidInput("$", "JSON in UTF-8")))


def _deliver(run: Run, named: Handler | None) -> Answer | None:
    """Return what came of an event, a message or a schedule; None for a call."""
    if named is not None and named.kind is Kind.SCHEDULE:
        return schedules.handle(run, named)
    message = pushes.message_in(run.request, named)
    if message is not None:
        return pushes.handle(run, named, message)
    if named is not None and named.is_call:
        return None
    events = events_in(run.request.headers, run.request.body)
    if events is not None:
        return pushes.handle_events(run, named, events)
    if schedules.is_tick(run.request):
        return schedules.handle(run, None)
    return pushes.handle_plain(run, named)


def _seconds() -> float:
    """Return the time limit of a request, in seconds; the code goes on after it, unheard."""
    text = os.environ.get("CLOUD_RUN_TIMEOUT_SECONDS", "")
    return float(text) if text.isascii() and text.isdecimal() and len(text) < 6 else SECONDS
