"""What an unfinished run has read: on this machine's disk, and in the bucket.

The work file is an SQLite file for each run: what it is about, how far it has come, and the lines
that were read, which SQLite sorts. So memory is bounded and a crash loses little. It goes when the
run has ended; one that was killed continues from it.

Checkpoints are in the bucket, so that any process can continue a backup::

    <prefix>/<table>/runs/<id>/000000.jsonl.gz    how far it had come, and what it had read by then

One is written create-only and never changed. So of two runs of one backup that read at the same
time one gets the next checkpoint, and the other one gives way. A function's disk is gone with it;
the work file is made again from the checkpoints.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Container, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from hashlib import sha256
from pathlib import Path
from typing import Any, Final, NamedTuple

from leeward import json_text
from leeward._sqlite.database import Database, Schema
from leeward._sqlite.file_safety import keep_out_of_version_control
from leeward.errors import LeewardError
from leeward.json_text import decode, encode
from leeward.leases.faults import DatabaseFault
from leeward_backup.folder import Folder
from leeward_backup.lines import Damaged
from leeward_backup.manifest import LEAST_LINE, bucket_of, cut_lines, pack
from leeward_backup.sealing import Keys
from leeward_backup.values import BackupError, OtherRun

USUAL_FOLDER: Final = Path(".leeward") / "backup"

_PATIENCE: Final = 10.0  # seconds to wait for the file

_CACHE_KIB: Final = 16_384  # of pages in memory, and of what is sorted at once

_SCHEMA: Final = Schema(
    0x4C77426B,
    1,
    (
        "CREATE TABLE state (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID",
        "CREATE TABLE lines (bucket INTEGER NOT NULL, key BLOB NOT NULL, line BLOB NOT NULL)",
    ),
)
_LOCK: Final = Schema(0x4C77426C, 1, ())

_BESIDE: Final = ("", "-journal", ".lock", ".lock-journal")

RUNS: Final = "runs/"

RESUME_FOR: Final = 24 * 3600.0
"""Seconds after its start for which a run that was killed, or has stopped, is continued."""

COUNT: Final = "parts"
"""State of a work file: how many checkpoints it has in it."""

TOLD: Final = "told"
"""State of a work file: what the last checkpoint says of how far it had come."""

MOST_ROW_BYTES: Final = 4 * 1024 * 1024
"""Of the rows of a checkpoint, about: memory holds them, their text, and what that is packed to."""

_SPLIT: Final = 3 * MOST_ROW_BYTES // 2
"""Bytes of rows for which not even the end of their page is waited for."""

_MOST: Final = 8 * MOST_ROW_BYTES
"""Bytes of a checkpoint's text, at most: more than any version writes."""

Rows = Sequence[tuple[int, bytes, bytes]]


