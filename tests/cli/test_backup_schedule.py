"""``leeward backup schedule`` writes an app, and says what is left to do."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import pytest

from leeward.app.triggers import Kind
from tests.cli.conftest import Leeward

COMMAND = ("backup", "schedule", "orders", "--store", "backups/shop", "--drill", "sunday")


@pytest.fixture(autouse=True)
def folder(bare: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Let modules of the working directory be imported."""
    bare.chmod(0o700)
    monkeypatch.syspath_prepend(str(bare))
    yield bare
    sys.modules.pop("backups_app", None)


def test_the_app_that_is_written_backs_up(leeward: Leeward, folder: Path) -> None:
    """It has the two handlers; written again it is the same; its rest can be called on local."""
    done = leeward(*COMMAND)
    assert (done.code, done.out) == (0, "backups_app.py\n")
    assert "[tables.orders], [buckets.backups], [functions.back-up-orders-rest]" in done.err
    assert "leeward export terraform backups_app:app" in done.err
    app = import_module("backups_app").app
    assert [(each.name, each.kind) for each in app.handlers.values()] == [
        ("back-up-orders", Kind.SCHEDULE),
        ("back-up-orders-rest", Kind.CALL),
    ]
    (folder / "leeward.toml").write_text(
        '[targets.local]\napp = "backups_app:app"\n[tables.orders]\nhome = "local"\n'
    )
    told = json.loads(leeward(*COMMAND, "--json").out)
    assert told["missing"] == ["[buckets.backups]", "[functions.back-up-orders-rest]"]
    assert leeward("store", "orders", '{"id": "42"}').code == 0
    task = '{"time": "2026-01-31T02:00Z", "step": "create"}'
    assert leeward("enqueue", "back-up-orders-rest", task).code == 0
    assert leeward("worker", "--once").code == 0
    listed = json.loads(
        leeward("backup", "list", "orders", "--store", "backups/shop", "--json").out
    )
    (backup,) = listed["backups"]
    assert (backup["id"], backup["items"]) == ("back-up-orders-20260131T0200Z", 1)


def test_what_cannot_be_written_is_refused(leeward: Leeward, folder: Path) -> None:
    """Another file in its place is not touched; arguments are those of the app."""
    (folder / "backups_app.py").write_text("mine = 1\n")
    cases = [
        ((), "backups_app.py is there already; name another file with --out"),
        (("--out", "back-up.py"), "must be the file of a module"),
        (("--out", "new.py", "--drill", "sonntag"), "drill must be one of monday"),
        (("--out", "new.py", "--cron", "0 2 * *"), "has 4 fields; write five"),
    ]
    for words, told in cases:
        done = leeward(*COMMAND, *words)
        assert done.code == 2
        assert told in done.err
    assert (folder / "backups_app.py").read_text() == "mine = 1\n"
    assert not (folder / "new.py").exists()
