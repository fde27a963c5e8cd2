from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import leeward.errors
from leeward.calls import TOO_LARGE, Call, Result
from leeward.cli.output.exit_codes import EXIT_CODES, exit_code_of
from leeward.errors import (
    AllTargetsUnavailable,
    AuthError,
    CallError,
    ConfigError,
    Conflict,
    DedupUnavailable,
    FunctionError,
    HomeUnavailable,
    InvalidRequest,
    LeewardError,
    NotFound,
    OutcomeUnknown,
    Overloaded,
    PayloadTooLarge,
    SpoolFull,
    TargetUnavailable,
    TargetUnusable,
    Throttled,
    Unsupported,
    ValidationError,
)
from leeward_contract_tests.rows import each_row
from tests.cli.conftest import Leeward
from tests.cli.provider import Script
from tests.house.workspace import ROOT
from tests.scripted import (
    AMBIGUOUS,
    APP_ERROR,
    AUTH,
    CALLER,
    CONFLICT,
    LOCAL,
    NOT_FOUND,
    NOT_SENT,
    REJECTED,
    UNUSABLE,
    Scripted,
)

CODES = {
    LeewardError: 1,
    CallError: 1,
    ConfigError: 2,
    Unsupported: 2,
    InvalidRequest: 2,
    PayloadTooLarge: 2,
    NotFound: 3,
    Conflict: 4,
    AuthError: 5,
    FunctionError: 6,
    Throttled: 7,
    TargetUnavailable: 7,
    AllTargetsUnavailable: 7,
    HomeUnavailable: 7,
    TargetUnusable: 7,
    Overloaded: 7,
    SpoolFull: 7,
    DedupUnavailable: 7,
    OutcomeUnknown: 8,
    ValidationError: 1,
}


def _classes(base: type[LeewardError]) -> Iterator[type[LeewardError]]:
    yield base
    for each in base.__subclasses__():
        yield from _classes(each)


def test_every_error_class_has_a_row() -> None:
    """The table above names every exception that leeward raises on purpose."""
    own = {each for each in _classes(LeewardError) if each.__module__ == leeward.errors.__name__}
    assert own == set(CODES)


def test_a_new_class_has_the_code_of_its_nearest_base() -> None:
    """An adapter's own subclass ends like what it is derived from."""

    class Busy(Throttled):
        pass

    assert exit_code_of(Busy("busy")).code == 7


@each_row("kind, code", [each for each in CODES.items() if each[0] is not CallError])
def test_an_error_ends_with_the_code_of_its_class(
    leeward: Leeward, scripted: Callable[..., Script], kind: type[LeewardError], code: int
) -> None:
    """Each class has its exit code, and the error names its class, its message and the code."""
    scripted(kind("What happened. What to do."))
    done = leeward("invoke", "f", "--json")
    error = json.loads(done.err)["error"]
    assert (done.code, error["exit_code"]) == (code, code)
    assert (error["type"], error["message"]) == (kind.__name__, "What happened. What to do.")
    assert done.out == ""


@pytest.mark.parametrize(
    ("answer", "kind", "code", "may_have_run"),
    [
        (LOCAL, "Overloaded", 7, False),
        (NOT_SENT, "TargetUnavailable", 7, False),
        (REJECTED, "Throttled", 7, False),
        (UNUSABLE, "TargetUnusable", 7, False),
        (AMBIGUOUS, "OutcomeUnknown", 8, None),
        (AMBIGUOUS._replace(executed=True), "OutcomeUnknown", 8, True),
        (APP_ERROR, "FunctionError", 6, None),
        (CALLER, "InvalidRequest", 2, False),
        (CALLER._replace(reason=TOO_LARGE), "PayloadTooLarge", 2, False),
        (AUTH, "AuthError", 5, False),
        (NOT_FOUND, "NotFound", 3, False),
        (CONFLICT, "Conflict", 4, False),
    ],
)
def test_an_outcome_ends_with_its_code_and_says_whether_it_may_have_run(
    leeward: Leeward,
    scripted: Callable[..., Script],
    answer: Result[Any],
    kind: str,
    code: int,
    may_have_run: bool | None,
) -> None:
    """What a target answers decides the code, and what is known about the call's having run."""
    scripted(answer, answer, answer)
    done = leeward("invoke", "f", "--timeout", "1", "--json")
    error = json.loads(done.err)["error"]
    assert (done.code, error["type"], error["may_have_run"]) == (code, kind, may_have_run)
    assert error["attempts"][0]["outcome"] == answer.outcome.value


def test_an_absent_item_ends_with_3_and_is_no_error(leeward: Leeward) -> None:
    """Loading what is not there is told by the code; the object stands on the standard output."""
    done = leeward("load", "orders", "42", "--json")
    assert done.code == 3
    assert json.loads(done.out) == {"found": False, "table": "orders", "item": None}
    assert done.err == ""


def test_an_interruption_ends_with_130_and_says_that_the_call_may_have_run(
    leeward: Leeward, scripted: Callable[..., Script], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ctrl-C in the middle of a call leaves it unknown, and no traceback."""

    def interrupted(self: Scripted, call: Call, timeout: float) -> Result[Any]:
        raise KeyboardInterrupt

    scripted()
    monkeypatch.setattr(Scripted, "perform", interrupted)
    done = leeward("invoke", "f", "--json")
    error = json.loads(done.err)["error"]
    assert (done.code, error["type"], error["may_have_run"]) == (130, "Interrupted", None)


def test_an_unexpected_error_ends_with_1_and_names_the_place_only(
    leeward: Leeward, scripted: Callable[..., Script], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its class and place are shown; its message, which may hold a payload, is not."""
    scripted()
    monkeypatch.setattr(Script, "open", lambda self, config: 1 / 0)
    done = leeward("invoke", "f")
    assert done.code == 1
    assert re.search(r"ZeroDivisionError at .*test_exit_codes\.py:\d+", done.err)
    assert "division by zero" not in done.err
    assert "Traceback" not in done.err


def test_debugging_shows_what_a_driver_raised(
    leeward: Leeward, scripted: Callable[..., Script], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The cause of a call's error stands in the traceback, with the place where it was raised."""
    scripted(KeyError("colour"))
    assert "colour" not in leeward("invoke", "f").err
    monkeypatch.setenv("LEEWARD_DEBUG", "1")
    scripted(KeyError("colour"))
    done = leeward("invoke", "f", "--json")
    assert done.code == 8
    assert "KeyError: 'colour'" in done.err
    assert "scripted.py" in done.err
    assert json.loads(done.err.splitlines()[-1])["error"]["type"] == "OutcomeUnknown"


def test_the_help_lists_every_code(leeward: Leeward) -> None:
    """``leeward --help`` says what each exit code means, each on a line of its own."""
    lines = [line.strip() for line in leeward("--help").out.splitlines()]
    assert [f"{each.code:>3}  {each.meaning}".strip() for each in EXIT_CODES] == [
        line for line in lines if re.match(r"\d+  ", line)
    ]


def test_the_documentation_lists_every_code() -> None:
    """The table of docs/cli.md has the codes of the program."""
    text = (ROOT / "docs/cli.md").read_text(encoding="utf-8")
    assert re.findall(r"^\| (\d+) \|", text, re.MULTILINE) == [
        str(each.code) for each in EXIT_CODES
    ]
