"""Spans and metrics of a client's calls: their names, their trace, and what is in none of them."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest

from leeward import (
    App,
    AsyncClient,
    Client,
    Config,
    Context,
    Event,
    FunctionError,
    LeewardError,
    OutcomeUnknown,
)
from leeward._operations.telemetry import attributes_of
from leeward.calls import FunctionFault, Result
from leeward.cloudevents import document_of
from leeward.config import FunctionConfig
from leeward.errors import Outcome
from leeward.local import Local
from leeward.otel import SECONDS
from leeward.testing import FakeClock
from leeward.values import Effect
from tests.collected import Collected
from tests.scripted import AMBIGUOUS, NOT_FOUND, NOT_SENT, OK, Scripted

CANARY = "canary-8e03"
TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

pytestmark = pytest.mark.vendors


@pytest.fixture
def collected(monkeypatch: pytest.MonkeyPatch) -> Collected:
    """Put an SDK of the test's own in the place of the process's."""
    return Collected(monkeypatch)


def parent_in(span: Any) -> str:
    """Return what belongs to `span` as the ``traceparent`` has it."""
    ids = span.context
    return f"00-{ids.trace_id:032x}-{ids.span_id:016x}-{int(ids.trace_flags):02x}"


def test_a_call_is_a_span_and_what_it_reaches_belongs_to_it(collected: Collected) -> None:
    """With the names of the conventions; a call that went well at once has no span beside."""
    taken: Result[Any] = Result.ok((OK,))
    driver = Scripted("a", OK, OK, OK, taken, Result.ok((OK, OK)), taken)
    calls: list[Any] = driver.calls
    with Client(driver, clock=FakeClock(), otel=True) as client:
        with collected.tracer().start_as_current_span("around"):
            client.invoke("charge", 1)
        client.enqueue("charge", 1)
        client.store_data("orders", {"id": "1"})
        client.publish_event("orders", "order.created")
        client.publish_events("orders", [Event("x", extensions={"traceparent": TRACE})] * 2)
        most = driver.limits.event_bytes - len(document_of(calls[3].events[0]))
        client.publish_event("orders", "order.created", "x" * most)
    charge, around, queue, store, publish, batch, _ = collected.spans()
    assert charge.parent.span_id == around.context.span_id
    assert [each.name for each in (charge, queue, store, publish)] == [
        "invoke charge",
        "enqueue charge",
        "store orders",
        "publish orders",
    ]
    kinds = [each.kind.name for each in (charge, queue, store, publish)]
    assert kinds == ["CLIENT", "PRODUCER", "CLIENT", "PRODUCER"]
    ended = {"leeward.outcome": "ok", "leeward.target": "a", "leeward.attempts": 1}
    sent = {"messaging.operation.type": "send", "messaging.destination.name": "orders"}
    assert [dict(each.attributes) for each in (charge, store, publish)] == [
        {"leeward.verb": "invoke", "faas.invoked_name": "charge", **ended},
        {
            "leeward.verb": "store",
            "db.operation.name": "store",
            "db.collection.name": "orders",
            **ended,
        },
        {
            "leeward.verb": "publish",
            **sent,
            "messaging.batch.message_count": 1,
            "cloudevents.event_type": "order.created",
            **ended,
        },
    ]
    assert batch.attributes["messaging.batch.message_count"] == 2
    assert (calls[0].trace, calls[1].trace) == (parent_in(charge), parent_in(queue))
    assert calls[3].events[0].extensions["traceparent"] == parent_in(publish)
    assert {each.extensions["traceparent"] for each in calls[4].events} == {TRACE}
    assert calls[5].events[0].extensions == {}, "there is no room for it"


def test_each_attempt_of_a_call_that_moved_is_a_span(collected: Collected) -> None:
    """With why its target was asked; what the router decides is an event of the call's span."""
    a, b = Scripted("a", NOT_SENT, NOT_SENT), Scripted("b")
    with Client([a, b], clock=FakeClock(), otel=True) as client:
        client.invoke("charge", 1, effect="idempotent")
    *attempts, call = collected.spans()
    told = [
        (each.name, each.attributes["leeward.reason"], each.attributes["leeward.outcome"])
        for each in attempts
    ]
    assert told == [
        ("attempt a", "first", "not_sent"),
        ("attempt a", "again", "not_sent"),
        ("attempt b", "moved", "ok"),
    ]
    assert {each.parent.span_id for each in attempts} == {call.context.span_id}
    assert [each.status.is_ok for each in attempts] == [False, False, True]
    starts = [each.start_time for each in attempts]
    assert starts == sorted(starts)
    assert starts[0] < starts[2], "a pause lies between"
    assert call.status.is_ok
    assert [each.name for each in call.events] == ["leeward.retry", "leeward.failover"]
    assert dict(call.events[1].attributes) == {
        "leeward.decision": "failover",
        "leeward.target": "b",
        "leeward.verb": "invoke",
        "leeward.reason": "not_sent",
    }
    metrics = collected.metrics()
    where = {"leeward.verb": "invoke", "leeward.target": "b", "leeward.outcome": "ok"}
    assert metrics["leeward.client.duration"] == [({"faas.invoked_name": "charge", **where}, 1)]
    assert sum(count for _, count in metrics["leeward.client.attempts"]) == 3
    assert [each["leeward.decision"] for each, _ in metrics["leeward.routing.decisions"]] == [
        "retry",
        "failover",
    ]


