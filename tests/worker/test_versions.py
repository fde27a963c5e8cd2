"""Versions of an app beside each other: events go to all that live, and to the one that takes them.

On `local`, with a file, and on PostgreSQL.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace
from typing import Any, TypeAlias
from uuid import uuid4

import psycopg
import pytest

from leeward import Client
from leeward._delivery.relay import OUTBOX, RunStart, WaitingCall, row_of
from leeward._delivery.sqlite_store import FRESH
from leeward.adapter import Driver
from leeward.app import App
from leeward.cli.dead_letters import MoveOptions, StoreLetters, redrive
from leeward.errors import InvalidRequest
from leeward.local import Local
from leeward.status import read_queues
from leeward.status.facts import Fact, Level, backlog
from leeward.stores import ABANDONED, Recipient, RecipientStore, Stores, Taker
from leeward.views.letters import Moved
from leeward.worker import Worker
from leeward.workflow import Flow, Ref
from leeward_postgres.driver import open_driver
from leeward_postgres.schema import schema_sql
from tests.postgres.conftest import server
from tests.postgres.opening import config_for
from tests.postgres.server import Server
from tests.worker.places import until
from tests.worker.rows import RowTarget

__all__ = ["server"]

Open: TypeAlias = Callable[[], Driver]


class Broken(Exception):
    """What a handler raises that is tried once."""

    retryable = False


@pytest.fixture(params=["local", "postgres"])
def opens(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Open]:
    """Give what opens a target of its own."""
    tmp_path.chmod(0o700)
    if request.param == "local":
        yield lambda: Local(path=tmp_path / "shop.sqlite3")
        return
    server: Server = request.getfixturevalue("server")
    schema = f"versions_{uuid4().hex}"
    with psycopg.connect(server.url, autocommit=True) as connection:
        connection.execute(schema_sql(schema).encode())
    yield lambda: open_driver(config_for(server.url, schema=schema))


def app_of(type: str | None, seen: list[Any], *, name: str = "remember") -> App:
    """Return a version of an app whose handler takes events of a type."""
    app = App("shop")

    @app.on_event("bills", type, name=name)
    def remember(event: Any) -> None:
        seen.append((type, event.type, event.data["n"]))

    return app


def publish(opens: Open, *types: str) -> None:
    """Publish an event of each type, from a process that has no app."""
    with Client(opens()) as client:
        for number, type in enumerate(types):
            client.publish_event("bills", type, {"n": number})


def stores_at(driver: Driver) -> Stores:
    """Return the stores of a driver."""
    stores = driver.stores()
    assert stores is not None
    return stores


def test_a_worker_of_the_old_version_takes_no_event_of_the_new_one_away(opens: Open) -> None:
    """It starts last, and stops last; what is published then waits for the new version."""
    seen: list[Any] = []
    with Worker(app_of("bill.made", seen), opens()):
        pass
    with Worker(app_of("bill.cancelled", seen), opens()):
        pass
    with Worker(app_of("bill.made", seen), opens()):
        publish(opens, "bill.cancelled", "bill.made")
        until(lambda: seen)
    publish(opens, *["bill.cancelled"] * 5)
    with Worker(app_of("bill.cancelled", seen), opens()):
        until(lambda: sum(own == "bill.cancelled" for own, _, _ in seen) >= 6)
    assert sorted(seen) == sorted(
        [("bill.made", "bill.made", 1), ("bill.cancelled", "bill.cancelled", 0)]
        + [("bill.cancelled", "bill.cancelled", n) for n in range(5)]
    )


def test_each_live_version_gets_what_it_takes(opens: Open) -> None:
    """Beside each other, under one name of the handler; each event once, by a version that may."""
    old: list[Any] = []
    new: list[Any] = []
    with Worker(app_of("a", old), opens()), Worker(app_of("b", new), opens()):
        publish(opens, *["a", "b"] * 10)
        until(lambda: len(old) + len(new) >= 20)
    assert {own for own, _, _ in old} == {"a"}
    assert sorted(n for _, type, n in old if type == "a") == list(range(0, 20, 2))
    assert sorted(n for _, type, n in new if type == "b") == list(range(1, 20, 2))


def test_a_waiting_event_of_another_type_is_parked_and_comes_back(opens: Open) -> None:
    """Nobody lives who takes it: it stops no other, is counted, and goes to who takes it next."""
    seen: list[Any] = []
    with Worker(app_of("bill.made", seen), opens()):
        pass
    publish(opens, *["bill.made"] * 5)
    with Worker(app_of("bill.cancelled", seen), opens()) as worker:
        publish(opens, "bill.cancelled")
        letters = worker.stores.deliveries.dead_rows
        until(lambda: len(letters()) == 5 and seen)
        assert [own for own, _, _ in seen] == ["bill.cancelled"]
        assert {(row.failure.reason, row.failure.ran) for row in letters()} == {("not_taken", "no")}
    with Worker(app_of("bill.made", seen), opens()) as worker:
        until(lambda: len(seen) >= 6)
        assert worker.stores.deliveries.dead_rows() == []
    assert sorted(n for own, type, n in seen if own == type == "bill.made") == [0, 1, 2, 3, 4]


def test_a_version_ends_when_a_newer_one_lives_without_it(opens: Open) -> None:
    """Not by its time alone; and a newer one not for an older one."""
    drivers = [opens(), opens(), opens()]
    old, new, third = (_recipients(each) for each in drivers)
    own = Recipient("bills", "remember")
    assert old.claim("shop", {own: "a"}) == {own: own}
    new.claim("shop", {own: "b"})
    assert sorted(_takers(third)) == [Taker(own, "a"), Taker(own, "b")]
    assert sorted(third.list_takers(live=True)) == [Taker(own, "a"), Taker(own, "b")]
    old.release()
    assert third.list_takers(live=True) == [Taker(own, "b")]
    assert sorted(_takers(third)) == [Taker(own, "a"), Taker(own, "b")]
    new.claim("shop", {own: "b"})
    assert _takers(third) == [Taker(own, "b")]
    new.release()
    assert _takers(third) == [Taker(own, "b")]
    old.claim("shop", {own: "a"})
    old.claim("shop", {own: "a"})
    assert sorted(_takers(third)) == [Taker(own, "a"), Taker(own, "b")]
    third.claim("mail", {own: "c"})  # another app ends nothing
    assert len(_takers(third)) == 3
    for each in drivers:
        each.close()


def test_an_older_version_ends_a_newer_one_that_was_abandoned(
    opens: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A roll-back: nobody has run the newer one for a day."""
    first, second = opens(), opens()
    old, new = _recipients(first), _recipients(second)
    own = Recipient("bills", "remember")
    old.claim("shop", {own: "a"})
    new.claim("shop", {own: "b"})
    new.release()
    if isinstance(first, Local):
        ahead = time.monotonic() + ABANDONED + 1
        monkeypatch.setattr("leeward._delivery.sqlite_store.monotonic", lambda: ahead)
        old.claim("shop", {own: "a"})
    else:
        _age(first)
    old.claim("shop", {own: "a"})
    assert _takers(old) == [Taker(own, "a")]
    first.close()
    second.close()


