"""What a runtime adds to a handler that does nothing: an HTTP event, a record of a batch, a start.

Beside aws-lambda-powertools, which looks into an event and decodes it as leeward does, and the
runtime of py-serverless-kit, which hands over events and leaves a batch to its handler.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path
from typing import Final

from bench.figures import Figure, Sample, Unit, compare, measure_in_turn
from bench.idempotency.play import PYTHON
from bench.processes import Program, measure_processes, waiting_process

GATE: Final = 0.5
"""At most half of what the other takes; the aim is a quarter."""

SIDES: Final = ("leeward", "powertools", "pskit")
WORK: Final[Mapping[str, str]] = {"http": "HTTP event", "batch": "record of a batch of 10"}
CALLS: Final = 1000

_SIDE: Final = Path(__file__).with_name("side.py")


def measure(rounds: int) -> list[Figure]:
    """Measure all sides; nothing without the others."""
    if not PYTHON.exists():
        return []
    return [*_events(rounds), *_starts(rounds)]


def _events(rounds: int) -> Iterator[Figure]:
    for work, name in WORK.items():
        with ExitStack() as stack:
            samples = [stack.enter_context(_side(each, work)) for each in SIDES]
            ours, *others = measure_in_turn(samples, rounds)
        for library, theirs in zip(SIDES[1:], others, strict=True):
            yield compare(f"{name}", ours, theirs, gate=GATE, yardstick=library)


def _starts(rounds: int) -> Iterator[Figure]:
    """Compare processes that have loaded their runtime and handled one event."""
    programs = [
        Program(
            (f"import os, sys; sys.path.insert(0, {str(_SIDE.parent)!r})",
             "shown, sys.stdout = sys.stdout, open(os.devnull, 'w')  # some log there",
             f"import side; side.run({each!r}, 'http')(1)",
             "sys.stdout = shown"),
            {},
            _python(each),
        )
        for each in SIDES
    ]  # fmt: skip
    ours, *others, bare = measure_processes([*programs, Program((), {})], rounds)
    for library, theirs in zip(SIDES[1:], others, strict=True):
        floor = "bare python"
        yield compare(
            "start, and one event",
            ours.cpu,
            theirs.cpu,
            gate=GATE,
            yardstick=library,
            floor=(floor, bare.cpu),
        )
        yield compare(
            "start, and one event",
            ours.memory,
            theirs.memory,
            gate=GATE,
            unit=Unit.MEMORY,
            yardstick=library,
            floor=(floor, bare.memory),
        )


def _python(library: str) -> str:
    return sys.executable if library == "leeward" else str(PYTHON)


def _side(library: str, work: str) -> AbstractContextManager[Sample]:
    command = _python(library), _SIDE, library, work, CALLS
    # The others log each request.
    return waiting_process(command, {"PATH": os.environ["PATH"]}, quiet=True)
