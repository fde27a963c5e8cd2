"""Where the lines of a backup come from: the table, or an export that its service has written."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator
from typing import Final, Protocol

from leeward.backup.errors import BackupError
from leeward.backup.lines import LONGEST_LINE
from leeward.backup.manifest import PER_ITEM, SNAPSHOT
from leeward.backup.tables import Lines, Table
from leeward.calls import ExportFile, ExportSummary, ReadExport
from leeward.client import Client
from leeward.errors import InvalidRequest

CHUNK_BYTES: Final = 256 * 1024
"""Of lines that are decoded at once, about."""


class Source(Protocol):
    """What a backup reads.

    Attributes:
        table: whose backup it is.
        consistency: of what is read.
        time: of which everything is, in Unix seconds; None where it is read item by item.
        about: tells one source from another, for the work file.
    """

    table: Table
    consistency: str
    time: float | None
    about: str

    def pages(self, cursor: str | None) -> Iterator[Lines]:
        """Yield the lines of all items, from a cursor on."""


class Scan:
    """The table itself, page by page; at a rate, no more at once than a second's items."""

    consistency = PER_ITEM
    time: float | None = None
    about = "scan"

    def __init__(self, table: Table, rate: float | None = None) -> None:
        self.table = table
        self._rate = rate

    def pages(self, cursor: str | None) -> Iterator[Lines]:
        """Yield the lines of all items, from a cursor on."""
        return self.table.pages(cursor, self._rate)


class Export:
    """An export of the table that its own service has written into a bucket.

    Args:
        client: knows the bucket.
        table: that was exported.
        where: the bucket, and after a slash the folder of the export.

    Raises:
        LeewardError: it is not there, or the table's target cannot read it.
    """

    consistency = SNAPSHOT

    def __init__(self, client: Client, table: Table, where: str) -> None:
        bucket, _, folder = where.strip("/").partition("/")
        if not bucket or not folder:
            raise InvalidRequest("an export is BUCKET/FOLDER", field="export")
        self._client, self._bucket, self._folder = client, bucket, folder
        self.table = table
        name: str = table.read_export(ReadExport("begin"))
        summary = table.read_export(ReadExport("summary", self._read(name)))
        self._summary: ExportSummary = summary
        self.time: float | None = self._summary.time
        self.about = self._summary.id

    def pages(self, cursor: str | None) -> Iterator[Lines]:
        """Yield the lines of all items; a cursor is the number of a file."""
        listed = self._read(self._summary.files)
        files: tuple[ExportFile, ...] = self.table.read_export(ReadExport("files", listed))
        told = sum(each.items for each in files)
        if told != self._summary.items:
            raise BackupError(
                f"the export {self.about} is wrong: its files have {told} items, and its summary "
                f"says {self._summary.items}"
            )
        for number, file in enumerate(files[int(cursor or 0) :], int(cursor or 0) + 1):
            here, behind = str(number - 1), str(number)
            for chunk in self._chunks(file):
                items = self.table.read_export(ReadExport("items", chunk))
                yield self.table.lines_of(items, here)
            yield Lines((), 0, behind if number < len(files) else None)
        if not files:
            yield Lines((), 0, None)

    def _read(self, name: str) -> bytes:
        found = self._client.get_object(self._bucket, f"{self._folder}/{name}")
        if found is None:
            raise BackupError(f"there is no {self._folder}/{name} in the bucket {self._bucket}")
        return found.read()

    def _chunks(self, file: ExportFile) -> Iterator[bytes]:
        """Yield the lines of a file, unpacked, some at once; each chunk has whole lines."""
        found = self._client.get_object(self._bucket, f"{self._folder}/{file.name}")
        if found is None:
            raise BackupError(f"the file {file.name} of the export {self.about} is lost")
        lines, rest, size = 0, list[bytes](), 0
        try:
            for piece in _unpacked(found):
                whole, end, after = piece.rpartition(b"\n")
                size += len(piece)
                if size > LONGEST_LINE:
                    raise BackupError(
                        f"the file {file.name} of the export {self.about} has a line of more than "
                        f"{LONGEST_LINE:,} bytes, more than any item"
                    )
                if not end:
                    rest.append(piece)
                    continue
                lines += whole.count(b"\n") + 1
                if lines > file.items:
                    break
                yield b"".join((*rest, whole))
                rest, size = [after], len(after)
        except zlib.error:
            raise BackupError(
                f"the file {file.name} of the export {self.about} is damaged"
            ) from None
        last = b"".join(rest)
        if last and lines <= file.items:
            lines += 1
            yield last
        if lines != file.items:
            raise BackupError(
                f"the file {file.name} of the export {self.about} has {lines} items or more, and "
                f"not {file.items}"
            )


def _unpacked(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Yield what was packed as gzip does, in pieces of bounded size.

    Raises:
        zlib.error: it is damaged, or cut off.
    """
    reader = zlib.decompressobj(zlib.MAX_WBITS | 16)
    for piece in pieces:
        left = piece
        while left:
            text = reader.decompress(left, CHUNK_BYTES)
            if text:
                yield text
            left = reader.unconsumed_tail
    if not reader.eof:
        raise zlib.error("cut off")
    yield reader.flush()
