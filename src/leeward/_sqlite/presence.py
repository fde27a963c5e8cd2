"""Which apps a process works for over a database: a lock beside the file, which ends with it."""

from __future__ import annotations

import os
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Final

if sys.platform != "win32":
    import fcntl

LOOKS: Final = 3
"""How often a lock is tried: another process may look at the same moment."""

PAUSE: Final = 0.01
"""Seconds between two of them."""


class Presence:
    """The locks beside one database, by app; a process that ends loses its own.

    They are of processes and not of files (``lockf``), so what a handler has started holds none.

    Args:
        database: its file; None for one in memory, which no other process has. On Windows nobody
            holds a lock.
    """

    def __init__(self, database: Path | None) -> None:
        self._database = None if sys.platform == "win32" else database
        self._held: dict[str, int] = {}

    def hold(self, app: str) -> None:
        """Show from now on that this process works for an app; not where a lock cannot be had."""
        if self._database is None or app in self._held:
            return
        with suppress(OSError):
            descriptor = self._open(app, os.O_CREAT)
            self._held[app] = descriptor
            fcntl.lockf(descriptor, fcntl.LOCK_SH)

    def release(self) -> None:
        """Show it no longer."""
        while self._held:
            os.close(self._held.popitem()[1])

    def is_held(self, app: str) -> bool:
        """Return whether another process works for an app."""
        if self._database is None:
            return False
        try:
            descriptor = self._open(app)
        except OSError:
            return False
        try:
            for attempt in range(LOOKS):
                time.sleep(PAUSE * bool(attempt))
                with suppress(OSError):
                    fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    return False
            return True
        finally:
            os.close(descriptor)

    def _open(self, app: str, flags: int = 0) -> int:
        assert self._database is not None
        place = self._database.with_name(f"{self._database.stem}.{app}.worker")
        return os.open(place, os.O_RDWR | os.O_NOFOLLOW | flags, 0o600)
