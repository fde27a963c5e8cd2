"""The contract of all drivers, on a real PostgreSQL, with a proxy that makes the faults."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import pytest

from leeward.adapter import Driver
from leeward_contract_tests import Awaited, DriverContract, Faults
from leeward_contract_tests.contracts.observations import CallFunction
from leeward_contract_tests.fixtures import Seen, contract_functions
from leeward_postgres.driver import open_driver
from tests.postgres.opening import config_for
from tests.postgres.proxy import PostgresProxy
from tests.postgres.server import Server
from tests.postgres.working import Worker


class TestPostgres(DriverContract):
    """Everything that a driver promises."""

    @pytest.fixture
    def driver(self, server: Server, proxy: PostgresProxy) -> Iterator[Driver]:
        """Open the target behind the proxy."""
        url = server.url.replace(f":{server.port}/", f":{proxy.port}/")
        driver = open_driver(config_for(url))
        yield driver
        driver.close()

    @pytest.fixture
    def call_function(self, server: Server) -> Iterator[CallFunction]:
        """Return what calls the functions of a worker, which goes around the proxy."""
        seen = Seen()
        with (
            closing(open_driver(config_for(server.url))) as driver,
            closing(Worker(driver, contract_functions(seen), seen.remember)) as worker,
        ):
            yield worker.call

    @pytest.fixture
    def faults(self, proxy: PostgresProxy) -> Faults:
        """Return the proxy."""
        return proxy

    @pytest.fixture
    def services(self) -> tuple[str, ...]:
        """Return the one service."""
        return ("connection",)


class TestPostgresAwaited(Awaited, TestPostgres):
    """The same through the asynchronous client."""
