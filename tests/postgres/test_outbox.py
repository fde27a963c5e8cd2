"""Calls in the user's own transaction: made once it is committed, and never if it is not."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg.rows import dict_row

from leeward import App, Client
from leeward._delivery.relay import OUTBOX, Relay, open_outboxes
from leeward.adapter import Driver, TargetConfig
from leeward.calls import Call, Enqueue, Result
from leeward.config import BusConfig, Config, FunctionConfig
from leeward.errors import ConfigError, InvalidRequest, NotFound, Outcome
from leeward.stores import Recipient
from leeward.values import Effect
from leeward.worker import Worker
from leeward_contract_tests.rows import each_row
from leeward_postgres import outbox
from leeward_postgres.driver import PostgresDriver, open_driver
from tests.local.calls import PATIENT
from tests.postgres.server import Server
from tests.spool import ledger

CONFIG = Config(
    source="shop",
    buses={"orders": BusConfig(names={"postgres": "own-orders"})},
    functions={"charge": FunctionConfig(effect=Effect.KEYED)},
)


@pytest.fixture
def driver(config: TargetConfig) -> Iterator[PostgresDriver]:
    """Give the target itself, with a subscriber of a bus, and no rows of others."""
    driver = open_driver(config)
    assert isinstance(driver, PostgresDriver)
    recipients = driver.stores().recipients
    assert recipients is not None
    recipients.claim("", {Recipient("own-orders", "seen"): "order.paid"})
    yield driver
    driver.close()


@pytest.fixture
def connection(server: Server) -> Iterator[psycopg.Connection[Any]]:
    """Give a connection of the user's, with a table of theirs."""
    with psycopg.connect(server.url) as connection:
        connection.execute("CREATE TABLE IF NOT EXISTS paid (id text)")
        connection.execute("DELETE FROM leeward.deliveries")
        connection.execute("DELETE FROM leeward.dead_letters")
        connection.commit()
        yield connection


def rows_of(connection: psycopg.Connection[Any]) -> list[tuple[Any, ...]]:
    """Give what waits for delivery, as others see it."""
    with psycopg.connect(connection.info.dsn, password=connection.info.password) as other:
        return other.execute(
            "SELECT bus, subscriber, lane, document FROM leeward.deliveries ORDER BY id"
        ).fetchall()


@pytest.mark.usefixtures("driver")
def test_an_event_is_published_with_the_commit(connection: psycopg.Connection[Any]) -> None:
    """Under the bus's own name, complete; with a rollback it never was."""
    box = outbox(connection, config=CONFIG)
    connection.execute("INSERT INTO paid VALUES ('1')")
    box.publish_event("orders", "order.paid", {"id": "1"})
    assert rows_of(connection) == []
    connection.rollback()
    assert rows_of(connection) == []

    id = box.publish_event("orders", "order.paid", {"id": "2"}, ordering_key="k")
    box.publish_event("orders", "order.other", {"id": "3"})
    connection.commit()
    ((bus, subscriber, lane, document),) = rows_of(connection)
    assert (bus, subscriber, lane) == ("own-orders", "seen", "k")
    event = json.loads(document)
    assert (event["id"], event["source"], event["data"]) == (id, "shop", {"id": "2"})


def test_a_transaction_of_the_users_deletes_nothing_of_others(
    server: Server, driver: PostgresDriver
) -> None:
    """Old ids and items are left to clients and workers, which hold their locks for a moment."""
    old = "INSERT INTO leeward.writes SELECT '0000-' || n, true FROM generate_series(1, 9) AS n"
    count = "SELECT count(*) FROM leeward.writes WHERE id < '0001'"
    with psycopg.connect(server.url) as connection:
        connection.execute("DELETE FROM leeward.writes WHERE id < '0001'")
        connection.execute(old)
        list(driver.stores().deliveries.take([Recipient("", "charge")], time.time, NO_ROOM).rows)
        connection.execute("SELECT setseed(0)")
        box = outbox(connection, config=CONFIG)
        for number in range(2000):
            box.enqueue("charge", number)
        assert connection.execute(count).fetchone() == (9,)
        connection.rollback()


