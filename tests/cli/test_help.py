from __future__ import annotations

import shlex
from pathlib import Path

import pytest

from tests.cli.conftest import Leeward

COMMANDS = [
    *("invoke", "enqueue", "publish", "store", "load", "delete"),
    *("targets", "doctor", "drill", "dlq", "package", "demo", "version"),
]
OBJECTS = "put get show list delete".split()
"""Of `leeward object`."""
FLOWS = "start list show cancel abort resume check write draw conformance export".split()
"""Of `leeward workflow`."""
BACKUPS = "create list check restore drill schedule prune native".split()
"""Of `leeward backup`."""
EDGES = "check export package associate".split()
"""Of `leeward edge`."""
EXPORTS = ["terraform", "cloudformation"]
"""Of `leeward export`."""
KEYS = ["list", "settle"]
"""Of `leeward keys`."""
GROUPS = ["keys", "object", "workflow", "backup", "edge", "export", "scheduler"]

ALL = [
    *COMMANDS,
    *(f"object {each}" for each in OBJECTS),
    *(f"workflow {each}" for each in FLOWS),
    *(f"backup {each}" for each in BACKUPS),
    *(f"edge {each}" for each in EDGES),
    *(f"export {each}" for each in EXPORTS),
    *(f"keys {each}" for each in KEYS),
    "scheduler run",
]


def _examples(help_text: str) -> list[str]:
    _, _, after = help_text.partition("Examples:\n")
    block, _, _ = after.partition("\n\n")
    return [line.strip() for line in block.splitlines()]


def test_every_command_is_listed(leeward: Leeward) -> None:
    """The help of the whole names every command."""
    groups = {
        (): [*COMMANDS, *GROUPS],
        ("object",): OBJECTS,
        ("workflow",): FLOWS,
        ("backup",): BACKUPS,
        ("edge",): EDGES,
        ("export",): EXPORTS,
        ("keys",): KEYS,
        ("scheduler",): ["run"],
    }
    for group, commands in groups.items():
        text = leeward(*group, "--help").out.partition("Commands:\n")[2].partition("\n\n")[0]
        assert [line.split()[0] for line in text.splitlines()] == commands


def test_the_help_of_a_command_teaches_by_examples(
    leeward: Leeward, bare: Path, subtests: pytest.Subtests
) -> None:
    """Each example is a command line that is understood, in 80 columns, and the help is plain."""
    (bare / "order.json").write_text('{"id": "42"}')
    for command in ALL:
        with subtests.test(command):
            help_text = leeward(*command.split(), "--help").out
            assert "│" not in help_text
            assert max(map(len, help_text.splitlines())) <= 80
            examples = _examples(help_text)
            assert examples
            for example in examples:
                _understood(leeward, command, example)


def _understood(leeward: Leeward, command: str, example: str) -> None:
    program, *args = shlex.split(example.partition(" | ")[0])
    assert program == "leeward"
    assert " ".join(args).startswith((command, "load "))
    if command == "drill":
        args += ["--seconds", "0.1"]  # else it goes on for a minute and more
    assert "UsageError" not in leeward(*args).err, example


def test_version_is_the_packages(leeward: Leeward) -> None:
    """The command and the option say the same."""
    import leeward as package

    for args in (("version",), ("--version",)):
        assert leeward(*args).out.startswith(f"leeward {package.__version__} (Python 3.")
