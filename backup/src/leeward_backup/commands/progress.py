"""How far a backup or restore has come: bars on a terminal, a line now and then elsewhere."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final, TextIO

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from leeward_backup.values import Look
from leeward_backup.values import Progress as Step

PLAIN_SECONDS: Final = 5.0
"""Between two lines where lines stay."""


@contextmanager
def progress(stream: TextIO, *, quiet: bool) -> Iterator[Look]:
    """Yield what shows the steps of a run on `stream`; nothing is shown if `quiet`."""
    console = Console(file=stream, highlight=False, markup=False, emoji=False)
    if quiet:
        yield lambda _: None
    elif console.is_terminal and not console.is_dumb_terminal:
        columns = (
            TextColumn("{task.description:8}"),
            BarColumn(),
            TextColumn("{task.fields[told]}"),
            TimeElapsedColumn(),
        )
        with Progress(*columns, console=console, transient=True) as bars:
            yield _on(bars)
    else:
        yield _in_lines(stream)


def describe(step: Step) -> str:
    """Return how far a step has come, in words."""
    total = "" if step.total is None else f" of {step.total:,}"
    return f"{step.done:,}{total} {step.unit}"


def _on(bars: Progress) -> Look:
    tasks: dict[str, TaskID] = {}

    def look(step: Step) -> None:
        if step.step not in tasks:
            tasks[step.step] = bars.add_task(step.step, total=step.total, told="")
        bars.update(tasks[step.step], completed=step.done, total=step.total, told=describe(step))

    return look


def _in_lines(stream: TextIO) -> Look:
    shown = time.monotonic()

    def look(step: Step) -> None:
        nonlocal shown
        if time.monotonic() - shown >= PLAIN_SECONDS:
            shown = time.monotonic()
            stream.write(f"{step.step}: {describe(step)}\n")
            stream.flush()

    return look
