"""Transactions of many threads in one, where a thread gives up waiting."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from leeward._sqlite.commits import Commits
from leeward._sqlite.database import Database, Schema

SCHEMA = Schema(0x4C771234, 1, ("CREATE TABLE notes (text TEXT)",))


@pytest.fixture
def interruptible() -> Iterator[None]:
    """Let SIGINT interrupt; a job in the background ignores it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("interruptible")
def test_a_thread_that_is_interrupted_while_it_waits_holds_up_nobody() -> None:
    """Ctrl-C ends its wait; its change is not made, and those of others are."""
    database = Database(None, SCHEMA)
    commits = Commits(database, 20.0)
    held, go_on = threading.Event(), threading.Event()
    main = threading.main_thread().ident
    assert main is not None

    def slow(_: Any) -> None:
        held.set()
        assert go_on.wait(20)

    def interrupt() -> None:
        while not commits._waiting:
            threading.Event().wait(0.001)
        threading.Event().wait(0.05)  # it has begun to wait by then
        signal.pthread_kill(main, signal.SIGINT)

    first = threading.Thread(target=commits.apply, args=(slow,), daemon=True)
    first.start()
    assert held.wait(20)
    threading.Thread(target=interrupt, daemon=True).start()
    with pytest.raises(KeyboardInterrupt):
        commits.apply(lambda connection: connection.execute("INSERT INTO notes VALUES ('lost')"))
    go_on.set()
    first.join(20)
    insert = "INSERT INTO notes VALUES ('kept')"
    last = threading.Thread(
        target=commits.apply, args=(lambda connection: connection.execute(insert),), daemon=True
    )
    last.start()
    last.join(5)
    assert not last.is_alive()
    with database.read(5.0) as connection:
        assert connection.execute("SELECT text FROM notes").fetchall() == [("kept",)]
    database.close()


def test_the_child_of_a_fork_waits_for_no_thread_of_its_parent() -> None:
    """A thread that commits, or is about to, is not there in the child."""
    database = Database(None, SCHEMA)
    commits = Commits(database, 20.0)
    assert database.hold()  # as a fork does: the one that commits waits for its end
    parents = threading.Thread(target=commits.apply, args=(lambda _: None,), daemon=True)
    parents.start()
    while commits._writer is None or commits._waiting:
        threading.Event().wait(0.001)
    parents_lock = database._lock
    for each in (database, commits):
        each.renew(held=True)
    child = threading.Thread(target=commits.apply, args=(lambda _: None,), daemon=True)
    child.start()
    child.join(5)
    assert not child.is_alive()
    parents_lock.release()
    parents.join(20)
