"""A trace goes on: from a handler through its client's calls and events to the next handlers."""

from __future__ import annotations

import http.client
import json
from base64 import b64decode
from contextlib import closing
from pathlib import Path
from typing import Any

from leeward import App, Client, Context, Event
from leeward.adapter.plans import View
from leeward.app.handlers import answer
from leeward.app.triggers import Delivery, Platform
from leeward.calls import Enqueue, Invoke
from leeward.local import Local
from leeward.testing import FakeClock, FaultyDriver
from leeward_aws.functions.plans import _client_context
from leeward_google.functions.messages import enqueue_message
from leeward_google.settings.services import Topics
from tests.local.calls import PATIENT
from tests.servers.deploying import deploy
from tests.servers.google.framework import FunctionsFramework

TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
SHOP = """
from leeward import App, Client, Context

app = App("shop")


@app.function()
def first(address: str) -> str | None:
    from leeward.adapter import TargetConfig
    from leeward.local import Local
    local = Local()
    with Client(local, app=app) as client:
        return client.invoke("second").value


@app.function()
def second(given: object, context: Context) -> str | None:
    return context.trace
"""


def test_calls_and_events_of_a_handler_belong_to_its_trace() -> None:
    """What is called, queued and published; what has a trace of its own keeps it; no odd one."""
    app, seen = App("shop"), list[Any]()

    @app.function()
    def first(given: object) -> None:
        client.invoke("second", {})
        client.publish_event("orders", "order.created")
        own = Event("order.created", extensions={"traceparent": "own"})
        client.publish_events("orders", [own]).raise_if_failed()
        client.enqueue("second", {})

    @app.function()
    def second(given: object, context: Context) -> None:
        seen.append(("call", context.trace))

    @app.on_event("orders")
    def heard(event: Event, context: Context) -> None:
        seen.append(("event", context.trace))

    local = Local()
    faulty = FaultyDriver(local)
    with Client(faulty, app=app) as client:
        for trace in (f"{TRACE}-future", "odd\r\nx: y", None):
            delivery = Delivery(b"{}", "call", "key", 30.0, None, trace)
            platform = Platform("nimbus", None, FakeClock())
            assert answer(app.handlers["first"], delivery, platform).failure is None
        local.wait_idle(PATIENT)
    traced = [getattr(call, "trace", None) for call in faulty.calls]
    assert traced == [TRACE, None, None, TRACE, *[None] * 8]
    own = {"traceparent": "own"}
    published = [dict(event.extensions) for event in faulty.published]
    assert published == [{"traceparent": TRACE}, own, {}, own, {}, own]
    assert [each for each in seen if each[0] == "event"].count(("event", TRACE)) == 1
    assert ("call", TRACE) in seen


def test_each_cloud_carries_it_in_its_own_way() -> None:
    """Lambda in two places of the client context, Pub/Sub in an attribute."""
    call = Invoke("f", b"{}", "key", trace=TRACE)
    context = json.loads(b64decode(_client_context(call, 1.0, "1")))
    assert (context["w3c"], context["custom"]["traceparent"]) == ({"traceparent": TRACE}, TRACE)
    assert "w3c" not in json.loads(b64decode(_client_context(call._replace(trace=None), 1.0, "1")))
    queued = Enqueue("f-topic", b"{}", "key", trace=TRACE)
    topics = Topics("http://127.0.0.1:8085", True, {})
    sent: Any = next(enqueue_message(topics, "demo", queued, View(0.0, 5.0)))
    (message,) = json.loads(sent.request.body)["messages"]
    assert message["attributes"]["traceparent"] == TRACE


def test_a_trace_that_came_over_the_wire_goes_on(tmp_path: Path) -> None:
    """From a header, through a handler, into the call that it makes."""
    code = deploy(tmp_path / "code", "google", {"traced.py": SHOP}, "traced")
    with (
        FunctionsFramework(code) as opened,
        closing(http.client.HTTPConnection(*opened.address, timeout=30)) as wire,
    ):
        wire.request("POST", "/first", b'""', {"traceparent": TRACE})
        assert json.loads(wire.getresponse().read()) == TRACE
