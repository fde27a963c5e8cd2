"""Spans and metrics of handlers, through the API of OpenTelemetry.

``App(otel=True)`` switches it on; without that nothing of OpenTelemetry is loaded. Whoever deploys
the app chooses the SDK and the exporters, as OpenTelemetry's own documentation says.

The names are those of the semantic conventions 1.44 for functions, messaging and CloudEvents, which
are still in development; they stand here alone. Nothing of an input is in them: no payload, no key,
no id of an event, and of an error its class.
"""

from __future__ import annotations

from collections.abc import Callable
from time import perf_counter
from typing import Any, Final

from leeward.app.answers import Answer
from leeward.app.handlers import Handler
from leeward.app.triggers import Delivery, Kind, Message, Platform
from leeward.errors import ConfigError
from leeward.values import Event

TRIGGERS: Final = {
    Kind.CALL: "http",
    Kind.EVENT: "pubsub",
    Kind.MESSAGE: "pubsub",
    Kind.SCHEDULE: "timer",
}
"""``faas.trigger`` by what a handler is for."""

FLUSH_SECONDS: Final = 2.0
"""What an exporter gets before a platform may stand still, at most, and half of the time left."""

Answering = Callable[[Handler, Delivery, Platform], Answer]


class Telemetry:
    """The tracer and the instruments of an app; they are made at the first run.

    A span belongs to the trace that came with the delivery, and what the handler calls belongs to
    the span.
    """

    def __init__(self) -> None:
        self._is_ready = False
        self._is_warm = False

    def observe(
        self, answering: Answering, handler: Handler, delivery: Delivery, platform: Platform
    ) -> Answer:
        """Run a handler by `answering`, in a span; count it, and how long it took.

        Raises:
            ConfigError: OpenTelemetry is not installed.
        """
        if not self._is_ready:
            self._prepare()
        is_cold, self._is_warm = not self._is_warm, True
        began = perf_counter()
        with self._tracer.start_as_current_span(
            handler.name,
            context=self._parent_of(delivery.trace),
            kind=self._kind_of(handler),
            attributes=_attributes(handler, delivery, platform, is_cold),
            record_exception=False,
            set_status_on_exception=False,
        ) as span:
            found = answering(
                handler, delivery._replace(trace=_traceparent(span, delivery)), platform
            )
            if found.failure is not None:
                span.set_attribute("error.type", found.failure.type)
                span.set_status(self._error)
        self._count(handler, found, perf_counter() - began, is_cold)
        if platform.flush:
            self._flush(min(FLUSH_SECONDS, delivery.seconds / 2))
        return found

    def _prepare(self) -> None:
        try:
            from opentelemetry import metrics, trace
            from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
        except ImportError as error:
            raise ConfigError(
                'OpenTelemetry is not installed; pip install "leeward[otel]", and an SDK'
            ) from error
        self._trace, self._metrics = trace, metrics
        self._tracer = trace.get_tracer("leeward")
        self._propagator = TraceContextTextMapPropagator()
        self._error = trace.Status(trace.StatusCode.ERROR)
        meter = metrics.get_meter("leeward")
        self._invocations = meter.create_counter("faas.invocations", "{invocation}")
        self._errors = meter.create_counter("faas.errors", "{error}")
        self._cold_starts = meter.create_counter("faas.coldstarts", "{coldstart}")
        self._durations = meter.create_histogram("faas.invoke_duration", "s")
        self._is_ready = True

    def _parent_of(self, trace: str | None) -> Any:
        return self._propagator.extract({"traceparent": trace}) if trace else None

    def _kind_of(self, handler: Handler) -> Any:
        kinds = self._trace.SpanKind
        return kinds.CONSUMER if handler.kind in (Kind.EVENT, Kind.MESSAGE) else kinds.SERVER

    def _count(self, handler: Handler, found: Answer, seconds: float, is_cold: bool) -> None:
        """Count a run; successful ones alone are invocations, as the conventions have it."""
        told = {"faas.name": handler.name, "faas.trigger": TRIGGERS[handler.kind]}
        if found.failure is None:
            self._invocations.add(1, told)
        else:
            self._errors.add(1, {**told, "error.type": found.failure.type})
        if is_cold:
            self._cold_starts.add(1, told)
        self._durations.record(seconds, told)

    def _flush(self, seconds: float) -> None:
        """Let exporters finish: after the answer, the platform may stand still."""
        for provider in (self._trace.get_tracer_provider(), self._metrics.get_meter_provider()):
            flush = getattr(provider, "force_flush", None)
            if flush is not None:
                flush(int(seconds * 1000))


def _attributes(
    handler: Handler, delivery: Delivery, platform: Platform, is_cold: bool
) -> dict[str, str | int | bool]:
    found: dict[str, str | int | bool] = {
        "faas.name": handler.name,
        "faas.trigger": TRIGGERS[handler.kind],
        "faas.invocation_id": delivery.call_id,
        "faas.coldstart": is_cold,
        "cloud.provider": platform.cloud or platform.provider,
    }
    if platform.region is not None:
        found["cloud.region"] = platform.region
    given = delivery.input
    if isinstance(given, Event):
        found["cloudevents.event_type"] = given.type
    if isinstance(given, Message):
        found["messaging.operation.type"] = "process"
        found["messaging.destination.name"] = given.queue
    if delivery.attempt is not None:
        found["leeward.attempt"] = delivery.attempt
    return found


def _traceparent(span: Any, delivery: Delivery) -> str | None:
    """Return the span as a ``traceparent``; without an SDK there is none, and the trace goes on."""
    context = span.get_span_context()
    if not context.is_valid:
        return delivery.trace
    return f"00-{context.trace_id:032x}-{context.span_id:016x}-{int(context.trace_flags):02x}"