def test_a_call_is_queued_with_the_commit(
    connection: psycopg.Connection[Any], driver: PostgresDriver
) -> None:
    """Where a worker has looked for its queue."""
    box = outbox(connection, config=CONFIG)
    with pytest.raises(NotFound, match="start one first"):
        box.enqueue("nobody", 1)
    connection.rollback()
    list(driver.stores().deliveries.take([Recipient("", "charge")], time.time, NO_ROOM).rows)
    assert box.enqueue("charge", {"id": 1}, idempotency_key="order-1") == "order-1"
    connection.commit()
    assert rows_of(connection) == [("", "charge", None, '{"id":1}')]


def _no_room() -> Any:
    from leeward.leases.rules import Room

    return Room(0, 0)


NO_ROOM = _no_room()


class Functions(Driver):
    """A target that takes calls of functions, and says what it was told to."""

    def __init__(self, target: str, result: Result[Any]) -> None:
        self.target = target
        self.capabilities = ledger.RecordingDriver(target, Path()).capabilities
        self.limits = ledger.RecordingDriver(target, Path()).limits
        self.result = result
        self.calls: list[Call] = []

    def perform(self, call: Call, timeout: float) -> Result[Any]:
        """Note a call."""
        del timeout
        self.calls.append(call)
        return self.result


@contextmanager
def relay_to(driver: PostgresDriver, *targets: Driver) -> Iterator[tuple[Client, Relay]]:
    """Open what makes the calls of the outbox at other targets."""
    client = Client([driver, *targets], config=CONFIG._replace(data_target="postgres"))
    (relay,) = open_outboxes(client._operations)
    try:
        yield client, relay
    finally:
        relay.close()


def wait_until_empty(relay: Relay, dead: int = 0) -> None:
    """Wait until nothing of the outbox waits, and so much was given up."""
    deadline = time.monotonic() + PATIENT
    relay.wake()
    while any(each.waiting or each.dead != dead for each in relay.status(OUTBOX)):
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_events_for_another_target_are_relayed_in_order(
    connection: psycopg.Connection[Any], driver: PostgresDriver, tmp_path: Path
) -> None:
    """Once that takes them: they wait over an outage."""
    ledger.begin_outage(tmp_path, "refuse")
    box = outbox(connection, to="one", config=CONFIG)
    ids = []
    for number in range(20):
        key = f"k{number % 3}"
        id = box.publish_event(ledger.BUS, "counted", f"{key} {number}", ordering_key=key)
        if number % 2:
            ids.append(id)
            connection.commit()
        else:
            connection.rollback()
    with relay_to(driver, ledger.RecordingDriver("one", tmp_path)) as (_, relay):
        relay.wake()
        time.sleep(0.1)
        ledger.end_outage(tmp_path)
        wait_until_empty(relay)
    assert sorted(id for id, _, _ in ledger.taken_in(tmp_path)) == sorted(ids)
    assert ledger.keys_out_of_order(tmp_path) == []


ENDS: dict[str, tuple[str, Outcome, int, int]] = {
    "it is accepted": ("keyed", Outcome.OK, 1, 0),
    "nobody knows, and it is unsafe to repeat": ("unsafe", Outcome.AMBIGUOUS, 1, 1),
    "the request is wrong": ("keyed", Outcome.CALLER, 1, 1),
}


@each_row("effect, outcome, calls, dead", ENDS)
def test_a_queued_call_is_relayed_by_its_effect(
    effect: Any,
    outcome: Outcome,
    calls: int,
    dead: int,
    connection: psycopg.Connection[Any],
    driver: PostgresDriver,
) -> None:
    """What is unsafe is not made again once it may have arrived."""
    connection.execute("DELETE FROM leeward.dead_letters")
    target = Functions("one", Result(outcome))
    outbox(connection, to="one", config=CONFIG).enqueue(
        "charge", {"id": 1}, effect=effect, idempotency_key="order-1"
    )
    connection.commit()
    with relay_to(driver, target) as (_, relay):
        wait_until_empty(relay, dead)
    made = [call for call in target.calls if isinstance(call, Enqueue)]
    assert len(made) == calls
    assert (made[0].idempotency_key, made[0].payload) == ("order-1", b'{"id":1}')


