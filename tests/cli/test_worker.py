"""``leeward worker``: which app it runs, what it refuses, and its exit codes."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from leeward.local import Local
from leeward.stores import QUEUED_CALL, NewRow, Recipient
from tests.cli.conftest import Leeward

MODULE = """
from leeward import App

app = App("{name}")
seen = []

@app.on_message("parcels", retries=0)
def send(parcel):
    if parcel == "bad":
        raise ValueError
    seen.append(parcel)
"""
TARGET = "[targets.local]\n"


@pytest.fixture
def shop(bare: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Write modules with apps that are not on the path."""
    for name in ("parcelshop", "lettershop"):
        (bare / f"{name}.py").write_text(MODULE.format(name=name))
    bare.chmod(0o700)
    monkeypatch.setattr("leeward.leases.threads.LOOK_AGAIN", 0.05)
    yield bare
    for name in ("parcelshop", "lettershop"):
        sys.modules.pop(name, None)


def _queue(payload: str) -> None:
    local = Local(path=".leeward/local.sqlite3")
    row = NewRow(Recipient(QUEUED_CALL, "parcels"), None, payload, payload)
    local.stores().deliveries.add([row], 5)
    local.close()


@pytest.mark.parametrize(
    ("file", "words", "named"),
    [
        ("", ["parcelshop:app"], "parcelshop"),
        ('[worker]\napp = "lettershop:app"\n', ["parcelshop:app"], "parcelshop"),
        ('[worker]\napp = "lettershop:app"\n[worker.queues]\nparcels = 2\n', [], "lettershop"),
        (f'{TARGET}app = "parcelshop:app"\n', [], "parcelshop"),
        (f'{TARGET}app = "parcelshop:app"\n[worker]\napp = "lettershop:app"', [], "lettershop"),
    ],
)
def test_the_app_is_what_is_named_nearest(
    leeward: Leeward, shop: Path, file: str, words: list[str], named: str
) -> None:
    """The command line, then the section of workers, then that of the target."""
    if file:
        (shop / "leeward.toml").write_text(f'cloud_provider = "local"\n{file}')
    _queue('"1"')
    assert leeward("worker", *words, "--once").code == 0
    assert sys.modules[named].seen == ["1"]


def test_a_dead_letter_is_an_exit_code(leeward: Leeward, shop: Path) -> None:
    """So a crontab sees it."""
    del shop
    _queue('"bad"')
    assert leeward("worker", "parcelshop:app", "--once").code == 6


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ([], "no app is named; name it: leeward worker module:app"),
        (["parcelshop"], "MODULE:APP must look like"),
        (["parcelshop:seen"], "is a list; name a leeward.App"),
        (["parcelshop:app", "--queue", "parcels"], "write --queue NAME=4"),
        (["parcelshop:app", "--limit", "send=many"], "write --limit send=4"),
        (["parcelshop:app", "--health", "here"], "write PORT or HOST:PORT"),
        (["parcelshop:app", "--http", "0.0.0.0:8080"], "LEEWARD_WORKER_TOKEN"),
        (["parcelshop:app", "--drain", "-3"], "drain must be more than 0"),
        (["parcelshop:app", "--target", "postgres"], "'postgres' is not in the order (local)"),
    ],
)
def test_what_is_wrong_is_refused(
    leeward: Leeward, shop: Path, words: list[str], told: str
) -> None:
    """With what to write instead."""
    del shop
    ran = leeward("worker", *words, "--once")
    assert ran.code == 2
    assert told in " ".join(ran.err.split())
