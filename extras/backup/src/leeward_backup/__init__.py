"""Backups of tables: portable, incremental, and proved.

```python
from leeward import Client
from leeward_backup import Backups

with Client() as cloud:
    backups = Backups(cloud, "orders", "backups/shop")     # a bucket, and a prefix in it
    backup = backups.create()
    backups.restore(backup.id, into="orders-again")
```
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from leeward_backup.backups import Backups
    from leeward_backup.scheduled import schedule_backup
    from leeward_backup.values import BackupError, OtherRun

__all__ = ["BackupError", "Backups", "OtherRun", "schedule_backup"]

_MODULES = {
    "BackupError": "leeward_backup.values",
    "Backups": "leeward_backup.backups",
    "OtherRun": "leeward_backup.values",
    "schedule_backup": "leeward_backup.scheduled",
}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_MODULES[name]), name)
