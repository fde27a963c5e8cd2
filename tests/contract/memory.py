"""What the contract's functions remember, in the file that the real clouds' functions share.

An embedded cloud behind a real one has to count on with that one's counters. The schema is that of
the functions that are deployed there.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from leeward.cloudevents import to_json
from leeward.local import Local
from leeward.values import Event
from leeward_contract_tests import Seen, contract_functions
from leeward_contract_tests.fixtures import COUNT, EVENTS, SEEN

_SCHEMA = """
    PRAGMA journal_mode = WAL;
    CREATE TABLE IF NOT EXISTS counters (name TEXT PRIMARY KEY, value INTEGER NOT NULL);
    CREATE TABLE IF NOT EXISTS seen (id TEXT NOT NULL, document TEXT NOT NULL);
"""


class Memory:
    """The file, for an embedded cloud's functions."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def cloud(self) -> Local:
        """Give an embedded cloud whose functions and bus remember here."""
        local = Local()
        functions = contract_functions(Seen()) | {COUNT: self._count, SEEN: self._seen}
        for name, function in functions.items():
            local.function(name)(function)
        local.subscribe(EVENTS)(self._remember)
        return local

    def _count(self, payload: Any) -> int:
        with self._opened() as memory:
            ((value,),) = memory.execute(
                "INSERT INTO counters VALUES (?, 1) "
                "ON CONFLICT (name) DO UPDATE SET value = value + 1 RETURNING value",
                (payload["name"],),
            ).fetchall()
        found: int = value
        return found

    def _seen(self, payload: Any) -> list[Any]:
        with self._opened() as memory:
            rows = memory.execute(
                "SELECT document FROM seen WHERE id = ? ORDER BY rowid", (payload["id"],)
            ).fetchall()
        return [json.loads(document) for (document,) in rows]

    def _remember(self, event: Event) -> None:
        with self._opened() as memory:
            memory.execute("INSERT INTO seen VALUES (?, ?)", (event.id, json.dumps(to_json(event))))

    @contextmanager
    def _opened(self) -> Iterator[sqlite3.Connection]:
        with closing(sqlite3.connect(self._path, timeout=60)) as memory:
            memory.executescript(_SCHEMA)
            with memory:
                yield memory
