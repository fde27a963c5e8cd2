"""Events and calls in the user's own transaction: made once it is committed, and never if not.

    from leeward_postgres import outbox

    with psycopg.connect() as connection:
        connection.execute("UPDATE orders SET paid = true WHERE id = 42")
        outbox(connection).publish_event("orders", "order.paid", {"id": 42})

A connection of psycopg and a session or connection of SQLAlchemy are known by their names: neither
library is imported here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any, Final, TypeAlias

from leeward.calls import Enqueue, Publish
from leeward.errors import ConfigError, InvalidRequest, NotFound, Outcome
from leeward.outbox import CallOutbox, Configuration, OutboxCall, OutboxSettings
from leeward_postgres.deliveries import ADD_ROWS, columns_of
from leeward_postgres.driver import LIMITS
from leeward_postgres.outcomes import CLASSIFICATIONS, SCHEMA
from leeward_postgres.queues import enqueue, publish
from leeward_postgres.statements import Rows, name_schema, number_parameters

Conclude: TypeAlias = Callable[[Rows], str]
"""Returns what a method of the outbox returns, given the rows of its statement."""

SECONDS: Final = 1.0  # stands where a call has its time: a transaction of the user's has its own

_IDLE: Final = 0  # of libpq's PGTransactionStatusType: no transaction is open

_PSYCOPG: Final = ("Connection", "AsyncConnection")
_SQLALCHEMY: Final = (
    *("Session", "AsyncSession", "scoped_session", "async_scoped_session"),
    *("Connection", "AsyncConnection"),
)


def outbox(
    connection: Any,
    *,
    to: str | None = None,
    config: Configuration = None,
    target: str = "postgres",
) -> CallOutbox[Any]:
    """Return what writes calls into the transaction of a connection or session.

    Args:
        connection: of psycopg 3, or a Session, AsyncSession, Connection or AsyncConnection of
            SQLAlchemy; in a transaction.
        to: the target of the calls, such as ``aws``; ``order`` for any of the order of whoever
            makes them; None for the queues and buses of this database.
        config: as for `leeward.Client`: names, effects, and the `schema` of the target.
        target: the name of this database in leeward.toml.

    Raises:
        ConfigError: the configuration is wrong.
        InvalidRequest: `connection` is not one of these, or in no transaction.
    """
    settings = OutboxSettings(config, target, to, LIMITS)
    schema = str(settings.options.get("schema", "leeward"))
    execute, is_awaited = _executor_of(connection, schema)

    def write(call: OutboxCall, id: str) -> Any:
        if not settings.is_own or not isinstance(call, Publish | Enqueue):
            columns = [[column] for column in columns_of(settings.row_of(call))]
            return execute(ADD_ROWS, columns, lambda _: id)
        plan = publish(call, SECONDS) if isinstance(call, Publish) else enqueue(call, SECONDS)
        statement = next(plan)

        def conclude(rows: Rows) -> str:
            try:
                plan.send(rows)
            except StopIteration as end:
                if end.value.outcome is Outcome.NOT_FOUND:
                    raise NotFound(f"nothing was queued: {end.value.message}") from None
            return id

        # Without a limit for locks, the last value: that is the user's.
        return execute(statement.sql, [*statement.values[:-1], None], conclude)

    return CallOutbox(settings, write, awaited=is_awaited)


def _executor_of(connection: Any, schema: str) -> tuple[Callable[..., Any], bool]:
    """Return what executes statements on a connection, and whether it is awaited.

    The names of its classes say what it is.
    """
    kinds = [(kind.__module__.partition(".")[0], kind.__name__) for kind in type(connection).mro()]
    is_awaited = any(name.lower().startswith("async") for _, name in kinds)
    if any(module == "sqlalchemy" and name in _SQLALCHEMY for module, name in kinds):
        ask: Callable[..., Any] = _await_sqlalchemy if is_awaited else _ask_sqlalchemy
        return partial(ask, connection, schema), is_awaited
    if not any(module == "psycopg" and name in _PSYCOPG for module, name in kinds):
        raise InvalidRequest(
            "connection must be a Connection or AsyncConnection of psycopg 3, or a Session, "
            "AsyncSession, Connection or AsyncConnection of SQLAlchemy, not "
            f"{type(connection).__module__}.{type(connection).__qualname__}",
            field="connection",
        )
    _check_transaction(connection)
    return partial(_await_psycopg if is_awaited else _ask_psycopg, connection, schema), is_awaited


def _check_transaction(connection: Any) -> None:
    if connection.autocommit and connection.info.transaction_status == _IDLE:
        raise InvalidRequest(
            "connection is in autocommit and in no transaction, so the call would be made whatever "
            "becomes of your rows; use `with connection.transaction():`",
            field="connection",
        )


def _ask_psycopg(
    connection: Any, schema: str, sql: str, values: Sequence[Any], conclude: Conclude
) -> str:
    with _explain_errors(), _cursor_of(connection) as cursor:
        rows = cursor.execute(_text_for(cursor, sql, schema), values).fetchall()
    return conclude(rows)


async def _await_psycopg(
    connection: Any, schema: str, sql: str, values: Sequence[Any], conclude: Conclude
) -> str:
    with _explain_errors():
        async with _cursor_of(connection) as cursor:
            await cursor.execute(_text_for(cursor, sql, schema), values)
            rows = await cursor.fetchall()
    return conclude(rows)


def _cursor_of(connection: Any) -> Any:
    """Return a cursor whose rows are tuples, whatever those of the user's are.

    The transaction in which the outbox was made may have ended since.
    """
    from psycopg.rows import tuple_row

    _check_transaction(connection)
    return connection.cursor(row_factory=tuple_row)


def _text_for(cursor: Any, sql: str, schema: str) -> str | bytes:
    """Return a statement with the placeholders of the user's kind of cursor."""
    is_raw = any(kind.__name__ == "RawCursorMixin" for kind in type(cursor).mro())
    return number_parameters(sql, schema) if is_raw else name_schema(sql, schema)


def _ask_sqlalchemy(
    connection: Any, schema: str, sql: str, values: Sequence[Any], conclude: Conclude
) -> str:
    session = connection.connection() if hasattr(connection, "flush") else connection
    if session.dialect.name != "postgresql":
        problem = f"connection is to {session.dialect.name}, not postgresql"
        raise InvalidRequest(problem, field="connection")
    if session.connection.dbapi_connection.autocommit:
        raise InvalidRequest(
            "connection has the isolation level AUTOCOMMIT, so the call would be made whatever "
            "becomes of your rows; use another level",
            field="connection",
        )
    is_numbered = session.dialect.driver == "asyncpg"
    text = number_parameters(sql, schema).decode() if is_numbered else name_schema(sql, schema)
    with _explain_errors():
        rows = session.exec_driver_sql(text, tuple(values)).fetchall()
    return conclude(rows)


async def _await_sqlalchemy(
    connection: Any, schema: str, sql: str, values: Sequence[Any], conclude: Conclude
) -> str:
    link = await connection.connection() if hasattr(connection, "flush") else connection
    text: str = await link.run_sync(_ask_sqlalchemy, schema, sql, values, conclude)
    return text


@contextmanager
def _explain_errors() -> Iterator[None]:
    """Raise what to do where leeward's schema is not there; other errors are the database's own."""
    try:
        yield
    except Exception as error:
        match = CLASSIFICATIONS.get(getattr(getattr(error, "orig", error), "sqlstate", None) or "")
        if match is not None and match.reason == SCHEMA:
            raise ConfigError(
                "the schema of leeward is not in this database, or is older; apply it: "
                "leeward postgres schema --apply"
            ) from error
        raise
