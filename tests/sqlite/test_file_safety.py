"""What lies beside a database is believed by SQLite, so nobody else may be able to put it there."""

from __future__ import annotations

import os
import re
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from leeward._sqlite import file_safety
from leeward._sqlite.database import Database, Schema
from leeward._sqlite.file_safety import BESIDE, check_files
from leeward.errors import ConfigError

pytestmark = [pytest.mark.row(7), pytest.mark.threat("S13")]

SCHEMA = Schema(1, 1, ("CREATE TABLE t (x)",))
SOMEBODY = 65534
"""A user that every system has, and nobody is."""


@pytest.fixture(autouse=True)
def _generous_umask() -> Iterator[None]:
    """Let nothing but leeward narrow the rights of a new file."""
    before = os.umask(0)
    yield
    os.umask(before)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Name a database in a directory of its own."""
    (tmp_path / "data").mkdir(mode=0o700)
    return tmp_path / "data" / "db"


def made(path: Path, mode: int = 0o600) -> Path:
    """Make a file with these rights."""
    path.touch()
    path.chmod(mode)
    return path


def refusal(path: Path) -> str:
    """Give why the files are refused: before anything is opened, and when they come later."""
    with pytest.raises(ConfigError) as caught:
        check_files(path)
    with pytest.raises(ConfigError, match=re.escape(str(caught.value))):
        Database(path, SCHEMA)
    return str(caught.value)


def test_own_files_in_an_own_directory_are_taken(path: Path) -> None:
    """Others may read the directory's names, or the file, if its owner has said so."""
    check_files(path)
    for directory, file in ((0o700, 0o600), (0o755, 0o644), (0o711, 0o400)):
        path.parent.chmod(directory)
        for name in ("", *BESIDE):
            made(Path(f"{path}{name}"), file)
        check_files(path)


@pytest.mark.parametrize("mode", [0o777, 0o1777, 0o775, 0o702, 0o720])
def test_a_directory_that_others_may_write_is_refused(path: Path, mode: int) -> None:
    """They could put a journal there; a sticky bit does not keep them from it."""
    path.parent.chmod(mode)
    told = refusal(path)
    assert f"{path.parent} may be written by others (mode {mode:04o})" in told
    assert "in a directory of your own" in told
    assert ("chmod 700" in told) is (mode < 0o1000)


def test_a_linked_directory_is_refused(path: Path) -> None:
    """Whoever made the link decides where the data goes."""
    link = path.parent.with_name("link")
    link.symlink_to(path.parent)
    assert f"{link} is a symbolic link" in refusal(link / "db")


def test_a_directory_that_is_none_is_refused(path: Path) -> None:
    """The message names it."""
    made(path)
    assert f"{path} is not a directory" in refusal(path / "db")


@pytest.mark.parametrize("name", ["", *BESIDE])
@pytest.mark.parametrize("mode", [0o666, 0o660, 0o602, 0o620])
def test_a_file_that_others_may_write_is_refused(path: Path, name: str, mode: int) -> None:
    """The database, and whatever SQLite believes beside it."""
    made(path)
    file = made(Path(f"{path}{name}"), mode)
    told = refusal(path)
    assert f"{file} may be written by others (mode {mode:04o})" in told
    assert f"chmod 600 {file}" in told


@pytest.mark.parametrize("name", ["", *BESIDE])
def test_a_link_and_what_is_no_file_are_refused(path: Path, name: str) -> None:
    """Also a link that leads nowhere."""
    file = Path(f"{path}{name}")
    file.symlink_to("elsewhere")
    assert f"{file} is a symbolic link" in refusal(path)
    file.unlink()
    file.mkdir()
    assert f"{file} is not a regular file" in refusal(path)
    file.rmdir()
    os.mkfifo(file)
    assert f"{file} is not a regular file" in refusal(path)


@pytest.mark.parametrize("of", ["directory", "", *BESIDE])
def test_what_belongs_to_another_user_is_refused(
    path: Path, monkeypatch: pytest.MonkeyPatch, of: str
) -> None:
    """The message names the owner; this holds without a second user, by what the system tells."""
    made(path)
    theirs = path.parent if of == "directory" else made(Path(f"{path}{of}"))
    lstat, owner = os.lstat, path.stat().st_uid

    def told(file: Path) -> os.stat_result:
        found = list(lstat(file))
        if file == theirs:
            found[4] = owner + 1
        return os.stat_result(found)

    monkeypatch.setattr(file_safety, "lstat", told)
    assert f"{theirs} belongs to another user (uid {owner + 1})" in refusal(path)


