"""The embedded driver keeps the contract, with faults on demand."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from leeward.adapter import Driver
from leeward.testing import FaultyDriver
from leeward_contract_tests import (
    Awaited,
    DriverContract,
    Faults,
    LifecycleContract,
    faults_of,
)
from tests.contract.clouds import LOCAL_SERVICES, local_cloud


class TestLocal(LifecycleContract):
    """What a driver is, bare; its verbs are put to it below, where they can be made to fail."""

    @pytest.fixture
    def driver(self) -> Iterator[Driver]:
        driver = local_cloud()
        yield driver
        driver.close()

    @pytest.fixture
    def services(self) -> tuple[str, ...]:
        return LOCAL_SERVICES


class TestFaultyLocal(DriverContract):
    """The whole contract, with faults on demand."""

    @pytest.fixture
    def driver(self) -> Iterator[FaultyDriver]:
        driver = FaultyDriver(local_cloud())
        yield driver
        driver.close()

    @pytest.fixture
    def services(self) -> tuple[str, ...]:
        return LOCAL_SERVICES

    @pytest.fixture
    def faults(self, driver: FaultyDriver) -> Faults:
        return faults_of(driver)


class TestFaultyLocalAwaited(Awaited, TestFaultyLocal):
    """The whole contract through `AsyncClient`; the embedded driver works in threads there."""
