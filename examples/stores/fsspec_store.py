"""Objects by fsspec: any of its file systems, as far as it has one writer.

    files = fsspec.filesystem("sftp", host="backups.example")
    folders = {"reports": "/srv/reports"}
    client = Client([FsspecDriver("files", files, folders, sole_writer=True)])

fsspec has no put under a condition, no checksum and no metadata that all its file systems keep. So
an object is one file, which begins with a page of JSON that has these, and conditions are judged
here: attempts are made one after the other, and hold while **no other process writes there**. Say
so by `sole_writer`; without it nothing is opened.

A file that is cut off, since a writer was killed, counts as absent, and the next put replaces it;
what was there before is lost.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final
from urllib.parse import quote, unquote

from leeward.adapter.objects import checksum_in
from leeward.calls import (
    DeleteObject,
    FoundObject,
    GetObject,
    HeadObject,
    Listing,
    ListObjects,
    Piece,
    PutObject,
    Result,
)
from leeward.errors import ConfigError, Outcome
from leeward.json_text import Undecodable, decode, encode

from .brought import PAGE_OBJECTS, BroughtDriver, another_object

HEAD_BYTES: Final = 8192
"""Of a file, before the bytes of its object."""

PART: Final = 200
"""Characters of a folder's or a file's name: few file systems take more than 255 bytes."""


class FsspecDriver(BroughtDriver):
    """Buckets, each a folder of a file system.

    Args:
        target: its name.
        files: a file system of fsspec's.
        folders: the folder of each bucket.
        sole_writer: True says that no other process writes there while this driver is open.

    Raises:
        ConfigError: others may write there.
    """

    def __init__(
        self, target: str, files: Any, folders: Mapping[str, str], *, sole_writer: bool
    ) -> None:
        if sole_writer is not True:
            raise ConfigError(
                f"{target}: fsspec cannot write under a condition, so objects are safe with one "
                "writer alone; see to that, and set sole_writer=True"
            )
        super().__init__(target, folders, threads=1)
        self._files = files
        # As the file system writes them in what it finds; it has no public name for that.
        plain = files._strip_protocol  # noqa: SLF001
        self._folders = {name: plain(folder).rstrip("/") for name, folder in folders.items()}

    def attempt(self, call: Any) -> Result[Any]:
        """Make one attempt, which writes once at most."""
        folder = self._folders[call.bucket]
        match call:
            case PutObject():
                return self._put(call, _path(folder, call.name))
            case GetObject():
                return self._get(call, _path(folder, call.name))
            case HeadObject():
                return Result.ok(self._look(_path(folder, call.name), call.name))
            case ListObjects():
                return Result.ok(self._list(call, folder))
            case DeleteObject():
                return self._delete(call, _path(folder, call.name))
        raise AssertionError(f"{call.verb} is not a call of objects")

    def _put(self, call: PutObject, path: str) -> Result[Any]:
        found = self._look(path, call.name)
        if found is not None and found.write_id == call.write_id:
            return Result.ok(call.write_id)
        wrong = call.if_revision not in (None, found and found.revision)
        if wrong or (call.if_absent and found is not None):
            return another_object()
        head = encode(
            {
                "write": call.write_id,
                "sha256": call.checksum,
                "size": len(call.body),
                "metadata": dict(call.metadata),
            }
        )
        self._files.makedirs(path.rpartition("/")[0], exist_ok=True)
        self._files.pipe_file(path, head.ljust(HEAD_BYTES - 1) + b"\n" + call.body)
        return Result.ok(call.write_id)

    def _get(self, call: GetObject, path: str) -> Result[Any]:
        found = self._look(path, call.name)
        if call.if_revision not in (None, found and found.revision):
            return another_object()
        if found is None:
            return Result.ok(None)
        start = HEAD_BYTES + min(call.start, found.size)
        end = HEAD_BYTES + min(call.start + call.length, found.size)
        data = self._files.cat_file(path, start=start, end=end) if start < end else b""
        if len(data) != end - start:
            return Result(Outcome.AMBIGUOUS, code="damaged", message="the file has changed")
        return Result.ok(Piece(data, found))

    def _list(self, call: ListObjects, folder: str) -> Listing:
        after = call.cursor or ""
        named = sorted(
            (name, path)
            for name, path in self._names(folder)
            if name.startswith(call.prefix) and name > after
        )
        looked = (self._look(path, name) for name, path in named[:PAGE_OBJECTS])
        page = (FoundObject(*each[:3]) for each in looked if each is not None)
        more = len(named) > PAGE_OBJECTS
        return Listing(tuple(page), named[PAGE_OBJECTS - 1][0] if more else None)

    def _names(self, folder: str) -> Iterator[tuple[str, str]]:
        for path in self._files.find(folder):
            yield _name(path.removeprefix(f"{folder}/")), path

    def _delete(self, call: DeleteObject, path: str) -> Result[Any]:
        if self._files.exists(path):
            self._files.rm_file(path)
        return Result.ok(None)

    def _look(self, path: str, name: str) -> FoundObject | None:
        """Read what is kept with an object; None where there is none, or a part of one."""
        try:
            held = self._files.info(path)["size"] - HEAD_BYTES
            told: Any = decode(self._files.cat_file(path, start=0, end=HEAD_BYTES))
        except (FileNotFoundError, Undecodable):
            return None
        if not isinstance(told, dict) or told.get("size") != held:
            return None
        write_id, checksum = told["write"], checksum_in(told["sha256"])
        return FoundObject(name, held, write_id, write_id, checksum, told["metadata"])


def _path(folder: str, name: str) -> str:
    """Return the file of an object: its name is cut, so that none is also a folder's."""
    text = quote(name, safe=" ")
    parts = [text[at : at + PART] for at in range(0, len(text), PART)]
    return "/".join((folder, *(f"~{part}" for part in parts[:-1]), f"={parts[-1]}"))


def _name(path: str) -> str:
    return unquote("".join(part[1:] for part in path.split("/")))
