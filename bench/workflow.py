"""Workflows on the embedded engine beside DBOS on SQLite: steps, their CPU, and the import."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final, Self

from bench.figures import Figure, Unit, compare, measure_in_turn
from bench.processes import Program, measure_processes

YARDSTICK: Final = "dbos"
PYTHON: Final = Path(__file__).parents[1] / ".servers/dbos/bin/python"

CPU_GATE: Final = 0.5
RATE_GATE: Final = 2.0
IMPORT_GATE: Final = 0.2

_SIDE: Final = Path(__file__).with_name("workflow_side.py")

_IMPORTS: Final = {
    "leeward": ("from leeward.workflow import Flow, Ref, Retry, workflow",),
    YARDSTICK: ("from dbos import DBOS",),
}


def measure(rounds: int) -> list[Figure]:
    """Measure both sides; nothing without the other one."""
    if not PYTHON.exists():
        return []
    with _Side("leeward") as ours, _Side(YARDSTICK) as theirs:
        our_cpu, their_cpu = measure_in_turn([ours.run, theirs.run], rounds)
        # The first round of each is not counted.
        our_rate, their_rate = ours.rates[1:], theirs.rates[1:]
    return [
        compare(
            "steps of 100 runs of 5 steps",
            our_rate,
            their_rate,
            gate=RATE_GATE,
            unit=Unit.RATE,
            yardstick=YARDSTICK,
        ),
        compare("one of those steps", our_cpu, their_cpu, gate=CPU_GATE, yardstick=YARDSTICK),
        _import(rounds),
    ]


def _import(rounds: int) -> Figure:
    programs = [Program(lines, {}, _python(library)) for library, lines in _IMPORTS.items()]
    ours, theirs, bare = measure_processes([*programs, Program((), {})], rounds)
    return compare(
        "import of workflows",
        ours.cpu,
        theirs.cpu,
        gate=IMPORT_GATE,
        yardstick=YARDSTICK,
        floor=("bare python", bare.cpu),
    )


def _python(library: str) -> str:
    return sys.executable if library == "leeward" else str(PYTHON)


class _Side:
    """One library in a process of its own, with a folder for its database."""

    def __init__(self, library: str) -> None:
        self._folder = TemporaryDirectory()
        self._process = subprocess.Popen(
            [_python(library), _SIDE, library, self._folder.name],
            env={"PATH": os.environ["PATH"]},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.rates: list[float] = []

    def run(self) -> float:
        """Make the runs once more; give the CPU of a step, and keep the rate."""
        asked, told = self._process.stdin, self._process.stdout
        assert asked is not None
        assert told is not None
        print("again", file=asked, flush=True)
        cpu, rate = map(float, told.readline().split())
        self.rates.append(rate)
        return cpu

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.communicate()
        self._folder.cleanup()
