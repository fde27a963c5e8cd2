"""Deliveries, dead letters and series in a SQLite database that other things may be kept in, too.

Other programs may write these tables. So a column may hold anything, and a row that makes no sense
is given up; none stops the others.
"""

from __future__ import annotations

import json
import os
import sqlite3
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from math import isfinite
from time import monotonic, sleep
from typing import Any, Final

from leeward._sqlite.database import Database, select, steady_clock
from leeward.clock import Clock
from leeward.errors import ConfigError
from leeward.leases.faults import DatabaseFault
from leeward.leases.holders import SteadyClock, boot_of_machine
from leeward.leases.rules import DeliveryPolicy, Room
from leeward.stores import (
    ABANDONED,
    APPROVAL,
    DEAD_AT_ONCE,
    FARTHEST_MOMENT,
    LEASE_EXPIRED,
    LIVE,
    NOT_TAKEN,
    PATIENCE,
    AttemptFailure,
    Backlog,
    DeadRow,
    Depth,
    LeasedRow,
    LeaseEnd,
    NewRow,
    Recipient,
    RecipientStore,
    ScheduleStore,
    SpoolRows,
    TakenRows,
    Taker,
    failure_of_text,
    text_of_failure,
    version_of,
)

ADDED_AT_ONCE: Final = 100
"""Rows of one statement: five values each, of the 999 that every SQLite takes."""

GIVEN_UP_AT_ONCE: Final = 50
"""Rows that a claim gives up, about; whoever claims comes back soon for the next ones."""

UNREADABLE: Final = "UnreadableRow"
"""The same: another program has written what no row of leeward's holds, or the file is damaged."""

FRESH: Final = 0.02
"""Seconds for which a publisher uses the takers that it has read; a new one waits for as long."""

_LANE: Final = "NOT dead AND (bus, subscriber, lane) = ({0}.bus, {0}.subscriber, {0}.lane)"
_LEAVE: Final = f"""UPDATE deliveries SET behind = 0 WHERE behind AND id = (
    SELECT min(id) FROM deliveries WHERE {_LANE.format("OLD")});"""  # noqa: S608 - constants
_JOIN: Final = """UPDATE deliveries SET behind = 1 - behind
    WHERE id IN (NEW.id, (SELECT min(id) FROM deliveries WHERE {0} AND id > NEW.id))
        AND behind <> coalesce(id > (SELECT min(id) FROM deliveries WHERE {0}), 0);""".format(  # noqa: S608
    _LANE.format("NEW")
)
STATEMENTS: Final = (
    """CREATE TABLE deliveries (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        bus TEXT NOT NULL,           -- empty for a queued call of a function
        subscriber TEXT NOT NULL,    -- name of the subscription or function
        lane TEXT,                   -- the ordering key
        idempotency_key TEXT NOT NULL,
        document TEXT NOT NULL,      -- a CloudEvent, or the payload
        attempts INTEGER NOT NULL DEFAULT 0,
        due REAL NOT NULL DEFAULT 0, -- Unix seconds: not before; while leased, the lease's end
        lease TEXT,                  -- of the attempt under way
        error TEXT,                  -- class of the last exception; after ": ", its text
        dead INTEGER NOT NULL DEFAULT 0,
        reason TEXT,                 -- of a dead one: the failure's own word
        ran TEXT,                    -- no, maybe or yes: whether an attempt has had an effect
        died REAL,                   -- Unix seconds: when it was given up
        behind INTEGER NOT NULL DEFAULT 0  -- 1: another row of its lane comes first
    )""",
    # Of each lane one row is not `behind`, the first one: so a claim walks past no other.
    """CREATE INDEX deliveries_of_lane ON deliveries (bus, subscriber, lane, id)
        WHERE NOT dead AND lane IS NOT NULL""",
    """CREATE INDEX deliveries_of ON deliveries (
        bus, subscriber, behind, lease IS NOT NULL, due) WHERE NOT dead""",
    # Triggers, so that what other programs do with the rows is kept as well.
    f"""CREATE TRIGGER delivery_insert AFTER INSERT ON deliveries
        WHEN NEW.lane IS NOT NULL AND NOT NEW.dead BEGIN {_JOIN} END""",
    f"""CREATE TRIGGER delivery_delete AFTER DELETE ON deliveries
        WHEN OLD.lane IS NOT NULL AND NOT OLD.dead BEGIN {_LEAVE} END""",
    f"""CREATE TRIGGER delivery_update AFTER UPDATE OF id, bus, subscriber, lane, dead ON deliveries
        WHEN OLD.lane IS NOT NULL OR NEW.lane IS NOT NULL BEGIN {_LEAVE} {_JOIN} END""",
    "CREATE INDEX deliveries_dead ON deliveries (id, bus, subscriber, dead) WHERE dead",
)
SERIES: Final = """CREATE TABLE series (
    name TEXT PRIMARY KEY,       -- of the schedule
    last REAL NOT NULL           -- Unix seconds: the last moment for which a message was kept
) WITHOUT ROWID"""

