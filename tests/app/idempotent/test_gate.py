"""One gate for effects: a run that may have had one is not released, however it was begun."""

from __future__ import annotations

import asyncio
import contextvars
import json
import os
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from leeward import App, AsyncClient, Client, Config, ConfigError, Context, FunctionError
from leeward._operations.arguments import POSSIBLE
from leeward.adapter import Limits
from leeward.app.context import call_within
from leeward.app.handlers import answer
from leeward.app.host import Host, HttpRequest, serve
from leeward.app.idempotency import LeaseLost, effect, idempotent
from leeward.app.idempotency.record import (
    Claim,
    LoadedRecord,
    RecordedFailure,
    leave_unknown,
    release_record,
    with_effects,
)
from leeward.app.idempotency.steps import Changed, Held, Recorded, Saved, SaveRecord, write_end
from leeward.app.triggers import Delivery, Platform
from leeward.calls import Invoke, Result
from leeward.clock import SystemClock
from leeward.config import BusConfig
from leeward.config.model import SpoolConfig
from leeward.errors import LeewardError, Outcome
from leeward.local import Local
from leeward.outbox import CallOutbox, OutboxSettings
from leeward.testing import FakeClock, Fault, FaultyDriver
from leeward.values import OBJECT_READS, Effect
from leeward.watching import RUNNING, is_harmless, watched_by
from leeward_contract_tests.rows import each_row
from tests.app.idempotent.effects import EFFECTS, OTHERS, READS, WAYS, Place
from tests.app.idempotent.shop import Shop, context, first_record
from tests.scripted import AUTH, Scripted

PATIENCE = 20.0


class Watching:
    """Notes what it is told of effects."""

    def __init__(self) -> None:
        self.told: list[str] = []

    def begin(self) -> None:
        self.told.append("begins")

    async def begin_async(self) -> None:
        self.begin()

    def proved_not_run(self) -> None:
        self.told.append("did not run")


@contextmanager
def watching() -> Iterator[Watching]:
    watcher = Watching()
    token = watched_by(watcher)
    try:
        yield watcher
    finally:
        RUNNING.reset(token)


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    tmp_path.chmod(0o700)
    place = Place(tmp_path / "place.sqlite3")
    yield place
    place.close()


@pytest.mark.parametrize("kind", [Client, AsyncClient])
def test_every_method_of_a_client_is_in_the_table(kind: type) -> None:
    """Whoever adds one has to say whether it has an effect, and the table then tries it."""
    methods = {name for name in dir(kind) if not name.startswith("_")}
    assert methods == {*EFFECTS, *READS, *OTHERS}


def test_every_verb_is_told_of_unless_it_is_known_to_read() -> None:
    """A verb that nobody has thought of counts as an effect."""
    reads = {"load", "scan", "list_items", "get_run", "settle", *OBJECT_READS}

    class Named:
        def __init__(self, verb: str) -> None:
            self.verb = verb

    harmless = {verb for verb in [*POSSIBLE, "one of tomorrow"] if is_harmless(Named(verb))}  # type: ignore[arg-type]
    assert harmless == reads & {*POSSIBLE}


def test_each_effect_passes_the_gate_once_and_a_read_does_not(
    place: Place, subtests: pytest.Subtests
) -> None:
    """Of both clients; whatever the call is made of."""

    async def call(act: Callable[[Any], Any]) -> None:
        async with place.open_async() as client:
            await act(client)

    for name, act in {**EFFECTS, **READS}.items():
        with subtests.test(name):
            expected = ["begins"] if name in EFFECTS else []
            with watching() as watcher:
                act(place.client)
            assert watcher.told == expected
            with watching() as watcher:
                asyncio.run(call(act))
            assert watcher.told == expected


