"""The contract on every broken driver, for `test_broken_drivers`; pytest does not collect it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from leeward.adapter import Driver
from leeward.testing import FaultyDriver
from leeward_contract_tests import Faults, faults_of
from tests.contract import (
    broken,
    broken_conditions,
    broken_failures,
    broken_objects,
    broken_runs,
    broken_tables,
)
from tests.contract.cases import CASES
from tests.contract.clouds import LOCAL_SERVICES, local_cloud
from tests.servers.faultproxy import FaultProxy
from tests.urls.served import target
from tests.urls.test_contract import URL, Served

__all__ = [
    "broken",
    "broken_conditions",
    "broken_failures",
    "broken_objects",
    "broken_runs",
    "broken_tables",
]
"""Importing them registers their cases."""


class OnABrokenDriver:
    """The fixtures of every case."""

    broken: type[FaultyDriver]

    @pytest.fixture
    def driver(self) -> Iterator[FaultyDriver]:
        cloud = local_cloud()
        yield self.broken(cloud)
        cloud.close()

    @pytest.fixture
    def faults(self, driver: FaultyDriver) -> Faults:
        return faults_of(driver)

    @pytest.fixture
    def services(self) -> tuple[str, ...]:
        return LOCAL_SERVICES

    @pytest.fixture
    def patience(self) -> float:
        return 0.1


class OnABrokenWire(Served):
    """The fixtures of a case on a wire."""

    broken: type[FaultyDriver]

    @pytest.fixture
    def driver(self, proxy: FaultProxy) -> Iterator[Driver]:
        driver = self.broken(target(url=URL.format(proxy.url)))
        yield driver
        driver.close()


for case in CASES:
    members = {"broken": case.driver, "__module__": __name__}
    fixtures = OnABrokenWire if case.on_wire else OnABrokenDriver
    globals()[case.suite] = type(case.suite, (fixtures, case.contract), members)