# A layout stays readable for programs of before, which know nothing of these.
_WHOSE: Final = (
    "CREATE TABLE IF NOT EXISTS stage (name TEXT NOT NULL)",  # of all rows; one, or none yet
    """CREATE TABLE IF NOT EXISTS recipients (
        bus TEXT NOT NULL,
        subscriber TEXT NOT NULL,    -- as in deliveries
        app TEXT NOT NULL,
        handler TEXT NOT NULL,       -- its name in the app
        PRIMARY KEY (bus, subscriber),
        UNIQUE (app, bus, handler)
    ) WITHOUT ROWID""",
    """CREATE TABLE IF NOT EXISTS takers (
        app TEXT NOT NULL,
        version TEXT NOT NULL,
        bus TEXT NOT NULL,
        subscriber TEXT NOT NULL,    -- as in deliveries
        type TEXT,                   -- of the events that it takes; NULL for every one
        PRIMARY KEY (app, version, bus, subscriber)
    ) WITHOUT ROWID""",
    """CREATE TABLE IF NOT EXISTS versions (
        app TEXT NOT NULL,
        version TEXT NOT NULL,       -- what tells its handlers from those of others
        number INTEGER NOT NULL,     -- the one that came later has the greater one
        boot TEXT NOT NULL,          -- of the machine
        seen REAL NOT NULL,          -- seconds from that boot to the last claim
        PRIMARY KEY (app, version)
    ) WITHOUT ROWID""",
    """CREATE TABLE IF NOT EXISTS live (
        process TEXT NOT NULL,
        app TEXT NOT NULL,
        version TEXT NOT NULL,
        boot TEXT NOT NULL,
        until REAL NOT NULL,         -- seconds from that boot
        PRIMARY KEY (process, app)
    ) WITHOUT ROWID""",
    f"""CREATE INDEX IF NOT EXISTS deliveries_not_taken ON deliveries (bus, subscriber)
        WHERE dead AND reason = '{NOT_TAKEN}'""",
)
_LIVES: Final = """EXISTS (SELECT 1 FROM live WHERE live.app = own.app
    AND live.version = own.version AND boot = :boot AND until > :now)"""
_SHOW: Final = (
    "DELETE FROM live WHERE process = :process AND app = :app OR boot <> :boot OR until <= :now",
    "INSERT INTO live VALUES (:process, :app, :version, :boot, :now + :live)",
    # Before this boot there was no time that could be told from here: it begins now.
    "UPDATE versions SET boot = :boot, seen = :now WHERE boot <> :boot",
    """INSERT INTO versions SELECT :app, :version, coalesce(max(number) + 1, 1), :boot, :now
        FROM versions WHERE app = :app
        ON CONFLICT (app, version) DO UPDATE SET seen = excluded.seen""",
    f"""DELETE FROM takers WHERE app = :app AND version IN (
        SELECT version FROM versions AS own WHERE app = :app AND version <> :version
            AND (seen < :now - :abandoned OR number < (
                SELECT number FROM versions WHERE app = :app AND version = :version))
            AND NOT {_LIVES})""",  # noqa: S608 - constants
)
_TAKE_OVER: Final = """INSERT OR IGNORE INTO takers
    VALUES (:app, :version, :bus, :subscriber, :type)"""
_HAS_TAKERS: Final = "SELECT count(*) FROM sqlite_master WHERE name = 'takers'"
_TAKERS: Final = "SELECT DISTINCT bus, subscriber, type FROM takers AS own"
_LIVE_TAKERS: Final = f"{_TAKERS} WHERE {_LIVES}"
_END_PROCESS: Final = "DELETE FROM live WHERE process = ?"
_TAKE_BACK: Final = f"""UPDATE deliveries
    SET dead = 0, attempts = 0, due = 0, error = NULL, reason = NULL, ran = NULL, died = NULL
    WHERE dead AND reason = '{NOT_TAKEN}' AND EXISTS (SELECT 1 FROM takers
        WHERE app = :app AND version = :version AND takers.bus = deliveries.bus
            AND takers.subscriber = deliveries.subscriber
            AND coalesce(error = 'NotTaken: ' || type, 1))"""  # noqa: S608 - constants
