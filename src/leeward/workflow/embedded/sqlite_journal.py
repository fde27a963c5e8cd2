"""The journal of runs in a SQLite file, which processes may share.

A large result is kept once, under its digest, and rows refer to it: so the rows that are searched
stay small, and a run that ends with a step's result keeps it once.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Sequence
from functools import lru_cache
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

from leeward._sqlite.commits import Commits
from leeward._sqlite.database import Database, Schema, select, steady_clock
from leeward._sqlite.file_safety import keep_out_of_version_control
from leeward.clock import Clock
from leeward.json_text import encode
from leeward.stores import FENCE_0, PATIENCE, Owner
from leeward.values import Json
from leeward.values.runs import RunState, parent_in
from leeward.workflow.commands import Answer, Command, StepFailure, refusal_at
from leeward.workflow.embedded.journal import (
    Finished,
    Journal,
    OpenWait,
    RunCount,
    RunHolder,
    RunKey,
    RunRow,
    SendResult,
    SentEvent,
    StepRecords,
)
from leeward.workflow.embedded.rows import (
    ABORTED,
    READER,
    Documents,
    holder_text,
    read_count,
    read_document,
    read_record,
    read_run,
    read_sent_event,
    read_wait,
    row_of_end,
    row_of_start,
    state_of,
    write_answer,
)
from leeward.workflow.model import Definition

LARGE: Final = 4096
"""Characters of an answer, as JSON, from which on it is kept apart: a page of SQLite's."""

_RESULTS: Final = "CREATE TABLE results (digest TEXT PRIMARY KEY, text TEXT NOT NULL)"

_LOST_CALLS: Final = """CREATE TABLE lost (  -- calls under way in leases that ended without a word
        workflow TEXT NOT NULL,
        run TEXT NOT NULL,
        path TEXT NOT NULL,
        attempt INTEGER NOT NULL,
        times INTEGER NOT NULL,
        fence INTEGER NOT NULL,      -- the last lease in which it was made
        PRIMARY KEY (workflow, run, path, attempt)
    ) WITHOUT ROWID"""

_ARRIVALS: Final = """CREATE TABLE IF NOT EXISTS arrivals (  -- events that were sent to runs
        workflow TEXT NOT NULL,
        run TEXT NOT NULL,
        seq INTEGER NOT NULL,        -- from 1 on
        id TEXT NOT NULL,            -- the sender's
        name TEXT NOT NULL,
        value TEXT NOT NULL,         -- JSON
        at REAL NOT NULL,
        PRIMARY KEY (workflow, run, seq),
        UNIQUE (workflow, run, id)
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
        owner TEXT,                  -- JSON: app, stage and targets; NULL leaves it to any
        PRIMARY KEY (workflow, id)
    ) WITHOUT ROWID""",
    "CREATE INDEX runs_by_version ON runs (workflow, digest, due) WHERE due IS NOT NULL",
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
    _LOST_CALLS,
)
SCHEMA: Final = Schema(int.from_bytes(b"leew", "big") + 1, 4, _STATEMENTS)
"""Another mark than that of a store: neither is taken for the other."""

ANSWER: Final = "coalesce(answer, (SELECT text FROM results WHERE results.digest = kept))"
"""An answer, wherever it is kept."""
ADD_RESULT: Final = "INSERT INTO results VALUES (?, ?) ON CONFLICT DO NOTHING"

_RUN = f"""workflow, id, digest, input, started, deadline, cancelled, state, {ANSWER}, ended,
    fence, CASE WHEN typeof(due) = 'text' THEN due ELSE broken END"""
_ADD_RUN = """INSERT INTO runs
    (workflow, id, digest, input, started, deadline, state, due, held, fence, holder, owner)
    VALUES (?, ?, ?, ?, ?, ?, 'running', ?, ?, 1, ?, ?) ON CONFLICT DO NOTHING"""
_ADD_DEFINITION = "INSERT INTO definitions VALUES (?, ?) ON CONFLICT DO NOTHING"
_FIND = f"SELECT {_RUN} FROM runs WHERE workflow = ? AND id = ?"  # noqa: S608 - constants
_LIST = f"""SELECT {_RUN} FROM runs WHERE ? IS NULL OR workflow = ?
    ORDER BY started DESC LIMIT ?"""  # noqa: S608 - constants
