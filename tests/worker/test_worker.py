"""One worker in this process: what it runs, what it refuses, and how much at one time."""

from __future__ import annotations

import json
import logging
import socket
import sqlite3
import struct
import time
import urllib.request
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, closing
from http.client import HTTPConnection
from pathlib import Path
from threading import Barrier, Condition, Thread
from threading import Event as Flag
from threading import enumerate as enumerate_threads
from typing import Any

import pytest

from leeward import App, Client, Context, Event
from leeward import worker as worker_module
from leeward.config import Config, FunctionConfig, LimitConfig, WorkerConfig
from leeward.errors import ConfigError, TargetUnavailable
from leeward.leases import threads
from leeward.leases.threads import CARRIERS
from leeward.local import Local
from leeward.stores import NewRow, Recipient
from leeward.worker import Worker
from leeward.worker.health import HealthServer
from leeward.workflow import Flow, Ref
from leeward_contract_tests.rows import each_row
from tests.worker.places import PATIENT, until
from tests.worker.rows import NoRows, RowTarget


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Look often."""
    monkeypatch.setattr(threads, "LOOK_AGAIN", 0.05)


class Gauge:
    """How many attempts of each name were under way at one time.

    Args:
        full: how many of a name must have been, before the first of them ends.
    """

    def __init__(self, **full: int) -> None:
        self.most: Counter[str] = Counter()
        self.done: Counter[str] = Counter()
        self._full = full
        self._now: Counter[str] = Counter()
        self._lock = Condition()

    def measure(self, *names: str) -> None:
        """Make an attempt."""
        with self._lock:
            for name in names:
                self._now[name] += 1
                self.most[name] = max(self.most[name], self._now[name])
            self._lock.notify_all()
            wanted = {name: count for name, count in self._full.items() if name in names}
            assert self._lock.wait_for(lambda: self.most >= Counter(wanted), PATIENT)
        time.sleep(0.01)
        with self._lock:
            for name in names:
                self._now[name] -= 1
                self.done[name] += 1


def test_attempts_at_one_time_have_limits_by_queue_and_by_name() -> None:
    """A queue has its own number; a limit holds for its handlers together, whatever their queue."""
    gauge, app = Gauge(send=3, pair=2), App("shop")
    app.on_message("parcels", name="send")(lambda _: gauge.measure("send", "all"))
    app.on_message("letters", name="post")(lambda _: gauge.measure("post", "pair", "all"))
    app.on_message("cards", name="write")(lambda _: gauge.measure("write", "pair", "all"))
    config = Config(
        worker=WorkerConfig(
            queues={"parcels": 3}, limits={"pair": LimitConfig(2, ("post", "write"))}
        )
    )
    with Worker(app, Local(), config=config, queues={"letters": 5}, concurrency=4):
        client = app.client()
        for number in range(30):
            for queue in ("parcels", "letters", "cards"):
                client.enqueue(queue, number)
        until(lambda: gauge.done["all"] == 90)
    assert gauge.most["send"] == 3
    assert gauge.most["pair"] == 2
    assert gauge.most["write"] <= 2


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"queues": {"parcel": 1}}, "queues names 'parcel'.*did you mean 'parcels'"),
        ({"queues": {"parcels": 0}}, "queues.parcels must be a whole number from 1 to 1000"),
        ({"limits": {"sends": 1}}, "limits.sends is for 'sends'.*did you mean 'send'"),
        ({"concurrency": 0}, "concurrency must be a whole number"),
        ({"target": "aws"}, "'aws' is not in the order"),
    ],
)
def test_what_is_wrong_is_refused_before_anything_runs(options: Any, told: str) -> None:
    """The message names the argument, and what is known."""
    app = App("shop")
    app.on_message("parcels", name="send")(print)
    with pytest.raises(ConfigError, match=told):
        Worker(app, Local(), **options)


def test_a_target_without_rows_is_refused() -> None:
    """A cloud delivers by itself."""
    with pytest.raises(ConfigError, match="cloud keeps no rows for workers"):
        Worker(App("shop"), NoRows())


def test_handlers_that_nothing_delivers_to_are_refused() -> None:
    """By their names, with the remedy."""
    app = App("shop")
    app.on_object("inbox", name="read")(print)
    with pytest.raises(ConfigError, match=r"does not deliver objects.*'read'.*app of their own"):
        Worker(app, RowTarget(Local()))


def test_a_queue_with_another_name_at_the_target_is_refused() -> None:
    """What clients queue under that name would never be delivered."""
    app = App("shop")
    app.on_message("parcels", name="send")(print)
    functions = {"parcels": FunctionConfig(names={"local": "prod-parcels"})}
    with pytest.raises(ConfigError, match="'parcels' is 'prod-parcels' at local.*'send'"):
        Worker(app, RowTarget(Local()), config=Config(functions=functions))


@pytest.fixture
def seen() -> list[Any]:
    """Give what handlers note."""
    return []


@pytest.fixture
def shop(seen: list[Any]) -> App:
    """Give an app with handlers of each kind that a database can deliver to."""
    app = App("shop")

    @app.function(effect="idempotent")
    def pack(order: Any, context: Context) -> Any:
        seen.append(("pack", order["id"], context.provider))
        return order

    @app.on_message("parcels")
    def send(parcel: Any, context: Context) -> None:
        packed = context.client.invoke("pack", parcel)
        seen.append(("send", packed.value["id"], packed.target))

    @app.on_event("orders", "order.created")
    def remember(event: Event, context: Context) -> None:
        context.client.start_workflow("ship", event.data, id=event.data["id"])

    @app.workflow("ship")
    def ship(w: Flow, order: Ref) -> None:
        w.step(pack, order)

    return app


def test_an_app_runs_where_a_target_only_keeps_rows(shop: App, seen: list[Any]) -> None:
    """Its functions are called in the worker's process; a publisher needs no app."""
    target = RowTarget(Local())
    with Worker(shop, target):
        client = shop.client()
        client.enqueue("parcels", {"id": "1"})
        client.publish_event("orders", "order.created", {"id": "2"})
        until(lambda: client.get_run("ship", "2") is not None)
        assert client.wait_for_run("ship", "2", timeout=PATIENT).state.value == "succeeded"
        until(lambda: len(seen) == 3)
    assert sorted(seen) == [
        ("pack", "1", "local"),
        ("pack", "2", "local"),
        ("send", "1", "worker"),
    ]


