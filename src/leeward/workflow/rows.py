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


class Row(NamedTuple):
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


class Noted(NamedTuple):
    """A command that was begun; `answer` is None while it is under way, or was when all ended."""

    began: float
    due: float | None
    ended: float | None
    answer: Answer | None


Events = dict[tuple[str, int], Noted]
"""By path and attempt."""


class Finished(NamedTuple):
    """A command and how it ended."""

    command: Command
    began: float
    answer: Answer
    ended: float


def events_of(events: Events) -> tuple[RunEvent, ...]:
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


def row_of(found: Sequence[Any]) -> Row:
    """Read a run."""
    workflow, id, digest, value, started, deadline, cancelled, state, answer, ended, fence = found
    return Row(
        RunKey(workflow, id),
        digest,
        value,
        started,
        deadline,
        cancelled,
        RunState(state),
        answer_read(answer),
        ended,
        fence,
    )


def finished_row(key: RunKey, each: Finished) -> tuple[Any, ...]:
    """Return the row of a command that has ended."""
    command = each.command
    due = each.began + command.seconds if isinstance(command, Sleep) else None
    place = (*key, command.path, command.attempt)
    return (*place, each.began, due, each.ended, answer_written(each.answer))


def begun_row(
    key: RunKey, command: Command, now: float, refusal: Failure | None
) -> tuple[Any, ...]:
    """Return the row of a command that begins; a guarded one is refused, if there is a refusal."""
    place = (*key, command.path, command.attempt)
    due = now + command.seconds if isinstance(command, Sleep) else None
    if refusal is not None and command.guarded:
        return (*place, now, due, now, answer_written(refusal))
    return (*place, now, due, None, None)


def answer_written(answer: Answer) -> str:
    """Write how something ended."""
    if isinstance(answer, Failure):
        return encode({"error": answer._asdict()}).decode()
    return encode({"value": answer.value}).decode()


def answer_read(text: str | None) -> Answer | None:
    """Read how something ended; None if it has not."""
    if text is None:
        return None
    found = json.loads(text)
    if "error" not in found:
        return Returned(found["value"])
    error = found["error"]
    return Failure(
        error["name"],
        error["ambiguous"],
        tuple(error["steps"]),
        error["final"],
        error.get("spent", False),
    )


def state_of(answer: Answer) -> RunState:
    """Return the state of a run that has ended so."""
    if isinstance(answer, Returned):
        return RunState.SUCCEEDED
    return RunState.CANCELLED if answer.name == CANCELLED else RunState.FAILED
