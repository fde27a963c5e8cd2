"""The backups of one table: create, list, check, restore, drill and prune."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from leeward.backup import create as creating
from leeward.backup.check import check, sealing_of
from leeward.backup.errors import BackupError
from leeward.backup.folder import LATEST, Folder, check_id, seconds_of
from leeward.backup.pace import Pace
from leeward.backup.parts import Parts
from leeward.backup.sealing import Keys, keys_of
from leeward.backup.source import Export, Scan, Source
from leeward.backup.tables import Table
from leeward.backup.values import Backup, Checked, Fit, Look, Progress, Pruned, Restored
from leeward.backup.workfile import USUAL_FOLDER, WorkFile
from leeward.calls import NativeJob
from leeward.client import Client
from leeward.errors import InvalidRequest

if TYPE_CHECKING:
    from leeward.backup.restore import Restore

MOST_THREADS = 64


def _ignore(_: Progress) -> None:
    return None


class Backups:
    """The backups of one table in one place.

    Args:
        client: knows the table and the bucket, which may be on different targets.
        table: its logical name.
        store: where the backups are: a bucket, and after a slash a prefix, as ``backups/shop``.
        key_file: a file with a key of 32 bytes, with which everything is encrypted here; or
            several, of which the others open what was written with them.
        work: a folder on this machine for what a run has read; by default ``.leeward/backup``.
        look: is told how far a run has come.
        copied_from: the place, BUCKET/PREFIX/TABLE, where the backups were made, if somebody has
            copied them; else those of another place are refused.

    Raises:
        LeewardError: something of that cannot be.
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
        self,
        *,
        id: str | None = None,
        rate: float | None = None,
        export: str | None = None,
        verify: bool = False,
    ) -> Backup:
        """Create a backup; of what has not changed since the last one nothing is uploaded.

        Args:
            id: of the backup, for runs that may be repeated: if it is there, it is returned.
            rate: items a second to read, at most.
            export: read no table, but an export that its service has written: a bucket, and after
                a slash the folder of the export.
            verify: read all segments of the last backup that this one has, too, and write those
                anew that are damaged.

        Raises:
            LeewardError: there is no backup; call it again, and it goes on from there.
        """
        pace = Pace(rate, self._table.clock)
        checked = None if id is None else check_id(id)
        source: Source = Scan(self._table, rate)
        if export is not None:
            source = Export(self._client, self._table, export)
        work = self._work_of("create", {"source": source.about})
        run = creating.Run(source, self._folder, self._keys, work, pace, self._look, verify=verify)
        return creating.create(run, checked)

    def create_within(self, seconds: float, *, id: str, rate: float | None = None) -> Backup | None:
        """Work on a backup for so many seconds; return it, or None if there is more to do.

        Then call it again with the same id, on this machine or another: what was read is in the
        bucket. Each call gets on by a page or a segment at least, however few seconds it has.

        Args:
            seconds: after which nothing new is begun.
            id: of the backup; if it is there, it is returned.
            rate: items a second to read, at most.

        Raises:
            OtherRun: another run of this backup is at work, and goes on with it.
            LeewardError: it went wrong; call it again, and it goes on from there.
        """
        if not 0 <= seconds < float("inf"):
            raise InvalidRequest("seconds must be a number of seconds, 0 or more", field="seconds")
        clock = self._table.clock
        until = clock.monotonic() + seconds
        work = self._work_of("create", {"id": check_id(id)})
        parts = Parts(self._folder, self._keys, id, work)
        pace = Pace(rate, clock)
        source = Scan(self._table, rate)
        run = creating.Run(source, self._folder, self._keys, work, pace, self._look, parts, until)
        try:
            return creating.create(run, id)
        except creating.OutOfTime:
            return None

    def native(self, *, export: str | None = None) -> NativeJob:
        """Let the table's own service make a backup, and wait until it is done.

        What comes of it stays with that service: it is restored there, into a new table, or read by
        what the service has for it.

        Args:
            export: make an export into this bucket and prefix instead.

        Raises:
            Unsupported: none can be asked for; the message says what the service does.
            BackupError: it has failed.
        """
        from leeward.backup.native import make_native

        return make_native(self._table, export, self._look)

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
        """Check a backup; with `deep` all of it is read, which alone finds a byte that has changed.

        Raises:
            BackupError: it is not there.
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
        """Read a backup, and tell which items could not be stored in a table; nothing is written.

        Arguments and exceptions are those of `restore`.
        """
        from leeward.backup.restore import dry_run

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
        """Restore a backup into a table, and read that again to see what it holds.

        Args:
            id: of the backup; the last one by default.
            into: the logical name of the table; by default the one that was backed up.
            mode: ``empty`` refuses a table with items; ``missing`` writes items whose keys are not
                there; ``overwrite`` replaces those that are.
            rate: items a second to write, at most.
            parallel: items that are written at the same time.
            skip_damaged: leave out what of the backup is damaged; `Restored.missing` names it.
            plain: write a value that only another provider has, such as a set, as what
                `load_data` returns of it. Else a backup with one is refused there.

        Raises:
            BackupError: it is damaged, or does not fit there; then nothing was written.
            LeewardError: it went wrong on the way; call it again, and it goes on from there.
        """
        from leeward.backup.restore import restore_into

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
        from leeward.backup.drill import drill

        named = self._folder.find(id)
        clock = self._table.clock
        return drill(self._folder, self._keys, named, clock, self._look, work=self._work)

    def prune(self, *, keep: int = 7, days: float = 0, dry_run: bool = False) -> Pruned:
        """Delete old backups, and the segments that no backup needs any more.

        Args:
            keep: so many of the latest stay.
            days: and all that were started in so many days before now.
            dry_run: delete nothing, and tell what would be deleted.

        Raises:
            BackupError: it was stopped for too long; call it again.
        """
        from leeward.backup.prune import Policy, prune

        policy = Policy(keep, days)
        clock = self._table.clock
        return prune(self._folder, self._keys, policy, clock, self._look, dry_run=dry_run)

    def _restore(
        self, id: str, into: str | None, mode: str, rate: float | None, parallel: int
    ) -> Restore:
        from leeward.backup.restore import Mode, Restore

        if mode not in (*Mode,):
            raise InvalidRequest("mode must be empty, missing or overwrite", field="mode")
        if type(parallel) is not int or not 1 <= parallel <= MOST_THREADS:
            raise InvalidRequest(f"parallel must be 1 to {MOST_THREADS}", field="parallel")
        table = self._table if into is None else Table(self._client, into)
        named = self._folder.find(id)
        manifest = self._folder.manifest(named, self._keys)
        sealing = sealing_of(manifest, self._keys)
        pace = Pace(rate, table.clock)
        return Restore(
            *(self._folder, sealing, manifest, table, Mode(mode), pace, parallel, self._look, named)
        )

    def _work_of(self, run: str, about: Mapping[str, Any]) -> WorkFile:
        where = {"run": run, "table": self._table.name, "folder": str(self._folder)}
        return WorkFile(self._work, {**where, "key": self._keys.current.key_id, **about})
