"""The rows of workers: what every store promises, and what PostgreSQL's own has besides."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import Any, cast

import psycopg
import pytest

import leeward.worker
from leeward import App
from leeward.adapter import Driver
from leeward.calls import Enqueue, Look, LookResult, Publish
from leeward.calls.looks import BUS, QUEUE
from leeward.cloudevents import mint
from leeward.config import Config
from leeward.entropy import new_id
from leeward.errors import Outcome, TargetUnavailable
from leeward.leases.faults import DatabaseFault
from leeward.leases.rules import Room
from leeward.stores import AttemptFailure, LeaseEnd, NewRow, Recipient, SpoolRows, Stores, Taker
from leeward.values import Event
from leeward.worker import Worker
from leeward_postgres.deliveries import PostgresDeliveries
from leeward_postgres.driver import open_driver
from leeward_postgres.schema import schema_sql
from leeward_postgres.schema.queues import IN_VIEW, MANY_DEAD
from tests.delivery.rows import HERE, POLICY, Rows, RowsContract
from tests.house.workspace import ROOT
from tests.postgres.opening import SECONDS, config_for
from tests.postgres.server import Server

SCHEMA = "deliveries"


@pytest.fixture
def admin(server: Server) -> Iterator[psycopg.Connection[Any]]:
    """Return a connection of somebody else, and make the schema anew."""
    with psycopg.connect(server.url, autocommit=True) as connection:
        connection.execute(f"DROP SCHEMA IF EXISTS {SCHEMA} CASCADE".encode())
        connection.execute(schema_sql(SCHEMA).encode())
        yield connection


@pytest.fixture
def driver(server: Server, admin: psycopg.Connection[Any]) -> Iterator[Driver]:
    """Open the target."""
    del admin
    with closing(open_driver(config_for(server.url, schema=SCHEMA))) as driver:
        yield driver


@pytest.fixture
def stores(driver: Driver) -> Stores:
    """Return its stores."""
    stores = driver.stores()
    assert stores is not None
    stores.deliveries.policy = POLICY
    return stores


class PostgresRows(Rows):
    """Rows in PostgreSQL, whose clock is not ours to turn: what is due comes nearer instead."""

    def __init__(self, stores: Stores, admin: psycopg.Connection[Any]) -> None:
        self.store = cast("SpoolRows", stores.deliveries)
        self._admin = admin

    def now(self) -> float:
        """Return the time."""
        return time.time()

    def wait(self, seconds: float) -> None:
        """Let what is due be due earlier."""
        sql = f"UPDATE {SCHEMA}.deliveries SET due = due - %s WHERE due <> 0"
        self._admin.execute(sql.encode(), (seconds,))


class TestPostgres(RowsContract):
    """What every store promises."""

    @pytest.fixture
    def rows(self, stores: Stores, admin: psycopg.Connection[Any]) -> PostgresRows:
        """Return the rows."""
        return PostgresRows(stores, admin)


def some(count: int, lane: str | None = None) -> list[NewRow]:
    """Return rows for one recipient."""
    return [NewRow(HERE, lane, str(number), "{}") for number in range(count)]


def why_of(driver: Driver, look: Look) -> str:
    """Return what a look tells of something that is there."""
    result = driver.look(look, SECONDS)
    assert isinstance(result.value, LookResult)
    return result.value.why


def test_what_a_standby_may_have_lost_is_made_letters_by_the_pages_statement(
    stores: Stores, admin: psycopg.Connection[Any]
) -> None:
    """New rows, those that failed before, and those behind others of their lane; none runs."""
    store = stores.deliveries
    store.add([*some(3), *some(3, "a")], 5)
    store.finish(
        [LeaseEnd(store.take([HERE], time.time, Room(1, 1)).rows[0], AttemptFailure("E"))], 0
    )
    page = (ROOT / "docs/postgres.md").read_text(encoding="utf-8")
    statement = (
        page.partition("### After a promotion")[2].partition("```sql\n")[2].partition("```")[0]
    )
    for old, new in (("leeward.", f"{SCHEMA}."), ("charge_card", HERE.subscriber)):
        statement = statement.replace(old, new)
    assert admin.execute(statement.encode()).rowcount == 6
    taken = store.take([HERE], time.time, Room(9, 9, 9))
    assert (taken.rows, len(taken.dead), store.count_waiting([HERE])) == ([], 6, 0)


def test_those_who_take_at_one_time_take_others(stores: Stores) -> None:
    """And of a lane nobody takes more than the head, whoever comes first."""
    store = stores.deliveries
    store.add(some(300), 5)
    for lane in "abc":
        store.add(some(20, lane), 5)

    def take(_: int) -> list[int]:
        return [row.id for row in store.take([HERE], time.time, Room(25, 25)).rows]

    with ThreadPoolExecutor(8) as pool:
        ids = [id for taken in pool.map(take, range(24)) for id in taken]
    assert len(ids) == len(set(ids)) == 303


def test_a_late_acknowledgement_ends_no_other_lease(
    stores: Stores, admin: psycopg.Connection[Any]
) -> None:
    """Also where one process has both leases, and tells of both at once."""
    rows, store = PostgresRows(stores, admin), stores.deliveries
    rows.add("first", "second")
    late = rows.take(Room(1, 1)).rows
    rows.wait(POLICY.lease + 1)
    again = rows.take(Room(9, 9)).rows
    assert {row.idempotency_key for row in again} == {"first", "second"}
    other = [row for row in again if row.idempotency_key == "second"]
    store.finish([LeaseEnd(row) for row in (*late, *other)], time.time())
    assert store.count_waiting([HERE]) == 1


def test_a_row_that_is_committed_late_goes_after_the_one_under_way(
    stores: Stores, admin: psycopg.Connection[Any], server: Server
) -> None:
    """Its number is smaller, for its transaction began earlier; the lane has one at a time."""
    store = stores.deliveries
    call = f"SELECT {SCHEMA}.add_rows('{{b}}', '{{here}}', '{{l}}', '{{early}}', '{{1}}')"
    with psycopg.connect(server.url) as early:
        early.execute(call.encode())
        store.add([NewRow(HERE, "l", "late", "{}")], 5)
        (late,) = store.take([HERE], time.time, Room(9, 9)).rows
        early.commit()
    assert store.take([HERE], time.time, Room(9, 9)).rows == []
    store.finish([LeaseEnd(late)], time.time())
    (row,) = store.take([HERE], time.time, Room(9, 9)).rows
    assert (late.idempotency_key, row.idempotency_key) == ("late", "early")


def test_a_long_lane_is_delivered_whole_and_in_order(
    stores: Stores, admin: psycopg.Connection[Any]
) -> None:
    """Its rows far behind are parked; one that is given up, and a row of later, change nothing."""
    store, keys, count = stores.deliveries, [], 3 * IN_VIEW
    store.add(some(count, "l"), 5)
    for number in range(count + 4):
        (row,) = store.take([HERE], time.time, Room(9, 9)).rows
        keys.append(int(row.idempotency_key))
        assert number or count_parked(admin) >= IN_VIEW - 9
        failure = AttemptFailure("E", again=False) if number % 3 == 0 else None
        store.finish([LeaseEnd(row, failure)], time.time())
        if number < 4:
            store.add([NewRow(HERE, "l", str(count + number), "{}")], 5)
    assert keys == list(range(count + 4))
    assert store.count_waiting([HERE]) == 0


def count_parked(admin: psycopg.Connection[Any]) -> int:
    """Return how many rows are parked."""
    parked = f"SELECT count(*) FROM {SCHEMA}.deliveries WHERE due = 'infinity'"
    ((count,),) = admin.execute(parked.encode()).fetchall()
    return int(count)


def test_what_waits_behind_a_row_that_is_just_going_is_not_parked(
    stores: Stores, admin: psycopg.Connection[Any], server: Server
) -> None:
    """Whoever lets that row go has freed the lane before: nobody would free it again."""
    store = stores.deliveries
    store.add(some(2 * IN_VIEW, "l"), 5)
    (head,) = store.take([HERE], time.time, Room(1, 1)).rows
    admin.execute(f"UPDATE {SCHEMA}.deliveries SET due = 0 WHERE due = 'infinity'".encode())
    with psycopg.connect(server.url) as going:
        end = f"SELECT {SCHEMA}.finish_rows('{{{head.id}}}', '{{{head.lease}}}', NULL)"
        going.execute(end.encode())
        assert store.take([HERE], time.time, Room(9, 9)).rows == []
        assert count_parked(admin) >= IN_VIEW - 2
    (row,) = store.take([HERE], time.time, Room(9, 9)).rows
    assert row.idempotency_key == "1"


def test_what_can_go_is_found_behind_many_that_wait(
    stores: Stores, admin: psycopg.Connection[Any]
) -> None:
    """Each claim looks at few of them, and says that the next one is to come soon."""
    store = stores.deliveries
    store.add(some(6 * IN_VIEW, "l"), 5)
    (_,) = store.take([HERE], time.time, Room(1, 1)).rows
    admin.execute(f"UPDATE {SCHEMA}.deliveries SET due = 0 WHERE due = 'infinity'".encode())
    store.add([NewRow(HERE, None, "free", "{}")], 5)
    claims = 0
    while not (rows := store.take([HERE], time.time, Room(1, 1)).rows):
        claims += 1
        due = store.next_due([HERE], 0.0)
        assert due is not None
        assert due < 1.0
    assert [row.idempotency_key for row in rows] == ["free"]
    assert 3 < claims < 9
    assert (store.next_due([HERE], 0.0) or 0.0) > 1.0


def test_a_held_snapshot_keeps_no_more_than_one_turn_of_dead_rows(
    stores: Stores, admin: psycopg.Connection[Any], server: Server
) -> None:
    """The tables are emptied in turn; a row that waits for long goes from one to the other."""
    store, most = stores.deliveries, 0
    own = cast("PostgresDeliveries", store)
    waits = Recipient("b", "nobody")
    store.add([NewRow(waits, "l", "k", "{}"), NewRow(waits, "l", "k2", "{}")], 5)
    halves = (f"'{SCHEMA}.deliveries_{half}'::regclass" for half in (0, 1))
    stats = f"SELECT {' + '.join(f'pg_stat_get_dead_tuples({each})' for each in halves)}"
    turn = f"UPDATE {SCHEMA}.turn SET since = since - interval '1 minute'"
    with psycopg.connect(server.url) as reader:
        reader.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        reader.execute(f"SELECT FROM {SCHEMA}.version".encode())
        for _ in range(40):
            store.add(some(1000), 5)
            rows = store.take([HERE], time.time, Room(1000, 1000)).rows
            store.finish([LeaseEnd(row) for row in rows], time.time())
            own.ask("SELECT pg_stat_force_next_flush()")  # each connection counts for itself
            admin.execute(turn.encode())
            admin.execute(f"SELECT {SCHEMA}.tend_rows('{{}}', '{{}}')".encode())
            admin.execute("SELECT pg_stat_force_next_flush()")
            ((dead,),) = admin.execute(stats.encode()).fetchall()
            most = max(most, dead)
    assert 0 < most < 3 * MANY_DEAD, "one turn in each half, and what the counters say too late"
    assert store.count_waiting([waits]) == 2
    (row,) = store.take([waits], time.time, Room(9, 9)).rows
    assert row.idempotency_key == "k"


def test_a_long_reader_keeps_no_queue_from_being_noted(
    stores: Stores, admin: psycopg.Connection[Any], server: Server
) -> None:
    """It keeps the old table from being emptied, but what waits there is moved, and once."""
    store = stores.deliveries
    store.add(some(3), 5)
    turn = f"UPDATE {SCHEMA}.turn SET half = true, since = since - interval '1 minute'"
    admin.execute(turn.encode())
    with psycopg.connect(server.url) as reader:
        reader.execute(f"SELECT FROM {SCHEMA}.deliveries".encode())
        admin.execute(f"SELECT {SCHEMA}.tend_rows('{{\"\"}}', '{{mails}}')".encode())
        noted = admin.execute(f"SELECT subscriber FROM {SCHEMA}.receivers".encode()).fetchall()
        rows = admin.execute(f"SELECT half FROM {SCHEMA}.deliveries".encode()).fetchall()
    assert (noted, rows) == ([("mails",)], [(True,)] * 3)
    assert len(store.take([HERE], time.time, Room(9, 9)).rows) == 3


def test_workers_prune(admin: psycopg.Connection[Any]) -> None:
    """Now and then: what an outbox leaves behind is in somebody's transaction, which must not."""
    admin.execute(f"INSERT INTO {SCHEMA}.writes VALUES ('0000-0', true)".encode())
    tend = f"SELECT {SCHEMA}.tend_rows('{{}}', '{{}}') FROM generate_series(1, 300)"
    admin.execute(tend.encode())
    assert admin.execute(f"SELECT FROM {SCHEMA}.writes".encode()).fetchall() == []


