"""The part of a bucket with the backups of one table: objects below one name.

::

    <prefix>/<table>/segments/7f-<digest>.jsonl.gz         named by their content, never changed
    <prefix>/<table>/manifests/<time>-<id>.json            create-only, written last
    <prefix>/<table>/heads/<time>-<id>                     that this backup was made; written last
    <prefix>/<table>/prunes/<id>.json                      what a prune is about to delete
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Final, NamedTuple

from leeward._items.names import escape_key
from leeward._operations.downloads import DAMAGED
from leeward._operations.upkeep import own_bucket
from leeward.client import Client
from leeward.errors import Conflict, InvalidRequest, OutcomeUnknown
from leeward.values.objects import ObjectInfo
from leeward_backup.lines import Damaged
from leeward_backup.manifest import Manifest, decode_manifest, segments_named_in
from leeward_backup.sealing import Keys
from leeward_backup.values import BackupError, NoBackup

SEGMENTS: Final = "segments/"
MANIFESTS: Final = "manifests/"
PRUNES: Final = "prunes/"
HEADS: Final = "heads/"

LATEST: Final = "latest"

LARGEST: Final = 64 * 1024 * 1024  # bytes of a segment, or of a manifest

_ID: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]{0,79}")
_MANIFEST: Final = re.compile(r"manifests/([0-9]{8}T[0-9]{9}Z)-([A-Za-z0-9-]{1,80})\.json")


class Named(NamedTuple):
    """A backup, by the name of its manifest.

    Attributes:
        time: when it was started, to the millisecond, as ``20260131T120000250Z``.
        id: of the backup.
        object: the name of the manifest's object, below the folder.
    """

    time: str
    id: str
    object: str


class Folder:
    """The backups of one table.

    Args:
        client: knows the bucket.
        store: the bucket, and after a slash the prefix, if there is one.
        table: its logical name.
        copied_from: a place of which the backups may be, too, since they were copied here.

    Attributes:
        place: bucket, prefix and table, by the names that they have at the bucket's home.
    """

    def __init__(
        self, client: Client, store: str, table: str, copied_from: str | None = None
    ) -> None:
        bucket, _, prefix = store.partition("/")
        if not bucket:
            raise InvalidRequest("store must be BUCKET or BUCKET/PREFIX", field="store")
        self._client = client
        self.bucket = bucket
        self.base = "/".join(filter(None, (prefix.strip("/"), escape_key(table)))) + "/"
        self.table = table
        self.place = f"{own_bucket(client._operations, bucket)}/{self.base}".rstrip("/")  # noqa: SLF001
        self._places = (None, self.place, copied_from and copied_from.strip("/"))

    def __str__(self) -> str:
        return f"{self.bucket}/{self.base}"

    def put(self, name: str, data: bytes) -> bool:
        """Write an object that is not there; return False if one is there."""
        try:
            self._client.put_object(self.bucket, self.base + name, data, if_absent=True)
        except Conflict:
            return False
        return True

    def replace(self, name: str, data: bytes) -> None:
        """Write an object, whatever is there."""
        self._client.put_object(self.bucket, self.base + name, data)

    def get(self, name: str, most: int = LARGEST) -> bytes | None:
        """Read an object whole; None if it is not there.

        Args:
            name: of the object.
            most: bytes; a larger one is not read, whoever has put it there.

        Raises:
            Damaged: it is larger, or does not have the checksum that was kept with it.
        """
        try:
            found = self._client.get_object(self.bucket, self.base + name)
            if found is not None and found.info.size > most:
                raise Damaged(f"it is damaged: it has {found.info.size} bytes")
            return None if found is None else found.read()
        except OutcomeUnknown as error:
            if error.code != DAMAGED:
                raise
            raise Damaged("it is damaged: its bytes are not those that were written") from None

    def info(self, name: str) -> ObjectInfo | None:
        """Look at an object; None if it is not there."""
        return self._client.head_object(self.bucket, self.base + name)

    def delete(self, name: str) -> None:
        """Delete an object, there or not."""
        self._client.delete_object(self.bucket, self.base + name)

    def sizes(self, kind: str) -> dict[str, int]:
        """Return the names of all objects of a kind, such as `SEGMENTS`, with their bytes."""
        found: dict[str, int] = {}
        cursor: str | None = None
        while True:
            page = self._client.list_objects(self.bucket, self.base + kind, cursor=cursor)
            found |= {each.name.removeprefix(self.base): each.size for each in page.objects}
            if (cursor := page.cursor) is None:
                return found

    def backups(self) -> list[Named]:
        """Return all backups, the latest last."""
        found = [_MANIFEST.fullmatch(name) for name in self.sizes(MANIFESTS)]
        return sorted(Named(each[1], each[2], each[0]) for each in found if each is not None)

    def find(self, wanted: str) -> Named:
        """Return the backup with this id; or the last one, for `LATEST`.

        Raises:
            NoBackup: it is not there.
        """
        known = self.backups()
        found = [each for each in known if wanted in (LATEST, each.id, f"{each.time}-{each.id}")]
        if not found:
            told = f"no backup {wanted!r}" if known else "no backup"
            raise NoBackup(f"there is {told} of table {self.table!r} in {self}")
        return found[-1]

    def gaps(self, since: Named) -> list[str]:
        """Return the ids of backups that were made after this one, and are gone.

        A prune takes their heads, too. Who deletes a backup and its head leaves no gap.
        """
        made = self._made_after(since)
        there = {backup.id for backup in self.backups()}
        gone = [id for id in made if id not in there]
        # A prune deletes heads first; so of what it has deleted between the two looks none is left.
        return [id for id in self._made_after(since) if id in gone] if gone else []

    def _made_after(self, since: Named) -> list[str]:
        """Return the ids of backups that were made after this one, by their heads."""
        made = sorted(name.removeprefix(HEADS) for name in self.sizes(HEADS))
        return [name.partition("-")[2] for name in made if name > f"{since.time}-"]

    def needs(self, named: Named) -> set[str] | None:
        """Return the segments that a manifest names that is not to be trusted; None for unknown."""
        try:
            data = self.get(named.object)
        except Damaged:
            return None
        return set() if data is None else segments_named_in(data)

    def manifest(self, named: Named, keys: Keys) -> Manifest:
        """Read the manifest of a backup.

        Raises:
            BackupError: it is damaged, or of another backup or place.
        """
        try:
            data = self.get(named.object)
            if data is None:
                raise Damaged("it is not there any more")
            manifest = decode_manifest(data, keys)
            if (manifest.id, manifest.table, time_name(manifest.at)) != (
                named.id,
                self.table,
                named.time,
            ):
                raise Damaged("it is that of another backup, by what it says")
            if manifest.place not in self._places:
                raise Damaged(
                    f"it was made in {manifest.place}, and not here; if you have copied it, name "
                    f"that place with --copied-from"
                )
        except Damaged as error:
            raise BackupError(f"the manifest {self.base}{named.object} is wrong: {error}") from None
        return manifest


def check_id(id: str) -> str:
    """Check the id of a backup."""
    if not _ID.fullmatch(id):
        raise InvalidRequest(
            "the id of a backup has 1 to 80 letters, digits and hyphens", field="id"
        )
    return id


def manifest_name(at: float, id: str) -> str:
    """Return the name of a manifest's object."""
    return f"{MANIFESTS}{time_name(at)}-{id}.json"


def head_name(at: float, id: str) -> str:
    """Return the name of the object that is left of a backup whose manifest somebody deletes."""
    return f"{HEADS}{time_name(at)}-{id}"


def seconds_of(name: str) -> float:
    """Return a time that a name has, in Unix seconds; 0 for one that no calendar has."""
    try:
        return datetime.strptime(f"{name[:-1]}000+0000", "%Y%m%dT%H%M%S%f%z").timestamp()
    except ValueError:
        return 0.0


def time_name(seconds: float) -> str:
    """Return a time in Unix seconds as names have it."""
    moment = datetime.fromtimestamp(seconds, UTC)
    return f"{moment:%Y%m%dT%H%M%S}{moment.microsecond // 1000:03d}Z"