def test_what_is_proved_not_to_have_run_is_taken_back(place: Place) -> None:
    """A refused call, and a run that is not there."""
    with Client(Scripted("a", AUTH), clock=FakeClock()) as client, watching() as watcher:
        with pytest.raises(LeewardError, match="pay"):
            client.invoke("pay", effect="read_only")
        assert watcher.told == []
    with Client(Scripted("a", AUTH), clock=FakeClock()) as client, watching() as watcher:
        with pytest.raises(LeewardError, match="pay"):
            client.invoke("pay")
        assert watcher.told == ["begins", "did not run"]
    acts: list[Callable[[Client], object]] = [
        lambda client: client.cancel_run("count", "nobody"),
        lambda client: client.start_workflow("nothing", 1, id="r1"),
        lambda client: client.start_workflow("count", 1, id="r0"),  # of another input
        lambda client: client.start_workflow("count", 1, id="not an id"),
    ]
    for act in acts:
        with watching() as watcher, pytest.raises(LeewardError):
            act(place.client)
        assert watcher.told == ["begins", "did not run"]


def test_nothing_is_called_for_a_handler_without_time() -> None:
    """Nobody waits for it; what may be repeated has what the handler has left."""
    clock, driver = FakeClock(), Scripted("a")
    with Client(driver, clock=clock) as client:
        late = Context("f", "key", 1, clock.monotonic() + 2.0, clock)
        call = Invoke("f", b"{}", "key-1", Effect.IDEMPOTENT)

        def send() -> Result[Any]:
            return client._operations.send(call, 10.0)

        call_within(late, send)
        clock.advance(2.0)
        result = call_within(late, send)
        assert (result.outcome, result.code, result.attempts) == (Outcome.LOCAL, "no_time", ())
        awaited: Result[Any] = call_within(
            late, lambda: asyncio.run(client._operations.send_async(call, 10.0))
        )
        assert awaited.code == "no_time"
    assert driver.timeouts == [pytest.approx(1.5)]


class Runners:
    """Runs a marked function that does something and then fails, and says what is recorded.

    Args:
        place: of the effects.
    """

    def __init__(self, place: Place) -> None:
        self.place = place
        self.ran: str | None = None
        self.keys = Client(Local("local:keys"))
        self.work: Callable[[], object] = lambda: None
        self.app = App("shop")

        @self.app.function()
        @idempotent(
            table="keys", key="id", principal=None, effects="marked", name="f", client=self.keys
        )
        def f(id: str) -> None:
            self.work()
            raise ValueError(id)

        self.function = f
        self.local = Client(Local("local:app"), app=self.app)

    def state(self, id: str) -> str:
        record = self.keys.load_data("keys", f"f:{id}")
        return "none" if record is None else str(record.item["state"])

    def directly(self, id: str) -> None:
        with pytest.raises(ValueError, match=id):
            self.function(id)

    def as_local_handler(self, id: str) -> None:
        with pytest.raises(FunctionError) as caught:
            self.local.invoke("f", id)
        self.ran = caught.value.ran

    def over_http(self, id: str) -> None:
        host = Host(self.app, Platform("nimbus", None, SystemClock()))
        request = HttpRequest("POST", "/f", {}, json.dumps(id).encode())
        told = serve(host, self.app.handlers["f"], request, "call", 60.0)
        self.ran = dict(told.headers).get("x-leeward-ran") or json.loads(told.body)["ran"]

    def from_a_queue(self, id: str) -> None:
        self.local.enqueue("f", id, effect="keyed")
        until = time.monotonic() + PATIENCE
        while self.state(id) in ("none", "in_progress") and time.monotonic() < until:
            time.sleep(0.005)

    def close(self) -> None:
        self.local.close()
        self.keys.close()


RUNNERS: dict[str, Callable[[Runners, str], None]] = {
    "direct": Runners.directly,
    "local": Runners.as_local_handler,
    "http": Runners.over_http,
    "queue": Runners.from_a_queue,
}


