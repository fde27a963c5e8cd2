import errno
import os
import sqlite3
import stat
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from leeward import App
from leeward._sqlite import database
from leeward.calls import Call
from leeward.errors import ConfigError, Outcome
from leeward.local import Local
from leeward.local.schema import SCHEMA
from tests.local.calls import PATIENT, dispatcher_of, event, load, publish, store, value_of

Opener = Callable[..., Local]


@pytest.fixture(autouse=True)
def _generous_umask() -> object:
    """Let nothing but leeward narrow the rights of a new file."""
    before = os.umask(0)
    yield
    os.umask(before)


def mode(path: Path) -> int:
    """Give the permission bits."""
    return stat.S_IMODE(path.stat().st_mode)


def test_only_the_user_may_read_the_data(opened: Opener, path: Path) -> None:
    """The directory is 0700; the file and its journal are 0600."""
    value_of(opened(path=path).perform(store(), 5))
    assert mode(path.parent) == 0o700
    assert [mode(each) for each in path.parent.iterdir()] == [0o600, 0o600]


def test_nothing_is_made_before_the_first_call(opened: Opener, path: Path) -> None:
    """Opening, registering and describing leave no trace."""
    cloud = opened(path=path)
    cloud.function("f")(print)
    cloud.subscribe("orders")(print)
    cloud.describe()
    cloud.close()
    assert not path.parent.exists()


def test_files_that_cannot_be_trusted_are_refused(opened: Opener, path: Path) -> None:
    """When the target is made; and by its calls, if they have come since."""
    path.parent.mkdir(mode=0o700)
    late = opened(path=path)
    path.symlink_to("elsewhere")
    with pytest.raises(ConfigError, match="symbolic link"):
        opened(path=path)
    with pytest.raises(ConfigError, match="symbolic link"):
        late.perform(store(), 5)
    assert not (path.parent / "elsewhere").exists()


@pytest.mark.parametrize("name", ["shop.sqlite3", "/data/shop", Path("./s.db")])
def test_a_file_in_the_place_of_a_name_is_refused(name: Any) -> None:
    """Its data would be in memory, and gone with the process."""
    with pytest.raises(ConfigError, match="write path="):
        Local(name)


def test_a_file_that_cannot_be_made_is_unusable(
    opened: Opener, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The system's error is the cause, and the next call tries again."""

    def refuse(*_: object) -> int:
        raise OSError(errno.ENOSPC, "no space")

    cloud = opened(path=path)
    with monkeypatch.context() as patch:
        patch.setattr(os, "open", refuse)
        result = cloud.perform(store(), 5)
    assert (result.outcome, result.reason) == (Outcome.UNUSABLE, "disk_full")
    assert isinstance(result.cause, OSError)
    assert value_of(cloud.perform(store(), 5))


def test_what_is_no_database_is_unusable(opened: Opener, path: Path) -> None:
    """It is left as it is."""
    path.parent.mkdir(mode=0o700)
    path.write_text("a letter to a friend\n" * 100)
    path.chmod(0o600)
    result = opened(path=path).perform(store(), 5)
    assert (result.outcome, result.reason) == (Outcome.UNUSABLE, "not_a_database")
    assert path.read_text().startswith("a letter")


def made(path: Path, *statements: str) -> None:
    """Make a database as another program would."""
    path.parent.mkdir(mode=0o700, exist_ok=True)
    connection = sqlite3.connect(path)
    for statement in statements:
        connection.execute(statement)
    connection.commit()
    connection.close()


def test_another_programs_database_is_refused(opened: Opener, path: Path) -> None:
    """No table is added to it."""
    made(path, "CREATE TABLE theirs (x)")
    with pytest.raises(ConfigError, match="another program's tables"):
        opened(path=path).perform(load(), 5)


@pytest.mark.parametrize("layout", [SCHEMA.version - 1, 99])
def test_another_layout_is_refused(opened: Opener, path: Path, layout: int) -> None:
    """No leeward touches what it does not know, be it older or newer: a look does not, either."""
    value_of(opened(path=path).perform(store(), 5))
    made(path, f"PRAGMA user_version = {layout}")
    before = path.read_bytes()
    cloud = opened(path=path)
    for call in (load(), store()):
        with pytest.raises(ConfigError, match=rf"layout {layout} .* move the file away"):
            cloud.perform(call, 5)
    with pytest.raises(ConfigError, match=f"layout {layout}"):
        cloud.stores().deliveries.measure(None)
    assert path.read_bytes() == before


def test_what_an_older_program_can_do_without_changes_no_layout(opened: Opener, path: Path) -> None:
    """A program that has the file open, or opens it, knows the layout that it has."""
    app = App("shop")
    app.on_event("orders", name="remember")(lambda _: None)
    cloud = opened(path=path)
    value_of(cloud.perform(store(), 5))
    with closing(sqlite3.connect(path)) as known:
        before = known.execute("PRAGMA user_version").fetchone()
        cloud.mount(app)
        value_of(cloud.perform(publish(event()), 5))
        cloud.wait_idle(PATIENT)
        cloud.stores().schedules.begin("t", 1.0, 5, "* * * * *")
        assert known.execute("SELECT app FROM recipients").fetchall() == [("shop",)]
        assert known.execute("PRAGMA user_version").fetchone() == before
        known.execute("INSERT INTO series VALUES ('s', 1)")  # as such a program writes it


def test_two_may_make_the_database_at_once(
    opened: Opener, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What another process has made since the first look is taken for leeward's own."""
    value_of(opened(path=path).perform(store(), 5))
    real = database.marks_of
    looks = [(0, 0)]
    monkeypatch.setattr(
        database, "marks_of", lambda connection: looks.pop() if looks else real(connection)
    )
    assert value_of(opened(path=path).perform(load(), 5)) is not None


def test_the_settings_of_the_connection_are_durable(opened: Opener, path: Path) -> None:
    """Rollback journal, full synchronisation; WAL is undone."""
    opened(path=path).perform(store(), 5)
    made(path, "PRAGMA journal_mode = WAL")
    cloud = opened(path=path)
    value_of(cloud.perform(load(), 5))
    with cloud._database.read(5) as connection:
        settings = [
            connection.execute(f"PRAGMA {name}").fetchone()[0]
            for name in ("journal_mode", "synchronous", "fullfsync")
        ]
    assert settings == ["truncate", 2, 1]


@pytest.mark.parametrize("verb", ["store", "publish", "load"])
def test_a_locked_database_is_rejected_in_time(opened: Opener, path: Path, verb: str) -> None:
    """Another process keeps the lock for longer than the call may take: nothing was written."""
    cloud = opened(path=path)
    value_of(cloud.perform(store(), 5))
    cloud.subscribe("orders", name="s")(lambda event: None)
    dispatcher_of(cloud).close()
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    calls: dict[str, Call] = {"store": store(), "publish": publish(event()), "load": load()}
    result = cloud.perform(calls[verb], 0.01)
    other.close()
    assert (result.outcome, result.reason) == (Outcome.REJECTED, "busy")
    assert isinstance(result.cause, sqlite3.OperationalError)
    assert value_of(cloud.perform(store(), 5))


def test_a_connection_busy_with_other_threads_is_rejected_in_time(cloud: Local) -> None:
    """A call waits for its turn no longer than it may take."""
    with cloud._database.read(5):
        result = cloud.perform(store(), 0.01)
    assert (result.outcome, result.reason) == (Outcome.REJECTED, "busy")
    assert value_of(cloud.perform(store(), 5))
