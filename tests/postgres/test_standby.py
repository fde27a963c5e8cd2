"""A primary and a standby that streams from it; then the standby is promoted, and the primary is
demoted: it comes back as the standby's own standby.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import psycopg
import pytest
from typer.testing import CliRunner

from leeward import App, Client, Config, OutcomeUnknown, Verdict
from leeward._routing import FailoverDriver
from leeward.adapter import Driver
from leeward.app import idempotent
from leeward.calls import Call, Load, Look, Publish, Result, SettleWrite
from leeward.cli.app import app
from leeward.cloudevents import mint
from leeward.entropy import new_id
from leeward.errors import Outcome
from leeward.local import Local
from leeward.testing import FakeClock, Fault, FaultyDriver
from leeward.values import Event
from leeward_postgres.driver import open_driver
from tests.postgres.opening import SECONDS, config_for, open_server, store_of
from tests.postgres.server import DATABASE, USER, Server
from tests.registers import LONG

TABLE = "orders"
PATIENCE = 30.0


@pytest.fixture
def servers() -> Iterator[tuple[Server, Server]]:
    """Start a primary and its standby."""
    with open_server() as primary, ExitStack() as stack:
        standby = Server(primary)
        stack.callback(standby.stop)
        yield primary, standby


def test_a_standby_takes_over_and_a_demoted_primary_takes_nothing(
    servers: tuple[Server, Server], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Data has one home; events go to whoever takes writes, and so does a target of two hosts."""
    primary, standby = servers
    monkeypatch.chdir(tmp_path)
    _check_look(primary)
    hosts = ",".join(f"127.0.0.1:{each.port}" for each in (standby, primary))
    with ExitStack() as stack:
        a, b, both = (
            stack.enter_context(closing(_open(name, url)))
            for name, url in (
                ("postgres:a", primary.url),
                ("postgres:b", standby.url),
                ("postgres", f"postgresql://{USER}@{hosts}/{DATABASE}"),
            )
        )
        order = FailoverDriver([a, b], home=a.target, clock=FakeClock(time.time()))
        assert _targets(order.perform(_publish(), SECONDS)) == {"postgres:a": Outcome.OK}
        assert _is_read_only(b.perform(store_of(TABLE, "1", 0), SECONDS))
        for driver, key in ((a, "1"), (both, "2")):
            assert driver.perform(store_of(TABLE, key, 1), SECONDS).outcome is Outcome.OK
        _wait(lambda: _count_items(standby) == 2)

        primary.kill()
        standby.promote()
        assert _targets(order.perform(_publish(), SECONDS)) == {
            "postgres:a": Outcome.NOT_SENT,
            "postgres:b": Outcome.OK,
        }
        away = order.perform(store_of(TABLE, "1", 2), SECONDS)
        assert set(_targets(away)) == {"postgres:a"}
        for driver in (b, both):
            assert _load(driver, "1") == {"id": "1", "n": 1}
            assert driver.perform(store_of(TABLE, "3", 1), SECONDS).outcome is Outcome.OK

        primary.follow(standby)
        assert _is_read_only(a.perform(store_of(TABLE, "1", 2), SECONDS))
        moved = order.perform(_publish(), SECONDS)
        assert (moved.outcome, moved.target) == (Outcome.OK, "postgres:b")
        assert both.perform(store_of(TABLE, "3", 2), SECONDS).outcome is Outcome.OK

        standby.set(default_transaction_read_only="on")  # under open connections
        _wait(lambda: _is_read_only(b.perform(store_of(TABLE, "3", 9), SECONDS)))
        assert _is_read_only(b.perform(_publish(), SECONDS))
        assert both.perform(store_of(TABLE, "3", 2), SECONDS).outcome is not Outcome.OK
        primary.promote()
        assert both.perform(store_of(TABLE, "3", 3), SECONDS).outcome is Outcome.OK


def _open(target: str, url: str) -> Driver:
    return open_driver(config_for(url)._replace(name=target))


def _publish() -> Call:
    return Publish("events", (mint(Event("t"), id=new_id(0), source="/s", now=time.time()),))


def _targets(result: Result[Any]) -> dict[str, Outcome]:
    """Return the last outcome of each target that was tried."""
    return {each.target: each.outcome for each in result.attempts}


def _is_read_only(result: Result[Any]) -> bool:
    return (result.outcome, result.reason) == (Outcome.UNUSABLE, "read_only")


