"""Spans and metrics of handlers: their names, the trace they belong to, and what is in none."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest

from leeward import App, Context, Event
from leeward.app import Message, Problem
from leeward.app.handlers import answer
from leeward.app.triggers import Delivery, Input, Platform
from leeward.errors import ConfigError
from leeward.testing import FakeClock
from tests.collected import Collected
from tests.house.workspace import ROOT

CANARY = "canary-8e03"
TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

pytestmark = pytest.mark.vendors


@pytest.fixture
def collected(monkeypatch: pytest.MonkeyPatch) -> Collected:
    """Put an SDK of the test's own in the place of the process's."""
    return Collected(monkeypatch)


def run(app: App, name: str, given: Input, **options: Any) -> None:
    """Run a handler on a cloud of the tests."""
    delivery = Delivery(given, "call", CANARY, 5.0, **options)
    platform = Platform("nimbus", "north", FakeClock(), flush=True, cloud="gcp")
    answer(app.handlers[name], delivery, platform)


def shop(seen: list[str | None]) -> App:
    """Make an app that notes its traces."""
    app = App("shop", otel=True)

    @app.function()
    def create(order: dict[str, Any], context: Context) -> None:
        seen.append(context.trace)
        if order.get("fail"):
            raise ValueError(CANARY)
        if order.get("refuse"):
            raise Problem(CANARY)

    @app.on_event("orders")
    def heard(event: Event) -> None: ...

    @app.on_message("parcels")
    def send(parcel: Message) -> None: ...

    return app


def test_a_run_is_a_span_of_the_trace_that_it_came_with(collected: Collected) -> None:
    """What the handler calls belongs to the span; exporters get a moment before the answer."""
    seen: list[str | None] = []
    app = shop(seen)
    run(app, "create", b"{}", trace=TRACE)
    run(app, "heard", Event("order.created", CANARY, id=CANARY, source=CANARY), attempt=2)
    run(app, "send", Message("parcels", "m", CANARY.encode()))
    create, heard, send = collected.spans()
    assert f"{create.context.trace_id:032x}" == TRACE[3:35]
    assert f"{create.parent.span_id:016x}" == TRACE[36:52]
    assert seen == [f"{TRACE[:36]}{create.context.span_id:016x}-01"]
    assert [each.kind.name for each in collected.spans()] == ["SERVER", "CONSUMER", "CONSUMER"]
    assert dict(create.attributes) == {
        "faas.name": "create",
        "faas.trigger": "http",
        "faas.invocation_id": "call",
        "faas.coldstart": True,
        "cloud.provider": "gcp",
        "cloud.region": "north",
    }
    assert heard.attributes["cloudevents.event_type"] == "order.created"
    assert (heard.attributes["leeward.attempt"], heard.attributes["faas.coldstart"]) == (2, False)
    assert send.attributes["messaging.destination.name"] == "parcels"
    assert collected.flushed == [2000] * 3


def test_a_failure_is_told_by_its_class_alone(collected: Collected) -> None:
    """In spans and metrics; of the input, the key and the text nothing is in either."""
    app = shop([])
    for payload in (b"{}", b'{"fail": 1}', b'{"refuse": 1}', CANARY.encode()):
        run(app, "create", payload, headers={"x": CANARY}, trace=CANARY)
    spans = collected.spans()
    kinds = [each.attributes.get("error.type") for each in spans]
    assert kinds == [None, "ValueError", "Problem", "InvalidInput"]
    assert [each.status.is_ok for each in spans] == [True, False, False, False]
    assert [each.events for each in spans] == [()] * 4
    assert CANARY not in "".join(each.to_json() for each in spans)
    told = {"faas.name": "create", "faas.trigger": "http"}
    metrics = collected.metrics()
    assert metrics["faas.invocations"] == [(told, 1)]
    assert metrics["faas.coldstarts"] == [(told, 1)]
    assert metrics["faas.invoke_duration"] == [(told, 4)]
    assert sorted(each[0]["error.type"] for each in metrics["faas.errors"]) == sorted(kinds[1:])


def test_an_app_without_opentelemetry_says_so_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where it is made: its first call would have no answer."""
    monkeypatch.setitem(sys.modules, "opentelemetry", None)
    with pytest.raises(ConfigError, match=r'pip install "leeward\[otel\]", and an SDK'):
        App("shop", otel=True)


def test_without_an_sdk_the_trace_goes_on_as_it_came() -> None:
    """And without `otel` nothing of OpenTelemetry is loaded."""
    seen: list[str | None] = []
    run(shop(seen), "create", b"{}", trace=TRACE)
    assert seen[0] is not None
    assert seen[0][:35] == TRACE[:35]
    program = (
        f"import sys; sys.path.insert(0, {str(ROOT / 'src')!r})\n"
        "from leeward import App, Client\n"
        "from leeward.local import Local\n"
        "app = App('quiet')\n"
        "app.function(name='f')(lambda given: given)\n"
        "with Client(Local(), app=app) as client: client.invoke('f', {})\n"
        "print([name for name in sys.modules if name.startswith('opentelemetry')])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert (done.stdout, done.stderr) == ("[]\n", "")
