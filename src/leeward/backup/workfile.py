"""The work of a run on this machine's disk, so that memory is bounded and a crash loses little.

An SQLite file for each run: what it is about, how far it has come, and the lines that were read,
which SQLite sorts. It goes when the run has ended; one that was killed goes on with it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

from leeward._sqlite.database import Database, Schema
from leeward._sqlite.errors import has_no_room
from leeward._sqlite.file_safety import keep_out_of_version_control
from leeward.backup.errors import OtherRun
from leeward.errors import LeewardError
from leeward.json_text import decode, encode
from leeward.leases.faults import DatabaseFault

USUAL_FOLDER: Final = Path(".leeward") / "backup"

_PATIENCE: Final = 10.0
"""Seconds to wait for the file."""

_CACHE_KIB: Final = 16_384
"""Of pages in memory, and of what is sorted at once."""

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
    def held(self) -> Iterator[None]:
        """Keep other processes away, and close the file at the end.

        Raises:
            LeewardError: another one is at work with it, or it cannot be used.
        """
        try:
            with self._told(), self._lock.write(0.0):
                keep_out_of_version_control(self.path.parent)
                keep_out_of_version_control(self.path.parent.parent)
                yield
        finally:
            self._database.close()
            self._lock.close()

    def state(self, name: str) -> Any:
        """Return what was noted under a name; None for nothing."""
        with self._told(), self._database.read(_PATIENCE) as connection:
            rows = connection.execute("SELECT value FROM state WHERE name = ?", (name,)).fetchall()
        return decode(rows[0][0]) if rows else None

    def note(self, states: dict[str, Any], rows: Sequence[tuple[int, bytes, bytes]] = ()) -> None:
        """Note states and add lines, in one step."""
        texts = [(name, encode(value).decode()) for name, value in states.items()]
        with self._told(), self._database.write(_PATIENCE) as connection:
            connection.executemany("INSERT INTO lines VALUES (?, ?, ?)", rows)
            connection.executemany("INSERT OR REPLACE INTO state VALUES (?, ?)", texts)

    def clear(self) -> None:
        """Forget everything."""
        with self._told(), self._database.write(_PATIENCE) as connection:
            connection.execute("DELETE FROM lines")
            connection.execute("DELETE FROM state")

    def lines(self) -> Iterator[tuple[int, bytes, bytes]]:
        """Yield bucket, key and line of all items in order; of one key only the last that came."""
        with self._told():
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
    def _told(self) -> Iterator[None]:
        try:
            yield
        except DatabaseFault as fault:
            told = f"the work file {self.path}: {fault}"
            if fault.reason == "busy":
                raise OtherRun(f"{told}; another process is at work with it") from fault
            if has_no_room(fault):
                raise LeewardError(
                    f"{told}; make room, or name another folder with --work, and call it again"
                ) from fault
            raise LeewardError(f"{told}; remove it, and begin anew") from fault
