"""A prune says what it will delete before it looks which backups there are.

So a backup that is created at the same time either is seen by the prune, or sees what the prune has
said: then it waits for the end of the prune, and uploads again what is gone.
"""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from typing import Any, Final

from leeward import json_text
from leeward.backup.errors import BackupError
from leeward.backup.folder import PRUNES, Folder
from leeward.clock import Clock

LONGEST_WAIT: Final = 600.0
"""Seconds for the end of a prune."""

_PAUSE: Final = 1.0


def wait_for_prunes(folder: Folder, names: AbstractSet[str], clock: Clock) -> None:
    """Wait until no prune is under way that may delete one of these segments.

    Raises:
        BackupError: one does not end.
    """
    deadline = clock.monotonic() + LONGEST_WAIT
    while True:
        under_way = [each for each in folder.sizes(PRUNES) if names & announced(folder, each)]
        if not under_way:
            return
        if clock.monotonic() > deadline:
            raise BackupError(
                "a prune does not end that may delete segments of this backup; prune again, and "
                f"create another backup: {folder}{under_way[0]}"
            )
        clock.sleep(_PAUSE)


def announced(folder: Folder, name: str) -> set[str]:
    """Return the segments that a prune has said it will delete; none if it has ended."""
    try:
        data = folder.get(name)
        names: Any = [] if data is None else json_text.decode(data)
    except ValueError:
        names = None
    if not isinstance(names, list) or not all(isinstance(each, str) for each in names):
        raise BackupError(f"{folder}{name} does not say what a prune deletes; remove it")
    return {*names}


def announce(folder: Folder, name: str, names: AbstractSet[str]) -> None:
    """Say which segments will be deleted."""
    folder.put(f"{PRUNES}{name}.json", json_text.encode(sorted(names)))
