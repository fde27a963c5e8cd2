"""Objects: files of a folder, which other programs can read.

::

    objects/
        reports/                     a bucket
            .data/<write id>.<sha256>    the bytes of one write; never changed
            2026~/may.csv                a symbolic link to them: the object 2026/may.csv

The bytes are written and synced first; the link is the commit point, made in one step, so a crash
leaves the old object or the new one. It may leave bytes without a link too: the file that writers
lock has a byte as long as one of them is at work, and the next one that finds it takes them away.
Reads need no lock: bytes that a link leads to are whole. Metadata stands beside the bytes; it is
written before them and removed after them, so whoever has seen the bytes has read all of it.
"""

from __future__ import annotations

import errno
import os
import re
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from leeward.adapter import Call, Result
from leeward.errors import Outcome
from leeward.json_text import Undecodable, decode, encode
from leeward.local.object_paths import SAFE, file_of, names_below
from leeward.local.synced_files import make_folder, sync, write_file
from leeward.object_calls import (
    DeleteObject,
    FoundObject,
    GetObject,
    HeadObject,
    Listing,
    ListObjects,
    Piece,
    PutObject,
)
from leeward.sqlite.file_safety import keep_out_of_version_control
from leeward.values import NOTHING

PAGE_OBJECTS: Final = 1000

MOST_LOOKS: Final = 100
"""How often an object is looked for that others keep replacing meanwhile."""

PATIENCE: Final = 10.0
"""Seconds that a look waits for a write which is under way."""

_DATA: Final = ".data"
_LOCK: Final = ".lock"
_LINK: Final = ".link"
_METADATA: Final = ".meta"
_WRITE: Final = re.compile(r"([A-Za-z0-9._-]{1,80})\.([0-9a-f]{64})")
_PAUSE: Final = 0.005
"""Seconds between two looks whether the lock is free."""


