"""``leeward dlq``: what was given up, and moving it back; ``leeward load`` needs no function."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import typer

from leeward import App, Client
from leeward.app import Message
from leeward.cli.commands.dlq import _change
from leeward.cli.dead_letters import MoveOptions, StoreLetters
from leeward.local import Local
from leeward.status import read_queues
from leeward.views.letters import FoundLetter
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
    done = leeward("dlq", "list")
    assert done.code == 0
    rows = [line.split() for line in done.out.splitlines()]
    assert rows[0] == ["TARGET", "ID", "GIVEN", "UP", "QUEUE", "HANDLER", "TRIES", "RAN", "ERROR"]
    assert all(row[3:5] == ["s", "ago"] for row in rows[1:])
    told = {" ".join([row[0], *row[5:]]) for row in rows[1:]}
    assert told == {
        "local orders remember 5 maybe ValueError: no such order 42",
        "local send-receipt send-receipt 5 maybe KeyError",
    }


@pytest.mark.usefixtures("dead")
def test_dead_letters_are_shown_with_their_bodies(leeward: Leeward) -> None:
    """For a person and for a script; those of given ids alone."""
    found = json.loads(leeward("dlq", "show", "--json").out)["dead_letters"]
    letters = {each["handler"]: each for each in found}
    assert json.loads(letters["remember"]["body"])["data"] == {"id": "42"}
    assert json.loads(letters["send-receipt"]["body"]) == {"id": "42"}
    one = letters["remember"]
    assert (one["target"], one["queue"], one["attempts"], one["ran"]) == (
        "local",
        "orders",
        5,
        "maybe",
    )
    some = leeward("dlq", "show", "--limit", "1")
    assert f"local has more: --after {found[0]['id']}" in some.err
    assert found[1]["body"] not in some.out.splitlines()
    rest = leeward("dlq", "show", "--after", found[0]["id"])
    assert (found[1]["body"] in rest.out, "more" in rest.err) == (True, False)
    assert f"leeward dlq redrive --id {found[1]['id']} --targets local" in rest.err
    shown = leeward("dlq", "show", "--id", one["id"])
    assert one["body"] in shown.out
    assert letters["send-receipt"]["body"] not in shown.out.splitlines()


@pytest.mark.usefixtures("dead")
def test_what_may_have_run_is_moved_by_force_alone(leeward: Leeward, bare: Path) -> None:
    """A dry run moves nothing; what is moved is delivered again."""
    dry = json.loads(leeward("dlq", "redrive", "--dry-run", "--force", "--json").out)
    assert (dry["moved"], dry["dry_run"]) == (2, True)
    left = leeward("dlq", "redrive")
    assert (left.code, left.out) == (0, "0 letters moved back.\n")
    assert "--force" in left.err
    old = leeward("dlq", "redrive", "--keep", "0")
    assert "2 are older" in old.err
    assert json.loads(leeward("dlq", "redrive", "--force", "--rate", "1000", "--json").out) == {
        "moved": 2,
        "left": [],
        "old": [],
        "elsewhere": [],
        "why": [],
        "dry_run": False,
    }
    assert leeward("dlq", "list").err == "No dead letters.\n"
    cloud = Local(path=bare / ".leeward" / "local.sqlite3")
    seen: list[object] = []
    cloud.function("send-receipt")(seen.append)
    with Client(cloud):
        cloud.wait_idle(30)
    assert seen == [{"id": "42"}]


def test_a_handler_of_messages_goes_by_its_own_name(
    leeward: Leeward, bare: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """In letters, status and logs, and for --to: whoever looks need not know which queue it has."""
    app, local = App("shop"), Local(path=bare / ".leeward" / "local.sqlite3")

    @app.on_message("parcels", retries=0)
    def send_parcel(message: Message) -> None:
        raise ValueError("no van")

    with Client(local, app=app) as client:
        client.enqueue("parcels", {"id": "42"})
        local.wait_idle(30)
    assert "dead_lettered id=1 queue='parcels' handler='send-parcel'" in caplog.text
    (letter,) = json.loads(leeward("dlq", "list", "--json").out)["dead_letters"]
    assert (letter["queue"], letter["handler"]) == ("parcels", "send-parcel")
    assert "queue send-parcel of parcels  nothing waits; 1 dead letter" in leeward("status").out
    assert "1 letter moved back" in leeward("dlq", "redrive", "--to", "send-parcel", "--force").out
    assert "queue send-parcel of parcels  1 call or message waits" in leeward("status").out


def test_a_handler_has_its_own_name_in_memory_too() -> None:
    """Where no other process has the rows, as in tests and in a console over them."""
    app, local = App("shop"), Local()

    @app.on_message("orders", retries=0)
    def take_order(message: Message) -> None:
        raise ValueError("no stock")

    with Client(local, app=app) as client:
        client.enqueue("orders", {"id": "42"})
        local.wait_idle(30)
        (depth,) = read_queues(local)
        (letter,) = StoreLetters(local.stores(), "local").each()
    assert (depth.name, letter.handler) == ("take-order of orders", "take-order")


@pytest.mark.usefixtures("dead")
def test_dead_letters_are_deleted_by_id(leeward: Leeward) -> None:
    """Where that is forced; an id that is not there is an error, of every action."""
    found = json.loads(leeward("dlq", "list", "--json").out)["dead_letters"]
    one, other = (each["id"] for each in found)
    assert "--id" in leeward("dlq", "delete").err
    assert leeward("dlq", "delete", "--id", one).out == "0 letters deleted.\n"
    assert leeward("dlq", "delete", "--id", one, "--force").out == "1 letter deleted.\n"
    for action in ("list", "show", "redrive", "delete"):
        done = leeward("dlq", action, "--id", "99", "--id", one, "--id", other)
        assert (done.code, f"has the id {one}, 99" in " ".join(done.err.split())) == (3, True)


@pytest.mark.threat("S9")
@pytest.mark.usefixtures("bare")
def test_the_question_is_shown_and_not_obeyed(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a letter says of itself reaches a terminal with escapes alone."""
    hostile = "\x1b]0;owned\x07\x9b2J"
    found = FoundLetter(hostile, hostile, None, hostile, None, "maybe", 1, None, None, None)
    letters: Any = SimpleNamespace(each=lambda: iter([found]), flaw_of=lambda _: None)
    asked: list[str] = []
    monkeypatch.setattr(typer, "confirm", lambda text, **_: asked.append(text))
    monkeypatch.setattr("sys.stdin", SimpleNamespace(isatty=lambda: True))
    options: Any = SimpleNamespace(output=SimpleNamespace(is_for_programs=False))
    for delete in (False, True):
        _change(options, [("aws", letters)], MoveOptions(frozenset([hostile])), delete=delete)
    assert len(asked) == 2
    assert all(text.isprintable() and "owned" in text for text in asked)


