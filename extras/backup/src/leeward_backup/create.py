"""Create a backup: read the whole table, upload the segments that are new, write the manifest.

What was read is in a work file, with the cursor behind it, so a run that was killed reads on where
it was. Segments are named by their content: what a killed run has uploaded is found again, and so
is whatever has not changed since the backup before. A run that may take only so long stops behind a
page or a segment, and leaves what it has read in the bucket.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from contextlib import suppress
from hashlib import sha256
from typing import Final, NamedTuple

from leeward import __version__
from leeward.entropy import new_id
from leeward_backup.check import read_segment
from leeward_backup.checkpoints import RESUME_FOR, Checkpoints, WorkFile
from leeward_backup.folder import (
    SEGMENTS,
    Folder,
    Named,
    head_name,
    manifest_name,
    seconds_of,
    time_name,
)
from leeward_backup.lines import Damaged
from leeward_backup.manifest import (
    BUCKETS,
    PER_ITEM,
    Draft,
    Manifest,
    Multiset,
    Segment,
    bucket_of,
    drafts,
    encode_manifest,
    pack,
    segment_name,
)
from leeward_backup.prune import wait_for_prunes
from leeward_backup.sealing import Keys
from leeward_backup.tables import RateLimit, Table
from leeward_backup.values import Backup, BackupError, Look, Progress

MOST_ROUNDS: Final = 3  # of uploading again what was deleted meanwhile

_STATE: Final = "scanned"

_BEHIND: Final = 0.0015  # seconds, for a name that is a millisecond later

_LARGEST_SKEW: Final = 24 * 3600.0
"""Seconds that the clock of another machine may be ahead of this one's."""


class OutOfTime(Exception):
    """The run has stopped in time; what it has done is kept."""


class Scanned(NamedTuple):
    """How far the reading of a table has come.

    Attributes:
        id: of the backup to be.
        begun: when a run first worked on it, in Unix seconds.
        started: of the first page.
        ended: of the last page, so far.
        cursor: of the next page; None before the first one, and behind the last one.
        whole: whether all pages were read.
        items: that were read.
        at: by which the backup is in order; None as it was started.
        lost: what of items is in no line, and of how many.
    """

    id: str
    begun: float
    started: float
    ended: float
    cursor: str | None = None
    whole: bool = False
    items: int = 0
    at: float | None = None
    lost: dict[str, int] | None = None

    @property
    def name(self) -> str:
        """The name of the manifest's object to be."""
        return manifest_name(self.started if self.at is None else self.at, self.id)


class Run(NamedTuple):
    """What a run works with.

    Attributes:
        table: is read.
        folder: gets the backup.
        keys: prove it.
        work: keeps what was read.
        rate_limit: of reading.
        look: is told how far it has come.
        checkpoints: keep what was read in the bucket, too; None for a run of one machine.
        until: when to stop, on the clock's `monotonic`; None for at the end.
        verify: read each segment that an earlier backup has written, and write a damaged one anew.
    """

    table: Table
    folder: Folder
    keys: Keys
    work: WorkFile
    rate_limit: RateLimit
    look: Look
    checkpoints: Checkpoints | None = None
    until: float | None = None
    verify: bool = False

    def is_late(self) -> bool:
        """Return whether it is time to stop."""
        return self.until is not None and self.table.clock.monotonic() >= self.until


def create(run: Run, id: str | None) -> Backup:
    """Create a backup, or continue one that was killed.

    Args:
        run: what to work with.
        id: of the backup; if it is there already, it is returned. None to mint one.

    Raises:
        LeewardError: it went wrong. There is no backup then, and the next run continues from there.
        OutOfTime: the same, in good order.
    """
    with run.work.hold():
        if run.checkpoints is not None:
            run.checkpoints.load(_STATE)
        # Behind the checkpoints: a run that ends meanwhile writes its manifest, then removes them.
        backups = run.folder.backups()
        begun = run.work.state(_STATE)
        there = [backup for backup in backups if backup.id == id]
        was = None if begun is None else Scanned(**begun)
        # Only a run that has written this manifest itself may have to see to its segments. One that
        # has begun to remove its checkpoints had done all else: it is not whole any more.
        name = was is not None and was.whole and was.name
        if there and name not in [backup.object for backup in there]:
            if was is None or was.id == id:
                _clean(run)
            return backup_of(run.folder.manifest(there[-1], run.keys))
        begun = was if there and was is not None else _begin(run, was, id, backups)
        scanned = _scan(run, begun)
        _check_there(run, scanned, backups)
        others = [backup for backup in backups if backup.id != scanned.id]
        manifest, mended = _upload(run, scanned, _parent(run, others))
        manifest = _commit(run, manifest)
        mended += _keep(run, manifest)
        run.folder.put(head_name(manifest.at, manifest.id), b"")
        _clean(run)
    return backup_of(manifest)._replace(mended=mended)


