"""``leeward backup``: from a table to a bucket, and back."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from io import StringIO
from pathlib import Path
from typing import Any

import pytest

from leeward_backup.commands.views import progress
from leeward_backup.values import Progress
from tests.cli.conftest import Leeward

STORE = ("--store", "backups/shop")


def _filled(leeward: Leeward, items: int = 3) -> None:
    for n in range(items):
        assert leeward("store", "orders", json.dumps({"id": f"order-{n}", "n": n})).code == 0


def _json(leeward: Leeward, *args: str) -> Any:
    ran = leeward("backup", *args, *STORE, "--json")
    assert ran.code == 0, ran.err
    assert ran.err == ""
    return json.loads(ran.out)


def test_a_table_goes_to_a_bucket_and_back(leeward: Leeward) -> None:
    """Each command says what it did, to a program too."""
    _filled(leeward)
    backup = _json(leeward, "create", "orders")
    assert (backup["items"], backup["uploaded"], backup["consistency"]) == (3, 3, "per_item")
    assert _json(leeward, "list", "orders")["backups"] == [backup]
    assert _json(leeward, "check", "orders", "--deep")["findings"] == []
    assert _json(leeward, "restore", "orders", "--into", "again", "--dry-run")["items"] == 3
    restored = _json(leeward, "restore", "orders", backup["id"], "--into", "again")
    assert (restored["promise"], restored["found"]) == ("verified", 3)
    assert _json(leeward, "drill", "orders")["promise"] == "verified"
    assert _json(leeward, "prune", "orders", "--keep", "1")["kept"] == [backup["id"]]
    assert json.loads(leeward("load", "again", "order-2", "--json").out)["item"]["n"] == 2


def test_a_person_reads_what_was_proved(leeward: Leeward) -> None:
    """The promise stands in capitals, and no bar is left where there is no terminal."""
    _filled(leeward)
    assert "per_item" in leeward("backup", "create", "orders", *STORE).out
    assert "are read" in leeward("backup", "check", "orders", *STORE, "--deep").out
    ran = leeward("backup", "restore", "orders", *STORE, "--into", "again")
    assert "VERIFIED: the table holds exactly the items." in ran.out
    assert ran.err == ""
    ran = leeward("backup", "restore", "orders", *STORE, "--mode", "missing", "--into", "more")
    assert ran.code == 0
    assert (
        "3 items would be stored"
        in leeward(*("backup", "restore", "orders", *STORE, "--dry-run", "--into", "fresh")).out
    )
    assert "1 backups stay" in leeward("backup", "prune", "orders", *STORE).out
    assert "No backups." in leeward("backup", "list", "things", *STORE).err
    empty = leeward("backup", "create", "nosuch", *STORE, "--at", "local")
    assert (empty.code, "The table nosuch has no items" in empty.err) == (0, True)


def test_what_is_wrong_has_an_exit_code_of_its_own(leeward: Leeward, bare: Path) -> None:
    """A damaged backup, a table with items, a backup that is not there, and wrong usage."""
    _filled(leeward)
    leeward("backup", "create", "orders", *STORE)
    ran = leeward("backup", "restore", "orders", *STORE)
    assert (ran.code, "nothing was written: table" in ran.err) == (9, True)
    assert "may have run" not in ran.err
    ran = leeward("backup", "restore", "orders", *STORE, "--dry-run")
    assert (ran.code, "holds items already" in ran.out) == (9, True)
    assert leeward("backup", "check", "orders", "none-such", *STORE).code == 3
    assert leeward("backup", "restore", "orders", *STORE, "--mode", "all").code == 2
    assert leeward("backup", "prune", "orders", *STORE, "--keep", "0").code == 2
    ran = leeward("backup", "create", "orders", *STORE, "--key-file", "none")
    assert (ran.code, "key file none cannot be read" in ran.err) == (2, True)
    with closing(sqlite3.connect(bare / ".leeward" / "local.sqlite3")) as held, held:
        held.execute("UPDATE objects SET size = 0 WHERE name LIKE '%.jsonl.gz'")
    ran = leeward("backup", "check", "orders", *STORE)
    assert (ran.code, ran.out.count("it has 0 bytes")) == (9, 3)


def test_the_table_and_the_bucket_may_be_on_other_targets(leeward: Leeward, bare: Path) -> None:
    """As the options say, whatever their homes are; a restore moves a table so."""
    (bare / "leeward.toml").write_text(
        '[targets."local:a"]\npath = "a.sqlite3"\n[targets."local:b"]\npath = "b.sqlite3"\n'
    )
    order = ("--targets", "local:a,local:b")
    (bare / "home.toml").write_text(
        (bare / "leeward.toml").read_text() + '[tables.orders]\nhome = "local:a"\n'
    )
    stored = leeward("store", "orders", '{"id": "1"}', *order, "--config", "home.toml")
    assert stored.code == 0, stored.err
    there = (*order, *STORE, "--store-at", "local:b", "--json")
    assert (
        json.loads(leeward("backup", "create", "orders", "--at", "local:a", *there).out)["target"]
        == "local:a"
    )
    restored = json.loads(leeward("backup", "restore", "orders", "--at", "local:b", *there).out)
    assert (restored["target"], restored["promise"]) == ("local:b", "verified")
    assert leeward("backup", "create", "orders", *there).code == 2


def test_an_encrypted_backup_needs_its_key(leeward: Leeward, bare: Path) -> None:
    """The file that the option names."""
    _filled(leeward)
    (bare / "key").write_text("ab" * 32)
    key = ("--key-file", "key")
    backup = _json(leeward, "create", "orders", *key)
    assert backup["key_id"] is not None
    assert _json(leeward, "drill", "orders", *key)["promise"] == "verified"
    ran = leeward("backup", "drill", "orders", *STORE)
    assert (ran.code, "name the file that holds it" in ran.err) == (9, True)


class _Terminal(StringIO):
    def isatty(self) -> bool:
        return True


def test_progress_is_shown_where_somebody_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Bars on a terminal, a line now and then elsewhere, and nothing for a program."""
    monkeypatch.setenv("TERM", "xterm")
    steps = [Progress("read", 1000, None, "items"), Progress("upload", 7, 256, "buckets")]
    terminal, plain, silent = _Terminal(), StringIO(), StringIO()
    with progress(terminal, quiet=False) as look:
        for step in steps:
            look(step)
    assert "1,000 items" in terminal.getvalue()
    assert "7 of 256 buckets" in terminal.getvalue()
    with progress(plain, quiet=False) as look:
        look(steps[0])
        assert plain.getvalue() == ""
        monkeypatch.setattr("leeward_backup.commands.views.PLAIN_SECONDS", 0.0)
        look(steps[1])
    assert plain.getvalue() == "upload: 7 of 256 buckets\n"
    with progress(silent, quiet=True) as look:
        look(steps[0])
    assert silent.getvalue() == ""
