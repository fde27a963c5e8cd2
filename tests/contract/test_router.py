"""The router over two drivers is a driver, and keeps the whole contract."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from leeward._routing import FailoverDriver
from leeward.adapter import Driver
from leeward.testing import FakeClock, FaultyDriver
from leeward_contract_tests import (
    Awaited,
    DriverContract,
    FailureContract,
    Faults,
    LifecycleContract,
    PublishContract,
    faults_of,
)
from tests.contract.clouds import LOCAL_SERVICES, local_clouds


class OverTwo:
    """Two embedded clouds in a failover order; the first is the home of the data."""

    @pytest.fixture
    def clouds(self) -> list[FaultyDriver]:
        return [FaultyDriver(cloud) for cloud in local_clouds("local:a", "local:b")]

    @pytest.fixture
    def driver(self, clouds: list[FaultyDriver]) -> Iterator[Driver]:
        driver = FailoverDriver(clouds, home="local:a", clock=FakeClock())
        yield driver
        driver.close()

    @pytest.fixture
    def services(self) -> tuple[str, ...]:
        return LOCAL_SERVICES

    @pytest.fixture
    def faults(self, clouds: list[FaultyDriver]) -> Faults:
        return faults_of(*clouds)


class TestFailover(OverTwo, DriverContract):
    """The whole contract."""


class TestFailoverAwaited(Awaited, OverTwo, FailureContract, LifecycleContract, PublishContract):
    """What the router decides itself, through `AsyncClient`: the router's other runner.

    test_orders.py puts the whole contract to both runners, over the wire.
    """
