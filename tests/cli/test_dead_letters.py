"""``leeward dead-letters`` lists what was given up; ``leeward load`` needs no function."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from leeward import Client
from leeward.local import Local
from tests.cli.conftest import Leeward


@pytest.fixture
def dead(bare: Path) -> None:
    """Leave one dead event and one dead call in the default file of the working directory."""
    cloud = Local(path=bare / ".leeward" / "local.sqlite3")

    @cloud.subscribe("orders", "order.created", name="remember")
    def remember(event: object) -> None:
        raise ValueError("no such order 42\nsecond line")

    @cloud.function("send-receipt")
    def send(order: object) -> None:
        raise KeyError

    with Client(cloud) as client:
        client.publish_event("orders", "order.created", {"id": "42"}, id="e-1")
        client.enqueue("send-receipt", {"id": "42"})
        cloud.wait_idle(30)


@pytest.mark.usefixtures("dead")
def test_dead_letters_are_listed(leeward: Leeward) -> None:
    """Where it was, who was to handle it, how often that was tried, and what went wrong."""
    done = leeward("dead-letters")
    assert done.code == 0
    rows = [line.split() for line in done.out.splitlines()]
    assert rows[0] == ["TARGET", "BUS", "HANDLER", "TRIES", "EVENT", "ERROR"]
    told = {" ".join(row) for row in rows[1:]}
    assert told == {
        "local orders remember 5 e-1 ValueError: no such order 42",
        "local (queued call) send-receipt 5 - KeyError",
    }


@pytest.mark.usefixtures("dead")
def test_dead_letters_as_json_have_the_event(leeward: Leeward) -> None:
    """A script has all that is needed to publish it again."""
    found = json.loads(leeward("dead-letters", "--json").out)["dead_letters"]
    (letter,) = [each for each in found if each["bus"] == "orders"]
    event = letter.pop("event")
    assert (event["id"], event["type"], event["data"]) == ("e-1", "order.created", {"id": "42"})
    assert letter == {
        "target": "local",
        "bus": "orders",
        "handler": "remember",
        "attempts": 5,
        "error": "ValueError",
        "message": "no such order 42\nsecond line",
    }
    assert {each["event"] for each in found if each["bus"] is None} == {None}


def test_without_dead_letters_that_is_said(leeward: Leeward, bare: Path) -> None:
    """A look makes no file."""
    done = leeward("dead-letters")
    assert (done.code, done.out, done.err) == (0, "", "No dead letters.\n")
    assert json.loads(leeward("dead-letters", "--json").out) == {"dead_letters": []}
    assert list(bare.iterdir()) == []


def test_a_target_that_keeps_none_is_told(leeward: Leeward) -> None:
    """The dead letters of a cloud lie with the cloud."""
    done = leeward("dead-letters", "--targets", "aws:us-east-1")
    assert done.code == 2
    assert "aws:us-east-1" in done.err
    assert "dead letters of the cloud's own service" in done.err


def test_a_broken_module_stops_no_look_at_data(leeward: Leeward, bare: Path) -> None:
    """Items are stored, loaded and deleted; what needs the functions names the module."""
    (bare / "broken_shop.py").write_text("raise RuntimeError('half-written')\n")
    (bare / "leeward.toml").write_text(
        "[targets.local]\nfunctions = { send-receipt = 'broken_shop:send' }\n"
        "[[targets.local.subscriptions]]\nbus = 'orders'\nfunction = 'broken_shop:send'\n"
    )
    assert leeward("store", "orders", '{"id": "42"}').code == 0
    assert leeward("load", "orders", "42").code == 0
    assert leeward("delete", "orders", "42").code == 0
    assert leeward("dead-letters").code == 0
    assert leeward("targets").code == 0
    for args in (("invoke", "send-receipt"), ("publish", "orders", "t")):
        done = leeward(*args)
        assert done.code == 2
        assert "broken_shop" in done.err