def test_nothing_of_a_call_is_told_but_names_and_codes(collected: Collected) -> None:
    """Neither payload nor key, nor what a function, a target or leeward itself says of it."""
    failed: Result[Any] = Result(
        Outcome.APP_ERROR, message=CANARY, fault=FunctionFault(CANARY, CANARY)
    )
    a = Scripted("a", failed, AMBIGUOUS._replace(message=CANARY, code="http.500"))
    with Client(a, clock=FakeClock(), otel=True) as client:
        for kind in (FunctionError, OutcomeUnknown):
            with pytest.raises(kind):
                client.invoke("charge", {CANARY: CANARY}, idempotency_key=CANARY)
        with pytest.raises(LeewardError):
            client.store_data("orders", {"id": object()})
    spans = collected.spans()
    assert CANARY not in "".join(each.to_json() for each in spans) + str(collected.metrics())
    calls = [each for each in spans if each.name == "invoke charge"]
    assert [each.attributes["error.type"] for each in calls] == ["app_error", "ambiguous"]
    assert [each.status.description for each in calls] == [None, None]
    assert spans[2].attributes["leeward.code"] == "http.500"


def test_a_call_that_breaks_is_told_by_its_class(collected: Collected) -> None:
    """An interrupt, or a table without a home."""
    with Client([Scripted("a"), Scripted("b")], clock=FakeClock(), otel=True) as client:
        with pytest.raises(LeewardError):
            client.load_data("orders", "1")
        broken = KeyboardInterrupt(CANARY)
        client._router._drivers["a"].perform = _raising(broken)  # type: ignore[method-assign]
        with pytest.raises(KeyboardInterrupt):
            client.invoke("charge")
    (span,) = [each for each in collected.spans() if each.name == "invoke charge"]
    assert (span.attributes["error.type"], span.events) == ("KeyboardInterrupt", ())


def _raising(error: BaseException) -> Any:
    def perform(*_: object) -> None:
        raise error

    return perform


@pytest.mark.parametrize("observed", [True, False], ids=["app", "client"])
def test_a_call_within_a_handler_belongs_to_its_trace(collected: Collected, observed: bool) -> None:
    """Whether the app makes spans of its runs, or only knows what trace it was called in."""
    app, seen = App("shop", otel=observed), list[str | None]()

    @app.function()
    def outer(order: Any, context: Context) -> None:
        seen.append(context.trace)
        client.invoke("inner")

    @app.function()
    def inner(order: Any, context: Context) -> None:
        seen.append(context.trace)

    with (
        Client(Local(), app=app, otel=True) as client,
        collected.tracer().start_as_current_span("around"),
    ):
        client.invoke("outer")
    spans = {each.name: each for each in collected.spans()}
    assert len({each.context.trace_id for each in spans.values()}) == 1
    outside, inside = spans["invoke outer"], spans["invoke inner"]
    if observed:
        assert seen == [parent_in(spans["outer"]), parent_in(spans["inner"])]
        assert inside.parent.span_id == spans["outer"].context.span_id
    else:
        assert seen == [parent_in(outside), parent_in(inside)]
        assert inside.parent.span_id == outside.context.span_id


def test_calls_of_coroutines_are_spans_too(collected: Collected) -> None:
    """Each of its own, however many run at once."""

    async def run() -> None:
        async with AsyncClient(Scripted("a"), clock=FakeClock(), otel=True) as client:
            await asyncio.gather(*(client.invoke(f"f{number}") for number in range(5)))

    asyncio.run(run())
    spans = collected.spans()
    assert sorted(each.name for each in spans) == [f"invoke f{number}" for number in range(5)]
    assert [each.parent for each in spans] == [None] * 5


def test_without_an_sdk_calls_go_as_they_are() -> None:
    """The trace of a handler goes on."""
    config = Config(functions={"f": FunctionConfig(Effect.READ_ONLY)})
    driver = Scripted("a", OK)
    with Client(driver, config=config, clock=FakeClock(), otel=True) as client:
        client.invoke("f")
        with pytest.raises(OutcomeUnknown):
            client.put_object("reports", "x", b"")  # which the script does not know
    first: Any = driver.calls[0]
    assert first.trace is None
    assert attributes_of(driver.calls[1]) == {
        "leeward.verb": "put_object",
        "leeward.bucket": "reports",
    }