_COUNTS = """SELECT workflow, CASE WHEN broken IS NULL THEN state ELSE 'broken' END AS what,
        count(*), sum(due IS NOT NULL AND due <= ? AND typeof(due) <> 'text'),
        sum(CASE WHEN json_valid(answer) THEN json_extract(answer, '$.error.steps[0]') END
            IS NOT NULL)
    FROM runs GROUP BY workflow, what ORDER BY workflow, what"""
# The versions of known workflows that have runs, but for those that are left: each is found by one
# step in the index, so that what nobody here can run costs a claim nothing, however much it is.
_VERSIONS = """WITH RECURSIVE versions (flow, version) AS (
        SELECT value, (SELECT min(digest) FROM runs WHERE workflow = value AND due IS NOT NULL)
        FROM json_each(:known)
        UNION ALL
        SELECT flow, (SELECT min(digest) FROM runs
            WHERE workflow = flow AND digest > version AND due IS NOT NULL)
        FROM versions WHERE version IS NOT NULL),
    ours AS (SELECT * FROM versions
        WHERE version IS NOT NULL AND version NOT IN (SELECT value FROM json_each(:left)))"""
# A state of another version, and what this one could not read, are left alone. To SQLite, a time
# that is a text is later than every number.
# Of owners: `Owner.may_take`.
_OURS = f"""workflow = flow AND digest = version
    AND state = 'running' AND broken IS NOT '{READER}'
    AND (owner IS NULL OR owner = :owner OR json_extract(owner, '$.stage') IS :stage
        AND coalesce(json_extract(owner, '$.app') = :app, 1)
        AND (json_array_length(owner, '$.targets') = 0 OR EXISTS (
            SELECT 1 FROM json_each(owner, '$.targets') AS kept
            WHERE kept.value IN (SELECT value FROM json_each(:targets)))))"""  # noqa: S608
_OWNER = "SELECT owner FROM runs WHERE workflow = ? AND id = ?"
# In turns: thousands of runs of one workflow that are due at once hold up no run of another.
_DUE = f"""{_VERSIONS} SELECT {_RUN}, held FROM ours CROSS JOIN runs ON workflow = flow AND id IN (
        SELECT id FROM runs WHERE {_OURS}
            AND due IS NOT NULL AND due <= :now AND due + held * :grace <= :now
        ORDER BY due LIMIT :limit)
    ORDER BY row_number() OVER (PARTITION BY workflow ORDER BY due), due * :turn LIMIT :limit"""  # noqa: S608 - constants
_LEASE = f"""SELECT {_RUN}, held FROM runs
    WHERE workflow = ? AND id = ? AND fence = ? AND held AND due IS NOT NULL"""  # noqa: S608
_LEASES = f"""{_VERSIONS} SELECT workflow, id, fence, due, holder
    FROM ours CROSS JOIN runs ON {_OURS}
    WHERE due IS NOT NULL AND due <= :until AND typeof(due) <> 'text' AND held"""  # noqa: S608
_NEXT = f"""{_VERSIONS} SELECT min((SELECT due FROM runs WHERE {_OURS}
        AND due > :now AND typeof(due) <> 'text' ORDER BY due LIMIT 1)) FROM ours"""  # noqa: S608
_TAKE = """UPDATE runs SET due = ?, held = 1, fence = ?, holder = ?, broken = NULL
    WHERE workflow = ? AND id = ?"""
_LOSE = """INSERT INTO lost
    SELECT workflow, run, path, attempt, 1, :fence FROM events
    WHERE workflow = :workflow AND run = :id AND ended IS NULL AND due IS NULL
    ON CONFLICT (workflow, run, path, attempt)
    DO UPDATE SET times = times + (lost.fence = excluded.fence)"""
_LOST = "SELECT path, attempt, times FROM lost WHERE workflow = ? AND run = ?"
_MAKE_AGAIN = """UPDATE lost SET fence = :fence
    WHERE workflow = :workflow AND run = :id AND path = :path AND attempt = :attempt AND EXISTS (
        SELECT 1 FROM runs WHERE workflow = :workflow AND id = :id AND fence = :fence
        AND due IS NOT NULL)"""
