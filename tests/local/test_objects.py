"""Objects in the target's database: what a crash leaves, and what other programs see."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from leeward import App, Client, ConfigError, Conflict, OutcomeUnknown
from leeward.errors import TargetUnusable
from leeward.local import Local
from leeward.local.objects import PIECE_BYTES

PUT = """
import os, sqlite3, sys
from leeward import App, Client
from leeward.local import Local

app = App("shop")
app.on_object("reports", name="note")(print)
local = Local(path=sys.argv[1])
cloud = Client(local, app=app)
cloud.load_data("items", "opened")
[dispatcher] = local._runner._dispatchers.values()
dispatcher._loop.lock.acquire()  # so that nothing is delivered here
steps = int(sys.argv[2])

def dies(statement):
    global steps
    steps -= 1
    if steps < 0:
        os.kill(os.getpid(), 9)

local._database._connection.set_trace_callback(dies)
cloud.put_object("reports", "2026/may.csv", b"new" * 1000)
os._exit(0)
"""


def _stored(path: Path) -> tuple[bytes | None, int]:
    with Client(Local(path=path)) as cloud:
        found = cloud.get_object("reports", "2026/may.csv")
        assert [each.name for each in cloud.list_objects("reports").objects] == (
            [] if found is None else ["2026/may.csv"]
        )
        body = None if found is None else found.read()
    with closing(sqlite3.connect(path)) as held:
        rows = held.execute("SELECT count(*) FROM deliveries").fetchone()
        pieces = held.execute("SELECT count(*) FROM pieces").fetchone()[0]
        assert pieces == (body is not None)
        return body, int(rows[0])


def test_a_crash_at_any_step_leaves_the_old_object_or_the_new_one(tmp_path: Path) -> None:
    """Whole, with the row that tells of it, or without both; the next put goes through."""
    seen = []
    app = App("tests")  # without any handler, the process would leave a row for a later one
    app.on_object("elsewhere", name="note")(print)
    for steps in range(100):
        path = tmp_path / f"{steps}.sqlite3"
        with Client(Local(path=path), app=app) as cloud:
            cloud.put_object("reports", "2026/may.csv", b"old")
        command = [sys.executable, "-c", PUT, str(path), str(steps)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode in (0, -9), done.stderr
        seen.append(_stored(path))
        assert seen[-1] in ((b"old", 0), (b"new" * 1000, 1))
        with Client(Local(path=path)) as cloud:
            cloud.put_object("reports", "2026/may.csv", b"next")
        assert _stored(path)[0] == b"next"
        if done.returncode == 0:
            break
    assert len(seen) > 6
    assert seen[-1] == (b"new" * 1000, 1)


def test_an_object_is_its_pieces(tmp_path: Path) -> None:
    """Ranges within one, over several and behind the end; what is gone takes no row."""
    path = tmp_path / "db.sqlite3"
    body = bytes(range(256)) * (PIECE_BYTES // 256) * 2 + b"the end"
    with Client(Local(path=path)) as cloud:
        cloud.put_object("reports", "may.csv", b"first", metadata={"kind": "draft"})
        cloud.put_object("reports", "may.csv", body)
        cloud.put_object("reports", "empty", b"")
        for start, length in (
            *((0, None), (PIECE_BYTES - 3, 6), (PIECE_BYTES, 1), (2 * PIECE_BYTES, 100)),
            *((2 * PIECE_BYTES + 3, 2), (PIECE_BYTES - 1, PIECE_BYTES + 2), (len(body), 5)),
        ):
            found = cloud.get_object("reports", "may.csv", start=start, length=length)
            assert found is not None
            end = len(body) if length is None else start + length
            assert found.read() == body[start:end], (start, length)
        empty = cloud.get_object("reports", "empty")
        assert empty is not None
        assert empty.read() == b""
        cloud.delete_object("reports", "may.csv")
    with closing(sqlite3.connect(path)) as held:
        assert held.execute("SELECT count(*) FROM pieces").fetchone() == (0,)
        assert held.execute("SELECT name FROM objects").fetchall() == [("empty",)]


@pytest.mark.skipif(not Path("/proc/self/io").exists(), reason="the system counts no bytes")
def test_to_replace_an_object_writes_no_more_than_to_put_it(tmp_path: Path) -> None:
    """Neither the bytes that it had are copied to the journal, nor zeros put in their place."""
    body = bytes(8 * PIECE_BYTES)
    with Client(Local(path=tmp_path / "db.sqlite3")) as cloud:
        for _ in range(3):
            before = _bytes_written()
            cloud.put_object("reports", "may.csv", body)
            assert _bytes_written() - before < 1.2 * len(body)
        before = _bytes_written()
        cloud.delete_object("reports", "may.csv")
        assert _bytes_written() - before < PIECE_BYTES


def _bytes_written() -> int:
    """Return the bytes that this process has written so far, to files or elsewhere."""
    counts = dict(line.split(": ") for line in Path("/proc/self/io").read_text().splitlines())
    return int(counts["wchar"])


def test_a_list_reads_what_begins_so_and_no_more(tmp_path: Path) -> None:
    """In the order of names, page by page, whatever else is in the bucket; no folder is left."""
    names = ["a", "a/b", "a/c", "a0", "b", "\u00e9", "\U0001f600", "z/1"]
    path = tmp_path / "db.sqlite3"
    with Client(Local(path=path)) as cloud:
        for name in names:
            cloud.put_object("reports", name, b"")
        cloud.put_object("others", "a/z", b"")
        for prefix in ("", "a", "a/", "\u00e9", "zz"):
            found = [each.name for each in cloud.list_objects("reports", prefix).objects]
            assert found == sorted(name for name in names if name.startswith(prefix))
    with closing(sqlite3.connect(path)) as held:
        plan = held.execute(
            "EXPLAIN QUERY PLAN SELECT name FROM objects WHERE bucket = ? AND name >= ? "
            "AND name > ? ORDER BY name LIMIT ?",
            ("reports", "a", "", 9),
        ).fetchall()
    assert ["SEARCH" in row[3] for row in plan] == [True]
    assert [each.name for each in tmp_path.iterdir() if "journal" not in each.name] == [path.name]


def test_a_full_disk_is_told_as_one(tmp_path: Path) -> None:
    """Nothing is put then, and what was there stays."""
    local = Local(path=tmp_path / "db.sqlite3")
    with Client(local) as cloud:
        cloud.put_object("reports", "may.csv", b"old")
        connection = local._database._connection
        assert connection is not None
        connection.execute("PRAGMA max_page_count = 1")
        with pytest.raises(TargetUnusable, match="Make room on the disk"):
            cloud.put_object("reports", "may.csv", b"new" * 1_000_000)
        found = cloud.get_object("reports", "may.csv")
        assert found is not None
        assert found.read() == b"old"


@pytest.mark.threat("S13")
def test_nobody_else_may_look_at_objects_or_lead_them_elsewhere(tmp_path: Path) -> None:
    """They are in the database's file, and what is checked of that holds for them."""
    path = tmp_path / ".leeward" / "local.sqlite3"
    with Client(Local(path=path)) as cloud:
        cloud.put_object("b", "name", b"mine")
    assert path.parent.stat().st_mode & 0o777 == 0o700
    assert path.stat().st_mode & 0o777 == 0o600
    assert (path.parent / ".gitignore").read_text() == "*\n"
    path.parent.chmod(0o777)
    with pytest.raises(ConfigError, match="may be written by others"):
        Local(path=path)
    path.parent.chmod(0o700)
    moved = path.rename(tmp_path / "secret")
    path.symlink_to(moved)
    with pytest.raises(ConfigError, match="symbolic link"):
        Local(path=path)


