"""The command line in this process, in a directory of its own."""

from __future__ import annotations

import os
from collections.abc import Callable
from copy import copy
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import pytest
import typer.testing
from typer.testing import CliRunner

from leeward.calls import Result
from leeward.cli.app import app
from leeward.registry import BUILT_IN
from tests.cli import provider
from tests.cli.provider import Script


class Ran(NamedTuple):
    """How a command line ended, and what it wrote."""

    code: int
    out: str
    err: str


class Leeward(Protocol):
    """Runs the command line."""

    def __call__(self, *args: str, stdin: str | bytes | None = None) -> Ran:
        """Run it with `args`."""


@pytest.fixture
def bare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give a working directory without a configuration, and an environment that says nothing."""
    for variable in [*os.environ]:
        if variable.startswith(("LEEWARD_", "CLOUD_", "K_", "KUBERNETES_", "FUNCTIONS_")):
            monkeypatch.delenv(variable)
    for variable in ("NO_COLOR", "FORCE_COLOR", "AWS_LAMBDA_FUNCTION_NAME", "GITHUB_ACTIONS"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@cache
def command_line() -> Any:
    """Return the commands as typer makes them of the functions, which takes longer than a run."""
    return typer.main.get_command(app)


def fresh(command: Any) -> Any:
    """Return a copy of a command, or of a group with all below it: a run may add commands."""
    made = copy(command)
    if hasattr(made, "commands"):
        made.commands = {name: fresh(each) for name, each in made.commands.items()}
    return made


@pytest.fixture
def leeward(bare: Path, monkeypatch: pytest.MonkeyPatch) -> Leeward:
    """Run the command line in the bare directory."""
    monkeypatch.setattr(typer.testing, "_get_command", lambda _: fresh(command_line()))

    def run(*args: str, stdin: str | bytes | None = None) -> Ran:
        result = CliRunner().invoke(app, args, input=stdin)
        assert result.exception is None or isinstance(result.exception, SystemExit)
        return Ran(result.exit_code, result.stdout, result.stderr)

    return run


@pytest.fixture
def scripted(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Script]:
    """Let ``CLOUD_PROVIDER`` name a target that answers as told; for a call without a word, OK."""

    def write(*answers: Result[Any] | Exception) -> Script:
        script = Script(*answers)
        monkeypatch.setattr(provider, "script", script)
        monkeypatch.setitem(BUILT_IN, "scripted", "tests.cli.provider:open_target")
        monkeypatch.setenv("CLOUD_PROVIDER", "scripted")
        return script

    return write
