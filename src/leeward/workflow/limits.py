"""The limits that every engine keeps: one table, for the checks and for the documentation."""

from __future__ import annotations

from typing import Final

from leeward.records import NamedTuple
from leeward.workflow.retry import YEAR


class Limit(NamedTuple):
    """One thing that not every engine can do.

    Attributes:
        what: the limited thing.
        most: the largest number of it; None if it is not possible at all.
        engine: that sets the limit.
        instead: the remedy.
    """

    what: str
    most: int | None
    engine: str
    instead: str


_GOOGLE: Final = "Google Workflows"
_STEPS: Final = "Step Functions"
_OWN: Final = "leeward"

LIMITS: Final = {
    "input": Limit("bytes of the input", 32 * 1024, _GOOGLE, "pass a key to the data"),
    "results": Limit(
        "bytes of all results of a run", 256 * 1024, _GOOGLE, "return a key to the data"
    ),
    "definition": Limit("bytes of a definition, as JSON", 64 * 1024, _GOOGLE, "make two workflows"),
    "id": Limit("characters of an id", 60, _STEPS, "write a short one, like take-payment"),
    "branches": Limit("branches beside each other", 10, _GOOGLE, "use `each`"),
    "nesting": Limit("levels of `parallel` and `each` inside each other", 2, _GOOGLE, "flatten it"),
    "at_once": Limit("elements of `each` at once", 20, _GOOGLE, "lower at_once"),
    "timeout": Limit("seconds of a step", 1800, _GOOGLE, "start the work, and `wait` for it"),
    "year": Limit("seconds of a run", YEAR, _STEPS, "start another run at the end"),
    "attempts": Limit("attempts of a step", 100, _STEPS, "fewer, with longer pauses"),
    "reference": Limit("characters of a reference", 120, _GOOGLE, "shorter names of fields"),
    "conditions": Limit("comparisons in one condition", 20, _GOOGLE, "decide in a function"),
    "integer": Limit("as an integer in a flow", 2**53, _STEPS, "write larger ones as texts"),
    "stop": Limit(
        "`stop` inside `parallel` or `each`",
        None,
        _STEPS,
        "let a step return what is decided, and `choose` behind the block",
    ),
    "race": Limit("a race of branches", None, _STEPS, "make it one step"),
    "branch timeout": Limit("a time limit of a branch or block", None, _STEPS, "limit its steps"),
    "undo in each": Limit(
        "a saga around an `each` whose steps have an undo",
        None,
        _GOOGLE,
        "put the saga inside the `each`",
    ),
    "expressions": Limit(
        "arithmetic and texts made in the flow", None, _STEPS, "do it in a function"
    ),
    "names": Limit("events in one wait", 10, _OWN, "send what happened as a value"),
    "rounds": Limit("rounds of a `repeat`", 1000, _OWN, "start another run at the end"),
    "children": Limit("flows that run each other", 5, _OWN, "start another run at the end"),
    "cancel": Limit(
        "cancelling a run so that it compensates",
        None,
        _STEPS,
        "embedded only; `abort_run` ends a run everywhere, and compensates nothing",
    ),
    "events": Limit(
        "events, `repeat`, `collect`, times from data, and `run`, on a cloud's engine",
        None,
        "leeward: it does not export them yet",
        "keep the runs on `local` or `postgres`",
    ),
    "list": Limit(
        "listing the runs of a cloud's engine",
        None,
        _GOOGLE,
        "embedded only; ask for a run by its id, or look at the engine's own console",
    ),
}
"""By a short name. Sources: the engines' quotas, as of November 2026."""


def most(limit: str) -> int:
    """Return the number of a limit."""
    number = LIMITS[limit].most
    assert number is not None
    return number


def excess(limit: str) -> str:
    """Return the message about something beyond a limit, for after its number."""
    limited = LIMITS[limit]
    return f"{limited.what}; {limited.engine} takes at most {limited.most}: {limited.instead}"
