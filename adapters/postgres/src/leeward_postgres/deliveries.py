"""The rows that workers deliver, the last moments of schedules, and subscriptions.

Each method is one call of a function of `leeward_postgres.schema.queues`. Leases are told by the
server's clock; the caller's is only for times that it is told.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from threading import Lock
from time import monotonic, sleep
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from leeward.calls import Result
from leeward.errors import ConfigError, Outcome
from leeward.leases.faults import DatabaseFault
from leeward.leases.rules import DeliveryPolicy, Room
from leeward.stores import (
    APPROVAL,
    DEAD_AT_ONCE,
    FARTHEST_MOMENT,
    PATIENCE,
    RENEWED,
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
from leeward_postgres.checks import stage_flaw
from leeward_postgres.items import original_of, text_of
from leeward_postgres.schema import WRONG_STAGE
from leeward_postgres.statements import MakePlan, Plan, Rows, Statement

if TYPE_CHECKING:
    from leeward_postgres.hints import Hints

RUNS: Final = Recipient("(runs)", "")
"""Stands in a look for the runs that have not ended."""
TEND_SECONDS: Final = 1.0  # seconds between two looks after the tables themselves, by each process

ADD_ROWS: Final = f"SELECT @.add_rows({', '.join(['%s::text[]'] * 5)})"
_KNOWN: Final = (
    "JOIN unnest(%s::text[], %s::text[]) AS known (bus, subscriber) USING (bus, subscriber)"
)
_CLAIM: Final = "SELECT * FROM @.claim_names(%s, %s, %s, %s, %s::text[], %s::text[], %s::text[])"
_TAKERS: Final = """SELECT DISTINCT bus, subscriber, type FROM @.takers WHERE NOT %s OR EXISTS (
    SELECT FROM @.live WHERE live.app = takers.app AND live.version = takers.version
        AND until > clock_timestamp())"""
DEPTH_SECONDS: Final = 2.0  # seconds for a count that nobody waits for
_MINE: Final = "bus = known.bus AND subscriber = known.subscriber"
_PARTS: Final = (
    "due = '0'",
    "due <> '0' AND due < 'infinity' AND lease IS NULL",
    "due <> '0' AND due < 'infinity' AND lease IS NOT NULL",
    "due = 'infinity' AND lane IS NOT NULL",
)
"""What waits, in parts of which each has an index: new rows, those to be tried again, those under
way, and those that are parked behind others of their lane."""
_COUNTS: Final = " + ".join(
    f"(SELECT count(*) FROM (SELECT FROM @.deliveries WHERE {_MINE} AND {part} LIMIT %s) AS part)"  # noqa: S608 - made of constants
    for part in _PARTS
)
_FIRSTS: Final = " UNION ALL ".join(
    f"(SELECT id, idempotency_key FROM @.deliveries WHERE {_MINE} AND {part} ORDER BY id LIMIT 1)"  # noqa: S608 - made of constants
    for part in _PARTS[:3]
)
_DEPTHS: Final = f"""WITH dead AS (
    SELECT bus, subscriber, count(*) AS number
    FROM (SELECT bus, subscriber FROM @.dead_letters LIMIT %s) AS part GROUP BY 1, 2)
SELECT known.bus, known.subscriber, {_COUNTS}, coalesce(number, 0), first.idempotency_key
FROM (SELECT bus, subscriber FROM unnest(%s::text[], %s::text[]) AS asked (bus, subscriber)
    UNION SELECT bus, subscriber FROM dead) AS known
LEFT JOIN dead USING (bus, subscriber) LEFT JOIN LATERAL (
    SELECT idempotency_key FROM ({_FIRSTS}) AS heads ORDER BY id LIMIT 1) AS first ON true
