"""Events and calls in the user's own transaction: made once it is committed, and never if not.

    from leeward_postgres import outbox

    with psycopg.connect() as connection:
        connection.execute("UPDATE orders SET paid = true WHERE id = 42")
        outbox(connection).publish_event("orders", "order.paid", {"id": 42})

A connection of psycopg and a session or connection of SQLAlchemy are known by what they are named:
neither library is imported here.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final, Generic, TypeAlias, TypeVar

from leeward.errors import ConfigError, InvalidRequest, NotFound, Outcome
from leeward.outbox import OutboxCalls, OutboxedCall
from leeward.values import Effect, EffectName, Event, Json
from leeward_postgres.deliveries import columns_of
from leeward_postgres.driver import LIMITS
from leeward_postgres.queues import Queues
from leeward_postgres.schema import quote
from leeward_postgres.statements import Plan, Rows

if TYPE_CHECKING:
    from pathlib import Path

    from leeward.config import Config

R = TypeVar("R", bound="str | Awaitable[str]")

Conclude: TypeAlias = Callable[[Rows], str]
Execute: TypeAlias = Callable[[str, Sequence[Any], Conclude], R]
"""Executes a statement in the transaction; returns what its rows are concluded to."""

SECONDS: Final = 1.0
"""Stands where a call has its time: a transaction of the user's has its own."""

_IDLE: Final = 0
"""Of libpq's PGTransactionStatusType: no transaction is open."""

_NO_SCHEMA: Final = ("3F000", "42883", "42P01")
"""SQLSTATEs: no schema, function or table of this name."""

_KINDS: Final = (
    *("psycopg.Connection", "psycopg.AsyncConnection"),
    *("sqlalchemy.Session", "sqlalchemy.AsyncSession"),
    *("sqlalchemy.Connection", "sqlalchemy.AsyncConnection"),
    *("sqlalchemy.scoped_session", "sqlalchemy.async_scoped_session"),
)


class Outbox(Generic[R]):
    """Writes calls into one transaction; nothing is sent before it is committed.

    Each method returns the id under which the call is made; of an awaited connection it has to be
    awaited.
    """

    def __init__(self, calls: OutboxCalls, execute: Execute[R], schema: str) -> None:
        self._calls = calls
        self._execute = execute
        self._add = f"SELECT {quote(schema)}.add_rows({', '.join(['%s::text[]'] * 5)})"
        self._queues = Queues(schema)

    def publish_event(
        self,
        bus: str,
        type: str,
        data: Json | bytes = None,
        *,
        subject: str | None = None,
        id: str | None = None,
        time: datetime | None = None,
        ordering_key: str | None = None,
    ) -> R:
        """Publish one CloudEvent; arguments as of `leeward.Client.publish_event`."""
        event = Event(type, data, id=id, time=time, subject=subject, ordering_key=ordering_key)
        call = self._calls.publish(bus, event)
        plan = self._queues.publish(call, SECONDS) if self._calls.is_own else None
        return self._write(call, plan, str(call.events[0].id))

    def enqueue(
        self,
        function: str,
        payload: Json = None,
        *,
        effect: Effect | EffectName | None = None,
        idempotency_key: str | None = None,
    ) -> R:
        """Queue a call of a function; arguments as of `leeward.Client.enqueue`.

        Raises:
            NotFound: the queue is the database's own, and no worker has looked for it yet.
        """
        call = self._calls.enqueue(function, payload, effect, idempotency_key)
        plan = self._queues.enqueue(call, SECONDS) if self._calls.is_own else None
        return self._write(call, plan, call.idempotency_key)

    def start_workflow(self, workflow: str, value: Json = None, *, id: str) -> R:
        """Start a run of a workflow; arguments as of `leeward.Client.start_workflow`.

        The worker that makes the calls starts it, where its configuration says that runs live.
        """
        return self._write(self._calls.start(workflow, value, id), None, id)

    def _write(self, call: OutboxedCall, plan: Plan | None, id: str) -> R:
        """Write a call by the plan of this database, or as a row for whoever makes it elsewhere."""
        if plan is None:
            columns = [[column] for column in columns_of(self._calls.row_of(call))]
            return self._execute(self._add, columns, lambda _: id)
        statement = next(plan)
        values = [*statement.values[:-1], None]  # without a limit for locks: that is the user's

        def conclude(rows: Rows) -> str:
            try:
                plan.send(rows)
            except StopIteration as end:
                if end.value.outcome is Outcome.NOT_FOUND:
                    raise NotFound(f"nothing was queued: {end.value.message}") from None
            return id

        return self._execute(statement.sql, values, conclude)


