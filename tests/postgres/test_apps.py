"""Apps, stages and versions of leeward beside each other on one schema: each takes its own."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from threading import Thread
from typing import Any

import psycopg
import pytest

from leeward import App, Client, ConfigError, Event, TargetUnusable
from leeward._delivery.runner import AppRunner
from leeward.adapter import Driver
from leeward.app.triggers import Platform
from leeward.errors import Conflict
from leeward.stores import Owner, Stores
from leeward.testing import FakeClock
from leeward.worker import Worker
from leeward.workflow import Flow, Ref, workflow
from leeward_postgres.driver import open_driver
from leeward_postgres.schema import schema_sql
from tests.delivery.owners import roll
from tests.postgres.opening import SECONDS, config_for
from tests.postgres.server import Server

SCHEMA = "apps"

Open = Callable[..., Driver]
Query = Callable[..., list[tuple[Any, ...]]]


@pytest.fixture
def query(server: Server) -> Iterator[Query]:
    """Make the schema anew, and return what asks the database."""
    with psycopg.connect(server.url, autocommit=True) as connection:
        connection.execute(f"DROP SCHEMA IF EXISTS {SCHEMA} CASCADE".encode())
        connection.execute(schema_sql(SCHEMA).encode())
        yield lambda sql, *values: connection.execute(sql.encode(), values).fetchall()


@pytest.fixture
def opens(server: Server, query: Query) -> Iterator[Open]:
    """Return what opens the target, in a stage."""
    del query
    with ExitStack() as stack:

        def opened(stage: str | None = None) -> Driver:
            config = config_for(server.url, schema=SCHEMA)._replace(stage=stage)
            return stack.enter_context(closing(open_driver(config)))

        yield opened


def _app(name: str, seen: Counter[str], *, queue: str | None = None) -> App:
    app = App(name)

    @app.on_event("orders", name="remember")
    def remember(event: Event) -> None:
        seen[f"{name} {event.id}"] += 1

    if queue is not None:
        app.on_message(queue, name="post")(lambda _: None)
    return app


def _wait_for(count: int, seen: Counter[str]) -> None:
    until = time.monotonic() + 30
    while sum(seen.values()) < count and time.monotonic() < until:
        time.sleep(0.02)


def test_each_of_two_apps_gets_each_event_under_one_name_of_a_handler(
    opens: Open, query: Query
) -> None:
    """The first one is the recipient that versions of before know; its waiting rows are its own."""
    seen: Counter[str] = Counter()
    query(f"INSERT INTO {SCHEMA}.subscriptions VALUES ('orders', 'remember') RETURNING 1")
    with Client(opens()) as client:
        client.publish_event("orders", "made", id="before")
        with Worker(_app("shop", seen), opens()), Worker(_app("mail", seen), opens()):
            ids = [f"{number}" for number in range(20)]
            for id in ids:
                client.publish_event("orders", "made", id=id)
            _wait_for(41, seen)
            time.sleep(0.2)
    assert seen == {"shop before": 1} | {f"{app} {id}": 1 for app in ("shop", "mail") for id in ids}
    names = query(f"SELECT app, subscriber FROM {SCHEMA}.recipients ORDER BY 1")
    assert names == [("mail", "mail/remember"), ("shop", "remember")]


def test_a_queue_that_a_live_app_serves_is_refused_to_another(opens: Open, query: Query) -> None:
    """A worker that ended, or whose time is over, refuses nothing; nor does one of the same app."""
    seen: Counter[str] = Counter()
    shop, mail = (_app(name, seen, queue="letters") for name in ("shop", "mail"))
    with Worker(shop, opens()), Worker(shop, opens()):
        worker = Worker(mail, opens())
        with pytest.raises(ConfigError, match=r"'shop' serves 'letters'.*'mail'.*`schema`"):
            worker.start()
        worker.drain()
        query(f"UPDATE {SCHEMA}.live SET until = clock_timestamp() RETURNING 1")
        with Worker(mail, opens()):
            pass
    with Worker(mail, opens()):
        assert query(f"SELECT DISTINCT app FROM {SCHEMA}.live") == [("mail",)]
    assert query(f"SELECT count(*) FROM {SCHEMA}.live") == [(0,)]


def test_a_worker_that_lives_is_renewed(
    opens: Open, query: Query, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While it looks for rows, its time begins anew."""
    monkeypatch.setattr("leeward._delivery.runner.RENEWED", 0.0)
    with Worker(_app("shop", Counter()), opens()):
        query(f"UPDATE {SCHEMA}.live SET until = clock_timestamp() RETURNING 1")
        until = time.monotonic() + 30
        is_live = f"SELECT bool_and(until > clock_timestamp()) FROM {SCHEMA}.live"
        while query(is_live) != [(True,)]:
            assert time.monotonic() < until
            time.sleep(0.05)


def test_a_schema_belongs_to_one_stage(opens: Open, query: Query) -> None:
    """Another stage's worker and client are refused, with both names and the option."""
    app = _app("shop", Counter(), queue="letters")
    with Worker(app, opens("prod")):
        assert query(f"SELECT stage FROM {SCHEMA}.version") == [("prod",)]
        with Client(opens("prod")) as client:
            client.publish_event("orders", "made")
    worker = Worker(app, opens())  # no stage is another one, for who takes rows
    with pytest.raises(ConfigError, match=r"stage 'prod'.*here is none.*`schema`.*LEEWARD_STAGE"):
        worker.start()
    worker.drain()
    with Client(opens("test")) as client, pytest.raises(TargetUnusable, match="'prod'.*'test'"):
        client.enqueue("letters", {})


