"""``leeward new``: what it makes works as it is."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from leeward.cli.commands.new import FILES
from tests.cli.conftest import Leeward
from tests.house.workspace import ROOT

RUFF = [str(ROOT / ".venv/bin/ruff")]  # whichever Python runs this


def test_a_new_app_works_as_it_is(
    leeward: Leeward, bare: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its tests pass, two linters have nothing to say, and the command line finds the app."""
    made = leeward("new", "help-desk", "--json")
    assert json.loads(made.out)["files"] == [each.format(module="help_desk") for each in FILES]
    folder = bare / "help-desk"
    for command in (
        [
            sys.executable,
            "-m",
            "pytest",
            "-q",
            "-p",
            "no:cacheprovider",
            "-p",
            "no:xdist",
            "--rootdir",
            ".",
        ],
        [*RUFF, "check", "--isolated", "--select", "E,F,I,B", "--line-length", "100", "."],
        [*RUFF, "format", "--isolated", "--line-length", "100", "--check", "."],
        [
            sys.executable,
            "-m",
            "leeward",
            "invoke",
            "create-ticket",
            '{"id": "7", "text": "lost keys"}',
        ],
    ):
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
    assert json.loads(done.stdout) == {"id": "7", "text": "lost keys", "open": True}
    monkeypatch.chdir(folder)
    exported = leeward("export", "terraform", "--targets", "aws:us-east-1")
    assert exported.code == 0
    assert "no role allows" not in exported.err


@pytest.mark.parametrize(
    "name",
    ["Help", "help desk", "9lives", "a--b", "class", "../up", "", "-", "a" * 51, "json", "leeward"],
)
def test_a_name_that_an_app_cannot_have_is_refused(leeward: Leeward, bare: Path, name: str) -> None:
    """Before anything is written; a module of that name would hide another, or be hidden."""
    done = leeward("new", "--", name)
    assert done.code == 2
    assert "cannot be the name of an app" in done.err
    assert not list(bare.iterdir())


def test_nothing_that_is_there_is_changed(leeward: Leeward, bare: Path) -> None:
    """One file that is there stops all of it."""
    (bare / "desk").mkdir()
    (bare / "desk" / "leeward.toml").write_text("mine")
    done = leeward("new", "desk")
    assert done.code == 2
    assert "desk has leeward.toml already" in done.err
    assert [each.name for each in (bare / "desk").iterdir()] == ["leeward.toml"]
    assert leeward("new", "desk", "--folder", "other").code == 0
    (bare / "file").touch()
    done = leeward("new", "desk", "--folder", "file")
    assert done.code == 2
    assert "cannot be written: File exists; choose another --folder" in done.err
