"""What no other test brings together: a hedge and a record, `leeward dev` and a worker."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections import Counter
from contextlib import ExitStack, closing
from datetime import datetime
from pathlib import Path
from threading import Thread
from typing import Any, Literal, NamedTuple

import pytest

from leeward import App, Client, Config, Event, Verdict, ran
from leeward.app import Context, idempotent
from leeward.config import FunctionConfig, TableConfig, TargetName
from leeward.errors import HomeUnavailable, LeewardError
from leeward.local import Local
from leeward.stores import SCHEDULE, NewRow, Recipient
from leeward.testing import Fault, FaultyDriver
from leeward.values import Effect
from leeward.values.runs import RunState
from leeward.workflow import Flow, Ref
from leeward_backup import Backups
from tests.dev.running import PATIENT, Dev, wait_until

SLOW = 0.1
"""Seconds: much more than what is usual, so that a hedge is sent."""


class Declined(Exception):
    """Nothing has run."""


class Shop(NamedTuple):
    """A client over two targets, of which calls are hedged; and the effects of its slow call."""

    client: Client
    first: FaultyDriver
    effects: list[str]

    def call(self, id: str) -> Any:
        """Call the function, whose key is `id`."""
        return self.client.invoke("charge", {"id": id}, idempotency_key=id, timeout=5)


def _open_shop(folder: Path, end: str, stack: ExitStack) -> Shop:
    effects: list[str] = []
    app = App("shop")

    @app.function(effect="keyed")
    @idempotent(table="keys", principal=None, failures={Declined: "release"}, dedup_scope="group")
    def charge(order: dict[str, Any], context: Context) -> str:
        if order["id"] != "slow":
            return "quick"
        time.sleep(SLOW)
        if end in ("before", "declared"):
            raise Declined if end == "declared" else ValueError
        effects.append("slow")
        if end == "after":
            raise ValueError
        return "charged"

    folder.chmod(0o700)
    names = ("local:alpha", "local:beta")
    drivers = [FaultyDriver(Local(name, path=folder / name[6:])) for name in names]
    config = Config(
        order=tuple(TargetName(*name.split(":")) for name in names),
        data_target="local:alpha",
        hedge=True,
        functions={"charge": FunctionConfig(effect=Effect.KEYED, shared_dedup=names)},
    )
    client = stack.enter_context(Client(drivers, config=config, app=app))
    return Shop(client, drivers[0], effects)


@pytest.mark.parametrize("fault", [None, Fault.LOSE_ANSWER, Fault.LOSE_REQUEST])
@pytest.mark.parametrize("end", ["well", "before", "after", "declared"])
def test_a_hedge_meets_the_record_of_the_first_attempt(
    tmp_path: Path, end: str, fault: Fault | None
) -> None:
    """Both targets keep records in one table: the effect takes place once, and every word holds."""
    with ExitStack() as stack:
        shop = _open_shop(tmp_path, end, stack)
        for number in range(25):  # so that it is known how long a call usually takes
            shop.call(f"{number}")
        if fault is not None:
            shop.first.fail(fault, times=1, verb="invoke")
        try:
            answer = shop.call("slow")
            word, reasons = "yes", {each.reason for each in answer.attempts}
            assert answer.value == "charged"
        except LeewardError as error:
            word, reasons = ran(error), {each.reason for each in error.attempts}
        assert "hedge" in reasons or fault is Fault.LOSE_REQUEST
        assert len(shop.effects) <= 1
        assert word != "no" or not shop.effects
        assert word != "yes" or shop.effects or end == "before"
        if end != "well":
            stack.enter_context(pytest.raises(LeewardError))
        shop.call("slow")
    assert len(shop.effects) <= 1


SHOP = """
import os, time
from leeward import App

app = App("shop")
ledger = os.open("ledger", os.O_APPEND | os.O_WRONLY | os.O_CREAT, 0o600)

