"""The testing kit: an app as each cloud runs it, in this process; recorded events and logs."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from leeward import App, Client, Context, Event
from leeward.app import Message, Problem
from leeward.errors import ConfigError, InvalidRequest
from leeward.local import Local
from leeward.testing import Deployed, FaultyDriver, Logged, Ran, recorded_logs

PLATFORMS = ["aws", pytest.param("azure", marks=pytest.mark.vendors), "google"]
TIME = datetime(2026, 1, 31, 12, 5, tzinfo=UTC)


@pytest.fixture(params=PLATFORMS)
def deployed(request: pytest.FixtureRequest) -> Callable[[App], Deployed]:
    """Deploy an app on each cloud in turn."""
    return lambda app: Deployed(app, request.param)


def shop(seen: list[Any]) -> App:
    """Make an app whose handlers note what they are given."""
    app = App("shop")

    @app.function()
    def create(order: dict[str, Any], context: Context) -> dict[str, Any]:
        seen.append((context.idempotency_key, context.attempt))
        if order.get("qty", 1) > 3:
            raise Problem("only 3 are left", status=409, reason="sold_out", retryable=False)
        return {"created": order["id"]}

    @app.on_event("orders", "order.created")
    def remember(event: Event, context: Context) -> None:
        seen.append((event.data, event.extensions, context.idempotency_key))
        if event.subject == "fail":
            raise ValueError

    @app.on_message("parcels")
    def send(message: Message, context: Context) -> None:
        seen.append((message.body, dict(message.attributes), context.attempt))
        if context.attempt == 1:
            raise ConnectionError

    @app.on_schedule("*/5 * * * *")
    def sweep(time: datetime) -> None:
        seen.append(time)

    return app


def test_an_app_is_run_as_on_each_cloud(deployed: Callable[[App], Deployed]) -> None:
    """A call, an event, a message and a schedule: with one outcome on all of them."""
    seen: list[Any] = []
    cloud = deployed(shop(seen))
    assert cloud.call("create", {"id": "42"}, idempotency_key="k") == Ran({"created": "42"})
    assert cloud.call("create", {"id": "42", "qty": 4}).error_type == "Problem"
    assert cloud.call("create", {"id": "42", "qty": 4}).error_message == "only 3 are left"
    raised = cloud.call("create", {})
    assert (raised.error_type, raised.error_message, raised.again) == ("KeyError", None, False)
    assert [each[:1] for each in seen] == [("k",), ("",), ("",), ("",)]
    seen.clear()
    event = Event("order.created", {"id": "42"}, extensions={"tenant": "a"})
    assert cloud.event("remember", event) == Ran()
    assert cloud.event("remember", Event("order.created", b"\x00")) == Ran()
    assert cloud.event("remember", Event("order.created", subject="fail")).again
    assert seen[:2] == [
        ({"id": "42"}, {"tenant": "a"}, "leeward#event-1"),
        (b"\x00", {}, "leeward#event-1"),
    ]
    seen.clear()
    assert cloud.message("send", {"n": 1}).again
    assert not cloud.message("send", b"x", attempt=2).failed
    assert [(each[0], each[2]) for each in seen] == [(b'{"n":1}', 1), (b"x", 2)]
    assert cloud.schedule("sweep", TIME) == Ran()
    assert seen[-1].tzinfo is UTC


def test_a_handler_that_there_is_not_is_named(deployed: Callable[[App], Deployed]) -> None:
    """With those that there are, of its kind."""
    cloud = deployed(shop([]))
    with pytest.raises(ConfigError, match="no function handler 'send'; known: create"):
        cloud.call("send")
    with pytest.raises(InvalidRequest, match=r"event must be an Event, not a dict"):
        cloud.event("remember", {"id": "42"})  # type: ignore[arg-type]


def test_what_was_published_and_logged_is_at_hand() -> None:
    """For assertions: events in order, those of failed calls too; logs by name and facts."""
    app = App("shop")

    @app.on_event("orders", "order.created")
    def failing(event: Event) -> None:
        raise KeyError

    local = Local()
    faulty = FaultyDriver(local)
    with Client(faulty, app=app) as client, recorded_logs() as logs:
        client.publish_event("orders", "order.created", {"id": "1"}, id="e")
        local.wait_idle(30)
    assert [(event.id, event.data) for event in faulty.published] == [("e", {"id": "1"})]
    assert logs[0] == Logged("leeward.delivery", "WARNING", "handler_failed", logs[0].facts)
    assert (logs[0].facts["error"], logs[-1].event) == ("KeyError", "dead_lettered")
