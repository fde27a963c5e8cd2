"""The contract on every broken driver, for `test_broken_drivers`; pytest does not collect it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

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


for case in CASES:
    members = {"broken": case.driver, "__module__": __name__}
    globals()[case.suite] = type(case.suite, (OnABrokenDriver, case.contract), members)
