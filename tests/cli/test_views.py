"""Every report, rendered in three ways: for a terminal, as JSON, as a page of the console."""

from __future__ import annotations

import json
import re
from decimal import Decimal
from io import StringIO
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Final

from rich.console import Console

from leeward._operations.unknowns import UnknownCall
from leeward.app import App
from leeward.app.idempotency.record import Approval, KeyRecord, KeyState
from leeward.cli.commands.demo import demo
from leeward.cli.commands.targets import show_version
from leeward.cli.key_records import possible_changes
from leeward.cli.output.console import Printer, Printers, RichPrinter, render_report
from leeward.errors import Attempt, Outcome
from leeward.status.facts import Fact, Level, Subject, report_of
from leeward.values import (
    CircuitStatus,
    InvokeResult,
    Isolation,
    ItemPage,
    Promise,
    Receipt,
    Record,
    StoreReceipt,
    TargetStatus,
)
from leeward.values.objects import ObjectInfo
from leeward.values.runs import Run, RunEvent, RunState, RunWait
from leeward.values.settled import Settled, Verdict
from leeward.views import (
    Details,
    Report,
    Severity,
    Table,
    answers,
    calls,
    in_words,
    item_json,
    letters,
    runs,
    severity_of,
    targets,
)
from leeward_contract_tests.rows import each_row
from leeward_dev.console.html import element
from leeward_dev.console.layout import show_parts
from tests.console.visitor import Reader

NOW: Final = 1_780_000_000.0

LETTER = letters.row_of(
    "local",
    letters.FoundLetter(
        *("7", "orders", "remember", "ValueError", "sold_out", "maybe", 5, NOW - 7200, "no order"),
        None,
    ),
    b'{"id": "42"}',
)

RECORD = KeyRecord(
    *(KeyState.WAITING, "owner", 3, NOW - 60, "digest", False),
    approval=Approval("Refund 7?", None),
)
ROW = calls.KeyRow("refund:7", RECORD, "r-1", NOW + 86_400, NOW - 300)
UNKNOWN = UnknownCall(
    *("u-1", "invoke", "charge", ("k-1",), ("local",), NOW - 90, NOW - 90, 0, "timeout"),
    *("OutcomeUnknown", {}, None, None),
)
SETTLED = calls.facts_of(UNKNOWN) | {"error": "what was sent is not in the table"}
RUN = Run(
    *("order", "o-1", "local", RunState.RUNNING, "0123456789abcdef", NOW - 30),
    events=(
        RunEvent("reserve", 1, NOW - 29, NOW - 28),
        RunEvent("charge", 1, NOW - 28, NOW - 27, "CardDeclined", ambiguous=True),
        RunEvent("ship", 1, NOW - 27),
        RunEvent("may-go", 1, NOW - 27),
    ),
    waits=(RunWait("may-go", ("may-go",), NOW + 60, {"ask": "Ship it?"}),),
)
TARGET = targets.row_of(
    TargetStatus(
        *("local", frozenset({"invoke"}), {"path": "shop.sqlite3"}, 3, 1, None, "isolated"),
        circuits=(CircuitStatus("invoke", "charge", "half_open", "it failed", 4.0),),
        isolation=Isolation("local", "ann", "it is ill", NOW - 60, NOW + 60),
    )
)
APP = App("shop")


@APP.function(effect="idempotent", timeout=5)
def create(order: object) -> object:
    """Return an order."""
    return order


TRIED = (Attempt("a", 0.0, 0.5, Outcome.NOT_SENT), Attempt("b", 0.5, 0.25, Outcome.OK, "201"))
ITEM = Record({"id": "7", "total": Decimal("9.90")}, "r-1", "b", attempts=TRIED)
OBJECT = ObjectInfo("a.txt", 12, "r-1", "b", attempts=TRIED, metadata={"Made-by": "ann"})

FACTS = [
    Fact(Subject.QUEUE, "local", "mails", Level.WRONG, "1 dead letter", "look", {"dead": 1}),
    Fact(Subject.TARGET, "local", "", Level.OK, "answers in 0 ms"),
]

REPORTS: Final[dict[str, tuple[str, Report]]] = {
    "letters": ("dlq list", letters.list_letters([LETTER], {"local": "7"}, NOW)),
    "a letter": ("dlq list", letters.show_letters([LETTER], {}, NOW)),
    "letters moved": (
        "dlq redrive",
        letters.report_moves(letters.Moved(2, ("7",), ("8",), ("9",), ("would go",)), "moved"),
    ),
    "keys": ("keys list", calls.list_keys([calls.row_of_key(ROW, NOW)], NOW, "keys")),
    "a key": (
        "keys show",
        calls.show_key(ROW, NOW, "keys", possible_changes(ROW, NOW), with_result=True),
    ),
    "a key changed": ("keys settle", calls.show_change(ROW, NOW)),
    "unknown calls": (
        "unknown list",
        calls.list_unknown([calls.row_of_unknown(UNKNOWN, NOW)], NOW),
    ),
    "calls settled": ("unknown settle", calls.show_settlement([], [SETTLED])),
    "runs": ("workflow list", runs.list_runs([RUN], NOW)),
    "a run": ("workflow start", runs.show_run(RUN, NOW)),
    "an app": (
        "app",
        targets.show_app("shop", [targets.row_of_handler(APP.handlers["create"])], []),
    ),
    "a target": ("targets", Report({"targets": [TARGET]}, NOW, [*targets.show_target(TARGET, 1)])),
    "status": ("status", report_of(FACTS, NOW)),
    "an answer": ("invoke", answers.show_answer(InvokeResult({"a": 1}, "b", "k-1", TRIED))),
    "a queued call": (
        "enqueue",
        answers.show_receipt(Receipt(Promise.ACCEPTED, "b", "k-1", TRIED)),
    ),
    "a write": (
        "store",
        answers.show_receipt(StoreReceipt(Promise.COMMITTED, "b", "r-1", True, TRIED)),
    ),
    "an item": ("load", answers.show_item(ITEM)),
    "items": ("list", answers.show_items([ItemPage((ITEM,), "c-1", "b", TRIED)])),
    "an object": ("object show", answers.show_object(OBJECT)),
    "a verdict": ("settle", answers.show_verdict(Settled(Verdict.RAN, {"a": 1}), "f")),
    "no verdict": ("settle", answers.show_verdict(Settled(Verdict.UNKNOWN), "f")),
    "the demo": ("demo", demo()),
    "the version": ("version", show_version()),
}


