"""What goes to the server for a call, without I/O: plans that yield statements and get rows."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from functools import cache
from typing import Any, Final, NamedTuple, TypeAlias

from leeward.calls import Result
from leeward.errors import Outcome
from leeward_postgres.outcomes import Stage
from leeward_postgres.schema import quote
from leeward_postgres.schema.data import REPEATED, SETTLED


class Statement(NamedTuple):
    """A statement of a plan.

    Attributes:
        sql: it, with `@` where the schema stands.
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
MakePlan: TypeAlias = Callable[[float], Plan]
"""Makes the plan of a call, which has so many seconds."""

ANSWERS: Final[dict[str, Rows]] = {REPEATED: [("repeated",)], SETTLED: [("settled",)]}
"""What functions of the schema would return, did they not have to undo what they did."""

CLOSED: Final = Result[Any](Outcome.LOCAL, message="closed", reason="closed")
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


@cache
def number_parameters(sql: str, schema: str) -> bytes:
    """Return a statement as PostgreSQL takes it: `%s` is `$1`, and so on; `@` is the schema."""
    first, *others = name_schema(sql, schema).split("%s")
    return (first + "".join(f"${at}{text}" for at, text in enumerate(others, 1))).encode()


def name_schema(sql: str, schema: str) -> str:
    """Return a statement with the schema where `@` stands."""
    return sql.replace("@.", f"{quote(schema)}.")


def encode_values(values: Sequence[Any]) -> tuple[list[bytes | None], list[int] | None]:
    """Return the values of parameters as PostgreSQL reads them, and which of them are bytes.

    A list is an array. The second is None if none is bytes.

    Raises:
        ValueError: a text has a NUL in it, which ends it for libpq.
    """
    texts: list[bytes | None] = []
    formats = [int(type(value) is bytes) for value in values]
    for value in values:
        if value is None or type(value) is bytes:
            texts.append(value)
            continue
        if isinstance(value, str):
            text = value  # `str` of an enumeration's member is its name
        elif isinstance(value, list | tuple):
            text = f"{{{','.join(map(_element, value))}}}"
        else:
            text = str(value)
        if "\x00" in text:
            raise ValueError("PostgreSQL keeps no text with a NUL in it")
        texts.append(text.encode())
    return texts, formats if any(formats) else None


def _element(value: Any) -> str:
    if value is None:
        return "NULL"
    if isinstance(value, str):
        escaped = value.replace("\\", "\\\\").replace('"', '\\"')
        return f'"{escaped}"'
    return str(value)
