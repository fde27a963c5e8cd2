"""Writes whose answers are lost, settled: what is said then is true for ever."""

from __future__ import annotations

import asyncio
import random
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote

import psycopg
import pytest

from leeward import AsyncClient, Client, OutcomeUnknown, Promise
from leeward.adapter import Driver
from leeward.calls import Delete, Key, Load, SettleWrite, Store
from leeward.entropy import new_id
from leeward.errors import Outcome
from leeward.local import Local
from leeward.values.settled import Settled, Verdict
from leeward_backup import Backups
from leeward_contract_tests.rows import each_row
from leeward_postgres.driver import open_driver
from leeward_postgres.schema import schema_sql
from tests.postgres.lost_writes import play
from tests.postgres.opening import SECONDS, config_for, delete_of, store_of
from tests.postgres.proxy import PostgresProxy
from tests.postgres.server import Server

TABLE = "settled"


class Bench(NamedTuple):
    """A target behind a proxy, and one that nothing stands before."""

    driver: Driver
    plain: Driver
    proxy: PostgresProxy
    url: str

    def settle(self, write: Any) -> Settled:
        """Settle a write, and return what is said."""
        result = self.plain.perform(SettleWrite(TABLE, write), SECONDS)
        assert result.outcome is Outcome.OK
        assert isinstance(result.value, Settled)
        return result.value

    def holds(self, write: Store) -> bool:
        """Return whether the item is what the write has made it."""
        found = self.plain.perform(Load(TABLE, write.key), SECONDS).value
        return found is not None and found.revision == write.write_id


@pytest.fixture
def bench(server: Server, proxy: PostgresProxy) -> Iterator[Bench]:
    """Open both targets."""
    url = server.url.replace(f":{server.port}/", f":{proxy.port}/")
    driver, plain = open_driver(config_for(url)), open_driver(config_for(server.url))
    yield Bench(driver, plain, proxy, server.url)
    driver.close()
    plain.close()


def test_300_writes_lost_in_five_ways_are_settled(bench: Bench) -> None:
    """Never arrived, done, racing, late, half then late: none is wrong, none is unknown."""
    verdicts: Counter[tuple[str, Verdict]] = Counter()
    ways = (_never, _done, _race, _late, _half)
    for number in range(300):
        way = ways[number % len(ways)]
        write = store_of(TABLE, f"item-{number}", number)
        ran, verdict = way(bench, write)
        verdicts[way.__name__, verdict] += 1
        assert ran is (verdict is Verdict.RAN), way.__name__
    assert {verdict for _, verdict in verdicts} == {Verdict.RAN, Verdict.NOT_RUN}
    assert verdicts["_never", Verdict.NOT_RUN] == verdicts["_late", Verdict.NOT_RUN] == 60
    assert verdicts["_done", Verdict.RAN] == 60


def test_writes_of_broken_connections_are_settled() -> None:
    """A connection breaks at any byte of many writes, or the server is killed behind them."""
    report = play(400, kills=1, seed=1)
    assert [(each.wrong, each.unknown) for each in report.values()] == [(0, 0)] * len(report)
    assert sum(sum(each) for each in report.values()) == 400
    assert all(sum(each[at] for each in report.values()) for at in (0, 1)), report


def _lose(bench: Bench, write: Store) -> None:
    result = bench.driver.perform(write, SECONDS)
    assert result.outcome is Outcome.AMBIGUOUS


def _never(bench: Bench, write: Store) -> tuple[bool, Verdict]:
    with bench.proxy.lose_requests(1):
        _lose(bench, write)
    verdict = bench.settle(write).verdict
    return bench.holds(write), verdict


def _done(bench: Bench, write: Store) -> tuple[bool, Verdict]:
    with bench.proxy.lose_answers(1):
        _lose(bench, write)
    verdict = bench.settle(write).verdict
    return bench.holds(write), verdict


def _race(bench: Bench, write: Store) -> tuple[bool, Verdict]:
    with bench.proxy.hold_requests():
        _lose(bench, write)
    late = threading.Thread(target=bench.proxy.deliver, args=(bench.url,))
    late.start()
    verdict = bench.settle(write).verdict
    late.join()
    return bench.holds(write), verdict


