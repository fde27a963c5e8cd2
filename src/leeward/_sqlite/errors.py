"""What SQLite's errors mean: a table from its codes to outcomes.

The table holds before COMMIT, where an error proves that nothing was written. Codes:
https://sqlite.org/rescode.html
"""

from __future__ import annotations

import errno
import sqlite3
from collections.abc import Mapping
from types import MappingProxyType

from leeward.errors import Outcome
from leeward.leases.faults import DatabaseFault

BUSY = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED})
"""Another connection is at work. The handle is sound, and the same call may work later."""

MEANINGS: Mapping[int, tuple[Outcome, str, str]] = MappingProxyType(
    {
        sqlite3.SQLITE_BUSY: (Outcome.REJECTED, "busy", "another process keeps it locked"),
        sqlite3.SQLITE_LOCKED: (Outcome.REJECTED, "busy", "another connection keeps it locked"),
        sqlite3.SQLITE_NOMEM: (Outcome.REJECTED, "no_memory", "there is no memory left"),
        sqlite3.SQLITE_FULL: (Outcome.UNUSABLE, "disk_full", "the disk is full"),
        sqlite3.SQLITE_READONLY: (Outcome.UNUSABLE, "read_only", "it may not be written"),
        sqlite3.SQLITE_PERM: (Outcome.UNUSABLE, "read_only", "it may not be written"),
        sqlite3.SQLITE_CANTOPEN: (Outcome.UNUSABLE, "cannot_open", "it cannot be opened"),
        sqlite3.SQLITE_NOTADB: (Outcome.UNUSABLE, "not_a_database", "it is not an SQLite file"),
        sqlite3.SQLITE_CORRUPT: (Outcome.UNUSABLE, "corrupt", "it is damaged"),
        sqlite3.SQLITE_IOERR: (Outcome.UNUSABLE, "io_error", "reading or writing failed"),
    }
)

_NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT})

GONE = "gone"  # LOCAL: in this process the database cannot be used any more


def fault_of(error: sqlite3.Error | OSError) -> DatabaseFault:
    """Translate an error that came before anything was committed."""
    if isinstance(error, OSError):
        reason = "disk_full" if error.errno in _NO_ROOM else "cannot_open"
        problem = f"the database's file cannot be made: {error.strerror or type(error).__name__}"
        return DatabaseFault(Outcome.UNUSABLE, reason, problem)
    outcome, reason, meaning = _meaning_of(error)
    return DatabaseFault(outcome, reason, f"the database was not changed: {meaning}")


def fault_at_end(error: sqlite3.Error) -> DatabaseFault:
    """Translate an error at the end of a transaction: nobody knows what is on the disk."""
    _, _, meaning = _meaning_of(error)
    return DatabaseFault(
        Outcome.AMBIGUOUS,
        "commit_failed",
        f"the transaction's end failed, since {meaning}: what it wrote may be on the disk or not",
    )


def _meaning_of(error: sqlite3.Error) -> tuple[Outcome, str, str]:
    return MEANINGS.get(
        primary_code(error), (Outcome.UNUSABLE, "database_error", "SQLite refused the statement")
    )


def primary_code(error: sqlite3.Error) -> int:
    """Return the low byte of the result code; 0 for an error of Python's module itself."""
    return int(getattr(error, "sqlite_errorcode", 0)) & 0xFF
