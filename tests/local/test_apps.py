"""An app in this process: its functions, subscribers, messages, and the errors of all three."""

from __future__ import annotations

import asyncio
import threading
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest

from leeward import App, AsyncClient, Client, Context, Effect, Event, FunctionError
from leeward.app import Problem, idempotent
from leeward.calls import Invoke
from leeward.config import Config, FunctionConfig
from leeward.errors import ConfigError
from leeward.local import Local
from leeward.opening import resolve_targets
from leeward.testing import FakeClock, FaultyDriver
from tests.local.calls import PATIENT, until
from tests.scripted import Scripted


@dataclass
class Order:
    id: str
    qty: int = 1


class Shop:
    """An app, and what its handlers were given."""

    def __init__(self) -> None:
        self.app = App("shop")
        self.seen: list[Any] = []

        @self.app.function(effect="keyed")
        def send_receipt(order: Order, context: Context) -> dict[str, Any]:
            self.seen.append((context.provider, context.attempt, context.idempotency_key))
            return {"sent": order.id}

        @self.app.function()
        async def later(order: Order) -> Order:
            await asyncio.sleep(0)
            return order

        @self.app.function()
        def refuse(reason: str) -> None:
            if reason:
                raise Problem("sold out", reason=reason)
            raise ValueError("canary")

        @self.app.on_event("orders", "order.created")
        def remember(event: Event, context: Context) -> None:
            self.seen.append((event.data, context.attempt, context.idempotency_key))

        @self.app.on_message("parcels")
        def send(order: Order, context: Context) -> None:
            self.seen.append((order, context.attempt))
            if context.attempt == 1:
                raise ConnectionError


@pytest.fixture
def shop() -> Shop:
    """Make the app anew."""
    return Shop()


def test_an_app_runs_where_its_client_is_embedded(shop: Shop) -> None:
    """Functions answer, events reach their subscribers, queued calls their handlers, again too."""
    cloud = Local()
    with Client(cloud, app=shop.app) as client:
        assert client.invoke("send-receipt", {"id": "42"}, idempotency_key="k").value == {
            "sent": "42"
        }
        assert client.invoke("later", {"id": "42"}).value == {"id": "42", "qty": 1}
        client.publish_event("orders", "order.created", {"id": "42"}, id="e")
        cloud.wait_idle(PATIENT)
        client.enqueue("parcels", {"id": "7", "qty": 2})
        cloud.wait_idle(PATIENT)
    source = shop.seen[1][2].removesuffix("#e")
    assert source
    assert shop.seen == [
        ("local", None, "k"),
        ({"id": "42"}, 1, f"{source}#e"),
        (Order("7", 2), 1),
        (Order("7", 2), 2),
    ]


