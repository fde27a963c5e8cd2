from __future__ import annotations

import re
from collections.abc import Callable
from io import StringIO
from pathlib import Path

import pytest
from rich.cells import cell_len
from rich.console import Console

from leeward.calls import FunctionFault, Result
from leeward.cli.output.console import LONGEST_WORD, Printer, RichPrinter
from leeward.errors import Outcome, OutcomeUnknown
from tests.cli.conftest import Leeward
from tests.cli.provider import Script
from tests.scripted import AMBIGUOUS, APP_ERROR, NOT_SENT, REJECTED

Scripting = Callable[..., Script]

FRAME = "╭"
COLOUR = "\x1b[3"


@pytest.fixture
def terminal(bare: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make rich believe that both streams are terminals."""
    monkeypatch.setenv("FORCE_COLOR", "1")


def test_a_pipe_gets_the_answer_and_nothing_else(leeward: Leeward, scripted: Scripting) -> None:
    """The standard output holds the value as JSON; how it came stands on the standard error."""
    scripted(Result.ok({"who": "Zürich"}))
    done = leeward("invoke", "f", "--idempotency-key", "k")
    assert done.out == '{\n  "who": "Zürich"\n}\n'
    assert done.err == "target scripted, idempotency key k\n"


def test_attempts_are_shown_where_there_were_several(leeward: Leeward, scripted: Scripting) -> None:
    """A call that needed two attempts says so, on the standard error."""
    scripted(NOT_SENT, Result.ok(1))
    done = leeward("invoke", "f")
    assert done.out == "1\n"
    assert re.search(r"^TARGET +AFTER +TOOK +OUTCOME", done.err, re.MULTILINE)
    assert re.search(r"^scripted .* not_sent$", done.err, re.MULTILINE)
    assert re.search(r"^scripted .* ok$", done.err, re.MULTILINE)


def test_an_error_says_what_happened_and_what_to_do(leeward: Leeward, scripted: Scripting) -> None:
    """The class, the message, whether it may have run, whether to repeat it, and the attempts."""
    scripted(Result(Outcome.AMBIGUOUS, code="connection.reset", request_id="r-7", executed=None))
    done = leeward("invoke", "charge", "--idempotency-key", "k-1")
    assert (done.code, done.out) == (8, "")
    lines = done.err.splitlines()
    assert lines[0] == "OutcomeUnknown (exit code 8)"
    assert "may have run, or not (connection.reset). It is unsafe to repeat" in lines[1]
    assert "may have run     perhaps" in lines
    assert "idempotency key  k-1" in lines
    assert re.search(r"scripted .* ambiguous +connection\.reset +r-7$", done.err)


def test_what_a_function_raised_is_shown(leeward: Leeward, scripted: Scripting) -> None:
    """Whoever types the call looks at the answer themselves: class, text and trace are shown.

    The text stays apart from leeward's own message, which programs log.
    """
    fault = FunctionFault("ValueError", "no such order", ('File "shop.py", line 3', "  raise"))
    scripted(Result(Outcome.APP_ERROR, fault=fault))
    done = leeward("invoke", "f")
    assert 'File "shop.py", line 3\n  raise\n' in done.err
    assert re.search(r"^error type +ValueError$", done.err, re.MULTILINE)
    assert re.search(r"^error message +no such order$", done.err, re.MULTILINE)
    assert "no such order" not in done.err.splitlines()[1]


def test_a_read_back_is_told_apart(leeward: Leeward, scripted: Scripting) -> None:
    """The look-up after a lost answer is no second attempt to store."""
    scripted(AMBIGUOUS, Result.ok(None), REJECTED, REJECTED)
    assert "read back: ok" in leeward("store", "t", '{"id": "1"}').err


@pytest.mark.usefixtures("terminal")
def test_a_terminal_gets_frames_and_colours(leeward: Leeward, scripted: Scripting) -> None:
    """On a terminal an error stands in a frame of its width."""
    scripted(APP_ERROR)
    err = leeward("invoke", "f").err
    assert COLOUR in err
    assert {len(line) for line in _bare(err).splitlines()} == {80}
    assert _bare(err).startswith(f"{FRAME}─ FunctionError (exit code 6) ─")


@pytest.mark.usefixtures("terminal")
def test_long_values_are_not_wrapped_in_json(leeward: Leeward, scripted: Scripting) -> None:
    """A line of JSON that is wider than the terminal stays one line."""
    scripted(Result.ok("x" * 200))
    assert f'"{"x" * 200}"\n' in _bare(leeward("invoke", "f").out)


@pytest.mark.parametrize("on_terminal", [False, True])
def test_data_is_shown_not_obeyed(
    leeward: Leeward, scripted: Scripting, monkeypatch: pytest.MonkeyPatch, on_terminal: bool
) -> None:
    """Neither markup nor control characters of a target or function do anything."""
    if on_terminal:
        monkeypatch.setenv("FORCE_COLOR", "1")
        monkeypatch.setenv("NO_COLOR", "1")
    scripted(OutcomeUnknown("[red]so[/red] \x1b[31m \x9b"))
    assert r"[red]so[/red] \x1b[31m \x9b" in leeward("invoke", "f").err
    scripted(Result.ok("\x1b[31m\x9b\u2028[b]"))
    assert leeward("invoke", "f").out == '"\\u001b[31m\\u009b\\u2028[b]"\n'


def test_a_table_breaks_no_word_at_any_width() -> None:
    """Columns shrink to their longest words; then those without a value go; then each row is pairs.

    Wide characters take two places.
    """
    words = ["create-ticket", "办公室的单子", "cre\u0301e\u0301", "🦊" * 9, "x" * LONGEST_WORD]
    row = [f"{word} as of {word}" for word in words]
    header = ["handler", "trigger", "kind", "place", "id"]
    shown = {}
    for width in (5, *range(50, 200, 3)):  # 5: not even for what is between the columns
        out = StringIO()
        console = Console(file=out, force_terminal=True, color_system=None, width=width)
        RichPrinter(console).table([*header, "error"], [[*row, "-"], [*row, ""]], ("cyan",))
        assert max(map(cell_len, out.getvalue().splitlines())) <= width
        shown[width] = out.getvalue().split()
    assert len("".join(shown.pop(5))) > 20
    assert all(each.count(word) == 4 for each in shown.values() for word in words)
    assert {width: each.count("place") for width, each in shown.items()} == {
        width: 2 if width < 91 else 1 for width in shown
    }
    assert {width: "error" in each for width, each in shown.items()} == {
        width: width >= 98 for width in shown
    }


def test_wide_characters_are_aligned_where_nobody_looks() -> None:
    """A column begins at one place in every line, as a terminal counts places."""
    out = StringIO()
    Printer(out).table(("name", "b"), [("办公", "1"), ("e\u0301", "1"), ("abc", "1")])
    assert {cell_len(line) for line in out.getvalue().splitlines()} == {7}


def _bare(text: str) -> str:
    return re.sub(r"\x1b\[[0-9;]*m", "", text)
