"""The folder of objects: what a crash leaves, and what other processes see."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from leeward import Client, Conflict
from leeward.errors import TargetUnusable
from leeward.local import Local
from leeward.local.object_paths import file_of

PUT = """
import os, sys
from leeward import Client
from leeward.local import Local

steps = int(sys.argv[2])

def counted(function):
    def call(*args, **kwargs):
        global steps
        steps -= 1
        if steps < 0:
            os._exit(9)                  # as kill -9: nothing is flushed, nothing is cleaned up
        return function(*args, **kwargs)
    return call

cloud = Client(Local(objects=sys.argv[1]))
for name in ("fsync", "ftruncate", "symlink", "replace", "unlink", "readlink", "stat", "mkdir"):
    setattr(os, name, counted(getattr(os, name)))
cloud.put_object("reports", "2026/may.csv", b"new" * 1000)
print("done")
"""


def _stored(folder: Path) -> bytes | None:
    with Client(Local(objects=folder)) as cloud:
        found = cloud.get_object("reports", "2026/may.csv")
        assert [each.name for each in cloud.list_objects("reports").objects] == (
            [] if found is None else ["2026/may.csv"]
        )
        return None if found is None else found.read()


@pytest.mark.parametrize("before", [None, b"old"], ids=["created", "replaced"])
def test_a_crash_at_any_step_leaves_the_old_object_or_the_new_one(
    before: bytes | None, tmp_path: Path
) -> None:
    """Whole, and as the checksum says; the next put goes through, and takes away what is left.

    At least six steps are met.
    """
    seen = []
    for steps in range(100):
        folder = tmp_path / str(steps)
        if before is not None:
            with Client(Local(objects=folder)) as cloud:
                cloud.put_object("reports", "2026/may.csv", before)
        command = [sys.executable, "-c", PUT, str(folder), str(steps)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode in (0, 9), done.stderr
        seen.append(_stored(folder))
        assert seen[-1] in (before, b"new" * 1000)
        with Client(Local(objects=folder)) as cloud:
            cloud.put_object("reports", "2026/may.csv", b"next")
        assert _stored(folder) == b"next"
        assert len(list((folder / "reports" / ".data").iterdir())) == 1
        if done.returncode == 0:
            break
    assert len(seen) > 6
    assert seen == sorted(seen, key=lambda each: each == b"new" * 1000)
    assert seen[-1] == b"new" * 1000


def test_objects_are_files_that_other_programs_read(tmp_path: Path) -> None:
    """By their names; what was replaced or deleted takes no room."""
    with Client(Local(objects=tmp_path)) as cloud:
        for body in (b"first", b"second"):
            cloud.put_object("reports", "2026/may.csv", body)
        cloud.put_object("reports", "gone", b"gone")
        cloud.delete_object("reports", "gone")
    assert (tmp_path / "reports" / "2026~" / "may.csv").read_bytes() == b"second"
    assert len(list((tmp_path / "reports" / ".data").iterdir())) == 1


def test_what_a_failed_write_has_left_is_all_that_the_next_one_takes_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever a link leads to stays, be it under a name that somebody else has given it."""
    data = tmp_path / "reports" / ".data"
    with Client(Local(objects=tmp_path)) as cloud:
        for name in ("kept", "renamed", "2026/may.csv", "gone"):
            cloud.put_object("reports", name, name.encode())
        (data / "notes").write_bytes(b"")
        renamed = (tmp_path / "reports" / "renamed").rename(tmp_path / "reports" / "m\u00e4rz")
        with monkeypatch.context() as patch:
            patch.setattr("leeward.local.objects.sync", _full)
            assert cloud.delete_object("reports", "gone").resolved
        assert len(list(data.iterdir())) == 5
        cloud.delete_object("reports", "kept")
    assert renamed.read_bytes() == b"renamed"
    assert (tmp_path / "reports" / "2026~" / "may.csv").read_bytes() == b"2026/may.csv"
    assert len(list(data.iterdir())) == 3
    assert (data / "notes").exists()


def _full(_: Path) -> None:
    raise OSError(errno.ENOSPC, "no space left on the device")


