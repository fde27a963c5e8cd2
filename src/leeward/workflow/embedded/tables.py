"""The tables of the journal, and what lies in them as values.

A result that is large is kept once, under its digest, and rows refer to it: so the rows that are
searched stay small, and a run that ends with what a step has returned keeps it once.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from hashlib import sha256
from typing import Any, Final

from leeward._sqlite.database import Schema
from leeward.json_text import encode
from leeward.values.runs import RunState
from leeward.values.settled import Verdict
from leeward.workflow.commands import (
    Answer,
    Command,
    Returned,
    Sleep,
    StepFailure,
    StepVerdict,
)
from leeward.workflow.embedded.journal import Finished, RunKey, RunRow, StepRecord, Unreadable
from leeward.workflow.model import CANCELLED

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


def read_run(columns: Sequence[Any]) -> RunRow:
    """Read a run; one that cannot be read is `BROKEN`, and has what could be read."""
    (
        workflow,
        id,
        digest,
        value,
        started,
        deadline,
        cancelled,
        state,
        answer,
        ended,
        fence,
        broken,
    ) = columns
    try:
        if broken is not None:
            raise Unreadable("somebody could not read it, or its time is a text")
        row = RunRow(
            RunKey(workflow, id),
            digest,
            value,
            _number(started),
            _number_or_none(deadline),
            _number_or_none(cancelled),
            RunState(state),
            read_end(answer),
            _number_or_none(ended),
            int(_number(fence)),
        )
        if row.state in _ENDED and row.answer is None:
            raise Unreadable("its end is not there")
    except (Unreadable, ValueError):
        key = RunKey(str(workflow), str(id))
        began = float(started) if isinstance(started, int | float) else 0.0
        return RunRow(
            key, str(digest), str(value), began, None, None, RunState.BROKEN, None, None, -1
        )
    return row


_ENDED = (RunState.SUCCEEDED, RunState.FAILED, RunState.CANCELLED)


def _number(value: Any) -> float:
    if not isinstance(value, int | float):
        raise Unreadable(f"a {type(value).__name__} is not a number")
    return value


def _number_or_none(value: Any) -> float | None:
    return None if value is None else _number(value)


def read_record(columns: Sequence[Any]) -> tuple[tuple[str, int], StepRecord]:
    """Read a command, and return it with its path and attempt.

    Raises:
        Unreadable: it cannot be read.
    """
    path, attempt, began, due, ended, answer = columns
    record = StepRecord(
        _number(began), _number_or_none(due), _number_or_none(ended), read_answer(answer)
    )
    if record.ended is not None and record.answer is None:
        raise Unreadable("its end is not there")
    return (path, int(_number(attempt))), record


def row_of_end(key: RunKey, each: Finished, ended: float) -> tuple[Any, ...]:
    """Return the row of a command that has ended, at a time of the wall clock."""
    command = each.command
    due = each.began + command.seconds if isinstance(command, Sleep) else None
    place = (*key, command.path, command.attempt)
    return (*place, each.began, due, ended, write_answer(each.answer))


def row_of_start(
    key: RunKey, command: Command, now: float, began: float, refusal: StepFailure | None
) -> tuple[Any, ...]:
    """Return the row of a command that begins; a guarded one is refused, if there is a refusal.

    Args:
        key: of its run.
        command: that begins.
        now: on the journal's clock.
        began: the same on the wall clock.
        refusal: why guarded ones may not begin.
    """
    place = (*key, command.path, command.attempt)
    due = now + command.seconds if isinstance(command, Sleep) else None
    if refusal is not None and command.guarded:
        return (*place, began, due, began, write_answer(refusal))
    return (*place, began, due, None, None)


def write_answer(answer: Answer | StepVerdict) -> str:
    """Write how something ended."""
    if isinstance(answer, StepVerdict):
        ended = None if answer.answer is None else json.loads(write_answer(answer.answer))
        verdict = {**answer._asdict(), "verdict": answer.verdict.value, "answer": ended}
        return encode({"settled": verdict}).decode()
    if isinstance(answer, StepFailure):
        return encode({"error": answer._asdict()}).decode()
    return encode({"value": answer.value}).decode()


def read_end(text: str | None) -> Answer | None:
    """Read how a run ended; None if it has not.

    Raises:
        Unreadable: it cannot be read.
    """
    answer = read_answer(text)
    if isinstance(answer, StepVerdict):
        raise Unreadable("a run does not end with the answer to a question")
    return answer


def read_answer(text: str | None) -> Answer | StepVerdict | None:
    """Read how a command ended; None if it has not.

    Raises:
        Unreadable: it cannot be read.
    """
    if text is None:
        return None
    try:
        found = json.loads(text)
        if "settled" in found:
            told = found["settled"]
            ended = None if told["answer"] is None else _answer_in(told["answer"])
            verdict = Verdict(told["verdict"])
            return StepVerdict(verdict, ended, int(told["retry_after"]), int(told["voids"]))
        return _answer_in(found)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as flaw:
        raise Unreadable(f"an answer is not readable ({type(flaw).__name__})") from None


def _answer_in(found: Any) -> Answer:
    if "error" not in found:
        return Returned(found["value"])
    error = found["error"]
    return StepFailure(
        str(error["name"]),
        bool(error["ambiguous"]),
        tuple(error["steps"]),
        bool(error["final"]),
        bool(error.get("spent")),
        tuple(error.get("targets", ())),
    )


def state_of(answer: Answer) -> RunState:
    """Return the state of a run that has ended so."""
    if isinstance(answer, Returned):
        return RunState.SUCCEEDED
    return RunState.CANCELLED if answer.name == CANCELLED else RunState.FAILED
