"""The processes that hold leases, and their clock: a row whose holder is dead can be taken at once.

A process is known by its boot, number and start, so that a new process with the number of a dead
one is not taken for it.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Final

from leeward.clock import Clock
from leeward.records import NamedTuple

_PROC: Final = Path("/proc")


class Holder(NamedTuple):
    """A process.

    Attributes:
        space: the namespace of its number; each container has its own.
        began: clock ticks from the boot to its start.
    """

    boot: str
    space: str
    pid: int
    began: int

    def __str__(self) -> str:
        return " ".join(map(str, self))


class SteadyClock:
    """A wall clock that never jumps: one reading plus monotonic time.

    `agree` is called once, with the seconds between the two. It returns those of all who agree.
    It is None where processes have nothing to agree by; then this is the wall clock.
    """

    def __init__(self, clock: Clock, agree: Callable[[float], float] | None) -> None:
        self._clock = clock
        self._agree = agree
        self._offset: float | None = None
        self.monotonic = clock.monotonic
        self.sleep = clock.sleep
        self.sleep_async = clock.sleep_async

    def now(self) -> float:
        """Return Unix seconds, as if nobody had set the clock since the first reading."""
        if self._agree is None:
            return self._clock.now()
        if self._offset is None:
            self._offset = self._agree(self._clock.now() - self._clock.monotonic())
        return self._clock.monotonic() + self._offset

    def as_wall(self, time: float) -> float:
        """Return a recent time of this clock as the wall clock has it."""
        return time + round(self._clock.now() - self.now())


def holder_in(text: str | None) -> Holder | None:
    """Return the holder that a text names, as `str` writes it; None if it names none."""
    words = (text or "").split(" ")
    try:
        return Holder(words[0], words[1], int(words[2]), int(words[3]))
    except (IndexError, ValueError):
        return None


def boot_of_machine() -> str | None:
    """Return the id of this boot of this machine; None where there is none.

    Processes with the same id have the same monotonic clock.
    """
    try:
        boot = (_PROC / "sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        return None
    with suppress(FileNotFoundError):  # an older kernel has one monotonic clock for all
        boot = f"{boot}/{(_PROC / 'self/ns/time').readlink()}"
    return boot


def this_process() -> Holder | None:
    """Return this process; None where the system does not let others look for it."""
    boot, pid = boot_of_machine(), os.getpid()
    try:
        space = str((_PROC / "self/ns/pid").readlink())
        began = _life_of(pid)
    except (OSError, ValueError, IndexError):
        return None
    return None if boot is None or began is None else Holder(boot, space, pid, began)


def is_gone(holder: Holder, me: Holder) -> bool:
    """Return whether it is proved that a process has ended.

    There is no proof about another machine, another container, or an earlier boot.
    """
    if (holder.boot, holder.space) != (me.boot, me.space) or holder.pid <= 0:
        return False
    try:
        os.kill(holder.pid, 0)
    except ProcessLookupError:
        return True
    except OSError:
        return False  # somebody else's process is there
    try:
        return _life_of(holder.pid) != holder.began
    except FileNotFoundError:
        return True
    except (OSError, ValueError, IndexError):
        return False


def _life_of(pid: int) -> int | None:
    """Return the clock ticks from the boot to the start of a process; None if it has ended.

    An ended process stays until its parent has waited for it; it has one thread then.
    """
    text = (_PROC / str(pid) / "stat").read_text(encoding="ascii", errors="replace")
    # The name before stands in parentheses, and may hold any character.
    fields = text.rpartition(")")[2].split()
    state, threads, began = fields[0], int(fields[17]), int(fields[19])
    return None if state in "ZX" and threads <= 1 else began
