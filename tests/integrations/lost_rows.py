"""Ask `leeward.ran` about failures of psycopg on a real server; exit with 1 at a wrong answer.

Where SQLAlchemy is installed, a third of the calls go by it.

python -m tests.integrations.lost_rows [--cases N] [--seed N]
"""

from __future__ import annotations

import asyncio
import re
import sys
from argparse import ArgumentParser
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from importlib.util import find_spec
from random import Random
from typing import Any, Final

import psycopg

from leeward_ran import Evidence, find_evidence
from tests.integrations.lost import is_over, report_of
from tests.postgres.proxy import PostgresProxy
from tests.postgres.server import Server

SCHEMA: Final = """
CREATE TABLE effects (n bigint PRIMARY KEY);
CREATE FUNCTION insert_and_raise(n bigint) RETURNS void LANGUAGE plpgsql AS
    'BEGIN INSERT INTO effects VALUES (n); RAISE EXCEPTION ''no''; END';
CREATE PROCEDURE commit_and_raise(n bigint) LANGUAGE plpgsql AS
    'BEGIN INSERT INTO effects VALUES (n); COMMIT; RAISE EXCEPTION ''no''; END';
"""

CEILING: Final = 0.6
"""As in `lost`: here most connections break while a statement that commits is under way."""

STATEMENTS: Final = (
    "INSERT INTO effects VALUES ({n})",
    "INSERT INTO effects VALUES ({n}), ({n})",
    "INSERT INTO effects SELECT {n} WHERE 1 / 0 = 1",
    "INSERT INTO effects VALUES ({n}); INSERT INTO effects VALUES ({n})",
    "BEGIN; INSERT INTO effects VALUES ({n}); COMMIT; SELECT 1 / 0",
    "SELECT insert_and_raise({n})",
    "CALL commit_and_raise({n})",
    "DO 'BEGIN INSERT INTO effects VALUES ({n}); COMMIT; RAISE EXCEPTION ''no''; END'",
    "WITH one AS (INSERT INTO effects VALUES ({n}) RETURNING n) SELECT pg_sleep(5) FROM one",
    "INSERT INTO nowhere VALUES ({n})",
    "INSERT INTO effects VALUES ({n}); SELECT pg_terminate_backend(pg_backend_pid())",
    "WITH a AS (INSERT INTO effects VALUES ({n})) SELECT pg_terminate_backend(pg_backend_pid())",
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the cases, report, and return the exit status."""
    parser = ArgumentParser(prog="python -m tests.integrations.lost_rows", description=__doc__)
    parser.add_argument("--cases", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args(arguments)
    counts: Counter[str] = Counter()
    wrong = 0
    server = Server()
    proxy = PostgresProxy(server.port)
    try:
        with psycopg.connect(server.url, autocommit=True) as looking:
            looking.execute(SCHEMA)
            for number in range(options.cases):
                random = Random(f"{options.seed} {number}")
                shown, found = fail(random, number, server.url, proxy)
                if found is None:
                    continue
                rows = looking.execute("SELECT count(*) FROM effects WHERE n = %s", [number])
                effects = rows.fetchone()[0]  # type: ignore[index]  # a count is always there
                if flaw := report_of(found, effects, counts):
                    wrong += 1
                    print(f"WRONG {number}: {flaw}: {found.why}; {shown}", flush=True)
    finally:
        proxy.stop()
        server.stop()
    print(f"wrong: {wrong}")
    return 1 if is_over("psycopg", counts, CEILING) or wrong else 0


def fail(
    random: Random, number: int, direct: str, proxy: PostgresProxy
) -> tuple[str, Evidence | None]:
    """Send a statement while something fails; return what was done, and what is proved."""
    statement = random.choice(STATEMENTS).format(n=number)
    fault = random.choice(["none", "answer", "request", "refuse", "throttle"])
    calls = [run_alone, run_in_transaction, run_and_leave, run_many, run_async]
    if find_spec("sqlalchemy") is not None:
        calls += [run_by_engine, run_by_engine_alone, run_by_session, run_in_parts]
    call = random.choice(calls)
    url = direct.rpartition(":")[0] + f":{proxy.port}/leeward?connect_timeout=2"
    faults: dict[str, Callable[[], AbstractContextManager[None]]] = {
        "none": nullcontext,
        "answer": lambda: proxy.lose_answers(1),
        "request": lambda: proxy.lose_requests(1, after=random.choice([0, 1])),
        "refuse": proxy.refuse,
        "throttle": proxy.throttle,
    }
    early = random.random() < 0.45
    found = None
    try:
        with faults[fault]() if early else nullcontext():
            call(url, statement, nullcontext if early else faults[fault])
    except Exception as error:
        found = find_evidence(error)
    return f"{statement}; {fault}{' from the start' if early else ''}; {call.__name__}", found


Fault = Callable[[], AbstractContextManager[None]]


def run_alone(url: str, statement: str, fault: Fault) -> None:
    """Send it by itself."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("SET statement_timeout = 30")
        with fault():
            connection.execute(statement)


def run_in_transaction(url: str, statement: str, fault: Fault) -> None:
    """Send it in a transaction; the commit may be what fails."""
    with psycopg.connect(url) as connection:
        connection.execute("SET statement_timeout = 30")
        with fault():
            connection.execute(statement)
            connection.commit()


def run_and_leave(url: str, statement: str, fault: Fault) -> None:
    """Send it in a block whose end commits."""
    with psycopg.connect(url) as connection:
        connection.execute("SET statement_timeout = 30")
        connection.commit()
        connection.execute(statement)
        with fault():
            connection.__exit__(None, None, None)


def run_many(url: str, statement: str, fault: Fault) -> None:
    """Send it between others."""
    with psycopg.connect(url, autocommit=True) as connection, connection.cursor() as cursor:
        cursor.execute("SET statement_timeout = 30")
        with fault(), connection.transaction():
            cursor.execute("SELECT 1")
            cursor.execute(statement)


def run_async(url: str, statement: str, fault: Fault) -> None:
    """Send it from a task."""

    async def run() -> None:
        connection: Any = await psycopg.AsyncConnection.connect(url, autocommit=True)
        async with connection:
            await connection.execute("SET statement_timeout = 30")
            with fault():
                await connection.execute(statement)

    asyncio.run(run())


def run_by_engine(url: str, statement: str, fault: Fault, **options: str) -> None:
    """Send it by SQLAlchemy, in a transaction."""
    engine = open_engine(url, **options)
    try:
        with engine.connect() as connection:
            connection.exec_driver_sql("SET statement_timeout = 30")
            connection.commit()
            with fault():
                connection.exec_driver_sql(statement)
                connection.commit()
    finally:
        engine.dispose()


def run_by_engine_alone(url: str, statement: str, fault: Fault) -> None:
    """Send it by SQLAlchemy, outside of transactions."""
    run_by_engine(url, statement, fault, isolation_level="AUTOCOMMIT")


def run_by_session(url: str, statement: str, fault: Fault) -> None:
    """Send it by a session of SQLAlchemy, whose block commits at its end."""
    from sqlalchemy import text
    from sqlalchemy.orm import Session

    engine = open_engine(url)
    try:
        with fault(), Session(engine) as session, session.begin():
            session.execute(text("SET statement_timeout = 30"))
            session.execute(text(statement))
    finally:
        engine.dispose()


def run_in_parts(url: str, statement: str, fault: Fault) -> None:
    """Send rows by SQLAlchemy, each of which is a statement that commits; the last one is wrong."""
    from sqlalchemy import BigInteger, column, insert, table

    effects = table("effects", column("n", BigInteger))
    number = int("".join(re.findall(r"\d+", statement)[:1]))
    engine = open_engine(url, isolation_level="AUTOCOMMIT", insertmanyvalues_page_size=1)
    try:
        with engine.connect() as connection, fault():
            rows: list[dict[str, object]] = [{"n": number}, {"n": 2**70}]
            connection.execute(insert(effects).returning(effects.c.n), rows)
    finally:
        engine.dispose()


def open_engine(url: str, **options: Any) -> Any:
    """Return an engine of SQLAlchemy for a database."""
    from sqlalchemy import create_engine

    return create_engine(url.replace("postgresql:", "postgresql+psycopg:"), **options)


if __name__ == "__main__":
    sys.exit(main())
