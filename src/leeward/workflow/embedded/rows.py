"""The rows of a journal and their contents, the same in every store of runs.

What cannot be read raises `Unreadable`. An answer is JSON: ``{"value": ...}``,
``{"error": {...}}``, or ``{"settled": {...}}`` for an answer to a question.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, Final

from leeward.errors import ConfigError
from leeward.json_text import encode
from leeward.values.runs import RunState
from leeward.values.settled import Verdict
from leeward.version import __version__
from leeward.workflow.commands import (
    Answer,
    Command,
    Returned,
    Sleep,
    StepFailure,
    StepVerdict,
    refusal_at,
)
from leeward.workflow.embedded.journal import (
    Finished,
    OpenWait,
    RunCount,
    RunKey,
    RunRow,
    SentEvent,
    StepRecord,
    Unreadable,
)
from leeward.workflow.model import CANCELLED, UNKNOWN, Definition, compact_json_of
from leeward.workflow.reading import read_stored

READER: Final = __version__
"""The mark of this version in a row that it cannot read."""

REFUSALS: Final = {
    word: refusal
    for word, refusal in (
        ("cancelled", refusal_at(0.0, None, 0.0)),
        ("late", refusal_at(0.0, 0.0, None)),
    )
    if refusal is not None
}
"""Why guarded commands may not begin, by a word, for stores that decide in their own language."""


ABORTED: Final = StepFailure(UNKNOWN, ambiguous=True)
"""The end of a run that was aborted, for the one that waits for it: something may be left of it."""


class Documents:
    """The documents of definitions, which cost more to write than a start."""

    def __init__(self) -> None:
        self._known: dict[int, tuple[Definition, str, str]] = {}

    def write(self, definition: Definition) -> tuple[str, str]:
        """Return the digest and the document of a definition."""
        cached = self._known.get(id(definition))
        if cached is None or cached[0] is not definition:
            cached = (definition, definition.digest, compact_json_of(definition))
            self._known[id(definition)] = cached
        return cached[1:]


def read_document(documents: Sequence[Sequence[Any]], where: str) -> Definition:
    """Read the definition in the rows found by its digest."""
    try:
        ((document,),) = documents
        return read_stored(json.loads(document), where)
    except (ValueError, TypeError, RecursionError, ConfigError) as error:
        raise Unreadable("its definition cannot be read") from error


def holder_text(fence: int, holder: str | None) -> str:
    """Return the text of a row for the holder of its lease."""
    return f"{fence} {holder}"


def read_run(columns: Sequence[Any]) -> RunRow:
    """Read a run; if parts cannot be read, it is `BROKEN`, with the parts that can."""
    *about, state, answer, ended, fence, broken = columns
    workflow, id, digest, value, started, deadline, cancelled = about
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
    """Read a command, and return it with its path and attempt."""
    path, attempt, began, due, ended, answer = columns
    # A wait for an event that has not ended has what it waits for in the place of its answer.
    end = None if ended is None else read_answer(answer)
    record = StepRecord(_number(began), _number_or_none(due), _number_or_none(ended), end)
    if record.ended is not None and record.answer is None:
        raise Unreadable("its end is not there")
    return (path, int(_number(attempt))), record


def row_of_end(key: RunKey, step: Finished, ended: float) -> tuple[Any, ...]:
    """Return the row of a command that has ended, at a time of the wall clock."""
    command = step.command
    place = (*key, command.path, command.attempt)
    return (*place, step.began, None, ended, write_answer(step.answer))


def row_of_start(
    key: RunKey, command: Command, now: float, began: float, refusal: StepFailure | None
) -> tuple[Any, ...]:
    """Return the row of a command that begins; with `refusal`, a guarded one is refused.

    It begins at `now` on the journal's clock, and at `began` on the wall clock.
    """
    place = (*key, command.path, command.attempt)
    due = command.due(now, began) if isinstance(command, Sleep) else None
    if refusal is not None and command.guarded:
        return (*place, began, due, began, write_answer(refusal))
    is_event = isinstance(command, Sleep) and command.names
    return (*place, began, due, None, _write_wait(command) if is_event else None)


def _write_wait(command: Command) -> str:
    assert isinstance(command, Sleep)
    return encode({"names": [*command.names], "question": command.question}).decode()


def read_wait(columns: Sequence[Any]) -> OpenWait:
    """Read a wait for an event that has not ended."""
    workflow, id, path, due, text = columns
    try:
        waits = json.loads(text)
        return OpenWait(RunKey(workflow, id), path, due, (*waits["names"],), waits["question"])
    except (ValueError, TypeError, KeyError) as flaw:
        raise Unreadable("a wait is not readable") from flaw


def read_sent_event(columns: Sequence[Any]) -> SentEvent:
    """Read an event that was sent to a run."""
    seq, id, name, value, at = columns
    return SentEvent(seq, id, name, json.loads(value), at)


def write_answer(answer: Answer | StepVerdict) -> str:
    """Write an answer."""
    if isinstance(answer, StepVerdict):
        ended = None if answer.answer is None else json.loads(write_answer(answer.answer))
        verdict = {**answer._asdict(), "verdict": answer.verdict.value, "answer": ended}
        return encode({"settled": verdict}).decode()
    if isinstance(answer, StepFailure):
        return encode({"error": answer._asdict()}).decode()
    return encode({"value": answer.value}).decode()


def read_count(columns: Sequence[Any]) -> RunCount:
    """Read the number of runs in a state; an unknown state is `BROKEN`."""
    workflow, state, count, overdue, unreversed = columns
    run_state = _STATES.get(state, RunState.BROKEN)
    return RunCount(str(workflow), run_state, int(count), int(overdue or 0), int(unreversed or 0))


_STATES: Final = {state.value: state for state in RunState}


def read_end(text: str | None) -> Answer | None:
    """Read the end of a run; None if it has not ended."""
    answer = read_answer(text)
    if isinstance(answer, StepVerdict):
        raise Unreadable("a run does not end with the answer to a question")
    return answer


def read_answer(text: str | None) -> Answer | StepVerdict | None:
    """Read the answer of a command; None if it has not ended."""
    if text is None:
        return None
    try:
        document = json.loads(text)
        if "settled" in document:
            settled = document["settled"]
            ended = None if settled["answer"] is None else answer_in(settled["answer"])
            verdict = Verdict(settled["verdict"])
            return StepVerdict(verdict, ended, int(settled["retry_after"]), int(settled["voids"]))
        return answer_in(document)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as flaw:
        raise Unreadable(f"an answer is not readable ({type(flaw).__name__})") from None


def answer_in(document: Any) -> Answer:
    """Return the answer in a document."""
    if "error" not in document:
        return Returned(document["value"])
    error = document["error"]
    return StepFailure(
        str(error["name"]),
        bool(error["ambiguous"]),
        tuple(error["steps"]),
        bool(error["final"]),
        bool(error.get("spent")),
        tuple(error.get("targets", ())),
        bool(error.get("doubtful")),
    )


def state_of(answer: Answer) -> RunState:
    """Return the state of a run with this end."""
    if isinstance(answer, Returned):
        return RunState.SUCCEEDED
    return RunState.CANCELLED if answer.name == CANCELLED else RunState.FAILED
