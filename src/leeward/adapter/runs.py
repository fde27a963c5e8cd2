"""What the workflows of adapters have in common: when a start is a conflict."""

from __future__ import annotations

from typing import Any

from leeward.calls import FoundRun, Result, StartRun
from leeward.calls.runs import has_input
from leeward.errors import Outcome

UNPROVED = "conflict_unproved"
"""AMBIGUOUS: the id of a run is taken, and which input that run has cannot be seen."""


def already_there(call: StartRun, looked: Result[FoundRun | None]) -> Result[Any]:
    """Return the result of a start whose id is taken, by a look at that run: it, or a conflict."""
    run = looked.value if looked.outcome is Outcome.OK else None
    if run is None:
        return Result(
            Outcome.AMBIGUOUS, code=looked.code, reason=UNPROVED, request_id=looked.request_id
        )
    if has_input(run, call.input):
        return Result.ok(run, request_id=looked.request_id)
    return Result(
        Outcome.CONFLICT,
        message="there is a run of this id with another input",
        request_id=looked.request_id,
    )
