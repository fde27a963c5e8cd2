"""The tutorial can be followed: its files, its commands in order, and what they print."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.demo.bench import bench, write
from tests.house.workspace import ROOT

PAGE = (ROOT / "docs/tutorial.md").read_text(encoding="utf-8")
THREE_CLOUDS = "## Six: three clouds"

STEP = re.compile(
    r"`(?P<name>\w+\.\w+)` (?:(?!```).)*?:\n\n```(?:python|toml)\n(?P<file>.*?)```"
    r"|```sh\n(?P<commands>.*?)```\n\n```text\n(?P<prints>.*?)```"
    r"|[Tt]ype (?P<typed>`[^\n]*)",
    re.DOTALL,
)
"""A file to write, commands and what they print, or what is typed where the clouds were started."""


class Step(NamedTuple):
    """One of the three."""

    kind: str
    what: str
    prints: str = ""


def steps(text: str) -> Iterator[Step]:
    """Return what the reader does, in order."""
    for found in STEP.finditer(text):
        if found["name"]:
            yield Step(found["name"], found["file"])
        elif found["commands"]:
            yield Step("run", found["commands"], found["prints"])
        else:
            for command in re.findall(r"`((?:cut|back) \w+)`", found["typed"]):
                yield Step("type", command)


class Shell:
    """A terminal of the reader: variables that are exported stay."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._before = ""
        unset = ("CLOUD_PROVIDER", "LEEWARD_DATA_TARGET", "LEEWARD_CONFIG", "AWS_")
        self._env = {name: text for name, text in os.environ.items() if not name.startswith(unset)}
        self._env["PATH"] = f"{Path(sys.executable).parent}:{self._env['PATH']}"
        self._env |= {"TERM": "dumb", "PYTHONDONTWRITEBYTECODE": "1"}

    def run(self, commands: str) -> str:
        """Run `commands`; return what they write, errors included."""
        done = subprocess.run(
            ["bash", "-c", self._before + commands],
            cwd=self._folder,
            env=self._env,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        exports = re.findall(r"^export .*\n", commands, re.MULTILINE)
        self._before += "".join(exports)
        return done.stdout

    def source(self, line: str) -> None:
        """Read variables from a file, for all that follows."""
        self._before += f"{line}\n"


def follow(shell: Shell, folder: Path, text: str, typed: list[str]) -> Iterator[Step]:
    """Do each step; check what the commands print; yield what is to be typed elsewhere."""
    for step in steps(text):
        if step.kind == "type":
            typed.append(step.what)
            yield step
        elif step.kind != "run":
            (folder / step.kind).write_text(step.what, encoding="utf-8")
        else:
            printed = shell.run(step.what)
            assert is_like(printed, step.prints), f"{step.what}\n{printed}"


def is_like(printed: str, shown: str) -> bool:
    """Return whether a page shows what was printed; ``...`` stands for anything.

    Threads print at once, so lines may come in another order, and in each other. What is said once
    of a new store is left out.
    """
    lines = [line.rstrip() for line in printed.splitlines() if "store_created" not in line]
    text = "\n".join(lines).strip()
    patterns = [re.escape(line).replace(r"\.\.\.", ".*") for line in shown.strip().splitlines()]
    if "..." not in shown:
        return sorted("".join(text.split())) == sorted("".join(shown.split()))
    return all(re.search(pattern, text) for pattern in patterns)


def test_the_first_parts_can_be_followed(tmp_path: Path) -> None:
    """On the embedded target alone, in an empty folder."""
    typed: list[str] = []
    first, heading, _ = PAGE.partition(THREE_CLOUDS)
    assert heading
    assert list(follow(Shell(tmp_path), tmp_path, first, typed)) == []
    names = {path.name for path in tmp_path.iterdir()}
    assert names >= {
        "main.py",
        "shop.py",
        "leeward.toml",
        "test_shop.py",
        "test_cards.py",
        ".leeward",
    }


@pytest.mark.vendors
def test_the_last_part_runs_the_same_program_on_three_clouds(tmp_path: Path) -> None:
    """Each cloud is cut off when the page says so."""
    first, _, last = PAGE.partition(THREE_CLOUDS)
    for step in steps(first):
        if step.kind == "main.py":
            (tmp_path / step.kind).write_text(step.what, encoding="utf-8")
    typed: list[str] = []
    with bench() as standing:
        shell = Shell(tmp_path)
        shell.source(write(standing, tmp_path / ".clouds")[0])
        for step in follow(shell, tmp_path, last, typed):
            assert " is " in standing.do(step.what)
        assert "cut aws" in standing.do("cutt google"), "nothing is cut off by a slip"
        assert "cut aws" in standing.do("cut ibm")
    assert typed == ["cut aws", "cut azure", "back aws", "back azure"]
