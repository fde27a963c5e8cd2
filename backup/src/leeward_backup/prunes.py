"""A prune says what it will delete before it looks which backups there are.

So a backup that is created at the same time either is seen by the prune, or sees what the prune has
said: then it waits for the end of the prune, and uploads again what is gone.

What a prune has said is a lease: the prune writes it anew while it is at work, and deletes nothing
once it has not done so for a while. Who waits looks whether it changes. So nobody has to know what
time it is elsewhere, and a prune that was killed is waited for no longer than that.
"""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from typing import Any, Final

from leeward import json_text
from leeward.clock import Clock
from leeward_backup.errors import BackupError
from leeward_backup.folder import PRUNES, Folder, time_name
from leeward_backup.values import Look, Progress

LEASE: Final = 60.0
"""Seconds behind the last writing of its lease after which a prune deletes no more."""

DEAD_AFTER: Final = 4 * LEASE
"""Seconds without a change of its lease after which a prune has ended for those who wait: a request
of it may have been under way."""

OVER_AFTER: Final = 2 * 3600.0
"""Seconds behind the time in its name after which nobody heeds a prune, or reads what it has said;
and before that time: no clock is so wrong."""

_PAUSE: Final = 1.0


class Lease:
    """What a prune has said, kept alive while it is at work.

    Args:
        folder: of the backups.
        name: of the object.
        dead: the segments that it may delete.
        clock: gives the time.
    """

    def __init__(self, folder: Folder, name: str, dead: AbstractSet[str], clock: Clock) -> None:
        self._folder = folder
        self._name = name
        self._dead = sorted(dead)
        self._clock = clock
        self._count = 0
        self._written = 0.0
        self.renew()

    def renew(self) -> None:
        """Write the lease anew, once half of it is over.

        Raises:
            BackupError: more than all of it is over: others may not heed it any more.
        """
        now = self._clock.monotonic()
        if self._count and now - self._written > LEASE:
            raise BackupError(
                "the prune was stopped for too long, and has ended before its end; repeat it"
            )
        if self._count and now - self._written < LEASE / 2:
            return
        self._count += 1
        told = {"names": self._dead, "count": self._count}
        self._folder.replace(self._name, json_text.encode(told))
        self._written = now


def announced_name(now: float, id: str) -> str:
    """Return the name of the object in which a prune says what it will delete."""
    return f"{PRUNES}{time_name(now)}-{id}.json"


def is_over(name: str, now: float) -> bool:
    """Return whether a prune began so long ago that it must have ended, or not yet."""
    early, late = (f"{PRUNES}{time_name(now + each)}" for each in (-OVER_AFTER, OVER_AFTER))
    return not early <= name <= late


def wait_for_prunes(
    folder: Folder, names: AbstractSet[str], clock: Clock, until: float | None, look: Look
) -> bool:
    """Wait until no prune is under way that may delete one of these segments; return whether so.

    Args:
        folder: of the backups.
        names: of the segments.
        clock: gives the time.
        until: when to stop waiting, on its `monotonic`; None for at the end.
        look: is told that there is something to wait for.
    """
    begun = clock.monotonic()
    seen: dict[str, tuple[bytes, float]] = {}
    while True:
        now, here, at_work = clock.now(), clock.monotonic(), 0
        for name in folder.sizes(PRUNES):
            if is_over(name, now):
                continue
            data = _read_lease(folder, name)
            if data is None or not names & segments_in(folder, name, data):
                continue
            if name not in seen or seen[name][0] != data:
                seen[name] = data, here
            at_work += here - seen[name][1] < DEAD_AFTER
        if not at_work:
            return True
        if until is not None and here >= until:
            return False
        look(Progress("wait for a prune", int(here - begun), int(DEAD_AFTER), "seconds"))
        clock.sleep(_PAUSE)


def _read_lease(folder: Folder, name: str) -> bytes | None:
    """Read what a prune has said; None if it has ended."""
    try:
        return folder.get(name)
    except ValueError as error:
        raise BackupError(f"{folder}{name}: {error}; remove it") from None


def segments_in(folder: Folder, name: str, data: bytes) -> set[str]:
    """Return the segments that a prune has said it will delete.

    Raises:
        BackupError: it cannot be read.
    """
    try:
        told: Any = json_text.decode(data)
    except ValueError:
        told = None
    names = told.get("names") if isinstance(told, dict) else told
    if not isinstance(names, list) or not all(isinstance(each, str) for each in names):
        raise BackupError(f"{folder}{name} does not say what a prune deletes; remove it")
    return {*names}
