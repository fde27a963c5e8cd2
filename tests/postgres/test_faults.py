"""What goes wrong with a real server: killed, frozen, full, read-only, lossy."""

from __future__ import annotations

import asyncio
import os
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from typing import Any

import psycopg
import pytest

from leeward.adapter import Driver
from leeward.calls import NO_PLACE, Load, Result, SettleWrite, Store
from leeward.errors import Outcome
from leeward.values.settled import Verdict
from leeward_postgres.driver import open_driver
from leeward_postgres.schema import schema_sql
from tests.postgres.opening import SECONDS, config_for, store_of
from tests.postgres.server import PASSWORD, Server

TABLE = "faults"


@pytest.fixture
def driver(server: Server) -> Iterator[Driver]:
    """Open the target."""
    with closing(open_driver(config_for(server.url))) as driver:
        yield driver


def _is_there(driver: Driver, write: Store) -> bool:
    result = driver.perform(Load(TABLE, write.key), SECONDS)
    assert result.outcome is Outcome.OK
    return result.value is not None and result.value.revision == write.write_id


def _settle(driver: Driver, write: Store) -> Verdict:
    asked = SettleWrite(TABLE, write)
    result: Result[Any] = driver.perform(asked, SECONDS)
    assert result.value is not None
    verdict: Verdict = result.value.verdict
    return verdict


def test_a_server_that_is_killed_keeps_what_was_committed() -> None:
    """SIGKILL in the middle of writes: OK is there, proofs are true, what is unknown is settled."""
    server = Server()
    try:
        with psycopg.connect(server.url, autocommit=True) as connection:
            connection.execute(schema_sql("leeward").encode())
        with closing(open_driver(config_for(server.url))) as driver:
            for turn in range(3):
                _kill_amid_writes(server, driver, turn)
    finally:
        server.stop()


def _kill_amid_writes(server: Server, driver: Driver, turn: int) -> None:
    results: list[tuple[Store, Result[Any]]] = []
    over = threading.Event()

    def write(worker: int) -> None:
        number = 0
        while not over.is_set():
            number += 1
            store = store_of(TABLE, f"{turn}-{worker}-{number}", number)
            results.append((store, driver.perform(store, SECONDS)))

    with ThreadPoolExecutor(6) as threads, ExitStack() as stack:
        stack.callback(over.set)
        for worker in range(6):
            threads.submit(write, worker)
        _wait_until(lambda: len(results) > 20)
        server.kill()
        _wait_until(lambda: any(result.outcome is not Outcome.OK for _, result in [*results]))
    server.restart()
    outcomes = {result.outcome for _, result in results}
    assert Outcome.OK in outcomes
    assert outcomes <= {Outcome.OK, Outcome.AMBIGUOUS, Outcome.NOT_SENT}
    for store, result in results:
        if result.outcome is Outcome.AMBIGUOUS:
            verdict = _settle(driver, store)
            assert verdict in (Verdict.RAN, Verdict.NOT_RUN)
            assert _is_there(driver, store) is (verdict is Verdict.RAN)
        else:
            assert _is_there(driver, store) is (result.outcome is Outcome.OK)


def test_a_frozen_server_is_left_in_time(server: Server, driver: Driver) -> None:
    """A write that was sent is AMBIGUOUS, one without a connection NOT_SENT; both end in time."""
    first, second = store_of(TABLE, "frozen", 1), store_of(TABLE, "frozen", 2)
    assert driver.perform(store_of(TABLE, "frozen", 0), SECONDS).outcome is Outcome.OK
    with server.frozen():
        began = time.monotonic()
        sent = driver.perform(first, 0.5)
        unsent = driver.perform(second, 0.5)
        awaited = asyncio.run(_awaited(server, second))
        took = time.monotonic() - began
    assert (sent.outcome, sent.code) == (Outcome.AMBIGUOUS, "deadline")
    assert (unsent.outcome, unsent.code) == (Outcome.NOT_SENT, "deadline")
    assert (awaited.outcome, awaited.code) == (Outcome.NOT_SENT, "deadline")
    assert took < 4
    assert _is_there(driver, first) is (_settle(driver, first) is Verdict.RAN)
    assert not _is_there(driver, second)


async def _awaited(server: Server, write: Store) -> Result[Any]:
    with closing(open_driver(config_for(server.url))) as driver:
        return await driver.perform_async(write, 0.5)


def test_a_cancelled_call_gives_its_place_back(server: Server) -> None:
    """Of a pool of one, where another transaction holds what the call waits for."""

    async def cancel() -> Result[Any]:
        with closing(open_driver(config_for(server.url, pool_size=1))) as driver:
            waiting = asyncio.create_task(driver.perform_async(blocked, SECONDS))
            await asyncio.to_thread(_wait_for_lock, server)
            waiting.cancel()
            with pytest.raises(asyncio.CancelledError):
                await waiting
            return await driver.perform_async(store_of(TABLE, "other", 1), SECONDS)

    blocked = store_of(TABLE, "cancelled", 1)
    with psycopg.connect(server.url) as holder:
        _insert(holder, "cancelled")
        assert asyncio.run(cancel()).outcome is Outcome.OK


