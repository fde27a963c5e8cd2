"""A run, as its caller sees it."""

from __future__ import annotations

from enum import Enum

from leeward.masking import show_data, show_only
from leeward.records import NamedTuple
from leeward.values import Json


class RunState(Enum):
    """The state of a run."""

    RUNNING = "running"
    """Its steps are called, or it waits."""
    SUCCEEDED = "succeeded"
    """It has ended successfully."""
    FAILED = "failed"
    """It has ended with an error that nothing handled."""
    CANCELLED = "cancelled"
    """Somebody has cancelled it, and it was compensated."""
    ABORTED = "aborted"
    """Somebody has ended it at once, without compensation."""
    BROKEN = "broken"
    """This version cannot read its journal. No process continues it."""


def child_id(workflow: str, run: str, path: str) -> str:
    """Return the id of the run that a run starts at a path; no id of a user has a point."""
    return f"{workflow}.{run}.{path.replace('/', '_')}"


def parent_in(id: str) -> tuple[str, str] | None:
    """Return the workflow and the id of the run that has started the one of this id, if any."""
    workflow, _, rest = id.partition(".")
    return (workflow, rest.rpartition(".")[0]) if rest else None


@show_only("path attempt began ended error ambiguous child")
class RunEvent(NamedTuple):
    """One call, question or pause of a run. Times are Unix seconds.

    Attributes:
        path: of the step in the run; ``/undo`` at its end for the undo, ``/settle`` for a question
            what became of the step, ``/pause`` for the time before the next attempt or question.
        attempt: 1 for the first.
        began: when.
        ended: None while it is under way.
        error: name of its error; None if it has none.
        ambiguous: it failed, but the function may have run.
        result: of a call that went well, or the value of an event.
        child: the workflow and the id of the run that it waits for, with ``/`` between; None for
            everything else.
    """

    path: str
    attempt: int
    began: float
    ended: float | None = None
    error: str | None = None
    ambiguous: bool = False
    result: Json = None
    child: str | None = None


@show_only("path names until")
class RunWait(NamedTuple):
    """A wait of a run for the first of some events.

    Attributes:
        path: of the node in the run.
        names: of the events.
        until: Unix seconds when it ends without one; None for no limit.
        question: that a person is asked; None for other events.
    """

    path: str
    names: tuple[str, ...]
    until: float | None
    question: Json = None


@show_data("workflow id target state digest started ended error unreversed")
class Run(NamedTuple):
    """A run of a workflow. Times are Unix seconds.

    Attributes:
        workflow: its name.
        id: of the run; with the workflow's name it is unique.
        target: where it runs.
        state: of the run.
        digest: of the definition that it was started with; None if the engine does not report it.
        started: when.
        ended: when; None before.
        result: of a successful run.
        error: name of the error of a failed run.
        unreversed: paths of the steps whose undo failed.
        events: what it did so far, in order; empty if the engine does not report it.
        waits: for which events it waits now.
        input: that it was started with; only `get_run` reads it.
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
    waits: tuple[RunWait, ...] = ()
    input: Json = None

    @property
    def parent(self) -> str | None:
        """Return the workflow and the id of the run that waits for it, with ``/`` between."""
        parent = parent_in(self.id)
        return parent and "/".join(parent)
