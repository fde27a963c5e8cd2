"""The rows by themselves: what is leased, and what is given up on the way."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from leeward._delivery.sqlite_store import (
    LEASE_EXPIRED,
    STATEMENTS,
    UNREADABLE,
    SqliteDeliveries,
)
from leeward._sqlite.database import Database, Schema
from leeward.leases.rules import DeliveryPolicy, Room
from leeward.stores import AttemptFailure, LeasedRow, LeaseEnd, NewRow, Recipient

HERE, THERE = Recipient("b", "here"), Recipient("b", "there")
POLICY = DeliveryPolicy(max_attempts=2, first_retry=1.0, lease=10.0)


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


def test_a_lease_that_ends_frees_the_row_until_its_last_attempt(store: SqliteDeliveries) -> None:
    """Then it is given up; others' rows are not touched."""
    store.add([NewRow(HERE, None, "k", "d"), NewRow(THERE, None, "t", "d")], 5)
    assert [keys(store, now) for now in (0.0, 9.9, 10.0, 19.9)] == [["k"], [], ["k"], []]
    assert store.next_due([HERE], 19.9) == 20.0
    (dead,) = store.take([HERE], at(20.0), Room(9, 9)).dead
    assert (dead.recipient, dead.attempt, dead.failure) == (HERE, 2, AttemptFailure(LEASE_EXPIRED))
    assert [each.failure for each in store.dead_rows()] == [dead.failure]
    assert (store.count_waiting([HERE]), store.count_waiting([THERE])) == (0, 1)


def test_a_recipient_says_itself_how_often_a_lease_may_end(store: SqliteDeliveries) -> None:
    """One that wants more attempts than the policy has gets them; the others do not."""
    store.add([NewRow(each, None, "k", "d") for each in (HERE, THERE)], 5)
    names: list[tuple[str, list[str]]] = []
    for now in (0.0, 10.0, 20.0, 30.0):
        taken = store.take([HERE, THERE], at(now), Room(9, 9, 9), most={HERE: 3, THERE: 1})
        delivered = [each.recipient.subscriber for each in taken.rows]
        names.append((" ".join(delivered), [each.recipient.subscriber for each in taken.dead]))
    assert names == [("here there", []), ("here there", []), ("here", ["there"]), ("", ["here"])]


def test_a_clock_that_is_set_back_keeps_no_retry_waiting(store: SqliteDeliveries) -> None:
    """For longer than a right clock ever would; what may be under way is left alone for an hour."""
    store.add([NewRow(HERE, None, key, "d") for key in ("failed", "leased")], 5)
    first, _ = store.take([HERE], at(5000.0), Room(9, 9)).rows
    store.finish([LeaseEnd(first, AttemptFailure("ValueError"))], 5000.0)
    back = 5000.0 + POLICY.first_retry - POLICY.longest_retry
    assert keys(store, back) == []
    assert keys(store, back - 1.0) == ["failed"]
    assert keys(store, 5000.0 + POLICY.lease - POLICY.farthest) == []


def test_a_lease_that_has_gone_changes_nothing(store: SqliteDeliveries) -> None:
    """Neither the late end of an attempt nor its late failure."""
    store.add([NewRow(HERE, None, "k", "d")], 5)
    (late,) = store.take([HERE], at(0.0), Room(1, 1)).rows
    (now,) = store.take([HERE], at(10.0), Room(1, 1)).rows
    spent = late._replace(attempt=2)
    for end in (
        LeaseEnd(late),
        LeaseEnd(spent, AttemptFailure("E")),
        LeaseEnd(late, is_begun=False),
    ):
        assert store.finish([end], 10.0) == []
    assert store.count_waiting([HERE]) == 1
    given_up = LeaseEnd(now, AttemptFailure("E", "why: so"))
    assert store.finish([given_up], 11.0) == [given_up]
    assert [each.failure for each in store.dead_rows()] == [AttemptFailure("E", "why: so")]


def test_nothing_of_what_is_delivered_is_printed(store: SqliteDeliveries) -> None:
    """Values that pass through logs and tracebacks show ids and sizes."""
    message = NewRow(HERE, "c4n4ry", "k", "c4n4ry")
    store.add([message], 5)
    (delivery,) = store.take([HERE], at(0.0), Room(1, 1)).rows
    ended = LeaseEnd(delivery._replace(attempt=2), AttemptFailure("E", "c4n4ry"))
    store.finish([ended], 0.0)
    assert "c4n4ry" not in repr([message, delivery, ended, store.dead_rows()])


