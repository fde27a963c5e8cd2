"""The commands of leeward-backup, as the `leeward` command adds them."""

from __future__ import annotations

from leeward.cli.group import add_command, command_group
from leeward.cli.output.exit_codes import ABSENT, BROKEN, BY_CLASS
from leeward_backup.commands import backup
from leeward_backup.values import BackupError, NoBackup

BY_CLASS.update({BackupError: BROKEN, NoBackup: ABSENT})

BACKUP = command_group("Back up tables, prove the backups, and restore them on any target.")
add_command(
    BACKUP,
    "create",
    backup.create,
    "leeward backup create orders --store backups/shop",
    "leeward backup create orders --store backups --id nightly-20260131",
)
add_command(BACKUP, "list", backup.list_, "leeward backup list orders --store backups/shop")
add_command(
    BACKUP, "check", backup.check, "leeward backup check orders --store backups/shop --deep"
)
add_command(
    BACKUP,
    "restore",
    backup.restore,
    "leeward backup restore orders --store backups/shop --dry-run",
    "leeward backup restore orders --store backups/shop --into orders-again",
)
add_command(BACKUP, "drill", backup.drill, "leeward backup drill orders --store backups/shop")
add_command(
    BACKUP,
    "schedule",
    backup.schedule,
    "leeward backup schedule orders --store backups/shop --drill sunday",
)
add_command(
    BACKUP,
    "prune",
    backup.prune,
    "leeward backup prune orders --store backups/shop --keep 7 --days 30",
)
