"""Spans and metrics of a client's calls, and of what the router decides about them.

``Client(otel=True)`` switches it on; without that nothing of OpenTelemetry is loaded. A call is a
span, of the trace of whatever makes it, and what it reaches belongs to that span. A call that took
more than one attempt, or did not end well, has a span for each attempt. No payload, no key and no
text of an error is in any of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from time import perf_counter, time_ns
from typing import Any, Final
from weakref import WeakMethod

from leeward._routing import FailoverDriver
from leeward.adapter import Limits
from leeward.calls import OBJECT_VERBS, Call, Enqueue, Invoke, Publish, Result, subject_of
from leeward.cloudevents import document_of
from leeward.errors import Attempt, Outcome
from leeward.logs import only_watching
from leeward.otel import (
    ATTEMPTS,
    BUCKET,
    BY,
    CALL_ATTEMPTS,
    CALL_SECONDS,
    CALLS_OPEN,
    CALLS_SETTLED,
    CALLS_UNKNOWN,
    CODE,
    DECISION,
    DECISIONS,
    ERROR,
    EVENT_TYPE,
    EVENTS_SPOOLED,
    FAAS_INVOKED,
    MESSAGES,
    MESSAGING_NAME,
    MESSAGING_TYPE,
    OUTCOME,
    REASON,
    STATES,
    TABLE,
    TABLE_OPERATION,
    TARGET,
    TARGET_PLACES,
    TARGET_STATE,
    TARGET_WAITING,
    VERB,
    VERDICT,
    load,
    log_flaw,
    traceparent_of,
)
from leeward.values import Effect, RoutingEvent, TargetStatus
from leeward.values.settled import Settled, Verdict
from leeward.watching import is_harmless

_NANO: Final = 1_000_000_000

_FIELD: Final = 80  # bytes that a trace takes in an event, and a little more


class ObservedRouter(FailoverDriver):
    """A router whose calls and decisions are told to OpenTelemetry; arguments as of its base."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        self.telemetry = ClientTelemetry()
        super().__init__(*arguments, **options)
        self.listen(self.telemetry.note)

    def perform(self, call: Call, timeout: float, only: tuple[str, ...] = ()) -> Result[Any]:
        """Return the result of a call, in a span."""
        with self.telemetry.span(call) as span:
            traced = in_trace(call, span.traceparent, self.limits)
            return span.end(super().perform(traced, timeout, only))

    async def perform_async(
        self, call: Call, timeout: float, only: tuple[str, ...] = ()
    ) -> Result[Any]:
        """Do the same without blocking the event loop."""
        with self.telemetry.span(call) as span:
            traced = in_trace(call, span.traceparent, self.limits)
            return span.end(await super().perform_async(traced, timeout, only))