def test_the_system_may_own_the_directory(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The superuser can do everything anyway."""
    found = list(os.lstat(path.parent))
    found[4] = 0
    monkeypatch.setattr(os, "geteuid", lambda: SOMEBODY)
    monkeypatch.setattr(file_safety, "lstat", lambda _: os.stat_result(found))
    file_safety.check_directory(path.parent)


def test_what_cannot_be_looked_at_is_refused(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is known of it then."""

    def refuse(_: Path) -> os.stat_result:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(file_safety, "lstat", refuse)
    assert "cannot be looked at (Permission denied)" in refusal(path)


def test_a_new_connection_looks_again(path: Path) -> None:
    """What has come since the last look is refused, by calls and by `connect` alike."""
    database = Database(path, SCHEMA)
    with database.write(5) as connection:
        connection.execute("INSERT INTO t VALUES (1)")
    late_path = path.with_name("late")
    late = Database(late_path, SCHEMA)
    path.parent.chmod(0o777)
    with pytest.raises(ConfigError, match="may be written by others"):
        database.connect()
    with pytest.raises(ConfigError, match="may be written by others"), late.read(5):
        pass
    assert not late_path.exists()
    database.close()


AS_SOMEBODY = f"""
import os, shutil, sqlite3, sys
from pathlib import Path
from leeward.errors import LeewardError
from leeward._sqlite.database import Database
from leeward._sqlite.database import Schema

os.umask(0)
os.setgroups([]); os.setgid({SOMEBODY}); os.setuid({SOMEBODY})
"""


def as_somebody(program: str, *arguments: object) -> str:
    """Run a program as another user, and give what it says.

    What it imports is imported before, because the project may lie where only its owner looks.
    """
    done = subprocess.run(
        [sys.executable, "-c", AS_SOMEBODY + program, *map(str, arguments)],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip()


needs_root = pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root can act as another user"
)

PREPARE = """
where = sys.argv[1]
shutil.copy(f"{where}/public-copy", f"{where}/theirs")
db = sqlite3.connect(f"{where}/theirs", isolation_level=None)
db.execute("UPDATE t SET x = 'forged'")
db.execute("PRAGMA cache_size = 1")
db.execute("BEGIN EXCLUSIVE")
db.execute("UPDATE t SET x = 'whatever'")
for number in range(500):  # more than the cache holds, so that the journal is written
    db.execute("INSERT INTO t VALUES (?)", ("x" * 4000,))
shutil.copy(f"{where}/theirs-journal", f"{where}/db-journal")
os._exit(0)
"""


def test_a_link_that_appears_after_the_look_is_not_followed(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever wins the race between the check and the making of the file gains nothing by it."""
    victim = made(path.with_name("victim"))
    victim.write_text("mine")
    real = file_safety.check_directory

    def looked(directory: Path) -> None:
        real(directory)
        if not path.is_symlink():
            path.symlink_to(victim)

    monkeypatch.setattr(file_safety, "check_directory", looked)
    with pytest.raises(ConfigError, match="symbolic link"):
        file_safety.create_file(path)
    assert victim.read_text() == "mine"


@needs_root
def test_a_journal_that_another_user_prepared_is_not_played_back() -> None:
    """In a directory for all, it would replace the data of whoever opens the file next."""
    with tempfile.TemporaryDirectory() as name:
        where = Path(name)
        where.chmod(0o777)
        path = where / "db"
        with sqlite3.connect(path) as own:
            own.execute("PRAGMA application_id = 1")
            own.execute("PRAGMA user_version = 1")
            own.execute("CREATE TABLE t (x)")
            own.execute("INSERT INTO t VALUES ('mine')")
        own.close()
        path.chmod(0o600)
        copy = where / "public-copy"
        copy.write_bytes(path.read_bytes())
        as_somebody(PREPARE, where)
        before = path.read_bytes()
        assert Path(f"{path}-journal").stat().st_uid == SOMEBODY
        assert "may be written by others" in refusal(path)
        where.chmod(0o700)
        assert f"{path}-journal belongs to another user (uid {SOMEBODY})" in refusal(path)
        assert path.read_bytes() == before


OPEN = """
try:
    with Database(Path(sys.argv[1]), Schema(1, 1, ("CREATE TABLE t (x)",))).write(5) as connection:
        print("opened")
except LeewardError as error:
    print(error)
"""


@needs_root
def test_another_user_is_refused_what_is_ours() -> None:
    """And is served in a directory of its own."""
    with tempfile.TemporaryDirectory() as name:
        where = Path(name)
        where.chmod(0o755)
        made(where / "db", 0o644)
        assert "db belongs to another user (uid 0)" in as_somebody(OPEN, where / "db")
        (where / "theirs").mkdir(mode=0o700)
        os.chown(where / "theirs", SOMEBODY, SOMEBODY)
        assert as_somebody(OPEN, where / "theirs" / "db") == "opened"
        assert f"belongs to another user (uid {SOMEBODY})" in refusal(where / "theirs" / "db")