def test_an_event_goes_to_those_who_subscribe_to_its_type_and_once(
    driver: Driver, stores: Stores
) -> None:
    """An event that is published again under leeward's id is kept once; under another id twice."""
    assert stores.recipients is not None
    every, one = Recipient("orders", "every"), Recipient("orders", "one")
    stores.recipients.claim("shop", {every: None, one: "order.paid"})
    for id, type in ((new_id(time.time()), "order.paid"), ("own", "order.made")):
        event = mint(Event(type, {"n": "\x00"}), id=id, source="/s", now=time.time())
        for _ in range(2):
            result = driver.perform(Publish("orders", (event,)), SECONDS)
            assert result.outcome is Outcome.OK
    assert [stores.deliveries.count_waiting([each]) for each in (every, one)] == [3, 1]
    takers = [Taker(every, None), Taker(one, "order.paid")]
    assert sorted(stores.recipients.list_takers(live=True)) == takers


def test_a_queue_is_there_once_a_worker_has_looked(driver: Driver, stores: Stores) -> None:
    """Before that nothing is kept; a call that is queued again under leeward's key is kept once."""
    queue = Recipient("", "mails")
    call = Enqueue("mails", b"{}", new_id(time.time()))
    look = Look("mails", QUEUE)
    assert driver.perform(call, SECONDS).outcome is Outcome.NOT_FOUND
    assert driver.look(look, SECONDS).outcome is Outcome.NOT_FOUND
    assert stores.deliveries.take([queue], time.time, Room(1, 1)).rows == []
    assert [driver.perform(call, SECONDS).outcome for _ in range(2)] == [Outcome.OK] * 2
    assert stores.deliveries.count_waiting([queue]) == 1
    assert why_of(driver, look) == ""


