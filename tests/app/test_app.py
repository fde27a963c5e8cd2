"""An app: what it refuses early, its names, its schedules, and what it makes once."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leeward import App, Context, Event
from leeward.app.host import Host, HttpRequest, answer_upkeep
from leeward.app.schedules import next_time, parse_schedule
from leeward.app.triggers import Delivery, Platform, parse_time
from leeward.errors import ConfigError
from leeward.testing import FakeClock


def test_a_handler_has_its_functions_name() -> None:
    """With hyphens for underscores, unless it is given one; the function stays as it is."""
    app = App("shop")

    @app.function()
    def send_receipt(given: int) -> int:
        return given

    app.function(name="other")(send_receipt)
    app.on_schedule("*/5 * * * *")(test_a_handler_has_its_functions_name)
    assert list(app.handlers) == ["send-receipt", "other", "test-a-handler-has-its-functions-name"]
    assert send_receipt(3) == 3
    assert "send-receipt" in repr(app)


def test_what_is_wrong_is_refused_when_it_is_registered() -> None:
    """Before a cloud finds it: each message says what to do."""
    app = App("shop")
    app.function(name="taken")(len)
    app.on_message("full", name="handles-full")(len)

    async def awaited() -> None: ...

    def late(event: Any) -> Iterator[Any]:
        yield event

    table: list[tuple[Callable[[], Any], str]] = [
        (lambda: App(""), "up to 50 letters"),
        (lambda: app.function(name="a_b")(len), "up to 50 letters"),
        (lambda: app.function(name="a" * 51)(len), "up to 50 letters"),
        (lambda: app.function()(lambda: 1), "up to 50 letters"),
        (lambda: app.function(name="f")(3), "decorate a function"),  # type: ignore[type-var]
        (lambda: app.on_event("b", name="late")(late), "is a generator, which would never run"),
        (lambda: app.function(len), r"write @app.function\(\)"),  # type: ignore[arg-type]
        (lambda: app.on_event(len), "bus must be"),  # type: ignore[arg-type]
        (lambda: app.on_event("b", name="taken")(len), "has a handler 'taken' already"),
        (lambda: app.on_message("full", name="x")(len), "queue 'full' has a handler already"),
        (lambda: app.on_message("taken", name="x")(len), "queue 'taken' has a handler already"),
        (lambda: app.function(name="full")(len), "queue 'full' has a handler already"),
        (lambda: app.on_event("", name="x")(len), "bus must be"),
        (lambda: app.on_event("b", "", name="x")(len), "type must be"),
        (lambda: app.on_message("", name="x")(len), "queue must be"),
        (lambda: app.function(timeout=0)(len), "timeout must be"),
        (lambda: app.function(timeout=True)(len), "timeout must be"),
        (lambda: app.function(retries=-1)(len), "retries must be"),
        (lambda: app.on_message("q", retries=1.0)(len), "retries must be"),  # type: ignore[arg-type]
        (lambda: app.function(effect="harmless")(len), "known: read_only"),  # type: ignore[arg-type]
        (lambda: app.function(final=[3])(len), "classes of exceptions"),  # type: ignore[list-item]
        (lambda: app.function(final=OSError)(len), r"such as \[ValueError\]"),  # type: ignore[arg-type]
        (lambda: app.on_schedule("* * * *")(len), "has 4 fields"),
        (lambda: app.function(len), r"write @app.function\(\)"),  # type: ignore[arg-type]
        (lambda: app.function("pay"), r"@app.function\(name='pay'\)"),  # type: ignore[arg-type]
        (lambda: app.on_event(len), "bus must be .* a function: name it"),  # type: ignore[arg-type]
        (lambda: app.on_schedule(len), "fields: @app.on_schedule"),  # type: ignore[arg-type]
        (lambda: app.workflow(len), "write @app.workflow"),  # type: ignore[arg-type]
        (lambda: app.handler("nimbus"), "no installed adapter has a runtime 'nimbus'"),
        (lambda: app.warm(3), "decorate a function"),  # type: ignore[arg-type]
        (lambda: app.warm(awaited), "is a coroutine function"),
        (lambda: app.warm(lambda x: x), "needs 'x'"),  # type: ignore[arg-type,misc]
    ]
    for make, message in table:
        with pytest.raises(ConfigError, match=message):
            make()
    assert list(app.handlers) == ["taken", "handles-full"]


def test_an_annotation_is_resolved_in_the_handlers_module() -> None:
    """That of the input alone: the context's may be there for type checkers only."""
    app = App("shop")

    def function(given, context):  # type: ignore[no-untyped-def]
        return None

    function.__annotations__ = {"given": "datetime", "context": "NotImported"}
    app.function(name="f")(function)
    app.check()
    function.__annotations__ = {"given": "NotImported"}
    app.function(name="g")(function)
    with pytest.raises(ConfigError, match="'given' of the function handler 'g' cannot be resolved"):
        app.check()