def test_a_worker_of_another_stage_is_refused_at_its_start(opens: Open) -> None:
    """It does not wait for the store, as if that were away."""
    app = _app("shop", Counter())
    with Worker(app, opens("prod")):
        pass
    worker = Worker(app, opens("test"))
    ended: list[ConfigError] = []
    started = Thread(target=_raises, args=(worker.start, ended), daemon=True)
    started.start()
    started.join(10)
    worker.drain()
    assert [str(each).partition(":")[0] for each in ended] == [
        f"the schema {SCHEMA} belongs to the stage 'prod', and the stage here is 'test'"
    ]


def _raises(act: Callable[[], object], ended: list[ConfigError]) -> None:
    try:
        act()
    except ConfigError as refusal:
        ended.append(refusal)


def test_a_changed_schedule_begins_now(opens: Open) -> None:
    """What ran by the old expression does not run again by the new one; nor the other way round."""
    stores = _stores(opens())
    assert stores.schedules.begin("s", 10.0, SECONDS, "0 0 1 * *") == 10.0
    assert stores.schedules.begin("s", 20.0, SECONDS, "0 0 1 * *") == 10.0
    assert stores.schedules.begin("s", 30.0, SECONDS, "0 0 2 * *") == 30.0
    assert stores.schedules.begin("s", 40.0, SECONDS, "0 0 1 * *") == 40.0


@workflow("booking")
def booking(w: Flow, order: Ref) -> None:
    """One step."""
    w.step("reserve", order)


def test_runs_of_another_app_are_left_to_it(opens: Open, query: Query) -> None:
    """A run is its app's; whoever has no app leaves it to any."""
    journals = {}
    for app in ("shop", "mail", None):
        opened: Any = _stores(opens()).open_journal
        journals[app] = opened()
        journals[app].owner = Owner(app)
    now = journals["shop"].clock.now()
    for app, id in (("shop", "1"), (None, "2")):
        assert journals[app].add(booking, id, {}, now, None)[1]
    with pytest.raises(Conflict, match=r"'1' of 'booking' .*app shop"):
        journals["mail"].add(booking, "1", {}, now, None)
    assert journals["mail"].next_due(["booking"], now - 9) is not None
    taken = journals["mail"].take(["booking"], now + 9, 1.0, 9)
    assert [each.key.id for each in taken] == ["2"]
    assert [each.id for each in journals["mail"].holders(["booking"], now + 99)] == ["2"]
    assert [each.key.id for each in journals["shop"].take(["booking"], now + 9, 1.0, 1)] == ["1"]
    for journal in journals.values():
        journal.close()


def test_a_role_that_published_before_the_upgrade_publishes_after_it(
    server: Server, query: Query
) -> None:
    """What its rights were worth they are still, though functions use tables that are new."""
    news = ("recipients", "live", "takers", "versions")
    gone = "; ".join(f"DROP TABLE {SCHEMA}.{each}" for each in news)
    tables = f"ALL TABLES IN SCHEMA {SCHEMA} TO shopper"
    rights = f"GRANT USAGE ON SCHEMA {SCHEMA} TO shopper; GRANT SELECT, INSERT, UPDATE, DELETE ON"
    with psycopg.connect(server.url, autocommit=True) as connection:
        connection.execute("CREATE ROLE shopper LOGIN")
        connection.execute(f"{gone}; {rights} {tables}; {schema_sql(SCHEMA)}".encode())
    config = config_for(server.url.replace("leeward@", "shopper@"), schema=SCHEMA)
    seen: Counter[str] = Counter()
    with Client(open_driver(config)) as client:
        client.publish_event("orders", "made", id="0")
        with Worker(_app("shop", seen), open_driver(config)):
            client.publish_event("orders", "made", id="1")
            _wait_for(1, seen)
    assert seen == {"shop 1": 1}


def _stores(driver: Driver) -> Stores:
    stores = driver.stores()
    assert stores is not None
    return stores


@pytest.mark.parametrize("seed", range(2))
def test_two_apps_two_stages_and_two_versions_take_their_own(opens: Open, seed: int) -> None:
    """Whoever begins and ends beside whom; the stage that comes second is refused."""
    roll(opens, seed)


def test_schedules_go_by_the_servers_clock(opens: Open, query: Query) -> None:
    """Workers whose clocks are an hour apart keep one row for each moment, and none of tomorrow."""
    app, runners = App("clocks"), []

    @app.on_schedule("* * * * *")
    def tick(moment: Any) -> None:
        raise AssertionError("nobody takes it")

    for apart in (3600.0, 0.0, -3600.0):
        clock = FakeClock(time.time() + apart)
        runner = AppRunner(_stores(opens()), Platform("postgres", None, clock, 1000))
        runner.pause()
        runner.mount(app)
        runner.schedules.make_up()
        runners.append(runner)
    assert query(f"UPDATE {SCHEMA}.series SET last = last - 120 RETURNING true") == [(True,)]
    for _ in range(2):
        for runner in runners:
            runner.schedules.make_up()
            runner.schedules.look()
    moments = _stores(opens()).schedules.moments()
    assert [each for each in moments.values() if abs(each - time.time()) > 120] == []
    waiting = query(f"SELECT count(*), count(DISTINCT document) FROM {SCHEMA}.deliveries")
    assert waiting in ([(1, 1)], [(2, 2)])  # a minute may have come meanwhile
    for runner in runners:
        runner.close()
