"""What no other test brings together: a hedge and a record, `leeward dev` and a worker."""

from __future__ import annotations

import subprocess
import sys
import time
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from leeward import App, Client, Config, ran
from leeward.app import Context, idempotent
from leeward.config import FunctionConfig, TargetName
from leeward.errors import LeewardError
from leeward.local import Local
from leeward.testing import Fault, FaultyDriver
from leeward.values import Effect
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
