"""Where the worlds of triples keep their rows, keys and runs: in files, or in PostgreSQL."""

from __future__ import annotations

import os
import time
from contextlib import closing
from itertools import count
from pathlib import Path
from typing import Final, Protocol

import psycopg

from leeward.adapter import Driver
from leeward.local import Local
from leeward_postgres.driver import open_driver
from leeward_postgres.schema import schema_sql
from tests.postgres.opening import config_for

NAMES: Final = ("alpha", "beta")
"""Of the targets."""

FAR: Final = 1.0
"""Seconds after which a row that waits is parked, not about to be tried."""


class Place(Protocol):
    """Where a world is.

    Attributes:
        folder: for files, which is empty.
        has_functions: a target here runs the app itself; else workers do.
        home: the target of keys and runs.
    """

    folder: Path
    has_functions: bool
    home: str

    def open_home(self, name: str) -> Driver:
        """Return a target that keeps rows, keys and runs."""

    def is_idle(self) -> bool:
        """Return whether nothing is about to be delivered."""

    def count_left(self) -> int:
        """Return how many rows wait, or were given up."""


class Files:
    """A place on this machine: each target is a file.

    Args:
        folder: for them, which is empty.
    """

    has_functions = True
    home = "local:alpha"

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def open_home(self, name: str) -> Driver:
        """Return a target that keeps rows, keys and runs."""
        return Local(name, path=self.folder / f"{name.removeprefix('local:')}.sqlite3")

    def is_idle(self) -> bool:
        """Return True: whoever has the targets knows better."""
        return True

    def count_left(self) -> int:
        """Return how many rows were given up."""
        paths = (self.folder / f"{name}.sqlite3" for name in NAMES)
        left = 0
        for path in paths:
            if path.exists():
                with closing(Local(path=path)) as local:
                    left += len(local.dead_letters())
        return left


class Schemas:
    """A place in PostgreSQL: each target is a schema of its own, of this process.

    Args:
        url: of the server.
        folder: for files of clients, which is empty.
    """

    has_functions = False
    home = "postgres:alpha"

    def __init__(self, url: str, folder: Path) -> None:
        self.folder = folder
        self._url = url
        with psycopg.connect(url, autocommit=True) as connection:
            if url not in _MADE:
                _MADE[url] = next(_NUMBERS)
                for schema in self._schemas():
                    connection.execute(schema_sql(schema).encode())
            # Quick: few rows are in there, and what was truncated would be made anew on disk.
            for schema in self._schemas():
                tables = connection.execute(
                    "SELECT tablename FROM pg_tables WHERE schemaname = %s"
                    " AND tablename NOT IN ('version', 'turn', 'deliveries')", [schema]
                ).fetchall()  # fmt: skip
                deletes = [f'DELETE FROM {schema}."{table}"' for (table,) in tables]
                deletes.append(f"UPDATE {schema}.version SET stage = NULL")
                connection.execute("; ".join(deletes).encode())

    def _schemas(self) -> list[str]:
        return [f"pairs_{os.getpid()}_{_MADE[self._url]}_{name}" for name in NAMES]

    def open_home(self, name: str) -> Driver:
        """Return a target that keeps rows, keys and runs."""
        schema = self._schemas()[NAMES.index(name.removeprefix("postgres:"))]
        config = config_for(self._url, schema=schema, pool_size=4)
        return open_driver(config._replace(name=name))

    def is_idle(self) -> bool:
        """Return whether nothing is about to be delivered."""
        return not self._count("SELECT count(*) FROM {}.deliveries WHERE lease IS NOT NULL"
                               f" OR due < {time.time() + FAR}")  # fmt: skip

    def count_left(self) -> int:
        """Return how many rows wait, or were given up."""
        each = "SELECT (SELECT count(*) FROM {0}.deliveries) + count(*) FROM {0}.dead_letters"
        return self._count(each)

    def _count(self, sql: str) -> int:
        left = 0
        with psycopg.connect(self._url, autocommit=True) as connection:
            for schema in self._schemas():
                row = connection.execute(sql.format(schema).encode()).fetchone()
                left += row[0] if row else 0
        return left


_MADE: dict[str, int] = {}
"""The schemas of this process, by the server's address."""
_NUMBERS: Final = count()
