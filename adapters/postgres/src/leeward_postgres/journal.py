"""The journal of runs in PostgreSQL, which processes of any number of machines may share.

Each method is one statement, which commits itself. What several threads write about their runs goes
in one, because a commit costs more than everything else in it. Time is the server's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final, NamedTuple

from leeward.calls import NO_PLACE, Result
from leeward.errors import Outcome
from leeward.json_text import encode
from leeward.leases.batches import Batches, Change
from leeward.leases.faults import DatabaseFault
from leeward.stores import PATIENCE
from leeward.values import Json
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
    ServerClock,
    StepRecords,
)
from leeward.workflow.embedded.rows import (
    READER,
    REFUSALS,
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
from leeward.workflow.kit import Definition, StepFailure
from leeward_postgres.connections import ThreadExchanges
from leeward_postgres.deliveries import RUNS, PostgresDeliveries, StoreBase
from leeward_postgres.statements import MakePlan, Rows, milliseconds

_WORDS: Final = {
    "run": "workflow, id, digest, input::text, started, deadline, cancelled, state, answer::text, "
    "ended, fence, broken",
    "time": "extract(epoch FROM clock_timestamp())::float8",
    "ours": "workflow = flow AND digest = version AND state = 'running' "
    "AND broken IS DISTINCT FROM %s AND coalesce(app = %s, true)",
    "versions": "@.versions(%s::text[], %s::text[]) AS own (flow, version)",
    "key": "workflow = %s AND id = %s",
    "steps": "%s::int[], %s::text[], %s::int[], %s::float8[], %s::float8[], %s::float8[], "
    "%s::text[], %s::boolean[], %s, %s, %s",
}
"""What several statements have in them."""


def _sql(text: str) -> str:
    return text.format(**_WORDS)


# fmt: off
_ADD: Final = _sql("""SELECT is_new, app, {run} FROM (SELECT is_new, (run).* FROM @.start_run(
    %s::text, %s, %s, %s, %s::text, %s, %s, %s::float8, %s, %s, %s, %s)) AS added""")
_ADD_BEGUN: Final = _ADD.replace(" FROM", _sql(""", CASE WHEN is_new THEN @.write_runs(
    ARRAY[workflow], ARRAY[id], ARRAY[fence], ARRAY[started], ARRAY[NULL], ARRAY[NULL],
    {steps}) END FROM"""), 1)
_TAKE: Final = _sql("""SELECT {run} FROM @.take_own_runs(
    %s::text, %s::text[], %s, %s, %s, %s, %s, %s, %s::text[], %s::text[], %s::int[], %s::text[])""")
_RENEW: Final = """WITH lease AS MATERIALIZED (
        SELECT workflow, id FROM @.runs
        JOIN unnest(%s::text[], %s::text[], %s::int[]) AS lease (workflow, id, fence)
            USING (workflow, id, fence)
        WHERE held AND due IS NOT NULL ORDER BY workflow, id FOR NO KEY UPDATE OF runs)
    UPDATE @.runs SET due = %s FROM lease
    WHERE runs.workflow = lease.workflow AND runs.id = lease.id
    RETURNING runs.workflow, runs.id, fence"""
_RELEASE: Final = _sql("""UPDATE @.runs SET held = false,
        due = CASE WHEN (%s OR cancelled IS NULL) AND arrived <= %s THEN %s::float8 ELSE %s END
    WHERE {key} AND fence = %s AND due IS NOT NULL""")
_WRITE: Final = _sql("""SELECT @.write_runs(
    %s::text[], %s::text[], %s::int[], %s::float8[], %s::text[], %s::text[], {steps})""")
_NEXT: Final = _sql("""SELECT min(first.due), {time} FROM {versions}, LATERAL (
    SELECT due FROM @.runs WHERE due > %s AND {ours} ORDER BY due LIMIT 1) AS first""")
_LEASES: Final = _sql("""SELECT lease.* FROM {versions}, LATERAL (
    SELECT workflow, id, fence, due, holder FROM @.runs
    WHERE {ours} AND due <= %s AND held OFFSET 0) AS lease""")
_LOST: Final = "SELECT path, attempt, times FROM @.lost_calls WHERE workflow = %s AND run = %s"
_MAKE_AGAIN: Final = _sql("""WITH lease AS MATERIALIZED (
        SELECT FROM @.runs WHERE {key} AND fence = %s AND due IS NOT NULL FOR NO KEY UPDATE)
    UPDATE @.lost_calls SET fence = %s
    WHERE workflow = %s AND run = %s AND path = %s AND attempt = %s AND EXISTS (SELECT FROM lease)
    RETURNING true""")
_SET_ASIDE: Final = _sql(
    "UPDATE @.runs SET broken = %s, held = false WHERE {key} AND due IS NOT NULL"
)
_END: Final = _sql("SELECT {run} FROM @.end_run(%s, %s, %s, %s, %s)")
_FIND: Final = _sql("SELECT {run} FROM @.runs WHERE {key}")
_LIST: Final = _sql("""SELECT {run} FROM @.runs
    WHERE %s::text IS NULL OR workflow = %s ORDER BY started DESC LIMIT %s""")
# An answer is compared as text: PostgreSQL's functions of JSON fail at one that has a NUL in it.
_COUNTS: Final = """SELECT workflow, what, count(*), count(*) FILTER (WHERE due <= %s),
        count(*) FILTER (WHERE answer::text LIKE '{"error":%"steps":["%')
    FROM (SELECT *, CASE WHEN broken IS NULL THEN state ELSE 'broken' END AS what
        FROM @.runs) AS runs GROUP BY workflow, what ORDER BY workflow, what"""
_SEND: Final = _sql("""SELECT {run}, (earlier).seq, (earlier).id AS known, (earlier).name,
        (earlier).value::text, (earlier).at
    FROM (SELECT (run).*, earlier FROM @.send_event(%s, %s, %s, %s, %s, %s, %s)) AS sent""")
_ARRIVED: Final = """SELECT seq, id, name, value::text, at FROM @.arrivals
    WHERE workflow = %s AND run = %s AND seq > %s ORDER BY seq"""
_WAITS: Final = """SELECT steps.workflow, run, path, steps.due, steps.answer::text FROM @.steps
    JOIN @.runs ON runs.workflow = steps.workflow AND runs.id = run
    WHERE coalesce(steps.workflow = %s, true) AND coalesce(run = %s, true) AND steps.ended IS NULL
        AND steps.answer IS NOT NULL AND runs.due IS NOT NULL AND state = 'running'
    ORDER BY steps.began LIMIT %s"""
_STEPS: Final = """SELECT path, attempt, began, due, ended, answer::text FROM @.steps
    WHERE workflow = %s AND run = %s ORDER BY began, path, attempt"""
_NOW: Final = _sql("SELECT {time}")
_DEFINITION: Final = "SELECT document::text FROM @.definitions WHERE digest = %s"
# fmt: on


_ALL_SEEN: Final = 2**31 - 1
"""More events than a run can have."""


class PostgresJournal(StoreBase, Journal):
    """The journal in one database.

    Args:
        exchanges: of its own, which are closed with it.
        rows: of the same target, whose look sees runs, too; None for no such look.
    """

    def __init__(self, exchanges: ThreadExchanges, rows: PostgresDeliveries | None = None) -> None:
        super().__init__(self._exchange)
        self._exchanges, self._rows = exchanges, rows
        self._writes = _Writes(self.ask)
        self.clock: Any = ServerClock(self._ask_time)
        self._documents = Documents()
        self._kept: set[str] = set()
        """Digests of definitions that the database has."""

    def add(
        self,
        definition: Definition,
        id: str,
        value: Json,
        now: float,
        lease: float | None,
        *,
        holder: str | None = None,
        begun: Sequence[Any] = (),
    ) -> tuple[RunRow, bool]:
        """Add a run, unless there is one of this name and id."""
        digest, document = self._documents.write(definition)
        kept = None if digest in self._kept else document
        values = (
            *(self.owner.app, definition.name, id, digest, kept, encode(value).decode(), now),
            None if definition.timeout is None else now + definition.timeout,
            *(now + (lease or 0.0), lease is not None, holder_text(1, holder)),
            milliseconds(PATIENCE),
        )
        if begun:
            key = RunKey(definition.name, id)
            steps = _columns(
                (1, *row_of_end(key, step, step.ended)[2:], False)
                if isinstance(step, Finished)
                else (1, *_step_of_start(key, step, now))
                for step in begun
            )
            is_new, app, *run, _ = self.ask(_ADD_BEGUN, (*steps, *self._writes.rest, *values))[0]
        else:
            is_new, app, *run = self.ask(_ADD, values)[0]
        self.check_owner(RunKey(definition.name, id), self.owner._replace(app=app))
        if is_new:
            self._kept.add(digest)
        if is_new and self._rows is not None:
            self._rows.tell_of_run(is_left=lease is None)
        return read_run(run), is_new

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
        over = list(over)
        leases = [run.workflow for run in over], [run.id for run in over]
        about = self.owner.app, [*flows], READER, now, lease, limit, grace, str(holder)
        rows = self.ask(_TAKE, (*about, *leases, [run.fence for run in over], [*left]))
        return list(map(read_run, rows))

    def renew(self, leases: Iterable[tuple[RunKey, int]], due: float) -> list[bool]:
        """Hold leases until `due`; return of each whether it is held still."""
        leases = list(leases)
        keys = [key.workflow for key, _ in leases], [key.id for key, _ in leases]
        rows = self.ask(_RENEW, (*keys, [fence for _, fence in leases], due))
        return [(*key, fence) in rows for key, fence in leases]

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
        self.ask(_RELEASE, (is_cut, _ALL_SEEN if seen is None else seen, due, now, *key, fence))

    def send(self, key: RunKey, arrival: SentEvent) -> SendResult:
        """Keep an event for a run that has not ended, once by its id; the run is due now."""
        value = encode(arrival.value).decode()
        values = (*key, arrival.id, arrival.name, value, arrival.at, milliseconds(PATIENCE))
        ((*run, seq, id, name, text, at),) = self.insist(_SEND, values)
        if run[0] is None:
            return SendResult(None, None)
        if seq is None and self._rows is not None:
            self._rows.tell_of_run(is_left=True)
        return SendResult(
            read_run(run), None if seq is None else read_sent_event((seq, id, name, text, at))
        )

    def arrivals(self, key: RunKey, seen: int) -> list[SentEvent]:
        """Return the events of a run with numbers beyond `seen`, in order."""
        return list(map(read_sent_event, self.insist(_ARRIVED, (*key, seen))))

    def waits(self, limit: int, key: RunKey | None = None) -> list[OpenWait]:
        """Return the waits for events, of one run or of all that have not ended, in order."""
        return list(map(read_wait, self.insist(_WAITS, (*(key or (None, None)), limit))))

    def finish(
        self, key: RunKey, fence: int, now: float, finished: Iterable[Finished], answer: Any
    ) -> bool:
        """Note how a run has ended; return False if its lease is lost, and nothing was noted."""
        steps = [(*row_of_end(key, step, now)[2:], False) for step in finished]
        end = state_of(answer).value, write_answer(answer)
        is_ended = bool(self._writes.make(_RunWrite(key, fence, now, steps, *end)) != "lost")
        if is_ended and self._rows is not None and "." in key.id:  # another run waits
            self._rows.tell_of_run(is_left=True)
        return is_ended

    def advance(
        self,
        key: RunKey,
        fence: int,
        now: float,
        finished: Iterable[Finished],
        begun: Iterable[Any],
    ) -> StepFailure | bool:
        """Note what has ended, and what is about to begin."""
        begun = list(begun)
        steps = [(*row_of_end(key, step, now)[2:], False) for step in finished]
        steps += [_step_of_start(key, command, now) for command in begun]
        word = self._writes.make(_RunWrite(key, fence, now, steps))
        if word in REFUSALS and any(command.guarded for command in begun):
            return REFUSALS[word]
        return bool(word != "lost")

    def quiet(self) -> float:
        """Return for how many seconds there is no run that has not ended."""
        return 0.0 if self._rows is None else self._rows.quiet([RUNS])

    def next_due(self, flows: Iterable[str], now: float, left: Iterable[str] = ()) -> float | None:
        """Return the earliest time after `now` at which a run of a known workflow is due."""
        since = self.clock.monotonic()
        ((due, time),) = self.insist(_NEXT, ([*flows], [*left], now, READER, self.owner.app))
        if isinstance(self.clock, ServerClock):
            self.clock.learn(time, since)
        return None if due is None else float(due)

    def holders(
        self, flows: Iterable[str], until: float, left: Iterable[str] = ()
    ) -> list[RunHolder]:
        """Return who has the leases of known workflows that end up to a time."""
        rows = self.insist(_LEASES, ([*flows], [*left], READER, self.owner.app, until))
        return [RunHolder(*row) for row in rows]

    def lost(self, key: RunKey) -> dict[tuple[str, int], int]:
        """Return how often each call of a run was lost with the process that made it."""
        rows = self.insist(_LOST, key)
        return {(path, attempt): times for path, attempt, times in rows}

    def make_again(self, key: RunKey, fence: int, path: str, attempt: int) -> bool:
        """Note that a call that was lost is made again; return False if the lease is lost."""
        values = (*key, fence, fence, *key, path, attempt)
        return bool(self.ask(_MAKE_AGAIN, values))

    def set_aside(self, key: RunKey) -> None:
        """Leave a run alone that this version cannot read; another version may continue it."""
        self.ask(_SET_ASIDE, (READER, *key))

    def cancel(self, key: RunKey, now: float) -> RunRow | None:
        """Ask for a run to be cancelled, if it is still running; None if there is no such run."""
        return _first(self.ask(_END, (*key, now, False, milliseconds(PATIENCE))))

    def abort(self, key: RunKey, now: float) -> RunRow | None:
        """End a run at once, if it is still running; None if there is no such run."""
        return _first(self.ask(_END, (*key, now, True, milliseconds(PATIENCE))))

    def find(self, key: RunKey) -> RunRow | None:
        """Return a run, if it is there."""
        return _first(self.insist(_FIND, key))

    def runs(self, workflow: str | None, limit: int) -> list[RunRow]:
        """Return the latest runs, of one workflow or of all, the last one first."""
        return list(map(read_run, self.insist(_LIST, (workflow, workflow, limit))))

    def count_runs(self, until: float) -> list[RunCount]:
        """Count the runs of each workflow by state."""
        return list(map(read_count, self.ask(_COUNTS, (until,))))

    def events(self, key: RunKey) -> StepRecords:
        """Return what a run has done so far."""
        return dict(map(read_record, self.insist(_STEPS, key)))

    def definition(self, digest: str) -> Definition:
        """Return the definition that was kept under a digest."""
        rows = self.insist(_DEFINITION, (digest,))
        return read_document(rows, "the journal of this target")

    def close(self) -> None:
        """Close its connections; those in use when their exchange is over."""
        self._exchanges.close()

    def _exchange(self, make: MakePlan, timeout: float) -> Result[Any]:
        result = self._exchanges.run(make, timeout)
        # That all connections are busy does not last, as what else is LOCAL does.
        return result._replace(outcome=Outcome.NOT_SENT) if result.code == NO_PLACE else result

    def _ask_time(self) -> None:
        since = self.clock.monotonic()
        ((time,),) = self.insist(_NOW, ())
        self.clock.learn(time, since)


class _RunWrite(NamedTuple):
    """What is written about a run.

    Attributes:
        fence: of the lease that has to be held.
        now: on the journal's clock.
        steps: rows without their key, each with whether it is guarded.
        state, answer: of a run that has ended.
    """

    key: RunKey
    fence: int
    now: float
    steps: list[tuple[Any, ...]]
    state: str | None = None
    answer: str | None = None


def _step_of_start(key: RunKey, command: Any, now: float) -> tuple[Any, ...]:
    return (*row_of_start(key, command, now, now, None)[2:], command.guarded)


def _columns(steps: Iterable[tuple[Any, ...]]) -> Sequence[Sequence[Any]]:
    """Return rows of steps, each with the number of its run before it, as columns."""
    return list(zip(*steps, strict=True)) or [()] * 8


class _Writes(Batches[_RunWrite]):
    """Writes about runs, for many threads."""

    def __init__(self, ask: Callable[[str, Sequence[Any]], Rows]) -> None:
        super().__init__()
        self._ask = ask
        answers = {word: write_answer(refusal) for word, refusal in REFUSALS.items()}
        self.rest = (answers["cancelled"], answers["late"], milliseconds(PATIENCE))

    def write(self, changes: list[Change[_RunWrite]]) -> None:
        """Write about all runs by one statement; one by one, if the server refuses that."""
        try:
            self._write(changes)
        except DatabaseFault as fault:
            if len(changes) == 1 or fault.outcome not in (Outcome.CALLER, Outcome.REJECTED):
                raise
            for change in changes:
                try:
                    self._write([change])
                except DatabaseFault as refusal:
                    change.error = refusal

    def _write(self, changes: list[Change[_RunWrite]]) -> None:
        changes = sorted(changes, key=lambda change: change.what.key)  # who locks, in one order
        runs = [change.what for change in changes]
        columns = (
            *([run.key.workflow for run in runs], [run.key.id for run in runs]),
            *([run.fence for run in runs], [run.now for run in runs]),
            *([run.state for run in runs], [run.answer for run in runs]),
            *_columns((at, *step) for at, run in enumerate(runs, 1) for step in run.steps),
        )
        ((words,),) = self._ask(_WRITE, (*columns, *self.rest))
        for change, word in zip(changes, words.split(","), strict=True):
            change.result = word


def _first(rows: Rows) -> RunRow | None:
    return read_run(rows[0]) if rows else None