def _check_there(run: Run, scanned: Scanned, backups: list[Named]) -> None:
    """Refuse a table that may be a slip of the pen: some targets know no table without items."""
    table = run.table
    if not (scanned.items or backups or table.is_declared):
        _clean(run)
        raise BackupError(
            f"there is no table {table.name!r} at {table.home.target}, or it is empty; to back up "
            f"an empty one, name it in leeward.toml with [tables.{table.name}]"
        )


def _clean(run: Run) -> None:
    if run.checkpoints is not None:
        run.checkpoints.remove()
    run.work.remove()


def backup_of(manifest: Manifest) -> Backup:
    """Return what a manifest says of its backup."""
    return Backup(
        id=manifest.id,
        table=manifest.table,
        target=manifest.target,
        time=manifest.started,
        ended=manifest.ended,
        items=manifest.items,
        bytes=manifest.stored_bytes,
        segments=len(manifest.segments),
        uploaded=manifest.uploaded,
        consistency=manifest.consistency,
        key_id=manifest.key_id,
        parent=manifest.parent,
        lost=manifest.lost,
    )


def _begin(run: Run, begun: Scanned | None, id: str | None, backups: list[Named]) -> Scanned:
    now = run.table.clock.now()
    if begun is not None and 0 <= now - begun.begun < RESUME_FOR and id in (None, begun.id):
        return begun
    run.work.clear()
    # The latest backup is the one that was begun last, whatever the clocks of machines say; but a
    # time in the far future is not a clock's.
    before = max((seconds_of(backup.time) for backup in backups), default=0.0)
    at = max(now, before + _BEHIND) if before < now + _LARGEST_SKEW else now
    scanned = Scanned(id or new_id(now)[-12:], now, now, now, at=at)
    if run.checkpoints is not None:
        run.checkpoints.remove()
        run.checkpoints.write(scanned._asdict())
    return scanned


def _scan(run: Run, scanned: Scanned) -> Scanned:
    """Read what is left of the table into the work file."""
    if scanned.whole:
        return scanned
    for page in run.table.pages(scanned.cursor, run.rate_limit.rate):
        scanned = scanned._replace(
            ended=run.table.clock.now(),
            cursor=page.cursor,
            whole=page.cursor is None,
            items=scanned.items + len(page.rows),
            lost={
                **Counter(scanned.lost or {})
                + Counter(what for row in page.rows for what in row.lost)
            },
        )
        rows = [(bucket_of(row.key), row.key, row.line) for row in page.rows]
        run.work.note({_STATE: scanned._asdict()}, rows)
        run.look(Progress("read", scanned.items, None, "items"))
        _keep_checkpoint(run, scanned, rows)
        run.rate_limit.wait(len(rows))
    return scanned


def _keep_checkpoint(run: Run, scanned: Scanned, rows: list[tuple[int, bytes, bytes]]) -> None:
    """Keep what was read in the bucket, if a run may have to stop; stop if it is time."""
    if run.checkpoints is None:
        return
    state, late = scanned._asdict(), run.is_late()
    run.checkpoints.add(rows, state)
    if late or scanned.whole:
        run.checkpoints.write(state)
    if late:
        raise OutOfTime


def _parent(run: Run, backups: list[Named]) -> Manifest | None:
    """Return the manifest of the last backup that this key proves; None for none."""
    for named in reversed(backups):
        with suppress(BackupError):  # a key that is not known, or damage: the one before, then
            return run.folder.manifest(named, run.keys)
    return None