class ClientTelemetry:
    """The tracer and the instruments of a client."""

    def __init__(self) -> None:
        self.api = load()
        meter = self.api.meter
        self.durations = self.api.histogram(CALL_SECONDS)
        self.attempts = meter.create_counter(CALL_ATTEMPTS, "{attempt}")
        self.unknown = meter.create_counter(CALLS_UNKNOWN, "{call}")
        self._settled = meter.create_counter(CALLS_SETTLED, "{call}")
        self._decisions = meter.create_counter(DECISIONS, "{decision}")

    @contextmanager
    def span(self, call: Call) -> Iterator[CallSpan]:
        """Make a span of a call; within it, it is the current one."""
        trace = self.api.trace
        is_within = trace.get_current_span().get_span_context().is_valid
        is_sent = isinstance(call, Enqueue | Publish)
        with self.api.span(
            f"{call.verb} {subject_of(call)}",
            # A call belongs to the current span, else to the trace of the handler.
            context=None if is_within else self.api.parent_of(getattr(call, "trace", None)),
            kind=trace.SpanKind.PRODUCER if is_sent else trace.SpanKind.CLIENT,
            attributes=attributes_of(call),
        ) as span:
            try:
                yield CallSpan(self, span, call)
            except BaseException as error:
                with only_watching(log_flaw):
                    span.set_attribute(ERROR, type(error).__name__)
                    span.set_status(self.api.failed)
                raise

    def count_open(self, count: Callable[[], int | None]) -> None:
        """Observe how many calls the table of unknown ones has, as long as the client lives."""
        self._observe(CALLS_OPEN, "{call}", count)

    def count_backlog(self, count: Callable[[], int | None]) -> None:
        """Observe how many events wait in the spool, as long as the client lives."""
        self._observe(EVENTS_SPOOLED, "{event}", count)

    def _observe(self, name: str, unit: str, count: Callable[[], int | None]) -> None:
        method, observation = WeakMethod(count), self.api.metrics.Observation

        def observe(_: object) -> Iterable[Any]:
            living = method()
            number = None if living is None else living()
            return [] if number is None else [observation(number)]

        self.api.meter.create_observable_gauge(name, [observe], unit)

    def watch_targets(self, look: Callable[[], Iterable[TargetStatus]]) -> None:
        """Observe how targets are, and how many requests they have, as long as the client lives."""
        method, observation = WeakMethod(look), self.api.metrics.Observation

        def observe(value: Callable[[TargetStatus], int | None]) -> Callable[[object], list[Any]]:
            def observe_now(_: object) -> list[Any]:
                living = method()
                values = [] if living is None else [(client, value(client)) for client in living()]
                return [
                    observation(number, {TARGET: subject.name})
                    for subject, number in values
                    if number is not None
                ]

            return observe_now

        gauge = self.api.meter.create_observable_gauge
        gauge(TARGET_STATE, [observe(lambda target: STATES.index(target.state))])
        gauge(TARGET_PLACES, [observe(lambda target: target.in_flight)], "{request}")
        gauge(TARGET_WAITING, [observe(lambda target: target.waiting)], "{call}")

    def count_verdict(self, settled: Settled, verb: str) -> None:
        """Count a call that somebody has settled; `verb` is of what was asked last."""
        with only_watching(log_flaw):
            self._settled.add(1, {VERDICT: settled.verdict.value, BY: _word_of(settled, verb)})

    def count_end(self, result: Result[Any]) -> None:
        """Count a call that the router has settled before it ended; others are not counted."""
        settled = verdict_within(result)
        if settled is not None:
            self.count_verdict(settled, "settle")

    def note(self, event: RoutingEvent) -> None:
        """Count a decision of the router, and note it at the call that brought it about."""
        facts = {DECISION: event.name, TARGET: event.target, VERB: event.verb}
        self._decisions.add(1, facts)
        reason = {REASON: event.reason} if event.reason else {}
        self.api.trace.get_current_span().add_event(f"leeward.{event.name}", {**facts, **reason})