class WorkFile:
    """The file of one run, which nobody else works with meanwhile.

    Args:
        folder: where it is.
        about: what makes it this run and not another one.
    """

    def __init__(self, folder: Path, about: dict[str, Any]) -> None:
        digest = sha256(json.dumps(about, sort_keys=True).encode()).hexdigest()[:24]
        self.path = folder / f"{digest}.sqlite3"
        self._database = Database(self.path, _SCHEMA)
        self._lock = Database(self.path.with_name(f"{self.path.name}.lock"), _LOCK)

    @contextmanager
    def hold(self) -> Iterator[None]:
        """Keep other processes away, and close the file at the end.

        Raises:
            LeewardError: another one is at work with it, or it cannot be used.
        """
        try:
            with self._explain(), self._lock.write(0.0):
                keep_out_of_version_control(self.path.parent)
                keep_out_of_version_control(self.path.parent.parent)
                yield
        finally:
            self._database.close()
            self._lock.close()

    def state(self, name: str) -> Any:
        """Return what was noted under a name; None for nothing."""
        with self._explain(), self._database.read(_PATIENCE) as connection:
            rows = connection.execute("SELECT value FROM state WHERE name = ?", (name,)).fetchall()
        return decode(rows[0][0]) if rows else None

    def note(self, states: dict[str, Any], rows: Sequence[tuple[int, bytes, bytes]] = ()) -> None:
        """Note states and add lines, in one step."""
        texts = [(name, encode(value).decode()) for name, value in states.items()]
        with self._explain(), self._database.write(_PATIENCE) as connection:
            connection.executemany("INSERT INTO lines VALUES (?, ?, ?)", rows)
            connection.executemany("INSERT OR REPLACE INTO state VALUES (?, ?)", texts)

    def clear(self) -> None:
        """Forget everything."""
        with self._explain(), self._database.write(_PATIENCE) as connection:
            connection.execute("DELETE FROM lines")
            connection.execute("DELETE FROM state")

    def lines(self) -> Iterator[tuple[int, bytes, bytes]]:
        """Yield bucket, key and line of all items in order; of one key only the last that came."""
        with self._explain():
            connection = self._database.connect()
            try:
                connection.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")
                rows = connection.execute(
                    "SELECT bucket, key, line FROM lines ORDER BY bucket, key, rowid"
                )
                before: tuple[int, bytes, bytes] | None = None
                for row in rows:
                    if before is not None and before[1] != row[1]:
                        yield before
                    before = row
                if before is not None:
                    yield before
            finally:
                connection.close()

    def remove(self) -> None:
        """Remove the file: the run has ended."""
        self._database.close()
        for suffix in _BESIDE:
            with suppress(OSError):
                self.path.with_name(f"{self.path.name}{suffix}").unlink()

    @contextmanager
    def _explain(self) -> Iterator[None]:
        try:
            yield
        except DatabaseFault as fault:
            text = f"the work file {self.path}: {fault}"
            if fault.reason == "busy":
                raise OtherRun(f"{text}; another process is at work with it") from fault
            if fault.reason == "disk_full":
                raise LeewardError(
                    f"{text}; make room, or name another folder with --work, and call it again"
                ) from fault
            raise LeewardError(f"{text}; remove it, and begin anew") from fault


class Checkpoint(NamedTuple):
    """How far a run had come, and what it had read since the last checkpoint."""

    told: dict[str, Any]
    rows: Rows


class Checkpoints:
    """The checkpoints of one backup.

    Args:
        folder: of the backups.
        keys: the first one encrypts them, if there is one.
        id: of the backup.
        work: the work file, which has in it what the checkpoints have.
    """

    def __init__(self, folder: Folder, keys: Keys, id: str, work: WorkFile) -> None:
        self._folder = folder
        self._keys = keys
        self._base = f"{RUNS}{id}/"
        self._work = work
        self._count = 0
        self._rows: list[bytes] = []
        self._size = 0
        self._told: dict[str, Any] | None = None

    def load(self, state: str) -> None:
        """Write what the checkpoints have into the work file.

        Args:
            state: under which the work file notes how far it has come.

        Raises:
            BackupError: a checkpoint is damaged.
        """
        names = sorted(self._folder.sizes(self._base))
        if names != [self._name(number) for number in range(len(names))]:
            names = []  # a removal has ended in its middle; what is left is begun anew
        self._count = len(names)
        self._told = self._work.state(TOLD)
        # A run that was killed has read more than is in its checkpoints: that has to be read again.
        if self._work.state(COUNT) == len(names) and self._work.state(state) == self._told:
            return
        self._work.clear()
        self._told = None
        for number, name in enumerate(names, 1):
            found = _read_checkpoint(self._folder, self._keys, name)
            # Of two runs that began at once each may have removed what the other one had; and one
            # that has ended removes them all. What is left of several is begun anew. The first one
            # has no rows yet: whose it is makes no difference.
            before: dict[str, Any] | None = self._told if number > 2 else None
            if found is None or (before is not None and _start_of(found.told) != _start_of(before)):
                self._work.clear()
                self._count, self._told = 0, None
                return
            self._told = found.told
            self._work.note({state: found.told, TOLD: found.told, COUNT: number}, found.rows)

    def add(self, rows: Rows, state: dict[str, Any]) -> None:
        """Add rows of a page that was read; write a checkpoint once they are many.

        One in the middle of a page says that the page is yet to be read.
        """
        for _, key, line in rows:
            self._rows.append(b"%b\t%b" % (key, line))
            self._size += len(key) + len(line) + 2
            if self._size >= _SPLIT and self._told is not None:
                self.write(self._told)
        if self._size >= MOST_ROW_BYTES:
            self.write(state)

    def write(self, state: dict[str, Any]) -> None:
        """Write what was read since the last checkpoint, and how far that is.

        Raises:
            OtherRun: another run has written this checkpoint.
        """
        text = b"\n".join((json_text.encode(state), *self._rows, b""))
        name = self._name(self._count)
        if not self._folder.put(name, self._keys.current.close(name, pack(text))):
            raise OtherRun(f"another run of this backup has written {self._folder.base}{name}")
        self._count += 1
        self._rows, self._size, self._told = [], 0, state
        self._work.note({COUNT: self._count, TOLD: state})

    def remove(self) -> None:
        """Remove all checkpoints, the last one first: the backup is there, or is begun anew."""
        for name in sorted(self._folder.sizes(self._base), reverse=True):
            self._folder.delete(name)
        self._count = 0

    def _name(self, number: int) -> str:
        return f"{self._base}{number:06d}.jsonl.gz{self._keys.current.suffix}"


