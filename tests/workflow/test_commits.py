"""Transactions of many threads in one, where a thread gives up waiting."""

from __future__ import annotations

import signal
import threading
from pathlib import Path
from typing import Any

import pytest

from leeward.sqlite.database import Database
from leeward.sqlite.schema import Schema
from leeward.workflow.commits import Commits

SCHEMA = Schema(0x4C771234, 1, ("CREATE TABLE notes (text TEXT)",))


def test_a_thread_that_is_interrupted_while_it_waits_holds_up_nobody(tmp_path: Path) -> None:
    """Ctrl-C ends its wait; its change is not made, and those of others are."""
    tmp_path.chmod(0o700)
    database = Database(tmp_path / "d.sqlite3", SCHEMA)
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