def test_a_run_is_started_under_its_id(
    connection: psycopg.Connection[Any], driver: PostgresDriver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By whoever relays, where its workflows live."""
    started: list[tuple[Any, ...]] = []
    outbox(connection, config=CONFIG).start_workflow("order", {"id": 1}, id="order-1")
    connection.rollback()
    outbox(connection, config=CONFIG).start_workflow("order", {"id": 2}, id="order-2")
    connection.commit()
    with relay_to(driver) as (client, relay):
        monkeypatch.setattr(client._operations.runs, "start", lambda *call: started.append(call))
        wait_until_empty(relay)
    assert started == [("order", {"id": 2}, "order-2")]


def test_a_worker_makes_the_calls(
    connection: psycopg.Connection[Any], driver: PostgresDriver, tmp_path: Path
) -> None:
    """Beside the handlers of its app; with `once` it ends when none is due."""
    id = outbox(connection, to="order", config=CONFIG).publish_event(ledger.BUS, "counted", "k 1")
    connection.commit()
    drivers = [ledger.RecordingDriver("one", tmp_path), driver]
    config = CONFIG._replace(data_target="postgres", workflow_target="postgres")
    worker = Worker(App("shop"), drivers, config=config, target="postgres")
    assert worker.run(once=True) == 0
    assert ledger.taken_in(tmp_path) == [(id, "k", 1)]


@pytest.mark.usefixtures("driver")
def test_an_awaited_connection_is_awaited(
    server: Server, connection: psycopg.Connection[Any]
) -> None:
    """With the same calls."""

    async def play() -> str:
        async with await psycopg.AsyncConnection.connect(server.url) as own:
            return str(
                await outbox(own, config=CONFIG).publish_event("orders", "order.paid", {"id": 1})
            )

    id = asyncio.run(play())
    assert [json.loads(row[3])["id"] for row in rows_of(connection)] == [id]


def of_sqlalchemy(name: str, *, awaited: bool, driver: str = "psycopg", flush: bool = False) -> Any:
    """Give a class that is named as one of SQLAlchemy, and has what is used of it."""

    class Dialect:
        name = "postgresql"

    Dialect.driver = driver  # type: ignore[attr-defined]

    def run(self: Any, sql: str, values: tuple[Any, ...]) -> Any:
        for number in range(len(values), 0, -1):
            sql = sql.replace(f"${number}", "%s")
        return self.own.execute(sql, values)

    async def run_sync(self: Any, call: Callable[..., Any], *values: Any) -> Any:
        return call(self, *values)

    class Pooled:
        def __init__(self, own: psycopg.Connection[Any]) -> None:
            self.dbapi_connection = own

    members: dict[str, Any] = {
        "__module__": "sqlalchemy.orm.session",
        "dialect": Dialect(),
        "__init__": lambda self, own: setattr(self, "own", own),
        "connection": property(lambda self: Pooled(self.own)),
        "exec_driver_sql": run,
        **({"run_sync": run_sync} if awaited else {}),
    }
    connection = type(name, (), members)

    async def give_awaited(self: Any) -> Any:
        return connection(self.own)

    if not flush:
        return connection
    give = give_awaited if awaited else lambda self: connection(self.own)
    return type(name, (), {**members, "flush": None, "connection": give})


KINDS: dict[str, Callable[[], Any]] = {
    "a session": lambda: of_sqlalchemy("Session", awaited=False, flush=True),
    "a connection": lambda: of_sqlalchemy("Connection", awaited=False),
    "an awaited session": lambda: of_sqlalchemy("AsyncSession", awaited=True, flush=True),
    "an awaited connection over asyncpg": lambda: of_sqlalchemy(
        "AsyncConnection", awaited=True, driver="asyncpg"
    ),
}


@each_row("kind", KINDS)
@pytest.mark.usefixtures("driver")
def test_sqlalchemy_is_known_by_its_names(
    kind: Callable[[], Any], connection: psycopg.Connection[Any]
) -> None:
    """It need not be installed."""
    connection.execute("DELETE FROM leeward.deliveries")
    connection.commit()
    box = outbox(kind()(connection), config=CONFIG)

    async def play() -> str:
        return str(await box.publish_event("orders", "order.paid", {"id": 1}))

    published = box.publish_event("orders", "order.paid", {"id": 1})
    id = published if isinstance(published, str) else asyncio.run(_await(published))
    connection.commit()
    assert [json.loads(row[3])["id"] for row in rows_of(connection)] == [id]
    connection.autocommit = True
    with pytest.raises(InvalidRequest, match="AUTOCOMMIT"):
        asyncio.run(play())
    connection.autocommit = False


async def _await(awaitable: Any) -> Any:
    return await awaitable


@pytest.mark.usefixtures("driver")
def test_rows_of_the_users_own_kind_are_no_matter(server: Server) -> None:
    """Their connection may make dicts of them, and its cursors may number their parameters."""
    for cursor in (psycopg.Cursor, psycopg.RawCursor, psycopg.ClientCursor):
        own: Any = psycopg.connect(server.url, row_factory=dict_row, cursor_factory=cursor)
        with own, pytest.raises(NotFound):
            outbox(own, config=CONFIG).enqueue("nobody", 1)


def test_what_is_no_transaction_is_refused(server: Server) -> None:
    """With the field and the remedy; nothing is written."""
    with psycopg.connect(server.url, autocommit=True) as connection:
        with pytest.raises(InvalidRequest, match=r"connection\.transaction\(\)") as raised:
            outbox(connection, config=CONFIG)
        assert raised.value.field == "connection"
        with connection.transaction():
            box = outbox(connection, config=CONFIG)
        with pytest.raises(InvalidRequest, match=r"connection\.transaction\(\)"):
            box.publish_event("orders", "order.paid")
        with pytest.raises(InvalidRequest, match="not builtins.object"):
            outbox(object(), config=CONFIG)
        with pytest.raises(ConfigError, match="to cannot read"):
            outbox(connection, to="a b", config=CONFIG)


def test_a_database_without_the_schema_says_what_to_do(server: Server) -> None:
    """Apply it."""
    elsewhere = CONFIG._replace(options={"postgres": {"schema": "nowhere"}})
    with (
        psycopg.connect(server.url) as connection,
        pytest.raises(ConfigError, match="leeward postgres schema --apply"),
    ):
        outbox(connection, config=elsewhere).publish_event("orders", "order.paid")


BAD: dict[str, tuple[Callable[[Any], Any], str]] = {
    "no bus": (lambda box: box.publish_event("", "t"), "bus"),
    "no type": (lambda box: box.publish_event("b", ""), "event.type"),
    "no JSON": (lambda box: box.enqueue("f", object()), "payload"),
    "no effect": (lambda box: box.enqueue("f", 1, effect="maybe"), "effect"),
    "no id": (lambda box: box.start_workflow("w", 1, id=""), "id"),
    "an id of no run": (lambda box: box.start_workflow("w", 1, id="order 1"), "id"),
    "a long value": (lambda box: box.start_workflow("w", "x" * 40_000, id="1"), "value"),
    "no value": (lambda box: box.start_workflow("w", object(), id="1"), "value"),
}


@each_row("call, field", BAD)
def test_bad_input_is_refused_as_by_a_client(
    call: Callable[[Any], Any], field: str, connection: psycopg.Connection[Any]
) -> None:
    """Before anything goes to the database."""
    with pytest.raises(InvalidRequest) as raised:
        call(outbox(connection, config=CONFIG))
    assert raised.value.field == field
    assert rows_of(connection) == []
