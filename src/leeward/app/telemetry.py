"""What observers get of an app: spans and metrics, and logs as JSON with one schema on every cloud.

``App(otel=True)`` makes spans and metrics through the API of OpenTelemetry; without that nothing of
it is loaded. Whoever deploys the app chooses the SDK and the exporters, as OpenTelemetry's own
documentation says. ``App(json_logs=True)`` writes logs as JSON in a cloud's runtime.

Nothing of an input is in them: no payload, no key, no id of an event. Of an error they have the
class, and logs the places in the code.
"""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from time import perf_counter
from typing import Any, Final

from leeward.app.answers import Answer
from leeward.app.context import Context, current
from leeward.app.handlers import Handler
from leeward.app.triggers import Delivery, Kind, LogStyle, Message, Platform
from leeward.logs import only_watching
from leeward.otel import (
    ATTEMPT,
    CLOUD_PROVIDER,
    CLOUD_REGION,
    COLD_STARTS,
    ERROR,
    ERRORS,
    EVENT_TYPE,
    FAAS_COLD,
    FAAS_ID,
    FAAS_NAME,
    FAAS_TRIGGER,
    INVOCATIONS,
    INVOKE_SECONDS,
    MESSAGING_NAME,
    MESSAGING_TYPE,
    SERVICE,
    load,
    log_flaw,
    traceparent_of,
)
from leeward.values import Event
from leeward.watching import trace_ids

TRIGGERS: Final = {
    Kind.CALL: "http",
    Kind.EVENT: "pubsub",
    Kind.MESSAGE: "pubsub",
    Kind.SCHEDULE: "timer",
    Kind.OBJECT: "datasource",
}
"""``faas.trigger`` by what a handler is for."""

_CONSUMED: Final = (Kind.EVENT, Kind.MESSAGE, Kind.OBJECT)

FLUSH_SECONDS: Final = 2.0
"""The most that an exporter gets before a platform may stop the process; at most half of the time
left."""

LONGEST_TRACE: Final = 50  # places in the code, the innermost ones

Run = Callable[[Handler, Delivery, Platform], Answer]


class Telemetry:
    """The tracer and the instruments of an app; they are made at the first run.

    A span belongs to the trace that came with the delivery, and what the handler calls belongs to
    the span. Without an SDK the trace is passed on as it came.

    Raises:
        ConfigError: OpenTelemetry is not installed. A run would be too late to say so.
    """

    def __init__(self) -> None:
        load()
        self._is_ready = False
        self._is_warm = False

    def observe(self, run: Run, handler: Handler, delivery: Delivery, platform: Platform) -> Answer:
        """Run a handler in a span; count it, and how long it took."""
        with only_watching(log_flaw):
            self._prepare()
        if not self._is_ready:
            return run(handler, delivery, platform)
        is_cold, self._is_warm = not self._is_warm, True
        began = perf_counter()
        kinds = self._api.trace.SpanKind
        with self._api.span(
            handler.name,
            context=self._api.parent_of(delivery.trace),
            kind=kinds.CONSUMER if handler.kind in _CONSUMED else kinds.SERVER,
            attributes=_attributes(handler, delivery, platform, is_cold),
        ) as span:
            trace = traceparent_of(span) or delivery.trace
            answer = run(handler, delivery._replace(trace=trace), platform)
            if answer.failure is not None:
                with only_watching(log_flaw):
                    span.set_attribute(ERROR, answer.failure.type)
                    span.set_status(self._api.failed)
        with only_watching(log_flaw):
            self._count(handler, answer, perf_counter() - began, is_cold)
        if platform.flush:
            self._flush(min(FLUSH_SECONDS, delivery.seconds / 2))
        return answer

    def _prepare(self) -> None:
        """Make the instruments, at the first run."""
        if self._is_ready:
            return
        self._api = load()
        meter = self._api.meter
        self._invocations = meter.create_counter(INVOCATIONS, "{invocation}")
        self._errors = meter.create_counter(ERRORS, "{error}")
        self._cold_starts = meter.create_counter(COLD_STARTS, "{coldstart}")
        self._durations = self._api.histogram(INVOKE_SECONDS)
        self._is_ready = True

    def _count(self, handler: Handler, answer: Answer, seconds: float, is_cold: bool) -> None:
        """Count a run; successful ones alone are invocations, as the conventions have it."""
        attributes = {FAAS_NAME: handler.name, FAAS_TRIGGER: TRIGGERS[handler.kind]}
        if answer.failure is None:
            self._invocations.add(1, attributes)
        else:
            self._errors.add(1, {**attributes, ERROR: answer.failure.type})
        if is_cold:
            self._cold_starts.add(1, attributes)
        self._durations.record(seconds, attributes)

    def _flush(self, seconds: float) -> None:
        """Flush exporters: after the answer, the platform may stop the process."""
        api = self._api
        for provider in (api.trace.get_tracer_provider(), api.metrics.get_meter_provider()):
            flush = getattr(provider, "force_flush", None)
            with only_watching(log_flaw):
                if flush is not None:
                    flush(int(seconds * 1000))


