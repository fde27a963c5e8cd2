"""Connections of psycopg, for threads and for an event loop, and the exchanges over them.

No exchange takes longer than it may. A connection on which one was cut off is closed, because the
answer may still come. Nothing is sent on a connection that the server has ended meanwhile.
"""

from __future__ import annotations

import asyncio
import select
import threading
from abc import abstractmethod
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import Future
from contextlib import suppress
from time import monotonic
from typing import Any, Final

import psycopg
from psycopg import waiting
from psycopg.adapt import Transformer
from psycopg.errors import error_from_result
from psycopg.generators import execute
from psycopg.pq import ConnStatus, ExecStatus

from leeward.calls import ISOLATED, NO_PLACE, Result, is_barred, time_after
from leeward.errors import Outcome
from leeward.forking import Forkable, watch
from leeward_postgres.checks import check_server
from leeward_postgres.outcomes import ENDING, USELESS, Stage, code_of_refusal, result_of_error
from leeward_postgres.pool import Lease, Pool
from leeward_postgres.settings import Settings, parameters_of
from leeward_postgres.statements import (
    ANSWERS,
    CLOSED,
    MakePlan,
    Plan,
    Rows,
    Statement,
    encode_values,
    number_parameters,
)

IDLE_SECONDS: Final = 60.0
"""For which a connection is kept without use. Networks forget silent ones after some minutes."""

_NOT_SENT: Final = Result[Any](Outcome.NOT_SENT, code="deadline")
INTERVAL: Final = 0.1  # seconds between two looks whether a signal has come, while a thread waits


class Session:
    """A connection of psycopg, to which statements go by libpq's own calls.

    A cursor costs more than the rest of a small write: it finds out for each value how it is
    written. No statement is prepared: a pooler between may give the next one another session.

    Args:
        connection: that psycopg has opened, for threads or for an event loop.
        schema: of leeward's tables.

    Attributes:
        socket: to wait for.
        process: of the server, as it said when it took the connection.
    """

    def __init__(self, connection: psycopg.BaseConnection[Any], schema: str) -> None:
        self._schema = schema
        self._connection = connection  # without it, psycopg closes
        self._pgconn = connection.pgconn
        self._reader = Transformer(connection)
        self._used = monotonic()
        self.socket, self.process = self._pgconn.socket, self._pgconn.backend_pid
        self._look = _look_at(self.socket)

    def is_usable(self) -> bool:
        """Return whether another exchange can be made.

        An idle connection has something to read only where the server has ended it.
        """
        if self._pgconn.status != ConnStatus.OK or monotonic() - self._used > IDLE_SECONDS:
            return False
        return not self._look()

    def send(self, statement: Statement) -> Any:
        """Begin to send a statement; return the generator that waits for its results.

        Raises:
            psycopg.Error: there is no connection any more.
        """
        sql = number_parameters(statement.sql, self._schema)
        values, formats = encode_values(statement.values)
        self._pgconn.send_query_params(sql, values, None, formats, int(statement.binary))
        return execute(self._pgconn)

    def rows_of(self, results: Sequence[Any]) -> Rows:
        """Return the rows of a statement that was sent.

        Raises:
            psycopg.Error: it has failed.
        """
        self._used, result = monotonic(), results[-1]
        if result.status == ExecStatus.COMMAND_OK:
            return []
        if result.status != ExecStatus.TUPLES_OK:
            error = error_from_result(result)
            if error.sqlstate in ANSWERS:
                return ANSWERS[error.sqlstate]
            raise error
        self._reader.set_pgresult(result)
        return self._reader.load_rows(0, result.ntuples, tuple)

    def close(self) -> None:
        """Close the connection, without waiting."""
        self._pgconn.finish()


