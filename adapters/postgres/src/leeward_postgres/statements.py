"""What goes to the server for a call, without I/O: plans that yield statements and get rows."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from typing import Any, Final, NamedTuple, TypeAlias

from leeward.calls import Result
from leeward.errors import Outcome
from leeward_postgres.outcomes import Stage
from leeward_postgres.schema.data import REPEATED, SETTLED


class Statement(NamedTuple):
    """A statement of a plan.

    Attributes:
        sql: it.
        values: of its parameters.
        stage: how far the exchange is once it was sent.
        binary: the rows come as bytes, and not as text.
    """

    sql: str
    values: Sequence[Any] = ()
    stage: Stage = Stage.COMMITTING
    binary: bool = False


Rows: TypeAlias = list[tuple[Any, ...]]
Plan: TypeAlias = Generator[Statement, Rows, Result[Any]]
"""The statements of a call, in order; what it returns is the call's result."""

ANSWERS: Final[dict[str, Rows]] = {REPEATED: [("repeated",)], SETTLED: [("settled",)]}
"""What functions of the schema would return, did they not have to undo what they did."""


CONFLICT: Final = Result[Any](
    Outcome.CONFLICT,
    message="something with this key or name is there, or it has another revision, or is gone",
)
LATE_WRITE: Final = Result[Any](
    Outcome.CONFLICT, message="the write was settled before it came", reason="settled"
)


def result_of_write(word: str, value: str | None) -> Result[Any]:
    """Return the result of a write, by the word that its function has returned."""
    if word in ("ok", "repeated"):
        return Result.ok(value)
    return LATE_WRITE if word == "settled" else CONFLICT


def milliseconds(timeout: float) -> int:
    """Return how long a statement may wait for a lock.

    That is less than its call may take, so that the server's word that it gave up, which is a proof
    that nothing ran, comes in time.
    """
    return max(1, min(int(timeout * 900), 2**31 - 1))