KEYED = {"charge": FunctionConfig(Effect.KEYED), "pay": FunctionConfig(probe="was-paid")}


def settled_as(verdict: str, **fields: Any) -> Result[Any]:
    return Result.ok({"verdict": verdict, "key": "k", **fields})


def test_unknown_calls_are_counted_and_how_they_are_settled(collected: Collected) -> None:
    """What only reads is not unknown, nor is a question."""
    lost = [AMBIGUOUS] * 20
    answers = [
        settled_as("ran"),
        settled_as("not_run", voids=1),
        settled_as("unknown", reason="cannot_tell"),
        settled_as("ran"),
        NOT_FOUND,
    ]
    a = Scripted("a", *answers, *lost)
    with Client(a, config=Config(functions=KEYED), clock=FakeClock(), otel=True) as client:
        for function in ("charge", "charge", "charge", "pay"):
            client.settle("k", function=function, targets="a")
        with pytest.raises(LeewardError):
            client.settle("k", function="charge")
        client.settle("k", function="charge", timeout=0.1)
        client.settle("k", function="foreign")
        for effect in ("unsafe", "read_only", "idempotent"):
            with pytest.raises(OutcomeUnknown):
                client.invoke("other", effect=effect, timeout=0.1)
        with pytest.raises(OutcomeUnknown):
            client.load_data("orders", "1", timeout=0.1)
    metrics = collected.metrics()
    ends = {
        (at["leeward.verdict"], at["leeward.by"]) for at, _ in metrics["leeward.client.settled"]
    }
    assert ends == {
        ("ran", "record"),
        ("not_run", "void"),
        ("unknown", "cannot_tell"),
        ("ran", "probe"),
        ("unknown", "unreachable"),
        ("unknown", "not_asked"),
    }
    where = {"leeward.verb": "invoke", "leeward.target": "a"}
    assert metrics["leeward.client.unknown"] == [({"faas.invoked_name": "other", **where}, 2)]
    assert "k" not in {
        value for at, _ in metrics["leeward.client.settled"] for value in at.values()
    }


def test_a_gauge_shows_how_many_unknown_calls_are_in_the_table(collected: Collected) -> None:
    """Where clients leave them; collecting waits for nothing, and a closed client has no number."""
    config = Config(data_target="local", unknowns="open")
    with Client([Scripted("a", AMBIGUOUS), Local()], config=config, otel=True) as client:
        with pytest.raises(OutcomeUnknown):
            client.invoke("charge", targets="a")
        for _ in range(100):
            points = collected.metrics().get("leeward.unknowns.open", [])
            if points and points[0][1] == 1:
                break
            time.sleep(0.05)
        assert points == [({}, 1)]
    assert "leeward.unknowns.open" not in collected.metrics()


def test_gauges_show_how_targets_are(collected: Collected) -> None:
    """A state is a number, 0 for well; only some targets count requests and waiting calls."""

    class Counting(Scripted):
        def places(self) -> tuple[int, int]:
            return 3, 2

    a, b = Scripted("a", *[NOT_SENT] * 20), Counting("b")
    with Client([a, b], clock=FakeClock(), otel=True) as client:
        assert dict_of(collected, "leeward.target.state") == {"a": 0, "b": 0}
        assert dict_of(collected, "leeward.target.in_flight") == {"b": 3}
        assert dict_of(collected, "leeward.target.waiting") == {"b": 2}
        client.isolate("b")
        assert dict_of(collected, "leeward.target.state") == {"a": 0, "b": 4}


def test_durations_have_boundaries_for_calls(collected: Collected) -> None:
    """From milliseconds to a quarter of an hour: the SDK's own are for milliseconds."""
    with Client(Scripted("a"), clock=FakeClock(), otel=True) as client:
        client.invoke("charge", 1)
    assert collected.bounds("leeward.client.duration") == list(SECONDS)


def test_metrics_name_what_was_called(collected: Collected) -> None:
    """Each kind under its own attribute."""
    with Client(Local(), otel=True) as client:
        client.store_data("orders", {"id": "1"})
        client.publish_event("shop", "paid")
        client.put_object("photos", "1", b"")
    seen = [attributes for attributes, _ in collected.metrics()["leeward.client.duration"]]
    names = ("db.collection.name", "messaging.destination.name", "leeward.bucket")
    assert [{name: each[name] for name in names if name in each} for each in seen] == [
        {names[0]: "orders"},
        {names[1]: "shop"},
        {names[2]: "photos"},
    ]


def dict_of(collected: Collected, name: str) -> dict[str, int]:
    """Return the points of a gauge by target."""
    points = collected.metrics()[name]
    return {attributes["leeward.target"]: value for attributes, value in points}