class Exchanges(Forkable):
    """Carries out plans, one on each connection at a time.

    Args:
        settings: of the target.

    Attributes:
        pool: of its connections.
    """

    def __init__(self, settings: Settings) -> None:
        self._schema, self._stage = settings.schema, settings.stage
        self._parameters = {**parameters_of(settings), "client_encoding": "utf8"}
        self.pool: Pool[Session] = Pool(settings.pool_size)
        watch(self)

    def close(self) -> None:
        """Close every connection, without waiting; those in use when their exchange is over."""
        for connection in self.pool.close():
            connection.close()

    def renew(self, *, held: bool) -> None:
        """Leave every connection to the parent of a fork."""
        del held
        _abandoned.extend(self.pool.close())
        self.pool = Pool(self.pool.size)

    @abstractmethod
    def _turn(self) -> tuple[Callable[[], object], Callable[[float], Awaitable[object]]]:
        """Return what ends a wait for a place, from any thread, and what waits some seconds."""

    @abstractmethod
    async def _open(self, until: float) -> Session:
        """Return a new connection."""

    @abstractmethod
    async def _wait(self, sending: Any, socket: int, seconds: float) -> Any:
        """Return what a generator of psycopg returns, which waits for a socket."""

    async def carry_out(self, make: MakePlan, timeout: float) -> Result[Any]:
        """Carry out a plan within `timeout` seconds; a wait for a connection may come before."""
        wake, wait = self._turn()
        exchange = Exchange(wake)
        pool, began, waited = self.pool, monotonic(), 0.0
        try:
            if pool.is_closed:
                return CLOSED
            if not pool.enter(exchange):
                longest = max(getattr(timeout, "wait", timeout), 0.0)
                await wait(min(longest, threading.TIMEOUT_MAX))
                waited = monotonic() - began
                if is_barred(timeout):
                    return Result(Outcome.LOCAL, code=ISOLATED, reason=ISOLATED, waited=waited)
                if not exchange.is_held:
                    why = f"none of {pool.size} connections became free in time"
                    late = Result[Any](Outcome.LOCAL, code=NO_PLACE, message=why, reason=NO_PLACE)
                    return late._replace(waited=waited)
            result = await self._run_plan(exchange, make, time_after(waited, timeout))
        finally:
            surplus = pool.leave(exchange)
            if surplus is not None:
                surplus.close()
        return result._replace(waited=waited) if waited else result

    async def _run_plan(self, exchange: Exchange, make: MakePlan, timeout: float) -> Result[Any]:
        exchange.until = monotonic() + timeout
        try:
            session = exchange.connection
            if session is None or not session.is_usable():
                session = await self._connect(exchange)
            if session is not None:
                await self._run(exchange, session, make(timeout))
        except (psycopg.Error, TimeoutError) as error:
            exchange.fail(error)
        return exchange.result

    async def _connect(self, exchange: Exchange) -> Session | None:
        """Return a new connection, in the place of one that is of no use; None if it is refused."""
        if exchange.connection is not None:
            exchange.connection.close()
            exchange.connection = None
        exchange.connection = session = await self._open(exchange.until)
        await self._run(exchange, session, check_server(self._schema, self._stage, session.process))
        exchange.is_reusable = False
        return session if exchange.result.outcome is Outcome.OK else None

    async def _run(self, exchange: Exchange, session: Session, plan: Plan) -> None:
        statement = exchange.proceed(plan, None)
        while statement is not None:
            left = max(exchange.until - monotonic(), 0.0)
            results = await self._wait(session.send(statement), session.socket, left)
            statement = exchange.proceed(plan, session.rows_of(results))


_abandoned: list[Any] = []
"""Connections of the parent of a fork, kept so that nothing closes them here."""


class ThreadExchanges(Exchanges):
    """Makes the exchanges of threads, which wait themselves: nothing here is suspended."""

    def run(self, make: MakePlan, timeout: float) -> Result[Any]:
        """Carry out a plan; here nothing is suspended."""
        try:
            self.carry_out(make, timeout).send(None)
        except StopIteration as end:
            result: Result[Any] = end.value
            return result
        raise AssertionError("an exchange of a thread was suspended")

    def _turn(self) -> tuple[Callable[[], object], Callable[[float], Awaitable[object]]]:
        lock = threading.Lock()
        lock.acquire()

        async def wait(seconds: float) -> None:
            lock.acquire(timeout=seconds)

        return lock.release, wait

    async def _open(self, until: float) -> Session:
        return Session(connect_in_time(self._parameters, until), self._schema)

    async def _wait(self, sending: Any, socket: int, seconds: float) -> Any:
        return waiting.wait(sending, socket, INTERVAL, seconds)