def _late(bench: Bench, write: Store) -> tuple[bool, Verdict]:
    with bench.proxy.hold_requests():
        _lose(bench, write)
    verdict = bench.settle(write).verdict
    bench.proxy.deliver(bench.url)
    return bench.holds(write), verdict


def _half(bench: Bench, write: Store) -> tuple[bool, Verdict]:
    """Let it wait for a lock that another transaction holds, and go on while it is settled."""
    with psycopg.connect(bench.url) as holder:
        holder.execute("SELECT pg_advisory_xact_lock(1)")
        with bench.proxy.hold_requests():
            _lose(bench, write)
        late = threading.Thread(target=bench.proxy.deliver, args=(bench.url,))
        holder.execute(
            "INSERT INTO leeward.items (name, key, item) VALUES (%s, %s, '{}')",
            (TABLE, list(write.key.values)),
        )
        late.start()
        settling: list[Verdict] = []
        settler = threading.Thread(target=lambda: settling.append(bench.settle(write).verdict))
        settler.start()
        if random.random() < 0.5:  # the settler waits for nothing, as the write has not got so far
            settler.join()
        holder.rollback()
        settler.join()
    late.join()
    return bench.holds(write), settling[0]


def test_a_settled_write_never_takes_place(bench: Bench) -> None:
    """A store or delete that comes after it was settled is refused, and changes nothing."""
    kept = store_of(TABLE, "kept", 1)
    assert bench.plain.perform(kept, SECONDS).outcome is Outcome.OK
    for write in (store_of(TABLE, "kept", 2), delete_of(TABLE, "kept")):
        assert bench.settle(write) == Settled(Verdict.NOT_RUN, reason="voided")
        assert bench.settle(write).verdict is Verdict.NOT_RUN
        late = bench.plain.perform(write, SECONDS)
        assert (late.outcome, late.reason) == (Outcome.CONFLICT, "settled")
        assert bench.holds(kept)


def test_a_write_that_others_have_followed_is_known(bench: Bench) -> None:
    """Replaced, deleted, or a deletion itself: it took place, and is not done again."""
    first, second = store_of(TABLE, "twice", 1), store_of(TABLE, "twice", 2)
    gone = delete_of(TABLE, "twice")
    for write in (first, second, gone):
        assert bench.plain.perform(write, SECONDS).outcome is Outcome.OK
    assert bench.settle(first) == Settled(Verdict.RAN, first.write_id, reason="write_id")
    assert bench.settle(second).verdict is Verdict.RAN
    assert bench.settle(gone) == Settled(Verdict.RAN, None, reason="write_id")
    again = bench.plain.perform(first, SECONDS)
    assert (again.outcome, again.value) == (Outcome.OK, first.write_id)
    assert bench.plain.perform(Load(TABLE, first.key), SECONDS).value is None


def test_a_write_of_long_ago_may_be_unknown(bench: Bench) -> None:
    """Ids of hours ago are pruned, so nothing is said of one; but it is kept out from now on."""
    old = store_of(TABLE, "old", 1)._replace(write_id=new_id(1_000_000.0))
    assert bench.settle(old) == Settled(Verdict.UNKNOWN, reason="expired")
    assert bench.plain.perform(old, SECONDS).reason == "settled"
    there = store_of(TABLE, "there", 1)._replace(write_id=new_id(1_000_001.0))
    assert bench.plain.perform(there, SECONDS).outcome is Outcome.OK
    with psycopg.connect(bench.url, autocommit=True) as connection:
        connection.execute("SELECT leeward.prune()")
        left = connection.execute("SELECT 1 FROM leeward.writes WHERE id = %s", (there.write_id,))
        assert left.fetchall() == []
    assert bench.settle(there).verdict is Verdict.RAN  # it is what the item has


