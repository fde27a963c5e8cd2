"""What goes to the server for a call, without I/O: plans that yield statements and get rows."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from typing import Any, NamedTuple, TypeAlias

from leeward.calls import Result
from leeward_postgres.outcomes import Stage
from leeward_postgres.schema import REPEATED, SETTLED


class Statement(NamedTuple):
    """A statement, its values, and how far the exchange is once it was sent."""

    sql: str
    values: Sequence[Any] = ()
    stage: Stage = Stage.COMMITTING


Rows: TypeAlias = list[tuple[Any, ...]]
Plan: TypeAlias = Generator[Statement, Rows, Result[Any]]
"""The statements of a call, in order; what it returns is the call's result."""

ANSWERS: dict[str, Rows] = {REPEATED: [("ok",)], SETTLED: [("settled",)]}
"""What functions of the schema would return, did they not have to undo what they did."""


def milliseconds(timeout: float) -> int:
    """Return how long a statement may wait for a lock.

    That is less than its call may take, so that the server's word that it gave up, which is a proof
    that nothing ran, comes in time.
    """
    return max(1, min(int(timeout * 900), 2**31 - 1))