@pytest.mark.parametrize("runner", RUNNERS)
def test_no_way_to_an_effect_leads_past_the_gate(
    place: Place, runner: str, subtests: pytest.Subtests
) -> None:
    """Each method on each way, and each way under each runner: a run that fails is not released."""
    runners = Runners(place)
    effects = EFFECTS if runner == "direct" else {"store_data": EFFECTS["store_data"]}
    for way, call in WAYS.items():
        for name, act in {**effects, "load_data": READS["load_data"]}.items():
            with subtests.test(f"{way}: {name}"):
                id = f"{way}-{name}"
                runners.work = lambda: call(place, act)  # noqa: B023 - called in this round
                RUNNERS[runner](runners, id)
                counts = name in EFFECTS or way == "fork"
                assert runners.state(id) == ("unknown" if counts else "released")
                if runner in ("local", "http"):
                    assert runners.ran == ("maybe" if counts else "no")
    runners.close()


def in_pool(work: Callable[[], object]) -> None:
    with ThreadPoolExecutor(1) as pool:
        pool.submit(work).result()


def in_executor(work: Callable[[], object]) -> None:
    async def call() -> None:
        await asyncio.get_running_loop().run_in_executor(None, work)

    asyncio.run(call())


def in_fork(work: Callable[[], object]) -> None:
    if (child := os.fork()) == 0:
        with suppress(BaseException):  # a table in memory stays with the parent
            work()
        os._exit(0)
    os.waitpid(child, 0)


@each_row("way", {"pool": in_pool, "executor": in_executor, "fork": in_fork})
def test_the_context_knows_its_run_on_every_thread(
    shop: Shop, way: Callable[[Callable[[], object]], None]
) -> None:
    """By the object itself: a thread of a pool has no context variable."""
    app = App("shop")

    @app.function()
    @idempotent(
        table="keys", key="how", principal=None, effects="marked", name=way.__name__,
        client=shop.client,
    )  # fmt: skip
    def charge(how: str, call: Context) -> None:
        way(call.effect if how == "by the context" else effect)
        raise ValueError(how)

    for how in ("by the context", "by the module"):
        given = Delivery(json.dumps(how).encode(), "id", "", 90.0)
        told = answer(app.handlers["charge"], given, Platform("nimbus", None, shop.clock))
        assert told.failure is not None
        assert (told.failure.type, told.failure.ran) == ("ValueError", "maybe")


def test_a_run_that_has_lost_its_key_forbids_no_others_effects(shop: Shop) -> None:
    """A thread may work for somebody else, and a handler that hangs must not stop the process."""
    taken = shop.charging(effects="marked", unknown="run")

    @idempotent(
        table="keys", key="order.id", effects="marked", client=shop.client, clock=shop.clock,
        name="charge", lease=30.0,
    )  # fmt: skip
    def slow(order: dict[str, Any]) -> None:
        shop.clock.advance(31)
        with ThreadPoolExecutor(1) as pool:
            pool.submit(taken, order).result()
            pool.submit(shop.elsewhere_client.store_data, "orders", {"id": "1"}).result()
        with pytest.raises(LeaseLost):
            effect()

    slow({"id": "42"})
    assert shop.elsewhere_client.load_data("orders", "1") is not None


def test_the_mark_of_a_child_is_not_overwritten(tmp_path: Path) -> None:
    """Of a child that shares the table, and acts when its parent has failed: it is refused."""
    tmp_path.chmod(0o700)
    path, acted = tmp_path / "keys.sqlite3", tmp_path / "acted"
    with Client(Local(path=path)) as client:
        reading, writing = os.pipe()
        children: list[int] = []

        @idempotent(table="keys", key="order", effects="marked", client=client, name="charge")
        def charge(order: str, when: str) -> None:
            children.append(os.fork())
            if children[-1] == 0:
                if when == "later":
                    os.read(reading, 1)
                try:
                    effect()
                    (acted / order).touch()
                finally:
                    os._exit(0)
            if when == "before":
                os.waitpid(children[-1], 0)
            raise ValueError(order)

        acted.mkdir()
        for order, when in (("1", "before"), ("2", "later")):
            with pytest.raises(ValueError, match=order):
                charge(order, when)
            found = client.load_data("keys", f"charge:{order}")
            if when == "later":  # a child that waits would keep the test's output open
                os.write(writing, b"x")
                os.waitpid(children[-1], 0)
            assert found is not None
            assert found.item["state"] == "unknown"
    assert [each.name for each in acted.iterdir()] == ["1"]


