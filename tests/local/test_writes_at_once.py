"""Writes of many threads share a commit; what is said of one of them is true of it alone."""

from __future__ import annotations

import sqlite3
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress
from functools import partial
from pathlib import Path
from queue import Empty, SimpleQueue
from types import FrameType
from typing import Any

import pytest

from leeward._sqlite.commits import SharedWrites
from leeward._sqlite.database import Database, Schema
from leeward._sqlite.errors import fault_at_end
from leeward.errors import Outcome
from leeward.leases.faults import DatabaseFault
from leeward.local import Local
from tests.local.calls import PATIENT, child, key, load, store, value_of

SCHEMA = Schema(0x4C771235, 1, ("CREATE TABLE notes (text TEXT)",))
NAMES = [f"note-{number}" for number in range(8)]

Change = Callable[[sqlite3.Connection], object]


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    """Open a database with a table."""
    database = Database(tmp_path / "notes", SCHEMA)
    yield database
    database.close()


@contextmanager
def sharing(
    database: Database, changes: Sequence[Change], timeouts: Sequence[float]
) -> Iterator[list[Future[Any]]]:
    """Let changes wait behind one that waits for the database; they go on after the block."""
    writes = SharedWrites(database)
    with database.read(PATIENT) as connection:
        connection.execute("SELECT 1")
    with ThreadPoolExecutor(len(changes) + 1) as threads:
        assert database.hold()
        first = threads.submit(writes.apply, lambda _: None, PATIENT)
        _wait_until(lambda: writes._writer is not None and not writes._waiting)
        futures = []
        for number, (change, timeout) in enumerate(zip(changes, timeouts, strict=True), 1):
            futures.append(threads.submit(writes.apply, change, timeout))
            _wait_until(partial(_has_waiting, writes, number))
        try:
            yield futures
        finally:
            database.release()
        first.result(PATIENT)


def _has_waiting(writes: SharedWrites, number: int) -> bool:
    return len(writes._waiting) == number


def _wait_until(holds: Callable[[], bool]) -> None:
    until = time.monotonic() + PATIENT
    while not holds():
        assert time.monotonic() < until
        time.sleep(0.001)


def _add(name: str) -> Change:
    def add(connection: sqlite3.Connection) -> str:
        connection.execute("INSERT INTO notes VALUES (?)", (name,))
        return name

    return add


def _notes(database: Database) -> list[str]:
    with database.read(PATIENT) as connection:
        return [row[0] for row in connection.execute("SELECT text FROM notes ORDER BY text")]


@pytest.mark.parametrize("at", [("write", "acquire"), ("make", "__exit__")])
def test_an_interrupt_stops_nobody_else(database: Database, at: tuple[str, str]) -> None:
    """Not even one that strikes when the database, or the turn to write, has just been acquired."""

    def strike(frame: FrameType, event: str, what: Any) -> None:
        if event == "c_return" and (frame.f_code.co_name, what.__name__) == at:
            sys.setprofile(None)
            raise KeyboardInterrupt

    writes = SharedWrites(database)
    sys.setprofile(strike)
    try:
        with suppress(KeyboardInterrupt):
            writes.apply(_add("lost"), PATIENT)
    finally:
        sys.setprofile(None)
    if database._lock.locked():
        database.release()
        pytest.fail("the interrupt has left the database locked")
    with ThreadPoolExecutor(1) as threads:
        threads.submit(writes.apply, _add("next"), 0.5).result(PATIENT)


@pytest.mark.parametrize("at", ["_give_turn", "put"])
def test_an_interrupt_at_the_end_of_a_write_leaves_nobody_waiting(
    database: Database, at: str
) -> None:
    """Neither those whose writes it has made, nor whoever comes next."""

    def strike(frame: FrameType, event: str, what: Any) -> None:
        name = what.__name__ if event.startswith("c_") else frame.f_code.co_name
        if name == at and event in ("call", "c_return"):
            sys.setprofile(None)
            raise KeyboardInterrupt

    def write_last(_: sqlite3.Connection) -> None:
        behind.append(threads.submit(writes.apply, _add("behind"), PATIENT))
        _wait_until(partial(_has_waiting, writes, 1))
        sys.setprofile(strike)

    writes, behind = SharedWrites(database), list[Future[Any]]()
    with ThreadPoolExecutor(2) as threads:
        try:
            with suppress(KeyboardInterrupt):
                writes.apply(write_last, PATIENT)
        finally:
            sys.setprofile(None)
        behind.append(threads.submit(writes.apply, _add("next"), PATIENT))
        done = [future.result(PATIENT) for future in behind]
    assert done == ["behind", "next"]