class CallSpan:
    """The span of one call; `traceparent` is for what the call reaches, None without an SDK."""

    def __init__(self, telemetry: ClientTelemetry, span: Any, call: Call) -> None:
        self.traceparent = traceparent_of(span)
        self._verb, self._call = call.verb, call
        self._telemetry = telemetry
        self._span = span
        self._began, self._at = perf_counter(), time_ns()

    def end(self, result: Result[Any]) -> Result[Any]:
        """Note how the call has ended; return its result."""
        with only_watching(log_flaw):
            self._note(result)
        return result

    def _note(self, result: Result[Any]) -> None:
        telemetry, span, outcome = self._telemetry, self._span, result.outcome
        seconds, target = perf_counter() - self._began, result.target or ""
        span.set_attributes(
            {OUTCOME: outcome.value, TARGET: target, ATTEMPTS: len(result.attempts)}
        )
        if outcome is not Outcome.OK:
            span.set_attribute(ERROR, outcome.value)
            span.set_status(telemetry.api.failed)
        labels = {**name_of(self._call), VERB: self._verb, TARGET: target, OUTCOME: outcome.value}
        if outcome is Outcome.AMBIGUOUS and may_change(self._call):
            telemetry.unknown.add(1, {**name_of(self._call), VERB: self._verb, TARGET: target})
        if len(result.attempts) > 1:
            telemetry.count_end(result)
        telemetry.durations.record(seconds, labels)
        for attempt in result.attempts:
            facts = {TARGET: attempt.target, OUTCOME: attempt.outcome.value, REASON: attempt.reason}
            telemetry.attempts.add(1, facts)
            if outcome is not Outcome.OK or len(result.attempts) > 1:
                self._add(attempt, {**facts})

    def _add(self, attempt: Attempt, attributes: dict[str, str]) -> None:
        """Add the span of an attempt that is over, with what is known of it."""
        api = self._telemetry.api
        began = self._at + int(attempt.started * _NANO)
        if attempt.code is not None:
            attributes[CODE] = attempt.code
        if attempt.outcome is not Outcome.OK:
            attributes[ERROR] = attempt.outcome.value
        what = "read back" if attempt.read_back else "attempt"
        span = api.tracer.start_span(
            f"{what} {attempt.target}",
            kind=api.trace.SpanKind.CLIENT,
            attributes=attributes,
            start_time=began,
        )
        if attempt.outcome is not Outcome.OK:
            span.set_status(api.failed)
        span.end(began + int(attempt.duration * _NANO))


def may_change(call: Call) -> bool:
    """Return whether a call may change something, or have an effect."""
    if call.verb == "settle":
        return False
    return not is_harmless(call) or getattr(call, "effect", None) is Effect.IDEMPOTENT


def verdict_within(result: Result[Any]) -> Settled | None:
    """Return how the router has settled a call before its end; None if it has not asked."""
    if not any(attempt.reason == "settle" for attempt in result.attempts):
        return None
    if result.resolved or result.executed or (result.fault and result.fault.ran == "yes"):
        return Settled(Verdict.RAN)
    if result.outcome is Outcome.AMBIGUOUS or (result.fault and result.fault.ran == "maybe"):
        return Settled(Verdict.UNKNOWN, reason=result.reason or "unreachable")
    return Settled(Verdict.NOT_RUN)


_BY_VERB: Final = {"invoke": "probe", "publish": "again", "enqueue": "again"}
"""By what a call is settled of which the function itself was not asked."""


def _word_of(settled: Settled, verb: str) -> str:
    """Return what has settled a call; an unknown one by why it is."""
    if settled.verdict in (Verdict.UNKNOWN, Verdict.RUNNING) or settled.reason:
        return settled.reason or "record"
    if verb == "settle":
        return "void" if settled.verdict is Verdict.NOT_RUN else "record"
    return _BY_VERB.get(verb, verb)


def attributes_of(call: Call) -> dict[str, str | int]:
    """Return what a span says of a call from its beginning."""
    attributes: dict[str, str | int] = {VERB: call.verb, **name_of(call)}
    if isinstance(call, Enqueue | Publish):
        attributes[MESSAGING_TYPE] = "send"
        if isinstance(call, Publish):
            attributes[MESSAGES] = len(call.events)
            if len(call.events) == 1:
                attributes[EVENT_TYPE] = call.events[0].type
    if TABLE in attributes:
        attributes[TABLE_OPERATION] = call.verb
    return attributes


def name_of(call: Call) -> dict[str, str]:
    """Return what a call is for, under the attribute for that: a function, queue, table or so."""
    if isinstance(call, Invoke):
        kind = FAAS_INVOKED
    elif isinstance(call, Enqueue | Publish):
        kind = MESSAGING_NAME
    else:
        kind = BUCKET if call.verb in OBJECT_VERBS else TABLE
    return {kind: subject_of(call)}


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
