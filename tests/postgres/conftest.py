"""One server for the whole run, with a schema of its own for each test that wants one."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from leeward.adapter import TargetConfig
from tests.postgres.opening import config_for, open_server
from tests.postgres.proxy import PostgresProxy
from tests.postgres.server import Server


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    """Start PostgreSQL, with the schema in it, and queues for the functions of the contract."""
    with open_server() as server:
        yield server


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