def test_a_schedule_is_a_crontab_that_every_cloud_can_say() -> None:
    """Numbers, lists, ranges and steps; what clouds read differently is refused by its field."""
    after = datetime(2026, 1, 31, 12, 3, 30, tzinfo=UTC)
    table = {
        "* * * * *": "2026-01-31T12:04",
        "*/5 * * * *": "2026-01-31T12:05",
        "2,4-6 * * * *": "2026-01-31T12:04",
        "10-59/20 * * * *": "2026-01-31T12:10",
        "5/30 13 * * *": "2026-01-31T13:05",
        "0 0 1 * *": "2026-02-01T00:00",
        "0 0 29 2 *": "2028-02-29T00:00",
        "30 6 * * 1": "2026-02-02T06:30",
        "0 0 * 3 0": "2026-03-01T00:00",
    }
    assert {each: f"{next_time(each, after):%Y-%m-%dT%H:%M}" for each in table} == table
    wrong = {
        "": "has 0 fields",
        "60 * * * *": "minute of a schedule is '60'; it goes from 0 to 59",
        "* * 0 * *": "day of the month",
        "* * * * 7": "day of the week",
        "*/0 * * * *": "minute",
        "5-1 * * * *": "minute",
        "a * * * *": "use numbers",
        "* * * jan *": "month",
        "0 0 1 * 1": "clouds combine differently",
        "0 0 30 2 *": "is never due",
    }
    for text, message in wrong.items():
        with pytest.raises(ConfigError, match=message):
            App("shop").on_schedule(text)
    with pytest.raises(ConfigError, match="text with five fields"):
        App("shop").on_schedule(5)  # type: ignore[arg-type]


@given(
    st.datetimes(min_value=datetime(2000, 1, 1), max_value=datetime(2090, 1, 1)),  # noqa: DTZ001
    st.sampled_from(["* * * * *", "7 */3 * * *", "0 12 1,15 * *", "59 23 * * 6", "0 0 29 2 *"]),
)
def test_the_next_time_is_the_first_that_fits(naive: datetime, text: str) -> None:
    """It is later, fits, and nothing between fits."""
    after = naive.replace(tzinfo=UTC)
    found, schedule = next_time(text, after), parse_schedule(text)

    def fits(moment: datetime) -> bool:
        return (
            moment.minute in schedule.minutes
            and moment.hour in schedule.hours
            and moment.day in schedule.days
            and moment.month in schedule.months
            and moment.isoweekday() % 7 in schedule.weekdays
        )

    assert found > after
    assert fits(found)
    between = min(found - timedelta(minutes=1), after + timedelta(days=2))
    while between > after:
        assert not fits(between)
        between -= timedelta(minutes=1)


def test_what_is_warmed_is_made_once_and_shared() -> None:
    """In the order of definition, before the first call; what fails is made anew."""
    app = App("shop")
    made: list[str] = []

    @app.warm
    def base() -> dict[str, int]:
        made.append("base")
        return {"n": 1}

    @app.warm
    def connection() -> int:
        made.append("connection")
        if made.count("connection") == 1:
            raise ConnectionError
        return base()["n"]

    assert made == []
    with pytest.raises(ConnectionError):
        app.warm_up()
    app.warm_up()
    app.warm_up()
    assert (connection(), base() is base(), made) == (1, True, ["base", "connection", "connection"])


