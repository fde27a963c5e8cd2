"""Prune: delete old backups, and the segments that no backup needs any more.

A prune says what it will delete before it looks which backups there are. So a backup that is
created at the same time either is seen by the prune, or sees what the prune has said: then it waits
for the end of the prune, and uploads again what is gone.

What a prune has said is a lease: the prune writes it anew while it is at work, and deletes nothing
once it has not done so for a while. Who waits looks whether it changes. So nobody has to know what
time it is elsewhere, and a prune that was killed is waited for no longer than that.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from typing import Any, Final, NamedTuple

from leeward import json_text
from leeward.clock import Clock
from leeward.entropy import new_id
from leeward.errors import InvalidRequest
from leeward_backup.checkpoints import left_behind
from leeward_backup.folder import HEADS, PRUNES, SEGMENTS, Folder, Named, time_name
from leeward_backup.manifest import Manifest, is_segment_name
from leeward_backup.sealing import Keys
from leeward_backup.values import BackupError, Look, Progress, Pruned

LEASE: Final = 60.0
"""Seconds behind the last writing of its lease after which a prune deletes no more."""

DEAD_AFTER: Final = 4 * LEASE
"""Seconds without a change of its lease after which a prune has ended for those who wait: a request
of it may have been under way."""

OVER_AFTER: Final = 2 * 3600.0
"""Seconds behind the time in its name after which nobody heeds a prune, or reads what it has said;
and before that time: no clock is so wrong."""

_PAUSE: Final = 1.0

DAY: Final = 24 * 3600.0


class Lease:
    """What a prune has said, kept alive while it is at work."""

    def __init__(self, folder: Folder, name: str, dead: AbstractSet[str], clock: Clock) -> None:
        self._folder = folder
        self._name = name
        self._dead = sorted(dead)
        self._clock = clock
        self._count = 0
        self._written = 0.0
        self.renew()

    def renew(self) -> None:
        """Write the lease anew, once half of it is over.

        Raises:
            BackupError: more than all of it is over: others may not heed it any more.
        """
        now = self._clock.monotonic()
        if self._count and now - self._written > LEASE:
            raise BackupError(
                "the prune was stopped for too long, and has ended before its end; repeat it"
            )
        if self._count and now - self._written < LEASE / 2:
            return
        self._count += 1
        state = {"names": self._dead, "count": self._count}
        self._folder.replace(self._name, json_text.encode(state))
        self._written = now


def announced_name(now: float, id: str) -> str:
    """Return the name of the object in which a prune says what it will delete."""
    return f"{PRUNES}{time_name(now)}-{id}.json"


def is_over(name: str, now: float) -> bool:
    """Return whether a prune began so long ago that it must have ended, or not yet."""
    early, late = (f"{PRUNES}{time_name(now + seconds)}" for seconds in (-OVER_AFTER, OVER_AFTER))
    return not early <= name <= late


def wait_for_prunes(
    folder: Folder, names: AbstractSet[str], clock: Clock, until: float | None, look: Look
) -> bool:
    """Wait until no prune is under way that may delete one of these segments; return whether so.

    Args:
        folder: of the backups.
        names: of the segments.
        clock: gives the time.
        until: when to stop waiting, on its `monotonic`; None for at the end.
        look: is told that there is something to wait for.
    """
    begun = clock.monotonic()
    seen: dict[str, tuple[bytes, float]] = {}
    while True:
        now, here, at_work = clock.now(), clock.monotonic(), 0
        for name in folder.sizes(PRUNES):
            if is_over(name, now):
                continue
            data = _read_lease(folder, name)
            if data is None or not names & segments_in(folder, name, data):
                continue
            if name not in seen or seen[name][0] != data:
                seen[name] = data, here
            at_work += here - seen[name][1] < DEAD_AFTER
        if not at_work:
            return True
        if until is not None and here >= until:
            return False
        look(Progress("wait for a prune", int(here - begun), int(DEAD_AFTER), "seconds"))
        clock.sleep(_PAUSE)


def _read_lease(folder: Folder, name: str) -> bytes | None:
    """Read what a prune has said; None if it has ended."""
    try:
        return folder.get(name)
    except ValueError as error:
        raise BackupError(f"{folder}{name}: {error}; remove it") from None


def segments_in(folder: Folder, name: str, data: bytes) -> set[str]:
    """Return the segments that a prune has said it will delete.

    Raises:
        BackupError: it cannot be read.
    """
    try:
        document: Any = json_text.decode(data)
    except ValueError:
        document = None
    names = document.get("names") if isinstance(document, dict) else document
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise BackupError(f"{folder}{name} does not say what a prune deletes; remove it")
    return {*names}


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
        young = [backup for backup in early if self.days and backup.at > since]
        return young + manifests[-self.keep :]


def prune(
    folder: Folder, keys: Keys, policy: Policy, clock: Clock, look: Look, *, dry_run: bool
) -> Pruned:
    """Delete the backups that do not stay, and the segments that none of those needs that do.

    A backup whose manifest cannot be trusted stays, with all that it names. Where not even that can
    be told, all segments stay.

    Raises:
        BackupError: it was stopped for too long.
    """
    policy.check()
    now = clock.now()
    named_before = folder.backups()
    manifests, wrong = dict[Named, Manifest](), dict[Named, str]()
    for named in named_before:
        try:
            manifests[named] = folder.manifest(named, keys)
        except BackupError as error:
            wrong[named] = str(error)
    stay = policy.stays([*manifests.values()], now)
    go = [named for named, manifest in manifests.items() if manifest not in stay]
    sizes = folder.sizes(SEGMENTS)
    needed = {segment.name for manifest in stay for segment in manifest.segments}
    dead = (
        {name for name in sizes if is_segment_name(name)} - needed - _in_doubt(folder, wrong, sizes)
    )
    if not dry_run:
        name = announced_name(now, new_id(now)[-12:])
        lease = Lease(folder, name, dead, clock)
        newer = [backup for backup in folder.backups() if backup not in named_before]
        dead = dead - _in_doubt(folder, newer, sizes)
        # Manifests first: a backup of which a segment is gone must not be there any more.
        left = left_behind(folder, keys, _complete_backups(folder, named_before, name, now), now)
        heads = _heads(folder, go, [name for name in named_before if name not in go])
        backups = [name.object for name in go]
        objects = [
            *heads,
            *backups,
            *sorted(dead),
            *[name for name in folder.sizes(PRUNES) if is_over(name, now)],
            *left,
            name,
        ]
        for number, path in enumerate(objects, 1):
            lease.renew()
            folder.delete(path)
            look(Progress("delete", number, len(objects), "objects"))
    size = sum(sizes[name] for name in dead)
    ids, kept = (tuple(backup.id for backup in some) for some in (go, stay))
    return Pruned(ids, kept, len(dead), size, tuple(wrong.values()))


def _in_doubt(folder: Folder, wrong: Iterable[Named], sizes: Mapping[str, int]) -> set[str]:
    """Return the segments that backups may need whose manifests are not to be trusted."""
    spared = set[str]()
    for manifest in wrong:
        needs = folder.needs(manifest)
        spared |= sizes.keys() if needs is None else needs
    return spared


def _heads(folder: Folder, go: list[Named], stay: list[Named]) -> list[str]:
    """Return the heads of the backups that go, and of all that are older than those that stay."""
    first = min((backup.time for backup in stay), default="")
    names = {f"{HEADS}{backup.time}-{backup.id}" for backup in go}
    return [name for name in folder.sizes(HEADS) if name < f"{HEADS}{first}" or name in names]


def _complete_backups(folder: Folder, backups: list[Named], name_: str, now: float) -> set[str]:
    """Return the ids of the backups whose runs have nothing more to do.

    While another prune is under way, or has crashed, a run may yet have to upload again what that
    has deleted.
    """
    others = [name for name in folder.sizes(PRUNES) if name != name_ and not is_over(name, now)]
    return set() if others else {backup.id for backup in backups}