def test_a_queue_is_needed_for_a_cloud_and_refused_for_this_process(leeward: Leeward) -> None:
    """The message says what to write; nothing is sent."""
    for args, told in (
        (("list", "--targets", "aws:us-east-1"), "leeward dlq list QUEUE"),
        (("list", "dead"), "leave 'dead' out"),
        (("redrive", "1"), "leave '1' out, and name a letter with --id"),
        (("list", "dead", "--targets", "aws:us-east-1,aws:eu-west-1"), "--targets"),
        (("redrive", "--to", "parcels"), "no version of the app has a handler 'parcels'"),
        (("redrive", "--rate", "0"), "--rate"),
        (("redrive", "--limit", "7"), "--limit and --after are for list and show"),
        (("list", "--after", "x"), "--after must be the id of a letter"),
        (("list", "--after", "9" * 19), "--after must be the id of a letter"),
        (("list", "--after", "9" * 5_000), "--after must be the id of a letter"),
        (("list", "--after", "1", "--targets", "local,local:b"), "say with --targets whose letter"),
        (("list", "dead", "--after", "1", "--targets", "aws:us-east-1"), "a queue keeps no order"),
        (("redrive", "dead", "--targets", "aws:us-east-1"), "say with --to where"),
    ):
        done = leeward("dlq", *args)
        assert done.code == 2, args
        assert told in " ".join(done.err.split()), args


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
    assert leeward("dlq", "list").code == 0
    assert leeward("targets").code == 0
    for args in (("invoke", "send-receipt"), ("publish", "orders", "t")):
        done = leeward(*args)
        assert done.code == 2
        assert "broken_shop" in done.err
