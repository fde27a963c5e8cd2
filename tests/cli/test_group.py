from __future__ import annotations

import json

import pytest

from leeward.cli.group import globals_first
from leeward_contract_tests.rows import each_row
from tests.cli.conftest import Leeward


@each_row(
    "args, sorted_args",
    [
        (["invoke", "f"], ["invoke", "f"]),
        (["invoke", "f", "--json"], ["--json", "invoke", "f"]),
        (["load", "--targets", "a", "t", "k"], ["--targets", "a", "load", "t", "k"]),
        (["load", "t", "--config=c", "k"], ["--config=c", "load", "t", "k"]),
        (["load", "t", "--", "--json"], ["load", "t", "--", "--json"]),
        (["load", "t", "--targets"], ["--targets"]),
        (["--targets", "--json", "load"], ["--targets", "--json", "load"]),
        (["store", "t", "x", "--if-revision", "r"], ["store", "t", "x", "--if-revision", "r"]),
    ],
)
def test_global_options_come_first(args: list[str], sorted_args: list[str]) -> None:
    """They are moved with their values; after ``--`` nothing is an option."""
    assert globals_first(args) == sorted_args


@pytest.mark.parametrize(
    ("args", "complaint"),
    [
        (["invoke"], "Missing argument 'FUNCTION'. See leeward invoke --help."),
        (["invok", "f"], "Did you mean 'invoke'? See leeward --help."),
        (["load", "t", "k", "--if-absent"], "No such option"),
        (["load", "t", "k", "--targets"], "'--targets' requires an argument. See leeward --help."),
        (["--nope", "load"], "No such option"),
        (["load", "t", "k", "--timeout", "soon"], "Invalid value for '--timeout'"),
        (["keys", "settle", "t", "r"], "Choose from: ran, did-not-run. See leeward keys settle"),
        (["keys", "settle", "t", "r", "x"], "'outcome': 'x' is not one of 'ran', 'did-not-run'."),
    ],
)
def test_a_wrong_command_line_is_a_usage_error(
    leeward: Leeward, args: list[str], complaint: str
) -> None:
    """It ends with 2 and points to the help, for a person and for a program."""
    person, program = leeward(*args), leeward("--json", *args)
    assert (person.code, person.out, program.code, program.out) == (2, "", 2, "")
    assert person.err.startswith("UsageError (exit code 2)\n")
    assert complaint in person.err
    error = json.loads(program.err)["error"]
    assert (error["type"], error["exit_code"], error["may_have_run"]) == ("UsageError", 2, False)
    assert complaint in error["message"]


def test_no_command_shows_the_help(leeward: Leeward) -> None:
    """``leeward`` alone explains itself, and is no success in a script."""
    done = leeward()
    assert done.code == 2
    assert "Exit codes:" in done.out


def test_no_command_for_a_program_is_a_usage_error(leeward: Leeward) -> None:
    """With ``--json`` there is one object, never a help text."""
    for args, command in ([], "leeward"), (["keys"], "leeward keys"):
        done = leeward("--json", *args)
        assert (done.code, done.out) == (2, "")
        error = json.loads(done.err)["error"]
        assert error["message"] == f"Missing command. See {command} --help."
