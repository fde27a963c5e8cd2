"""The testing kit: an app as each cloud runs it, in this process; recorded events and logs."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from leeward import App, Client, Context, Event
from leeward.app import Message, Problem
from leeward.errors import ConfigError, FunctionError, InvalidRequest
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


def failing_app() -> App:
    """Make an app whose handlers all fail, with what they were given in the text."""
    app = App("shop")

    def deep(given: object) -> None:
        raise ValueError(given)

    @app.function(name="call", queued=True)
    def call(given: dict[str, Any]) -> None:
        deep(given)

    @app.function(name="coroutine")
    async def coroutine(given: dict[str, Any]) -> None:
        deep(given)

    @app.function(name="own", queued=True)
    def own(given: dict[str, Any]) -> None:
        raise ConfigError("name the table in leeward.toml") from KeyError(given)

    @app.on_message("parcels", name="message")
    def message(given: dict[str, Any]) -> None:
        deep(given)

    @app.on_event("orders", "order.created", name="event")
    def event(given: Event) -> None:
        deep(given.data)

    @app.on_schedule("*/5 * * * *", name="schedule")
    def schedule(time: datetime) -> None:
        deep(time)

    return app


GIVEN = {"card": "canary-8e03"}


def places_in(logs: list[Logged]) -> dict[str, dict[str, Any]]:
    """Return the facts of each handler that has failed, by its name; nothing may hold a value."""
    failed = [each for each in logs if each.event == "handler_failed"]
    assert "canary" not in repr(logs)
    assert "2026" not in repr(failed)
    named = ((each.facts.get("function") or each.facts.get("handler"), each) for each in failed)
    return {str(name): dict(each.facts) for name, each in named}


def check_places(found: dict[str, dict[str, Any]], names: set[str]) -> None:
    """Check that each failure has its place: the line that raised it, behind its handler's."""
    assert found.keys() == names
    for name, facts in found.items():
        *_, outer, inner = facts["at"].split(", ") if name != "own" else ("", "", facts["at"])
        function = "own" if name == "own" else "deep"
        assert f"{__file__}:" in inner
        assert inner.endswith(f".{function}")
        assert name == "own" or outer.endswith(f".{name}")
    assert found["own"]["text"] == "name the table in leeward.toml"
    assert found["own"]["causes"] == "KeyError"


def test_a_failure_is_found_by_its_place_on_each_cloud(
    deployed: Callable[[App], Deployed],
) -> None:
    """File, line and function of the handler's own code, and no value; texts of leeward's own."""
    cloud = deployed(failing_app())
    with recorded_logs() as logs:
        for name in ("call", "coroutine", "own"):
            assert cloud.call(name, GIVEN).failed
        assert cloud.message("message", GIVEN).failed
        assert cloud.event("event", Event("order.created", GIVEN)).failed
        assert cloud.schedule("schedule", TIME).failed
    check_places(places_in(logs), {"call", "coroutine", "own", "message", "event", "schedule"})


def test_a_failure_is_found_by_its_place_in_this_process() -> None:
    """With the embedded target: of what is delivered in the log, of what is called in the cause."""
    local = Local()
    with Client(local, app=failing_app()) as client, recorded_logs() as logs:
        with pytest.raises(FunctionError) as raised:
            client.invoke("coroutine", GIVEN)
        for name in ("call", "own", "parcels"):
            client.enqueue(name, GIVEN)
        client.publish_event("orders", "order.created", GIVEN)
        local.wait_idle(30)
    check_places(places_in(logs), {"call", "own", "message", "event"})
    cause = raised.value.__cause__
    assert cause is not None
    assert traceback.extract_tb(cause.__traceback__)[-1].name == "deep"
