"""Backups and exports that a target's own service makes: started, and waited for."""

from __future__ import annotations

from typing import Final

from leeward.backup.errors import BackupError
from leeward.backup.tables import Table
from leeward.backup.values import Look, Progress
from leeward.calls import LookNative, NativeJob, StartNative
from leeward.entropy import new_id

FIRST_PAUSE: Final = 1.0
LONGEST_PAUSE: Final = 30.0
"""Seconds between two looks; each pause is half as long again as the one before."""


def make_native(table: Table, where: str | None, look: Look) -> NativeJob:
    """Let a table's own service make a backup, or an export; return it when it is done.

    Args:
        table: of it.
        where: for an export, the bucket, and after a slash a prefix; None for a backup.
        look: is told how far it has come.

    Raises:
        BackupError: it has failed.
        LeewardError: it could not be started or looked at.
    """
    clock = table.clock
    name = f"leeward-{new_id(clock.now())}"
    bucket, _, prefix = (where or "").strip("/").partition("/")
    call = StartNative(table.name, "export" if where else "backup", name, bucket, prefix)
    made = table.native(call)
    pause = FIRST_PAUSE
    while made.state == "running":
        look(Progress(call.kind, made.done or 0, made.total, "items"))
        clock.sleep(pause)
        pause = min(pause * 1.5, LONGEST_PAUSE)
        made = table.native(LookNative(made.id))
    if made.state == "failed":
        raise BackupError(
            f"the {call.kind} {made.id} has failed: {made.told or 'for no reason told'}"
        )
    return made
