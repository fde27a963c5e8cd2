from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from leeward.cli import group
from leeward.entrypoints import EntryPoint
from tests.cli.conftest import Leeward, command_line, fresh


def _commands(group: Any = None, *words: str) -> Iterator[str]:
    """Yield each command as it is typed, those below groups included."""
    group = group or fresh(command_line())
    for name in group.list_commands(None):
        command = group.get_command(None, name)
        if hasattr(command, "list_commands"):
            yield from _commands(command, *words, name)
        else:
            yield " ".join([*words, name])


def _examples(help_text: str) -> list[str]:
    _, _, after = help_text.partition("Examples:\n")
    block, _, _ = after.partition("\n\n")
    return [line.strip() for line in block.splitlines()]


def test_every_command_is_listed(leeward: Leeward) -> None:
    """The help of the whole names every command, by what somebody wants to do."""
    body = leeward("-h").out.partition("\nFirst steps:\n")[2].partition("\n  Exit codes:")[0]
    listed = [re.findall(r"^  (\w+) ", lines, re.MULTILINE) for lines in body.split("\n\n")]
    names = sorted(name for panel in listed for name in panel)
    assert names == sorted({each.split()[0] for each in _commands()})
    assert len(listed[0]) == 10
    assert "..." not in body


def test_a_command_that_is_not_installed_says_what_to_install(
    leeward: Leeward, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever comes after it, and the help still lists it; one that leeward never had is wrong."""
    monkeypatch.setattr(group, "entry_points", lambda _: [])
    monkeypatch.setattr(group, "all_entry_points", lambda _: [])
    for line, install in (
        ("package shop:app --target aws", 'pip install "leeward[deploy]"'),
        ("backup create orders --store backups", 'pip install "leeward[backup]"'),
        ("workflow export order --engine aws --help", 'pip install "leeward[deploy]"'),
    ):
        done = leeward(*line.split(), "--json")
        assert done.code == 2
        error = json.loads(done.err)["error"]
        assert (error["type"], install in error["message"]) == ("ConfigError", True)
    assert error["message"].startswith("leeward workflow export cannot run; it is not installed")
    assert re.search(r'package +\(it is not installed: pip install "leeward', leeward("-h").out)
    assert "No such command 'packages'. Did you mean 'package'?" in leeward("packages").err


def test_a_command_that_does_not_load_harms_no_other(
    leeward: Leeward, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It says which package is broken, and with what."""
    point = EntryPoint("fog", "leeward_fog.commands:FOG", "leeward-fog")
    monkeypatch.setattr(group, "entry_points", lambda _: [point])
    monkeypatch.setattr(group, "all_entry_points", lambda _: [point])
    assert leeward("--help").code == leeward("version").code == 0
    done = leeward("fog")
    assert done.code == 2
    assert "leeward_fog.commands:FOG of leeward-fog does not load: ModuleNotFoundError" in done.err


def test_the_help_of_a_command_teaches_by_examples(
    leeward: Leeward, bare: Path, subtests: pytest.Subtests
) -> None:
    """Each example is a command line that is understood, in 80 columns, and the help is plain."""
    (bare / "order.json").write_text('{"id": "42"}')
    for command in _commands():
        with subtests.test(command):
            help_text = leeward(*command.split(), "--help").out
            assert "│" not in help_text
            assert max(map(len, help_text.splitlines())) <= 80
            examples = _examples(help_text)
            assert examples
            for example in examples:
                _understood(leeward, command, example)


def _understood(leeward: Leeward, command: str, example: str) -> None:
    program, *args = shlex.split(re.split(" [|>] ", example)[0])
    assert program == "leeward"
    assert " ".join(args).startswith((command, "load "))
    if command in ("console", "dev", "postgres schema"):
        args += ["--help"]  # else it goes on, or looks for a server
    assert "UsageError" not in leeward(*args).err, example


def test_version_is_the_packages(leeward: Leeward) -> None:
    """The command and the option say the same."""
    import leeward as package

    for args in (("version",), ("--version",)):
        assert leeward(*args).out.startswith(f"leeward {package.__version__} (Python 3.")