class Objects:
    """Put, get, head, list and delete. A bucket is there as soon as it holds an object.

    Args:
        folder: where the buckets are; made with the first object.
        announce: is told of each object, while its bucket is locked, before it is there.
    """

    def __init__(self, folder: Path, announce: Callable[[PutObject], None] | None = None) -> None:
        self._folder = folder
        self._announce = announce

    def perform(self, call: Call, timeout: float) -> Result[Any]:
        """Make one attempt at a call of objects."""
        try:
            match call:
                case PutObject():
                    return self._put(call, timeout)
                case GetObject():
                    return self._get(call)
                case HeadObject():
                    found = self._find(call.bucket, call.name)
                    return Result.ok(found and found[1])
                case ListObjects():
                    return self._list(call)
                case DeleteObject():
                    return self._delete(call, timeout)
        except _InDoubt as doubt:
            return _failed(doubt.error, Outcome.AMBIGUOUS)
        except OSError as error:
            return _failed(error)
        raise AssertionError(f"{call.verb} is not a call of objects")

    def has(self, bucket: str, name: str, write_id: str) -> bool:
        """Return whether there is an object, of this write; a write that is under way is awaited.

        Raises:
            OSError: the file system does not tell; or others have the bucket for too long.
        """
        if self._is_written(bucket, name, write_id):
            return True
        folder = self._bucket(bucket)
        if not folder.is_dir():
            return False
        with _locked(folder, PATIENCE) as free:
            if not free:
                raise TimeoutError
            return self._is_written(bucket, name, write_id)

    def _is_written(self, bucket: str, name: str, write_id: str) -> bool:
        found = self._find(bucket, name)
        return found is not None and found[1].write_id == write_id

    def _put(self, call: PutObject, timeout: float) -> Result[Any]:
        bucket = self._bucket(call.bucket)
        path = self._path(call.bucket, call.name)
        for each in (bucket / _DATA, path.parent):
            make_folder(each)
        keep_out_of_version_control(self._folder.parent)
        with _locked(bucket, timeout) as free:
            if not free:
                return Result(Outcome.REJECTED, code="busy", reason="busy")
            found = self._find(call.bucket, call.name)
            if found is not None and found[1].write_id == call.write_id:
                return Result.ok(call.write_id)
            if _holds(call, found and found[1]):
                data = bucket / _DATA / f"{call.write_id}.{call.checksum}"
                if call.metadata:
                    write_file(_beside(data), encode(dict(call.metadata)))
                write_file(data, call.body)
                if self._announce is not None:
                    self._announce(call)
                _link(data, path, call.write_id)
                with _told_as_doubt():
                    sync(path.parent)
                    if found is not None:
                        _discard(found[0])
                return Result.ok(call.write_id)
        return Result(Outcome.CONFLICT, message="an object is there, or has another revision")

    def _get(self, call: GetObject) -> Result[Any]:
        # A replaced object's bytes are taken away; then the one that has replaced it is read.
        for _ in range(MOST_LOOKS):
            found = self._find(call.bucket, call.name)
            if call.if_revision not in (None, found and found[1].revision):
                return Result(Outcome.CONFLICT, message="the object has another revision")
            if found is None:
                return Result.ok(None)
            with suppress(FileNotFoundError), found[0].open("rb") as file:
                file.seek(call.start)
                return Result.ok(Piece(file.read(call.length), found[1]))
        return Result(Outcome.REJECTED, code="busy", reason="busy")

    def _list(self, call: ListObjects) -> Result[Any]:
        after = call.cursor or ""
        named = sorted(
            name
            for name in names_below(self._bucket(call.bucket), "")
            if name.startswith(call.prefix) and name > after
        )
        page, more = named[:PAGE_OBJECTS], len(named) > PAGE_OBJECTS
        found = [self._find(call.bucket, name) for name in page]
        known = (each[1] for each in found if each is not None)
        objects = tuple(
            each._replace(write_id=None, checksum=None, metadata=NOTHING) for each in known
        )
        return Result.ok(Listing(objects, page[-1] if more else None))

    def _delete(self, call: DeleteObject, timeout: float) -> Result[Any]:
        bucket = self._bucket(call.bucket)
        if not bucket.is_dir():
            return Result.ok(None)
        path = self._path(call.bucket, call.name)
        with _locked(bucket, timeout) as free:
            if not free:
                return Result(Outcome.REJECTED, code="busy", reason="busy")
            found = self._find(call.bucket, call.name)
            if found is not None:
                path.unlink()
                with _told_as_doubt():
                    sync(path.parent)
                    _discard(found[0])
        return Result.ok(None)

    def _find(self, bucket: str, name: str) -> tuple[Path, FoundObject] | None:
        """Return an object's bytes and what is known of it; None if it is not there."""
        path = self._path(bucket, name)
        for _ in range(MOST_LOOKS):
            try:
                known = _WRITE.fullmatch(path.readlink().name)
            except (FileNotFoundError, NotADirectoryError):
                return None
            if known is None:
                break
            data = self._bucket(bucket) / _DATA / known[0]
            metadata = _metadata(data)
            with suppress(FileNotFoundError):  # replaced since: look again
                size = data.stat().st_size
                write_id, digest = known.groups()
                checksum = f"sha256:{digest}"
                return data, FoundObject(name, size, write_id, write_id, checksum, metadata)
        raise OSError(errno.EUCLEAN, f"{path} leads nowhere, or was not made by leeward")

    def _bucket(self, bucket: str) -> Path:
        return self._folder / quote(bucket, safe=SAFE).replace(".", "%2E")

    def _path(self, bucket: str, name: str) -> Path:
        return self._bucket(bucket) / file_of(name)


class _InDoubt(Exception):
    """The file system has failed behind the commit point of a write, as `error` says."""

    def __init__(self, error: OSError) -> None:
        super().__init__(str(error))
        self.error = error