_EXPRESSIONS: Final = """CREATE TABLE IF NOT EXISTS expressions (
    series TEXT PRIMARY KEY,
    expression TEXT NOT NULL         -- of the schedule, when it was begun
) WITHOUT ROWID"""
_STAGE: Final = "SELECT name FROM stage"
_STAMP: Final = "INSERT INTO stage VALUES (?)"
_CLAIM: Final = "INSERT OR IGNORE INTO recipients VALUES (:bus, :name, :app, :handler)"
_OWN: Final = "SELECT bus, handler, subscriber FROM recipients WHERE app = ?"

# Every statement lets other threads run, and then waits for its turn, so many rows are few
# statements.
_ADD: Final = "INSERT INTO deliveries (bus, subscriber, lane, idempotency_key, document) VALUES "

_KNOWN: Final = """NOT dead AND (bus, subscriber) IN (
    SELECT json_extract(value, '$[0]'), json_extract(value, '$[1]') FROM json_each(?))"""
_ROW: Final = """id, bus, subscriber, idempotency_key, document, attempts, due,
    lease IS NOT NULL"""

# Of each recipient the index gives the rows of a kind by the time they are due, and of one time by
# their number, so it is read no farther than wanted, whatever else there is. A time that is a text
# or bytes comes after all numbers, and is due.
_ITS: Final = """NOT dead AND bus = json_extract(known.value, '$[0]')
    AND subscriber = json_extract(known.value, '$[1]')"""
_OF: Final = f"""deliveries AS row INDEXED BY deliveries_of WHERE {_ITS}
    AND behind = %s AND (lease IS NOT NULL) = %s AND due %s"""
_KINDS: Final = (
    (_OF % (0, 1, "<= :now"), _OF % (0, 1, "> :farthest")),
    (_OF % (0, 0, "> 0 AND due <= :now"), _OF % (0, 0, "> :longest")),
    (_OF % (0, 0, "<= 0"),),
)
"""Rows whose last lease ended without a word, those that were tried before, and new ones."""
_WITH_ROWS: Final = f"""FROM json_each(:known) AS known
    WHERE EXISTS (SELECT 1 FROM deliveries WHERE {_ITS})"""  # noqa: S608 - constants
_HAS: Final = [" OR ".join(f"EXISTS (SELECT 1 FROM {part})" for part in kind) for kind in _KINDS]  # noqa: S608
_LOOK: Final = """SELECT value, :unheard AND ({}), :tried AND ({}), {} {}""".format(
    *_HAS, _WITH_ROWS
)
# A head that was redriven waits for the later row of its lane that is under way.
_MAY_GO: Final = """(lane IS NULL OR lane NOT IN (SELECT lane
    FROM deliveries AS later INDEXED BY deliveries_of WHERE NOT dead
    AND (bus, subscriber) = (row.bus, row.subscriber) AND lane IS NOT NULL
    AND behind = 1 AND (lease IS NOT NULL) = 1 AND due > :now AND due <= :farthest))"""
_ORDER: Final = "ORDER BY due, id LIMIT :limit"
_IDS: Final = f"SELECT id FROM (SELECT id FROM %s AND {_MAY_GO} {_ORDER})"  # noqa: S608 - constants
_READY: Final = tuple(
    f"SELECT {_ROW} FROM (SELECT value FROM json_each(:known)) AS known CROSS JOIN deliveries "  # noqa: S608
    f"WHERE id IN ({' UNION ALL '.join(_IDS % part for part in kind)}) {_ORDER}"
    for kind in _KINDS
)
_FIRST: Final = f"""coalesce((SELECT due FROM {_OF % ("%s", "%s", "> :now AND due <= :farthest")}
    ORDER BY due LIMIT 1), 9e999)"""  # noqa: S608 - constants
_NEXT_DUE: Final = f"""SELECT nullif(min(min(
    {_FIRST % (0, 0)}, {_FIRST % (0, 1)}, {_FIRST % (1, 1)})), 9e999) {_WITH_ROWS}"""
_WAITING: Final = f"SELECT count(*) FROM deliveries WHERE {_KNOWN}"  # noqa: S608 - of constants

_TAKE: Final = """UPDATE deliveries SET lease = ?, due = ?, attempts = attempts + ?
    WHERE id IN (SELECT value FROM json_each(?))"""
