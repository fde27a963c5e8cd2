"""A drill: restore a backup where nobody looks, and see whether it is all there.

The table of the drill takes what any table takes of which there are backups: its limits are the
widest, and a value that only one provider has lies there in its item's line.
"""

from __future__ import annotations

import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from leeward._items.encoding import natives_in
from leeward.adapter import Limits
from leeward.calls import Call, Page, Result, Store, Stored
from leeward.client import Client
from leeward.clock import Clock
from leeward.config import Config, TableConfig
from leeward.errors import LeewardError
from leeward.local import Local
from leeward_backup.check import sealing_of
from leeward_backup.checkpoints import WorkFile
from leeward_backup.folder import Folder, Named
from leeward_backup.lines import kept_in, line_of
from leeward_backup.restore import ANY_MODEL, Mode, Restore, restore_into
from leeward_backup.sealing import Keys
from leeward_backup.tables import RateLimit, Table
from leeward_backup.values import Look, Restored

_LINE: Final = "$line"
"""The one name of what is stored for an item with values that only one provider has; no item is
like that, since each has its key."""


class _Target(Local):
    """An embedded target that takes whatever a backup holds."""

    def __init__(self, path: Path) -> None:
        super().__init__(path=path)
        limit = sys.maxsize
        self.limits = Limits(
            item_bytes=limit, nesting=limit, key_bytes=limit, name_bytes=limit, model=ANY_MODEL
        )

    def perform(self, call: Call, timeout: float) -> Result[Any]:
        result = super().perform(_wrap(call) if isinstance(call, Store) else call, timeout)
        if isinstance(result.value, Stored):
            return result._replace(value=_unwrap(result.value))
        if isinstance(result.value, Page):
            items = tuple(map(_unwrap, result.value.items))
            return result._replace(value=result.value._replace(items=items))
        return result

    def store_many(self, calls: Any, timeout: float) -> list[Result[Any]]:
        return super().store_many([*map(_wrap, calls)], timeout)


def _wrap(call: Store) -> Store:
    if next(natives_in(call.item), None) is None:
        return call
    return call._replace(item={_LINE: line_of(call.key.values, call.item, call.expires_at)})


def _unwrap(stored: Stored) -> Stored:
    if stored.item.keys() != {_LINE}:
        return stored
    return stored._replace(item=kept_in(stored.item[_LINE]).item)


def drill(
    folder: Folder, keys: Keys, named: Named, clock: Clock, look: Look, *, work: Path
) -> Restored:
    """Restore a backup into an embedded table in a folder of its own, and remove that."""
    manifest = folder.manifest(named, keys)
    sealing = sealing_of(manifest, keys)
    try:
        work.mkdir(mode=0o700, parents=True, exist_ok=True)
        scratch = TemporaryDirectory(dir=work.absolute(), prefix="drill-")
    except OSError as error:
        raise LeewardError(f"the folder {work} cannot be used: {error.strerror}") from error
    config = Config(tables={manifest.table: TableConfig(key=manifest.key)})
    with scratch as place:
        target = _Target(Path(place) / "drill.sqlite3")
        with Client(target, config=config, clock=clock) as client:
            table = Table(client, manifest.table)
            rate_limit = RateLimit(None, clock)
            restore = Restore(
                folder, sealing, manifest, table, Mode.EMPTY, rate_limit, 1, look, named
            )
            return restore_into(restore, WorkFile(Path(place), {"drill": manifest.id}))