def test_a_failure_behind_the_commit_point_is_not_told_as_nothing_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The object is there, or gone: it is looked at, and the write is no failure."""
    with Client(Local(objects=tmp_path)) as cloud:
        cloud.put_object("reports", "may.csv", b"old")
        with monkeypatch.context() as patch:
            patch.setattr("leeward.local.objects.sync", _fails_in("reports"))
            assert cloud.put_object("reports", "may.csv", b"new").resolved
            found = cloud.get_object("reports", "may.csv")
            assert found is not None
            assert found.read() == b"new"
            assert cloud.delete_object("reports", "may.csv").resolved
        with monkeypatch.context() as patch:
            patch.setattr("leeward.local.objects.sync", _fails_in(".data"))
            with pytest.raises(TargetUnusable, match="did not run"):
                cloud.put_object("reports", "may.csv", b"new")
        assert cloud.get_object("reports", "may.csv") is None


def _fails_in(name: str) -> Callable[[Path], None]:
    def fail(folder: Path) -> None:
        if folder.name == name:
            raise OSError(errno.EMFILE, "too many open files")

    return fail


def test_every_new_folder_is_safe_before_a_write_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A folder whose name was not synced is lost with the power, and all objects in it."""
    synced: set[int] = set()
    fsync = os.fsync

    def noted(descriptor: int) -> None:
        synced.add(os.fstat(descriptor).st_ino)
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", noted)
    with Client(Local(objects=tmp_path / "a" / "objects")) as cloud:
        cloud.put_object("reports", "2026/05/may.csv", b"new")
    made = [path for path in tmp_path.rglob("*") if path.is_dir()]
    assert len(made) == 6
    assert [path for path in made if path.parent.stat().st_ino not in synced] == []


def test_nobody_else_may_look_into_the_folder(tmp_path: Path) -> None:
    """Nor write to the one above it, where that was made too; the database lies there as well."""
    cloud = Local(path=tmp_path / ".leeward" / "local.sqlite3")
    before = os.umask(0o002)
    try:
        with Client(cloud) as client:
            client.put_object("b", "name", b"mine")
            client.store_data("items", {"id": "1"})
    finally:
        os.umask(before)
    for folder in (tmp_path / ".leeward", tmp_path / ".leeward" / "local-objects"):
        assert folder.stat().st_mode & 0o777 == 0o700


def test_what_is_kept_by_default_stays_out_of_version_control(tmp_path: Path) -> None:
    """Before any item is stored, too."""
    with Client(Local(path=tmp_path / ".leeward" / "local.sqlite3")) as cloud:
        cloud.put_object("b", "name", b"mine")
    assert (tmp_path / ".leeward" / ".gitignore").read_text() == "*\n"


def test_two_targets_of_one_folder_see_each_other(tmp_path: Path) -> None:
    """As two processes do; a revision is that of the folder."""
    with Client(Local(objects=tmp_path)) as one, Client(Local(objects=tmp_path)) as other:
        first = one.put_object("b", "name", b"first")
        other.put_object("b", "name", b"second", if_revision=first.revision)
        with pytest.raises(Conflict):
            one.put_object("b", "name", b"third", if_revision=first.revision)


def test_no_two_names_lie_in_one_file() -> None:
    """Nor is one a folder of another, or a file of leeward's own; no part is too long."""
    names = ["a", "a/b", "a~", "a~/b", "a%7E", ".data/x", ".lock", "x" * 200, "x" * 201, "~~"]
    names += ["x" * 200 + "/y", "\u00e9" * 300, "/".join("abc"), "..a", "a\u0301", "\u00e1"]
    files = [file_of(name) for name in names]
    assert len(set(files)) == len(names)
    folders = {str(parent) for file in files for parent in Path(file).parents}
    assert not folders & set(files)
    for file in files:
        for part in file.split("/"):
            assert 0 < len(part) <= 255
            assert not part.startswith(".")


def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    """As UNUSABLE, with a reason that has a remedy."""
    (tmp_path / "file").write_bytes(b"")
    cloud = Client(Local(objects=tmp_path / "file"))
    with cloud, pytest.raises(TargetUnusable):
        cloud.put_object("b", "name", b"")


def test_a_link_of_another_program_is_not_followed(tmp_path: Path) -> None:
    """It may lead to any file of this user's, in the place of an object or of the lock."""
    with Client(Local(objects=tmp_path)) as cloud:
        cloud.put_object("b", "name", b"mine")
        secret = tmp_path / "secret"
        secret.write_bytes(b"secret")
        (tmp_path / "b" / ".lock").unlink()
        (tmp_path / "b" / ".lock").symlink_to(secret)
        with pytest.raises(TargetUnusable):
            cloud.put_object("b", "other", b"mine")
        assert secret.read_bytes() == b"secret"
        (tmp_path / "b" / "name").unlink()
        (tmp_path / "b" / "name").symlink_to(secret)
        with pytest.raises(TargetUnusable):
            cloud.get_object("b", "name")