def _upload(run: Run, scanned: Scanned, parent: Manifest | None) -> tuple[Manifest, int]:
    """Upload the segments that the last backup has not.

    Returns:
        The manifest to be, and how many segments were damaged and are written anew.
    """
    sealing, mended = run.keys.current, 0
    before = {} if parent is None else {segment.name: segment for segment in parent.segments}
    there = frozenset[str]() if run.checkpoints is None else run.folder.sizes(SEGMENTS).keys()
    lines, segments, uploaded = Multiset(), [], 0
    for draft in drafts(_count(run.work.lines(), lines)):
        segment = _put(run, draft, before, there)
        if run.verify and segment.name in before and not _is_sound(run, segment):
            segment = _put(run, draft, {}, anew=True)
            mended += 1
        uploaded += segment.name not in before
        segments.append(segment)
        run.look(Progress("upload", draft.bucket + 1, BUCKETS, "buckets"))
        if segment.name not in before and segment.name not in there and run.is_late():
            raise OutOfTime
    manifest = Manifest(
        id=scanned.id,
        table=run.table.name,
        target=run.table.home.target,
        key=run.table.fields,
        consistency=PER_ITEM,
        started=scanned.started,
        ended=scanned.ended,
        tool=f"leeward {__version__}",
        digest=sealing.name(lines.digest),
        items=lines.items,
        parent=parent and parent.id,
        uploaded=uploaded,
        key_id=sealing.key_id,
        segments=tuple(segments),
        at=scanned.started if scanned.at is None else scanned.at,
        place=run.keys.place,
        lost=scanned.lost or {},
    )
    return manifest, mended


def _is_sound(run: Run, segment: Segment) -> bool:
    try:
        read_segment(run.folder, run.keys.current, segment)
    except BackupError:
        return False
    return True


def _count(
    lines: Iterable[tuple[int, bytes, bytes]], counted: Multiset
) -> Iterator[tuple[int, bytes, bytes]]:
    for line in lines:
        counted.add(line[2])
        yield line


def _put(
    run: Run,
    draft: Draft,
    before: Mapping[str, Segment],
    there: AbstractSet[str] = frozenset(),
    *,
    anew: bool = False,
) -> Segment:
    """Upload a segment, unless it is there; with `anew` whatever is there."""
    sealing = run.keys.current
    text = sealing.name(sha256(draft.text).digest())
    name = segment_name(draft.bucket, text, sealing.suffix)
    if name in before:
        return before[name]
    kept = _stored_at(run.folder, name) if name in there else None
    if kept is None:
        data = sealing.close(name, pack(draft.text))
        kept = len(data), sha256(data).hexdigest()
        if anew:
            run.folder.replace(name, data)
        elif not run.folder.put(name, data):
            kept = _stored_at(run.folder, name) or kept
    return Segment(name, draft.items, len(draft.text), text, *kept)


def _stored_at(folder: Folder, name: str) -> tuple[int, str] | None:
    """Return size and SHA-256 of a segment that is there: another zlib packs otherwise."""
    info = folder.info(name)
    if info is None:
        return None
    kind, _, checksum = (info.checksum or "").partition(":")
    if kind == "sha256":
        return info.size, checksum
    try:
        data = folder.get(name)
    except Damaged as error:
        raise BackupError(f"segment {folder.base}{name}: {error}; remove it") from None
    return None if data is None else (len(data), sha256(data).hexdigest())


def _commit(run: Run, manifest: Manifest) -> Manifest:
    name = manifest_name(manifest.at, manifest.id)
    if run.folder.put(name, encode_manifest(manifest, run.keys.current)):
        return manifest
    named = Named(time_name(manifest.at), manifest.id, name)
    theirs = run.folder.manifest(named, run.keys)
    if theirs.digest != manifest.digest and run.checkpoints is None:
        raise BackupError(f"there is another backup {manifest.id!r} in {run.folder}")
    return theirs  # it was committed, and the run was killed then, or overtaken


def _keep(run: Run, manifest: Manifest) -> int:
    """Write every segment again that a prune at the same time has deleted.

    A prune that has not seen this manifest has said before which segments it deletes. Return how
    many segments were there with another size, and are written anew.

    Raises:
        OutOfTime: it is time to stop, and a prune is under way.
    """
    wanted, mended = {segment.name: segment for segment in manifest.segments}, 0
    for _ in range(MOST_ROUNDS):
        if not wait_for_prunes(run.folder, wanted.keys(), run.table.clock, run.until, run.look):
            raise OutOfTime
        sizes = run.folder.sizes(SEGMENTS)
        cut = {name for name, segment in wanted.items() if sizes.get(name) != segment.stored_bytes}
        if not cut:
            return mended
        mended += len(cut & sizes.keys())
        others = {name: segment for name, segment in wanted.items() if name not in cut}
        for draft in drafts(run.work.lines()):
            _put(run, draft, others, anew=True)
    raise BackupError(
        f"segments of the backup {manifest.id} are deleted as soon as they are written; end what "
        f"deletes in {run.folder}, and create a backup"
    )
