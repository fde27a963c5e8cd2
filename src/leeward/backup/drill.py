"""A drill: restore a backup where nobody looks, and see whether it is all there."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

from leeward.backup.folder import Folder
from leeward.backup.manifest import Manifest
from leeward.backup.pace import Pace
from leeward.backup.restore import Mode, Restore, restore_into
from leeward.backup.sealing import Sealing
from leeward.backup.tables import Table
from leeward.backup.values import Look, Restored
from leeward.backup.workfile import WorkFile
from leeward.client import Client
from leeward.clock import Clock
from leeward.config import Config, TableConfig
from leeward.local import Local


def drill(
    folder: Folder, sealing: Sealing, manifest: Manifest, clock: Clock, look: Look, *, work: Path
) -> Restored:
    """Restore a backup into an embedded table in a folder of its own, and remove that.

    Args:
        folder: with the backup.
        sealing: proves it.
        manifest: of it.
        clock: of the client.
        look: is told how far it has come.
        work: where the folder is made.
    """
    work.mkdir(mode=0o700, parents=True, exist_ok=True)
    config = Config(tables={manifest.table: TableConfig(key=manifest.key)})
    with TemporaryDirectory(dir=work.absolute(), prefix="drill-") as place:
        target = Local(path=Path(place) / "drill.sqlite3")
        with Client(target, config=config, clock=clock) as client:
            table = Table(client, manifest.table)
            pace = Pace(None, clock)
            restore = Restore(folder, sealing, manifest, table, Mode.EMPTY, pace, 1, look)
            return restore_into(restore, WorkFile(Path(place), {"drill": manifest.id}))