def test_a_row_that_is_handed_back_has_had_no_attempt(store: SqliteDeliveries) -> None:
    """It is due at once, and its attempts are what they were."""
    store.add([NewRow(HERE, None, "k", "d")], 5)

    def leased(now: float) -> LeasedRow:
        (delivery,) = store.take([HERE], at(now), Room(1, 1)).rows
        return delivery

    for _ in range(2):
        delivery = leased(0.0)
        assert delivery.attempt == 1
        store.finish([LeaseEnd(delivery, is_begun=False)], 0.0)
    store.finish([LeaseEnd(leased(0.0), AttemptFailure("E"))], 0.0)
    store.finish([LeaseEnd(leased(1.0), is_begun=False)], 2.0)
    assert leased(2.0).attempt == 2


def test_a_lease_that_ended_without_a_word_is_remembered(store: SqliteDeliveries) -> None:
    """Where its attempt was not counted, and the row is handed back: it is not the first again."""
    store.add([NewRow(HERE, None, "k", "d")], 5)
    store.take([HERE], at(0.0), Room(1, 1, places=0))
    (again,) = store.take([HERE], at(10.0), Room(1, 1)).rows
    assert (again.attempt, again.is_unheard) == (1, True)
    store.finish([LeaseEnd(again, is_begun=False)], 10.0)
    (after,) = store.take([HERE], at(10.0), Room(1, 1)).rows
    assert (after.attempt, after.is_unheard) == (2, False)


def test_few_are_leased_of_those_that_were_tried_before(store: SqliteDeliveries) -> None:
    """They go first, but new ones fill the rest: neither starves the other."""
    store.add([NewRow(HERE, None, str(number), "d") for number in range(6)], 5)
    tried = store.take([HERE], at(0.0), Room(4, 4)).rows
    assert store.finish([LeaseEnd(each, AttemptFailure("E")) for each in tried], 0.0) == []
    taken = store.take([HERE], at(10.0), Room(3, 2)).rows
    assert [(each.idempotency_key, each.attempt) for each in taken] == [
        ("0", 2),
        ("1", 2),
        ("4", 1),
    ]
    assert store.take([HERE], at(10.0), Room(3, 0)).rows[0].idempotency_key == "5"


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


def test_what_may_have_ended_a_process_is_leased_alone(store: SqliteDeliveries) -> None:
    """Its next end takes no attempt from those that were leased beside it, and are as suspect."""
    store.add([NewRow(HERE, None, str(number), "d") for number in range(4)], 5)
    assert keys(store, 0.0, 3) == ["0", "1", "2"]
    taken = store.take([HERE], at(10.0), Room(9, 9)).rows
    assert [(each.idempotency_key, each.is_unheard) for each in taken] == [
        ("0", True),
        ("3", False),
    ]
    assert store.take([HERE], at(10.0), Room(9, 9, 0)).rows == []


def test_a_lease_that_ends_before_its_attempt_has_begun_costs_none(store: SqliteDeliveries) -> None:
    """Of what is leased ahead of a place, an attempt counts when it begins, or has ended."""
    store.add([NewRow(HERE, None, str(number), "d") for number in range(5)], 5)
    first = store.take([HERE], at(0.0), Room(5, 5, places=1)).rows
    assert [each.is_counted for each in first] == [True, False, False, False, False]
    failed = LeaseEnd(first[2], AttemptFailure("E"))
    assert store.finish([failed], 0.0, [first[1]]) == []
    assert store.finish([LeaseEnd(first[3], is_begun=False)], 0.0) == []
    taken = store.take([HERE], at(10.0), Room(9, 9, 9, places=0)).rows
    told = {each.idempotency_key: (each.attempt, each.is_counted) for each in taken}
    assert told == {
        "0": (2, True),
        "1": (2, True),
        "2": (2, False),
        "3": (1, False),
        "4": (1, True),
    }
    # What is as suspect as that is counted at once, so that it ends a process so often at most.
    dead = store.take([HERE], at(20.0), Room(9, 9, 9, places=0)).dead
    assert [each.attempt for each in dead] == [2, 2]
