"""Prune: delete old backups, and the segments that no backup needs any more."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple

from leeward.clock import Clock
from leeward.entropy import new_id
from leeward.errors import InvalidRequest
from leeward_backup.errors import BackupError
from leeward_backup.folder import HEADS, PRUNES, SEGMENTS, Folder, Named
from leeward_backup.manifest import Manifest, is_segment_name
from leeward_backup.parts import left_behind
from leeward_backup.prunes import Lease, announced_name, is_over
from leeward_backup.sealing import Keys
from leeward_backup.values import Look, Progress, Pruned

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
        since = now - self.days * DAY
        young = [each for each in early if self.days and each.at > since]
        return young + manifests[-self.keep :]


def prune(
    folder: Folder, keys: Keys, policy: Policy, clock: Clock, look: Look, *, dry_run: bool
) -> Pruned:
    """Delete the backups that do not stay, and the segments that none of those needs that do.

    A backup whose manifest cannot be trusted stays, with all that it names. Where not even that can
    be told, all segments stay.

    Args:
        folder: with the backups.
        keys: prove them.
        policy: which stay.
        clock: gives the time.
        look: is told how far it has come.
        dry_run: delete nothing.

    Raises:
        BackupError: it was stopped for too long.
    """
    policy.check()
    now = clock.now()
    known = folder.backups()
    manifests, wrong = dict[Named, Manifest](), dict[Named, str]()
    for named in known:
        try:
            manifests[named] = folder.manifest(named, keys)
        except BackupError as error:
            wrong[named] = str(error)
    stay = policy.stays([*manifests.values()], now)
    go = [named for named, each in manifests.items() if each not in stay]
    sizes = folder.sizes(SEGMENTS)
    needed = {each.name for manifest in stay for each in manifest.segments}
    dead = (
        {each for each in sizes if is_segment_name(each)} - needed - _in_doubt(folder, wrong, sizes)
    )
    if not dry_run:
        name = announced_name(now, new_id(now)[-12:])
        lease = Lease(folder, name, dead, clock)
        dead = dead - _of_new_ones(folder, known, sizes)
        # Manifests first: a backup of which a segment is gone must not be there any more.
        left = left_behind(folder, keys, _complete_backups(folder, known, name, now), now)
        heads = _heads(folder, go, [each for each in known if each not in go])
        backups = [each.object for each in go]
        objects = [*heads, *backups, *sorted(dead), *_leases_over(folder, now), *left, name]
        for number, each in enumerate(objects, 1):
            lease.renew()
            folder.delete(each)
            look(Progress("delete", number, len(objects), "objects"))
    size = sum(sizes[each] for each in dead)
    ids, kept = (tuple(each.id for each in some) for some in (go, stay))
    return Pruned(ids, kept, len(dead), size, tuple(wrong.values()))


def _in_doubt(folder: Folder, wrong: Iterable[Named], sizes: Mapping[str, int]) -> set[str]:
    """Return the segments that backups may need whose manifests are not to be trusted."""
    spared = set[str]()
    for each in wrong:
        needs = folder.needs(each)
        spared |= sizes.keys() if needs is None else needs
    return spared


def _of_new_ones(folder: Folder, known: list[Named], sizes: Mapping[str, int]) -> set[str]:
    """Return the segments of the backups that have come since."""
    return _in_doubt(folder, [each for each in folder.backups() if each not in known], sizes)


def _heads(folder: Folder, go: list[Named], stay: list[Named]) -> list[str]:
    """Return the heads of the backups that go, and of all that are older than those that stay."""
    first = min((each.time for each in stay), default="")
    own = {f"{HEADS}{each.time}-{each.id}" for each in go}
    return [each for each in folder.sizes(HEADS) if each < f"{HEADS}{first}" or each in own]


def _complete_backups(folder: Folder, known: list[Named], own: str, now: float) -> set[str]:
    """Return the ids of the backups whose runs have nothing more to do.

    While another prune is under way, or has crashed, a run may yet have to upload again what that
    has deleted.
    """
    others = [each for each in folder.sizes(PRUNES) if each != own and not is_over(each, now)]
    return set() if others else {each.id for each in known}


def _leases_over(folder: Folder, now: float) -> list[str]:
    """Return what prunes have left that have crashed."""
    return [each for each in folder.sizes(PRUNES) if is_over(each, now)]