def test_an_end_without_effect_replaces_no_record_with_one() -> None:
    """Somebody has recorded an effect of this run: a child, in a way that nobody has noticed."""
    record = first_record(Claim("me", "p", 30.0, effects_marked=True), 0.0)
    held, failure = Held(record, "r0"), RecordedFailure("ValueError")
    unknown = leave_unknown(record, failure)
    steps = write_end(held, release_record(record), unknown)
    next(steps)
    steps.send((Changed(), 0.0))
    step = steps.send((LoadedRecord(with_effects(record), "r1"), 0.0))
    assert step == SaveRecord(unknown, "r1")
    with pytest.raises(StopIteration) as end:
        steps.send((Saved("r2"), 0.0))
    assert end.value.value is Recorded.MARKED


@contextmanager
def all_down(path: Path) -> Iterator[tuple[FaultyDriver, Config]]:
    """Give a target that is down, and a configuration that keeps its events."""
    path.chmod(0o700)
    spool = SpoolConfig(path=str(path / "spool.sqlite3"))
    down = FaultyDriver(Local("local:down"))
    down.fail(Fault.REFUSE, times=99)
    yield down, Config(buses={"orders": BusConfig(on_all_down="spool")}, spool=spool)


def test_a_kept_event_is_an_effect(tmp_path: Path, shop: Shop) -> None:
    """No target has taken it; it is published later, so a repeat would publish another one."""
    with all_down(tmp_path) as (down, config), Client(down, config=config) as cloud:

        @idempotent(table="keys", key="id", effects="marked", client=shop.client, name="charge")
        def charge(id: str) -> None:
            assert cloud.publish_event("orders", "paid").promise.name == "SPOOLED"
            raise ValueError(id)

        with pytest.raises(ValueError, match="42"):
            charge("42")
    assert shop.state() == "unknown"


async def state_in(table: AsyncClient, key: str) -> str:
    record = await table.load_data("keys", key)
    assert record is not None
    return str(record.item["state"])


def test_a_call_in_the_users_transaction_is_an_effect() -> None:
    """Whether the connection is awaited or not; before it is written."""
    settings = OutboxSettings(Config(), "postgres", None, Limits())
    with watching() as watcher:
        plain = CallOutbox(settings, lambda _call, _id: watcher.told.append("written"))
        plain.publish_event("orders", "paid")
        plain.enqueue("pay", 1)
        plain.enqueue("pay", 1, effect="idempotent")
        plain.start_workflow("count", 1, id="r1")
        assert watcher.told == [*["begins", "written"] * 2, "written", "begins", "written"]

    async def write(_call: object, id: str) -> str:
        return id

    async def job() -> list[str]:
        with watching() as watcher:
            awaited: CallOutbox[Any] = CallOutbox(settings, write, awaited=True)
            assert await awaited.start_workflow("count", 1, id="r1") == "r1"
            return watcher.told

    assert asyncio.run(job()) == ["begins"]


async def _in_executor(work: Callable[[], object], _: Context) -> None:
    await asyncio.get_running_loop().run_in_executor(None, work)


async def _by_context(_: Callable[[], object], call: Context) -> None:
    await asyncio.get_running_loop().run_in_executor(None, call.effect)


async def _to_thread(work: Callable[[], object], _: Context) -> None:
    await asyncio.to_thread(work)


async def _in_other_loop(_: Callable[[], object], call: Context) -> None:
    await asyncio.to_thread(asyncio.run, call.effect_async())


