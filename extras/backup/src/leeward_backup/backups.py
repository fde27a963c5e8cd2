"""The backups of one table: create, list, check, restore, drill and prune."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from leeward.calls import ListObjects
from leeward.client import Client
from leeward.config.model import Keeper, check_kept
from leeward.errors import InvalidRequest
from leeward_backup import create as creating
from leeward_backup.check import check, sealing_of
from leeward_backup.checkpoints import USUAL_FOLDER, Checkpoints, WorkFile
from leeward_backup.folder import LATEST, Folder, check_id, seconds_of
from leeward_backup.prune import Policy, prune
from leeward_backup.restore import Mode, Restore, dry_run, restore_into
from leeward_backup.sealing import Keys, keys_of
from leeward_backup.tables import RateLimit, Table
from leeward_backup.values import (
    Backup,
    BackupError,
    Checked,
    Fit,
    Look,
    Progress,
    Pruned,
    Restored,
)

MOST_THREADS = 64


def _ignore(_: Progress) -> None:
    return None


class Backups:
    """The backups of one table in one place.

    Args:
        client: knows the table and the bucket, which may be on different targets.
        table: its logical name.
        store: where the backups are: a bucket, and after a slash a prefix, as ``backups/shop``.
        key_file: a file with a key of 32 bytes, which encrypts everything here; or several files:
            the first encrypts, the others only decrypt.
        work: a folder on this machine for what a run has read; by default ``.leeward/backup``.
        look: gets the progress of a run.
        copied_from: the place, BUCKET/PREFIX/TABLE, where the backups were made, if somebody has
            copied them. Otherwise backups of another place are refused.

    Raises:
        LeewardError: an argument is wrong, or a home is missing.
    """

    def __init__(
        self,
        client: Client,
        table: str,
        store: str,
        *,
        key_file: Path | Sequence[Path] | None = None,
        work: Path = USUAL_FOLDER,
        look: Look = _ignore,
        copied_from: str | None = None,
    ) -> None:
        self._client = client
        self._table = Table(client, table)
        self._folder = Folder(client, store, table, copied_from)
        self._keys = Keys(keys_of(key_file), self._folder.place)
        self._work = work
        self._look = look

    def create(
        self, *, id: str | None = None, rate: float | None = None, verify: bool = False
    ) -> Backup:
        """Create a backup; upload only what has changed since the last one.

        Args:
            id: of the backup, for runs that may be repeated: an existing backup is returned.
            rate: items a second to read, at most.
            verify: read all segments that this backup shares with the last one, and write damaged
                segments again.

        Raises:
            LeewardError: there is no backup; call it again, and it continues.
        """
        self._check_place()
        rate_limit = RateLimit(rate, self._table.clock)
        checked = None if id is None else check_id(id)
        work = self._work_of("create", {"source": "scan"})
        run = creating.Run(
            self._table, self._folder, self._keys, work, rate_limit, self._look, verify=verify
        )
        return creating.create(run, checked)

    def _check_place(self) -> None:
        """Check that the bucket is where the table's data may be.

        Raises:
            ConfigError: the table has a residency, and the bucket is elsewhere.
        """
        operations = self._client._operations  # noqa: SLF001
        (target,) = operations.router.candidates(ListObjects(self._folder.bucket))[:1]
        keys, table = ("buckets", self._folder.bucket), frozenset({self._folder.table})
        check_kept(operations.config, Keeper(keys, target, table, "take another bucket"))

    def create_within(self, seconds: float, *, id: str, rate: float | None = None) -> Backup | None:
        """Work on a backup for so many seconds; return it, or None if there is more to do.

        Then call it again with the same id, on any machine: what was read is in the bucket. Each
        call reads at least a page or a segment.

        Args:
            seconds: when they are over, it begins nothing new.
            id: of the backup; an existing backup is returned.
            rate: items a second to read, at most.

        Raises:
            OtherRun: another run works on this backup.
            LeewardError: it failed; call it again, and it continues.
        """
        if not 0 <= seconds < float("inf"):
            raise InvalidRequest("seconds must be a number of seconds, 0 or more", field="seconds")
        self._check_place()
        clock = self._table.clock
        until = clock.monotonic() + seconds
        work = self._work_of("create", {"id": check_id(id)})
        checkpoints = Checkpoints(self._folder, self._keys, id, work)
        rate_limit = RateLimit(rate, clock)
        run = creating.Run(
            self._table, self._folder, self._keys, work, rate_limit, self._look, checkpoints, until
        )
        try:
            return creating.create(run, id)
        except creating.OutOfTime:
            return None

    def list(self) -> tuple[Backup, ...]:
        """Return all backups, the latest last; `Backup.wrong` says why one cannot be read."""
        backups = []
        for named in self._folder.backups():
            try:
                backups.append(creating.backup_of(self._folder.manifest(named, self._keys)))
            except BackupError as error:
                time = seconds_of(named.time)
                backups.append(
                    Backup(
                        *(named.id, self._table.name, "", time, time, 0, 0, 0, 0, "", None, None),
                        wrong=str(error),
                    )
                )
        return tuple(backups)

    def check(self, id: str = LATEST, *, deep: bool = False) -> Checked:
        """Check a backup; `deep` reads all of it, and so also finds a changed byte.

        Raises:
            BackupError: no backup has this id.
        """
        named = self._folder.find(id)
        return check(self._folder, self._keys, named, self._look, deep=deep)

    def dry_run(
        self,
        id: str = LATEST,
        *,
        into: str | None = None,
        mode: str = "empty",
        skip_damaged: bool = False,
        plain: bool = False,
    ) -> Fit:
        """Read a backup, and return the items that a table could not store; write nothing.

        Arguments and exceptions as for `restore`.
        """
        restore = self._restore(id, into, mode, None, 1)
        return dry_run(restore._replace(skip_damaged=skip_damaged, plain=plain))

    def restore(
        self,
        id: str = LATEST,
        *,
        into: str | None = None,
        mode: str = "empty",
        rate: float | None = None,
        parallel: int = 8,
        skip_damaged: bool = False,
        plain: bool = False,
    ) -> Restored:
        """Restore a backup into a table, and read the table again to compare.

        Args:
            id: of the backup; the last one by default.
            into: the logical name of the table; by default the table of the backup.
            mode: ``empty`` refuses a table with items; ``missing`` writes only missing items;
                ``overwrite`` replaces existing items.
            rate: items a second to write, at most.
            parallel: items that are written at the same time.
            skip_damaged: leave out the damaged parts of the backup; `Restored.missing` names them.
            plain: write a value that only another provider has, such as a set, as `load_data`
                returns it. Otherwise the restore refuses a backup with such values.

        Raises:
            BackupError: it is damaged, or does not fit; then nothing was written.
            LeewardError: it failed on the way; call it again, and it continues.
        """
        restore = self._restore(id, into, mode, rate, parallel)
        restore = restore._replace(skip_damaged=skip_damaged, plain=plain)
        about = {"id": restore.manifest.id, "into": restore.table.name, "mode": restore.mode.value}
        home = {"target": restore.table.home.target, "how": [skip_damaged, plain]}
        return restore_into(restore, self._work_of("restore", {**about, **home}))

    def drill(self, id: str = LATEST) -> Restored:
        """Restore a backup into an embedded table on this machine's disk, compare, and remove it.

        VERIFIED proves that this backup can be restored.

        Raises:
            BackupError: it is damaged.
        """
        from leeward_backup.drill import drill

        named = self._folder.find(id)
        clock = self._table.clock
        return drill(self._folder, self._keys, named, clock, self._look, work=self._work)

    def prune(self, *, keep: int = 7, days: float = 0, dry_run: bool = False) -> Pruned:
        """Delete old backups, and the segments that no backup needs any more.

        Args:
            keep: how many of the latest backups stay.
            days: backups of so many days stay, too.
            dry_run: delete nothing, and return what would be deleted.

        Raises:
            BackupError: it was stopped for too long; call it again.
        """
        policy = Policy(keep, days)
        clock = self._table.clock
        return prune(self._folder, self._keys, policy, clock, self._look, dry_run=dry_run)

    def _restore(
        self, id: str, into: str | None, mode: str, rate: float | None, parallel: int
    ) -> Restore:
        if mode not in (*Mode,):
            raise InvalidRequest("mode must be empty, missing or overwrite", field="mode")
        if type(parallel) is not int or not 1 <= parallel <= MOST_THREADS:
            raise InvalidRequest(f"parallel must be 1 to {MOST_THREADS}", field="parallel")
        table = self._table if into is None else Table(self._client, into)
        named = self._folder.find(id)
        manifest = self._folder.manifest(named, self._keys)
        sealing = sealing_of(manifest, self._keys)
        rate_limit = RateLimit(rate, table.clock)
        folder, way = self._folder, Mode(mode)
        return Restore(
            folder, sealing, manifest, table, way, rate_limit, parallel, self._look, named
        )

    def _work_of(self, run: str, about: Mapping[str, Any]) -> WorkFile:
        where = {"run": run, "table": self._table.name, "folder": str(self._folder)}
        return WorkFile(self._work, {**where, "key": self._keys.current.key_id, **about})
