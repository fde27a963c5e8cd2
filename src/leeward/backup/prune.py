"""Prune: delete old backups, and the segments that no backup needs any more."""

from __future__ import annotations

from typing import Final, NamedTuple

from leeward import json_text
from leeward.backup.errors import BackupError
from leeward.backup.folder import PRUNES, SEGMENTS, Folder, Named
from leeward.backup.manifest import Manifest, is_segment_name
from leeward.backup.parts import left_behind
from leeward.backup.prunes import LONGEST_PRUNE, announced_name, is_over
from leeward.backup.sealing import Sealing
from leeward.backup.values import Look, Progress, Pruned
from leeward.clock import Clock
from leeward.entropy import new_id
from leeward.errors import InvalidRequest

DAY: Final = 24 * 3600.0


class Policy(NamedTuple):
    """Which backups stay.

    Attributes:
        keep: so many of the latest.
        days: and all that were started in so many days before now.
    """

    keep: int
    days: float

    def check(self) -> None:
        """Refuse a policy that keeps none."""
        if type(self.keep) is not int or self.keep < 1:
            raise InvalidRequest("keep must be 1 or more: the last backup stays", field="keep")
        if not 0 <= self.days < float("inf"):
            raise InvalidRequest("days must be a number of days, 0 or more", field="days")

    def stays(self, manifests: list[Manifest], now: float) -> list[Manifest]:
        """Return the backups that stay, of all that there are, the latest last."""
        early = manifests[: -self.keep]
        young = [each for each in early if each.started > now - self.days * DAY]
        return young + manifests[-self.keep :]


def prune(
    folder: Folder, sealing: Sealing, policy: Policy, clock: Clock, look: Look, *, dry_run: bool
) -> Pruned:
    """Delete the backups that do not stay, and the segments that none of those needs that do.

    Args:
        folder: with the backups.
        sealing: proves them.
        policy: which stay.
        clock: gives the time.
        look: is told how far it has come.
        dry_run: delete nothing.

    Raises:
        BackupError: a manifest is wrong, so that nobody knows what it needs; nothing was deleted.
    """
    policy.check()
    now = clock.now()
    known = folder.backups()
    manifests = [folder.manifest(each, sealing) for each in known]
    stay = policy.stays(manifests, now)
    go = [named for named, each in zip(known, manifests, strict=True) if each not in stay]
    sizes = folder.sizes(SEGMENTS)
    needed = {each.name for manifest in stay for each in manifest.segments}
    dead = {each for each in sizes if is_segment_name(each)} - needed
    told = tuple(each.id for each in stay)
    if not dry_run:
        name = announced_name(now, new_id(now)[-12:])
        folder.put(name, json_text.encode(sorted(dead)))
        dead = dead - _of_new_ones(folder, sealing, known)
        deadline = clock.monotonic() + LONGEST_PRUNE
        # Manifests first: a backup of which a segment is gone must not be there any more.
        left = left_behind(folder, sealing, _done(folder, known, name, now), now)
        objects = [*(each.object for each in go), *sorted(dead), *_over(folder, now), *left, name]
        for number, each in enumerate(objects, 1):
            if clock.monotonic() > deadline:
                raise BackupError("the prune takes too long, and has ended before its end; repeat")
            folder.delete(each)
            look(Progress("delete", number, len(objects), "objects"))
    size = sum(sizes[each] for each in dead)
    return Pruned(tuple(each.id for each in go), told, len(dead), size)


def _of_new_ones(folder: Folder, sealing: Sealing, known: list[Named]) -> set[str]:
    """Return the segments of the backups that have come since."""
    come = [each for each in folder.backups() if each not in known]
    return {segment.name for each in come for segment in folder.manifest(each, sealing).segments}


def _done(folder: Folder, known: list[Named], own: str, now: float) -> set[str]:
    """Return the ids of the backups whose runs have nothing more to do.

    While another prune is under way, or has crashed, a run may yet have to upload again what that
    has deleted.
    """
    others = [each for each in folder.sizes(PRUNES) if each != own and not is_over(each, now)]
    return set() if others else {each.id for each in known}


def _over(folder: Folder, now: float) -> list[str]:
    """Return what prunes have left that have crashed."""
    return [each for each in folder.sizes(PRUNES) if is_over(each, now)]
