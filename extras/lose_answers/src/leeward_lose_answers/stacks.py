"""Who sends: the lines that lead to a request, and the loop that both attempts have in common."""

from __future__ import annotations

import asyncio
import sys
import sysconfig
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from types import FrameType
from typing import Final, NamedTuple
from weakref import WeakKeyDictionary, WeakSet

_HERE: Final = str(Path(__file__).parent)
_STANDARD: Final = tuple(sysconfig.get_path(name) for name in ("stdlib", "platstdlib"))
_POOLS: Final = frozenset({"aiohttp", "httpcore", "httpcore2", "sqlalchemy", "urllib3"})
_PACKAGES: Final = ("site-packages", "dist-packages")


class Line(NamedTuple):
    """A line of a program that was on the stack.

    Attributes:
        frame: its frame, which tells two runs of one function apart; None if it was not kept.
    """

    file: str
    number: int
    function: str
    frame: FrameType | None

    @property
    def package(self) -> str:
        """Return the name of the library, ``Python`` for the standard one, or ''."""
        return _package_of(self.file)

    def __str__(self) -> str:
        path = Path(self.file)
        if self.package:
            return f"{'/'.join(path.parts[-2:])}:{self.number}"
        is_below = path.is_relative_to(Path.cwd())
        return f"{path.relative_to(Path.cwd()) if is_below else path}:{self.number}"


Stack = Sequence[Line]
"""The innermost line first, up to what pytest called."""

_ORIGINS: WeakKeyDictionary[asyncio.Task[object], Stack] = WeakKeyDictionary()
"""Where a task was made: its own frames end there."""

_LEFT_BEHIND: WeakSet[asyncio.Task[object]] = WeakSet()
"""Tasks that outlived a run which lost an answer: they are of no other run."""


def stack_from(frame: FrameType | None, *, keep: bool) -> Stack:
    """Return the lines from `frame` outwards.

    Args:
        frame: the innermost.
        keep: keep the frames themselves, which keeps the variables of these functions alive.
    """
    lines: list[Line] = []
    while frame is not None:
        code = frame.f_code
        if code.co_filename.endswith(("_pytest/python.py", "_pytest/unittest.py")):
            return lines
        if not code.co_filename.startswith(_HERE):
            kept = frame if keep else None
            lines.append(Line(code.co_filename, frame.f_lineno, code.co_name, kept))
        frame = frame.f_back
    return lines


def running_loop() -> asyncio.AbstractEventLoop | None:
    """Return the loop that runs in this thread, or None."""
    return asyncio._get_running_loop()  # noqa: SLF001


def stack_here(*, keep: bool) -> Stack:
    """Return the lines that lead to the caller, across the tasks that led here."""
    loop = running_loop()
    task = asyncio.current_task(loop) if loop else None
    origin = _ORIGINS.get(task) if task else None
    lines = stack_from(sys._getframe(1), keep=keep)  # noqa: SLF001
    if origin is None:
        return lines
    step = next((at for at, line in enumerate(lines) if _is_step(line)), len(lines))
    return [*lines[:step], *origin]


def note_origin(task: asyncio.Task[object], *, keep: bool) -> None:
    """Note that the caller made `task`."""
    _ORIGINS[task] = stack_here(keep=keep)


def forget_origins(*, leaves: bool) -> None:
    """Drop what was noted, and with it the frames.

    Args:
        leaves: an answer was lost, so who waited for a task may have gone without it.
    """
    _LEFT_BEHIND.update(task for task in _ORIGINS if leaves and not task.done())
    _ORIGINS.clear()


def is_left_behind() -> bool:
    """Return whether a task sends that a loss of an earlier run has left behind."""
    loop = running_loop()
    return loop is not None and asyncio.current_task(loop) in _LEFT_BEHIND


def users_line(stack: Stack) -> Line | None:
    """Return the innermost line that is of no library."""
    return next((line for line in stack if not line.package), stack[0] if stack else None)


def is_pooled(stack: Stack) -> bool:
    """Return whether a library sends that opens another connection when one breaks."""
    return any(line.package in _POOLS for line in stack)


def users_path(stack: Stack) -> tuple[tuple[str, int], ...]:
    """Return the lines that are of no library, which lead to a request in each run alike."""
    return tuple((line.file, line.number) for line in stack if not line.package)


def common_line(first: Stack, again: Stack) -> Line | None:
    """Return the innermost line from which both were sent: the loop, as it stands in `again`."""
    frames = {id(line.frame) for line in first if line.frame is not None}
    return next((line for line in again if id(line.frame) in frames), None)


def _is_step(line: Line) -> bool:
    """Return whether a loop runs a callback here: a task's own frames end."""
    return line.function == "_run" and line.file.endswith("asyncio/events.py")


@cache
def _package_of(file: str) -> str:
    for folder in _PACKAGES:
        _, is_inside, rest = file.replace("\\", "/").partition(f"/{folder}/")
        if is_inside:
            return rest.partition("/")[0].removesuffix(".py")
    return "Python" if file.startswith(("<", *_STANDARD)) else ""