def outbox(
    connection: Any,
    *,
    to: str | None = None,
    config: str | Path | Config | None = None,
    target: str = "postgres",
) -> Outbox[Any]:
    """Return what writes calls into the transaction of a connection or session.

    Args:
        connection: of psycopg 3, or a Session, AsyncSession, Connection or AsyncConnection of
            SQLAlchemy; in a transaction.
        to: the target of the calls, such as ``aws``; ``order`` for any of the order of the worker
            that makes them; None for the queues and buses of this database.
        config: as for `leeward.Client`: names, effects, and the `schema` of the target.
        target: as leeward.toml names this database.

    Raises:
        ConfigError: the configuration is wrong.
        InvalidRequest: `connection` is not one of these, or in no transaction.
    """
    calls = OutboxCalls(config, target, to, LIMITS)
    sections = calls.config.options
    section = sections.get(target, sections.get(target.partition(":")[0], {}))
    schema = str(section.get("schema", "leeward"))
    return Outbox(calls, _executor_of(connection), schema)


def _executor_of(connection: Any) -> Execute[Any]:
    """Return what executes statements on a connection, by the names of its classes."""
    kinds = [(kind.__module__.partition(".")[0], kind.__name__) for kind in type(connection).mro()]
    known = [f"{module}.{name}" for module, name in kinds if f"{module}.{name}" in _KINDS]
    if not known:
        name = f"{type(connection).__module__}.{type(connection).__qualname__}"
        raise InvalidRequest(
            "connection must be a Connection or AsyncConnection of psycopg 3, or a Session, "
            f"AsyncSession, Connection or AsyncConnection of SQLAlchemy, not {name}",
            field="connection",
        )
    module, _, name = known[0].partition(".")
    is_awaited = name.lower().startswith("async")
    if module == "sqlalchemy":
        return _awaited_sqlalchemy(connection) if is_awaited else _sqlalchemy(connection)
    if connection.autocommit and connection.info.transaction_status == _IDLE:
        raise InvalidRequest(
            "connection is in autocommit and in no transaction, so the call would be made whatever "
            "becomes of your rows; use `with connection.transaction():`",
            field="connection",
        )
    return _awaited_psycopg(connection) if is_awaited else _psycopg(connection)


def _psycopg(connection: Any) -> Execute[str]:
    def execute(sql: str, values: Sequence[Any], conclude: Conclude) -> str:
        with _explained(), _cursor_of(connection) as cursor:
            rows = cursor.execute(sql, values).fetchall()
        return conclude(rows)

    return execute


def _awaited_psycopg(connection: Any) -> Execute[Awaitable[str]]:
    async def execute(sql: str, values: Sequence[Any], conclude: Conclude) -> str:
        with _explained():
            async with _cursor_of(connection) as cursor:
                await cursor.execute(sql, values)
                rows = await cursor.fetchall()
        return conclude(rows)

    return execute


def _cursor_of(connection: Any) -> Any:
    """Return a cursor whose rows are tuples, whatever those of the user's are."""
    from psycopg.rows import tuple_row

    return connection.cursor(row_factory=tuple_row)


def _sqlalchemy(connection: Any) -> Execute[str]:
    def execute(sql: str, values: Sequence[Any], conclude: Conclude) -> str:
        own = connection.connection() if hasattr(connection, "flush") else connection
        placed = _placed(sql, own.dialect)
        with _explained():
            rows = own.exec_driver_sql(placed, tuple(values)).fetchall()
        return conclude(rows)

    return execute


def _awaited_sqlalchemy(connection: Any) -> Execute[Awaitable[str]]:
    async def execute(sql: str, values: Sequence[Any], conclude: Conclude) -> str:
        own = await connection.connection() if hasattr(connection, "flush") else connection
        placed = _placed(sql, own.dialect)
        with _explained():
            rows = (await own.exec_driver_sql(placed, tuple(values))).fetchall()
        return conclude(rows)

    return execute


def _placed(sql: str, dialect: Any) -> str:
    """Return a statement with the placeholders of SQLAlchemy's driver."""
    if dialect.name != "postgresql":
        raise InvalidRequest(f"connection is to {dialect.name}, not postgresql", field="connection")
    if dialect.driver != "asyncpg":
        return sql
    first, *rest = sql.split("%s")
    return first + "".join(f"${number}{part}" for number, part in enumerate(rest, 1))


@contextmanager
def _explained() -> Iterator[None]:
    """Say what to do where leeward's schema is not there; other errors are the database's own."""
    try:
        yield
    except Exception as error:
        own = getattr(error, "orig", error)
        if getattr(own, "sqlstate", None) in _NO_SCHEMA:
            raise ConfigError(
                "the schema of leeward is not in this database, or is older; apply it: "
                "leeward postgres schema --apply"
            ) from error
        raise
