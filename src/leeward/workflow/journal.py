"""The journal of runs: what was started, what was done, and who goes on with it.

Every method is one transaction, and what it has returned is on the disk. Rows are found by run,
path and attempt, never by a number that counts: a definition that is replayed finds its own.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from leeward.json_text import encode
from leeward.sqlite.database import Database
from leeward.sqlite.file_safety import keep_out_of_version_control
from leeward.values import Json
from leeward.workflow.commands import Answer, Command, Failure, refusal_at
from leeward.workflow.commits import Commits
from leeward.workflow.document import stored
from leeward.workflow.model import Definition
from leeward.workflow.rows import (
    Events,
    Finished,
    Noted,
    Row,
    RunKey,
    answer_read,
    answer_written,
    begun_row,
    finished_row,
    row_of,
    state_of,
)
from leeward.workflow.runs import RunState
from leeward.workflow.tables import ADD_RESULT, ANSWER, SCHEMA, by_reference

PATIENCE: Final = 10.0
"""Seconds to wait for the database."""

_RUN = f"""workflow, id, digest, input, started, deadline, cancelled, state, {ANSWER}, ended,
    fence"""
_ADD_RUN = """INSERT INTO runs
    (workflow, id, digest, input, started, deadline, state, due, held, fence)
    VALUES (?, ?, ?, ?, ?, ?, 'running', ?, ?, 1) ON CONFLICT DO NOTHING"""
_ADD_DEFINITION = "INSERT INTO definitions VALUES (?, ?) ON CONFLICT DO NOTHING"
_FIND = f"SELECT {_RUN} FROM runs WHERE workflow = ? AND id = ?"  # noqa: S608 - constants
_LIST = f"""SELECT {_RUN} FROM runs WHERE ? IS NULL OR workflow = ?
    ORDER BY started DESC LIMIT ?"""  # noqa: S608 - constants
_KNOWN = "workflow IN (SELECT value FROM json_each(?))"
_DUE = f"""SELECT {_RUN} FROM runs WHERE due IS NOT NULL AND due <= ? AND {_KNOWN}
    ORDER BY due LIMIT ?"""  # noqa: S608 - constants
_NEXT = f"SELECT min(due) FROM runs WHERE due > ? AND {_KNOWN}"  # noqa: S608 - constants
_TAKE = "UPDATE runs SET due = ?, held = 1, fence = fence + 1 WHERE workflow = ? AND id = ?"
_HELD = """SELECT deadline, cancelled FROM runs
    WHERE workflow = ? AND id = ? AND fence = ? AND due IS NOT NULL"""
_RENEW = """UPDATE runs SET due = ?
    WHERE workflow = ? AND id = ? AND fence = ? AND held AND due IS NOT NULL"""
_END = """UPDATE runs SET state = ?, answer = ?, kept = ?, ended = ?, due = NULL
    WHERE workflow = ? AND id = ?"""
_PAUSE = """UPDATE runs SET held = 0, due = CASE WHEN cancelled IS NULL THEN ? ELSE ? END
    WHERE workflow = ? AND id = ? AND fence = ? AND due IS NOT NULL"""
# A lease that somebody holds is left alone: the holder sees it when it writes next.
_CANCEL = """UPDATE runs SET cancelled = coalesce(cancelled, :now),
    due = CASE WHEN held THEN due ELSE min(due, :now) END
    WHERE workflow = :workflow AND id = :id AND due IS NOT NULL"""
_EVENTS = f"""SELECT path, attempt, began, due, ended, {ANSWER} FROM events
    WHERE workflow = ? AND run = ? ORDER BY began, path, attempt"""  # noqa: S608 - constants
_EVENT = "INSERT OR REPLACE INTO events VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"


class Journal:
    """The journal in one file, or in memory for None. Every method may raise `DatabaseFault`."""

    def __init__(self, path: Path | None) -> None:
        """Take the file's path.

        Raises:
            ConfigError: what is there cannot be trusted.
        """
        self.path = path
        self.database = Database(path, SCHEMA, created=self._created)
        self._documents: dict[int, tuple[Definition, str, str]] = {}
        self._commits = Commits(self.database, PATIENCE)

    def add(
        self, definition: Definition, id: str, value: Json, now: float, lease: float | None
    ) -> tuple[Row, bool]:
        """Add a run, unless there is one of this name and id.

        Args:
            definition: kept under its digest.
            id: of the run.
            value: its input.
            now: Unix seconds.
            lease: seconds for which the caller has it; None leaves it to whoever looks next.

        Returns:
            The row, and whether it is new.
        """
        key = RunKey(definition.name, id)
        digest, document = self._written(definition)
        deadline = None if definition.timeout is None else now + definition.timeout
        row = (
            *key,
            digest,
            encode(value).decode(),
            now,
            deadline,
            now + (lease or 0.0),
            lease is not None,
        )

        def write(connection: sqlite3.Connection) -> tuple[Row, bool]:
            is_new = connection.execute(_ADD_RUN, row).rowcount == 1
            if is_new:
                connection.execute(_ADD_DEFINITION, (digest, document))
            return row_of(connection.execute(_FIND, key).fetchone()), is_new

        return self._commits.apply(write)

    def _written(self, definition: Definition) -> tuple[str, str]:
        """Return the digest and the document of a definition, which cost more than a start."""
        known = self._documents.get(id(definition))
        if known is None or known[0] is not definition:
            known = (definition, definition.digest, stored(definition))
            self._documents[id(definition)] = known
        return known[1:]

    def take(self, known: Iterable[str], now: float, lease: float, limit: int) -> list[Row]:
        """Lease runs that are due, for `lease` seconds from `now`.

        Args:
            known: names of workflows: runs of others are left alone.
            now: Unix seconds.
            lease: seconds.
            limit: how many runs at most.
        """
        names = json.dumps(list(known))
        with self.database.read(PATIENCE) as connection:
            if not connection.execute(_DUE, (now, names, 1)).fetchall():
                return []

        def write(connection: sqlite3.Connection) -> list[Row]:
            taken = []
            for found in connection.execute(_DUE, (now, names, limit)).fetchall():
                row = row_of(found)
                connection.execute(_TAKE, (now + lease, *row.key))
                taken.append(row._replace(fence=row.fence + 1))
            return taken

        return self._commits.apply(write)

    def advance(
        self,
        key: RunKey,
        fence: int,
        now: float,
        finished: Iterable[Finished],
        begun: Iterable[Command],
    ) -> Failure | bool:
        """Note what has ended, and what is about to begin.

        Returns:
            True if everything in `begun` may begin; False if the lease is lost, and nothing was
            noted; a `Failure` if the guarded ones may not: it is noted as their answer.
        """
        ended, results = by_reference(finished_row(key, each) for each in finished)
        begun = list(begun)

        def write(connection: sqlite3.Connection) -> Failure | bool:
            held = connection.execute(_HELD, (*key, fence)).fetchone()
            if held is None:
                return False
            deadline, cancelled = held
            refusal = refusal_at(now, deadline, cancelled and min(cancelled, now))
            rows, _ = by_reference(begun_row(key, each, now, refusal) for each in begun)
            connection.executemany(ADD_RESULT, results)
            connection.executemany(_EVENT, [*ended, *rows])
            return refusal if refusal and any(each.guarded for each in begun) else True

        return self._commits.apply(write)

    def pause(self, key: RunKey, fence: int, now: float, due: float) -> None:
        """Return a lease; the run is due again at `due`, or now if it was cancelled."""
        row = (due, now, *key, fence)
        self._commits.apply(lambda connection: connection.execute(_PAUSE, row))

    def renew(self, leases: Iterable[tuple[RunKey, int]], due: float) -> None:
        """Hold leases until `due`."""
        rows = [(due, *key, fence) for key, fence in leases]
        self._commits.apply(lambda connection: connection.executemany(_RENEW, rows))

    def end(
        self, key: RunKey, fence: int, now: float, finished: Iterable[Finished], answer: Answer
    ) -> bool:
        """Note how a run has ended; return False if its lease is lost, and nothing was noted."""
        rows, results = by_reference(finished_row(key, each) for each in finished)
        (placed,), own = by_reference([(answer_written(answer),)])
        ended = (state_of(answer).value, *placed, now, *key)

        def write(connection: sqlite3.Connection) -> bool:
            if connection.execute(_HELD, (*key, fence)).fetchone() is None:
                return False
            connection.executemany(ADD_RESULT, [*results, *own])
            connection.executemany(_EVENT, rows)
            connection.execute(_END, ended)
            return True

        return self._commits.apply(write)

    def cancel(self, key: RunKey, now: float) -> Row | None:
        """Ask for a run to be cancelled, if it is still running; None if there is no such run."""

        def write(connection: sqlite3.Connection) -> Row | None:
            connection.execute(_CANCEL, {"now": now, **key._asdict()})
            return _found(connection, key)

        return self._commits.apply(write)

    def abort(self, key: RunKey, now: float) -> Row | None:
        """End a run at once, if it is still running; None if there is no such run."""

        def write(connection: sqlite3.Connection) -> Row | None:
            row = _found(connection, key)
            if row is None or row.state is not RunState.RUNNING:
                return row
            connection.execute(_END, (RunState.ABORTED.value, None, None, now, *key))
            return _found(connection, key)

        return self._commits.apply(write)

    def find(self, key: RunKey) -> Row | None:
        """Return a run, if it is there."""
        with self.database.read(PATIENCE) as connection:
            return _found(connection, key)

    def runs(self, workflow: str | None, limit: int) -> list[Row]:
        """Return the latest runs, of one workflow or of all, the last one first."""
        with self.database.read(PATIENCE) as connection:
            found = connection.execute(_LIST, (workflow, workflow, limit)).fetchall()
        return [row_of(each) for each in found]

    def events(self, key: RunKey) -> Events:
        """Return what a run has done so far."""
        with self.database.read(PATIENCE) as connection:
            rows = connection.execute(_EVENTS, key).fetchall()
        return {
            (path, attempt): Noted(began, due, ended, answer_read(answer))
            for path, attempt, began, due, ended, answer in rows
        }

    def definition(self, digest: str) -> Definition:
        """Return the definition that was kept under a digest."""
        from leeward.workflow.reading import read_stored

        query = "SELECT document FROM definitions WHERE digest = ?"
        with self.database.read(PATIENCE) as connection:
            (document,) = connection.execute(query, (digest,)).fetchone()
        return read_stored(json.loads(document), f"the journal {self.database}")

    def next_due(self, known: Iterable[str], now: float) -> float | None:
        """Return the earliest time after `now` at which a run of a known workflow is due."""
        names = json.dumps(list(known))
        with self.database.read(PATIENCE) as connection:
            due: float | None = connection.execute(_NEXT, (now, names)).fetchone()[0]
        return due

    def close(self) -> None:
        """Close the file."""
        self.database.close()

    def _created(self) -> None:
        assert self.path is not None
        keep_out_of_version_control(self.path.parent)


def _found(connection: sqlite3.Connection, key: RunKey) -> Row | None:
    row = connection.execute(_FIND, key).fetchone()
    return None if row is None else row_of(row)