def test_a_full_pool_is_local(server: Server) -> None:
    """No place in time is a refusal of this side, for threads and on a loop alike."""
    first, second = store_of(TABLE, "full", 1), store_of(TABLE, "other", 1)

    async def both(driver: Driver) -> tuple[Result[Any], Result[Any]]:
        _insert(holder, "full")
        held = asyncio.create_task(driver.perform_async(first, SECONDS))
        await asyncio.to_thread(_wait_for_lock, server)
        refused = await driver.perform_async(second, 0.4)
        holder.rollback()
        return await held, refused

    with (
        psycopg.connect(server.url) as holder,
        closing(open_driver(config_for(server.url, pool_size=1))) as driver,
    ):
        _insert(holder, "full")
        with ThreadPoolExecutor(1) as threads:
            waiting = threads.submit(driver.perform, first, SECONDS)
            _wait_for_lock(server)
            refused = driver.perform(second, 0.4)
            holder.rollback()
            results = waiting.result(), refused
        for held, refused in (results, asyncio.run(both(driver))):
            assert held.outcome is Outcome.OK
            assert (refused.outcome, refused.reason) == (Outcome.LOCAL, NO_PLACE)
            assert refused.waited > 0.3


def test_a_held_item_is_a_refusal_that_ran_nothing(server: Server, driver: Driver) -> None:
    """A statement waits for a lock no longer than its call, and proves that it did not run."""
    write = store_of(TABLE, "held", 1)
    with psycopg.connect(server.url) as holder:
        _insert(holder, "held")
        result = driver.perform(write, 0.7)
    assert (result.outcome, result.code, result.reason) == (Outcome.REJECTED, "55P03", "busy")
    assert not _is_there(driver, write)


def test_a_session_that_the_server_ends_is_noticed(server: Server, driver: Driver) -> None:
    """While idle: the next call has another one. In the middle of a write: AMBIGUOUS."""
    assert driver.perform(store_of(TABLE, "ended", 1), SECONDS).outcome is Outcome.OK
    _terminate(server)
    assert driver.perform(store_of(TABLE, "ended", 2), SECONDS).outcome is Outcome.OK
    with psycopg.connect(server.url, application_name="holder") as holder:
        _insert(holder, "ended")
        with ThreadPoolExecutor(1) as threads:
            waiting = threads.submit(driver.perform, store_of(TABLE, "ended", 3), SECONDS)
            _wait_for_lock(server)
            _terminate(server)
            result = waiting.result()
    assert (result.outcome, result.code) == (Outcome.AMBIGUOUS, "57P01")


def test_a_role_with_too_many_connections_is_rejected(server: Server) -> None:
    """As the server says it; nothing was sent."""
    _sql(server, "CREATE ROLE few LOGIN CONNECTION LIMIT 0")
    with closing(open_driver(config_for(server.url.replace("leeward@", "few@")))) as driver:
        result = driver.perform(store_of(TABLE, "few", 1), SECONDS)
    assert (result.outcome, result.code) == (Outcome.REJECTED, "53300")


def test_a_wrong_password_is_auth_and_is_shown_nowhere(server: Server) -> None:
    """Neither is it in what the result says, nor in its cause."""
    for password, outcome in ((f"no{PASSWORD}", Outcome.AUTH), (PASSWORD, Outcome.AUTH)):
        url = server.url.replace("leeward@", f"locked:{password}@")
        with closing(open_driver(config_for(url))) as driver:
            result = driver.perform(store_of(TABLE, "locked", 1), SECONDS)
            told = [repr(driver), repr(result), str(result.cause), repr(vars(result.cause))]
            told += [repr(driver.describe()), repr(result.cause.pgconn)]  # type: ignore[union-attr]
        # The right one opens a session, whose role may use nothing of the schema.
        assert result.outcome is outcome
        assert [each for each in told if PASSWORD in each] == []


def test_a_server_that_takes_no_writes_is_unusable(server: Server) -> None:
    """A standby, or a primary that was demoted: no call is made there, reads neither."""
    _sql(server, "CREATE ROLE reader LOGIN IN ROLE pg_read_all_data")
    _sql(server, "ALTER ROLE reader SET default_transaction_read_only = on")
    with closing(open_driver(config_for(server.url.replace("leeward@", "reader@")))) as driver:
        result = driver.perform(store_of(TABLE, "reader", 1), SECONDS)
    assert (result.outcome, result.reason) == (Outcome.UNUSABLE, "read_only")


