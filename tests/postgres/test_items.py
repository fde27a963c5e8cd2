"""Items as rows that other programs read, query and change."""

from __future__ import annotations

import time
from contextlib import closing
from decimal import Decimal
from random import Random
from typing import Any

import psycopg

from leeward.calls import Key, Load
from leeward.errors import Outcome
from leeward_postgres.driver import open_driver
from leeward_postgres.items import text_of
from tests.clouds.lists import Proof
from tests.postgres.opening import SECONDS, config_for, store_of
from tests.postgres.server import Server


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
