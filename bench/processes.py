"""Processes: fresh ones, with the CPU and the memory that each takes, and one that waits.

The CPU is that of the interpreter's start, too.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import NamedTuple

from bench.figures import Sample, measure_in_turn

_REPORT = """from time import process_time
cpu = process_time()
with open("/proc/self/statm") as file:
    pages = int(file.read().split()[1])
from os import sysconf
print(cpu, pages * sysconf("SC_PAGE_SIZE") / 2**20)"""


class Program(NamedTuple):
    """What a process runs.

    Attributes:
        lines: of Python.
        environment: what it finds, besides `PATH` and `HOME`.
        python: the interpreter.
    """

    lines: Sequence[str]
    environment: Mapping[str, str]
    python: str = sys.executable


class Taken(NamedTuple):
    """What the processes of one program took, round by round.

    Attributes:
        cpu: seconds.
        memory: MiB that are resident at the end.
    """

    cpu: list[float]
    memory: list[float]


@contextmanager
def waiting_process(
    command: Sequence[object], environment: Mapping[str, str], *, quiet: bool = False
) -> Iterator[Sample]:
    """Return a sample of one side, whose process waits between samples.

    It is told by a line to measure again, and prints the number; its end of input ends it. With
    `quiet` nobody sees what it logs.
    """
    with subprocess.Popen(
        [str(each) for each in command],
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL if quiet else None,
        text=True,
    ) as process:
        asked, told = process.stdin, process.stdout
        assert asked is not None
        assert told is not None

        def sample() -> float:
            print("again", file=asked, flush=True)
            return float(told.readline())

        yield sample
        asked.close()


def measure_processes(programs: Sequence[Program], rounds: int) -> list[Taken]:
    """Run the programs in turn, each in a fresh process every time."""
    runs = [_Runs(program) for program in programs]
    cpu = measure_in_turn([each.run for each in runs], rounds)
    # The first run of each was not counted.
    return [Taken(taken, each.memory[1:]) for taken, each in zip(cpu, runs, strict=True)]


class _Runs:
    def __init__(self, program: Program) -> None:
        self._source = "\n".join((*program.lines, _REPORT))
        self._python = program.python
        map_call = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
        self._environment = {**map_call, **program.environment}
        self.memory: list[float] = []

    def run(self) -> float:
        """Run it; give the CPU, and keep the memory."""
        done = subprocess.run(
            [self._python, "-c", self._source],
            env=self._environment,
            check=True,
            stdout=subprocess.PIPE,
            text=True,
        )
        cpu, memory = map(float, done.stdout.split())
        self.memory.append(memory)
        return cpu