ORDER BY 1, 2"""  # noqa: S608 - made of constants
_AGAIN: Final = (Outcome.NOT_SENT, Outcome.REJECTED, Outcome.AMBIGUOUS)
"""What may be over in a moment: the server is started again, or another transaction was first."""

Run: TypeAlias = Callable[[MakePlan, float], Result[Any]]
"""Carries out a plan within some seconds, on a connection of its own."""


class StoreBase:
    """What the stores have in common: how they ask the database.

    Args:
        run: carries out a plan.
    """

    def __init__(self, run: Run) -> None:
        self.run = run

    def ask(self, sql: str, values: Sequence[Any] = (), timeout: float = PATIENCE) -> Rows:
        """Return the rows of a statement.

        Raises:
            DatabaseFault: it has failed, or nobody knows.
            ConfigError: the schema belongs to another stage, which time does not change.
        """

        def plan(timeout: float) -> Plan:
            del timeout
            return Result.ok((yield Statement(sql, values)))

        result = self.run(plan, timeout)
        if result.outcome is not Outcome.OK:
            reason = result.reason or result.code or result.outcome.value
            problem = result.message or "the database has not answered"
            if result.code == WRONG_STAGE:
                raise ConfigError(problem)
            raise DatabaseFault(result.outcome, reason, problem) from result.cause
        return result.value or []

    def insist(self, sql: str, values: Sequence[Any]) -> Rows:
        """Do the same for a statement that does no harm when it is made again.

        Raises:
            DatabaseFault: it has failed for `PATIENCE` seconds.
        """
        until, pause = monotonic() + PATIENCE, 0.05
        while True:
            try:
                return self.ask(sql, values, max(until - monotonic(), 0.1))
            except DatabaseFault as fault:
                if fault.outcome not in _AGAIN or monotonic() + pause > until:
                    raise
            sleep(pause)
            pause = min(pause * 2, 1.0)


class PostgresDeliveries(StoreBase, SpoolRows, RecipientStore):
    """The rows that wait, and dead letters; and whose they are.

    Args:
        run: carries out a plan.
        schema: its name, for messages.
        stage: of this process, or None.
        hints: returns those of the process.
    """

    def __init__(
        self, run: Run, schema: str, stage: str | None, hints: Callable[[], Hints]
    ) -> None:
        super().__init__(run)
        self._hints = hints
        self._looking, self._is_stale = Lock(), True
        self._due: dict[Recipient, float] = {}
        """When rows are due, on the monotonic clock, by the last look for all who ask."""
        self._looked, self._ahead = -RENEWED, 0.0
        self.policy = DeliveryPolicy()
        self._schema, self._stage = schema, stage
        self._process, self._is_live = os.urandom(16).hex(), False
        self._tended = -TEND_SECONDS
        self._known: set[Recipient] = set()

    def claim(
        self, app: str, wanted: Mapping[Recipient, str | None]
    ) -> Mapping[Recipient, Recipient]:
        """Return the recipients of an app by its handlers' own names; they are live from now on."""
        owns = {tuple(map(text_of, recipient)): recipient for recipient in wanted}
        names = [list(column) for column in zip(*owns, strict=True)] or [[], []]
        facts = self._stage, app, self._process, version_of(wanted)
        rows = self.insist(_CLAIM, (*facts, *names, [*map(text_of, wanted.values())]))
        for flaw, _, queue, app_ in rows:
            if flaw == "stage":
                raise ConfigError(stage_flaw(self._schema, app_, self._stage))
            if flaw is not None:
                raise ConfigError(
                    f"a worker of the app {app_!r} serves {original_of(queue)!r}, which the app "
                    f"{app!r} serves, too: rename one of them, end that worker, or set `schema` of "
                    "the target to one of this app's own"
                )
        self._is_live = True
        return {owns[bus, handler]: _recipient(bus, name) for _, bus, handler, name in rows}

    def list_takers(self, timeout: float = PATIENCE, *, live: bool = False) -> list[Taker]:
        """Return the recipients for which rows are kept."""
        rows = self.ask(_TAKERS, (live,), timeout)
        return [Taker(_recipient(*names), original_of(type)) for *names, type in rows]

    def release(self) -> None:
        """End what `claim` began; with a store that is away, it ends by itself."""
        if self._is_live:
            with suppress(DatabaseFault):
                self.ask("DELETE FROM @.live WHERE process = %s", (self._process,), DEPTH_SECONDS)

    def add(self, rows: Iterable[NewRow], timeout: float) -> None:
        """Keep all of `rows`, or none."""
        columns = [list(column) for column in zip(*map(columns_of, rows), strict=True)]
        if columns:
            self.ask(ADD_ROWS, columns, timeout)
            self._is_stale = True
            self._hints().send(*(bus or name or "" for bus, name, *_ in zip(*columns, strict=True)))

    def tell_of_run(self, *, is_left: bool) -> None:
        """Note that a run was added, and tell others if it is left to them."""
        self._is_stale = True
        if is_left:
            self._hints().send(RUNS.bus)

    def listen(self, wake: Callable[[], None], wake_runs: Callable[[], None]) -> None:
        """Call these from any thread when there may be rows, or runs, that others have added."""

        def hear(names: set[str]) -> None:
            self._is_stale = True
            takers = self._known.copy()
            if not names or any(text_of(to.bus or to.subscriber) in names for to in takers):
                wake()
            if not names or RUNS.bus in names:
                wake_runs()

        self._hints().listen(hear)

    def quiet(self, recipients: Iterable[Recipient]) -> float:
        """Return for how many seconds nothing is due, by one look a second for all who ask."""
        recipients = set(recipients)
        with self._looking:
            since = monotonic()
            if self._is_stale or since - self._looked > 0.9 or recipients - self._known - {RUNS}:
                self._look(recipients - {RUNS}, since)
            again = self._looked + 1.0  # second: `LOOK_AGAIN` of `leeward.leases.threads`
        first = min((self._due.get(recipient, again) for recipient in recipients), default=again)
        return max(0.0, again - since) if first >= again else 0.0

    def now(self) -> float:
        """Return the server's Unix seconds, as the last look has told them."""
        with self._looking:
            if monotonic() - self._looked > RENEWED:
                self._look(set(), monotonic())
            return monotonic() + self._ahead

    def _look(self, recipients: set[Recipient], since: float) -> None:
        self._known |= recipients
        self._is_stale = False
        sql = "SELECT * FROM @.look_at_rows(%s::text[], %s::text[], %s, %s)"
        ends = self.policy.farthest, self.policy.longest_retry
        rows = self.ask(sql, (*_names(self._known.copy()), *ends))
        self._looked = self._tended = since
        self._ahead = rows[-1][3] - (since + monotonic()) / 2
        self._due = {
            _recipient(bus, name): since + due for bus, name, due, _ in rows if due is not None
        }

    def take(
        self,
        recipients: Iterable[Recipient],
        clock: Callable[[], float],
        room: Room,
        limits: Mapping[Recipient, int] | None = None,
    ) -> TakenRows:
        """Lease rows that are due now; of each lane only the head."""
        recipients, policy, wanted = list(recipients), self.policy, limits or {}
        self._tend(recipients)
        attempts = [max(policy.max_attempts, wanted.get(recipient, 0)) for recipient in recipients]
        lease, since = os.urandom(16).hex(), clock()
        places = room.limit if room.places is None else room.places
        rows = self.ask(
            "SELECT * FROM @.take_rows(%s::text[], %s::text[], %s::integer[], %s, %s, %s, %s, "
            "%s, %s, %s, %s) ORDER BY r_rank, r_id",
            (
                *(*_names(recipients), attempts, lease),
                *(policy.lease, policy.farthest, policy.longest_retry),
                *(max(room.limit, 0), max(room.tried, 0), max(room.unheard, 0), max(places, 0)),
            ),
        )
        taken = TakenRows([], [], since + policy.lease)
        for id, bus, subscriber, key, document, attempt, rank, is_counted, error in rows:
            recipient = _recipient(bus, subscriber)
            if error is not None:
                failure = AttemptFailure(error)
                taken.dead.append(DeadRow(id, recipient, document, attempt, failure, since))
                continue
            fields = original_of(key), document, attempt, lease, rank == 0, is_counted
            taken.rows.append(LeasedRow(id, recipient, *fields))
        return taken

    def finish(
        self, ends: Iterable[LeaseEnd], now: float, begun: Iterable[LeasedRow] = ()
    ) -> list[LeaseEnd]:
        """Write down together how leases have ended; return those whose row is given up."""
        ends = list(ends)
        done = [end for end in ends if end.is_begun and end.failure is None]
        failed = [end for end in ends if end.failure is not None or not end.is_begun]
        pause = self.policy.lease
        others = [_describe_end(row, "begun", row.attempt, pause=pause) for row in begun]
        others += [_describe_end(end.row, "late", end.row.attempt) for end in done if end.is_late]
        others += [self._next_of(end, now) for end in failed]
        text = json.dumps(others) if others else None
        values = [end.row.id for end in done], [end.row.lease for end in done], text
        sql = "SELECT * FROM @.finish_rows(%s::bigint[], %s::text[], %s::jsonb)"
        given_up = {id for (id,) in self.insist(sql, values)}
        self._is_stale = True
        return [end for end in failed if end.row.id in given_up]

    def next_due(self, recipients: Iterable[Recipient], now: float) -> float | None:
        """Return the earliest time after `now` at which a row for `recipients` is due."""
        sql = (
            "SELECT min(r_next) FROM @.look_at_rows(%s::text[], %s::text[], %s, %s) "
            "WHERE r_bus <> '(runs)'"
        )
        policy = self.policy
        ((due,),) = self.ask(sql, (*_names(recipients), policy.farthest, policy.longest_retry))
        return None if due is None else now + float(due)

    def count_waiting(self, recipients: Iterable[Recipient]) -> int:
        """Count the rows for `recipients` that are neither done nor dead."""
        sql = f"SELECT count(*) FROM @.deliveries {_KNOWN}"  # noqa: S608 - a constant
        return int(self.ask(sql, _names(recipients))[0][0])

    def dead_rows(self, after: int | None = None, limit: int = DEAD_AT_ONCE) -> list[DeadRow]:
        """Return a page of the rows that are given up, without their documents."""
        return self._list_dead("NULL::text", ">", -1 if after is None else after, limit)

    def dead_row(self, id: int) -> DeadRow | None:
        """Return one with its document, or None if it is not there."""
        return next(iter(self._list_dead("document", "=", id, 1)), None)

    def _list_dead(self, document: str, is_wanted: str, id: int, limit: int) -> list[DeadRow]:
        rows = self.ask(
            f"SELECT id, bus, subscriber, {document}, attempts, died, error, reason, ran "  # noqa: S608 - constants
            f"FROM @.dead_letters WHERE id {is_wanted} %s ORDER BY id LIMIT %s",
            (id, limit),
        )
        return [
            DeadRow(id, _recipient(bus, name), text, attempts, failure_of_text(*why), died)
            for id, bus, name, text, attempts, died, *why in rows
        ]

    def redrive(self, id: int, to: str | None = None) -> bool:
        """Make a row that was given up due again, as if it were new; return whether it was."""
        return bool(self.ask("SELECT @.redrive_to(%s, %s)", (id, text_of(to)))[0][0])

    def discard(self, id: int) -> bool:
        """Delete a row that was given up; return whether it was there."""
        return bool(self.ask("DELETE FROM @.dead_letters WHERE id = %s RETURNING id", (id,)))

    def has_waiting(self, recipient: Recipient, lane: str, timeout: float) -> bool:
        """Return whether a lane has rows that are neither done nor dead."""
        sql = "SELECT 1 FROM @.deliveries WHERE bus = %s AND subscriber = %s AND lane = %s LIMIT 1"
        return bool(self.ask(sql, [text_of(part) for part in (*recipient, lane)], timeout))

    def depths(self, recipients: Iterable[Recipient], limit: int) -> list[Depth]:
        """Count rows without their documents, in a few seconds, or fail; nobody waits for it."""
        names = _names(recipients)
        rows = self.ask(_DEPTHS, (limit, *[limit] * len(_PARTS), *names), DEPTH_SECONDS)
        return [
            Depth(_recipient(bus, name), min(int(waiting), limit), int(dead), original_of(key))
            for bus, name, waiting, dead, key in rows
        ]

    def measure(self, bus: str | None, timeout: float = PATIENCE) -> list[Backlog]:
        """Return how many rows each recipient of a `bus` has, by name; None is every bus."""
        sql = (
            "SELECT sums.bus, name, waiting, dead, bytes, oldest.document, oldest.key, approvals "
            "FROM ("
            "SELECT bus, subscriber AS name, count(*) FILTER (WHERE waits) AS waiting, "
            "count(*) FILTER (WHERE NOT waits) AS dead, "
            "sum(octet_length(document))::bigint AS bytes, min(id) FILTER (WHERE waits) AS first, "
            "count(*) FILTER (WHERE waits AND lease IS NULL "
            "AND split_part(error, ':', 1) = %s) AS approvals FROM ("
            "SELECT true AS waits, bus, subscriber, id, document, lease, error "
            "FROM @.deliveries UNION ALL SELECT false, bus, subscriber, id, document, NULL, NULL "
            "FROM @.dead_letters) AS rows "
            "WHERE coalesce(bus = %s, true) GROUP BY bus, subscriber) AS sums LEFT JOIN LATERAL ("
            "SELECT document, idempotency_key AS key FROM @.deliveries WHERE id = first LIMIT 1) "
            "AS oldest ON true ORDER BY sums.bus, name"
        )
        rows = self.ask(sql, [APPROVAL, text_of(bus)], timeout)
        return [
            Backlog(
                *(_recipient(place, name), int(waiting), int(dead), None if bus is None else size),
                *(oldest, original_of(key), int(approvals)),
            )
            for place, name, waiting, dead, size, oldest, key, approvals in rows
        ]

    def _next_of(self, end: LeaseEnd, now: float) -> dict[str, Any]:
        """Return what becomes of a row whose attempt has failed, or has not begun."""
        row, failure = end.row, end.failure
        if not end.is_begun or failure is None:
            attempts, due = self.policy.schedule_return(
                row.attempt, now, is_unheard=row.is_unheard, after=end.after
            )
            waits_for = failure and _text(text_of_failure(failure))
            word, pause = ("again", due - now) if due else ("new", 0.0)
            return _describe_end(row, word, int(attempts), pause=pause, error=waits_for)
        attempts, due = self.policy.schedule_retry(row.attempt, now, failure.again, failure.after)
        error = _text(text_of_failure(failure))
        if due is not None:
            return _describe_end(row, "again", attempts, pause=due - now, error=error)
        reason = _text(failure.reason)
        return _describe_end(row, "dead", attempts, error=error, reason=reason, ran=failure.ran)

    def _tend(self, recipients: list[Recipient]) -> None:
        if self._known.issuperset(recipients) and monotonic() - self._tended < TEND_SECONDS:
            return
        self._known.update(recipients)
        self._tended = monotonic()
        with suppress(DatabaseFault):  # the next time
            self.ask("SELECT @.tend_rows(%s::text[], %s::text[])", _names(self._known.copy()))


