"""Items as rows that other programs read, query and change."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from decimal import Decimal
from hashlib import sha256
from random import Random
from typing import Any
from urllib.parse import quote

import psycopg
import pytest

from leeward.adapter import Driver
from leeward.calls import Call, Key, Load, PutObject, SettleWrite
from leeward.entropy import new_id
from leeward.errors import Outcome
from leeward_contract_tests.rows import each_row
from leeward_postgres.driver import open_driver
from leeward_postgres.items import text_of
from tests.clouds.lists import Proof
from tests.postgres.opening import SECONDS, config_for, store_of
from tests.postgres.server import Server

LOOKS = 20
"""At the log of the server, which writes into it by itself now and then."""


@pytest.fixture
def driver(server: Server) -> Iterator[Driver]:
    """Open the target."""
    with closing(open_driver(config_for(server.url))) as driver:
        yield driver


def test_another_program_reads_and_changes_items(server: Server) -> None:
    """In plain SQL; a change by another gives the item another revision, and its values."""
    with (
        closing(open_driver(config_for(server.url))) as driver,
        psycopg.connect(server.url, autocommit=True) as connection,
    ):
        item = {"id": "sql", "price": Decimal("9.90"), "n": 3, "nul": "a\x00b", "at": b"\x00"}
        write = store_of("sql", "sql", 1)._replace(item=item)
        assert driver.perform(write, SECONDS).outcome is Outcome.OK
        found = connection.execute(
            "SELECT item->'price', (item->>'n')::int FROM leeward.items "
            "WHERE name = 'sql' AND item @? '$ ? (@.price > 9)'"
        ).fetchall()
        assert found == [(9.9, 3)]
        connection.execute(
            'UPDATE leeward.items SET item = item || \'{"n": 4.0, "odd": 1e30}\' '
            "WHERE name = 'sql'"
        )
        stored: Any = driver.perform(Load("sql", Key(("id",), ("sql",))), SECONDS).value
        assert (stored.foreign, stored.item["n"], stored.item["odd"]) == (True, 4, 10**30)
        assert stored.revision != write.write_id
        assert stored.item["nul"] == "a\ufffdb"
        connection.execute(
            "INSERT INTO leeward.items (name, key, item) "
            "VALUES ('sql', '{new}', '{\"id\": \"new\"}')"
        )
        new: Any = driver.perform(Load("sql", Key(("id",), ("new",))), SECONDS).value
        assert (new.item, new.foreign, new.write_id) == ({"id": "new"}, True, None)
        connection.execute("UPDATE leeward.items SET item = '[1]' WHERE key = '{new}'")
        bad = driver.perform(Load("sql", Key(("id",), ("new",))), SECONDS)
        assert (bad.outcome, bad.reason) == (Outcome.UNUSABLE, "undecodable")


@each_row(
    "item",
    [
        {"id": "nul", "a\x00": 1, "a\ufffd": 2},
        {"id": "nul", "in": [{"\ufffd": b"1", "\x00": [Decimal("0.1000000000000000055")]}]},
        {"id": "nul", "a": "\\u0000 \x00 \\ufffd", "\x00b": b"\x00"},
    ],
)
def test_names_that_sql_cannot_tell_apart_are_kept_apart(driver: Driver, item: Any) -> None:
    """Each NUL is U+FFFD there, and the item comes back as it was."""
    write = store_of("nul", "nul", 1)._replace(item=item)
    assert driver.perform(write, SECONDS).outcome is Outcome.OK
    stored: Any = driver.perform(Load("nul", write.key), SECONDS).value
    assert (stored.item, stored.foreign) == (item, False)


def test_texts_of_keys_keep_their_order_and_differ() -> None:
    """Also those with a character that PostgreSQL does not hold."""
    texts = ["", "\x00", "\x00\x00", "\x00\x01", "\x00a", "\x01", "\x01\x00", "\x02", "a", "a\x00"]
    kept = [text_of(each) for each in texts]
    assert [each for each in kept if "\x00" in each] == []
    assert (sorted(kept), len({*kept})) == (kept, len(texts))


def test_expired_items_and_old_ids_go(server: Server) -> None:
    """A day after they expired, a part at a time; what is younger stays."""
    now = time.time()
    with (
        closing(open_driver(config_for(server.url))) as driver,
        psycopg.connect(server.url, autocommit=True) as connection,
    ):
        for key, age in (("long", 90_000.0), ("short", 1_000.0)):
            write = store_of("expiring", key, 1, expires_at=now - age)
            assert driver.perform(write._replace(now=now - 100_000), SECONDS).outcome is Outcome.OK
        connection.execute("SELECT leeward.prune()")
        left = connection.execute("SELECT key[1] FROM leeward.items WHERE name = 'expiring'")
        assert left.fetchall() == [("short",)]


def test_many_items_are_stored_by_one_statement(server: Server) -> None:
    """Each by its own condition, in order; where one came before, nothing is done."""
    with closing(open_driver(config_for(server.url))) as driver:
        before = store_of("many", "there", 1)
        assert driver.perform(before, SECONDS).outcome is Outcome.OK
        calls = [
            store_of("many", "a\x00b", 1, expires_at=2e10),
            store_of("many", "there", 2, if_absent=True),
            store_of("many", "there", 3, if_revision=before.write_id),
            store_of("many", "there", 4),
        ]
        results = driver.store_many(calls, SECONDS)
        assert results is not None
        assert [each.outcome for each in results] == [
            Outcome.OK, Outcome.CONFLICT, Outcome.OK, Outcome.OK
        ]  # fmt: skip
        assert [each.value for each in results][::3] == [calls[0].write_id, calls[3].write_id]
        for call in (calls[0], calls[3]):
            found: Any = driver.perform(Load("many", call.key), SECONDS).value
            assert (found.item, found.expires_at) == (call.item, call.expires_at)
        fresh = store_of("many", "fresh", 1)
        assert driver.store_many([fresh, calls[3]], SECONDS) is None
        assert driver.perform(Load("many", fresh.key), SECONDS).value is None
        driver.close()
        refused = driver.store_many([fresh], SECONDS)
        assert refused is not None
        assert [each.outcome for each in refused] == [Outcome.LOCAL]


def test_lists_are_as_the_model_says(server: Server) -> None:
    """In order, between bounds, each item once, with writers beside."""
    proof = Proof("postgres", lambda: open_driver(config_for(server.url)), Random(1))
    proof.run(60)
    assert proof.tally.items > 0


def _put(name: str) -> PutObject:
    at = time.time()
    return PutObject("first", name, b"x", sha256(b"x").hexdigest(), new_id(at), if_absent=True)


@each_row(
    "kind,make",
    [("item", lambda key: store_of("first", key, 1, if_absent=True)), ("object", _put)],
)
def test_a_write_that_comes_second_writes_nothing(
    server: Server, driver: Driver, kind: str, make: Any
) -> None:
    """Not into the log either, whose disk it would wait for; it says what it said before."""
    first, settled = make(kind), make(kind)
    assert driver.perform(first, SECONDS).outcome is Outcome.OK
    assert driver.perform(SettleWrite("first", settled), SECONDS).outcome is Outcome.OK
    with psycopg.connect(server.url, autocommit=True) as connection:

        def grows_by(call: Call, outcome: Outcome, reason: str | None) -> int:
            begin = connection.execute("SELECT pg_current_wal_insert_lsn()").fetchall()
            result = driver.perform(call, SECONDS)
            assert (result.outcome, result.reason) == (outcome, reason)
            ((size,),) = connection.execute(
                "SELECT pg_current_wal_insert_lsn() - %s::pg_lsn", begin[0]
            ).fetchall()
            return int(size)

        for call, outcome, reason in (
            (make(kind), Outcome.CONFLICT, None),
            (first, Outcome.OK, None),
            (settled, Outcome.CONFLICT, "settled"),
        ):
            assert min(grows_by(call, outcome, reason) for _ in range(LOOKS)) == 0


def test_an_item_that_has_expired_is_no_first_one(driver: Driver) -> None:
    """Another one takes its place; the next finds that one."""
    gone = store_of("first", "gone", 1, if_absent=True)
    assert driver.perform(gone._replace(expires_at=gone.now - 1.0), SECONDS).outcome is Outcome.OK
    outcomes = [
        driver.perform(store_of("first", "gone", number, if_absent=True), SECONDS).outcome
        for number in (2, 3)
    ]
    assert outcomes == [Outcome.OK, Outcome.CONFLICT]


def test_first_items_hold_each_other_up_at_no_level_of_isolation(server: Server) -> None:
    """Where a role's level is SERIALIZABLE, those of other keys make none of them fail."""
    option = "-c default_transaction_isolation=serializable"
    with (
        closing(open_driver(config_for(f"{server.url}?options={quote(option)}"))) as driver,
        ThreadPoolExecutor(8) as threads,
    ):
        calls = [store_of("level", f"{number}", 1, if_absent=True) for number in range(80)]
        results = threads.map(lambda call: driver.perform(call, SECONDS), calls)
        assert {result.outcome for result in results} == {Outcome.OK}
