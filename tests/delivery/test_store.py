"""The rows by themselves: what is leased, and what is given up on the way."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from random import Random

import pytest

from leeward._delivery.sqlite_store import STATEMENTS, UNREADABLE, SqliteDeliveries
from leeward._sqlite.database import Database, Schema
from leeward.clock import SystemClock
from leeward.leases.rules import Room
from leeward.stores import DEAD_AT_ONCE, AttemptFailure, LeaseEnd, NewRow, walk_dead_rows
from tests.delivery.rows import HERE, POLICY, Rows, RowsContract
from tests.delivery.states import OWN, STATES, WHOSE


@pytest.fixture
def database() -> Iterator[Database]:
    """Give a database with nothing but deliveries in it."""
    database = Database(None, Schema(1, 1, STATEMENTS))
    yield database
    database.close()


@pytest.fixture
def store(database: Database) -> SqliteDeliveries:
    """Give its rows."""
    return SqliteDeliveries(database, POLICY, SystemClock())


class SqliteRows(Rows):
    """Rows in a database of SQLite, and a clock that stands."""

    def __init__(self, store: SqliteDeliveries) -> None:
        self.store = store
        self._now = 5000.0

    def now(self) -> float:
        """Return the time."""
        return self._now

    def wait(self, seconds: float) -> None:
        """Turn the clock."""
        self._now += seconds


class TestSqlite(RowsContract):
    """What every store promises."""

    @pytest.fixture
    def rows(self, store: SqliteDeliveries) -> SqliteRows:
        """Return the rows."""
        return SqliteRows(store)


def at(now: float) -> Callable[[], float]:
    """Give a clock that stands."""
    return lambda: now


def keys(store: SqliteDeliveries, now: float, limit: int = 9) -> list[str]:
    """Lease what is due here, and give the keys."""
    taken = store.take([HERE], at(now), Room(limit, limit, limit))
    return [each.idempotency_key for each in taken.rows]


def test_at_most_so_many_are_leased_however_many_are_dead(
    store: SqliteDeliveries, database: Database
) -> None:
    """Those that are given up take no place of others, and stand before none of their lane."""
    store.add([NewRow(HERE, lane, str(number), "d") for number, lane in enumerate("aabbccdd")], 5)
    with database.write(5) as connection:
        connection.execute("UPDATE deliveries SET attempts = 'x' WHERE id % 2")
    taken = store.take([HERE], at(100.0), Room(3, 3))
    assert [each.idempotency_key for each in taken.rows] == ["1", "3", "5"]
    assert [each.failure for each in taken.dead] == [AttemptFailure(UNREADABLE)] * 3
    assert keys(store, 100.0) == ["7"]
    assert keys(store, 100.0) == []


def test_nothing_of_what_is_delivered_is_printed(store: SqliteDeliveries) -> None:
    """Values that pass through logs and tracebacks show ids and sizes."""
    message = NewRow(HERE, "c4n4ry", "k", "c4n4ry")
    store.add([message], 5)
    (delivery,) = store.take([HERE], at(0.0), Room(1, 1)).rows
    ended = LeaseEnd(delivery._replace(attempt=2), AttemptFailure("E", "c4n4ry"))
    store.finish([ended], 0.0)
    assert "c4n4ry" not in repr([message, delivery, ended, store.dead_rows(), store.dead_row(1)])


def test_a_walk_goes_over_all_pages(store: SqliteDeliveries, database: Database) -> None:
    """Also where the last page is full, and behind a row that another program has numbered."""
    count = 2 * DEAD_AT_ONCE
    store.add([NewRow(HERE, None, str(number), "d") for number in range(count)], 5)
    with database.write(5) as connection:
        connection.execute("UPDATE deliveries SET dead = 1, id = id - 7")
    heads = list(walk_dead_rows(store))
    assert [each.id for each in heads] == list(range(-6, count - 6))
    assert [each.id for each in walk_dead_rows(store, heads[1].id)] == list(range(-4, count - 6))


def test_rows_that_somebody_has_reset_take_no_more_than_there_is_room_for(
    store: SqliteDeliveries, database: Database
) -> None:
    """They were tried before and are due as if they were new; another one is given up meanwhile."""
    store.add([NewRow(HERE, None, str(number), "d") for number in range(9)], 5)
    with database.write(5) as connection:
        connection.execute("UPDATE deliveries SET attempts = 1, due = 1 WHERE id > 2")
        connection.execute("UPDATE deliveries SET attempts = 1 WHERE id = 2")
        connection.execute("UPDATE deliveries SET attempts = 'x' WHERE id = 1")
    taken = store.take([HERE], at(10.0), Room(3, 0))
    assert [each.idempotency_key for each in taken.rows] == ["1"]
    assert len(taken.dead) == 1


@pytest.mark.parametrize("has_new", [True, False])
@pytest.mark.parametrize("whose", WHOSE.values())
def test_a_claim_walks_past_no_row_of_another_state(whose: str, *, has_new: bool) -> None:
    """Or of another recipient; in thousands of steps of SQLite's machine, which no load changes."""
    steps: dict[str, int] = {}
    for state, columns in STATES.items():
        database = Database(None, Schema(1, 1, STATEMENTS))
        store, told = SqliteDeliveries(database, POLICY, SystemClock()), list[None]()
        with database.write(5) as connection:
            connection.execute(
                "WITH RECURSIVE some (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM some LIMIT 5000)"
                " INSERT INTO deliveries"
                " (bus, subscriber, idempotency_key, document, attempts, due, lease, lane)"
                f" SELECT '', ?, n, '', {columns.format(now=5000)} FROM some",
                (whose,),
            )
        store.add([NewRow(OWN, None, f"new {n}", "") for n in range(8 * has_new)], 5)
        with database.read(5) as connection:
            connection.set_progress_handler(partial(told.append, None), 1_000)
        taken = store.take([OWN], at(5000.0), Room(8, 8))
        store.next_due([OWN], 5000.0)
        steps[state] = len(told)
        assert not has_new or taken.rows or taken.dead, state
        database.close()
    walked = {state: number for state, number in steps.items() if number > 10}
    assert set(walked) <= {"spent"}
    assert walked.get("spent", 0) < 40


