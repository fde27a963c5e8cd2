"""Check a backup: that everything is there, or, reading it all, that it is what was written."""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import sha256

from leeward_backup.folder import SEGMENTS, Folder, Named
from leeward_backup.lines import Damaged, kept_in, key_text
from leeward_backup.manifest import Manifest, Multiset, Segment, bucket_of, lines_in, unpack
from leeward_backup.sealing import Keys, Sealing
from leeward_backup.values import BackupError, Checked, Look, NoBackup, Progress


def check(folder: Folder, keys: Keys, named: Named, look: Look, *, deep: bool) -> Checked:
    """Check a backup.

    Args:
        folder: with the backup.
        keys: one of which proves it.
        named: the backup.
        look: is told how far it has come.
        deep: read and decode everything. Otherwise segments are only looked at: that one is there,
            with its size and the checksum that was kept when it was written. A byte that has
            changed since is not found by that.

    Raises:
        NoBackup: somebody has deleted it meanwhile.
    """
    try:
        manifest = folder.manifest(named, keys)
    except BackupError as error:
        return Checked(named.id, deep, 0, 0, (str(error),))
    sealing = sealing_of(manifest, keys)
    looked = (
        _check_texts(folder, sealing, manifest, look)
        if deep
        else _check_sizes(folder, manifest, look)
    )
    damage = [*dict.fromkeys(looked)]
    if damage:
        check_still_there(folder, named)
    flaws_ = (*damage, *missing_since(folder, named))
    return Checked(named.id, deep, manifest.items, len(manifest.segments), flaws_)


def check_still_there(folder: Folder, named: Named) -> None:
    """Raise `NoBackup` for a backup that was deleted meanwhile: do not look for damage then."""
    if folder.info(named.object) is None:
        raise NoBackup(f"the backup {named.id} was deleted while it was read; take another one")


def missing_since(folder: Folder, named: Named) -> list[str]:
    """Return what is wrong with the backups that were made after this one."""
    return [
        f"the backup {id} was made in {folder} and is gone; no prune has deleted it"
        for id in folder.gaps(named)
    ]


def sealing_of(manifest: Manifest, keys: Keys) -> Sealing:
    """Return what proves the segments of a manifest that was read with these keys."""
    sealing = keys.find(manifest.key_id, manifest.place)
    assert sealing is not None
    return sealing


def read_segment(folder: Folder, sealing: Sealing, segment: Segment) -> Iterator[bytes]:
    """Return the lines of a segment, after everything that its manifest says was compared.

    Raises:
        BackupError: it is lost or damaged.
    """
    try:
        stored = folder.get(segment.name, segment.stored_bytes)
        if stored is None:
            raise Damaged("it is lost")
        if len(stored) != segment.stored_bytes or sha256(stored).hexdigest() != segment.stored:
            raise Damaged("it is damaged: its bytes are not those that were written")
        text = unpack(sealing.open(segment.name, stored), segment.text_bytes)
        if sealing.name(sha256(text).digest()) != segment.text:
            raise Damaged("it is damaged: its text is not the one that was written")
        return lines_in(text, segment.bucket, segment.items)
    except Damaged as error:
        raise BackupError(f"segment {folder.base}{segment.name}: {error}") from None


def compare(manifest: Manifest, sealing: Sealing, lines: Multiset) -> None:
    """Compare what was read of all segments with what the manifest says of the whole.

    Raises:
        BackupError: it is something else.
    """
    if (lines.items, sealing.name(lines.digest)) != (manifest.items, manifest.digest):
        raise BackupError(
            f"the backup {manifest.id} is wrong: together its segments are not what its manifest "
            "says, by the multiset digest"
        )


def _check_sizes(folder: Folder, manifest: Manifest, look: Look) -> Iterator[str]:
    sizes = folder.sizes(SEGMENTS)
    for number, segment in enumerate(manifest.segments, 1):
        name = f"segment {folder.base}{segment.name}"
        size = sizes.get(segment.name)
        if size is None:
            yield f"{name}: it is lost"
        elif size != segment.stored_bytes:
            yield f"{name}: it has {size} bytes, and not {segment.stored_bytes}"
        else:
            info = folder.info(segment.name)
            kind, _, checksum = ("" if info is None else info.checksum or "").partition(":")
            if kind == "sha256" and checksum != segment.stored:
                yield f"{name}: it was written with another checksum"
        look(Progress("check", number, len(manifest.segments), "segments"))


def _check_texts(folder: Folder, sealing: Sealing, manifest: Manifest, look: Look) -> Iterator[str]:
    whole = Multiset()
    for number, segment in enumerate(manifest.segments, 1):
        try:
            lines = read_segment(folder, sealing, segment)
            for line in lines:
                whole.add(line)
                _check_line(folder, manifest, segment, line)
        except BackupError as error:
            yield str(error)
        look(Progress("check", number, len(manifest.segments), "segments"))
    try:
        compare(manifest, sealing, whole)
    except BackupError as error:
        yield str(error)


def _check_line(folder: Folder, manifest: Manifest, segment: Segment, line: bytes) -> None:
    try:
        kept = kept_in(line)
        if bucket_of(key_text(kept.key)) != segment.bucket:
            raise Damaged("an item is in a bucket that is not its own")
        if kept.key != tuple(map(kept.item.get, manifest.key)):
            raise Damaged(f"an item has another key in {' / '.join(manifest.key)} than its line")
    except Damaged as error:
        raise BackupError(f"segment {folder.base}{segment.name}: {error}") from None