def test_two_targets_of_one_file_see_each_other(tmp_path: Path) -> None:
    """As two processes do; a revision is that of the file."""
    path = tmp_path / "db.sqlite3"
    with Client(Local(path=path)) as one, Client(Local(path=path)) as other:
        first = one.put_object("b", "name", b"first")
        other.put_object("b", "name", b"second", if_revision=first.revision)
        with pytest.raises(Conflict):
            one.put_object("b", "name", b"third", if_revision=first.revision)


def test_objects_of_an_earlier_version_are_not_lost_from_sight(tmp_path: Path) -> None:
    """They lay in a folder beside the database: calls of objects say so, and no others."""
    path = tmp_path / "shop.sqlite3"
    folder = tmp_path / "shop-objects"
    folder.mkdir()
    with Client(Local(path=path)) as cloud:
        cloud.put_object("b", "name", b"mine")
    (folder / "b").mkdir()
    with Client(Local(path=path)) as cloud:
        cloud.store_data("items", {"id": "1"})
        with pytest.raises(ConfigError, match="shop-objects has objects of an earlier version"):
            cloud.get_object("b", "name")


def test_what_another_program_has_changed_is_noticed(tmp_path: Path) -> None:
    """By the checksum; metadata that cannot be read count as none."""
    path = tmp_path / "db.sqlite3"
    with Client(Local(path=path)) as cloud:
        cloud.put_object("b", "name", b"mine", metadata={"kind": "draft"})
        with closing(sqlite3.connect(path)) as held, held:
            held.execute("UPDATE objects SET metadata = '{'")
            held.execute("UPDATE pieces SET body = x'6d696e6f'")
        found = cloud.head_object("b", "name")
        assert found is not None
        assert found.metadata == {}
        with pytest.raises(OutcomeUnknown, match="damaged"):
            cloud.get_object("b", "name")