_HOLD: Final = "UPDATE deliveries SET attempts = ?, due = ? WHERE id = ? AND lease = ?"
_BURY: Final = "UPDATE deliveries SET dead = 1, lease = NULL, error = ?, died = ? WHERE id = ?"
_RETURN: Final = """UPDATE deliveries SET lease = NULL, attempts = ?, due = ?,
    error = coalesce(?, error) WHERE id = ? AND lease = ?"""
_DONE: Final = "DELETE FROM deliveries WHERE lease = ? AND id IN (SELECT value FROM json_each(?))"
_DONE_LATE: Final = f"""DELETE FROM deliveries WHERE id = ? AND attempts >= ? AND lane IS NULL
    AND idempotency_key = ? AND (NOT dead OR error = '{LEASE_EXPIRED}')"""  # noqa: S608 - a constant
_RETRY: Final = """UPDATE deliveries SET lease = NULL, attempts = ?, error = ?, due = ?
    WHERE id = ? AND lease = ?"""
_GIVE_UP: Final = """UPDATE deliveries SET lease = NULL, attempts = ?, error = ?, reason = ?,
    ran = ?, died = ?, dead = 1 WHERE id = ? AND lease = ?"""
_FORGET: Final = "DELETE FROM deliveries WHERE bus = ? AND subscriber = ? AND lane = ? AND NOT dead"
_DEAD: Final = """SELECT id, bus, subscriber, %s, attempts, error, reason, ran, died FROM deliveries
    WHERE dead AND id %s ? ORDER BY id LIMIT ?"""
_DEAD_HEADS: Final = _DEAD % ("NULL", ">")
_DEAD_ROW: Final = _DEAD % ("document", "=")
_FIRST_ID: Final = -(2**63)  # the smallest that SQLite has; leeward's own begin with 1.
_REDRIVE: Final = """UPDATE deliveries
    SET dead = 0, attempts = 0, due = 0, error = NULL, reason = NULL, ran = NULL, died = NULL,
        subscriber = coalesce(?, subscriber)
    WHERE id = ? AND dead"""
_DISCARD: Final = "DELETE FROM deliveries WHERE id = ? AND dead"
_HAS_WAITING: Final = """SELECT 1 FROM deliveries
    WHERE bus = ? AND subscriber = ? AND lane = ? AND NOT dead LIMIT 1"""
# The size of a document stands before it in its row, and what stands behind it is looked up in an
# index: so no document is read, however large it is. SQLite knows `octet_length` since 3.43. The
# limit keeps the sizes apart: else SQLite would sort the documents.
_SIZE: Final = (
    "octet_length(document)"
    if sqlite3.sqlite_version_info >= (3, 43)
    else "length(CAST(document AS BLOB))"
)
_MEASURE: Final = f"""SELECT sums.bus, sums.name, coalesce(waiting, 0),
        total - coalesce(waiting, 0), bytes, document, idempotency_key
    FROM (SELECT bus, name, count(*) AS total, sum(size) AS bytes
        FROM (SELECT bus, subscriber AS name, {_SIZE} AS size FROM deliveries
            WHERE bus = ? LIMIT -1)
        GROUP BY bus, name) AS sums
    LEFT JOIN (SELECT bus, subscriber AS name, count(*) AS waiting, min(id) AS first
        FROM deliveries WHERE NOT dead GROUP BY bus, subscriber) AS live
        ON live.bus = sums.bus AND live.name = sums.name
    LEFT JOIN deliveries ON id = first ORDER BY sums.bus, sums.name"""  # noqa: S608 - constants

# Of every bus the indexes alone are counted: whoever reads all rows holds up who writes.
_MEASURE_ALL: Final = """SELECT counts.bus, name, waiting, gone, NULL, document, idempotency_key
    FROM (SELECT bus, name, sum(waiting) AS waiting, sum(gone) AS gone, min(first) AS first FROM (
            SELECT bus, subscriber AS name, count(*) AS waiting, 0 AS gone, min(id) AS first
            FROM deliveries INDEXED BY deliveries_of WHERE NOT dead GROUP BY bus, subscriber
            UNION ALL
            SELECT bus, subscriber, 0, count(*), NULL
            FROM deliveries INDEXED BY deliveries_dead WHERE dead GROUP BY bus, subscriber)
        GROUP BY bus, name) AS counts
    LEFT JOIN deliveries ON id = first ORDER BY counts.bus, name"""

# Only what has a time of its own is read: what was tried, or was put off.
_APPROVALS: Final = f"""SELECT bus, subscriber, count(*) FROM deliveries
    INDEXED BY deliveries_of WHERE NOT dead AND due > 0 AND (lease IS NOT NULL) = 0
    AND error LIKE '{APPROVAL}%' GROUP BY bus, subscriber"""  # noqa: S608 - a constant