def test_a_step_that_nobody_can_call_is_refused(shop: App) -> None:
    """Its run would fail."""

    @shop.workflow("bill")
    def bill(w: Flow, order: Ref) -> None:
        w.step("charge", order, effect="idempotent")

    with pytest.raises(ConfigError, match="the workflow 'bill' calls charge"):
        Worker(shop, RowTarget(Local()))


def test_a_worker_says_which_runs_it_leaves_alone(
    shop: App, caplog: pytest.LogCaptureFixture
) -> None:
    """They live at another target, and somebody may take this one for their worker."""
    targets = [RowTarget(Local("local:a")), Local("local:b")]
    with Worker(shop, targets, config=Config(workflow_target="local:b"), target="local:a"):
        pass
    (line,) = [each.message for each in caplog.records if "runs_elsewhere" in each.message]
    assert "workflows='ship'" in line
    assert "target='local:b'" in line


def test_a_worker_that_has_ended_leaves_no_thread() -> None:
    """A process may start many, one after the other, as a supervisor does."""
    app, earlier = App("shop"), enumerate_threads()
    app.on_message("parcels", name="send")(lambda _: None)
    with Worker(app, RowTarget(Local()), config=Config(source="tests")) as worker:
        worker.client.enqueue("parcels", 1)
        until(lambda: worker.status().last_look is not None)
    until(lambda: all(each in earlier for each in enumerate_threads()))


def test_many_queues_share_a_few_threads() -> None:
    """Each with a number of its own; all of them are looked for."""
    app, seen, local = App("shop"), set[str](), Local()
    names, earlier = [f"queue{number}" for number in range(40)], enumerate_threads()
    for name in names:
        app.on_message(name, name=name, retries=0)(seen.add)
    with Worker(app, local, queues=dict.fromkeys(names, 1)) as worker, Client(local) as client:
        for name in names:
            client.enqueue(name, name)
        until(lambda: len(seen) == len(names))
        new = [each for each in enumerate_threads() if each not in earlier]
        until(lambda: worker.status().under_way == 0)
    assert sum(each.name == "leeward-dispatch" for each in new) <= CARRIERS


@pytest.fixture
def locked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Path, Any]]:
    """Give a store that was used already, and what keeps everybody out of it."""
    monkeypatch.setattr("leeward._delivery.sqlite_store.PATIENCE", 0.01)
    monkeypatch.setattr("leeward._delivery.schedules.PATIENCE", 0.01)
    path = tmp_path / "private" / "shop.sqlite3"
    local = Local(path=path)
    local.stores().deliveries.count_waiting([])
    local.close()
    keeper = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    yield path, keeper
    keeper.close()