def test_a_demoted_primary_is_unusable(server: Server, driver: Driver) -> None:
    """A session that was opened before; its next writes go elsewhere."""
    assert _write(driver, 1).outcome is Outcome.OK
    _sql(server, "ALTER SYSTEM SET default_transaction_read_only = on", "SELECT pg_reload_conf()")
    try:
        _wait_until(lambda: _write(driver, 2).outcome is not Outcome.OK)
        result = _write(driver, 2)
    finally:
        _sql(
            server,
            "SET default_transaction_read_only = off",
            "ALTER SYSTEM RESET default_transaction_read_only",
            "SELECT pg_reload_conf()",
        )
    assert (result.outcome, result.code) == (Outcome.UNUSABLE, "25006")
    _wait_until(lambda: _write(driver, 3).outcome is Outcome.OK)


def _write(driver: Driver, n: int) -> Result[Any]:
    return driver.perform(store_of(TABLE, "demoted", n), SECONDS)


def test_a_server_that_may_lose_commits_is_unusable(server: Server) -> None:
    """COMMITTED would not be true there."""
    _sql(server, "CREATE ROLE hasty LOGIN SUPERUSER")
    _sql(server, "ALTER ROLE hasty SET synchronous_commit = off")
    with closing(open_driver(config_for(server.url.replace("leeward@", "hasty@")))) as driver:
        result = driver.perform(store_of(TABLE, "hasty", 1), SECONDS)
    assert (result.outcome, result.reason) == (Outcome.UNUSABLE, "not_durable")
    assert "synchronous_commit = off" in str(result.message)


def test_no_schema_is_unusable_with_the_remedy(server: Server) -> None:
    """The message names the command."""
    with closing(open_driver(config_for(server.url, schema="elsewhere"))) as driver:
        result = driver.perform(store_of(TABLE, "x", 1), SECONDS)
    assert (result.outcome, result.reason) == (Outcome.UNUSABLE, "schema")
    assert "leeward postgres schema --apply" in str(result.message)


def test_a_schema_of_another_version_is_refused_or_goes_on(server: Server) -> None:
    """A newer one that serves this client goes on; one that does not, and an older one, do not."""
    _sql(server, schema_sql("versions"))
    for version, oldest, outcome, words in (
        (7, 1, Outcome.OK, ""),
        (7, 6, Outcome.UNUSABLE, "upgrade leeward-postgres"),
        (0, 0, Outcome.UNUSABLE, "leeward postgres schema --apply"),
    ):
        _sql(server, f"UPDATE versions.version SET version = {version}, oldest = {oldest}")
        with closing(open_driver(config_for(server.url, schema="versions"))) as driver:
            result = driver.perform(store_of(TABLE, "x", 1), SECONDS)
        assert result.outcome is outcome
        assert words in str(result.message)
    _sql(server, schema_sql("versions"))
    with closing(open_driver(config_for(server.url, schema="versions"))) as driver:
        assert driver.perform(store_of(TABLE, "x", 2), SECONDS).outcome is Outcome.OK


def test_a_child_process_leaves_the_connections_to_its_parent(
    server: Server, driver: Driver
) -> None:
    """After a fork both write, each on connections of its own."""
    assert driver.perform(store_of(TABLE, "fork", 1), SECONDS).outcome is Outcome.OK
    child = os.fork()
    if child == 0:
        result = driver.perform(store_of(TABLE, "fork", 2), SECONDS)
        os._exit(0 if result.outcome is Outcome.OK else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert driver.perform(store_of(TABLE, "fork", 3), SECONDS).outcome is Outcome.OK
    assert server.port


def _insert(holder: psycopg.Connection[Any], key: str) -> None:
    holder.execute(
        "INSERT INTO leeward.items (name, key, item) VALUES (%s, %s, '{}') "
        "ON CONFLICT (name, key) DO UPDATE SET item = '{}'",
        (TABLE, [key]),
    )


def _terminate(server: Server) -> None:
    _sql(
        server,
        "SELECT pg_terminate_backend(pid, 20000) FROM pg_stat_activity "
        "WHERE application_name = 'leeward'",
    )


def _wait_for_lock(server: Server) -> None:
    """Wait until a call waits for what another transaction holds."""
    waits = (
        "SELECT FROM pg_stat_activity "
        "WHERE application_name = 'leeward' AND wait_event_type = 'Lock'"
    )
    with psycopg.connect(server.url, autocommit=True) as connection:
        _wait_until(lambda: connection.execute(waits).fetchone() is not None)


def _wait_until(is_so: Callable[[], bool]) -> None:
    until = time.monotonic() + 30
    while not is_so():
        assert time.monotonic() < until
        time.sleep(0.01)


def _sql(server: Server, *statements: str) -> None:
    with psycopg.connect(server.url, autocommit=True) as connection:
        for each in statements:
            connection.execute(each.encode())
