"""How soon workers have what others send, and what an idle worker asks."""

from __future__ import annotations

import time
from contextlib import closing
from queue import SimpleQueue
from statistics import median
from threading import enumerate as threads
from typing import Any

import psycopg
import pytest

from leeward.calls import Enqueue
from leeward.clock import SystemClock
from leeward.entropy import new_id
from leeward_contract_tests.rows import each_row
from leeward_postgres import hints
from leeward_postgres.connections import Session
from leeward_postgres.driver import open_driver
from leeward_postgres.schema import schema_sql
from leeward_postgres.statements import Statement
from tests.postgres.journals import journal_at
from tests.postgres.opening import SECONDS, config_for
from tests.postgres.server import Server
from tests.postgres.wakes import SCHEMA, measure_wakes, working
from tests.workflow.journals import one

POLLED = 0.5
"""Seconds that a message waits for a look each second, on average."""


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return the statements that this process sends."""
    statements: list[str] = []
    send = Session.send

    def note(self: Session, statement: Statement) -> Any:
        statements.append(statement.sql)
        return send(self, statement)

    monkeypatch.setattr(Session, "send", note)
    return statements


@each_row("queues", (1, 100))
def test_an_idle_worker_asks_once_a_second(server: Server, sent: list[str], queues: int) -> None:
    """However many queues it has with attempts of their own, and though it has a workflow."""
    with working(server.url, queues, lambda _: None):
        until = time.monotonic() + 3 * SECONDS
        while True:  # a busy machine starts it late
            sent.clear()
            time.sleep(4)
            if 2 <= len(sent) <= 6 or time.monotonic() > until:
                break
        assert 2 <= len(sent) <= 6


def test_a_message_of_another_process_comes_at_once(server: Server) -> None:
    """`python -m tests.postgres.wakes` measures it: in 30 ms, as a median, on a machine alone."""
    assert median(measure_wakes(server.url, 11)) < POLLED / 4


def _enqueue(url: str, times: int) -> None:
    with closing(open_driver(config_for(url, schema=SCHEMA))) as driver:
        for _ in range(times):
            body = f'{{"sent": {time.monotonic()}}}'.encode()
            driver.perform(Enqueue("queue-0", body, new_id(time.time())), SECONDS)


def test_behind_a_pooler_looks_find_what_comes(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Which gives each transaction another session: nobody listens there."""
    monkeypatch.setattr(hints, "_keeps_session", lambda _: False)
    heard: SimpleQueue[float] = SimpleQueue()
    with working(server.url, 2, heard.put):
        _enqueue(server.url, 3)
        assert [heard.get(timeout=SECONDS) for _ in range(3)]


def test_a_connection_that_hints_come_by_may_be_lost(server: Server) -> None:
    """Looks find everything meanwhile, and it is opened again."""
    heard: SimpleQueue[float] = SimpleQueue()
    before = {each for each in threads() if each.name == "leeward-hints"}
    ended = (
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query ILIKE 'LISTEN%wakes%'"
    )
    with (
        psycopg.connect(server.url, autocommit=True) as admin,
        working(server.url, 2, heard.put),
    ):
        assert admin.execute(ended).fetchall() == [(True,)]
        _enqueue(server.url, 1)
        assert heard.get(timeout=SECONDS)
        until = time.monotonic() + SECONDS
        while not admin.execute(ended.replace("pg_terminate_backend(pid)", "pid")).fetchall():
            assert time.monotonic() < until
            time.sleep(0.1)
    assert {each for each in threads() if each.name == "leeward-hints"} <= before


def test_no_commit_of_a_call_notifies() -> None:
    """It would wait for every other commit that does."""
    assert "notify" not in schema_sql("leeward").lower()


def test_who_has_nothing_to_do_looks_for_no_run(server: Server, sent: list[str]) -> None:
    """A run that somebody adds ends that, in this process or another one."""
    with psycopg.connect(server.url, autocommit=True) as admin:
        admin.execute("DELETE FROM leeward.runs")
    ours, theirs = journal_at(server.url), journal_at(server.url)
    try:
        assert ours.quiet() > 0
        assert theirs.quiet() > 0
        theirs.add(one, "r", None, SystemClock().now(), None)
        assert theirs.quiet() == 0.0
        until = time.monotonic() + SECONDS
        while ours.quiet() > 0:
            assert time.monotonic() < until
            time.sleep(0.05)
    finally:
        ours.close()
        theirs.close()