def _words_of(report: Report) -> list[str]:
    """Return every value of a report in words, as any renderer has to show it."""
    words: list[str] = []
    for part in report.parts:
        match part:
            case Table():
                shown = [(each, row) for row in part.rows for each in part.visible_columns()]
                words += [in_words(it.value(row), it.format, report.now) for it, row in shown]
            case Details():
                words += [in_words(*value, report.now) for _, value in part.values()]
            case str():
                words.append(part)
            case _:
                words.append(part.text)
    return [each for each in words if each != "-"]


def _in_terminal(report: Report, *, is_rich: bool = False) -> tuple[str, str]:
    streams = StringIO(), StringIO()
    make: Any = _rich if is_rich else Printer
    render_report(report, Printers(*map(make, streams)))
    return streams[0].getvalue(), streams[1].getvalue()


def _rich(stream: StringIO) -> RichPrinter:
    return RichPrinter(Console(file=stream, force_terminal=True, width=400))


def _in_page(report: Report, *, can_write: bool = True) -> Reader:
    visit: Any = SimpleNamespace(sources=SimpleNamespace(can_write=can_write))
    parts = show_parts(visit, report)
    return Reader(str(element("form", parts)))


@each_row("command, report", REPORTS)
def test_a_report_is_the_same_in_three_ways(command: str, report: Report) -> None:
    """Each value is on the terminal and on the page in the same words; JSON has the rows."""
    words = _words_of(report)
    plain, _ = _in_terminal(report)
    rich, _ = _in_terminal(report, is_rich=True)
    page = _in_page(report).text
    assert words
    for each in words:
        assert each in plain
        assert each in re.sub(r"\x1b\[[0-9;]*m", "", rich)
        assert each in page
    assert json.loads(item_json.write(report.data, ascii_only=True))


ALSO: Final = {
    "keys show": "keys list",
    "keys settle": "keys list",
    "workflow list": "workflow start",
    "unknown settle": "settle",
}
"""Commands whose objects have the keys of another one's, too, as the page says."""


@each_row("command, report", REPORTS)
def test_json_has_the_documented_keys(command: str, report: Report) -> None:
    """The objects of a report are those that the page of the command line lists."""
    section = Path("docs/cli.md").read_text("utf-8").partition("## `--json`")[2]
    texts = [
        next(line for line in section.splitlines() if f"`{each}`" in line[: line.find(" | ")])
        for each in (command, ALSO.get(command, command))
    ]
    if command == "targets":
        texts.append(section.partition("A target has")[2].partition("A table has")[0])
    known = {each for text in texts for each in re.findall(r"`(\w+)`", text)}
    lists = [
        value
        for name, value in report.data.items()
        if isinstance(value, list) and name != "attempts"  # every command has the same
    ]
    rows = [row for each in [*lists, [report.data.get("key", {})]] for row in each]
    used = {*report.data, *(name for row in rows if isinstance(row, dict) for name in row)}
    assert used - known == set()


@each_row("command, report", REPORTS)
def test_who_may_change_nothing_gets_no_button(command: str, report: Report) -> None:
    """What a button does, a command does: the terminal shows the command beside it."""
    assert not _in_page(report, can_write=False).forms[0].buttons
    _, told = _in_terminal(report)
    assert all(each.command in told for each in report.actions)
    assert all(each.command.startswith("leeward ") for each in report.actions)


def test_what_waits_is_no_failure() -> None:
    """Each state has one meaning, whatever it is a state of; an unknown one is unsure."""
    assert [severity_of(each) for each in ("waiting", "approved")] == [Severity.WAITING] * 2
    assert {severity_of(each) for each in ("failed", "failed: KeyError", "WRONG", "broken")} == {
        Severity.WRONG
    }
    assert {severity_of(each) for each in ("unknown", "may have run: KeyError", "half open")} == {
        Severity.UNSURE
    }
    assert {severity_of(each.value) for each in (RunState.RUNNING, KeyState.VOID)} == {
        Severity.NEUTRAL
    }


def test_what_others_have_written_is_text_everywhere() -> None:
    """Neither a terminal nor a browser obeys a value."""
    hostile = "\x1b[31m<script>canary()</script>\u202e"
    row = LETTER | {"handler": hostile, "error": hostile, "id": hostile}
    report = letters.list_letters([row], {}, NOW)
    plain, _ = _in_terminal(report)
    assert r"\x1b[31m" in plain
    assert "\x1b" not in plain
    page = _in_page(report)
    assert "script" not in [tag for tag, _ in page.tags]
    assert "\u202e" not in page.text