def _attributes(
    handler: Handler, delivery: Delivery, platform: Platform, is_cold: bool
) -> dict[str, str | int | bool]:
    attributes: dict[str, str | int | bool] = {
        FAAS_NAME: handler.name,
        FAAS_TRIGGER: TRIGGERS[handler.kind],
        FAAS_ID: delivery.call_id,
        FAAS_COLD: is_cold,
        CLOUD_PROVIDER: platform.cloud or platform.provider,
    }
    if platform.region is not None:
        attributes[CLOUD_REGION] = platform.region
    given = delivery.input
    if isinstance(given, Event):
        attributes[EVENT_TYPE] = given.type
    if isinstance(given, Message):
        attributes[MESSAGING_TYPE] = "process"
        attributes[MESSAGING_NAME] = given.queue
    if delivery.attempt is not None:
        attributes[ATTEMPT] = delivery.attempt
    return attributes


_RECORD: Final = {*vars(logging.makeLogRecord({})), "message", "asctime", "taskName"}
"""What every record has."""


def write_logs_as_json(service: str, style: LogStyle) -> None:
    """Make the root logger write JSON; records of INFO and above, unless it says otherwise.

    The handlers that a cloud's runtime has put on the root logger stay, with another formatter,
    because their lines carry more than text; without any, lines go to the standard output.
    """
    root = logging.getLogger()
    if not root.handlers:
        root.addHandler(logging.StreamHandler(sys.stdout))
    formatter = JsonFormatter(service, style)
    for handler in root.handlers:
        handler.setFormatter(formatter)
    if root.level in (logging.NOTSET, logging.WARNING):
        root.setLevel(logging.INFO)


class JsonFormatter(logging.Formatter):
    """Writes a record as one line of JSON."""

    def __init__(self, service: str, style: LogStyle) -> None:
        super().__init__()
        self._service = service
        self._cloud_style = style

    def format(self, record: logging.LogRecord) -> str:
        """Write a record. What JSON does not have is written as its class alone."""
        try:
            message = record.getMessage()
        except (TypeError, ValueError, KeyError):  # its arguments do not fit the text
            message = str(record.msg)
        time = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        line: dict[str, Any] = {
            "severity": record.levelname,
            "level": record.levelname,
            "message": message,
            self._cloud_style.time: time.replace("+00:00", "Z"),
            "logger": record.name,
            SERVICE: self._service,
        }
        context = current()
        if context is not None:
            line |= _context_fields(context)
            line |= self._cloud_style.fields(context)
        if isinstance(record.args, Mapping):
            line |= {f"leeward.{name}": _json_of(value) for name, value in record.args.items()}
        for name, value in vars(record).items():
            if name not in _RECORD:  # the `extra` of a log call
                line[f"extra.{name}" if name in line else name] = _json_of(value)
        if record.exc_info and record.exc_info[0] is not None:
            line["exception.type"] = record.exc_info[0].__name__
            line["exception.stacktrace"] = _places(record.exc_info[2])
        return json.dumps(line, ensure_ascii=False, default=_class_of, allow_nan=False)


def _context_fields(context: Context) -> Mapping[str, Any]:
    fields: dict[str, Any] = {
        FAAS_NAME: context.function,
        FAAS_ID: context.call_id,
        FAAS_COLD: context.cold_start,
        CLOUD_REGION: context.region,
    }
    if context.attempt is not None:
        fields[ATTEMPT] = context.attempt
    ids = trace_ids(context.trace)
    if ids is not None:
        fields |= {"trace_id": ids.trace, "span_id": ids.span}
    return fields


def _places(trace: Any) -> list[str]:
    """Return where an error came from, the outermost place first; no text, and no line of code."""
    places: list[str] = []
    while trace is not None:
        code = trace.tb_frame.f_code
        places.append(f"{code.co_filename}:{trace.tb_lineno} {code.co_qualname}")
        trace = trace.tb_next
    return places[-LONGEST_TRACE:]


def _json_of(value: object) -> object:
    """Return what JSON can have of a value: all of it, or the name of its class."""
    try:
        return json.loads(json.dumps(value, default=_class_of, allow_nan=False))
    except (TypeError, ValueError, RecursionError):
        return _class_of(value)


def _class_of(value: object) -> str:
    return f"<{type(value).__name__}>"
