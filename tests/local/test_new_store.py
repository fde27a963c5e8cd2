"""A new store is kept out of version control, and told where it depends on the directory."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from leeward import Client
from leeward.local import Local

EVENT = "store_created"


@pytest.fixture
def somewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Stand in an empty directory, with an environment that names no target."""
    for variable in ("CLOUD_PROVIDER", "LEEWARD_CONFIG", "LEEWARD_DATA_TARGET"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def store() -> None:
    with Client() as client:
        client.store_data("orders", {"id": "42"})


def told(caplog: pytest.LogCaptureFixture) -> list[str]:
    """Return what was logged of new stores, as a program that sets up no logging sees it."""
    return [
        each.getMessage()
        for each in caplog.records
        if each.name == "leeward.local" and each.levelno >= logging.WARNING
    ]


def test_git_does_not_see_the_store(somewhere: Path) -> None:
    """Nobody's data is committed by an oversight."""
    store()
    assert (somewhere / ".leeward" / ".gitignore").read_text() == "*\n"


def test_an_ignore_file_of_ones_own_stays(somewhere: Path) -> None:
    """What is there is the user's."""
    (somewhere / ".leeward").mkdir(mode=0o700)
    (somewhere / ".leeward" / ".gitignore").write_text("mine\n")
    store()
    assert (somewhere / ".leeward" / ".gitignore").read_text() == "mine\n"


def test_a_fresh_store_is_told_once(somewhere: Path, caplog: pytest.LogCaptureFixture) -> None:
    """The first write in a working directory tells the path; the next one finds the store."""
    store()
    store()
    path = somewhere / ".leeward" / "local.sqlite3"
    assert told(caplog) == [f"{EVENT} path={str(path)!r}"]


def test_another_working_directory_tells_of_its_own(
    somewhere: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """So nobody wonders where the items have gone."""
    store()
    (somewhere / "elsewhere").mkdir()
    monkeypatch.chdir(somewhere / "elsewhere")
    store()
    assert len(told(caplog)) == 2
    assert "elsewhere" in told(caplog)[1]


def test_a_path_that_is_given_in_full_is_no_surprise(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """It is the same wherever the program runs, and its directory is the user's."""
    with Client(Local(path=tmp_path / "own" / "x.sqlite3")) as client:
        client.store_data("orders", {"id": "42"})
    assert told(caplog) == []
    assert not (tmp_path / "own" / ".gitignore").exists()
