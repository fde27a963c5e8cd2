"""Spans and metrics of a client's calls, and of what the router decides about them.

``Client(otel=True)`` switches it on; without that nothing of OpenTelemetry is loaded. A call is a
span, of the trace of whatever makes it, and what it reaches belongs to that span. A call that took
more than one attempt, or did not end well, has a span for each attempt. No payload, no key and no
text of an error is in any of them.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from time import perf_counter, time_ns
from typing import Any, Final

from leeward._routing import FailoverDriver
from leeward.adapter import Limits
from leeward.calls import OBJECT_VERBS, Call, Enqueue, Invoke, Publish, Result, subject_of
from leeward.cloudevents import document_of
from leeward.errors import Attempt, Outcome
from leeward.otel import (
    ATTEMPTS,
    BUCKET,
    CALL_ATTEMPTS,
    CALL_SECONDS,
    CODE,
    DECISION,
    DECISIONS,
    ERROR,
    EVENT_TYPE,
    FAAS_INVOKED,
    MESSAGES,
    MESSAGING_NAME,
    MESSAGING_TYPE,
    OUTCOME,
    REASON,
    TABLE,
    TABLE_OPERATION,
    TARGET,
    VERB,
    load,
    traceparent_of,
)
from leeward.values import RoutingEvent

_NANO: Final = 1_000_000_000

_FIELD: Final = 80
"""Bytes that a trace takes in an event, and a little more."""


class ObservedRouter(FailoverDriver):
    """A router whose calls and decisions are told to OpenTelemetry; arguments as of its base."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        self._telemetry = ClientTelemetry()
        super().__init__(*arguments, **options)
        self.listen(self._telemetry.note)

    def perform(self, call: Call, timeout: float, only: tuple[str, ...] = ()) -> Result[Any]:
        """Carry a call to its result, in a span."""
        with self._telemetry.span(call) as span:
            traced = in_trace(call, span.traceparent, self.limits)
            return span.end(super().perform(traced, timeout, only))

    async def perform_async(
        self, call: Call, timeout: float, only: tuple[str, ...] = ()
    ) -> Result[Any]:
        """Do the same without blocking the event loop."""
        with self._telemetry.span(call) as span:
            traced = in_trace(call, span.traceparent, self.limits)
            return span.end(await super().perform_async(traced, timeout, only))


class ClientTelemetry:
    """The tracer and the instruments of a client."""

    def __init__(self) -> None:
        self.api = load()
        meter = self.api.meter
        self.durations = meter.create_histogram(CALL_SECONDS, "s")
        self.attempts = meter.create_counter(CALL_ATTEMPTS, "{attempt}")
        self._decisions = meter.create_counter(DECISIONS, "{decision}")

    @contextmanager
    def span(self, call: Call) -> Iterator[CallSpan]:
        """Make a span of a call; within it, it is the current one."""
        trace = self.api.trace
        is_within = trace.get_current_span().get_span_context().is_valid
        is_sent = isinstance(call, Enqueue | Publish)
        with self.api.tracer.start_as_current_span(
            f"{call.verb} {subject_of(call)}",
            # A call belongs to the current span, else to the trace of the handler.
            context=None if is_within else self.api.parent_of(getattr(call, "trace", None)),
            kind=trace.SpanKind.PRODUCER if is_sent else trace.SpanKind.CLIENT,
            attributes=attributes_of(call),
            record_exception=False,
            set_status_on_exception=False,
        ) as span:
            try:
                yield CallSpan(self, span, call)
            except BaseException as error:
                span.set_attribute(ERROR, type(error).__name__)
                span.set_status(self.api.failed)
                raise

    def note(self, event: RoutingEvent) -> None:
        """Count a decision of the router, and note it at the call that brought it about."""
        told = {DECISION: event.name, TARGET: event.target, VERB: event.verb}
        self._decisions.add(1, told)
        reason = {REASON: event.reason} if event.reason else {}
        self.api.trace.get_current_span().add_event(f"leeward.{event.name}", {**told, **reason})


class CallSpan:
    """The span of one call.

    Attributes:
        traceparent: of the span, for what the call reaches; None without an SDK.
    """

    def __init__(self, telemetry: ClientTelemetry, span: Any, call: Call) -> None:
        self.traceparent = traceparent_of(span)
        self._verb = call.verb
        self._telemetry = telemetry
        self._span = span
        self._began, self._at = perf_counter(), time_ns()

    def end(self, result: Result[Any]) -> Result[Any]:
        """Note how the call has ended; return its result."""
        telemetry, span, outcome = self._telemetry, self._span, result.outcome
        seconds, target = perf_counter() - self._began, result.target or ""
        span.set_attributes(
            {OUTCOME: outcome.value, TARGET: target, ATTEMPTS: len(result.attempts)}
        )
        if outcome is not Outcome.OK:
            span.set_attribute(ERROR, outcome.value)
            span.set_status(telemetry.api.failed)
        told = {VERB: self._verb, TARGET: target, OUTCOME: outcome.value}
        telemetry.durations.record(seconds, told)
        for attempt in result.attempts:
            telemetry.attempts.add(
                1,
                {
                    TARGET: attempt.target,
                    OUTCOME: attempt.outcome.value,
                    REASON: attempt.reason,
                },
            )
            if outcome is not Outcome.OK or len(result.attempts) > 1:
                self._add(attempt)
        return result

    def _add(self, attempt: Attempt) -> None:
        """Add the span of an attempt that is over."""
        api = self._telemetry.api
        began = self._at + int(attempt.started * _NANO)
        told = {
            TARGET: attempt.target,
            OUTCOME: attempt.outcome.value,
            REASON: attempt.reason,
        }
        if attempt.code is not None:
            told[CODE] = attempt.code
        if attempt.outcome is not Outcome.OK:
            told[ERROR] = attempt.outcome.value
        what = "read back" if attempt.read_back else "attempt"
        span = api.tracer.start_span(
            f"{what} {attempt.target}",
            kind=api.trace.SpanKind.CLIENT,
            attributes=told,
            start_time=began,
        )
        if attempt.outcome is not Outcome.OK:
            span.set_status(api.failed)
        span.end(began + int(attempt.duration * _NANO))


def attributes_of(call: Call) -> dict[str, str | int]:
    """Return what a span says of a call from its beginning."""
    verb, name = call.verb, subject_of(call)
    found: dict[str, str | int] = {VERB: verb}
    if isinstance(call, Invoke):
        found[FAAS_INVOKED] = name
    elif isinstance(call, Enqueue | Publish):
        found[MESSAGING_TYPE], found[MESSAGING_NAME] = "send", name
        if isinstance(call, Publish):
            found[MESSAGES] = len(call.events)
            if len(call.events) == 1:
                found[EVENT_TYPE] = call.events[0].type
    elif verb in OBJECT_VERBS:
        found[BUCKET] = name
    else:
        found[TABLE_OPERATION], found[TABLE] = verb, name
    return found


def in_trace(call: Call, traceparent: str | None, limits: Limits) -> Call:
    """Return a call that belongs to a span.

    An event that belongs to a trace keeps it, and events that fill their request go without one.
    """
    if traceparent is None:
        return call
    if isinstance(call, Invoke | Enqueue):
        return call._replace(trace=traceparent)
    if isinstance(call, Publish):
        sizes = [len(document_of(event)) + _FIELD for event in call.events]
        if max(sizes) > limits.event_bytes or sum(sizes) > limits.batch_bytes:
            return call
        mine = {"traceparent": traceparent}
        events = [event._replace(extensions={**mine, **event.extensions}) for event in call.events]
        return call._replace(events=tuple(events))
    return call
