"""One server for the whole run, with a schema of its own for each test that wants one."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest

from leeward.adapter import TargetConfig
from leeward_contract_tests.fixtures import Seen, contract_functions
from leeward_postgres.schema import schema_sql
from tests.postgres.opening import config_for
from tests.postgres.proxy import PostgresProxy
from tests.postgres.server import Server


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    """Start PostgreSQL, with the schema in it, and queues for the functions of the contract."""
    server = Server()
    try:
        with psycopg.connect(server.url, autocommit=True) as connection:
            connection.execute(schema_sql("leeward").encode())
            names = list(contract_functions(Seen()))
            connection.execute(
                "SELECT leeward.tend_rows(%s::text[], %s::text[])", ([""] * len(names), names)
            )
        yield server
    finally:
        server.stop()


@pytest.fixture
def config(server: Server) -> TargetConfig:
    """Return the configuration of a target on the server."""
    return config_for(server.url)


@pytest.fixture
def proxy(server: Server) -> Iterator[PostgresProxy]:
    """Return a proxy before the server."""
    proxy = PostgresProxy(server.port)
    yield proxy
    proxy.stop()