def test_a_look_tells_of_what_nobody_takes(
    driver: Driver, stores: Stores, admin: psycopg.Connection[Any]
) -> None:
    """A bus without a subscriber, and a queue whose workers have gone."""
    stores.deliveries.take([Recipient("", "mails")], time.time, Room(1, 1))
    admin.execute(f"UPDATE {SCHEMA}.receivers SET seen = seen - interval '1 hour'".encode())
    assert (
        why_of(driver, Look("orders", BUS)) == "nobody subscribes to it, so its events are dropped"
    )
    assert why_of(driver, Look("mails", QUEUE)).startswith(
        "no worker has looked for its messages for 36"
    )


def test_a_schedule_keeps_one_row_for_each_moment(stores: Stores) -> None:
    """A last moment of a wrong clock counts for nothing."""
    schedules, (row,) = stores.schedules, some(1)
    kept = [schedules.add("s", moment, row, 5, now) for moment, now in (
        (10.0, 10.0), (10.0, 10.0), (9.0, 10.0), (20.0, 20.0), (99_999.0, 20.0), (30.0, 30.0),
    )]  # fmt: skip
    assert kept == [True, False, False, True, True, True]
    assert [schedules.begin("s", 40.0, 5, "x"), schedules.begin("new", 7.0, 5, "x")] == [30.0, 7.0]
    assert stores.deliveries.count_waiting([HERE]) == 4
    assert schedules.moments() == {"s": 30.0, "new": 7.0}