# The index alone is read, not the rows, and of those that are new the first has the least id.
_DEPTH: Final = """SELECT number, idempotency_key FROM (
    SELECT count(*) AS number, min(id) AS first FROM (
        SELECT id FROM deliveries INDEXED BY deliveries_of WHERE NOT dead AND bus = ?
        AND subscriber = ? ORDER BY behind, lease IS NOT NULL, due, id LIMIT ?))
    LEFT JOIN deliveries ON id = first"""
_COUNT_DEAD: Final = """SELECT bus, subscriber, count(*) FROM (
    SELECT bus, subscriber FROM deliveries INDEXED BY deliveries_dead WHERE dead LIMIT ?)
    GROUP BY bus, subscriber"""

_BEGIN_SERIES: Final = "INSERT OR IGNORE INTO series VALUES (?, ?)"
_ADVANCE: Final = "UPDATE series SET last = ? WHERE name = ? AND (last < ? OR last > ?)"
_RESET: Final = "UPDATE series SET last = ? WHERE name = ? AND last > ?"
_PUT: Final = "INSERT OR REPLACE INTO series VALUES (?, ?)"
_LAST: Final = "SELECT last FROM series WHERE name = ?"
_EXPRESSION: Final = "SELECT expression FROM expressions WHERE series = ?"
_EXPRESS: Final = "INSERT OR REPLACE INTO expressions VALUES (?, ?)"
_MOMENTS: Final = "SELECT name, last FROM series WHERE typeof(last) = 'real'"


