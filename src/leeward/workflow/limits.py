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


LIMITS: Final = {
    "input": Limit("bytes of the input", 32 * 1024, "Google Workflows", "pass a key to the data"),
    "results": Limit(
        "bytes of all results of a run", 256 * 1024, "Google Workflows", "return a key to the data"
    ),
    "definition": Limit(
        "bytes of a definition, as JSON", 64 * 1024, "Google Workflows", "make two workflows"
    ),
    "id": Limit(
        "characters of an id", 60, "Step Functions", "write a short one, like take-payment"
    ),
    "branches": Limit("branches beside each other", 10, "Google Workflows", "use `each`"),
    "nesting": Limit(
        "levels of `parallel` and `each` inside each other", 2, "Google Workflows", "flatten it"
    ),
    "at_once": Limit("elements of `each` at once", 20, "Google Workflows", "lower at_once"),
    "timeout": Limit(
        "seconds of a step", 1800, "Google Workflows", "start the work, and `wait` for it"
    ),
    "year": Limit("seconds of a run", YEAR, "Step Functions", "start another run at the end"),
    "attempts": Limit("attempts of a step", 100, "Step Functions", "fewer, with longer pauses"),
    "reference": Limit(
        "characters of a reference", 120, "Google Workflows", "shorter names of fields"
    ),
    "conditions": Limit(
        "comparisons in one condition", 20, "Google Workflows", "decide in a function"
    ),
    "integer": Limit(
        "as an integer in a flow", 2**53, "Step Functions", "write larger ones as texts"
    ),
    "stop": Limit(
        "`stop` inside `parallel` or `each`",
        None,
        "Step Functions",
        "let a step return what is decided, and `choose` behind the block",
    ),
    "race": Limit("a race of branches", None, "Step Functions", "make it one step"),
    "branch timeout": Limit(
        "a time limit of a branch or block", None, "Step Functions", "limit its steps"
    ),
    "undo in each": Limit(
        "a saga around an `each` whose steps have an undo",
        None,
        "Google Workflows",
        "put the saga inside the `each`",
    ),
    "expressions": Limit(
        "arithmetic and texts made in the flow", None, "Step Functions", "do it in a function"
    ),
    "names": Limit("events in one wait", 10, "leeward", "send what happened as a value"),
    "rounds": Limit("rounds of a `repeat`", 1000, "leeward", "start another run at the end"),
    "children": Limit("flows that run each other", 5, "leeward", "start another run at the end"),
    "cancel": Limit(
        "cancelling a run so that it compensates",
        None,
        "Step Functions",
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
        "Google Workflows",
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
