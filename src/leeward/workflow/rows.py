"""The rows of the journal as values, and back."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, NamedTuple

from leeward.json_text import encode
from leeward.masking import masked
from leeward.workflow.commands import Answer, Command, Failure, Returned, Sleep
from leeward.workflow.model import CANCELLED
from leeward.workflow.runs import RunEvent, RunState


class RunKey(NamedTuple):
    """What tells a run from every other."""

    workflow: str
    id: str


class RunRow(NamedTuple):
    """A run as the journal has it."""

    key: RunKey
    digest: str
    input: str
    started: float
    deadline: float | None
    cancelled: float | None
    state: RunState
    answer: Answer | None
    ended: float | None
    fence: int

    def __repr__(self) -> str:
        return masked(self, "key digest started state ended fence")


class RunHolder(NamedTuple):
    """A lease of a run, as somebody else sees it; `holder` is a fence and a process."""

    workflow: str
    id: str
    fence: int
    due: float
    holder: str | None


class Unreadable(Exception):
    """What the journal keeps of a run is not what this version writes."""


class StepRecord(NamedTuple):
    """A command that was begun; `answer` is None while it is under way, or was when all ended."""

    began: float
    due: float | None
    ended: float | None
    answer: Answer | None


StepRecords = dict[tuple[str, int], StepRecord]
"""By path and attempt."""


class Finished(NamedTuple):
    """A command and how it ended."""

    command: Command
    began: float
    answer: Answer
    ended: float


def events_of(events: StepRecords) -> tuple[RunEvent, ...]:
    """Return events as users see them."""
    return tuple(
        RunEvent(
            path,
            attempt,
            noted.began,
            noted.ended,
            noted.answer.name if isinstance(noted.answer, Failure) else None,
            isinstance(noted.answer, Failure) and noted.answer.ambiguous,
        )
        for (path, attempt), noted in events.items()
    )


def row_of(found: Sequence[Any]) -> RunRow:
    """Read a run; one that cannot be read is `BROKEN`, and has what could be read."""
    workflow, id, digest, value, started, deadline, cancelled, state, answer, ended, fence, odd = (
        found
    )
    try:
        if odd is not None:
            raise Unreadable("somebody could not read it, or its time is a text")
        row = RunRow(
            RunKey(workflow, id),
            digest,
            value,
            _number(started),
            _number_or_none(deadline),
            _number_or_none(cancelled),
            RunState(state),
            answer_read(answer),
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


def noted_of(found: Sequence[Any]) -> tuple[tuple[str, int], StepRecord]:
    """Read a command, and return it with its path and attempt.

    Raises:
        Unreadable: it cannot be read.
    """
    path, attempt, began, due, ended, answer = found
    noted = StepRecord(
        _number(began), _number_or_none(due), _number_or_none(ended), answer_read(answer)
    )
    if noted.ended is not None and noted.answer is None:
        raise Unreadable("its end is not there")
    return (path, int(_number(attempt))), noted


def finished_row(key: RunKey, each: Finished, ended: float) -> tuple[Any, ...]:
    """Return the row of a command that has ended, at a time of the wall clock."""
    command = each.command
    due = each.began + command.seconds if isinstance(command, Sleep) else None
    place = (*key, command.path, command.attempt)
    return (*place, each.began, due, ended, answer_written(each.answer))


def begun_row(
    key: RunKey, command: Command, now: float, began: float, refusal: Failure | None
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
        return (*place, began, due, began, answer_written(refusal))
    return (*place, began, due, None, None)


def answer_written(answer: Answer) -> str:
    """Write how something ended."""
    if isinstance(answer, Failure):
        return encode({"error": answer._asdict()}).decode()
    return encode({"value": answer.value}).decode()


def answer_read(text: str | None) -> Answer | None:
    """Read how something ended; None if it has not.

    Raises:
        Unreadable: it cannot be read.
    """
    if text is None:
        return None
    try:
        found = json.loads(text)
        if "error" not in found:
            return Returned(found["value"])
        error = found["error"]
        return Failure(
            str(error["name"]),
            bool(error["ambiguous"]),
            tuple(error["steps"]),
            bool(error["final"]),
            bool(error.get("spent")),
        )
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as flaw:
        raise Unreadable(f"an answer is not readable ({type(flaw).__name__})") from None


def state_of(answer: Answer) -> RunState:
    """Return the state of a run that has ended so."""
    if isinstance(answer, Returned):
        return RunState.SUCCEEDED
    return RunState.CANCELLED if answer.name == CANCELLED else RunState.FAILED