def test_while_the_store_is_away_an_end_is_kept(
    locked: tuple[Path, Any], caplog: pytest.LogCaptureFixture
) -> None:
    """It is logged once, and the attempt is not made again."""
    path, keeper = locked
    attempts: list[int | None] = []
    begun, go, app = Flag(), Flag(), App("shop")

    @app.on_message("parcels")
    def send(parcel: Any, context: Context) -> None:
        attempts.append(context.attempt)
        begun.set()
        assert go.wait(PATIENT)

    with Worker(app, local := Local(path=path), health="0") as worker:
        app.client().enqueue("parcels", 1)
        assert begun.wait(PATIENT)
        keeper.execute("BEGIN EXCLUSIVE")
        go.set()
        until(lambda: worker.status().state == "store_away")
        with pytest.raises(urllib.error.HTTPError, match="503"):
            urllib.request.urlopen(f"http://{worker.health_address}")
        time.sleep(0.3)
        keeper.execute("ROLLBACK")
        until(lambda: worker.status().state == "ready")
        with urllib.request.urlopen(f"http://{worker.health_address}") as answer:
            assert json.load(answer)["status"] == "ready"
        local.wait_idle(PATIENT)
    assert attempts == [1]
    assert sum("delivery_stalled" in each.message for each in caplog.records) == 1
    assert not any("attempt_not_recorded" in each.message for each in caplog.records)


def test_a_worker_waits_for_a_store_that_is_away_at_its_start(
    locked: tuple[Path, Any], caplog: pytest.LogCaptureFixture
) -> None:
    """It does not end, and says so once."""
    path, keeper = locked
    caplog.set_level(logging.INFO)
    app = App("shop")
    app.on_schedule("0 0 29 2 *", name="sweep")(print)
    keeper.execute("BEGIN EXCLUSIVE")
    worker = Worker(app, Local(path=path))
    thread = Thread(target=worker.start)
    thread.start()
    until(lambda: worker.status().state == "store_away")
    keeper.execute("ROLLBACK")
    thread.join(PATIENT)
    assert worker.status().state in ("ready", "store_away")
    worker.drain()
    names = [each.msg.partition(" ")[0] for each in caplog.records if each.name == "leeward.worker"]
    assert names == ["store_away", "worker_started", "worker_drained"]