def test_what_a_restore_leaves_is_pruned(bench: Bench) -> None:
    """Its ids have no time, but the last one is about as old as the last '~' beside them."""
    left = []
    with psycopg.connect(bench.url) as connection:
        connection.execute("DELETE FROM leeward.writes WHERE id >= 'restore-'")
        for floor in ("~00000000", "~ffffffff"):
            connection.execute(
                "INSERT INTO leeward.writes VALUES ('restore-1', true), ('zoo', true), (%s, NULL) "
                "ON CONFLICT DO NOTHING",
                (floor,),
            )
            connection.execute("SELECT leeward.prune()")
            found = connection.execute("SELECT id FROM leeward.writes WHERE id >= 'restore-'")
            left.append({id for (id,) in found})
        connection.rollback()
    assert left == [{"zoo"}, {"zoo", "restore-1", "~ffffffff"}]
    gone = store_of(TABLE, "restored", 1)._replace(write_id="restore-2")
    assert bench.settle(gone).verdict is Verdict.UNKNOWN


def test_a_write_without_an_id_is_unknown(bench: Bench) -> None:
    """A deletion of an older client has none."""
    write = Delete(TABLE, Key(("id",), ("x",)), 0.0)
    assert bench.settle(write).reason == "no_write_id"
    assert bench.plain.perform(write, SECONDS).outcome is Outcome.OK


def test_a_client_settles_what_it_does_not_know(bench: Bench) -> None:
    """By the error alone, through threads and awaited: a conditional write, a delete, an object."""
    client = Client(bench.driver)
    client.store_data(TABLE, {"id": "mine"})
    calls: list[tuple[Callable[[], object], Verdict]] = [
        (lambda: client.store_data(TABLE, {"id": "mine"}, if_absent=True), Verdict.NOT_RUN),
        (lambda: client.delete_data(TABLE, "mine", if_revision="other"), Verdict.NOT_RUN),
        (lambda: client.put_object("settled", "mine", b"x", timeout=1), Verdict.RAN),
    ]
    for call, verdict in calls:
        with bench.proxy.lose_answers(1000), pytest.raises(OutcomeUnknown) as raised:
            call()
        assert client.settle(raised.value).verdict is verdict
        assert asyncio.run(_settle(bench, raised.value)) is verdict


async def _settle(bench: Bench, error: OutcomeUnknown) -> Verdict:
    client = AsyncClient(bench.driver)
    return (await client.settle(error)).verdict


@each_row("level", ["repeatable read", "serializable"])
def test_settling_holds_at_every_level_of_isolation(server: Server, level: str) -> None:
    """Where the database's own level is another one, writes take place once or not at all."""
    option = f"-c default_transaction_isolation={level.replace(' ', chr(92) + ' ')}"
    driver = open_driver(config_for(f"{server.url}?options={quote(option)}"))
    try:
        for number in range(10):
            write = store_of(TABLE, f"{level} {number}", 1)
            calls: list[Any] = [write, SettleWrite(TABLE, write)]
            with ThreadPoolExecutor(2) as threads:
                list(threads.map(lambda call: driver.perform(call, SECONDS), calls))
            found = driver.perform(Load(TABLE, write.key), SECONDS).value
            settled: Any = driver.perform(calls[1], SECONDS).value
            assert (settled.verdict is Verdict.RAN) is (found is not None)
    finally:
        driver.close()


@pytest.mark.parametrize("provider", ["local", "postgres"])
def test_a_restore_comes_twice_and_what_was_written_before_it_is_unknown(
    server: Server, tmp_path: Path, provider: str
) -> None:
    """It brings back what a write has left, and not its id; and it is another one each time."""
    with psycopg.connect(server.url, autocommit=True) as connection:
        connection.execute(schema_sql("restored").encode())
    there = open_driver(config_for(server.url, schema="restored"))
    driver = Local(path=tmp_path / "local.sqlite3") if provider == "local" else there
    before = store_of("again", "1", 1)
    with Client(driver) as cloud:
        cloud.store_data("source", {"id": "1", "n": 1})
        backups = Backups(cloud, "source", "bucket", work=tmp_path / "work")
        backups.create()
        for mode in ("empty", "overwrite"):
            assert backups.restore(into="again", mode=mode).promise is Promise.VERIFIED
            cloud.delete_data("again", "1")
        later = before._replace(write_id=new_id(before.now + 1e6))
        for write, verdict in ((before, Verdict.UNKNOWN), (later, Verdict.NOT_RUN)):
            settled: Any = driver.perform(SettleWrite("again", write), SECONDS).value
            assert settled.verdict is verdict
    there.close()
