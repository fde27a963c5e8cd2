"""What comes of creating, checking, restoring and pruning, immutable; and what is raised of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple, TypeAlias

from leeward.errors import LeewardError
from leeward.values import NOTHING, Promise

MOST_SHOWN = 5  # findings in a message; the attribute has all of them


class Backup(NamedTuple):
    """A backup.

    Attributes:
        id: by which it is found.
        table: whose backup it is.
        target: where the table was.
        time: when it was started, in Unix seconds.
        ended: when the last item was read.
        items: how many.
        bytes: of its segments as they are stored.
        segments: how many.
        uploaded: segments that were new, and not those of an earlier backup.
        consistency: ``snapshot``, or ``per_item``: each item as it was at a moment of its own
            between `time` and `ended`.
        key_id: of the key that it is encrypted with; None if it is not.
        parent: the id of the backup before.
        mended: segments that were damaged, and that this run has written anew.
        lost: what of items is in no line, such as ``its ttl``, and of how many.
        wrong: why its manifest cannot be read, so that only id and time are known; else empty.
    """

    id: str
    table: str
    target: str
    time: float
    ended: float
    items: int
    bytes: int
    segments: int
    uploaded: int
    consistency: str
    key_id: str | None
    parent: str | None
    mended: int = 0
    lost: Mapping[str, int] = NOTHING
    wrong: str = ""


class Checked(NamedTuple):
    """What a check has found.

    Attributes:
        id: of the backup.
        deep: whether every segment was read, or only looked at.
        items: how many it has.
        segments: how many.
        findings: what is wrong, each with the name of the segment; empty if nothing is.
    """

    id: str
    deep: bool
    items: int
    segments: int
    findings: tuple[str, ...]


class Restored(NamedTuple):
    """What came of a restore.

    Attributes:
        promise: VERIFIED if the table was read again and holds exactly the items of the backup;
            RESTORED if they were written and that is not proved.
        id: of the backup.
        table: where the items are now.
        target: where that is.
        written: items that were stored.
        kept: items that stayed as they were in the table, since that was asked for.
        expired: items of the backup that had expired, and were left out.
        found: items that the table held afterwards.
        why: why it is not VERIFIED; empty if it is.
        missing: what of the backup was damaged, and is not in the table, each with its segment.
    """

    promise: Promise
    id: str
    table: str
    target: str
    written: int
    kept: int
    expired: int
    found: int
    why: str
    missing: tuple[str, ...] = ()


class Fit(NamedTuple):
    """What a dry run has found: whether a backup can be restored into a table.

    Attributes:
        id: of the backup.
        table: where it would go.
        target: where that is.
        items: that would be stored.
        expired: that would be left out.
        findings: what is in the way, each with the key of the item; empty if nothing is.
        missing: what of the backup is damaged, and would be left out since that was asked for.
    """

    id: str
    table: str
    target: str
    items: int
    expired: int
    findings: tuple[str, ...]
    missing: tuple[str, ...] = ()


class Pruned(NamedTuple):
    """What a prune has deleted, or would delete.

    Attributes:
        backups: ids of the backups.
        kept: ids of those that stay.
        segments: how many, which no backup that stays needs.
        bytes: of them.
        wrong: manifests that cannot be read, each with the reason; they stay, and so does what
            they may need.
    """

    backups: tuple[str, ...]
    kept: tuple[str, ...]
    segments: int
    bytes: int
    wrong: tuple[str, ...] = ()


class Progress(NamedTuple):
    """How far a run has come.

    Attributes:
        step: what it does, such as ``read``.
        done: how much of it.
        total: of how much; None where nobody knows.
        unit: of what, such as ``items``.
    """

    step: str
    done: int
    total: int | None
    unit: str


Look: TypeAlias = Callable[[Progress], object]
"""Is told how far a run has come."""


class BackupError(LeewardError):
    """A backup cannot be trusted, or not be restored there; what was found is said.

    Attributes:
        findings: each names a segment, a manifest or the key of an item.
    """

    def __init__(self, message: str, findings: tuple[str, ...] = ()) -> None:
        shown = "; ".join(findings[:MOST_SHOWN])
        more = len(findings) - MOST_SHOWN
        rest = f"; and {more} more" if more > 0 else ""
        super().__init__(f"{message}: {shown}{rest}" if findings else message)
        self.findings = findings


class NoBackup(BackupError):
    """There is no such backup."""


class OtherRun(BackupError):
    """Another run of the same backup is at work, and continues it."""
