import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from queue import SimpleQueue
from threading import Event as Flag
from time import sleep
from typing import Any

import pytest

from leeward import App
from leeward._delivery.sqlite_store import GIVEN_UP_AT_ONCE, SqliteDeliveries
from leeward.app import Problem
from leeward.errors import Outcome
from leeward.leases.faults import DatabaseFault
from leeward.leases.rules import DeliveryPolicy
from leeward.local import Context, Local
from leeward.stores import TakenRows
from leeward.values import Event
from tests.local.calls import PATIENT, HandClock, dispatcher_of, enqueue, event, publish, until

POLICY = DeliveryPolicy()


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the loop look often, and closing wait little for handlers that hang on purpose."""
    monkeypatch.setattr("leeward.leases.threads.LOOK_AGAIN", 0.05)
    monkeypatch.setattr("leeward._delivery.dispatcher.GRACE", 0.1)


@pytest.mark.parametrize("fails", [True, False])
def test_a_hung_subscriber_gets_the_event_again(opened: Callable[..., Local], fails: bool) -> None:
    """When the lease ends the event is delivered again; the late end of the first changes nothing.

    Otherwise its failure would bring a third attempt beside the second, and its success would let
    the next event of the key overtake the second attempt.
    """
    clock = HandClock()
    cloud = opened(clock=clock)
    hang = {1: Flag(), 2: Flag()}
    started: SimpleQueue[tuple[str | None, int | None]] = SimpleQueue()
    overtaking: list[bool] = []

    @cloud.subscribe("orders")
    def subscriber(event: Event, context: Context) -> None:
        if event.id == "follower":
            overtaking.append(not hang[2].is_set())
            return
        started.put((event.id, context.attempt))
        if event.id == "hung":
            assert hang[context.attempt or 0].wait(PATIENT)
            if fails and context.attempt == 1:
                raise ValueError

    keyed = (event(id, ordering_key="k") for id in ("hung", "follower"))
    cloud.perform(publish(*keyed), 5)
    assert started.get(timeout=PATIENT) == ("hung", 1)
    clock.sleep(POLICY.lease + 1)
    assert started.get(timeout=PATIENT) == ("hung", 2)
    hang[1].set()
    until(lambda: len(dispatcher_of(cloud)._attempts.held) == 1)
    clock.sleep(POLICY.lease / 2)
    cloud.perform(publish(event("next")), 5)
    assert started.get(timeout=PATIENT) == ("next", 1)
    until(lambda: len(dispatcher_of(cloud)._attempts.held) == 1)
    hang[2].set()
    cloud.wait_idle(PATIENT)
    assert started.empty()
    assert overtaking == [False]
    assert cloud.dead_letters() == ()


def test_hung_subscribers_do_not_use_up_the_threads(opened: Callable[..., Local]) -> None:
    """An attempt that has outlived its lease no longer counts; five such are a dead letter."""
    clock = HandClock()
    cloud = opened(clock=clock)
    hang = Flag()
    started: SimpleQueue[int | None] = SimpleQueue()

    @cloud.subscribe("orders")
    def subscriber(event: Event, context: Context) -> None:
        started.put(context.attempt)
        assert hang.wait(PATIENT)

    cloud.perform(publish(*(event(str(number)) for number in range(POLICY.concurrency + 1))), 5)
    for attempt in range(1, POLICY.max_attempts + 1):
        for _ in range(POLICY.concurrency):
            assert started.get(timeout=PATIENT) == attempt
        clock.sleep(POLICY.lease + 1)
    assert started.get(timeout=PATIENT) == 1
    letters = cloud.dead_letters()
    assert {each.error for each in letters} == {"LeaseExpired"}
    assert len(letters) == POLICY.concurrency
    hang.set()
    cloud.wait_idle(PATIENT)


def test_a_handler_says_itself_how_often_it_may_hang(opened: Callable[..., Local]) -> None:
    """Its `retries` count where no word comes back, too, if they are more than usual."""
    clock, app = HandClock(), App("shop")
    cloud = opened(clock=clock)
    hang = Flag()
    started: SimpleQueue[tuple[str, int | None]] = SimpleQueue()

    def handle(body: Any, context: Context) -> None:
        started.put((context.function, context.attempt))
        assert hang.wait(PATIENT)

    for name, retries in (("few", 1), ("many", 6)):
        app.on_message(name, name=name, retries=retries)(handle)
    cloud.mount(app)
    for name in ("few", "many"):
        cloud.perform(enqueue(name), 5)
    for attempt in range(1, 8):
        names = ["few", "many"] if attempt <= POLICY.max_attempts else ["many"]
        assert sorted(started.get(timeout=PATIENT) for _ in names) == [(n, attempt) for n in names]
        clock.sleep(POLICY.lease + 1)
    until(lambda: len(cloud.dead_letters()) == 2)
    assert started.empty()
    hang.set()
    cloud.wait_idle(PATIENT)


def test_pending_events_wait_for_their_subscription(
    opened: Callable[..., Local], path: Path
) -> None:
    """A subscription of the same name gets them after a restart; nobody else's are waited for."""
    first = opened(path=path)
    hang = Flag()
    started = Flag()

    @first.subscribe("orders", name="remember")
    def hanging(event: Event) -> None:
        started.set()
        hang.wait(PATIENT)

    first.perform(publish(event("1", ordering_key="k"), event("2", ordering_key="k")), 5)
    assert started.wait(PATIENT)
    first.close()
    clock = HandClock()
    clock.time += 10**10
    second = opened(path=path, clock=clock)
    second.wait_idle(PATIENT)
    seen: list[str | None] = []
    second.subscribe("orders", name="remember")(lambda event: seen.append(event.id))
    second.wait_idle(PATIENT)
    assert seen == ["1", "2"]
    hang.set()