class PostgresSchedules(StoreBase, ScheduleStore):
    """The last moments of schedules.

    Args:
        rows: whose looks tell the server's time.
    """

    def __init__(self, rows: PostgresDeliveries) -> None:
        super().__init__(rows.run)
        self._rows = rows

    def now(self, clock: Any) -> float:
        """Return the server's Unix seconds: machines may differ by hours."""
        return self._rows.now()

    def add(self, name: str, moment: float, row: NewRow, timeout: float, now: float) -> bool:
        """Keep a row, unless one is kept for this moment or a later one; return whether."""
        values = text_of(name), moment, now + FARTHEST_MOMENT, *columns_of(row)
        sql = "SELECT @.add_moment(%s, %s, %s, %s, %s, %s, %s, %s)"
        return bool(self.ask(sql, values, timeout)[0][0])

    def begin(self, name: str, moment: float, timeout: float, expression: str) -> float:
        """Return the last moment of a schedule; a new one, and a changed one, begins with this."""
        sql = (
            "INSERT INTO @.series AS own VALUES (%s, %s, %s) ON CONFLICT (name) DO UPDATE SET last "
            "= CASE WHEN own.last > excluded.last + %s OR own.expression <> excluded.expression "
            "THEN excluded.last ELSE own.last END, expression = excluded.expression RETURNING last"
        )
        values = text_of(name), moment, expression, FARTHEST_MOMENT
        return float(self.ask(sql, values, timeout)[0][0])

    def moments(self) -> dict[str, float]:
        """Return the last moment of each schedule that was begun."""
        rows = self.ask("SELECT name, last FROM @.series")
        return {original_of(name): float(last) for name, last in rows}


def _names(recipients: Iterable[Recipient]) -> tuple[list[str], list[str]]:
    named = list(recipients)
    return [text_of(to.bus) for to in named], [text_of(to.subscriber) for to in named]


def columns_of(row: NewRow) -> tuple[str | None, ...]:
    """Return the values of a new row, as `add_rows` takes them."""
    names = *row.recipient, row.lane, row.idempotency_key
    return (*map(text_of, names), row.document)


def _recipient(bus: str, subscriber: str) -> Recipient:
    return Recipient(original_of(bus), original_of(subscriber))


def _describe_end(row: LeasedRow, word: str, attempts: int, **more: object) -> dict[str, Any]:
    names = {"id": row.id, "lease": row.lease, "key": text_of(row.idempotency_key)}
    return {**names, "word": word, "attempts": attempts, **more}


def _text(text: str | None) -> str | None:
    """Return a text for people as a column holds it."""
    return text and text.replace("\x00", "\ufffd").encode(errors="replace").decode()