class SqliteDeliveries(SpoolRows):
    """The rows of one database; `clock` is the machine's."""

    def __init__(self, database: Database, policy: DeliveryPolicy, clock: Clock) -> None:
        self._database = database
        self.policy = policy
        self.clock: SteadyClock = steady_clock(database, clock)

    def add(self, rows: Iterable[NewRow], timeout: float) -> None:
        """Keep all of `rows`, or none."""
        with self._database.write(timeout) as connection:
            insert(connection, rows)

    def take(
        self,
        recipients: Iterable[Recipient],
        clock: Callable[[], float],
        room: Room,
        limits: Mapping[Recipient, int] | None = None,
    ) -> TakenRows:
        """Lease rows that are due."""
        taken = TakenRows([], [])
        about = {**self._about(recipients, clock()), **room._asdict()}
        with self._database.read(PATIENCE) as connection:
            some = [row for row in select(connection, _LOOK, about) if any(row[1:])]
        if not some or room.limit <= 0:
            return taken
        names, *has_kinds = zip(*some, strict=True)
        has: Sequence[object] = [any(kind) for kind in has_kinds]
        lease = os.urandom(16).hex()
        with self._database.write(PATIENCE) as connection:
            now, is_looking = clock(), True
            about = {**self._about((), now), "known": f"[{','.join(names)}]"}
            while is_looking and len(taken.dead) < GIVEN_UP_AT_ONCE:
                is_looking = False
                unheard = sum(row.is_unheard for row in taken.rows)
                tried = sum(row.is_tried for row in taken.rows) - unheard
                left = room.take_off(len(taken.rows), tried, unheard)
                leased: list[LeasedRow] = []
                for columns in self._ready(connection, about, left, has):
                    row = self._judge(columns, lease, limits or {})
                    if isinstance(row, AttemptFailure):
                        connection.execute(_BURY, (row.error, about["died"], columns[0]))
                        values = *columns[:3], *columns[4:6]
                        taken.dead.append(_dead_row(values, row, about["died"]))
                        is_looking, has = True, _READY  # behind it others may be ready
                        continue
                    has_place = left.places is None or len(leased) < left.places
                    leased.append(row._replace(is_counted=row.is_unheard or has_place))
                for is_counted in (False, True):
                    ids = json.dumps([row.id for row in leased if row.is_counted == is_counted])
                    connection.execute(_TAKE, (lease, now + self.policy.lease, is_counted, ids))
                taken.rows.extend(leased)
        return taken._replace(leased_until=now + self.policy.lease)

    def finish(
        self, ends: Iterable[LeaseEnd], now: float, begun: Iterable[LeasedRow] = ()
    ) -> list[LeaseEnd]:
        """Write down together how leases have ended; return those whose row is given up."""
        dead: list[LeaseEnd] = []
        done: defaultdict[str, list[int]] = defaultdict(list)
        died = self.clock.as_wall(now)
        with self._database.write(PATIENCE) as connection:
            for row in begun:
                until = now + self.policy.lease
                connection.execute(_HOLD, (row.attempt, until, row.id, row.lease))
            for end in ends:
                row, failure = end.row, end.failure
                where = row.id, row.lease
                if not end.is_begun:
                    unbegun = self.policy.schedule_return(
                        row.attempt, now, is_unheard=row.is_unheard, after=end.after
                    )
                    waits_for = failure and text_of_failure(failure)
                    connection.execute(_RETURN, (*unbegun, waits_for, *where))
                    continue
                if failure is None:
                    done[row.lease].append(row.id)
                    if end.is_late:
                        connection.execute(_DONE_LATE, (row.id, row.attempt, row.idempotency_key))
                    continue
                again, after = failure.again, failure.after
                attempts, due = self.policy.schedule_retry(row.attempt, now, again, after)
                facts = attempts, text_of_failure(failure)
                if due is not None:
                    connection.execute(_RETRY, (*facts, due, *where))
                    continue
                given_up = *facts, failure.reason, failure.ran, died, *where
                if connection.execute(_GIVE_UP, given_up).rowcount == 1:
                    dead.append(end)
            for lease, ids in done.items():
                connection.execute(_DONE, (lease, json.dumps(ids)))
        return dead

    def next_due(self, recipients: Iterable[Recipient], now: float) -> float | None:
        """Return the earliest time after `now` at which a row for `recipients` is due."""
        about = self._about(recipients, now)  # which may ask the clock, and that the database
        with self._database.read(PATIENCE) as connection:
            row = connection.execute(_NEXT_DUE, about).fetchone()
        due: float | None = row[0]
        return due

    def count_waiting(self, recipients: Iterable[Recipient]) -> int:
        """Count the rows for `recipients` that are neither done nor dead."""
        with self._database.read(PATIENCE) as connection:
            return int(connection.execute(_WAITING, (json.dumps(list(recipients)),)).fetchone()[0])

    def dead_rows(self, after: int | None = None, limit: int = DEAD_AT_ONCE) -> list[DeadRow]:
        """Return a page of the rows that are given up, without their documents."""
        return self._list_dead(_DEAD_HEADS, _FIRST_ID if after is None else after, limit)

    def dead_row(self, id: int) -> DeadRow | None:
        """Return one with its document, or None if it is not there."""
        return next(iter(self._list_dead(_DEAD_ROW, id, 1)), None)

    def redrive(self, id: int, to: str | None = None) -> bool:
        """Make a row that was given up due again, as if it were new; return whether it was."""
        with self._database.write(PATIENCE) as connection:
            return connection.execute(_REDRIVE, (to, id)).rowcount == 1

    def discard(self, id: int) -> bool:
        """Delete a row that was given up; return whether it was there."""
        with self._database.write(PATIENCE) as connection:
            return connection.execute(_DISCARD, (id,)).rowcount == 1

    def has_waiting(self, recipient: Recipient, lane: str, timeout: float) -> bool:
        """Return whether a lane has rows that are neither done nor dead."""
        with self._database.read(timeout) as connection:
            return connection.execute(_HAS_WAITING, (*recipient, lane)).fetchone() is not None

    def depths(self, recipients: Iterable[Recipient], limit: int) -> list[Depth]:
        """Count rows without documents; dead ones of all recipients together up to `limit`."""
        with self._database.read(PATIENCE) as connection:
            dead = {
                Recipient(_readable(bus), _readable(subscriber)): count
                for bus, subscriber, count in select(connection, _COUNT_DEAD, (limit,))
            }
            depths_ = []
            for recipient in sorted({*recipients, *dead}):
                count, key = connection.execute(_DEPTH, (*recipient, limit)).fetchone()
                depths_.append(
                    Depth(recipient, count, dead.get(recipient, 0), _readable(key) or None)
                )
        return depths_

    def measure(self, bus: str | None, timeout: float = PATIENCE) -> list[Backlog]:
        """Return how many rows each recipient of a `bus` has, by name; None is every bus."""
        with self._database.read(timeout) as connection:
            one = (_MEASURE_ALL, ()) if bus is None else (_MEASURE, (bus,))
            rows = select(connection, *one)
            waits = {tuple(names): count for *names, count in select(connection, _APPROVALS, ())}
        return [
            Backlog(
                *(Recipient(_readable(bus_name), _readable(name)), waiting, dead, size),
                *(_readable(oldest) or None, _readable(key) or None),
                waits.get((bus_name, name), 0),
            )
            for bus_name, name, waiting, dead, size, oldest, key in rows
        ]

    def _list_dead(self, query: str, id: int, limit: int) -> list[DeadRow]:
        if not self._database.is_there:
            return []
        with self._database.read(PATIENCE) as connection:
            rows = select(connection, query, (id, limit))
        return [
            _dead_row(row, failure_of_text(_readable(error), _readable(reason) or None, ran), died)
            for *row, error, reason, ran, died in rows
        ]

    def _about(self, recipients: Iterable[Recipient], now: float) -> dict[str, Any]:
        # What is due later than a right clock could have said is due now.
        return {
            "known": json.dumps(list(recipients)),
            "now": now,
            "died": self.clock.as_wall(now),
            "longest": now + self.policy.longest_retry,
            "farthest": now + self.policy.farthest,
        }

    def _ready(
        self,
        connection: sqlite3.Connection,
        about: Mapping[str, Any],
        room: Room,
        has: Sequence[object],
    ) -> list[Sequence[Any]]:
        rows: list[Sequence[Any]] = []
        kinds = zip(_READY, (room.unheard, room.tried, room.limit), has, strict=True)
        for query, bound, is_there in kinds:
            limit = min(room.limit - len(rows), bound)
            if is_there and limit > 0:
                rows += select(connection, query, {**about, "limit": limit})
        return rows

    def _judge(
        self, columns: Sequence[Any], lease: str, limits: Mapping[Recipient, int]
    ) -> LeasedRow | AttemptFailure:
        """Return the row that is leased; or why it is given up instead."""
        try:
            row = _leased_row(columns, lease)
        except ValueError:
            return AttemptFailure(UNREADABLE)
        due, is_leased = columns[-2:]
        if is_leased and self.policy.is_spent(row.attempt - 1, due, limits.get(row.recipient, 0)):
            return AttemptFailure(LEASE_EXPIRED)
        return row


