"""``leeward logs``: one form for every cloud, with the places in the code."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from leeward.calls import Result
from leeward.calls.looks import LogLine, LogPage, ReadLogs
from leeward.cli.commands import logs
from leeward.cli.commands.logs import entry_of, level_of
from leeward.errors import Outcome
from leeward_contract_tests.rows import each_row
from tests.cli.conftest import Leeward
from tests.cli.provider import Script

Scripted = Callable[..., Script]

FAILED = {
    "severity": "ERROR",
    "message": "handler_failed handler='charge' error='ValueError'",
    "logger": "leeward.app",
    "leeward.error": "ValueError",
    "leeward.at": "/var/task/shop.py:14 charge, /var/task/money.py:3 cents",
    "leeward.causes": "KeyError at /var/task/money.py:9 rate",
}
LINES = (
    LogLine("1", 1_800_000_000.25, "START RequestId: 7"),
    LogLine("2", 1_800_000_001.0, json.dumps(FAILED)),
    LogLine("3", 1_800_000_002.0, "Traceback (most recent call last):\n  File\nKeyError"),
)


def page(*lines: LogLine, cursor: str | None = None) -> Result[Any]:
    """Return an answer with a page."""
    return Result.ok(LogPage(lines, cursor))


def test_lines_are_shown_with_the_places_in_the_code(leeward: Leeward, scripted: Scripted) -> None:
    """Whatever the cloud, time, target, function, level and message, then the places."""
    scripted(page(*LINES[:2], cursor="more"), page(LINES[1], LINES[2]))
    done = leeward("logs", "charge", "--since", "1h")
    assert done.code == 0, done.err
    assert done.out.splitlines() == [
        "2027-01-15T08:00:00.250Z scripted charge INFO     START RequestId: 7",
        (
            "2027-01-15T08:00:01.000Z scripted charge ERROR    handler_failed handler='charge' "
            "error='ValueError' error=ValueError"
        ),
        "    at /var/task/shop.py:14 charge",
        "    at /var/task/money.py:3 cents",
        "    at KeyError at /var/task/money.py:9 rate",
        "2027-01-15T08:00:02.000Z scripted charge ERROR    Traceback (most recent call last):",
        "      File",
        "    KeyError",
    ]


def test_a_program_gets_every_field(leeward: Leeward, scripted: Scripted) -> None:
    """Only errors, if it is told so; the cloud may leave out what is surely none."""
    script = scripted(page(*LINES))
    found = json.loads(leeward("--json", "logs", "charge", "--errors").out)
    assert found["failed"] == []
    assert [line["id"] for line in found["lines"]] == ["2", "3"]
    first = found["lines"][0]
    assert first["frames"][0] == "/var/task/shop.py:14 charge"
    assert first["fields"] == {"logger": "leeward.app", "leeward.error": "ValueError"}
    call = script.call
    assert isinstance(call, ReadLogs)
    assert (call.function, call.errors) == ("charge", True)
    assert call.until - call.since == pytest.approx(600, abs=1)


def test_following_shows_each_line_once(
    leeward: Leeward, scripted: Scripted, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A look begins before the last line, because lines arrive out of order."""
    pauses = iter([None, None])

    def pause(_: float) -> None:
        if next(pauses, "over") == "over":
            raise KeyboardInterrupt

    monkeypatch.setattr("leeward.cli.commands.logs.time.sleep", pause)
    script = scripted(page(*LINES[:2]), page(*LINES[1:]), page())
    done = leeward("--json", "logs", "charge", "--follow", "--since", "365d")
    assert done.code == 0
    assert [json.loads(line)["id"] for line in done.out.splitlines()] == ["1", "2", "3"]
    assert script.driver is not None
    calls: list[Any] = list(script.driver.calls)
    assert calls[2].since == LINES[2].time - logs.OVERLAP


def test_what_cannot_be_read_is_the_exit_code(leeward: Leeward, scripted: Scripted) -> None:
    """As of any call; a function that has never run has no logs."""
    scripted(Result(Outcome.NOT_FOUND, code="ResourceNotFoundException"))
    gone = leeward("logs", "charge")
    assert gone.code == 3
    assert "it has not run, or is not there (ResourceNotFoundException)" in gone.err
    scripted(Result(Outcome.AUTH, code="AccessDenied"))
    assert leeward("logs", "charge").code == 5


def test_a_function_has_to_be_named(bare: Path, leeward: Leeward, scripted: Scripted) -> None:
    """By the command line, or in leeward.toml; each of them is asked."""
    scripted()
    assert "name a function: leeward logs FUNCTION" in leeward("logs").err
    (bare / "leeward.toml").write_text("[functions.one]\n[functions.two]\n")
    scripted(page(LINES[0]), page(LINES[0]))
    found = json.loads(leeward("--json", "logs").out)["lines"]
    assert sorted(line["function"] for line in found) == ["one", "two"]


def test_targets_that_keep_rows_say_where_their_logs_are(leeward: Leeward) -> None:
    """The app runs in processes of the user's own."""
    done = leeward("logs", "charge")
    assert done.code == 2
    assert "its logs are on their standard error" in done.err


@each_row(
    "word, text, level",
    [
        ("", "plain", "INFO"),
        ("", "[ERROR]\t2026-01-31T12:00:00Z\tid\tboom", "ERROR"),
        ("", "2026-01-31 Task timed out after 3.00 seconds", "ERROR"),
        ("", "WARNING: low", "WARNING"),
        ("WARN", "x", "WARNING"),
        ("NOTICE", "x", "INFO"),
        ("EMERGENCY", "x", "CRITICAL"),
        ("odd", "x", "INFO"),
    ],
)
def test_levels_have_one_word_each(word: str, text: str, level: str) -> None:
    """The cloud's own word counts first, then what the text says."""
    assert level_of(word, text) == level


@each_row(
    "text, message, frames",
    [
        ("{not json", "{not json", ()),
        ('{"msg": "hello"}', "hello", ()),
        ('{"message": "m", "exception.stacktrace": ["a.py:1 f"]}', "m", ("a.py:1 f",)),
        (
            "handler_failed id=1 at='/x/shop.py:80 send' causes='KeyError at /x/a.py:1 b'",
            "handler_failed id=1 at='/x/shop.py:80 send' causes='KeyError at /x/a.py:1 b'",
            ("/x/shop.py:80 send", "KeyError at /x/a.py:1 b"),
        ),
    ],
)
def test_places_are_found_in_text_and_in_json(
    text: str, message: str, frames: tuple[str, ...]
) -> None:
    """As leeward writes them, with and without `json_logs`."""
    entry = entry_of("aws", "charge", LogLine("1", 0.0, text))
    assert (entry.message, entry.frames) == (message, frames)
