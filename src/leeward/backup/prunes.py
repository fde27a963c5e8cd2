"""A prune says what it will delete before it looks which backups there are.

So a backup that is created at the same time either is seen by the prune, or sees what the prune has
said: then it waits for the end of the prune, and uploads again what is gone.
"""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from typing import Any, Final

from leeward import json_text
from leeward.backup.errors import BackupError
from leeward.backup.folder import PRUNES, Folder, time_name
from leeward.clock import Clock

LONGEST_PRUNE: Final = 3600.0
"""Seconds after which a prune deletes no more."""

OVER_AFTER: Final = 2 * LONGEST_PRUNE
"""Seconds after which nobody heeds a prune any more, even if clocks differ: it has crashed."""

_PAUSE: Final = 1.0


def announced_name(now: float, id: str) -> str:
    """Return the name of the object in which a prune says what it will delete."""
    return f"{PRUNES}{time_name(now)}-{id}.json"


def is_over(name: str, now: float) -> bool:
    """Return whether a prune began so long ago that it must have ended."""
    return name < f"{PRUNES}{time_name(now - OVER_AFTER)}"


def wait_for_prunes(
    folder: Folder, names: AbstractSet[str], clock: Clock, until: float | None
) -> bool:
    """Wait until no prune is under way that may delete one of these segments; return whether so.

    It takes two hours at most: a prune that has crashed is over then.

    Args:
        folder: of the backups.
        names: of the segments.
        clock: gives the time.
        until: when to stop waiting, on its `monotonic`; None for at the end.
    """
    while True:
        now = clock.now()
        found = [each for each in folder.sizes(PRUNES) if not is_over(each, now)]
        if not any(names & announced(folder, each) for each in found):
            return True
        if until is not None and clock.monotonic() >= until:
            return False
        clock.sleep(_PAUSE)


def announced(folder: Folder, name: str) -> set[str]:
    """Return the segments that a prune has said it will delete; empty if it has ended.

    Raises:
        BackupError: it cannot be read.
    """
    try:
        data = folder.get(name)
        names: Any = [] if data is None else json_text.decode(data)
    except ValueError:
        names = None
    if not isinstance(names, list) or not all(isinstance(each, str) for each in names):
        raise BackupError(f"{folder}{name} does not say what a prune deletes; remove it")
    return {*names}