class SqliteRecipients(RecipientStore):
    """Whose the rows of one database are."""

    def __init__(self, database: Database, stage: str | None) -> None:
        self._database = database
        self._stage = stage
        self._boot, self._process = boot_of_machine() or "", os.urandom(16).hex()
        self._read_at, self._takers = -FRESH, list[Taker]()

    def claim(
        self, app: str, wanted: Mapping[Recipient, str | None]
    ) -> Mapping[Recipient, Recipient]:
        """Return the recipients of an app by its handlers' own names."""
        with self._database.write(PATIENCE) as connection:
            for statement in _WHOSE:
                connection.execute(statement)
            stages = [name for (name,) in connection.execute(_STAGE)]
            if stages and stages != [self._stage]:
                here = f"{self._stage!r}" if self._stage else "none"
                raise ConfigError(
                    f"the store {self._database} belongs to the stage {stages[0]!r}, and the stage "
                    f"here is {here}: set `path` of the target to a file of its own, or choose the "
                    "other stage (LEEWARD_STAGE, or stage in [deploy])"
                )
            if not stages and self._stage is not None:
                connection.execute(_STAMP, (self._stage,))
            for bus, handler in wanted:
                for name in (handler, f"{app}/{handler}"):
                    row = {"bus": bus, "name": name, "app": app, "handler": handler}
                    connection.execute(_CLAIM, row)
            names = {
                Recipient(bus, handler): Recipient(bus, name)
                for bus, handler, name in connection.execute(_OWN, (app,)).fetchall()
            }
            takes = {names[name]: type for name, type in wanted.items()}
            is_new = self._take_over(connection, app, takes)
        sleep(FRESH * is_new)  # from now on every publisher knows of it
        return names

    def list_takers(self, timeout: float = PATIENCE, *, live: bool = False) -> list[Taker]:
        """Return the recipients for which rows are kept, as of `FRESH` seconds ago at most."""
        now = monotonic()
        if not live and now - self._read_at <= FRESH:
            return self._takers
        rows: list[tuple[str, str, str | None]] = []
        if self._database.is_there:
            with self._database.read(timeout) as connection:
                if connection.execute(_HAS_TAKERS).fetchone()[0]:
                    about = {"boot": self._boot, "now": now}
                    rows = connection.execute(_LIVE_TAKERS if live else _TAKERS, about).fetchall()
        takers = [Taker(Recipient(bus, name), type) for bus, name, type in rows]
        if not live:
            self._read_at, self._takers = now, takers
        return takers

    def release(self) -> None:
        """End what `claim` began; with a store that is away, it ends by itself."""
        with suppress(DatabaseFault), self._database.write(PATIENCE) as connection:
            connection.execute(_END_PROCESS, (self._process,))

    def _take_over(
        self, connection: sqlite3.Connection, app: str, wanted: Mapping[Recipient, str | None]
    ) -> bool:
        """Show that a version lives, and what it takes; return whether that is new.

        It ends those that it may end.
        """
        values = {"app": app, "version": version_of(wanted), "boot": self._boot, "now": monotonic()}
        more = {"process": self._process, "live": LIVE, "abandoned": ABANDONED}
        for statement in _SHOW:
            connection.execute(statement, values | more)
        added = 0
        for (bus, name), type in wanted.items():
            row = {"bus": bus, "subscriber": name, "type": type}
            added += connection.execute(_TAKE_OVER, values | row).rowcount
        connection.execute(_TAKE_BACK, values)
        return added > 0


