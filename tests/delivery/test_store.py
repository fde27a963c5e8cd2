"""The rows by themselves: what is leased, and what is given up on the way."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from leeward._delivery.sqlite_store import STATEMENTS, UNREADABLE, SqliteDeliveries
from leeward._sqlite.database import Database, Schema
from leeward.leases.rules import Room
from leeward.stores import DEAD_AT_ONCE, AttemptFailure, LeaseEnd, NewRow, walk_dead_rows
from tests.delivery.rows import HERE, POLICY, Rows, RowsContract


@pytest.fixture
def database() -> Iterator[Database]:
    """Give a database with nothing but deliveries in it."""
    database = Database(None, Schema(1, 1, STATEMENTS))
    yield database
    database.close()


@pytest.fixture
def store(database: Database) -> SqliteDeliveries:
    """Give its rows."""
    return SqliteDeliveries(database, POLICY)


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


def test_a_claim_reads_no_lane_but_those_it_takes(
    database: Database, store: SqliteDeliveries
) -> None:
    """Counted in thousands of steps of SQLite's machine, which no load changes."""
    store.add([NewRow(HERE, f"lane {n}", str(n), "{}") for n in range(5_000)], 5)
    steps: list[None] = []
    with database.read(5) as connection:
        connection.set_progress_handler(lambda: steps.append(None), 1_000)
    assert keys(store, 50.0) == [str(n) for n in range(9)]
    assert len(steps) < 10