def _load(driver: Driver, key: str) -> object:
    result = driver.perform(Load(TABLE, store_of(TABLE, key, 0).key), SECONDS)
    return result.value and result.value.item


def _count_items(server: Server) -> int:
    with psycopg.connect(server.url) as connection:
        ((count,),) = connection.execute("SELECT count(*) FROM leeward.items").fetchall()
    return int(count)


def _check_look(primary: Server) -> None:
    """Check that `synchronous_commit` counts as much as the names of standbys."""
    _wait(lambda: "1 of 1 standbys are asynchronous" in _ask_doctor(primary))
    with closing(_open("postgres", primary.url)) as driver:

        def lags() -> bool:
            return "1 of 1 standbys are async" in str(
                driver.look(Look(TABLE, "look_table"), SECONDS).value
            )

        primary.set(synchronous_standby_names="*")
        _wait(lambda: not lags())
        primary.set(synchronous_commit="local")
        _wait(lags)
        primary.set(synchronous_standby_names="", synchronous_commit="on")


def _wait(is_so: Callable[[], bool]) -> None:
    until = time.monotonic() + PATIENCE
    while not is_so():
        assert time.monotonic() < until
        time.sleep(0.02)


def _ask_doctor(server: Server) -> str:
    Path("leeward.toml").write_text(
        f'cloud_provider = "postgres"\n[tables.{TABLE}]\n'
        f'[targets.postgres]\nurl = "{server.url}"\n',
        encoding="utf-8",
    )
    return " ".join(CliRunner().invoke(app, ["doctor"]).stdout.split())


def test_keys_and_voids_outlive_a_promotion_and_what_it_has_lost_is_unknown(
    servers: tuple[Server, Server],
) -> None:
    """What was replicated is known, and what was not may have run: a write as well as a call."""
    primary, standby = servers
    charged: list[str] = []
    clock = FakeClock(time.time())
    with ExitStack() as stack:
        before, functions = _open_shop(stack, primary, charged, clock)
        assert _pay(before, "ran") == "charged ran"
        clock.advance(LONG)
        functions.fail(Fault.LOSE_REQUEST, verb="invoke")
        with pytest.raises(OutcomeUnknown) as lost:
            _pay(before, "void", on_unknown="raise")
        late = next(
            each for each in functions.calls if getattr(each, "idempotency_key", 0) == "void"
        )
        functions.heal()
        assert before.settle(lost.value).verdict is Verdict.NOT_RUN
        _wait(lambda: _count_items(standby) == 3)  # two keys, and the register
        standby.kill()
        assert _pay(before, "behind") == "charged behind"
        write = store_of(TABLE, "behind", 1)
        assert _ask(primary, write).outcome is Outcome.OK
        primary.kill()
        standby.restart()
        standby.promote()

        after, functions = _open_shop(stack, standby, charged, clock)
        assert _pay(after, "ran") == "charged ran"
        late_answer = functions.perform(late, SECONDS)
        assert (late_answer.outcome, late_answer.reason) == (Outcome.REJECTED, "voided")
        told = after.settle("behind", function="pay", payload="behind", sent=clock.now() - 5,
                            targets="local")  # fmt: skip
        of_write: Any = _ask(standby, SettleWrite(TABLE, write)).value
        assert [(each.verdict, each.reason) for each in (told, of_write)] == [
            (Verdict.UNKNOWN, "too_new"),
            (Verdict.UNKNOWN, "expired"),
        ]
    assert charged == ["ran", "behind"]


def _open_shop(
    stack: ExitStack, server: Server, charged: list[str], clock: FakeClock
) -> tuple[Client, FaultyDriver]:
    """Return a client that runs a function, whose keys are in the database; and where it runs."""
    shop = App("shop")

    @shop.function(effect="keyed")
    @idempotent(table="keys", principal=None, keep=30 * 86_400.0, clock=clock)
    def pay(id: str) -> str:
        charged.append(id)
        return f"charged {id}"

    functions = FaultyDriver(Local(clock=clock))
    config = Config(data_target="postgres")
    client = Client(
        [functions, _open("postgres", server.url)], app=shop, config=config, clock=clock
    )
    return stack.enter_context(client), functions


def _ask(server: Server, call: Call) -> Result[Any]:
    with closing(_open("postgres", server.url)) as driver:
        return driver.perform(call, SECONDS)


def _pay(client: Client, id: str, **options: Any) -> Any:
    return client.invoke("pay", id, idempotency_key=id, **options).value
