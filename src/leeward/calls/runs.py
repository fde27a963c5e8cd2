"""The calls of runs of workflows at a target's own engine, and what comes back.

A run is an id below a workflow.
"""

from __future__ import annotations

from typing import Literal

from leeward.json_text import is_same_json
from leeward.masking import show_only
from leeward.records import NamedTuple
from leeward.values import Json


@show_only("workflow run digest repeatable verb")
class StartRun(NamedTuple):
    """Start a run. The value of an OK result is a `FoundRun`.

    A run of this id that is there already is the answer, if its input is the same; if it is another
    one, CONFLICT.

    Attributes:
        workflow: the provider's own name of it.
        run: the id.
        input: JSON in UTF-8.
        digest: of the definition that the caller knows.
        repeatable: the target keeps two starts of one id apart by itself; if not, a start that may
            have taken place is not made again.
    """

    workflow: str
    run: str
    input: bytes
    digest: str
    repeatable: bool
    verb: Literal["start_run"] = "start_run"


class GetRun(NamedTuple):
    """Look at a run. The value is a `FoundRun`, or None if there is no such run."""

    workflow: str
    run: str
    verb: Literal["get_run"] = "get_run"


class AbortRun(NamedTuple):
    """End a run at once, whatever it does. The value is True, or None if there is no such run.

    It is OK, too, if the run had ended before.
    """

    workflow: str
    run: str
    verb: Literal["abort_run"] = "abort_run"


@show_only("state started ended error unreversed digest")
class FoundRun(NamedTuple):
    """A run as a driver finds it. Times are Unix seconds.

    Attributes:
        state: where it stands.
        input: JSON; None where the engine does not tell it, as right after the start.
        started: when.
        ended: when; None before.
        result: of a run that has succeeded.
        error: name of the error that it failed with.
        unreversed: paths of the steps that a failed compensation could not take back.
        digest: of its definition; None where the engine does not tell it.
    """

    state: Literal["running", "succeeded", "failed", "aborted"]
    input: bytes | None
    started: float
    ended: float | None = None
    result: Json = None
    error: str | None = None
    unreversed: tuple[str, ...] = ()
    digest: str | None = None


def has_input(run: FoundRun, wanted: bytes) -> bool:
    """Return whether a run was started with this input: the same JSON, however it is written."""
    return run.input is not None and is_same_json(run.input, wanted)
