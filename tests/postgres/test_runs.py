"""Workflows of a client whose runs are in PostgreSQL: engines, orders, and a server that dies."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from contextlib import closing
from functools import partial

import pytest

from leeward import AsyncClient, Client
from leeward.adapter import Driver, TargetConfig
from leeward.config import Config
from leeward.errors import Conflict, OutcomeUnknown, TargetUnavailable, TargetUnusable
from leeward.local import Context, Local
from leeward.testing import FakeClock
from leeward.values.runs import RunState
from leeward.workflow import Flow, Ref, workflow
from leeward.workflow.embedded import driving, workers
from leeward.workflow.model import Definition
from leeward_postgres.driver import open_driver
from tests.postgres.journals import Journals, journal_at, make_schema
from tests.postgres.opening import config_for
from tests.postgres.server import Server
from tests.workflow.waiting import Shop, WaitingContract


@workflow("booking")
def booking(w: Flow, order: Ref) -> None:
    """Two steps."""
    with w.saga("all"):
        w.step("reserve", order, undo="release")
        w.step("pay", order, effect="idempotent")


@workflow("booking")
def longer_booking(w: Flow, order: Ref) -> None:
    """Its next version."""
    w.step("reserve", order)
    w.step("pay", order, effect="idempotent")
    w.step("tell", order, effect="idempotent")


@workflow("sleepy")
def sleepy(w: Flow, order: Ref) -> None:
    """A day between two steps."""
    with w.saga("all"):
        w.step("reserve", order, undo="release")
        w.wait("1d")
        w.step("pay", order, effect="idempotent")


@workflow("asked")
def asked(w: Flow, order: Ref) -> None:
    """A step, and a person's word."""
    w.step("reserve", order)
    w.stop(w.approval("Ship it?", id="may-ship"))


class TestWaitingOnTheServer(WaitingContract):
    """In PostgreSQL."""

    @pytest.fixture
    def shop(self, server: Server) -> Shop:
        """Return clients on one database."""
        return Shop("postgres", None, lambda: [open_driver(config_for(server.url))])


@workflow("twice")
def twice_asked(w: Flow, order: Ref) -> None:
    """Two events of one name."""
    w.step("reserve", order)
    first = w.event("item")
    w.stop([first, w.event("item", id="second")])


@pytest.fixture(autouse=True)
def empty(server: Server) -> None:
    """Forget the runs of other tests."""
    with closing(Journals(server.url)) as journals:
        journals.open(FakeClock())


def _drivers(url: str, called: list[str], target: str = "postgres") -> list[Driver]:
    local = Local()

    def note(_: object, context: Context) -> None:
        called.append(context.idempotency_key.partition("/")[2])

    for name in ("reserve", "release", "pay", "tell"):
        local.function(name)(note)
    config = config_for(url)
    return [open_driver(TargetConfig(target, "postgres", None, config.options, {})), local]


def _client(
    url: str, *definitions: Definition, called: list[str] | None = None, name: str = "postgres"
) -> Client:
    drivers = _drivers(url, [] if called is None else called, name)
    return Client(drivers, workflows=definitions, config=Config(workflow_target=name))


def test_an_event_reaches_a_run_that_another_client_has(server: Server) -> None:
    """Once by its id, and who sends it needs none of the run's functions."""
    with _client(server.url, asked) as client, _client(server.url) as other:
        client.start_workflow("asked", {}, id="r")
        until = time.monotonic() + 20
        while not (run := other.get_run("asked", "r")) or not run.waits:
            assert time.monotonic() < until
            time.sleep(0.01)
        assert [(wait.path, wait.question, wait.until) for wait in run.waits] == [
            ("may-ship", "Ship it?", None)
        ]
        for _ in range(2):
            other.send_event("asked", "r", "may-ship", {"approved": True}, id="ann")
        with pytest.raises(Conflict, match="another event with the id 'ann'"):
            other.send_event("asked", "r", "may-ship", {"approved": False}, id="ann")
        assert client.wait_for_run("asked", "r", timeout=20).result == {"approved": True}


@pytest.mark.parametrize("name", ["postgres", "postgres:eu"])
def test_a_client_keeps_its_runs_there(server: Server, name: str) -> None:
    """Beside a target that calls functions; another client sees them."""
    called: list[str] = []
    with (
        _client(server.url, booking, called=called, name=name) as client,
        _client(server.url, booking, name=name) as other,
    ):
        assert client.start_workflow("booking", {"n": 1}, id="r").target == name
        run = client.wait_for_run("booking", "r", timeout=20)
        assert (run.state, run.target) == (RunState.SUCCEEDED, name)
        assert called == ["r/reserve", "r/pay"]
        seen = other.get_run("booking", "r")
        assert seen is not None
        assert [event.path for event in seen.events] == ["reserve", "pay"]
        assert [each.id for each in other.list_runs("booking")] == ["r"]
        assert other.start_workflow("booking", {"n": 1}, id="r").state is RunState.SUCCEEDED
        with pytest.raises(Conflict):
            other.start_workflow("booking", {"n": 2}, id="r")


def test_it_is_awaited_alike(server: Server) -> None:
    """By the asynchronous client."""

    async def main() -> None:
        config = Config(workflow_target="postgres")
        drivers = _drivers(server.url, [])
        async with AsyncClient(drivers, workflows=[booking], config=config) as client:
            await client.start_workflow("booking", None, id="r")
            run = await client.wait_for_run("booking", "r", timeout=20)
            assert run.state is RunState.SUCCEEDED
            assert [each.id for each in await client.list_runs()] == ["r"]

    asyncio.run(main())