_BREAK = f"""UPDATE runs SET broken = '{READER}', held = 0
    WHERE workflow = ? AND id = ? AND due IS NOT NULL"""  # noqa: S608 - constants
_HELD = """SELECT deadline, cancelled FROM runs
    WHERE workflow = ? AND id = ? AND fence = ? AND due IS NOT NULL"""
_RENEW = """UPDATE runs SET due = ?
    WHERE workflow = ? AND id = ? AND fence = ? AND held AND due IS NOT NULL"""
_END = """UPDATE runs SET state = ?, answer = ?, kept = ?, ended = ?, due = NULL
    WHERE workflow = ? AND id = ?"""
_ABORT = """UPDATE runs SET state = ?, ended = ?, due = NULL, broken = NULL
    WHERE workflow = ? AND id = ? AND due IS NOT NULL"""
_PAUSE = """UPDATE runs SET held = 0, due = CASE WHEN ? OR cancelled IS NULL THEN ? ELSE ? END
    WHERE workflow = ? AND id = ? AND fence = ? AND due IS NOT NULL"""
_LAST_ARRIVAL = "SELECT coalesce(max(seq), 0) FROM arrivals WHERE workflow = ? AND run = ?"
_ARRIVED = """SELECT seq, id, name, value, at FROM arrivals
    WHERE workflow = ? AND run = ? AND seq > ? ORDER BY seq"""
_EARLIER = _ARRIVED.replace("seq > ? ORDER BY seq", "id = ?")
_WAKE = """UPDATE runs SET due = CASE WHEN held THEN due ELSE min(due, ?) END
    WHERE workflow = ? AND id = ? AND due IS NOT NULL"""
# Of runs that have not ended: the rows of what has, or waits for nothing, have no such answer.
_WAITS = f"""SELECT workflow, run, path, due, {ANSWER} FROM events
    WHERE coalesce(workflow = ?, 1) AND coalesce(run = ?, 1) AND ended IS NULL
        AND (answer IS NOT NULL OR kept IS NOT NULL) AND EXISTS (
            SELECT 1 FROM runs WHERE runs.workflow = events.workflow AND id = run
            AND runs.due IS NOT NULL AND state = 'running')
    ORDER BY began LIMIT ?"""  # noqa: S608 - constants
# A lease that somebody holds is left alone: the holder sees it when it writes next.
_CANCEL = """UPDATE runs SET cancelled = coalesce(cancelled, :now),
    due = CASE WHEN held THEN due ELSE min(due, :now) END
    WHERE workflow = :workflow AND id = :id AND due IS NOT NULL"""
_EVENTS = f"""SELECT path, attempt, began, due, ended, {ANSWER} FROM events
    WHERE workflow = ? AND run = ? ORDER BY began, path, attempt"""  # noqa: S608 - constants
_EVENT = """INSERT INTO events VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT (workflow, run, path, attempt) DO UPDATE
    SET ended = excluded.ended, answer = excluded.answer, kept = excluded.kept"""