@pytest.mark.threat("S19")
def test_an_instance_that_cannot_make_what_it_shares_is_not_healthy(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """It answers 503 until that goes well; whoever asks often makes it try no more often."""
    app, clock = App("shop"), FakeClock()
    broken, tries = [True], []

    @app.warm
    def connection() -> int:
        tries.append(1)
        if broken:
            raise ConnectionError("canary")
        return 1

    host = Host(app, Platform("nimbus", None, clock))

    def status(method: str, path: str) -> int | None:
        answer = answer_upkeep(host, HttpRequest(method, path, {}, b""))
        assert answer is None or b"canary" not in answer.body
        assert answer is None or answer.status == 204 or ("cache-control", "no-store") in answer[1]
        return answer.status if answer else None

    assert (status("POST", "/health"), status("GET", "/healthy")) == (None, None)
    for path in ("/health/", "/prod/health", "/_leeward/warm") * 17:
        assert status("GET", path) == 503
    own = [each for each in caplog.records if each.name == "leeward.app"]
    assert (len(tries), len(own)) == (1, 1)
    with pytest.raises(ConnectionError):
        app.warm_up()  # a call tries each time
    broken.clear()
    assert status("GET", "/health") == 503
    clock.advance(10.1)
    assert [status("GET", path) for path in ("/health", "/_leeward/warm")] == [200, 204]
    assert len(tries) == 3


@pytest.mark.threat("S8")
@pytest.mark.vendors
def test_no_platform_is_told_why_a_warm_up_has_failed(caplog: pytest.LogCaptureFixture) -> None:
    """Whatever asks for one: nothing is raised, and the log has class and place alone."""
    app = App("shop")

    @app.warm
    def connection() -> None:
        raise SystemExit("canary")

    request = SimpleNamespace(method="GET", path="/_leeward/warm", headers={}, get_data=lambda: b"")
    assert app.handler("google")(request)[:2] == (b'{"status":"failing"}', 503)
    (warm,) = [
        each
        for each in app.handler("azure").get_functions()
        if each.get_function_name() == "warmup"
    ]
    warm.get_user_function()(None)
    context = SimpleNamespace(function_name="shop", client_context=None, aws_request_id="r")
    assert app.handler("aws")({"warmer": True}, context) is None
    assert "connection" in caplog.text
    assert "canary" not in caplog.text


def test_subscribers_of_one_event_share_its_time() -> None:
    """What the first has taken is not there for the second; the third does not begin."""
    app, clock = App("shop"), FakeClock()
    left: list[float] = []

    def take(event: Event, context: Context) -> None:
        left.append(context.remaining())
        clock.advance(6)

    for name in ("a", "b", "c"):
        app.on_event("orders", "created", name=name)(take)
    event = Event("created", {}, source="shop", id="1")
    found = Host(app, Platform("nimbus", None, clock)).publish(
        None, event, Delivery(event, "id", "key", 10.0)
    )
    assert left == [10.0, 4.0]
    assert found is not None
    assert found.status == 503


def test_of_the_failures_with_one_event_the_first_that_may_go_well_is_told() -> None:
    """So that it comes again, whatever has failed for good before."""
    app = App("shop")

    def fail(event: Event, context: Context) -> None:
        raise {"a": LookupError, "b": ValueError, "c": KeyError}[context.function]

    for name in ("a", "b", "c"):
        app.on_event("orders", name=name, final=[LookupError])(fail)
    event = Event("created", {}, source="shop", id="1")
    found = Host(app, Platform("nimbus", None, FakeClock())).publish(
        None, event, Delivery(event, "id", "key", 10.0)
    )
    assert found is not None
    assert found.failure is not None
    assert found.failure.type == "ValueError"


def test_a_deployment_for_health_runs_no_handler(monkeypatch: pytest.MonkeyPatch) -> None:
    """Anybody may call it, so it answers for the health, and for nothing else."""
    monkeypatch.setenv("LEEWARD_FUNCTION", "leeward-health")
    app = App("shop")
    app.function(name="charge")(lambda: pytest.fail("it ran"))
    host = Host(app, Platform("nimbus", None, FakeClock()))
    for method, path, status in (
        ("GET", "/health", 200),
        ("POST", "/charge", 404),
        ("POST", "/health", 404),
        ("GET", "/charge", 404),
    ):
        answer = answer_upkeep(host, HttpRequest(method, path, {}, b"{}"))
        assert answer is not None
        assert answer.status == status


def test_a_time_that_no_calendar_has_in_utc_is_none() -> None:
    """Whoever calls may have written it."""
    assert parse_time("2026-01-31T01:00:00+01:00") == datetime(2026, 1, 31, tzinfo=UTC)
    for odd in ("0001-01-01T00:00:00+05:00", "9999-12-31T23:59:59-05:00", "soon", 5, None):
        assert parse_time(odd) is None


def test_what_needs_itself_is_refused() -> None:
    """Instead of without end."""
    app = App("shop")

    @app.warm
    def connection() -> object:
        return connection()

    with pytest.raises(ConfigError, match="needs itself to be made"):
        app.warm_up()


def test_what_is_warmed_does_not_cross_a_fork() -> None:
    """A child makes its own; nothing is kept that was opened before."""
    app = App("shop")

    @app.warm
    def owner() -> int:
        return os.getpid()

    app.warm_up()
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(writer, f"{owner() == os.getpid()}".encode())
        os._exit(0)
    os.waitpid(child, 0)
    assert os.read(reader, 10) == b"True"
    assert owner() == os.getpid()
    os.close(reader)
    os.close(writer)
