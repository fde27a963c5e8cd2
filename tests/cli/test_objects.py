"""``leeward object``: from files into a bucket, and back."""

from __future__ import annotations

import json
import os
import sqlite3
from contextlib import closing
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from leeward.adapter import Limits
from leeward.calls import PutObject, Result
from tests.cli.conftest import Leeward
from tests.cli.test_verbs import Scripting

MAY = b"id,total\n42,9.90\n\xff\x00"
NAME = "2026/may.csv"


def _json(leeward: Leeward, *args: str, code: int = 0, stdin: bytes | None = None) -> Any:
    ran = leeward("object", *args, "--json", stdin=stdin)
    assert ran.code == code, ran.err
    return json.loads(ran.out or ran.err)


def test_a_file_goes_into_a_bucket_and_back(leeward: Leeward, bare: Path) -> None:
    """Each command says what it did, to a program too; bytes come back as they were."""
    (bare / "may.csv").write_bytes(MAY)
    put = _json(leeward, "put", "reports", NAME, "may.csv", "--metadata", "version=7=b")
    shown = _json(leeward, "show", "reports", NAME)
    assert shown["revision"] == put["revision"]
    assert shown["metadata"] == {"version": "7=b"}
    got = _json(leeward, "get", "reports", NAME, "--out", "again.csv")
    assert (got["written"], got["file"]) == (len(MAY), "again.csv")
    assert got["checksum"] == f"sha256:{sha256(MAY).hexdigest()}"
    assert (bare / "again.csv").read_bytes() == MAY
    assert leeward("object", "get", "reports", NAME, "--start", "3", "--length", "5").out == "total"
    assert _json(leeward, "put", "reports", "empty", "-", stdin=b"")["promise"] == "committed"
    listed = _json(leeward, "list", "reports", "2026/")
    assert listed == {
        "objects": [{"name": NAME, "size": len(MAY), "revision": put["revision"]}],
        "more": False,
    }
    assert _json(leeward, "delete", "reports", NAME)["revision"] is None
    assert [each["name"] for each in _json(leeward, "list", "reports")["objects"]] == ["empty"]


def test_a_person_reads_names_and_sizes(leeward: Leeward) -> None:
    """A list is a table, and says that there is more; what is not there is told, with a code."""
    for number in range(3):
        ran = leeward("object", "put", "reports", f"{number}.txt", "-", stdin=b"x" * 1200)
        assert ran.code == 0
    assert "1200" in leeward("object", "show", "reports", "0.txt").out
    ran = leeward("object", "list", "reports", "--limit", "2")
    assert [line.split()[:2] for line in ran.out.splitlines()[1:]] == [
        ["0.txt", "1,200"],
        ["1.txt", "1,200"],
    ]
    assert "There are more" in ran.err
    assert "more" not in leeward("object", "list", "reports", "--limit", "3").err
    assert leeward("object", "list", "reports", "none").err == "No objects.\n"
    for command in ("get", "show"):
        ran = leeward("object", command, "reports", "may.csv")
        assert (ran.code, ran.out) == (3, "")
        assert "'reports' has no object 'may.csv'" in ran.err


def test_every_option_reaches_the_target(leeward: Leeward, scripted: Scripting) -> None:
    """Conditions, metadata and the deadline of the command line are those of the call."""
    script = scripted(Result.ok("r2"), Result.ok("r3"))
    assert leeward("object", "put", "b", "n", "-", "--if-absent", stdin=b"x").code == 0
    assert isinstance(script.call, PutObject)
    assert script.call.if_absent
    options = ("--if-revision", "r2", "--metadata", "a=1", "--metadata", "b=2", "--timeout", "4")
    assert leeward("object", "put", "b", "n", "-", *options, stdin=b"x").code == 0
    assert script.call.if_revision == "r2"
    assert dict(script.call.metadata) == {"a": "1", "b": "2"}
    assert 0 < script.timeout <= 4


def test_what_is_wrong_is_refused_before_anything_is_sent(
    leeward: Leeward, bare: Path, scripted: Scripting
) -> None:
    """The field is named, and no file is left or touched."""
    script = scripted()
    (bare / "kept.csv").write_bytes(MAY)
    with (bare / "large.bin").open("wb") as large:
        os.ftruncate(large.fileno(), Limits().object_bytes + 1)
    for field, args in (
        ("file", ("put", "b", "n", "missing.csv")),
        ("file", ("put", "b", "n", str(bare))),
        ("file", ("put", "b", "n", "large.bin")),
        ("metadata", ("put", "b", "n", "kept.csv", "--metadata", "version")),
        ("metadata", ("put", "b", "n", "kept.csv", "--metadata", "a=1", "--metadata", "a=2")),
        ("name", ("put", "b", "a//b", "kept.csv")),
        ("out", ("get", "b", "n")),
        ("start", ("get", "b", "n", "--start", "-1", "--out", "kept.csv")),
    ):
        error = _json(leeward, *args, code=2)["error"]
        assert error["field"] == field, args
        assert script.driver is None or not script.driver.calls
    assert {each.name for each in bare.iterdir()} == {"kept.csv", "large.bin"}


def test_a_file_takes_its_name_once_it_is_whole(leeward: Leeward, bare: Path) -> None:
    """An object whose bytes are damaged leaves the file that was there, and no part of itself."""
    assert leeward("object", "put", "reports", "may.csv", "-", stdin=MAY).code == 0
    ran = leeward("object", "get", "reports", "may.csv", "--out", str(bare / "gone" / "may.csv"))
    assert ran.code == 1
    assert "cannot be written" in ran.err
    (store,) = bare.rglob("*.sqlite3")
    with closing(sqlite3.connect(store)) as held, held:
        held.execute("UPDATE pieces SET body = ?", (MAY[::-1],))
    (bare / "may.csv").write_bytes(b"before")
    assert leeward("object", "get", "reports", "may.csv", "--out", "may.csv").code == 8
    assert (bare / "may.csv").read_bytes() == b"before"
    assert not list(bare.glob("*.part"))


@pytest.mark.threat("S13")
def test_a_file_is_written_through_no_link(leeward: Leeward, bare: Path) -> None:
    """Neither one that stands in for the part that is being written, nor one at the file's name."""
    assert leeward("object", "put", "reports", "may.csv", "-", stdin=MAY).code == 0
    secret = bare / "secret"
    secret.write_bytes(b"secret")
    (bare / f"may.csv.{os.getpid()}.part").symlink_to(secret)
    (bare / "may.csv").symlink_to(secret)
    assert leeward("object", "get", "reports", "may.csv", "--out", "may.csv").code == 0
    assert secret.read_bytes() == b"secret"
    assert not (bare / "may.csv").is_symlink()
    assert (bare / "may.csv").read_bytes() == MAY

    (bare / "backups_app.py").symlink_to(bare / "elsewhere.py")
    arguments = ("backup", "schedule", "orders", "--store", "backups")
    assert leeward(*arguments).code == 2
    assert not (bare / "elsewhere.py").exists()
