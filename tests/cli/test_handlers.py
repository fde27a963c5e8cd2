"""``leeward app`` and ``leeward trigger``: what an app has, and one run by hand."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from leeward_contract_tests.rows import each_row
from tests.cli.conftest import Leeward

MODULE = """
from dataclasses import dataclass

from leeward import App, Event, OutcomeUnknown
from leeward.app import idempotent

app = App("deskapp")
print("not a result")


@dataclass
class Ticket:
    id: str


@app.function(effect="idempotent", timeout=5, queued=True)
def create(ticket: Ticket, context):
    context.client.store_data("tickets", {"id": ticket.id})
    context.logger.info("created")
    return ticket


@app.on_event("desk", "ticket.created", retries=3)
def note(event: Event):
    assert (event.type, event.data["id"]) == ("ticket.created", "7"), event


@app.on_message("parcels")
def send(parcel):
    raise ValueError(f"no parcel for {parcel}")


@app.on_schedule("0 6 * * *")
def greet(due):
    assert due.tzinfo is not None


@app.on_object("files", prefix="in/")
def arrive(arrived):
    assert (arrived.bucket, arrived.key) == ("files", "in/a")


@app.function()
def charge(what):
    raise KeyboardInterrupt if what == "stop" else OutcomeUnknown("nobody knows")


@app.workflow("order")
def order(w, ticket):
    w.step(create, ticket, id="create")


@app.function(effect="keyed")
@idempotent(table="keys", principal=None, lease=70)
def pay(order):
    return order
"""


@pytest.fixture
def desk(bare: Path) -> Iterator[Path]:
    """Write an app that is named by the configuration."""
    (bare / "deskapp.py").write_text(MODULE)
    (bare / "leeward.toml").write_text(
        '[targets.local]\napp = "deskapp:app"\n[tables.tickets]\nkey = "id"\n'
    )
    root = logging.getLogger()
    before = root.handlers[:], root.level
    yield bare
    root.handlers[:], level = before
    root.setLevel(level)
    sys.modules.pop("deskapp", None)


def test_an_app_is_shown_as_a_table(leeward: Leeward, desk: Path) -> None:
    """Each handler has a line, with what it is for and declares; a program gets the same."""
    lines = [line for line in leeward("app").out.splitlines() if line]
    rows = [line.split() for line in lines]
    assert rows[1] == "create queued calls and calls idempotent - 5 s deskapp.py:16".split()
    assert rows[2] == "note events ticket.created of desk - 3 - deskapp.py:23".split()
    assert rows[4][:8] == "greet the schedule 0 6 * * *".split()
    line = MODULE.splitlines().index('@idempotent(table="keys", principal=None, lease=70)')
    assert rows[-2][-1] == f"deskapp.py:{line}", "of the function, and not of leeward's decorator"
    assert lines[-1] == "workflow order: calls create"
    ran = leeward("app", "deskapp:app", "--json")
    data = json.loads(ran.out)
    assert [each["name"] for each in data["handlers"]] == [row[0] for row in rows[1:-1]]
    assert data["handlers"][4]["trigger"] == {"bucket": "files", "prefix": "in/"}
    assert data["workflows"] == [{"name": "order", "functions": ["create"]}]


@each_row(
    "words, code, words_of_output",
    {
        "a function": (["create", '{"id": "7"}'], 0, '{"id":"7"}'),
        "a file": (["create", "@ticket.json"], 0, '{"id":"7"}'),
        "the data of an event": (["note", '{"id": "7"}'], 0, "the event handler note has run"),
        "an event": (["note", "@event.json"], 0, "the event handler note has run"),
        "now": (["greet"], 0, "the schedule handler greet has run"),
        "a time": (["greet", '"2026-01-31T06:00:00Z"'], 0, "has run"),
        "an object": (["arrive", '{"key": "in/a"}'], 0, "has run"),
        "raises": (["send", '"hunter2"'], 6, "raised ValueError"),
        "its place": (["send", '"hunter2"'], 6, "deskapp.py:30 send"),
        "hidden": (["send", '"hunter2"', "--no-traceback"], 6, "deskapp.py:30 send"),
        "refuses": (["create", "{}"], 6, "refuses its input: $.id is missing; it must be str"),
        "unknown": (["charge"], 8, "nobody knows"),
        "a near name": (["creates", "{}"], 2, "did you mean 'create'?"),
        "another name": (["zebra"], 2, "known: create, note, send, greet, arrive, charge"),
        "no time": (["greet", "7"], 2, 'must be a time such as "2026-01-31T06:00:00Z"'),
        "no object": (["arrive", "7"], 2, 'must name an object: {"key": "in/NAME"}'),
        "another field": (["arrive", '{"key": "a", "sizes": 1}'], 2, "did you mean 'size'?"),
        "another type": (
            ["note", '{"specversion": "1.0", "id": "1", "source": "s", "type": "other"}'],
            2,
            "has another type than 'ticket.created'",
        ),
        "no JSON": (["create", "{"], 2, "INPUT is not JSON"),
    },
)
def test_a_handler_is_run_by_hand(
    leeward: Leeward, desk: Path, words: list[str], code: int, words_of_output: str
) -> None:
    """Its kind says what the input is; a failure has its class, place and own traceback."""
    (desk / "ticket.json").write_text('{"id": "7"}')
    event = {"specversion": "1.0", "id": "1", "source": "s", "type": "ticket.created"}
    (desk / "event.json").write_text(json.dumps(event | {"data": {"id": "7"}}))
    ran = leeward("trigger", *words)
    assert (ran.code, words_of_output in ran.out + ran.err) == (code, True), ran
    is_shown = words[0] == "send" and "--no-traceback" not in words
    assert ("ValueError: no parcel for hunter2" in ran.err) == is_shown
    assert "leeward/app" not in ran.err
    assert "not a result" not in ran.out


def test_a_program_reads_how_a_run_went(leeward: Leeward, desk: Path) -> None:
    """With ``--json``, an answer or an error with its places; what it called has happened."""
    data = json.loads(leeward("trigger", "create", '{"id": "9"}', "--json").out)
    assert (data["handler"], data["kind"], data["value"]) == ("create", "function", {"id": "9"})
    assert leeward("load", "tickets", "9").code == 0
    error = json.loads(leeward("trigger", "send", "1", "--json").err.splitlines()[-1])["error"]
    assert (error["type"], error["retryable"], error["trace"]) == (
        "ValueError",
        True,
        ["deskapp.py:30 send"],
    )
    assert leeward("trigger", "create", "{}", "--app", "deskap:app").code == 2
    stopped = leeward("trigger", "charge", '"stop"')  # as by Ctrl-C
    assert (stopped.code, "Interrupted" in stopped.err) == (130, True)
