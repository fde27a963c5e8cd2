from __future__ import annotations

import shlex
from pathlib import Path

import pytest

from tests.cli.conftest import Leeward

COMMANDS = "invoke enqueue publish store load delete targets doctor dlq demo version".split()


def _examples(help_text: str) -> list[str]:
    _, _, after = help_text.partition("Examples:\n")
    block, _, _ = after.partition("\n\n")
    return [line.strip() for line in block.splitlines()]


def test_every_command_is_listed(leeward: Leeward) -> None:
    """The help of the whole names every command."""
    lines = leeward("--help").out.splitlines()
    listed = [line.split()[0] for line in lines[lines.index("Commands:") + 1 :] if line][:10]
    assert listed == COMMANDS


@pytest.mark.parametrize("command", COMMANDS)
def test_the_help_of_a_command_teaches_by_examples(
    leeward: Leeward, bare: Path, command: str
) -> None:
    """Each example is a command line that is understood, in 80 columns, and the help is plain."""
    (bare / "order.json").write_text('{"id": "42"}')
    help_text = leeward(command, "--help").out
    assert "│" not in help_text
    assert max(map(len, help_text.splitlines())) <= 80
    examples = _examples(help_text)
    assert examples
    for example in examples:
        program, *args = shlex.split(example.split(" | ")[0])
        assert (program, args[0]) in {("leeward", command), ("leeward", "load")}
        assert "UsageError" not in leeward(*args).err, example


def test_version_is_the_packages(leeward: Leeward) -> None:
    """The command and the option say the same."""
    import leeward as package

    for args in (("version",), ("--version",)):
        assert leeward(*args).out.startswith(f"leeward {package.__version__} (Python 3.")