class SqliteSchedules(ScheduleStore):
    """The series of one database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, name: str, moment: float, row: NewRow, timeout: float, now: float) -> bool:
        """Keep a row, unless one is kept for this moment or a later one; return whether."""
        with self._database.write(timeout) as connection:
            is_new = connection.execute(_BEGIN_SERIES, (name, moment)).rowcount == 1
            later = moment, name, moment, now + FARTHEST_MOMENT
            if not is_new and not connection.execute(_ADVANCE, later).rowcount:
                return False
            insert(connection, [row])
        return True

    def begin(self, name: str, moment: float, timeout: float, expression: str) -> float:
        """Return the last moment of a series; one that is new, or changed, begins with this one."""
        with self._database.write(timeout) as connection:
            connection.execute(_EXPRESSIONS)
            connection.execute(_BEGIN_SERIES, (name, moment))
            expression_ = connection.execute(_EXPRESSION, (name,)).fetchone()
            if expression_ != (expression,):
                connection.execute(_EXPRESS, (name, expression))
                if expression_ is not None:
                    connection.execute(_PUT, (name, moment))
            connection.execute(_RESET, (moment, name, moment + FARTHEST_MOMENT))
            return float(connection.execute(_LAST, (name,)).fetchone()[0])

    def moments(self) -> dict[str, float]:
        """Return the last moment of each series."""
        with self._database.read(PATIENCE) as connection:
            rows = select(connection, _MOMENTS, ())
        return {_readable(name): last for name, last in rows}


def insert(connection: sqlite3.Connection, rows: Iterable[NewRow]) -> None:
    """Insert rows, in the transaction of the connection."""
    values = [(*row.recipient, row.lane, row.idempotency_key, row.document) for row in rows]
    for at in range(0, len(values), ADDED_AT_ONCE):
        some = values[at : at + ADDED_AT_ONCE]
        places = ", ".join(["(?, ?, ?, ?, ?)"] * len(some))
        connection.execute(_ADD + places, [value for row in some for value in row])


def insert_behind(
    connection: sqlite3.Connection, name: str, moment: int, make: Callable[[int], Iterable[NewRow]]
) -> None:
    """Insert rows for a moment; for one behind the last one of the series if it is not.

    The order is what counts there: each row gets a moment behind that of the last one, whatever has
    become of the clock.
    """
    row = connection.execute(_LAST, (name,)).fetchone()
    due = moment if row is None else max(moment, int(row[0]) + 1)
    connection.execute(_PUT, (name, due))
    insert(connection, make(due))


def forget(connection: sqlite3.Connection, recipient: Recipient, lane: str) -> None:
    """Remove the rows of one lane that are not given up, in the transaction of the connection."""
    connection.execute(_FORGET, (*recipient, lane))


def _leased_row(columns: Sequence[Any], lease: str) -> LeasedRow:
    """Read a row that is due, for its next attempt."""
    id, *texts, attempts, due, is_leased = columns
    if type(attempts) is not int or not 0 <= attempts < 2**31:
        raise ValueError("attempts is not a count")
    if not isinstance(due, int | float) or not isfinite(due):
        raise ValueError("due is not a time")
    bus, name, key, document = [one.decode() if isinstance(one, bytes) else one for one in texts]
    recipient = Recipient(bus, name)
    return LeasedRow(id, recipient, key, document, attempts + 1, lease, bool(is_leased))


def _dead_row(columns: Sequence[Any], failure: AttemptFailure, died: object) -> DeadRow:
    """Read a row that is given up, whatever it holds."""
    id, bus, name, document, attempts = columns
    recipient = Recipient(_readable(bus), _readable(name))
    time = died if isinstance(died, int | float) else None
    attempt = attempts if isinstance(attempts, int) else 0
    text = None if document is None else _readable(document)
    return DeadRow(id, recipient, text, attempt, failure, time)


def _readable(value: Any) -> str:
    """Return a column as text, whatever it holds."""
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value or "")