@app.on_event("orders")
def send(event):
    time.sleep(0.01)
    os.write(ledger, f"{event.data['n']} {os.getpid()}\\n".encode())
"""


def test_dev_and_a_worker_share_the_rows_of_one_file(tmp_path: Path) -> None:
    """Each event is handled once by one of them; whoever ends leaves the rest to the other."""
    tmp_path.chmod(0o700)
    (tmp_path / "shop.py").write_text(SHOP)
    (tmp_path / "leeward.toml").write_text('[targets.local]\napp = "shop:app"\n')

    def done() -> list[int]:
        ledger = tmp_path / "ledger"
        lines = ledger.read_text().splitlines() if ledger.exists() else []
        return sorted(int(line.split()[0]) for line in lines)

    with ExitStack() as stack:
        dev = Dev(tmp_path)
        stack.callback(dev.kill)
        dev.wait_for_line("shop runs at local")
        work = [sys.executable, "-m", "leeward", "worker", "shop:app", "--targets", "local"]
        log = stack.enter_context((tmp_path / "log").open("w"))
        worker = subprocess.Popen(work, cwd=tmp_path, stderr=log, stdout=log)
        stack.callback(worker.kill)
        wait_until(lambda: "worker_started" in (tmp_path / "log").read_text())
        client = stack.enter_context(Client(Local(path=tmp_path / ".leeward/local.sqlite3")))
        for number in range(100):
            client.publish_event("orders", "made", {"n": number})
            if number == 50:
                assert dev.end() == 0
        wait_until(lambda: len(done()) >= 100)
        worker.terminate()
        assert worker.wait(PATIENT) == 0
    assert done() == [*range(100)]
    with closing(Local(path=tmp_path / ".leeward/local.sqlite3")) as local:
        assert local.dead_letters() == ()


def _sweeping_app(seen: list[str], effects: Literal["anywhere", "marked"]) -> App:
    """Return an app whose schedule sets off one of everything."""
    app = App("shop")

    @app.function(effect="keyed")
    @idempotent(table="keys", principal=None)
    def inner(text: str, context: Context) -> str:
        seen.append("inner")
        return text

    @app.function(effect="unsafe")
    def step(text: str) -> str:
        seen.append("step")
        return text

    @app.workflow("follow")
    def follow(w: Flow, text: Ref) -> None:
        w.step("step", text)

    @app.on_event("orders")
    @idempotent(table="keys", principal=None)
    def hear(event: Event, context: Context) -> None:
        seen.append("event")

    @app.on_message("parcels")
    @idempotent(table="keys", principal=None)
    def send(parcel: str, context: Context) -> None:
        seen.append("message")

    @app.on_schedule("0 3 1 1 *")
    @idempotent(table="keys", principal=None, effects=effects)
    def sweep(moment: datetime, context: Context) -> None:
        key = f"{moment:%Y-%m-%d}"
        context.client.invoke("inner", key, idempotency_key=key)
        context.client.enqueue("parcels", key, idempotency_key=key)
        context.client.publish_event("orders", "made", id=key)
        thread = Thread(target=lambda: context.client.start_workflow("follow", key, id=key))
        thread.start()
        thread.join()
        seen.append("outer")

    return app


@pytest.mark.parametrize("effects", ["anywhere", "marked"])
def test_a_moment_that_comes_twice_has_one_effect_and_one_run(
    tmp_path: Path, effects: Literal["anywhere", "marked"]
) -> None:
    """Its key is that of the moment, for its record, and for all that it sets off."""
    tmp_path.chmod(0o700)
    seen: list[str] = []
    local = Local(path=tmp_path / "a.sqlite3")
    with Client(local, app=_sweeping_app(seen, effects)) as client:
        due = json.dumps("2026-01-01T03:00:00+00:00")
        row = NewRow(Recipient(SCHEDULE, "sweep"), None, "2026-01-01", due)
        for _ in range(3):
            local.stores().deliveries.add([row], 5)
            client.publish_event("none", "wakes")
            local.wait_idle()
        assert client.wait_for_run("follow", "2026-01-01").state is RunState.SUCCEEDED
        assert local.dead_letters() == ()
    assert sorted(seen) == ["event", "inner", "message", "outer", "step"]


def test_a_handler_starts_and_cancels_one_run_however_often_it_is_delivered(tmp_path: Path) -> None:
    """What an event and a message start has one id, and so is one run."""
    tmp_path.chmod(0o700)
    steps: list[str] = []
    local = Local(path=tmp_path / "a.sqlite3")
    with Client(local, app=_starting_app(steps)) as client:
        client.publish_event("orders", "made", id="1")
        client.enqueue("parcels", "1", idempotency_key="1")
        local.wait_idle(30)
        runs = client.list_runs("follow")
        ended = [client.wait_for_run("follow", each.id).state for each in runs]
        assert ended == [RunState.CANCELLED] * 2
        assert local.dead_letters() == ()
    assert sorted(steps) == ["event", "message"]


def _starting_app(steps: list[str]) -> App:
    """Return an app whose handlers start a run, fail twice behind that, and have it cancelled."""
    attempts = Counter[str]()
    app = App("shop")

    @app.function(effect="unsafe")
    def step(text: str) -> str:
        steps.append(text)
        return text

    @app.workflow("follow")
    def follow(w: Flow, text: Ref) -> None:
        w.step("step", text)
        w.wait(3600)

    def start(kind: str, context: Context) -> None:
        context.client.start_workflow("follow", kind, id=kind)
        attempts[kind] += 1
        if attempts[kind] < 3:
            raise ValueError  # it may come again after its effect
        context.client.enqueue("ends", kind, idempotency_key=kind)

    @app.on_event("orders")
    def hear(event: Event, context: Context) -> None:
        start("event", context)

    @app.on_message("parcels")
    def send(parcel: str, context: Context) -> None:
        start("message", context)

    @app.on_message("ends")
    def end(id: str, context: Context) -> None:
        context.client.cancel_run("follow", id)

    return app


def test_a_letter_that_fails_again_is_one_letter(tmp_path: Path) -> None:
    """With its last failure; and a settle of its key says what its record says."""
    tmp_path.chmod(0o700)
    calls: list[str] = []
    app = App("shop")

    @app.function(effect="keyed", queued=True)
    @idempotent(table="keys", principal=None)
    def charge(id: str, context: Context) -> None:
        calls.append(id)
        raise ValueError("the bank has gone")

    local = Local(path=tmp_path / "a.sqlite3")
    with Client(local, app=app) as client:
        client.enqueue("charge", "42", idempotency_key="k")
        local.wait_idle(30)
        for _ in range(3):
            (letter,) = local.dead_letters()
            assert local.redrive(letter)
            local.wait_idle(30)
        assert len(local.dead_letters()) == 1
        settled = client.settle("k", function="charge", payload="42", sent=time.time())
        assert settled.verdict is Verdict.UNKNOWN
    assert calls == ["42"]


def test_nothing_of_an_isolated_home_is_listed_or_backed_up(tmp_path: Path) -> None:
    """Both end as failed: no page is empty, and no backup is made of what was not read."""
    tmp_path.chmod(0o700)
    config = Config(tables={"orders": TableConfig(key=("shop", "id"))})
    with Client(Local(path=tmp_path / "a.sqlite3"), config=config) as client:
        client.store_data("orders", {"shop": "1", "id": "1"})
        backups = Backups(client, "orders", "backups/shop", work=tmp_path / "work")
        client.isolate("local")
        with pytest.raises(HomeUnavailable):
            client.list_data("orders", "1")
        with pytest.raises(LeewardError):
            backups.create()
        client.restore("local")
        assert backups.list() == ()
        assert backups.create().items == 1