class SqliteJournal(Journal):
    """The journal in one file, or in memory.

    Raises:
        ConfigError: the file cannot be trusted.
    """

    def __init__(self, path: Path | None, clock: Clock | None = None) -> None:
        folder = Path() if path is None else path.parent
        self.database = Database(path, SCHEMA, created=lambda: keep_out_of_version_control(folder))
        self.clock = steady_clock(self.database, clock)
        self._documents = Documents()
        self._commits = Commits(self.database, PATIENCE)
        self._turn = -1

    def add(
        self,
        definition: Definition,
        id: str,
        value: Json,
        now: float,
        lease: float | None,
        *,
        holder: str | None = None,
        begun: Sequence[Command | Finished] = (),
    ) -> tuple[RunRow, bool]:
        """Add a run, unless there is one of this name and id."""
        key = RunKey(definition.name, id)
        digest, document = self._documents.write(definition)
        deadline = None if definition.timeout is None else now + definition.timeout
        shown = self.clock.as_wall(now)
        row = (
            *key,
            digest,
            encode(value).decode(),
            shown,
            deadline,
            now + (lease or 0.0),
            lease is not None,
            holder_text(1, holder),
            _owner_text(self.owner),
        )
        steps, results = move_large_answers(
            row_of_end(key, step, step.ended)
            if isinstance(step, Finished)
            else row_of_start(key, step, now, shown, None)
            for step in begun
        )

        def write(connection: sqlite3.Connection) -> tuple[RunRow, bool]:
            is_new = connection.execute(_ADD_RUN, row).rowcount == 1
            if not is_new:
                (owner,) = connection.execute(_OWNER, key).fetchone()
                self.check_owner(key, _owner_in(owner))
            else:
                connection.execute(_ADD_DEFINITION, (digest, document))
                connection.executemany(ADD_RESULT, results)
                connection.executemany(_EVENT, steps)
            return read_run(select(connection, _FIND, key)[0]), is_new

        return self._commits.apply(write)

    def take(
        self,
        flows: Iterable[str],
        now: float,
        lease: float,
        limit: int,
        *,
        left: Iterable[str] = (),
        over: Iterable[RunHolder] = (),
        grace: float = 0.0,
        holder: str | None = None,
    ) -> list[RunRow]:
        """Lease runs that are due, for `lease` seconds from `now`."""
        due_now = {**self._ours(flows, left), "now": now, "grace": grace, "limit": limit, "turn": 1}
        over = list(over)
        if not over:
            with self.database.read(PATIENCE) as connection:
                if not select(connection, _DUE, due_now | {"limit": 1}):
                    return []

        def write(connection: sqlite3.Connection) -> list[RunRow]:
            leases = [(run.workflow, run.id, run.fence) for run in over]
            due = [row for lease in leases for row in select(connection, _LEASE, lease)]
            self._turn = -self._turn
            due += select(connection, _DUE, due_now | {"turn": self._turn})
            taken: dict[RunKey, RunRow] = {}
            for *columns, held in due:
                row = read_run(columns)
                if row.key in taken or len(taken) >= limit:
                    continue
                if row.state is not RunState.RUNNING:
                    connection.execute(_BREAK, row.key)
                    continue
                if held:
                    connection.execute(_LOSE, {**row.key._asdict(), "fence": row.fence})
                fence = max(row.fence + 1, int(now + lease) - FENCE_0)
                terms = now + lease, fence, holder_text(fence, holder), *row.key
                connection.execute(_TAKE, terms)
                taken[row.key] = row._replace(fence=fence)
            return list(taken.values())

        return self._commits.apply(write)

    def _ours(self, flows: Iterable[str], left: Iterable[str]) -> dict[str, str | None]:
        """Return the properties of runs that are driven here, for the statements."""
        names = {"known": json.dumps([*flows]), "left": json.dumps([*left])}
        parameters = {**self.owner._asdict(), "targets": json.dumps(self.owner.targets)}
        return {**names, **parameters, "owner": _owner_text(self.owner)}

    def holders(
        self, flows: Iterable[str], until: float, left: Iterable[str] = ()
    ) -> list[RunHolder]:
        """Return the holders of leases of known workflows that end up to a time."""
        parameters = self._ours(flows, left)
        with self.database.read(PATIENCE) as connection:
            rows = select(connection, _LEASES, {**parameters, "until": until})
        return [RunHolder(*row) for row in rows]

    def lost(self, key: RunKey) -> dict[tuple[str, int], int]:
        """Return how often each call of a run was lost with the process that made it."""
        with self.database.read(PATIENCE) as connection:
            rows = connection.execute(_LOST, key).fetchall()
        return {(path, attempt): times for path, attempt, times in rows}

    def make_again(self, key: RunKey, fence: int, path: str, attempt: int) -> bool:
        """Note that a lost call is made again; return False if the lease is lost."""
        row = {**key._asdict(), "fence": fence, "path": path, "attempt": attempt}
        return self._commits.apply(
            lambda connection: connection.execute(_MAKE_AGAIN, row).rowcount == 1
        )

    def set_aside(self, key: RunKey) -> None:
        """Mark a run that this version cannot read; another version may continue it."""
        self._commits.apply(lambda connection: connection.execute(_BREAK, key))

    def advance(
        self,
        key: RunKey,
        fence: int,
        now: float,
        finished: Iterable[Finished],
        begun: Iterable[Command],
    ) -> StepFailure | bool:
        """Note the commands that have ended, and the ones to begin."""
        shown = self.clock.as_wall(now)
        ended, results = move_large_answers(row_of_end(key, step, shown) for step in finished)
        begun = list(begun)

        def write(connection: sqlite3.Connection) -> StepFailure | bool:
            held = connection.execute(_HELD, (*key, fence)).fetchone()
            if held is None:
                return False
            deadline, cancelled = held
            refusal = refusal_at(now, deadline, cancelled and min(cancelled, now))
            rows, _ = move_large_answers(
                row_of_start(key, command, now, shown, refusal) for command in begun
            )
            connection.executemany(ADD_RESULT, results)
            connection.executemany(_EVENT, [*ended, *rows])
            return refusal if refusal and any(command.guarded for command in begun) else True

        return self._commits.apply(write)

    def release(
        self,
        key: RunKey,
        fence: int,
        now: float,
        due: float,
        seen: int | None = None,
        *,
        is_cut: bool = False,
    ) -> None:
        """Return a lease; the run is due again at `due`, or now if there is something to do."""

        def write(connection: sqlite3.Connection) -> None:
            has_more = seen is not None and _last_arrival(connection, key) > seen
            connection.execute(_PAUSE, (is_cut, now if has_more else due, now, *key, fence))

        self._commits.apply(write)

    def send(self, key: RunKey, arrival: SentEvent) -> SendResult:
        """Keep an event for a run that has not ended, once by its id; the run is due now."""
        return self._commits.apply(lambda connection: _send(connection, key, arrival))

    def arrivals(self, key: RunKey, seen: int) -> list[SentEvent]:
        """Return the events of a run with numbers beyond `seen`, in order."""

        def read(connection: sqlite3.Connection) -> list[SentEvent]:
            connection.execute(_ARRIVALS)
            return [read_sent_event(row) for row in select(connection, _ARRIVED, (*key, seen))]

        return self._commits.apply(read)

    def waits(self, limit: int, key: RunKey | None = None) -> list[OpenWait]:
        """Return the waits for events, of one run or of all that have not ended, in order."""
        if not self.database.is_there:
            return []  # a look makes no file
        with self.database.read(PATIENCE) as connection:
            rows = select(connection, _WAITS, (*(key or (None, None)), limit))
        return list(map(read_wait, rows))

    def renew(self, leases: Iterable[tuple[RunKey, int]], due: float) -> list[bool]:
        """Renew leases until `due`; return for each whether it is still held."""
        rows = [(due, *key, fence) for key, fence in leases]
        return self._commits.apply(
            lambda connection: [connection.execute(_RENEW, row).rowcount == 1 for row in rows]
        )

    def finish(
        self, key: RunKey, fence: int, now: float, finished: Iterable[Finished], answer: Answer
    ) -> bool:
        """Note the end of a run; return False if its lease is lost, and nothing was noted."""
        shown = self.clock.as_wall(now)
        rows, results = move_large_answers(row_of_end(key, step, shown) for step in finished)
        (placed,), result = move_large_answers([(write_answer(answer),)])
        ended = (state_of(answer).value, *placed, shown, *key)

        def write(connection: sqlite3.Connection) -> bool:
            if connection.execute(_HELD, (*key, fence)).fetchone() is None:
                return False
            connection.executemany(ADD_RESULT, [*results, *result])
            connection.executemany(_EVENT, rows)
            connection.execute(_END, ended)
            _tell_parent(connection, key, answer, now)
            return True

        return self._commits.apply(write)

    def cancel(self, key: RunKey, now: float) -> RunRow | None:
        """Ask for a run to be cancelled, if it is still running; None if there is no such run."""

        def write(connection: sqlite3.Connection) -> RunRow | None:
            connection.execute(_CANCEL, {"now": now, **key._asdict()})
            return _find(connection, key)

        return self._commits.apply(write)

    def abort(self, key: RunKey, now: float) -> RunRow | None:
        """End a run at once, if it is still running; None if there is no such run."""
        shown = self.clock.as_wall(now)

        def write(connection: sqlite3.Connection) -> RunRow | None:
            row = _find(connection, key)
            if row is None or row.state not in (RunState.RUNNING, RunState.BROKEN):
                return row
            connection.execute(_ABORT, (RunState.ABORTED.value, shown, *key))
            _tell_parent(connection, key, ABORTED, now)
            return _find(connection, key)

        return self._commits.apply(write)

    def find(self, key: RunKey) -> RunRow | None:
        """Return a run, if it is there."""
        with self.database.read(PATIENCE) as connection:
            return _find(connection, key)

    def runs(self, workflow: str | None, limit: int) -> list[RunRow]:
        """Return the latest runs, of one workflow or of all, the last one first."""
        if not self.database.is_there:
            return []  # a look makes no file
        with self.database.read(PATIENCE) as connection:
            rows = select(connection, _LIST, (workflow, workflow, limit))
        return [read_run(row) for row in rows]

    def count_runs(self, until: float) -> list[RunCount]:
        """Count the runs of each workflow by state."""
        with self.database.read(PATIENCE) as connection:
            return [read_count(row) for row in select(connection, _COUNTS, (until,))]

    def events(self, key: RunKey) -> StepRecords:
        """Return the commands of a run so far."""
        with self.database.read(PATIENCE) as connection:
            rows = select(connection, _EVENTS, key)
        return dict(map(read_record, rows))

    def definition(self, digest: str) -> Definition:
        """Return the definition with a digest."""
        query = "SELECT document FROM definitions WHERE digest = ?"
        with self.database.read(PATIENCE) as connection:
            rows = select(connection, query, (digest,))
        return read_document(rows, f"the journal {self.database}")

    def next_due(self, flows: Iterable[str], now: float, left: Iterable[str] = ()) -> float | None:
        """Return the earliest time after `now` at which a run of a known workflow is due."""
        parameters = self._ours(flows, left)
        with self.database.read(PATIENCE) as connection:
            row = connection.execute(_NEXT, {**parameters, "now": now}).fetchone()
        due: float | None = row[0]
        return due

    def close(self) -> None:
        """Close the file."""
        self.database.close()