def test_no_count_of_attempts_stops_the_other_rows(
    stores: Stores, admin: psycopg.Connection[Any]
) -> None:
    """Another program may have written any, and its row is one that was tried."""
    store = stores.deliveries
    store.add(some(4), 5)
    odd = (
        f"UPDATE {SCHEMA}.deliveries SET attempts = 2147483647, due = %s WHERE idempotency_key = %s"
    )
    for due, key in ((0.0, "0"), (1.0, "1")):
        admin.execute(odd.encode(), (due, key))
    rows = store.take([HERE], time.time, Room(9, 9)).rows
    store.finish([LeaseEnd(row, AttemptFailure("E")) for row in rows], time.time())
    assert sorted(row.idempotency_key for row in rows) == ["0", "1", "2", "3"]
    assert {row.attempt for row in store.dead_rows()} == {2**31 - 1}


def test_a_fault_is_told_as_such(
    server: Server, stores: Stores, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the outcome and a stable word; another isolation level than the default is one.

    A worker that works once, and cannot, tells it, too.
    """
    url = f"{server.url}?options=-c%20default_transaction_isolation%3Dserializable"
    with closing(open_driver(config_for(url, schema=SCHEMA))) as driver:
        own = driver.stores()
        assert own is not None
        with pytest.raises(DatabaseFault) as raised:
            own.deliveries.take([HERE], time.time, Room(1, 1))
        worker = Worker(App("a"), [driver], config=Config(data_target="postgres"))
        monkeypatch.setattr(leeward.worker, "AWAY", 0.1)
        with pytest.raises(TargetUnavailable, match="workers need default_transaction_isolation"):
            worker.run(once=True)
    assert (raised.value.outcome, raised.value.reason) == (Outcome.UNUSABLE, "isolation")
    stores.deliveries.add([], 5)
    with closing(open_driver(config_for(server.url, schema="absent"))) as driver:
        own = driver.stores()
        assert own is not None
        with pytest.raises(DatabaseFault) as raised:
            own.deliveries.add(some(1), 5)
    assert (raised.value.outcome, raised.value.reason) == (Outcome.UNUSABLE, "schema")