def test_an_app_is_opened_by_name_and_awaited(
    shop: Shop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By each client, through a wrapper as well, and on each target of an order."""
    monkeypatch.chdir(tmp_path)
    with Client("local:a,local:b", app=shop.app) as client:
        assert client.invoke("send-receipt", {"id": "1"}).target == "local:a"
    with Client(FaultyDriver(Local()), app=shop.app) as client:
        assert client.invoke("send-receipt", {"id": "1"}).value == {"sent": "1"}

    async def awaited() -> Any:
        async with AsyncClient(Local(), app=shop.app) as client:
            return await client.invoke("later", {"id": "1"})

    assert asyncio.run(awaited()).value == {"id": "1", "qty": 1}


def test_a_failure_is_told_as_on_every_cloud(shop: Shop) -> None:
    """By its class; its text only if it was written for the caller. The cause is at hand here."""
    with Client(Local(), app=shop.app) as client:
        table: list[tuple[str, Any, tuple[str, str | None]]] = [
            ("refuse", "sold_out", ("Problem", "sold out")),
            ("refuse", "", ("ValueError", None)),
            ("send-receipt", {"id": 42}, ("InvalidInput", "$.id must be str")),
        ]
        for function, payload, told in table:
            with pytest.raises(FunctionError) as caught:
                client.invoke(function, payload)
            error = caught.value
            assert (error.error_type, error.error_message) == told
            assert "canary" not in str(error)
            assert type(error.__cause__).__name__ == told[0]


def test_an_app_that_is_wrong_is_refused(shop: Shop) -> None:
    """When it is mounted: a taken name, and an annotation that makes no sense."""
    cloud = Local()
    cloud.function("later")(len)
    with pytest.raises(ConfigError, match="'later' is registered twice"):
        cloud.mount(shop.app)
    broken = App("broken")
    broken.function(name="f")(lambda given, context, more: None)
    with pytest.raises(ConfigError, match="'more' besides its input"):
        cloud.mount(broken)
    cloud.close()


def test_no_handler_takes_the_place_of_one_of_another_app() -> None:
    """Its objects would be told to nobody, and its schedule never be due."""
    objects, schedules = (App("one"), App("other")), (App("one"), App("other"))
    for app in objects:
        app.on_object(app.name, name="clean")(print)
    for app in schedules:
        app.on_schedule("0 0 1 1 *", name="clean")(print)
    for first, second in (objects, schedules):
        local = Local()
        local.mount(first)
        with pytest.raises(ConfigError, match="handler 'clean' runs here already"):
            local.mount(second)
        local.close()


def test_a_delivery_is_given_up_when_its_handler_says_so() -> None:
    """After its own retries, fewer or more than usual; at once if to try again is in vain."""
    app, attempts = App("shop"), dict.fromkeys(("few", "many", "wrong", "input", "usual"), 0)

    def failing(name: str, error: type[Exception], annotation: Any, **options: Any) -> None:
        def handle(given: Any) -> None:
            attempts[name] += 1
            raise error("canary")

        handle.__annotations__ = {"given": annotation}
        app.on_message(name, name=name, **options)(handle)

    failing("few", KeyError, Any, retries=1)
    failing("many", KeyError, Any, retries=6)
    failing("wrong", LookupError, Any, final=[LookupError])
    failing("input", KeyError, int)
    failing("usual", KeyError, Any)
    cloud = Local()
    with Client(cloud, app=app) as client:
        for name in attempts:
            client.enqueue(name, {"id": "1"})
        cloud.wait_idle(PATIENT)
        letters = {each.subscription: (each.attempts, each.error) for each in cloud.dead_letters()}
    assert attempts == {"few": 2, "many": 7, "wrong": 1, "input": 0, "usual": 5}
    assert letters == {
        "few": (2, "KeyError"),
        "many": (7, "KeyError"),
        "wrong": (1, "LookupError"),
        "input": (1, "InvalidInput"),
        "usual": (5, "KeyError"),
    }


def test_a_schedule_runs_when_it_is_due() -> None:
    """Once for each time that has come, with that time; of those that were missed for the last."""
    app, seen = App("shop"), list[Any]()

    @app.on_schedule("*/5 * * * *", retries=1)
    def sweep(time: datetime, context: Context) -> None:
        seen.append((f"{time:%H:%M}", context.idempotency_key, context.attempt))

    clock = FakeClock(now=datetime(2026, 1, 31, 0, 3, tzinfo=UTC).timestamp())
    cloud = Local(clock=clock)
    with Client(cloud, app=app, clock=clock):
        schedules = cloud._runner.schedules
        schedules.close()  # the test looks itself
        for minutes in (0, 1, 1, 1, 58):
            clock.advance(60 * minutes)
            schedules.look()
            cloud.wait_idle(PATIENT)
    key = "sweep#2026-01-31T{}:00+00:00"
    assert seen == [
        ("00:05", key.format("00:05"), 1),
        ("01:00", key.format("01:00"), 1),
    ]


def test_a_time_is_run_for_once_by_however_many_processes(tmp_path: Path) -> None:
    """On one file, and again after all of them are gone; made up for only if that is asked."""
    app, seen = App("shop"), list[Any]()

    @app.on_schedule("*/5 * * * *")
    def sweep(time: datetime) -> None:
        seen.append(f"{time:%H:%M}")

    clock = FakeClock(now=datetime(2026, 1, 31, 0, 3, tzinfo=UTC).timestamp())

    def look_at(minutes: int, *, make_up: bool = False, processes: int = 3) -> list[Any]:
        clouds = [Local(path=tmp_path / "local.sqlite3", clock=clock) for _ in range(processes)]
        for cloud in clouds:
            cloud.mount(app)
            cloud._runner.schedules.close()
        if make_up:
            clouds[0]._runner.schedules.make_up()
        clock.advance(60 * minutes)
        for cloud in clouds:
            cloud._runner.schedules.look()
            cloud.wait_idle(PATIENT)
            cloud.close()
        told = seen[:]
        seen.clear()
        return told

    tmp_path.chmod(0o700)
    assert look_at(0, make_up=True) == []  # it begins at 00:03
    assert look_at(3) == ["00:05"]
    clock.advance(60 * 60)
    assert look_at(0) == []
    assert look_at(0, make_up=True) == ["01:05"]
    assert look_at(0, make_up=True) == []
    assert look_at(5) == ["01:10"]


def test_a_clock_that_was_wrong_stops_no_schedule(tmp_path: Path) -> None:
    """A year ahead for a moment: afterwards it runs when it is due, here and in a later process."""
    app, seen = App("shop"), list[Any]()

    @app.on_schedule("*/5 * * * *")
    def sweep(time: datetime) -> None:
        seen.append(f"{time:%Y %H:%M}")

    clock = FakeClock(now=datetime(2026, 1, 31, 0, 3, tzinfo=UTC).timestamp())
    tmp_path.chmod(0o700)

    def opened() -> Local:
        cloud = Local(path=tmp_path / "local.sqlite3", clock=clock)
        cloud.mount(app)
        cloud._runner.schedules.close()
        return cloud

    def look(cloud: Local, seconds: float) -> None:
        clock.advance(seconds)
        cloud._runner.schedules.look()
        cloud.wait_idle(PATIENT)

    year = 365 * 86_400.0
    first = opened()
    for seconds in (year, -year, 60, 60):
        look(first, seconds)
    assert seen == ["2027 00:00", "2026 00:05"]
    look(first, year)
    first.close()
    clock.advance(-year)
    second = opened()
    second._runner.schedules.make_up()
    look(second, 300)
    second.close()
    assert seen[2:] == ["2027 00:05", "2026 00:10"]


def test_schedules_outlive_an_error_of_one_look() -> None:
    """Such as a file that cannot be trusted for a moment: what is due then is due at the next."""
    app, ran = App("shop"), threading.Event()
    app.on_schedule("* * * * *", name="sweep")(ran.set)

    class Clock(FakeClock):
        broken = False

        def now(self) -> float:
            if self.broken:
                self.broken = False
                raise OverflowError
            return super().now()

    clock = Clock()
    cloud = Local(clock=clock)
    cloud.mount(app)
    clock.broken = True
    until(lambda: not clock.broken)
    clock.advance(60)
    assert ran.wait(PATIENT)
    cloud.close()


def test_schedules_start_when_there_is_a_thread_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that may have no further thread says so; the next app starts them, or none."""

    def refuse(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    clock, ran = FakeClock(), threading.Event()
    first, second = App("first"), App("second")
    first.on_schedule("* * * * *", name="a")(print)
    second.on_schedule("* * * * *", name="b")(ran.set)
    for starts in (True, False):
        cloud = Local(clock=clock)
        with monkeypatch.context() as patch:
            patch.setattr(threading.Thread, "start", refuse)
            with pytest.raises(RuntimeError):
                cloud.mount(first)
        if starts:
            cloud.mount(second)
            clock.advance(60)
            assert ran.wait(PATIENT)
        cloud.close()


def test_a_schedule_that_fails_is_a_dead_letter_of_its_own() -> None:
    """After its retries; its thread looks by itself, and ends with the target."""
    app, earlier = App("shop"), threading.enumerate()

    @app.on_schedule("* * * * *", retries=0)
    def sweep() -> None:
        raise KeyError

    clock = FakeClock(now=datetime(2026, 1, 31, 0, 3, tzinfo=UTC).timestamp())
    cloud = Local(clock=clock)
    with Client(cloud, app=app, clock=clock):
        clock.advance(60)
        until(cloud.dead_letters)
        (letter,) = cloud.dead_letters()
    told = (letter.bus, letter.subscription, letter.attempts, letter.error)
    assert told == ("(schedule)", "sweep", 1, "KeyError")
    later = [each for each in threading.enumerate() if each not in earlier]
    assert not [each for each in later if each.name == "leeward-schedules"]


def test_an_app_is_mounted_once() -> None:
    """The same one again is harmless; another one of its name is told where it may come from."""
    app, cloud = App("shop"), Local()
    cloud.mount(app)
    cloud.mount(app)
    with pytest.raises(ConfigError, match="'shop' runs here already, as leeward.toml may say"):
        cloud.mount(App("shop"))
    cloud.mount(App("other"))
    cloud.close()


def test_what_an_app_declares_counts_where_it_is_called(tmp_path: Path) -> None:
    """Effect, shared deduplication and timeout, of both clients; ``leeward.toml`` says it last."""
    app = App("shop")

    @app.function(effect="keyed", timeout=20)
    @idempotent(table="keys", key="order", principal=None, dedup_scope="group")
    def charge(order: dict[str, Any]) -> None: ...

    @app.function(effect="read_only")
    def look(order: str) -> None: ...

    @app.function(name="free")
    def free(order: str) -> None: ...

    file = tmp_path / "leeward.toml"
    file.write_text(
        '[functions.charge.names]\naws = "other"\n[functions.look]\ntimeout = 7\n'
        '[functions.free]\neffect = "idempotent"\n'
    )
    keyed, seen, idle = (Effect.KEYED, True), (Effect.READ_ONLY, False), (Effect.IDEMPOTENT, False)
    expected = [(*keyed, 20.0), (*seen, 7.0), (*idle, 0.0), (Effect.UNSAFE, False, 60.0)]

    def declared(driver: Scripted) -> list[tuple[Effect, bool, float]]:
        calls = [each for each in driver.calls if isinstance(each, Invoke)]
        assert driver.timeouts == pytest.approx(
            [19.5, 6.5, 59.5], abs=0.6
        )  # nearly all, at one target
        return [(each.effect, each.shared_dedup is True, each.time_limit) for each in calls]

    driver = Scripted("a")
    with Client(driver, app=app, config=file) as client:
        for name in ("charge", "look", "free"):
            client.invoke(name)
        assert declared(driver) == expected[:3]

    async def awaited() -> None:
        async with AsyncClient(waiting, app=app, config=file) as client:
            for name in ("charge", "look", "free"):
                await client.invoke(name)

    waiting = Scripted("a")
    asyncio.run(awaited())
    assert declared(waiting) == expected[:3]


def test_a_section_takes_back_only_what_it_says() -> None:
    """Whatever keys it has; another effect takes back what goes with the declared one."""
    app = App("shop")

    @app.function(effect="keyed", timeout=20)
    @idempotent(table="keys", key="order", principal=None, dedup_scope="group")
    def charge(order: dict[str, Any]) -> None: ...

    app.function(name="look", effect="read_only")(len)
    declared: dict[str, Any]
    declared = {"effect": Effect.KEYED, "shared_dedup": True, "on_unknown": "settle", "timeout": 20}
    said: dict[str, Any] = {
        "effect": Effect.KEYED,
        "shared_dedup": False,
        "on_unknown": "raise",
        "timeout": 7.0,
        "marks": True,
        "probe": "look",
        "names": {"aws": "own"},
    }
    for keys in (each for size in range(len(said) + 1) for each in combinations(said, size)):
        section = FunctionConfig(**{key: said[key] for key in keys})
        config, _ = resolve_targets(Local(), Config(functions={"charge": section}), app)
        expected = section._replace(**{k: v for k, v in declared.items() if k not in keys})
        assert config.functions["charge"] == expected
    for effect in set(Effect) - {Effect.KEYED}:
        section = FunctionConfig(effect=effect)
        config, _ = resolve_targets(Local(), Config(functions={"charge": section}), app)
        assert config.functions["charge"] == section._replace(timeout=20)


def test_a_handler_has_the_client_that_runs_it(
    shop: Shop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And so have an idempotent function and a coroutine: nothing is opened beside it."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("CLOUD_PROVIDER", raising=False)
    app = shop.app

    @app.function(effect="keyed")
    @idempotent(table="keys", key="order", principal=None, name="charge")
    def charge(order: str, context: Context) -> None:
        context.client.store_data("charges", {"id": order})

    @app.function(effect="keyed")
    @idempotent(table="keys", key="order", principal=None, name="pay")
    async def pay(order: str, context: Context) -> None:
        await context.async_client.store_data("charges", {"id": order})

    def check(client: Client, order: str) -> None:
        kept = [client.load_data("charges", f"{name}-{order}") for name in ("charge", "pay")]
        kept += [client.load_data("keys", f"{name}:{name}-{order}") for name in ("charge", "pay")]
        assert None not in kept

    with Client(Local(), app=app) as client:
        for name in ("charge", "pay"):
            client.invoke(name, f"{name}-1")
        check(client, "1")

    async def awaited(cloud: Local) -> None:
        async with AsyncClient(cloud, app=app) as client:
            for name in ("charge", "pay"):
                await client.invoke(name, f"{name}-2")
            check(app.client(), "2")

    asyncio.run(awaited(Local()))
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(ConfigError, match="not a function of an App"):
        _ = Context("f", "", 1, 1.0, FakeClock()).client
    assert app.client().targets()[0].name == "local"  # where none is open, one for the process
    app.client().store_data("charges", {"id": "3"})
    app.client().close()
    assert [each.name for each in tmp_path.iterdir()] == [".leeward"]
