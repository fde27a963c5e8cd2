"""Workflows on the embedded engine beside DBOS and prefect on SQLite: steps, CPU, and the import.

Prefect's steps go through a server in a process of its own, whose CPU is not counted.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from signal import SIGKILL
from tempfile import TemporaryDirectory
from typing import Final, Self

from bench.figures import Figure, Unit, compare, measure_in_turn
from bench.processes import Program, measure_processes

OURS: Final = ("leeward", "sleeper")
YARDSTICKS: Final = ("dbos", "prefect")

CPU_GATE: Final = 0.5
RATE_GATE: Final = 2.0
IMPORT_GATE: Final = 0.2

SERVERS: Final = Path(__file__).parents[1] / ".servers"
_SIDE: Final = Path(__file__).with_name("workflow_side.py")

_IMPORTS: Final = {
    "leeward": ("from leeward.workflow import Flow, Ref, Retry, workflow",),
    "dbos": ("from dbos import DBOS",),
    "prefect": ("from prefect import flow, task",),
}


def measure(rounds: int) -> list[Figure]:
    """Measure all sides; nothing without the others."""
    if not all(Path(_python(each)).exists() for each in YARDSTICKS):
        return []
    return [*_steps(rounds), *_imports(rounds)]


def _steps(rounds: int) -> Iterator[Figure]:
    with ExitStack() as stack:
        sides = [stack.enter_context(Side(each)) for each in _IMPORTS]
        ours, *others = measure_in_turn([each.run for each in sides], rounds)
        # The first round of each is not counted.
        our_rate, *rates = (each.rates[1:] for each in sides)
    for yardstick, cpu, rate in zip(YARDSTICKS, others, rates, strict=True):
        yield compare(
            "steps of runs of 5 steps",
            our_rate,
            rate,
            gate=RATE_GATE,
            unit=Unit.RATE,
            yardstick=yardstick,
        )
        yield compare("one of those steps", ours, cpu, gate=CPU_GATE, yardstick=yardstick)


def _imports(rounds: int) -> Iterator[Figure]:
    programs = [Program(lines, {}, _python(library)) for library, lines in _IMPORTS.items()]
    ours, *others, bare = measure_processes([*programs, Program((), {})], rounds)
    for yardstick, theirs in zip(YARDSTICKS, others, strict=True):
        yield compare(
            "import of workflows",
            ours.cpu,
            theirs.cpu,
            gate=IMPORT_GATE,
            yardstick=yardstick,
            floor=("bare python", bare.cpu),
        )


def _python(library: str) -> str:
    return sys.executable if library in OURS else str(SERVERS / library / "bin/python")


class Side:
    """One library in a process of its own.

    Args:
        library: as `bench.workflow_side` knows it.
        url: of a database; None for a folder.

    Attributes:
        rates: steps a second, of each time.
    """

    def __init__(self, library: str, url: str | None = None) -> None:
        self._folder = TemporaryDirectory()
        self._process = subprocess.Popen(
            [_python(library), _SIDE, library, url or self._folder.name],
            env={"PATH": os.environ["PATH"]},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
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
        os.killpg(self._process.pid, SIGKILL)  # prefect has a server of its own
        self._process.communicate()
        self._folder.cleanup()
