"""``leeward scheduler run``: each time once, made up for, and told."""

from __future__ import annotations

import json
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from leeward._delivery.schedules import Due
from leeward.app.handlers import Handler
from leeward.app.triggers import Kind
from leeward.cli.commands import scheduler
from leeward.cli.commands.scheduler import ScheduleChange, ScheduleReport, changes_of
from leeward.errors import LeewardError
from leeward.local.driver import Local
from leeward.stores import QUEUED_CALL, SCHEDULE, AttemptFailure, DeadRow, Recipient
from tests.cli.conftest import Leeward

MODULE = """
from leeward import App

app = App("shop")

@app.on_schedule("0 0 29 2 *")
def sweep(time):
    print("swept")

@app.on_schedule("0 0 29 2 *", retries=0)
def bill(time):
    raise KeyError("card 4711")
"""
CONFIG = """
[targets.local]
app = "nightly:app"
"""
INTERRUPTIBLE = """
import runpy, signal
signal.signal(signal.SIGINT, signal.default_int_handler)  # a background job ignores it
runpy.run_module("leeward", run_name="__main__", alter_sys=True)
"""
MIDNIGHT = datetime(2026, 1, 31, tzinfo=UTC)


@pytest.fixture
def shop(bare: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Write a module with an app and its schedules, and the configuration that names it."""
    (bare / "nightly.py").write_text(MODULE)
    (bare / "leeward.toml").write_text(CONFIG)
    bare.chmod(0o700)
    monkeypatch.syspath_prepend(str(bare))
    yield bare
    sys.modules.pop("nightly", None)


def put_back(shop: Path, name: str) -> None:
    """Let the last run of a schedule be long ago."""
    local = Local(path=shop / ".leeward" / "local.sqlite3")
    with local._database.write(5.0) as connection:
        connection.execute("UPDATE series SET last = 1.0 WHERE name = ?", (f"schedule {name}",))
    local.close()


def test_what_is_due_is_run_once(leeward: Leeward, shop: Path) -> None:
    """The first look begins now; what came due since is run for its last time, and never again."""
    first = leeward("scheduler", "run", "--once")
    assert (first.code, first.out) == (0, "")
    assert "Nothing was due." in first.err
    put_back(shop, "sweep")
    done = leeward("scheduler", "run", "--once", "--json")
    assert done.code == 0
    (told,) = json.loads(done.out)["runs"]
    assert (told["name"], told["state"], told["error"]) == ("sweep", "done", None)
    assert datetime.fromisoformat(told["time"]).hour == 0
    assert json.loads(leeward("scheduler", "run", "--once", "--json").out) == {"runs": []}


def test_a_run_that_is_given_up_ends_with_a_code(leeward: Leeward, shop: Path) -> None:
    """By the class of its error; its text is not told."""
    leeward("scheduler", "run", "--once")
    put_back(shop, "bill")
    done = leeward("scheduler", "run", "--once")
    assert done.code == 6
    assert done.out.endswith("given up: KeyError\n")
    assert "4711" not in done.out


def test_what_cannot_be_run_is_refused(leeward: Leeward, bare: Path) -> None:
    """An order of clouds, and an app without schedules."""
    clouds = leeward("scheduler", "run", "--targets", "aws:eu-west-1")
    assert clouds.code == 2
    assert "clouds have schedules of their own" in clouds.err
    empty = leeward("scheduler", "run", "--once")
    assert empty.code == 2
    assert "decorate a function with @app.on_schedule" in empty.err


def test_it_runs_until_it_is_interrupted(shop: Path) -> None:
    """It shows what there is first, one line for each change, and ends well."""
    command = [sys.executable, "-c", INTERRUPTIBLE, "scheduler", "run"]
    with subprocess.Popen(command, cwd=shop, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            lines = [" ".join(process.stdout.readline().split()) for _ in range(3)]
            process.send_signal(signal.SIGINT)
            rest, _ = process.communicate(timeout=30)
        finally:
            process.kill()
    assert lines[0] == "NAME SCHEDULE NEXT"
    assert lines[1].startswith("sweep 0 0 29 2 * ")
    assert (process.returncode, rest) == (0, "")


def test_it_outlives_a_lock_of_the_database(monkeypatch: pytest.MonkeyPatch) -> None:
    """Another process may keep it for long: a scheduler that ends then runs nothing any more."""
    locked = sqlite3.OperationalError("database is locked")
    locked.sqlite_errorcode = sqlite3.SQLITE_BUSY
    causes: list[Exception | None] = [locked, None]

    def look(*_: object) -> ScheduleReport:
        raise LeewardError("the database was not changed") from causes.pop(0)

    monkeypatch.setattr(scheduler, "_look", look)
    given: Any = None
    seen = ScheduleReport((), ())
    assert scheduler._look_again(given, given, seen) is seen
    with pytest.raises(LeewardError):
        scheduler._look_again(given, given, seen)


def test_changes_are_told_schedule_by_schedule() -> None:
    """Due, done and given up, what another process has kept, and a call that a run has queued."""

    def due(last: datetime | None, waiting: int) -> Due:
        handler = Handler("sweep", Kind.SCHEDULE, print, prepare=lambda: False)
        return Due(handler, MIDNIGHT + timedelta(days=1), last, waiting)

    swept, rest = Recipient(SCHEDULE, "sweep"), Recipient(QUEUED_CALL, "sweep-rest")
    letter = DeadRow(1, swept, None, 5, AttemptFailure("KeyError"))
    queued = DeadRow(2, rest, None, 5, AttemptFailure("BackupError"))
    given_up = ScheduleChange("sweep-rest", "given up", None, "BackupError")
    cases = [
        (due(None, 0), due(None, 0), (), []),
        (due(None, 0), due(MIDNIGHT, 1), (), [ScheduleChange("sweep", "due", MIDNIGHT)]),
        (due(MIDNIGHT, 1), due(MIDNIGHT, 0), (), [ScheduleChange("sweep", "done", MIDNIGHT)]),
        (
            due(None, 0),
            due(MIDNIGHT, 0),
            (),
            [ScheduleChange("sweep", "due", MIDNIGHT), ScheduleChange("sweep", "done", MIDNIGHT)],
        ),
        (due(None, 1), due(None, 0), (), [ScheduleChange("sweep", "done", None)]),
        (
            due(MIDNIGHT, 1),
            due(MIDNIGHT, 0),
            (letter,),
            [ScheduleChange("sweep", "given up", MIDNIGHT, "KeyError")],
        ),
        (
            due(MIDNIGHT, 1),
            due(MIDNIGHT, 0),
            (queued,),
            [ScheduleChange("sweep", "done", MIDNIGHT), given_up],
        ),
    ]
    for before, after, letters, told in cases:
        assert changes_of(ScheduleReport((before,), ()), ScheduleReport((after,), letters)) == told
        assert (
            changes_of(ScheduleReport((after,), letters), ScheduleReport((after,), letters)) == []
        )
