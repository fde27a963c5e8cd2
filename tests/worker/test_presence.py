"""Rows that another process works for are left to it."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event

import pytest

from leeward._delivery.dispatcher import Dispatcher
from leeward._sqlite.database import FilePresence
from leeward.app import App
from leeward.leases.rules import Room
from leeward.local import Local
from leeward.stores import QUEUED_CALL, NewRow, Recipient
from tests.worker.places import until

HOLD = """
import sys
from pathlib import Path
from leeward._sqlite.database import FilePresence
FilePresence(Path(sys.argv[1])).hold("shop")
print("held", flush=True)
sys.stdin.read()
"""

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="nobody holds a lock there")


@contextmanager
def _other_process(path: Path) -> Iterator[None]:
    """Work for the app elsewhere."""
    command = [sys.executable, "-c", HOLD, str(path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"held\n"
        yield
        other.kill()


def test_a_process_is_seen_in_a_folder_that_was_not_there(tmp_path: Path) -> None:
    """The lock is the first that is written there."""
    path = tmp_path / ".leeward" / "local.sqlite3"
    with _other_process(path):
        assert FilePresence(path).is_held("shop")
        assert path.parent.stat().st_mode & 0o777 == 0o700
    assert not FilePresence(path).is_held("shop")


def test_a_command_beside_a_worker_takes_nothing(tmp_path: Path) -> None:
    """However many rows come while it has the app open."""
    tmp_path.chmod(0o700)
    path, app, seen = tmp_path / "shop.sqlite3", App("shop"), list[int]()
    app.on_message("parcels", name="send")(seen.append)
    with _other_process(path):
        command = Local(path=path)
        command.mount(app)
        command._runner.leave_to_others()
        command._runner.accept([_row(number) for number in range(12)], 10.0)
        time.sleep(0.2)
        command.close()
    assert seen == []
    with_time = Local(path=path)
    taken = with_time._stores.deliveries.take([_row(0).recipient], time.time, Room(99, 99))
    with_time.close()
    assert len(taken.rows) == 12


def test_what_a_paused_process_has_no_time_for_is_due_at_once(tmp_path: Path) -> None:
    """Closing waits until it is handed back, and not for attempts."""
    tmp_path.chmod(0o700)
    path, app, go, begun = tmp_path / "shop.sqlite3", App("shop"), Event(), list[int]()

    @app.on_message("parcels")
    def hang(number: int) -> None:
        begun.append(number)
        go.wait(30)

    local = Local(path=path)
    local.mount(app)
    (dispatcher,) = local._runner._dispatchers.values()
    assert isinstance(dispatcher, Dispatcher)
    dispatcher._attempts._seconds = 0.001  # so rows are leased ahead
    local._runner.accept([_row(number) for number in range(40)], 10.0)
    until(lambda: len(begun) == 8 and dispatcher._attempts.has_waiting())
    local._runner.pause()
    at = time.monotonic()
    local.close()
    assert time.monotonic() - at < 1.5, "it does not wait for those that hang"
    go.set()
    with_time = Local(path=path)
    taken = with_time._stores.deliveries.take([_row(0).recipient], time.time, Room(99, 99))
    with_time.close()
    assert len(taken.rows) == 32


def _row(number: int) -> NewRow:
    return NewRow(Recipient(QUEUED_CALL, "parcels"), None, str(number), str(number))