def test_a_registered_subscription_is_served_without_further_calls(
    opened: Callable[..., Local], path: Path
) -> None:
    """Registering alone starts the delivery of what an earlier process left."""
    first = opened(path=path)
    first.function("f")(lambda _: None)
    connection: Any = first.native("tables")
    assert first.perform(enqueue(), 5).outcome is Outcome.OK
    first.wait_idle(PATIENT)
    first.close()
    with connection:
        connection.execute(
            "INSERT INTO deliveries (bus, subscriber, idempotency_key, document)"
            "VALUES ('', 'f', 'k', '1')"
        )
    connection.close()
    done = Flag()
    opened(path=path).function("f")(lambda _: done.set())
    assert done.wait(PATIENT)


def test_the_loop_outlives_a_fault(cloud: Local, monkeypatch: pytest.MonkeyPatch) -> None:
    """When the database cannot be read, or anything else fails, the loop tries again later."""
    real = SqliteDeliveries.take
    faults = [DatabaseFault(Outcome.REJECTED, "busy", "busy"), KeyError("odd"), MemoryError()]

    def take(rows: SqliteDeliveries, *question: Any, **more: Any) -> TakenRows:
        if faults:
            raise faults.pop()
        return real(rows, *question, **more)

    monkeypatch.setattr(SqliteDeliveries, "take", take)
    seen: list[str | None] = []
    cloud.subscribe("orders")(lambda event: seen.append(event.id))
    cloud.perform(publish(), 5)
    cloud.wait_idle(PATIENT)
    assert (seen, faults) == (["1"], [])


def test_a_delivery_that_is_not_written_down_is_made_again(
    opened: Callable[..., Local], path: Path
) -> None:
    """A locked database keeps the end of an attempt from being noted; its lease ends then."""
    clock = HandClock()
    cloud = opened(path=path, clock=clock)
    attempts: SimpleQueue[int | None] = SimpleQueue()
    go = Flag()

    @cloud.subscribe("orders")
    def subscriber(event: Event, context: Context) -> None:
        attempts.put(context.attempt)
        assert go.wait(PATIENT)

    cloud.perform(publish(), 5)
    assert attempts.get(timeout=PATIENT) == 1
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("leeward._delivery.sqlite_store.PATIENCE", 0.01)
        locked = sqlite3.connect(path, isolation_level=None)
        locked.execute("BEGIN EXCLUSIVE")
        go.set()
        until(lambda: not dispatcher_of(cloud)._attempts.held)
        locked.execute("ROLLBACK")
        locked.close()
    clock.sleep(POLICY.lease + 1)
    assert attempts.get(timeout=PATIENT) == 2
    cloud.wait_idle(PATIENT)