@each_row("moment", ["before its start", "while it works"])
def test_a_worker_that_works_once_does_not_wait_for_a_store_for_ever(
    locked: tuple[Path, Any], monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    """It says that the store is away, and why."""
    path, keeper = locked
    monkeypatch.setattr(worker_module, "AWAY", 0.3)
    app = App("shop")
    app.on_schedule("0 0 29 2 *", name="sweep")(print)
    app.on_message("parcels", name="send")(lambda _: keeper.execute("BEGIN EXCLUSIVE"))
    worker = Worker(app, Local(path=path), drain=0.1)
    if moment == "while it works":
        worker.stores.deliveries.add([NewRow(Recipient("", "parcels"), None, "k", "1")], 5)
    else:
        keeper.execute("BEGIN EXCLUSIVE")
    with pytest.raises(TargetUnavailable, match="local has not answered for 0 seconds: "):
        worker.run(once=True)
    keeper.execute("ROLLBACK")
    assert worker.status().state == "stopped"


def test_the_functions_of_an_app_are_served_beside() -> None:
    """The address is of this machine unless told otherwise."""
    app = App("shop")
    app.function(name="double")(lambda number: 2 * number)
    with Worker(app, Local(), http="127.0.0.1:0") as worker:
        request = urllib.request.Request(f"http://{worker.http_address}/double", b"21")
        with urllib.request.urlopen(request) as answer:
            assert json.load(answer) == 42


def test_events_for_runs_are_served_beside(monkeypatch: pytest.MonkeyPatch) -> None:
    """As calls are: with the token, and a bounded body; an id counts once."""
    monkeypatch.setenv("LEEWARD_WORKER_TOKEN", "secret")
    app = App("shop")

    @app.workflow("order")
    def order(w: Flow, value: Ref) -> None:
        w.step("charge", value)
        w.stop(w.event("paid"))

    app.function(name="charge")(lambda value: value)
    with Worker(app, Local(), http="127.0.0.1:0") as worker:
        host, _, port = (worker.http_address or "").partition(":")

        def send(where: str, body: bytes, **headers: str) -> tuple[int, Any]:
            with closing(HTTPConnection(host, int(port), timeout=10)) as caller:
                path = f"/workflows/{where}"
                named = {name.replace("_", "-"): text for name, text in headers.items()}
                caller.request("POST", path, body, named)
                answer = caller.getresponse()
                return answer.status, json.loads(answer.read())

        own = {"authorization": "Bearer secret", "idempotency_key": "evt-1"}
        place = "order/runs/r1/events/paid"
        assert send(place, b"1", **own)[0] == 404
        worker.client.start_workflow("order", 1, id="r1")
        assert send(place, b"1", idempotency_key="evt-1")[0] == 401
        assert send(place, b"no JSON", **own)[0] == 400
        assert send(place, b"1", authorization=own["authorization"])[0] == 400
        assert send(place, b" " * (7 * 2**20), **own)[0] == 413
        for _ in range(2):
            assert send(place, b'{"by": "card"}', **own) == (200, {"event": "sent"})
        status, answer = send(place, b"2", **own)
        assert (status, "another event" in answer["event"]) == (409, True)
        end = worker.client.wait_for_run("order", "r1", timeout=20)
        assert end.result == {"by": "card"}


def test_functions_are_served_while_the_store_is_away_at_the_start(
    locked: tuple[Path, Any],
) -> None:
    """A call does not lie there until the store is back, and run when its caller has gone."""
    path, keeper = locked
    app = App("shop")
    app.function(name="double")(lambda number: 2 * number)
    app.on_schedule("0 0 29 2 *", name="sweep")(print)
    keeper.execute("BEGIN EXCLUSIVE")
    worker = Worker(app, Local(path=path), http="127.0.0.1:0")
    thread = Thread(target=worker.start)
    thread.start()
    until(lambda: worker.status().state == "store_away")
    request = urllib.request.Request(f"http://{worker.http_address}/double", b"21")
    with urllib.request.urlopen(request, timeout=5) as answer:
        assert json.load(answer) == 42
    keeper.execute("ROLLBACK")
    thread.join(PATIENT)
    worker.drain()


def test_a_health_check_may_be_a_head_and_may_break_off(
    capfd: pytest.CaptureFixture[str],
) -> None:
    """The one has no body; the other is no matter for a log."""
    may_answer = Flag()

    def report() -> tuple[bool, dict[str, Any]]:
        assert may_answer.wait(10)
        return True, {"big": "x" * 1_000_000}

    server = HealthServer("0", report).start()
    host, _, port = server.address.partition(":")
    with closing(socket.create_connection((host, int(port)))) as caller:
        caller.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        caller.sendall(b"GET / HTTP/1.1\r\n\r\n")
    may_answer.set()
    with closing(HTTPConnection(host, int(port), timeout=10)) as asker:
        asker.request("HEAD", "/")
        answer = asker.getresponse()
        assert (answer.status, answer.read()) == (200, b"")
    server.close()
    assert capfd.readouterr().err == ""


def test_connections_to_the_health_address_cost_no_threads() -> None:
    """However many they are; and a page of a browser cannot read it by a name of its own."""
    server = HealthServer("0", lambda: (True, {"status": "ready"})).start()
    host, _, port = server.address.partition(":")
    with ExitStack() as stack:
        stack.callback(server.close)
        before = len(enumerate_threads())
        for _ in range(300):
            idle = closing(socket.create_connection((host, int(port))))
            stack.enter_context(idle).sendall(b"GET / HT")
        for name, status in (("localhost", 200), ("evil.example", 403), (server.address, 200)):
            with closing(HTTPConnection(host, int(port), timeout=PATIENT)) as asker:
                asker.request("GET", "/", headers={"host": name})
                assert asker.getresponse().status == status
        assert len(enumerate_threads()) <= before


def test_outboxes_close_together_and_within_what_a_drain_may_take(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A target that hangs holds up the last call of each; the worker does not wait for them."""
    goes_on, closing_now = Flag(), Barrier(3)

    class Hanging:
        def wake(self) -> None:
            """Look for nothing."""

        def close(self) -> None:
            closing_now.wait(30)
            goes_on.wait(30)

    monkeypatch.setattr(worker_module, "open_outboxes", lambda _: [Hanging(), Hanging()])
    app = App("shop")
    app.on_message("parcels", name="send")(print)
    worker = Worker(app, Local(), drain=0.1)
    worker.start()
    try:
        draining = Thread(target=worker.drain)
        draining.start()
        closing_now.wait(30)
        draining.join(30)
        assert not draining.is_alive()
    finally:
        goes_on.set()