def test_runs_are_cancelled_aborted_and_resumed(server: Server) -> None:
    """From any client; a cancelled run takes back what it did."""
    called: list[str] = []
    with _client(server.url, sleepy, called=called) as client, _client(server.url) as other:
        for id in ("c", "a"):
            client.start_workflow("sleepy", None, id=id)
        other.abort_run("sleepy", "a")
        assert client.wait_for_run("sleepy", "a", timeout=20).state is RunState.ABORTED
        other.cancel_run("sleepy", "c")
        assert client.wait_for_run("sleepy", "c", timeout=20).state is RunState.CANCELLED
        assert "c/reserve/undo" in called
    journal = journal_at(server.url)
    with closing(journal):
        journal.add(booking, "left", None, journal.clock.now(), None)
    with _client(server.url, booking) as client:
        client.resume_runs()
        assert client.wait_for_run("booking", "left", timeout=20).state is RunState.SUCCEEDED


def test_a_run_stays_with_the_definition_that_it_began_with(server: Server) -> None:
    """A newer version is for new runs; what nobody here knows is left alone."""
    called: list[str] = []
    with closing(journal_at(server.url)) as journal:
        now = journal.clock.now()
        journal.add(booking, "old", None, now, None)
        journal.add(sleepy, "unknown", None, now, None)
        with _client(server.url, longer_booking, called=called) as client:
            client.resume_runs()
            old = client.wait_for_run("booking", "old", timeout=20)
            assert old.digest == booking.digest
            client.start_workflow("booking", None, id="new")
            assert client.wait_for_run("booking", "new", timeout=20).digest == longer_booking.digest
            assert called[:2] == ["old/reserve", "old/pay"]
            assert called[2:] == ["new/reserve", "new/pay", "new/tell"]
        (left,) = journal.runs("sleepy", 10)
        assert (left.state, left.fence) == (RunState.RUNNING, 1)


def test_who_can_call_no_function_leaves_runs_to_others(server: Server) -> None:
    """It starts them, and waits."""
    store = _drivers(server.url, [])[0]
    config = Config(workflow_target="postgres")
    with Client([store], workflows=[booking], config=config) as client:
        client.start_workflow("booking", None, id="r")
        with pytest.raises(TimeoutError):
            client.wait_for_run("booking", "r", timeout=1.2)
        with _client(server.url, booking) as other:
            other.resume_runs()
            assert client.wait_for_run("booking", "r", timeout=20).state is RunState.SUCCEEDED


def test_without_the_schema_the_remedy_is_named(server: Server) -> None:
    """Nothing is started, and the client closes."""
    store = open_driver(config_for(server.url, schema="absent"))
    config = Config(workflow_target="postgres")
    with (
        Client([store, Local()], workflows=[booking], config=config) as client,
        pytest.raises(TargetUnusable, match="leeward postgres schema --apply") as caught,
    ):
        client.start_workflow("booking", None, id="r")
    assert (caught.value.target, caught.value.reason) == ("postgres", "schema")


def test_runs_outlive_their_server(monkeypatch: pytest.MonkeyPatch) -> None:
    """SIGKILL amid steps: nothing is lost or repeated, and who waits goes on to wait."""
    monkeypatch.setattr(driving, "LOOK_AGAIN", 0.1)
    monkeypatch.setattr(workers, "LEASE", 3.0)
    server, called = Server(), list[str]()
    try:
        make_schema(server)
        ids = [f"r{at}" for at in range(12)]
        with _client(server.url, booking, called=called) as client:
            killer = threading.Thread(target=_kill_amid, args=(server, called))
            killer.start()
            for id in ids:
                _start_for_sure(client, id)
            runs = [client.wait_for_run("booking", id, timeout=60) for id in ids]
            killer.join()
    finally:
        server.stop()
    assert {run.state for run in runs} == {RunState.SUCCEEDED}
    reserved = [key for key in called if key.endswith("/reserve")]
    assert sorted(reserved) == sorted(f"{id}/reserve" for id in ids)


def test_events_outlive_their_server() -> None:
    """SIGKILL amid sends, each again and again until it is acknowledged: none lost, none twice."""
    server, called = Server(), list[str]()
    try:
        make_schema(server)
        with _client(server.url, twice_asked, called=called) as client:
            for at in range(12):
                client.start_workflow("twice", None, id=f"r{at}")
            killer = threading.Thread(target=_kill_amid, args=(server, called))
            killer.start()
            for at in range(12):
                for id in ("a", "b"):
                    _for_sure(partial(client.send_event, "twice", f"r{at}", "item", id, id=id))
                    called.append("sent")
            runs = [client.wait_for_run("twice", f"r{at}", timeout=60) for at in range(12)]
            killer.join()
    finally:
        server.stop()
    assert [run.result for run in runs] == [["a", "b"]] * 12


def _start_for_sure(client: Client, id: str) -> None:
    """Start a run, again and again: with one id it is one run."""
    _for_sure(lambda: client.start_workflow("booking", None, id=id))


def _for_sure(act: Callable[[], object]) -> None:
    until = time.monotonic() + 60
    while True:
        try:
            act()
        except (TargetUnavailable, OutcomeUnknown):
            assert time.monotonic() < until
            time.sleep(0.05)
        else:
            return


def _kill_amid(server: Server, called: list[str]) -> None:
    while len(called) < 5:
        time.sleep(0.002)
    server.kill()
    time.sleep(0.3)
    server.restart()
