"""The tables of the journal in SQLite.

A result that is large is kept once, under its digest, and rows refer to it: so the rows that are
searched stay small, and a run that ends with what a step has returned keeps it once.
"""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import sha256
from typing import Any, Final

from leeward._sqlite.database import Schema

LARGE: Final = 4096
"""Characters of an answer, as JSON, from which on it is kept by itself: a page of SQLite's."""

_RESULTS: Final = "CREATE TABLE results (digest TEXT PRIMARY KEY, text TEXT NOT NULL)"

_CLOCKS: Final = "CREATE TABLE clocks (boot TEXT PRIMARY KEY, ahead REAL NOT NULL) WITHOUT ROWID"
"""By the boot of a machine: seconds by which the journal's time is ahead of its monotonic clock."""

_LOST: Final = """CREATE TABLE lost (  -- calls under way in leases that ended without a word
        workflow TEXT NOT NULL,
        run TEXT NOT NULL,
        path TEXT NOT NULL,
        attempt INTEGER NOT NULL,
        times INTEGER NOT NULL,
        fence INTEGER NOT NULL,      -- the last lease in which it was made
        PRIMARY KEY (workflow, run, path, attempt)
    ) WITHOUT ROWID"""

_STATEMENTS: Final = (
    "CREATE TABLE definitions (digest TEXT PRIMARY KEY, document TEXT NOT NULL) WITHOUT ROWID",
    """CREATE TABLE runs (
        workflow TEXT NOT NULL,
        id TEXT NOT NULL,
        digest TEXT NOT NULL,        -- of its definition
        input TEXT NOT NULL,         -- JSON
        started REAL NOT NULL,       -- Unix seconds, as all times here
        deadline REAL,
        cancelled REAL,              -- when somebody asked for it
        state TEXT NOT NULL,
        answer TEXT,                 -- JSON: how it ended
        ended REAL,
        due REAL,                    -- nobody looks at it before; while leased, the lease's end
        held INTEGER NOT NULL,       -- whether `due` is the end of a lease
        fence INTEGER NOT NULL,      -- counts the leases: only the last one may write
        kept TEXT,                   -- in place of a large answer, its digest
        holder TEXT,                 -- a fence, and the process that has this lease
        broken TEXT,                 -- the version of leeward that could not read it
        PRIMARY KEY (workflow, id)
    ) WITHOUT ROWID""",
    "CREATE INDEX runs_by_due ON runs (due) WHERE due IS NOT NULL",
    """CREATE TABLE events (
        workflow TEXT NOT NULL,
        run TEXT NOT NULL,
        path TEXT NOT NULL,
        attempt INTEGER NOT NULL,
        began REAL NOT NULL,
        due REAL,                    -- of a pause
        ended REAL,
        answer TEXT,                 -- JSON: how it ended
        kept TEXT,                   -- in place of a large answer, its digest
        PRIMARY KEY (workflow, run, path, attempt)
    ) WITHOUT ROWID""",
    _RESULTS,
    _CLOCKS,
    _LOST,
)
_CHANGES: Final = {
    1: (
        "ALTER TABLE runs ADD COLUMN kept TEXT",
        "ALTER TABLE events ADD COLUMN kept TEXT",
        _RESULTS,
    ),
    # A process of an older version that has the file open goes on with it: so no table that it
    # writes whole rows of has more columns.
    2: (
        "ALTER TABLE runs ADD COLUMN holder TEXT",
        "ALTER TABLE runs ADD COLUMN broken TEXT",
        _CLOCKS,
        _LOST,
    ),
}
SCHEMA: Final = Schema(int.from_bytes(b"leew", "big") + 1, 3, _STATEMENTS, _CHANGES)
"""Another mark than that of a store: neither is taken for the other."""

ANSWER: Final = "coalesce(answer, (SELECT text FROM results WHERE results.digest = kept))"
"""How something ended, wherever that is kept."""
ADD_RESULT: Final = "INSERT INTO results VALUES (?, ?) ON CONFLICT DO NOTHING"

Rows = list[tuple[Any, ...]]


def move_large_answers(rows: Iterable[tuple[Any, ...]]) -> tuple[Rows, Rows]:
    """Move large answers out of rows that end with one.

    Returns:
        The rows, with an answer and a digest at their end, one of them None; and what is to be kept
        under the digests.
    """
    placed: Rows = []
    results: Rows = []
    for *others, answer in rows:
        if answer is None or len(answer) < LARGE:
            placed.append((*others, answer, None))
            continue
        digest = sha256(answer.encode()).hexdigest()
        placed.append((*others, None, digest))
        results.append((digest, answer))
    return placed, results
