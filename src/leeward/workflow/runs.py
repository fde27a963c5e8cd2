"""A run, as those who started it see it."""

from __future__ import annotations

from enum import Enum
from typing import NamedTuple

from leeward.masking import mask
from leeward.values import Json


class RunState(Enum):
    """Where a run stands."""

    RUNNING = "running"
    """Its steps are called, or it waits."""
    SUCCEEDED = "succeeded"
    """It has ended well."""
    FAILED = "failed"
    """It has ended with an error that nothing handled."""
    CANCELLED = "cancelled"
    """Somebody has cancelled it, and what it had done was taken back."""
    ABORTED = "aborted"
    """Somebody has ended it at once. Nothing was taken back."""
    BROKEN = "broken"
    """What is kept of it cannot be read by this version. Nobody goes on with it."""


class RunEvent(NamedTuple):
    """One call or pause of a run. Times are Unix seconds.

    Attributes:
        path: of the step in the run; ``/undo`` behind it for what takes it back, ``/pause`` for
            the time before its next attempt.
        attempt: 1 for the first.
        began: when.
        ended: None while it is under way.
        error: name of the error it ended with; None for none.
        ambiguous: with an error, that the function may have run.
    """

    path: str
    attempt: int
    began: float
    ended: float | None = None
    error: str | None = None
    ambiguous: bool = False


class Run(NamedTuple):
    """A run of a workflow. Times are Unix seconds.

    Attributes:
        workflow: its name.
        id: of the run; with the workflow's name it is unique.
        target: where it runs.
        state: where it stands.
        digest: of the definition that it was started with, and keeps; None where that is not told.
        started: when.
        ended: when; None before.
        result: of a run that ended well.
        error: name of the error that a run ended with.
        unreversed: paths of the steps that a failed compensation could not take back.
        events: what it has done so far, in order; empty where the engine keeps that to itself.
    """

    workflow: str
    id: str
    target: str
    state: RunState
    digest: str | None
    started: float
    ended: float | None = None
    result: Json = None
    error: str | None = None
    unreversed: tuple[str, ...] = ()
    events: tuple[RunEvent, ...] = ()

    def __repr__(self) -> str:
        return mask(self, "workflow id target state digest started ended error unreversed")