def left_behind(folder: Folder, keys: Keys, done: Container[str], now: float) -> Iterator[str]:
    """Yield the checkpoints that nobody continues from: of backups that are `done`, of old runs."""
    runs: dict[str, list[str]] = {}
    for name in sorted(folder.sizes(RUNS), reverse=True):
        runs.setdefault(name.split("/")[1], []).append(name)
    for id, names in runs.items():
        if id in done or not _may_resume(folder, keys, names[-1], now):
            yield from names


def _may_resume(folder: Folder, keys: Keys, first: str, now: float) -> bool:
    try:
        checkpoint = _read_checkpoint(folder, keys, first)
    except BackupError:
        return True  # whoever has its key decides
    begun = None if checkpoint is None else _start_of(checkpoint.told)
    return isinstance(begun, int | float) and 0 <= now - begun < RESUME_FOR


def _start_of(state: dict[str, Any]) -> Any:
    """Return when the run first worked that has written a checkpoint, in Unix seconds."""
    return state.get("begun")


def _read_checkpoint(folder: Folder, keys: Keys, name: str) -> Checkpoint | None:
    """Read a checkpoint; None if it is not there any more.

    Raises:
        BackupError: it is damaged, or another key's.
    """
    try:
        stored = folder.get(name)
        if stored is None:
            return None
        text = _unpack(keys.open(name, stored))
        head, _, _ = text.partition(b"\n")
        state: Any = json_text.decode(head)
        if not text.endswith(b"\n") or not isinstance(state, dict):
            raise Damaged("it does not say how far it has come")
        return Checkpoint(state, [*_rows(cut_lines(text, len(head) + 1))])
    except (Damaged, json_text.Undecodable) as error:
        raise BackupError(f"{folder.base}{name}: {error}; remove it") from None


def _rows(lines: Iterable[bytes]) -> Iterator[tuple[int, bytes, bytes]]:
    for row in lines:
        key, tab, line = row.partition(b"\t")
        if not tab or len(line) < LEAST_LINE - 1:
            raise Damaged("a line of it has no key")
        yield bucket_of(key), key, line


def _unpack(data: bytes) -> bytes:
    reader = zlib.decompressobj(zlib.MAX_WBITS | 16)
    try:
        text = reader.decompress(data, _MOST)
    except zlib.error:
        raise Damaged("it is not compressed as it should be") from None
    if not reader.eof or reader.unused_data:
        raise Damaged("it is cut off, or too large")
    return text