def test_what_is_leased_ahead_is_left_to_others_at_the_end(
    opened: Callable[..., Local], path: Path
) -> None:
    """Short attempts get their rows by the hundred; what has had none is due as soon as it ends."""
    first = opened(path=path)
    hang, fast, seen = Flag(), 40, list[str | None]()

    @first.subscribe("orders", name="s")
    def subscriber(event: Event) -> None:
        seen.append(event.id)
        if len(seen) > fast:
            assert hang.wait(PATIENT)

    ids = [str(number) for number in range(300)]
    first.perform(publish(*map(event, ids)), 5)
    until(lambda: len(seen) == fast + POLICY.concurrency)
    first.close()
    second = opened(path=path)
    rest: SimpleQueue[tuple[str | None, int | None]] = SimpleQueue()

    @second.subscribe("orders", name="s")
    def remembering(event: Event, context: Context) -> None:
        rest.put((event.id, context.attempt))

    left = [rest.get(timeout=PATIENT) for _ in range(len(ids) - fast - POLICY.concurrency)]
    assert sorted([*seen, *(id for id, _ in left)], key=str) == sorted(ids)
    assert {attempt for _, attempt in left} == {1}
    hang.set()


def test_a_downstream_that_is_away_for_a_minute_makes_no_dead_letter(
    opened: Callable[..., Local],
) -> None:
    """By default; and `retry_after` is heeded."""
    clock = HandClock()
    cloud = opened(clock=clock)
    back, began, tries = clock.time + 60, clock.time, list[float]()

    @cloud.subscribe("orders")
    def subscriber(event: Event) -> None:
        tries.append(clock.time - began)
        if clock.time < back:
            raise Problem("away", retryable=True, retry_after=20)

    cloud.perform(publish(*(event(str(number)) for number in range(20))), 5)
    until(lambda: len(tries) == 20)
    for _ in range(300):
        until(lambda: not dispatcher_of(cloud)._attempts.held)
        if not cloud._runner._stores.deliveries.measure(None):
            break
        clock.sleep(1)
        dispatcher_of(cloud).wake()
        sleep(0.01)
    assert cloud.dead_letters() == ()
    assert not [each for each in tries if 0 < each < 20]
    assert len(tries) <= 20 * 5


def test_rows_that_are_given_up_make_room_at_once(
    opened: Callable[..., Local], path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A claim gives up few, and the next one comes soon: what is ready waits for no second."""
    monkeypatch.setattr("leeward.leases.threads.LOOK_AGAIN", 1.0)
    cloud = opened(path=path)
    seen: SimpleQueue[str | None] = SimpleQueue()
    cloud.subscribe("orders", name="s")(lambda event: seen.put(event.id))
    cloud.perform(publish(event("first")), 5)
    assert seen.get(timeout=PATIENT) == "first"
    rows = 40 * GIVEN_UP_AT_ONCE
    with closing(sqlite3.connect(path)) as other, other:
        other.execute(
            "WITH RECURSIVE some (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM some LIMIT ?)"
            " INSERT INTO deliveries (bus, subscriber, lane, idempotency_key, document, attempts,"
            " due, lease) SELECT 'orders', 's', 'lane', n, '', 9, 1, 'x' FROM some",
            (rows,),
        )
    cloud.perform(publish(event("last", ordering_key="lane")), 5)
    assert seen.get(timeout=PATIENT) == "last"
    assert cloud.stores().deliveries.measure(None)[0].dead == rows