@pytest.mark.parametrize("seed", range(40))
def test_of_each_lane_the_first_row_alone_is_not_behind(
    store: SqliteDeliveries, database: Database, seed: int
) -> None:
    """Whatever is done to its rows, by whichever program; and what is free is behind none."""
    random = Random(seed)
    lanes = "'a'", "'b'", "NULL"
    columns = "id, bus, subscriber, lane, idempotency_key, document"
    insert = f"INSERT OR IGNORE INTO deliveries ({columns})"
    changes = (
        "UPDATE deliveries SET dead = 1 - dead WHERE id = {id}",
        "UPDATE deliveries SET lane = {lane} WHERE id = {id}",
        "UPDATE OR IGNORE deliveries SET id = {other} WHERE id = {id}",
        "UPDATE deliveries SET subscriber = 'there' WHERE id = {id}",
        "DELETE FROM deliveries WHERE id = {id}",
        "DELETE FROM deliveries WHERE lane = {lane} AND NOT dead",
        f"{insert} VALUES ({{other}}, 'b', 'here', {{lane}}, 'k', '')",
    )
    for _ in range(60):
        lane, id = random.choice(lanes), random.randint(-3, 20)
        rows = [NewRow(HERE, None if lane == "NULL" else lane[1], "k", "") for _ in range(3)]
        store.add(rows[: random.randint(0, 3)], 5)
        with database.write(5) as connection:
            change = random.choice(changes)
            connection.execute(change.format(id=id, other=random.randint(-3, 30), lane=lane))
            wrong = connection.execute(
                "SELECT id, behind FROM deliveries AS row WHERE NOT dead AND behind <> coalesce("
                "id <> (SELECT min(id) FROM deliveries WHERE NOT dead AND bus = row.bus"
                " AND subscriber = row.subscriber AND lane = row.lane), 0)"
            ).fetchall()
        assert not wrong, change