@lru_cache(8)  # one for each journal, and each of its starts asks for it
def _owner_text(owner: Owner) -> str:
    return encode(owner._asdict()).decode()


def _owner_in(text: str | None) -> Owner | None:
    said = None if text is None else json.loads(text)
    return said and Owner(said["app"], said["stage"], tuple(said["targets"]))


def _find(connection: sqlite3.Connection, key: RunKey) -> RunRow | None:
    rows = select(connection, _FIND, key)
    return read_run(rows[0]) if rows else None


def _send(connection: sqlite3.Connection, key: RunKey, arrival: SentEvent) -> SendResult:
    row, last = _find(connection, key), _last_arrival(connection, key)
    earlier = select(connection, _EARLIER, (*key, arrival.id))
    if earlier or row is None or row.state is not RunState.RUNNING:
        return SendResult(row, read_sent_event(earlier[0]) if earlier else None)
    text = encode(arrival.value).decode()
    values = (*key, last + 1, arrival.id, arrival.name, text, arrival.at)
    connection.execute("INSERT INTO arrivals VALUES (?, ?, ?, ?, ?, ?, ?)", values)
    connection.execute(_WAKE, (arrival.at, *key))
    return SendResult(row, None)


def _tell_parent(connection: sqlite3.Connection, key: RunKey, answer: Answer, now: float) -> None:
    """Send the end of a run to the one that waits for it, if there is one."""
    if parent := parent_in(key.id):
        event = SentEvent(0, "/".join(key), "/".join(key), json.loads(write_answer(answer)), now)
        _send(connection, RunKey(*parent), event)


def _last_arrival(connection: sqlite3.Connection, key: RunKey) -> int:
    """Return the number of the last event of a run; the table is made, if it is not there."""
    connection.execute(_ARRIVALS)
    return int(connection.execute(_LAST_ARRIVAL, key).fetchone()[0])


Rows = list[tuple[Any, ...]]


def move_large_answers(rows: Iterable[tuple[Any, ...]]) -> tuple[Rows, Rows]:
    """Move large answers out of rows that end with one.

    Returns:
        The rows, with an answer and a digest at their end, one of them None; and the large answers
        by digest.
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
