"""OpenTelemetry: its API, loaded by whoever has switched it on, and every name that leeward uses.

The names are those of the semantic conventions 1.44 for functions, messaging, CloudEvents and
databases, some of which are still in development; they stand here alone. What the conventions have
no name for begins with ``leeward.``.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any, Final

from leeward.errors import ConfigError
from leeward.logs import failure_facts, log_event, only_watching
from leeward.records import NamedTuple

LOGGER = "leeward.otel"

SCOPE: Final = "leeward"  # the name of the tracer and of the meter

CLOUD_PROVIDER: Final = "cloud.provider"
CLOUD_REGION: Final = "cloud.region"
ERROR: Final = "error.type"
EVENT_TYPE: Final = "cloudevents.event_type"
FAAS_COLD: Final = "faas.coldstart"
FAAS_ID: Final = "faas.invocation_id"
FAAS_INVOKED: Final = "faas.invoked_name"
FAAS_NAME: Final = "faas.name"
FAAS_TRIGGER: Final = "faas.trigger"
MESSAGES: Final = "messaging.batch.message_count"
MESSAGING_NAME: Final = "messaging.destination.name"
MESSAGING_TYPE: Final = "messaging.operation.type"
SERVICE: Final = "service.name"
SUBSCRIPTION: Final = "messaging.destination.subscription.name"
TABLE: Final = "db.collection.name"
TABLE_OPERATION: Final = "db.operation.name"

ATTEMPT: Final = "leeward.attempt"
"""Which delivery of one message, event or call a run is for, where the platform counts."""
ATTEMPTS: Final = "leeward.attempts"  # how many attempts a call of a client took
BUCKET: Final = "leeward.bucket"
BY: Final = "leeward.by"
"""What has settled a call: ``record``, ``void``, ``probe``, or the word of its verdict."""
CODE: Final = "leeward.code"  # the provider's error code
DECISION: Final = "leeward.decision"
"""What the router has decided, as the page on logging lists it."""
OUTCOME: Final = "leeward.outcome"  # one of the eleven
REASON: Final = "leeward.reason"
"""The code of why a target was asked, or of why something was decided."""
TARGET: Final = "leeward.target"
VERB: Final = "leeward.verb"
VERDICT: Final = "leeward.verdict"  # what became of a call that was settled

COLD_STARTS: Final = "faas.coldstarts"
ERRORS: Final = "faas.errors"
INVOCATIONS: Final = "faas.invocations"  # those that went well
INVOKE_SECONDS: Final = "faas.invoke_duration"
CALL_SECONDS: Final = "leeward.client.duration"
CALL_ATTEMPTS: Final = "leeward.client.attempts"
CALLS_UNKNOWN: Final = "leeward.client.unknown"
"""Calls that may have run, or not, when they ended; those that only read are not counted."""
CALLS_SETTLED: Final = "leeward.client.settled"
CALLS_OPEN: Final = "leeward.unknowns.open"  # calls in the table of unknown ones
EVENTS_SPOOLED: Final = "leeward.spool.waiting"
"""Events in the spool, as this process last counted them."""
QUEUE_WAITING: Final = "leeward.queue.waiting"
"""Rows of a queue or a subscription that are neither done nor given up."""
QUEUE_AGE: Final = "leeward.queue.oldest"  # seconds since the first of them was sent
QUEUE_DEAD: Final = "leeward.queue.dead"  # dead letters
DECISIONS: Final = "leeward.routing.decisions"
TARGET_STATE: Final = "leeward.target.state"
TARGET_PLACES: Final = "leeward.target.in_flight"
TARGET_WAITING: Final = "leeward.target.waiting"

STATES: Final = ("closed", "ramp", "half_open", "open", "isolated")
"""The states of a target: the number of one is the value of its gauge, so that 0 is well."""

SECONDS: Final = (
    *(0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0),
    *(30.0, 60.0, 300.0, 900.0),
)
"""Boundaries of histograms of seconds: those that the conventions give for HTTP, and up to the
longest call that a cloud lets a function take.
https://opentelemetry.io/docs/specs/semconv/http/http-metrics/#metric-httpclientrequestduration
"""


class Api(NamedTuple):
    """What is used of OpenTelemetry's API: its modules, and what leeward has made of them."""

    trace: Any
    metrics: Any
    tracer: Any
    meter: Any
    propagator: Any

    def histogram(self, name: str) -> Any:
        """Return a new histogram of seconds."""
        return self.meter.create_histogram(
            name, "s", explicit_bucket_boundaries_advisory=list(SECONDS)
        )

    @contextmanager
    def span(self, name: str, **options: Any) -> Iterator[Any]:
        """Make a span, the current one in the block. What a processor raises changes nothing."""
        span, ends = self.trace.INVALID_SPAN, ExitStack()
        plain = {"record_exception": False, "set_status_on_exception": False}
        with only_watching(log_flaw):
            span = ends.enter_context(self.tracer.start_as_current_span(name, **plain, **options))
        try:
            yield span
        finally:
            with only_watching(log_flaw):
                ends.close()

    @property
    def failed(self) -> Any:
        """The status of a span that did not end well; without a text."""
        return self.trace.Status(self.trace.StatusCode.ERROR)

    def parent_of(self, traceparent: str | None) -> Any:
        """Return the context that a ``traceparent`` leads to; None without one: the current one."""
        return self.propagator.extract({"traceparent": traceparent}) if traceparent else None


def load() -> Api:
    """Load the API, with a tracer and a meter of the providers that the program has set.

    Raises:
        ConfigError: OpenTelemetry is not installed.
    """
    try:
        from opentelemetry import metrics, trace
        from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
    except ImportError as error:
        raise ConfigError(
            'OpenTelemetry is not installed; pip install "leeward[otel]", and an SDK'
        ) from error
    return Api(
        trace,
        metrics,
        trace.get_tracer(SCOPE),
        metrics.get_meter(SCOPE),
        TraceContextTextMapPropagator(),
    )


def log_flaw(error: Exception) -> None:
    """Log what a processor, an exporter or a reader of the program's has raised, once a class."""
    if type(error) not in _logged:
        _logged.add(type(error))
        facts = failure_facts(error)
        log_event(LOGGER, "error", "telemetry_failed", error=type(error).__name__, **facts)


_logged: Final[set[type[Exception]]] = set()


def traceparent_of(span: Any) -> str | None:
    """Return a span as a ``traceparent``; None without an SDK, which makes no spans."""
    context = span.get_span_context()
    if not context.is_valid:
        return None
    return f"00-{context.trace_id:032x}-{context.span_id:016x}-{int(context.trace_flags):02x}"
