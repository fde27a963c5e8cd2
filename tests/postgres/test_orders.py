"""A failover order of PostgreSQL and a target that calls functions keeps the whole contract."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest

from leeward._routing import FailoverDriver
from leeward.adapter import Driver
from leeward.testing import FakeClock, FaultyDriver
from leeward_contract_tests import DriverContract, Faults, faults_of
from leeward_contract_tests.contracts.observations import CallFunction
from leeward_postgres.driver import open_driver
from tests.contract.clouds import local_clouds
from tests.postgres.opening import config_for
from tests.postgres.server import Server
from tests.postgres.working import Worker


class TestPostgresAndLocal(DriverContract):
    """PostgreSQL is the home of the data; the embedded target is behind it."""

    @pytest.fixture
    def clouds(self, server: Server) -> list[FaultyDriver]:
        """Open both."""
        drivers = [open_driver(config_for(server.url)), *local_clouds("local")]
        return [FaultyDriver(each) for each in drivers]

    @pytest.fixture
    def call_function(self, clouds: list[FaultyDriver], server: Server) -> Iterator[CallFunction]:
        """Return what calls the embedded target's functions; a worker runs what is queued."""
        bus: Any = clouds[1].native("events")
        functions: Any = clouds[1].native("functions")
        (subscription,) = bus.subscriptions
        with (
            closing(open_driver(config_for(server.url))) as driver,
            closing(Worker(driver, functions, subscription.function)) as worker,
        ):
            yield worker.call

    @pytest.fixture
    def driver(self, clouds: list[FaultyDriver]) -> Iterator[Driver]:
        """Return the router over both."""
        driver = FailoverDriver(clouds, home="postgres", clock=FakeClock())
        yield driver
        driver.close()

    @pytest.fixture
    def faults(self, clouds: list[FaultyDriver]) -> Faults:
        """Return the faults of both."""
        return faults_of(*clouds)