@contextmanager
def _told_as_doubt() -> Iterator[None]:
    """Let a failure of the file system be one behind the commit point."""
    try:
        yield
    except OSError as error:
        raise _InDoubt(error) from error


def _holds(call: PutObject, found: FoundObject | None) -> bool:
    if call.if_absent:
        return found is None
    return call.if_revision is None or (found is not None and found.revision == call.if_revision)


def _beside(data: Path) -> Path:
    """Return where the metadata of an object is, if it has any."""
    return data.with_name(f"{data.name}{_METADATA}")


def _metadata(data: Path) -> Mapping[str, str]:
    try:
        found = decode(_beside(data).read_bytes())
    except FileNotFoundError:
        return NOTHING
    except Undecodable:  # another program has changed it
        return NOTHING
    return found if isinstance(found, dict) else NOTHING


def _discard(data: Path) -> None:
    """Remove the bytes of an object that no link leads to any more, and then its metadata."""
    data.unlink(missing_ok=True)
    _beside(data).unlink(missing_ok=True)


def _link(data: Path, path: Path, write_id: str) -> None:
    """Let `path` lead to `data`, in one step; `data` is there even after a crash."""
    fresh = data.parent / f"{write_id}{_LINK}"
    fresh.unlink(missing_ok=True)
    fresh.symlink_to(os.path.relpath(data, path.parent))
    sync(data.parent)
    fresh.replace(path)


@contextmanager
def _locked(bucket: Path, timeout: float) -> Iterator[bool]:
    """Hold the bucket for one writer; yield False if it was not free within `timeout` seconds.

    What the last writer has left is taken away first, if it crashed or failed.
    """
    import fcntl

    how = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW  # it is cut to a byte
    descriptor = os.open(bucket / _LOCK, how, 0o600)
    try:
        if not _lock(fcntl, descriptor, time.monotonic() + timeout):
            yield False
            return
        if os.fstat(descriptor).st_size:
            _sweep(bucket)
        os.ftruncate(descriptor, 1)
        yield True
        os.ftruncate(descriptor, 0)  # not where the writer has failed
    finally:
        fcntl.flock(descriptor, fcntl.LOCK_UN)  # a child that was forked has it still, and holds it
        os.close(descriptor)


def _sweep(bucket: Path) -> None:
    """Remove the bytes of a bucket that no link leads to; it must be locked.

    Links are taken as they lie there, by whatever name, and a folder that cannot be read ends it.
    """
    linked: set[str] = set()
    for folder, folders, files in os.walk(bucket, onerror=_fail):
        if _DATA in folders:
            folders.remove(_DATA)
        paths = (Path(folder, name) for name in files)
        linked.update(path.readlink().name for path in paths if path.is_symlink())
    for path in (bucket / _DATA).iterdir():
        name = path.name.removesuffix(_METADATA)
        made_here = path.suffix == _LINK or _WRITE.fullmatch(name)
        if made_here and name not in linked:
            path.unlink()


def _fail(error: OSError) -> None:
    raise error


def _lock(fcntl: Any, descriptor: int, deadline: float) -> bool:
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= deadline:
                return False
            time.sleep(_PAUSE)
        else:
            return True


_REASONS: Final = {"ENOSPC": "disk_full", "EDQUOT": "disk_full", "EROFS": "read_only"}
_DENIED: Final = "read_only"


def _failed(error: OSError, outcome: Outcome = Outcome.UNUSABLE) -> Result[Any]:
    """Return the result of a call that the file system refused: UNUSABLE before the commit point.

    After an EIO nothing is certain.
    """
    code = errno.errorcode.get(error.errno or 0, "OSError")
    reason = _DENIED if isinstance(error, PermissionError) else _REASONS.get(code, "io_error")
    if code == "EIO":
        outcome = Outcome.AMBIGUOUS
    return Result(outcome, code=code, reason=reason, message=error.strerror, cause=error)