def _takers(recipients: RecipientStore) -> list[Taker]:
    time.sleep(2 * FRESH)
    return recipients.list_takers()


def _age(driver: Driver) -> None:
    rows: Any = stores_at(driver).deliveries
    rows.ask("UPDATE @.versions SET seen = seen - interval '25 hours' RETURNING 1")


def test_letters_of_a_handler_that_is_gone_are_not_moved_where_nobody_reads(opens: Open) -> None:
    """Nor counted as fine: `status` says so, and `--to` moves them to a handler that is there."""
    seen: list[Any] = []
    app = App("shop")

    @app.on_event("bills", name="old", retries=0)
    def fail(event: Any) -> None:
        raise Broken(event.type)

    with Worker(app, opens()) as worker:
        publish(opens, "a", "b")
        until(lambda: len(worker.stores.deliveries.dead_rows()) == 2)
        (fact,) = _queue_facts(worker)
        assert (fact.level, fact.values["taken"]) == (Level.WRONG, True)
        assert fact.remedy == f"leeward dlq list --targets {worker.target}"
    publish(opens, "c")
    with Worker(app_of(None, seen, name="new"), opens()) as worker:
        (fact,) = _queue_facts(worker)
        assert (fact.level, fact.values["taken"], fact.values["waiting"]) == (Level.WRONG, False, 1)
        assert "no version of the app has a handler for it" in fact.sentence
        assert "leeward dlq redrive --to NAME" in fact.remedy
        left = _redrive(StoreLetters(worker.stores, worker.target))
        assert (left.moved, len(left.elsewhere)) == (0, 2)
        (why,) = {*left.why}
        assert why.startswith("would go to 'old', which no version of the app has now; deploy one")
        assert why.endswith("or move them to another handler with --to NAME: new.")
        with pytest.raises(InvalidRequest, match="a handler 'odd'.*name one of new"):
            StoreLetters(worker.stores, worker.target, "odd")
        assert _redrive(StoreLetters(worker.stores, worker.target, "new")).moved == 2
        until(lambda: len(seen) == 2)
        assert worker.stores.deliveries.dead_rows() == []


def test_a_start_of_an_outbox_waits_for_a_version_that_has_the_workflow(tmp_path: Path) -> None:
    """A worker without it neither counts an attempt nor keeps it for long."""
    tmp_path.chmod(0o700)
    path = tmp_path / "shop.sqlite3"
    done: list[Any] = []
    row = row_of(Recipient(OUTBOX, ""), WaitingCall(RunStart("ship", 7, "r"), (), time.time()))
    with Worker(app_of("a", []), RowTarget(Local(path=path))) as worker:
        worker.stores.deliveries.add([row], 10.0)
        with closing(sqlite3.connect(path)) as connection:
            query = "SELECT attempts, error FROM deliveries WHERE due > 0 AND lease IS NULL"
            until(lambda: connection.execute(query).fetchall())
            ((attempts, waits_for),) = connection.execute(query).fetchall()
            assert (attempts, waits_for.partition(":")[0]) == (0, "ConfigError")
    app = app_of("a", [])
    app.function(name="pack", effect="idempotent")(done.append)

    @app.workflow("ship")
    def ship(w: Flow, order: Ref) -> None:
        w.step("pack", order)

    with Worker(app, RowTarget(Local(path=path))):
        until(lambda: done == [7])


def _redrive(letters: StoreLetters) -> Moved:
    wish = MoveOptions(force=True)
    return redrive(letters, wish, 0.0, agree=lambda _: False, sleep=id, progress=id)


def _queue_facts(worker: Worker) -> list[Fact]:
    driver: Any = SimpleNamespace(target=worker.target, stores=lambda: worker.stores)
    return [backlog(each, time.time()) for each in read_queues(driver)]


def _recipients(driver: Driver) -> RecipientStore:
    recipients = stores_at(driver).recipients
    assert recipients is not None
    return recipients