def _count_commits(database: Database, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    commit, commits = database._commit, [0]

    def count(connection: sqlite3.Connection) -> None:
        commits[0] += 1
        commit(connection)

    monkeypatch.setattr(database, "_commit", count)
    return commits


def test_writes_that_wait_share_a_commit(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One for the first, one for all the others; each thread gets its own result."""
    commits = _count_commits(database, monkeypatch)
    with sharing(database, [_add(name) for name in NAMES], [PATIENT] * 8) as futures:
        pass
    assert [future.result(PATIENT) for future in futures] == NAMES
    assert (commits, _notes(database)) == ([2], NAMES)


def test_a_write_that_fails_takes_no_other_with_it(database: Database) -> None:
    """It alone raises, whether SQLite refuses it or its own code."""

    def refuse(connection: sqlite3.Connection) -> None:
        connection.execute("INSERT INTO notes VALUES ('half')")
        connection.execute("INSERT INTO nowhere VALUES (1)")

    def fail(connection: sqlite3.Connection) -> None:
        connection.execute("INSERT INTO notes VALUES ('half')")
        raise ValueError("of this change")

    changes = [*(_add(name) for name in NAMES), refuse, fail]
    with sharing(database, changes, [PATIENT] * 10) as futures:
        pass
    assert [future.result(PATIENT) for future in futures[:8]] == NAMES
    with pytest.raises(DatabaseFault) as raised:
        futures[8].result(PATIENT)
    assert raised.value.outcome is Outcome.UNUSABLE
    with pytest.raises(ValueError, match="of this change"):
        futures[9].result(PATIENT)
    assert _notes(database) == NAMES


@pytest.mark.parametrize("lands", [True, False])
def test_a_commit_that_fails_is_ambiguous_for_all(
    database: Database, monkeypatch: pytest.MonkeyPatch, lands: bool
) -> None:
    """Nobody knows what is on the disk, so none of them is made again."""
    commit = database._commit

    def fail(connection: sqlite3.Connection) -> None:
        (notes,) = connection.execute("SELECT count(*) FROM notes").fetchone()
        if lands or not notes:
            commit(connection)
        else:
            connection.execute("ROLLBACK")
        if notes:
            raise fault_at_end(sqlite3.OperationalError("disk I/O error"))

    monkeypatch.setattr(database, "_commit", fail)
    with sharing(database, [_add(name) for name in NAMES], [PATIENT] * 8) as futures:
        pass
    for future in futures:
        with pytest.raises(DatabaseFault) as raised:
            future.result(PATIENT)
        assert raised.value.outcome is Outcome.AMBIGUOUS
    monkeypatch.undo()
    assert _notes(database) == (NAMES if lands else [])


def test_a_write_whose_time_is_over_is_refused(database: Database) -> None:
    """While others keep the database busy; it is not written later."""
    changes, timeouts = [_add("late"), _add("kept")], [0.05, PATIENT]
    with sharing(database, changes, timeouts) as (late, kept):
        with pytest.raises(DatabaseFault) as raised:
            late.result(PATIENT)
        assert (raised.value.outcome, raised.value.reason) == (Outcome.REJECTED, "busy")
    assert kept.result(PATIENT) == "kept"
    assert _notes(database) == ["kept"]


def test_a_write_that_is_under_way_is_waited_for(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its time ends while another thread makes it: it says what has become of it."""
    is_under_way = threading.Event()

    class Turn(SimpleQueue[None]):
        def get(self, *_: Any, timeout: float | None = None) -> None:
            if timeout == 1.0:
                assert is_under_way.wait(PATIENT)
                raise Empty
            super().get(timeout=timeout)

    monkeypatch.setattr("leeward.leases.batches.SimpleQueue", Turn)
    changes: list[Change] = [lambda _: is_under_way.set(), _add("made")]
    with sharing(database, changes, [PATIENT, 1.0]) as (_, made):
        pass
    assert made.result(PATIENT) == "made"
    assert _notes(database) == ["made"]


def test_who_has_little_time_takes_none_from_the_others(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another process keeps the file locked for longer than one of them may wait."""
    commit = database._commit
    with closing(
        sqlite3.connect(str(database), isolation_level=None, check_same_thread=False)
    ) as other:

        def commit_and_lock(connection: sqlite3.Connection) -> None:
            commit(connection)
            monkeypatch.undo()
            other.execute("BEGIN EXCLUSIVE")

        monkeypatch.setattr(database, "_commit", commit_and_lock)
        with sharing(database, [_add("late"), _add("kept")], [1.0, PATIENT]) as (late, kept):
            late.add_done_callback(lambda _: other.execute("ROLLBACK"))
        with pytest.raises(DatabaseFault) as raised:
            late.result(PATIENT)
        assert (raised.value.outcome, raised.value.reason) == (Outcome.REJECTED, "busy")
        assert kept.result(PATIENT) == "kept"
    assert _notes(database) == ["kept"]


WRITERS = """
import os, threading
from tests.local.calls import key
cloud = Local(path=sys.argv[1])
def write(worker):
    for number in range(1000000):
        name = f"{worker}-{number}"
        value_of(cloud.perform(store({"n": number}, key(name)), 60))
        os.write(1, f"{name}\\n".encode())
for worker in range(8):
    threading.Thread(target=write, args=(worker,), daemon=True).start()
threading.Event().wait()
"""


def test_a_kill_loses_nothing_of_many_writers(tmp_path: Path) -> None:
    """Whatever step a shared commit is at, each acknowledged item is there."""
    path = tmp_path / "items"
    names: list[str] = []
    for least in (1, 20, 50):
        with child(WRITERS, str(path)) as process:
            names += [process.line() for _ in range(least)]
            process.kill()
            assert process.process.stdout is not None
            names += process.process.stdout.read().decode().split("\n")[:-1]
        with closing(Local(path=path)) as cloud:
            missing = [
                name for name in names if value_of(cloud.perform(load(key(name)), 60)) is None
            ]
        assert missing == []


def test_first_items_of_one_key_have_one_winner(tmp_path: Path) -> None:
    """In one transaction or in several."""
    with closing(Local(path=tmp_path / "items")) as cloud, ThreadPoolExecutor(8) as threads:
        for number in range(10):
            calls = [store({"by": by}, key(f"{number}"), if_absent=True) for by in range(8)]
            results = list(threads.map(lambda call: cloud.perform(call, PATIENT), calls))
            outcomes = sorted(result.outcome.name for result in results)
            assert outcomes == ["CONFLICT"] * 7 + ["OK"]
            winner = next(result.value for result in results if result.outcome is Outcome.OK)
            assert value_of(cloud.perform(load(key(f"{number}")), PATIENT)).revision == winner
