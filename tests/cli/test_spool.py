"""``leeward spool``: what waits, made to go, and given up."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from leeward.calls import Result
from leeward.cli.commands import spool as command
from leeward.errors import Outcome
from tests.cli.conftest import Leeward
from tests.cli.provider import Script

TAKEN = Result.ok((Result[None].ok(None),))
REFUSED = Result[object](Outcome.NOT_SENT, code="refused")
MANY = 500
"""Answers of a target that stays down, however often it is asked."""

FILE = """
[buses.orders]
on_all_down = "spool"
"""


@pytest.fixture
def waiting(bare: Path, leeward: Leeward, scripted: Callable[..., Script]) -> None:
    """Let one event wait."""
    (bare / "leeward.toml").write_text(FILE)
    scripted(*[REFUSED] * MANY)
    done = leeward("publish", "orders", "order.created", '{"id": "canary"}', "--json")
    assert (done.code, json.loads(done.out)["promise"]) == (0, "spooled")


def test_nothing_waits_where_there_is_no_spool(leeward: Leeward, bare: Path) -> None:
    """And a look makes no file."""
    done = leeward("spool", "status")
    assert (done.code, done.err) == (0, "Nothing waits.\n")
    assert json.loads(leeward("spool", "drain", "--json").out) == {"waiting": 0, "queues": []}
    assert not [*bare.iterdir()]


@pytest.mark.usefixtures("waiting")
def test_what_waits_is_shown_and_drained(
    leeward: Leeward, scripted: Callable[..., Script], monkeypatch: pytest.MonkeyPatch
) -> None:
    """With 7 as long as some wait; payloads are not shown."""
    text = leeward("spool", "status").out
    assert "orders" in text
    assert "canary" not in text
    monkeypatch.setattr(command, "SHOWN", 0.0)
    late = leeward("spool", "drain", "--wait", "0.3")
    assert late.code == 7
    assert "1 wait" in late.err
    scripted(*[TAKEN] * MANY)
    done = leeward("spool", "drain", "--wait", "30", "--json")
    assert (done.code, json.loads(done.out)) == (0, {"waiting": 0, "queues": []})


@pytest.mark.vendors
@pytest.mark.usefixtures("waiting")
def test_a_database_that_is_down_does_not_hide_what_the_file_has(
    leeward: Leeward, bare: Path
) -> None:
    """The spool is needed just then; 7 says that an outbox was not read."""
    away = "postgresql://x@127.0.0.1:1/x"
    order = ("--targets", "local,postgres")
    target = f'[targets.postgres]\nurl = "{away}"\n'
    (bare / "leeward.toml").write_text(f'data_target = "local"\n{FILE}{target}')
    done = leeward(*order, "spool", "status")
    assert done.code == 7
    assert "orders" in done.out
    assert "an outbox cannot be read: there is no connection to the server" in done.err
    as_json = json.loads(leeward(*order, "spool", "status", "--json").out)
    assert (as_json["waiting"], len(as_json["unread"])) == (1, 1)
    assert leeward(*order, "spool", "drain", "--wait", "0").code == 7


@pytest.mark.usefixtures("waiting")
def test_what_was_given_up_is_published_by_word_or_discarded(
    leeward: Leeward, scripted: Callable[..., Script], bare: Path
) -> None:
    """It exits with 9 once, when it is given up."""
    (bare / "leeward.toml").write_text(f"{FILE}[spool]\nmax_age = 1\n")
    scripted(*[TAKEN] * MANY)
    time.sleep(1.1)
    done = leeward("spool", "drain", "--wait", "30", "--json")
    assert done.code == 9
    (queue,) = json.loads(done.out)["queues"]
    assert (queue["for"], queue["waiting"], queue["given_up"]) == ("orders", 0, 1)
    assert leeward("spool", "drain", "--wait", "30").code == 0
    assert leeward("spool", "discard").code == 2
    assert leeward("spool", "drain", "--dead", "--wait", "30").code == 0
    assert leeward("spool", "status").err == "Nothing waits.\n"
    assert leeward("spool", "discard", "--force").out == "0 discarded.\n"


def test_a_wait_that_is_no_time_is_refused(leeward: Leeward) -> None:
    """Before anything is opened."""
    done = leeward("spool", "drain", "--wait", "-1", "--json")
    assert (done.code, json.loads(done.err)["error"]["field"]) == (2, "wait")