async def _in_lost_task(_: Callable[[], object], __: Context) -> None:
    """Make the call in a task that knows nothing of the handler."""

    async def store() -> None:
        async with AsyncClient(Local("local:orders")) as client:
            await client.store_data("orders", {"id": "2"})

    await asyncio.create_task(store(), context=contextvars.Context())


async def _at_once(work: Callable[[], object], _: Context) -> None:
    with pytest.raises(ConfigError, match="await effect_async"):
        work()


COROUTINES = {
    _in_executor: "unknown",
    _by_context: "unknown",
    _to_thread: "unknown",
    _in_other_loop: "unknown",
    _in_lost_task: "unknown",
    _at_once: "released",
}


@each_row("way, expected", [*COROUTINES.items()])
def test_threads_of_a_coroutine_function_are_counted(
    way: Callable[..., Any], expected: str
) -> None:
    """Recorded on its loop, while it waits for them; on the loop itself it has to be awaited."""

    async def job() -> str:
        other, table = Client(Local("local:elsewhere")), AsyncClient(Local("local:keys"))
        with other:
            async with table:

                @idempotent(table="keys", key="id", effects="marked", client=table, name="f")
                async def f(id: str, call: Context) -> None:
                    await way(lambda: other.store_data("orders", {"id": "1"}), call)
                    raise ValueError(id)

                with pytest.raises(ValueError, match="42"):
                    await f("42", context(FakeClock()))
                return await state_in(table, "f:42")

    assert asyncio.run(job()) == expected


def test_a_part_on_a_thread_keeps_its_records_where_the_handler_does() -> None:
    """Given the context, it uses that client, and counts for that handler."""
    app = App("shop")

    @idempotent(table="keys", key="id", effects="marked", name="part")
    def part(id: str, context: Context) -> str:
        context.effect()
        return id

    @app.function()
    @idempotent(table="keys", key="id", principal=None, effects="marked", name="whole")
    def whole(id: str, context: Context) -> None:
        with ThreadPoolExecutor(1) as pool:
            assert pool.submit(part, id, context).result() == id
        raise ValueError(id)

    with Client(Local("local:shop"), app=app) as client:
        with pytest.raises(FunctionError) as caught:
            client.invoke("whole", "42")
        assert caught.value.ran == "maybe"
        done, unknown = (client.load_data("keys", f"{name}:42") for name in ("part", "whole"))
        assert done is not None
        assert unknown is not None
        assert (done.item["state"], unknown.item["state"]) == ("completed", "unknown")


def test_a_part_on_a_thread_that_nothing_names_counts_for_whoever_waits(shop: Shop) -> None:
    """It has a record of its own; that the handler did nothing, nobody can say."""

    @idempotent(table="keys", key="order", client=shop.client, name="part", effects="marked")
    def part(order: str) -> None:
        effect()

    @idempotent(table="keys", key="order", client=shop.client, name="charge", effects="marked")
    def whole(order: str) -> None:
        with ThreadPoolExecutor(1) as pool:
            pool.submit(part, order).result()
        raise ValueError(order)

    with pytest.raises(ValueError, match="42"):
        whole("42")
    assert shop.state() == "unknown"


def test_parts_beside_each_other_do_not_hinder_each_other(shop: Shop) -> None:
    """One that fails before its effect is released; the other one goes on."""
    failed, release = threading.Event(), threading.Event()

    @idempotent(table="keys", key="order", client=shop.client, name="charge", effects="marked")
    def part(order: str, call: Context) -> str:
        if order == "fails":
            release.wait(PATIENCE)
            raise ValueError(order)
        release.set()
        failed.wait(PATIENCE)
        call.effect()
        return order

    def handle(_: str, call: Context) -> list[Any]:
        with ThreadPoolExecutor(2) as pool:
            first = pool.submit(part, "fails", call)
            second = pool.submit(part, "runs", call)
            with pytest.raises(ValueError, match="fails"):
                first.result()
            failed.set()
            return [second.result()]

    given = context(shop.clock)
    assert call_within(given, handle, "", given) == ["runs"]
    assert shop.state("fails") == "released"