class LoopExchanges(Exchanges):
    """Makes the exchanges of one event loop."""

    def _turn(self) -> tuple[Callable[[], object], Callable[[float], Awaitable[object]]]:
        event, loop = asyncio.Event(), asyncio.get_running_loop()

        async def wait(seconds: float) -> None:
            with suppress(TimeoutError):
                await asyncio.wait_for(event.wait(), seconds)

        return lambda: loop.call_soon_threadsafe(event.set), wait

    async def _open(self, until: float) -> Session:
        async with asyncio.timeout(until - monotonic()):
            connection = await psycopg.AsyncConnection.connect(**self._parameters)
        return Session(connection, self._schema)

    async def _wait(self, sending: Any, socket: int, seconds: float) -> Any:
        return await waiting.wait_async(sending, socket, INTERVAL, seconds)


class Exchange(Lease[Session]):
    """One plan on one connection, and how far it came.

    Attributes:
        until: when it has to end, in monotonic seconds.
        result: of the call.
    """

    __slots__ = ("_stage", "result", "until")

    def __init__(self, wake: Callable[[], object]) -> None:
        super().__init__(wake)
        self.until = 0.0
        self._stage = Stage.UNSENT
        self.result = _NOT_SENT

    def fail(self, error: psycopg.Error | TimeoutError) -> None:
        """Note the error that has ended the exchange."""
        self.result = _result_of(error, self._stage, is_late=monotonic() >= self.until)
        # Only a statement by itself leaves nothing open behind.
        code = getattr(error, "sqlstate", None)
        is_alone = self._stage is Stage.COMMITTING and code is not None
        self.is_reusable = is_alone and code not in USELESS

    def proceed(self, plan: Plan, rows: Rows | None) -> Statement | None:
        """Return the next statement of a plan, given the rows of the last one; None at its end."""
        try:
            statement = next(plan) if rows is None else plan.send(rows)
        except StopIteration as end:
            self.result, self.is_reusable = end.value, True
            return None
        self._stage = statement.stage
        return statement


def connect_in_time(parameters: dict[str, Any], until: float) -> psycopg.Connection[Any]:
    """Return a new connection.

    A thread of its own opens it: names are looked up by the system, which takes its time.

    Raises:
        psycopg.Error: it could not be opened, or not in time.
    """
    opening: Future[psycopg.Connection[Any]] = Future()

    def connect() -> None:
        try:
            connection = psycopg.Connection.connect(**parameters)
        except psycopg.Error as error:
            if opening.set_running_or_notify_cancel():
                opening.set_exception(error)
            return
        if opening.set_running_or_notify_cancel():
            opening.set_result(connection)
        else:  # nobody waits any more
            connection.close()

    threading.Thread(target=connect, name="leeward-postgres", daemon=True).start()
    try:
        return opening.result(max(until - monotonic(), 0.0))
    except TimeoutError:
        if opening.cancel():
            raise psycopg.OperationalError("connecting took too long") from None
        return opening.result()


def _result_of(error: psycopg.Error | TimeoutError, stage: Stage, *, is_late: bool) -> Result[Any]:
    if isinstance(error, TimeoutError):
        return result_of_error("deadline", stage)
    code = error.sqlstate
    if code is None and stage is Stage.UNSENT:
        code = code_of_refusal(str(error))
    if code is None and is_late:
        code = "deadline"
    is_fatal = error.diag.severity_nonlocalized in ("FATAL", "PANIC") or code in ENDING
    # Without what the server says of values, and without psycopg's own view of the connection,
    # which has the password in it.
    words = error.diag.message_primary or "the connection was lost, or never there"
    return result_of_error(code, stage, is_fatal=is_fatal)._replace(cause=type(error)(words))


def _look_at(descriptor: int) -> Callable[[], Any]:
    """Return what tells whether there is something to read."""
    if not hasattr(select, "poll"):  # Windows
        return lambda: select.select([descriptor], [], [], 0)[0]
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    return lambda: poll.poll(0)
